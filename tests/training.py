"""`python -m tests.training FILE`: trains the dictionary with which blobs are packed, locker/envelopes-1.dict.

It learns what every workspace's records share, the names of fields and how they follow each other, and nothing of any
workspace: values are replaced by letters and digits of chance before it sees them. A dictionary that was shipped is
kept for ever, because blobs are read with it; a new one gets a new number.
"""

import os
import random
import string
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import django

import tests.environment  # noqa: F401  # keys and a folder of its own, before the settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

import zstandard  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import override_settings, setup_test_environment  # noqa: E402

from connectors import locker  # noqa: E402
from connectors.models import Blob, Workspace  # noqa: E402
from connectors.segment import connector  # noqa: E402
from connectors.segment.simulator import serve  # noqa: E402
from connectors.spec import OneOf  # noqa: E402
from portal import canon  # noqa: E402
from tests.worlds import World, activated, checked_draft  # noqa: E402

SIZE = 48 * 1024
PER_STREAM = 400  # samples; a stream of many records must not crowd the others out
# Words of JSON schema (draft 7), and of Segment's rules: no workspace chose them.
KEPT = frozenset(
    (
        *("string", "integer", "number", "boolean", "array", "object", "null", "date-time", "date", "email", "uri"),
        *("uuid", "ipv4", "http://json-schema.org/draft-07/schema#", "context", "traits", "properties"),
        *("TRACK", "IDENTIFY", "GROUP", "PAGE", "SCREEN", "COMMON"),
    )
)


def scrambled(value: Any, dice: random.Random) -> Any:
    """The same shape, with other values: what is left is structure."""
    if isinstance(value, dict):  # names of properties in a JSON schema are what a workspace chose
        return {
            key: {str(scrambled(name, dice)): scrambled(each, dice) for name, each in inner.items()}
            if key == "properties" and isinstance(inner, dict)
            else scrambled(inner, dice)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [scrambled(each, dice) for each in value]
    if isinstance(value, str) and value not in KEPT | declared():
        letters = string.ascii_letters + string.digits
        return "".join(c if c in " -_.:/@" else dice.choice(letters) for c in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return dice.randrange(10 ** max(1, len(str(abs(value)))))
    return value


@cache
def declared() -> frozenset[str]:
    """The words that the API documents for its fields."""

    def of(shape: Any) -> Iterator[str]:
        if isinstance(shape, OneOf):
            yield from shape.words
        for each in shape.values() if isinstance(shape, dict) else shape if isinstance(shape, list) else ():
            yield from of(each)

    return frozenset(word for stream in connector.streams for word in of(stream.shape))


def samples(workspace: Workspace) -> Iterator[bytes]:
    dice = random.Random(1)
    for stream in connector.streams:
        change = locker.state(workspace.pk, workspace.head, stream.name)
        blobs = Blob.objects.filter(sha256__in=list(change.values_list("sha256", flat=True)[:PER_STREAM]))
        for blob in blobs.order_by("sha256"):
            envelope = canon.read(locker.envelope_of(blob))
            names = [*(scrambled(each, dice) for each in envelope["names"][:1]), envelope["names"][1], "", ""]
            yield canon.canonical(
                {"data": scrambled(envelope["data"], dice), "names": names, "salt": scrambled(envelope["salt"], dice)}
            )


def main(file: Path) -> None:
    with serve(size="medium") as simulator, override_settings(REGIONS={"segment": {"demo": simulator.url}}):
        world = World(simulator, activated(checked_draft(simulator, [group.name for group in connector.groups])))
        world.sync()
        found: list[bytes | bytearray | memoryview] = [*samples(world.workspace)]
    trained = zstandard.train_dictionary(SIZE, found, level=3, dict_id=1_000_001, threads=-1)
    file.write_bytes(trained.as_bytes())
    sys.stdout.write(f"{len(found)} samples, {len(trained.as_bytes())} bytes\n")


if __name__ == "__main__":
    setup_test_environment()
    connection.creation.create_test_db(verbosity=0)
    main(Path(sys.argv[1]))
