"""F6-F10: answers that are cut short, are something else, or hold what a parser may stumble over."""

from collections.abc import Callable
from typing import Any

from connectors import locker
from connectors.models import Receipt, RunStream, SyncRun
from connectors.segment.simulator import Fault
from connectors.spec import UNREADABLE

from .proofs import others
from .row import PAGED, Proof, Row, kept, told
from .stage import Stage, picture

AT = "^/destinations$"
RULES = "^/tracking-plans/[^/]+/rules$"
HTML = "The service answered with a web page instead of data."
NOT_JSON = "The service's answer cannot be read: it is not JSON."
TWO_WAYS = "The service's answer can be read in two ways: "
Records = dict[str, Any]


def always(kind: str, path: str = AT, **options: Any) -> tuple[Fault]:
    return (Fault(path, kind, times=None, **options),)


def _asked(times: int) -> Callable[[Stage, SyncRun], None]:
    def check(stage: Stage, run: SyncRun) -> None:
        assert Receipt.objects.filter(run=run, path="/destinations").count() == times

    return check


def passing(fault: str, kind: str, says: str) -> list[Row]:
    """What may be over when it is asked for again: six tries."""
    return [
        Row(fault=fault, name=f"{kind} once", faults=(Fault(AT, kind),), struck=("destinations",), also=_asked(2)),
        kept(
            fault, f"{kind} for ever", "failed", says, faults=always(kind), also=_asked(6), besides="Asked six times."
        ),
    ]


def lasting(fault: str, kind: str, says: str) -> list[Row]:
    """What a service does not say by accident: asked once, not believed."""
    return [
        kept(fault, f"{kind} once", "failed", says, faults=(Fault(AT, kind),), streams=PAGED, also=_asked(1)),
        kept(fault, f"{kind} for ever", "failed", says, faults=always(kind), streams=PAGED, also=_asked(1)),
    ]


# --- F10 ---------------------------------------------------------------------------------------------


def first(stage: Stage) -> str:
    """The key of the record that a fault strikes: the first of the listing."""
    found: str = stage.simulator.api.world().destinations[0]["id"]
    return found


def named(value: Any) -> Callable[[Stage, Records], Records]:
    """The first record has this name; nothing else differs."""

    def truth(stage: Stage, clean: Records) -> Records:
        return clean | {first(stage): {**clean[first(stage)], "name": value}}

    return truth


def keyed(key: str, value: Any) -> Callable[[Stage, Records], Records]:
    """The first record has this id and stands under this key; nothing else differs."""

    def truth(stage: Stage, clean: Records) -> Records:
        others = {name: record for name, record in clean.items() if name != first(stage)}
        return others | {key: {**clean[first(stage)], "id": value}}

    return truth


def _noticed(kind: str, name: str, stream: str = "destinations") -> Callable[[Stage, SyncRun], None]:
    def check(stage: Stage, run: SyncRun) -> None:
        assert RunStream.objects.get(run=run, stream=stream).changed_api[kind][name] == 1

    return check


def field(name: str, kind: str, rule: str, at: str = "name") -> Row:
    says = f"{TWO_WAYS}{rule}."
    return kept("F10", name, "failed", says, faults=always(kind, value=at), streams=PAGED, also=_asked(1))


def nested(levels: int) -> Any:
    found: Any = []
    for _ in range(levels - 1):
        found = [found]
    return found


def _with_schema(schema: Any) -> Callable[[Stage, Records], Records]:
    """The first rule of each plan has this JSON Schema."""

    def truth(stage: Stage, clean: Records) -> Records:
        return clean | {key: {**clean[key], "jsonSchema": schema} for key in _first_rules(stage)}

    return truth


def _first_rules(stage: Stage) -> set[str]:
    from connectors import records, registry
    from tests.simulating import ask

    stream, keys = registry.get("segment").stream("tracking_plan_rules"), set()
    faults, stage.simulator.faults[:] = list(stage.simulator.faults), []
    for plan in stage.simulator.api.world().plans:
        answer = ask(stage.simulator, f"/tracking-plans/{plan['id']}/rules", params={"pagination[count]": "1"})
        rule = answer.json()["data"]["rules"][0]
        keys.add(records.key_of(stream, {**rule, "trackingPlanId": plan["id"]}))
    stage.simulator.faults[:] = faults
    return keys


def _new_word(stage: Stage, clean: Records) -> Records:
    """The first constant of the first record is a word that nobody has heard of."""
    now = dict(zip(sorted(clean), locker.records(stage.snapshot().workspace_id, 2, "destinations"), strict=True))
    key = first(stage)
    assert now[key] != clean[key]
    assert str(now[key]).replace("BRAND_NEW_WORD", "PUBLIC") == str(clean[key])
    return clean | {key: now[key]}


def _asked_by_half(stage: Stage, run: SyncRun) -> None:
    key, coverage = "broken %ED%A0%80 half", locker.coverage_of(run.snapshot)
    assert key in dict(locker.state(run.snapshot.workspace_id, 2, "tracking_plans").values_list("key", "seq"))
    assert coverage["tracking_plans"]["coverage"] == "complete"
    assert list(coverage["tracking_plan_rules"]["parts"]) == [key]
    others(stage, picture(run.snapshot), ("tracking_plans", "tracking_plan_rules"))


