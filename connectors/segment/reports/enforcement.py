"""Enforcement: what a source does with what its tracking plan does not foresee.

What was not read is unknown: Segment's own defaults are never put in its place.
"""

from collections.abc import Iterator, Mapping

from ...spec import Cell, Column, Json, Record, Row, State
from . import fields
from .inventory import PLANS, Inventory

SETTINGS = "source_settings"
COLUMNS = (
    Column("source", "Source", filter=True),
    Column("source_id", "Source id", "id"),
    Column("plan", "Tracking plan", filter=True),
    Column("call", "Call", filter=True),
    Column("events", "Events not in the plan", filter=True),
    Column("properties", "Properties or traits not in the plan", filter=True),
    Column("violations", "What breaks a rule", filter=True),
    Column("violating_events", "Events that break a rule", filter=True),
    Column("violating_properties", "Properties or traits that break a rule", filter=True),
    Column("violations_to", "Violations forwarded to"),
    Column("blocked_to", "Blocked events forwarded to"),
)
# Call -> the settings about: unknown events, unknown properties, events and properties that break a rule.
CALLS = {
    "track": (
        "allowUnplannedEvents",
        "allowUnplannedEventProperties",
        "allowEventOnViolations",
        "allowPropertiesOnViolations",
    ),
    "identify": ("", "allowUnplannedTraits", "", "allowTraitsOnViolations"),
    "group": ("", "allowUnplannedTraits", "", "allowTraitsOnViolations"),
}
FORWARDS = ("forwardingViolationsTo", "forwardingBlockedEventsTo")
COMMON = {"ALLOW": "Allowed", "BLOCK": "Blocked", "OMIT_PROPERTIES": "Omitted", "OMIT_TRAITS": "Omitted"}
UNSURE = "Of some sources it is not known what they do."
NOT_ABOUT = State("na", "Not applicable", "Segment has this setting for track calls only.")
NOT_ASKED = State("na", "No plan", "These settings matter only to a source that follows a tracking plan.")
NOTES = (
    "“Allowed” passes, “Blocked” stops the event, “Omitted” passes the event without it. A setting that Segment's "
    "answer does not hold is unknown: no default is put in its place.",
    "Omitting works for events that pass Segment's servers; destinations in device mode receive them as they are sent.",
)


def rows(inventory: Inventory) -> Iterator[Row]:
    """Of every source that follows a plan a row for each kind of call; where there is no answer, all is unknown."""
    known = {
        (fields.identity(record, "sourceId"), fields.identity(record, "trackingPlanId")): record
        for record in inventory.view.records(SETTINGS)
    }
    linked = ((source, plan) for source, plans in inventory.plans_of_source.items() for plan in plans)
    pairs = dict.fromkeys((*known, *linked))
    names = inventory.source_names
    for source, plan in sorted(pairs, key=lambda pair: (names.get(pair[0], pair[0]).casefold(), *pair)):
        yield from _of(inventory, source, plan, known.get((source, plan)))


def _of(inventory: Inventory, source: str, plan: str, record: Record | None) -> Iterator[Row]:
    missing = inventory.unknown(SETTINGS) or fields.NOT_SAID
    settings = None if record is None else fields.at(record, "settings")
    for call in CALLS:
        yield (
            inventory.source(source),
            source or None,
            inventory.plan_names.get(plan, plan) or None,
            call.capitalize(),
            *((missing,) * 5 if settings is None else _call(settings, call)),
            *(_forwarded(inventory, settings, name, missing) for name in FORWARDS),
        )


def _call(settings: Json, call: str) -> Row:
    held = fields.at(settings, call)
    events, properties, violating_events, violating_properties = CALLS[call]
    return (
        _allowed(held, events, "Blocked"),
        _allowed(held, properties, "Omitted"),
        _common(fields.at(held, "commonEventOnViolations")),
        _allowed(held, violating_events, "Blocked"),
        _allowed(held, violating_properties, "Omitted"),
    )


def _allowed(held: Json, name: str, otherwise: str) -> Cell:
    if not name:
        return NOT_ABOUT
    said = fields.flag(fields.at(held, name))
    if isinstance(said, bool):
        return "Allowed" if said else otherwise
    return fields.NOT_SAID if said is None else said


def _common(value: Json) -> Cell:
    said = fields.text(value)
    return fields.NOT_SAID if said is None else COMMON.get(said, said) if isinstance(said, str) else said


def _forwarded(inventory: Inventory, settings: Json, name: str, missing: State) -> Cell:
    if settings is None:
        return missing
    said = fields.text(fields.at(settings, name))
    return inventory.source(said) if isinstance(said, str) else said


# --- one cell of the source register ------------------------------------------------------------


def summaries(inventory: Inventory) -> Mapping[str, Cell]:
    """Source id -> what it does with the unforeseen, in a few words, for every source whose settings were read."""
    return {fields.identity(each, "sourceId"): _summary(each) for each in inventory.view.records(SETTINGS)}


def summary(inventory: Inventory, known: Mapping[str, Cell], source: str) -> Cell:
    if source in known:
        return known[source]
    if inventory.plans_of_source.get(source):
        return inventory.unknown(SETTINGS) or fields.NOT_SAID
    return inventory.unknown(*PLANS) or NOT_ASKED


def _summary(record: Record) -> Cell:
    settings = fields.at(record, "settings")
    if settings is None or fields.unreadable(settings):
        return fields.NOT_SAID if settings is None else fields.UNREADABLE_CELL
    events, properties, violations, *_ = _call(settings, "track")
    traits = _call(settings, "identify")[1]
    told = {"Events": events, "Properties": properties, "Traits": traits, "Violations": violations}
    return tuple(f"{what}: {_word(said)}" for what, said in told.items())


def _word(cell: Cell) -> str:
    return (cell.word if isinstance(cell, State) else str(cell)).lower()


def open_sources(inventory: Inventory) -> Cell:
    """How many sources let events pass which their plan does not know; a lower bound where of some nobody knows."""
    said = {
        fields.identity(each, "sourceId"): fields.at(each, "settings", "track", "allowUnplannedEvents")
        for each in inventory.view.records(SETTINGS)
    }
    sure = all(isinstance(said.get(source), bool) for source in {*said, *inventory.plans_of_source})
    return fields.at_least(sum(each is True for each in said.values()), sure, UNSURE)
