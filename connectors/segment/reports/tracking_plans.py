"""Tracking plans and rules: what may be collected, plan by plan and event by event."""

from collections.abc import Iterator, Mapping

from ...spec import Cell, Column, Record, Report, ReportSpec, Row, View
from . import enforcement, fields, schema
from .enforcement import SETTINGS
from .inventory import PLANS, Inventory

RULES = "tracking_plan_rules"
PLAN_COLUMNS = (
    Column("name", "Name"),
    Column("id", "Id", "id", record="tracking_plans"),
    Column("type", "Type", filter=True),
    Column("description", "Description"),
    Column("rules", "Rules", "number"),
    Column("sources", "Connected sources", "list"),
    Column("created", "Created", "time"),
    Column("updated", "Updated", "time"),
)
RULE_COLUMNS = (
    Column("plan", "Tracking plan", filter=True),
    Column("plan_id", "Plan id", "id"),
    Column("type", "Type", filter=True),
    Column("event", "Event"),
    Column("version", "Version", "number"),
    Column("properties", "Properties", "list"),
    Column("required", "Required properties", "number"),
    Column("forms", "Types and formats", "list"),
    Column("description", "Description"),
    Column("created", "Created", "time"),
    Column("updated", "Updated", "time"),
    Column("deprecated", "Deprecated", "time"),
)
NOTES = (
    "The API does not list violations: a rule says what may be sent, not what was sent.",
    "Segment rewrites rules when it stores them, so a rule may read differently from how its author wrote it.",
    *enforcement.NOTES,
)


def build(view: View, only: Mapping[str, str]) -> Report:
    inventory = Inventory(view)
    plan = only.get("plan_id", "")
    plans = inventory.table(
        "plans",
        "Tracking plans",
        PLAN_COLUMNS,
        lambda: (_plan(inventory, plan) for plan in inventory.plans),
        "tracking_plans",
    )
    rules = inventory.table(
        "rules",
        "Rules",
        RULE_COLUMNS,
        lambda: _rules(inventory, plan),
        RULES,
        partition="plan_id",
    )
    enforced = inventory.table(
        "enforcement",
        "What plans do not foresee",
        enforcement.COLUMNS,
        lambda: enforcement.rows(inventory),
        SETTINGS,
        *PLANS,
    )
    return Report((plans, rules, enforced), _facts(inventory), notes=NOTES)


def _plan(inventory: Inventory, plan: Record) -> Row:
    id_ = fields.identity(plan)
    sources = fields.named(inventory.sources_of_plan.get(id_, ()), inventory.source_names)
    return (
        fields.name_of(plan),
        id_,
        fields.text(fields.at(plan, "type")),
        fields.text(fields.at(plan, "description")),
        inventory.unknown(RULES) or inventory.view.count(RULES, id_),
        sources or inventory.unknown("tracking_plan_sources") or (),
        fields.text(fields.at(plan, "createdAt")),
        fields.text(fields.at(plan, "updatedAt")),
    )


def _rules(inventory: Inventory, plan: str) -> Iterator[Row]:
    """In the order of plan id, type and event, one by one: sorting by name would mean holding them all."""
    return (_rule(inventory, rule) for rule in inventory.view.records(RULES, plan))


def _rule(inventory: Inventory, rule: Record) -> Row:
    plan = fields.identity(rule, "trackingPlanId")
    properties, required, forms = _allowed(rule)
    return (
        inventory.plan_names.get(plan, plan),
        plan,
        fields.text(fields.at(rule, "type")),
        fields.text(fields.at(rule, "key")),
        fields.number(fields.at(rule, "version")),
        properties,
        required,
        forms,
        schema.description(fields.at(rule, "jsonSchema")),
        fields.text(fields.at(rule, "createdAt")),
        fields.text(fields.at(rule, "updatedAt")),
        fields.text(fields.at(rule, "deprecatedAt")),
    )


def _allowed(rule: Record) -> tuple[Cell, Cell, Cell]:
    said = fields.at(rule, "jsonSchema")
    found = None if fields.unreadable(said) else schema.allowed(said)
    if found is None:
        missing = fields.NOT_SAID if said is None else fields.UNREADABLE_CELL
        return missing, missing, missing
    return found.properties, found.required, found.forms


def _facts(inventory: Inventory) -> tuple[tuple[str, Cell], ...]:
    live = sum(fields.at(plan, "type") == "LIVE" for plan in inventory.plans)
    followed = sum(bool(inventory.sources_of_plan.get(fields.identity(plan))) for plan in inventory.plans)
    return (
        ("Tracking plans", inventory.total("tracking_plans")),
        ("Of type LIVE", inventory.tally(live, "tracking_plans")),
        ("With connected sources", inventory.tally(followed, "tracking_plans", "tracking_plan_sources")),
        ("Rules", inventory.total(RULES)),
        (
            "Sources that let unplanned events pass",
            inventory.tally(enforcement.open_sources(inventory), SETTINGS, PLANS[1]),
        ),
    )


SPEC = ReportSpec(
    name="tracking-plans",
    title="Tracking plans and rules",
    question="What may be collected, by plan and event, which sources follow each plan, and what becomes of the rest?",
    streams=("tracking_plans", RULES, "tracking_plan_sources", SETTINGS, "sources"),
    build=build,
    supports=(
        "soc2 PI1.1",
        "soc2 PI1.2",
        "soc2 P3.1",
        "soc2 P3.2",
        "soc2 C1.1",
        "iso27001 A.5.12",
        "iso27001 A.5.34",
        "iso27001 A.8.9",
        "gdpr 5",
        "gdpr 9",
        "gdpr 25",
        "ccpa 1798.100",
        "ccpa 1798.121",
        "nist-csf ID.AM-07",
        "nist-csf PR.PS-01",
    ),
)
