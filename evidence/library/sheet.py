"""The library as a table that people change elsewhere and bring back: a row for each artifact, named by its uid.

Reading it in says first, row by row, what would change and what is wrong; `shelf.arrange` then does all of it at once.
"""

import csv
import io
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from connectors.spec import Row
from portal.models import User

from ..exports import csv as csv_export
from ..models import Artifact, Collection, Control
from . import references, reviewing, shelf, traces
from .traces import Trace

# What can be changed, by the title of its column; the others say what it is and are not read.
CHANGES = ("title", "owner", "tags", "collections", "controls", "notes", "valid_days")
TITLES = (
    "uid",
    *CHANGES,
    "number",
    "state",
    "kind",
    "source",
    "report",
    "file",
    "type",
    "bytes",
    "sha256",
    "evidence_from",
    "evidence_to",
    "collected_at",
    "received_at",
    "counts_until",
    "workspaces",
    "archived_at",
)
LONGEST = 500_000  # characters of a sheet that is brought back
MOST = 2000  # rows of it
MOST_OWNERS = 200
LONGEST_NOTES = 5000


def rows(found: "QuerySet[Artifact]") -> Iterator[Row]:
    """Read in steps: neither the list nor the links of all artifacts are held at once."""
    related = ("tags", "collections", "controls__framework", "workspaces")
    for each in found.select_related("owner").prefetch_related(*related).iterator(chunk_size=500):
        yield (
            str(each.uid),
            each.title,
            each.owner.username,
            tuple(row.name for row in each.tags.all()),
            tuple(row.name for row in each.collections.all()),
            tuple(references.said(each.controls.all())),
            each.notes,
            each.valid_days,
            each.pk,
            each.get_state_display(),
            each.get_kind_display(),
            each.get_source_display(),
            each.report,
            each.name,
            each.media,
            each.size,
            each.sha256,
            *(day.isoformat() if day else "" for day in (each.period_from, each.period_to)),
            each.collected_at.isoformat(),
            each.received_at.isoformat(),
            each.good_until.isoformat() if each.good_until else "",
            tuple(row.name for row in each.workspaces.all()),
            each.archived_at.isoformat() if each.archived_at else "",
        )


# --- and back ---------------------------------------------------------------------------------------------------


@dataclass
class Line:
    """A row of a sheet: what it would change, in words and as a wish, and what is wrong with it."""

    number: int
    title: str = ""
    wish: Trace = field(default_factory=Trace)
    words: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """What a sheet would do. `refused` says why it cannot be read at all; `same` rows would change nothing."""

    lines: tuple[Line, ...] = ()
    same: int = 0
    refused: str = ""

    @property
    def wrong(self) -> bool:
        return bool(self.refused) or any(line.wrong for line in self.lines)

    @property
    def wishes(self) -> list[Trace]:
        return [line.wish for line in self.lines]

    @property
    def mark(self) -> str:
        """Names exactly these changes, so that what is carried out is what somebody looked at."""
        return shelf.mark({"plan": [each.as_json() for each in self.wishes]})


def plan(text: str) -> Plan:
    """What a sheet would change, in a number of questions that does not grow with its rows."""
    if len(text) > LONGEST:
        return Plan(refused=f"The file has more than {LONGEST:,} characters. Bring it in parts.")
    try:
        read = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff").replace("\0", ""))))
    except csv.Error as error:
        return Plan(refused=f"The file is not CSV: {error}.")
    if not read or "uid" not in read[0] or not set(CHANGES) & set(read[0]):
        return Plan(
            refused="The first line must name the columns: uid, and at least one of " + ", ".join(CHANGES) + "."
        )
    if len(read) > MOST:
        return Plan(refused=f"The file has {len(read):,} rows; {MOST:,} can be read at once.")
    lines = _lines(read)
    told = tuple(line for line in lines if line.words or line.wrong)
    return Plan(told, len(lines) - len(told))


def _lines(read: Sequence[Mapping[str, str]]) -> list[Line]:
    held = _held(read)
    known = _known(read)
    lines, seen = [], set()
    for number, row in enumerate(read, 2):
        line = Line(number)
        found = held.get(_uid(row.get("uid")))
        if found is None:
            line.wrong.append(f"There is no artifact “{(row.get('uid') or '')[:40]}”.")
        elif found["pk"] in seen:
            line.wrong.append("This artifact stands in an earlier row already.")
        else:
            seen.add(found["pk"])
            line.title = found["title"]
            _read(line, found, row, known)
        lines.append(line)
    return lines


