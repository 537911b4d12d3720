"""Auditree's git locker, given the same files: run by the Python of an environment that has `auditree-framework`.

`auditree.py LOCKER DAY FOLDER` adds the files of a folder as raw evidence and commits them, as of noon of day DAY: each
piece lives for a day, so its clock must be a day further each time. Prints how many pieces were still fresh, and left.
"""

import datetime as moments
import os
import sys
from pathlib import Path
from typing import Any

import compliance.locker
from compliance.evidence import DAY, RawEvidence

ZERO = moments.datetime(2026, 1, 1, 12)


class Noon:
    """The locker's clock: of `datetime` it uses nothing but `utcnow`."""

    at = ZERO

    @classmethod
    def utcnow(cls) -> moments.datetime:
        return cls.at


def add(locker: Any, folder: str) -> int:
    fresh = 0
    for path in sorted(Path(folder).glob("*.json")):
        evidence = RawEvidence(path.name, "segment", DAY, "a list of the workspace")
        if locker.validate(evidence):
            fresh += 1
            continue
        evidence.set_content(path.read_text())
        locker.add_evidence(evidence)
    return fresh


def main(local: str, day: str, folder: str) -> None:
    Noon.at = ZERO + moments.timedelta(days=int(day), minutes=int(day))  # a minute more: a day to the second is fresh
    compliance.locker.dt = Noon
    for who in ("AUTHOR", "COMMITTER"):
        os.environ.update({f"GIT_{who}_NAME": "bench", f"GIT_{who}_EMAIL": "bench@example.com"})
        os.environ[f"GIT_{who}_DATE"] = f"{Noon.at.isoformat()}+00:00"
    with compliance.locker.Locker(name="bench", local_path=local) as locker:
        locker.logger.setLevel("ERROR")
        fresh = add(locker, folder)
    print(fresh)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
