"""What a framework asks for, as data: built in, or brought by a team; and what differs between two. Pure."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from portal.canon import canonical, digest, parse

FOLDER = Path(__file__).with_name("catalogue")
MOST = 5_000  # controls
_REF = re.compile(r"[^\s,;/?#]{1,40}")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
LONGEST = {"title": 200, "text": 4000, "group": 120, "series": 20}


class Malformed(Exception):
    """A catalogue that cannot be taken: a sentence for each thing that is wrong, with the line where there is one."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = tuple(sentences)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One control. `checks` are the ids of checks that will speak to it; `text` is what evidence supports it."""

    ref: str
    title: str
    text: str = ""
    group: str = ""
    series: str = ""
    optional: bool = False
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """`label` is what the publisher calls this edition."""

    slug: str
    title: str
    label: str = ""
    publisher: str = ""
    about: str = ""
    link: str = ""
    controls: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Differences:
    """What an edition adds to, says otherwise than, and no longer has of the one before."""

    added: tuple[Entry, ...]
    reworded: tuple[tuple[Entry, Entry], ...]
    withdrawn: tuple[Entry, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.reworded or self.withdrawn)


def differences(old: Catalogue | None, new: Catalogue) -> Differences:
    before = {each.ref: each for each in old.controls} if old else {}
    after = {each.ref: each for each in new.controls}
    return Differences(
        tuple(each for ref, each in after.items() if ref not in before),
        tuple((before[ref], each) for ref, each in after.items() if ref in before and before[ref] != each),
        tuple(each for ref, each in before.items() if ref not in after),
    )


def checked(catalogue: Catalogue) -> Catalogue:
    """The catalogue, when it is well-formed; Malformed otherwise."""
    wrong = [f"“{catalogue.slug}” is no short name: write small letters, digits and hyphens."] * (
        not _SLUG.fullmatch(catalogue.slug)
    )
    wrong += ["The framework has no title."] * (not catalogue.title.strip())
    wrong += ["It has no controls."] * (not catalogue.controls)
    wrong += [f"It has more than {MOST} controls."] * (len(catalogue.controls) > MOST)
    seen: set[str] = set()
    for at, each in enumerate(catalogue.controls[:MOST], 1):
        wrong += _faults(each, f"Control {at} ({each.ref[:40]})", each.ref in seen)
        seen.add(each.ref)
    if wrong:
        raise Malformed(wrong[:50])
    return catalogue


def _faults(entry: Entry, where: str, twice: bool) -> list[str]:
    wrong = [f"{where}: its id is there twice."] * twice
    if not _REF.fullmatch(entry.ref):
        wrong.append(f"{where}: an id has 1 to 40 signs, none of them a blank or one of , ; / ? #.")
    wrong += [f"{where}: it has no title."] * (not entry.title.strip())
    said = {name: getattr(entry, name) for name in LONGEST}
    return wrong + [
        f"{where}: its {n} has more than {LONGEST[n]} signs." for n, text in said.items() if len(text) > LONGEST[n]
    ]


# --- bytes --------------------------------------------------------------------------------------


def frozen(catalogue: Catalogue) -> bytes:
    """The catalogue in canonical JSON: what an edition keeps."""
    return canonical(
        asdict(catalogue) | {"controls": [asdict(each) | {"checks": list(each.checks)} for each in catalogue.controls]}
    )


def fingerprint(catalogue: Catalogue) -> str:
    return digest(frozen(catalogue)).hex()


def thawed(body: bytes) -> Catalogue:
    plain = dict(parse(body))
    controls = tuple(Entry(**(each | {"checks": tuple(each["checks"])})) for each in plain.pop("controls"))
    return Catalogue(**plain, controls=controls)


# --- built in -----------------------------------------------------------------------------------


@cache
def built_in() -> tuple[Catalogue, ...]:
    """The catalogues that come with the portal, by their short names."""
    return tuple(checked(_read(path)) for path in sorted(FOLDER.glob("*.toml")))


def _read(path: Path) -> Catalogue:
    said = tomllib.loads(path.read_text(encoding="utf-8"))
    known = {field.name for field in fields(Catalogue)} - {"controls"}
    whole = Catalogue(**{name: said[name] for name in known & said.keys()})
    return replace(whole, controls=tuple(entry for group in said["group"] for entry in _entries(group)))


def _entries(group: Mapping[str, Any]) -> list[Entry]:
    common = {"group": group["title"], "series": group["series"], "optional": group.get("optional", False)}
    return [Entry(**common, **each | {"checks": tuple(each.get("checks", ()))}) for each in group["controls"]]