def _uid(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID((text or "").strip().lstrip("'"))
    except ValueError:
        return None


def _held(read: Sequence[Mapping[str, str]]) -> dict[uuid.UUID | None, dict[str, Any]]:
    """The artifacts that the rows name, as `shelf.stands` gives one."""
    uids = [uid for row in read if (uid := _uid(row.get("uid")))]
    found: list[dict[str, Any]] = []
    for some in (uids[at : at + 500] for at in range(0, len(uids), 500)):
        found += Artifact.objects.filter(uid__in=some).values("uid", "pk", *shelf.SETTINGS)
    by_pk = {row["pk"]: row for row in found}
    for relation in ("tags", "collections", "controls"):
        for row in found:
            row[relation] = []
        for link in traces.standing(relation, list(by_pk)):
            by_pk[link[0]][relation].append(link[1:])
    return {row["uid"]: row for row in found}


@dataclass(frozen=True)
class _Known:
    """What the cells of all rows may name, asked for once."""

    owners: Mapping[str, tuple[User | None, str]]
    collections: Mapping[str, Collection]
    controls: Mapping[str, Control]


def _known(read: Sequence[Mapping[str, str]]) -> _Known:
    owners = sorted({name for row in read if (name := _plain(row.get("owner")).strip())})
    slugs = {_plain(name).rpartition(" ")[0].casefold() for row in read for name in _names(row.get("controls"))}
    rows = Control.objects.select_related("framework").filter(framework__slug__in=slugs) if slugs else ()
    collections = Collection.objects.all() if "collections" in read[0] else ()
    return _Known(
        {name: references.owner(name) for name in owners[:MOST_OWNERS]},
        {row.name: row for row in collections},
        {f"{row.framework.slug} {row.ref}".casefold(): row for row in rows},
    )


def _plain(text: str | None) -> str:
    """A cell as it was before it was made harmless for spreadsheets."""
    said = (text or "").replace("\r\n", "\n")
    return said[1:] if said[:1] == "'" and said[1:] and csv_export.harmless(said[1:]) == said else said


def _names(text: str | None) -> list[str]:
    return [_plain(name) for name in references.parts(_plain(text))]


def _read(line: Line, found: Mapping[str, Any], row: Mapping[str, str], known: _Known) -> None:
    """What one row would change of an artifact that stands as `found` says."""
    cells = {name: row[name] for name in CHANGES if row.get(name) is not None}
    fields: dict[str, Any] = {}
    for name, cell in cells.items():
        value, wrong = _READERS[name](cell, known)
        line.wrong += wrong
        fields |= {} if wrong else {name: value}
    line.wish = shelf.wish(found["pk"], found, fields)
    changed = {column.removesuffix("_id"): after for _, column, _, after in line.wish.settings}
    for name, cell in cells.items():
        came, went = line.wish.added.get(name, ()), line.wish.removed.get(name, ())
        if name in changed or came or went:
            line.words.append(f"{name.replace('_', ' ')}: {_shown(cell)}")


def _shown(cell: str) -> str:
    said = " ".join(_plain(cell).split())
    return (said[:120] + "…" if len(said) > 120 else said) or "nothing"


Read = tuple[Any, list[str]]  # a cell's value, and what is wrong with it


def _title(cell: str, known: _Known) -> Read:
    said = " ".join(_plain(cell).split())
    if not said:
        return None, ["A title is missing."]
    return said, [] if len(said) <= 200 else ["A title has 200 characters at most."]


def _owner(cell: str, known: _Known) -> Read:
    said = _plain(cell).strip()
    person, wrong = known.owners.get(said, (None, "An owner is missing."))
    return person, [wrong] if wrong else []


def _tags(cell: str, known: _Known) -> Read:
    names = shelf.tags_in(",".join(_names(cell)))
    wrong = shelf.wrong_tags(names)
    return names, [wrong] if wrong else []


def _collections(cell: str, known: _Known) -> Read:
    names = _names(cell)
    wrong = [f"There is no collection “{name}”." for name in names if name not in known.collections]
    return [known.collections[name] for name in names if name in known.collections], wrong


def _controls(cell: str, known: _Known) -> Read:
    names = _names(cell)
    wrong = [f"There is no control “{name}”." for name in names if name.casefold() not in known.controls]
    return [known.controls[name.casefold()] for name in names if name.casefold() in known.controls], wrong


def _notes(cell: str, known: _Known) -> Read:
    said = _plain(cell)
    return said, [] if len(said) <= LONGEST_NOTES else [f"Notes have {LONGEST_NOTES:,} characters at most."]


def _valid_days(cell: str, known: _Known) -> Read:
    said = _plain(cell).strip()
    if not said:
        return None, []
    fits = said.isascii() and said.isdigit() and len(said) < 5 and 1 <= int(said) <= reviewing.LONGEST_VALID
    return int(said) if fits else None, [] if fits else [
        f"Valid days are a number from 1 to {reviewing.LONGEST_VALID}."
    ]


_READERS: dict[str, Callable[[str, _Known], Read]] = {
    "title": _title,
    "owner": _owner,
    "tags": _tags,
    "collections": _collections,
    "controls": _controls,
    "notes": _notes,
    "valid_days": _valid_days,
}
