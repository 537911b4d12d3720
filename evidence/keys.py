"""A record's key inside an address: nothing in it that a browser, a proxy or a router would take for its own.

Keys hold slashes, percent signs, dots and empty parts. What is no letter, digit, `-` or `_` stands as `~` and two hex
digits for each byte of UTF-8, so that one key has exactly one address.
"""

import re

_OTHER = re.compile(rb"[^A-Za-z0-9_-]")
_WRITTEN = re.compile("~([0-9A-F]{2})")


class KeyConverter:
    """For `<key:…>` in a path."""

    regex = "[A-Za-z0-9_~-]+"

    def to_python(self, value: str) -> str:
        """Raises ValueError, which means 404, for what `to_url` does not write."""
        data = b"".join(
            bytes([int(part, 16)]) if number % 2 else part.encode() for number, part in enumerate(_WRITTEN.split(value))
        )
        key = data.decode("utf-8")
        if self.to_url(key) != value:
            raise ValueError("This is no address of a record.")
        return key

    def to_url(self, value: str) -> str:
        return _OTHER.sub(lambda found: b"~%02X" % ord(found[0]), value.encode()).decode()
