#!/usr/bin/env python
"""The portal's commands. `manage.py help` lists them."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if sys.argv[1:2] in (["keys"], ["start"]):
        from portal import demo, keys

        # Settings refuse to load without keys, so the two commands that make keys run before them.
        keys.before_settings(sys.argv)
        demo.before_settings(sys.argv)
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if sys.argv[1:2] == ["doctor"]:
            from portal.doctor import keyfiles

            raise SystemExit(keyfiles.tell(str(error), as_json="--json" in sys.argv)) from None
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