LONG = "x" * 10_000_000
DEEPEST = 254
ROUND = DEEPEST - 4  # what is left when the body, its data, its list and the rule are taken off

F10 = [
    Row(
        fault="F10",
        name="unknown fields in a record and beside the list",
        faults=always("unknown_field"),
        struck=("destinations",),
        says="Fields that are new here, and were left out surprise 1×",
        also=_noticed("unknown", "surprise"),
        besides="They are counted by name and cost nothing.",
    ),
    told(
        "F10", "a word that is not among the documented ones",
        "Fields that hold a word which is not documented metadata.status 1×",
        _new_word, faults=always("new_enum"), also=_noticed("words", "metadata.status"),
        besides="It is kept, counted by the field's name, and costs nothing.",
    ),
    told(
        "F10", "an object where a text should be",
        "Fields of another type than documented, of which only the type is kept name 1×",
        named({UNREADABLE: "dict"}), faults=always("wrong_type"), also=_noticed("wrong", "name"),
        besides="A marker stands for it, which names its type.",
    ),
    told("F10", "null in a field", "Snapshot 2", named(None), faults=always("null")),
    told("F10", "2^63 in a field", "Snapshot 2", named(2**63), faults=always("int_2_63")),
    told("F10", "an integer of 40 digits in a field", "Snapshot 2", named(int("9" * 40)), faults=always("huge_int")),
    told(
        "F10", "half a surrogate pair in a field", "Snapshot 2", named("broken \ud800 half"),
        faults=always("lone_surrogate"),
    ),
    told("F10", "a text of 10 MB in a field", "Snapshot 2", named(LONG), faults=always("long_string"), streams=PAGED),
    field("1e400 in a field", "huge_float", "a number is beyond what a double can hold"),
    field("NaN in a field", "nan", "a number is not finite"),
    field("a key that stands twice", "duplicate_key", "an object has the same key twice"),
    field("10,000 levels in a field", "deep", "it is nested deeper than 254 levels"),
    field("1e400 in the id", "huge_float", "a number is beyond what a double can hold", "id"),
    field("NaN in the id", "nan", "a number is not finite", "id"),
    field("the id stands twice", "duplicate_key", "an object has the same key twice", "id"),
    field("10,000 levels in the id", "deep", "it is nested deeper than 254 levels", "id"),
    field("a key that stands twice, in an object of a record", "duplicate_key", "an object has the same key twice",
          "metadata.name"),
    kept(
        "F10", "null in the id", "failed", "A record of Destinations has no usable “id”.",
        faults=always("null", value="id"), streams=PAGED,
    ),
    kept(
        "F10", "an object in the id", "failed", "A record of Destinations has no usable “id”.",
        faults=always("wrong_type", value="id"), streams=PAGED,
    ),
    told("F10", "2^63 in the id", "Snapshot 2", keyed(str(2**63), 2**63), faults=always("int_2_63", value="id")),
    told(
        "F10", "half a surrogate pair in the id", "Snapshot 2",
        keyed("broken %ED%A0%80 half", "broken \ud800 half"),
        faults=always("lone_surrogate", value="id"),
    ),
    kept(
        "F10", "an object in the id of a plan, which others are asked by", "failed",
        "A record of Tracking plans has no usable “id”.", faults=always("wrong_type", "^/tracking-plans$", value="id"),
        struck=("tracking_plans", "tracking_plan_rules"),
    ),
    Row(
        fault="F10", name="half a surrogate pair in the id of a plan, which others are asked by", ends="published",
        faults=always("lone_surrogate", "^/tracking-plans$", value="id"), proof=Proof.OWN, also=_asked_by_half,
        struck=("tracking_plans", "tracking_plan_rules"), says="The service knows nothing at this address (404).",
        besides="The plan is published with that id; of its rules it is said that they were not found.",
    ),
    told(
        "F10", "254 levels in all", "Snapshot 2", _with_schema(nested(ROUND)),
        faults=always("set", RULES, value={"jsonSchema": nested(ROUND)}), struck=("tracking_plan_rules",),
        streams=("tracking_plans", "tracking_plan_rules"),
    ),
    kept(
        "F10", "255 levels in all", "failed", f"{TWO_WAYS}it is nested deeper than 254 levels.",
        faults=always("set", RULES, value={"jsonSchema": nested(ROUND + 1)}), struck=("tracking_plan_rules",),
        streams=("tracking_plans", "tracking_plan_rules"),
    ),
]  # fmt: skip

ROWS = [
    *passing("F6", "short_body", "The connection broke in the middle of an answer."),
    *passing("F7", "cut_json", NOT_JSON),
    *passing("F7", "empty_body", NOT_JSON),
    *passing("F7", "not_json", NOT_JSON),
    *passing("F8", "html", HTML),
    *lasting("F9", "data_missing", "Segment's answer has no “data” object."),
    *lasting("F9", "data_null", "Segment's answer has no “data” object."),
    *lasting("F9", "data_wrong", "Segment's answer has no “data” object."),
    *lasting("F9", "items_missing", "An answer for Destinations has no list “destinations”."),
    *lasting("F9", "items_null", "An answer for Destinations has no list “destinations”."),
    *lasting("F9", "items_wrong", "An answer for Destinations has no list “destinations”."),
    *lasting("F10", "deep_body", f"{TWO_WAYS}it is nested deeper than 254 levels."),
    *F10,
]
