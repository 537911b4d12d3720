"""A comparison of two snapshots as a document, which every export takes."""

from collections.abc import Iterator

from connectors.spec import Cell, Column, Report, Row, Table

from . import changes, trail, unknown
from .changes import KIND_WORDS, Kind
from .comparison import Asked, Comparison
from .document import Document, Provenance, moment

COLUMNS = (
    Column("what", "What happened"),
    Column("kind", "Kind", filter=True),
    Column("stream", "Stream", filter=True),
    Column("record", "Record"),
    Column("fields", "Fields", "list"),
    Column("before", "Before", "list"),
    Column("after", "After", "list"),
    Column("snapshot", "Changed last in snapshot", "number"),
    Column("by", "By whom, inferred from the audit trail"),
    Column("key", "Key", "id"),
)
NOTES = (
    "What happened is told from the records of the two snapshots. Changes that were made and undone between them do "
    "not show.",
    "By whom is inferred: an event of the service's own audit trail about the same resource, between the two readings. "
    "An event does not say what was changed.",
    "Unknown is not “no change” and not “removed”: what was not read stands among what could not be seen.",
)


def document(comparison: Comparison, asked: Asked) -> Document:
    """All changes that are asked for. Raises `comparison.TooMany` when its rows are made."""
    older, newer = comparison.before, comparison.after
    table = Table("changes", "Changes", COLUMNS, lambda: _rows(comparison, asked))
    return Document(
        title="Changes",
        subtitle=f"Snapshot {older.snapshot} compared with snapshot {newer.snapshot}",
        provenance=newer,
        report=Report((table,), _facts(comparison, asked), notes=NOTES),
        name=f"changes-since-{older.snapshot}",
        gaps=(*_doubt_of(older, newer), *(each.sentence for each in unknown.shared(comparison.unknown))),
    )


def _doubt_of(older: Provenance, newer: Provenance) -> tuple[str, ...]:
    return (f"Snapshot {older.snapshot}: {older.doubt}",) if older.doubt and older.doubt != newer.doubt else ()


def _facts(comparison: Comparison, asked: Asked) -> tuple[tuple[str, Cell], ...]:
    facts: list[tuple[str, Cell]] = []
    for word, source in (("From", comparison.before), ("To", comparison.after)):
        facts.append((f"{word} snapshot", f"{source.snapshot}, {moment(source.published_at)}"))
        facts.append((f"{word} header digest", source.header_sha256))
        facts.append((f"{word} signed by key", source.key_id))
    facts += [
        (word, comparison.count(kind=kind))
        for kind, word in KIND_WORDS.items()
        if kind in ("added", "changed", "removed")
    ]
    if logs := comparison.count(logs=True):
        facts.append(("Entries of logs", logs))
    narrowed = _narrowed(comparison, asked)
    return (*facts, ("Narrowed to", narrowed)) if narrowed else tuple(facts)


def _narrowed(comparison: Comparison, asked: Asked) -> str:
    said = (
        ("stream", comparison.streams[asked.stream].title if asked.stream else ""),
        ("kind", asked.kind),
        ("words", asked.q),
        ("field", asked.field),
        ("without", "what is only written differently" if asked.plain else ""),
        ("without", "" if asked.logs or asked.stream else "entries of logs"),
    )
    return "; ".join(f"{name} {value}" for name, value in said if value)


def _rows(comparison: Comparison, asked: Asked) -> Iterator[Row]:
    people = trail.names(comparison)
    for line in comparison.lines(asked):
        told = line.told
        fields = told.differences if told.kind is Kind.CHANGED else ()  # whole records stand in the reports
        yield (
            told.sentence,
            KIND_WORDS[told.kind],
            line.stream.title,
            told.name or told.subject,
            tuple(each.path for each in fields),
            tuple(_said(each.path, each.before) for each in fields),
            tuple(_said(each.path, each.after) for each in fields),
            line.seq,
            people.of(line, comparison.connector.wording(line.stream.name).trail),
            line.key,
        )


def _said(path: str, value: object) -> str:
    text = changes.cell(value)
    return f"{path}: {'not present' if text is None else text}"
