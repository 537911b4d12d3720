"""Reading one record without trusting it: any field may be missing, and any value may be of another type.

A value that is missing is None. One that cannot be read is a state: it is there, and we cannot say what it is.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from ...spec import UNREADABLE, Cell, Json, Record, State

Words = tuple[str, ...]

UNREADABLE_CELL = State("unknown", "Unreadable", "Segment sent a value of a type that the portal does not expect.")
UNREADABLE_WORD = "(unreadable)"
NOT_SAID = State("unknown", "Unknown", "Segment does not say.")
DISABLED = State("off", "Disabled")
LEFT_OUT = State("off", "Left out", "Selective sync leaves it out.")
PARTLY = "Some of the figures that are added up are missing or unreadable."
LONGEST_COUNT = 30  # digits; a longer one is no count


def at(record: Json, *path: str) -> Json:
    """What stands in a record under these names, one inside the other; None when nothing does.

    An unreadable value on the way stands for everything inside it.
    """
    for name in path:
        if record is None or unreadable(record):
            return record
        record = record.get(name) if isinstance(record, Mapping) else {UNREADABLE: type(record).__name__}
    return record


def unreadable(value: Json) -> bool:
    return isinstance(value, Mapping) and value.keys() == {UNREADABLE}


def text(value: Json) -> str | State | None:
    """Text as it is; None also for text without a visible character."""
    if value is None or isinstance(value, str):
        return value if value and value.strip() else None
    return UNREADABLE_CELL if isinstance(value, (dict, list)) else str(value)


def word(value: Json, otherwise: str = "") -> str:
    """The same for places where only text can stand: `otherwise` for what is missing or unreadable."""
    found = text(value)
    return found if isinstance(found, str) else otherwise


def words(value: Json) -> Words | State | None:
    if value is None:
        return None
    return tuple(word(each, UNREADABLE_WORD) for each in value) if isinstance(value, list) else UNREADABLE_CELL


def flag(value: Json) -> bool | State | None:
    return value if value is None or isinstance(value, bool) else UNREADABLE_CELL


def number(value: Json) -> int | float | State | None:
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    return UNREADABLE_CELL


def whole(value: Json) -> int | State | None:
    """A count, which Segment writes as a number or, where it may be large, as a string of digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= LONGEST_COUNT:
        return int(value)
    return value if value is None or (isinstance(value, int) and not isinstance(value, bool)) else _whole(value)


def _whole(value: Json) -> int | State:
    return int(value) if isinstance(value, float) and value.is_integer() else UNREADABLE_CELL


def total(values: Iterable[Json]) -> int | State:
    """The sum of counts. What is missing or unreadable among them makes it a lower bound, and that is said."""
    held = [whole(value) for value in values]
    known = sum(each for each in held if isinstance(each, int))
    return at_least(known, all(isinstance(each, int) for each in held), PARTLY)


def at_least(known: int, sure: bool, why: str) -> int | State:
    """A number, or a lower bound with the reason why it is none but that."""
    return known if sure else State("unknown", f"At least {known:,}", why)


def moment(value: Json) -> datetime | None:
    """A time that Segment wrote, None when it is none; one without a zone is UTC, as all of Segment's are."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def days(start: datetime | None, end: datetime | None) -> int | None:
    """Whole days from one to the other; None when either is not known."""
    return None if start is None or end is None else max(0, (end - start) // timedelta(days=1))


def day(value: Json) -> str:
    """The day of a time that Segment wrote, "" when it is none."""
    return word(value)[:10] if moment(value) else ""


def many(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


def enabled(value: Json) -> str | State:
    """Settings are plain words; only what deserves a look is a state."""
    if isinstance(value, bool):
        return "Enabled" if value else DISABLED
    return NOT_SAID if value is None else UNREADABLE_CELL


def labels(value: Json) -> Words | State | None:
    """Labels as `key: value`."""
    if not isinstance(value, list):
        return None if value is None else UNREADABLE_CELL
    pairs = ((word(at(each, "key"), UNREADABLE_WORD), word(at(each, "value"))) for each in value)
    return tuple(sorted(f"{key}: {said}" if said else key for key, said in pairs))


def switched_on(value: Json) -> Words | State | None:
    """The names of the switches that are on, of an object of switches."""
    if not isinstance(value, dict) or unreadable(value):
        return None if value is None else UNREADABLE_CELL
    return tuple(sorted(name for name, on in value.items() if on is True))


def size(value: Json) -> int | State | None:
    """How many names there are, of a field of which only the names are kept."""
    if isinstance(value, list):
        return len(value)
    return None if value is None else UNREADABLE_CELL


def identity(record: Record, field: str = "id") -> str:
    return word(record.get(field))


def name_of(record: Record, *fields: str) -> str:
    """What a person calls it: the first of name, `fields`, slug and id that is there."""
    found = (word(record.get(field)) for field in ("name", *fields, "slug", "id"))
    return next(filter(None, found), UNREADABLE_WORD)


def in_order(records: Iterable[Record], *fields: str) -> tuple[Record, ...]:
    """By name, without regard to capitals, then by id: the order of every report."""
    return tuple(sorted(records, key=lambda record: (name_of(record, *fields).casefold(), identity(record))))


def by_name(ids: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Ids in the order of what they are called; one that has no name stands for itself."""
    return sorted(ids, key=lambda id_: (names.get(id_, id_).casefold(), id_))


def named(ids: Iterable[str], names: Mapping[str, str]) -> Words:
    return tuple(names.get(id_, id_) for id_ in by_name(ids, names))


def first(cell: Cell, otherwise: str) -> str:
    """The first word of a list, for a heading; `otherwise` when there is none."""
    return cell[0] if isinstance(cell, tuple) and cell else otherwise
