"""F11-F16 and F21-F23: listings that lead in circles, move under our eyes, lie, or lose what they had."""

from typing import Any

from connectors.models import Anomaly, Receipt, SyncRun
from connectors.segment.simulator import Fault

from .row import IN_PAGES, PAGED, Proof, Row, kept, told
from .stage import AGAIN, Stage, picture

AT = "^/destinations$"
PLANS = ("tracking_plans", "tracking_plan_rules", "roles")
TOO_MANY = "The listing has more pages than its own total allows."
TWICE = "The same record came twice in one listing."
MOVED = "The total changed while the listing was read."
Records = dict[str, Any]


def readings(number: int, path: str = "/destinations") -> Any:
    """How many times the listing was begun."""

    def check(stage: Stage, run: SyncRun) -> None:
        first = Receipt.objects.filter(run=run, path=path).exclude(query__contains="cursor")
        assert first.count() == number

    return check


def moving(fault: str, name: str, kind: str, says: str, **options: Any) -> list[Row]:
    """Struck in its first reading alone; and in every reading."""
    once, ever = (
        (Fault(AT, kind, times=times, by_reading=True, **options),) for times in (1, None)
    )  # fmt: skip
    common: dict[str, Any] = {"streams": PAGED, "options": IN_PAGES}
    return [
        Row(
            fault=fault, name=f"{name}, once", faults=once, struck=("destinations",), also=readings(2), **common,
            besides="It was read a second time.",
        ),
        kept(
            fault, f"{name}, always", "unstable", says, faults=ever, also=readings(3), **common,
            besides="It was read three times.",
        ),
    ]  # fmt: skip


def _first(stage: Stage) -> str:
    found: str = stage.simulator.api.world().destinations[0]["id"]
    return found


def _without_first(stage: Stage, clean: Records) -> Records:
    return {key: record for key, record in clean.items() if key != _first(stage)}


def _with_new(stage: Stage, clean: Records) -> Records:
    new = _first(stage)[:-3] + "New"
    return clean | {new: {**clean[_first(stage)], "id": new}}


def _half(stage: Stage, clean: Records) -> Records:
    listed = [item["id"] for item in stage.simulator.api.world().destinations]
    return {key: clean[key] for key in listed[: len(listed) // 2]}


def _odd(kind: str) -> Any:
    def check(stage: Stage, run: SyncRun) -> None:
        [found] = Anomaly.objects.filter(snapshot=run.snapshot)
        assert (found.kind, found.stream) == (kind, "destinations")
        readings(2)(stage, run)

    return check


def _waited(stage: Stage, run: SyncRun) -> None:
    assert run.finished_at is not None
    assert (run.finished_at - run.queued_at).total_seconds() > AGAIN - 1
    readings(2)(stage, run)


def _plan(stage: Stage, at: int = 0) -> str:
    found: str = stage.simulator.api.world().plans[at]["id"]
    return found


def _plan_deleted(stage: Stage) -> SyncRun:
    """The plan is listed; its rules are not found; then it is not listed any more."""
    return stage.play(Fault("^/tracking-plans(/|$)", "parent_gone", times=None, value=_plan(stage, 1)))


def _gone_everywhere(stage: Stage, run: SyncRun) -> None:
    gone, found = _plan(stage, 1), picture(run.snapshot)
    clean = stage.clean.state
    assert found.state == {
        (stream, key): sha256
        for (stream, key), sha256 in clean.items()
        if not (stream in PLANS and (key == gone or key.startswith(gone + "/")))
    }
    assert {found.coverage[name]["coverage"] for name in PLANS} == {"complete"}


def _not_found_though_listed(stage: Stage) -> SyncRun:
    return stage.play(Fault(f"^/tracking-plans/{_plan(stage, 1)}/rules$", "status", times=None, status=404))


def _without_plan(stage: Stage, clean: Records) -> Records:
    return {key: record for key, record in clean.items() if key != _plan(stage, 1)}


def _pointing_nowhere(stage: Stage, clean: Records) -> Records:
    return clean | {_first(stage): {**clean[_first(stage)], "sourceId": "nothingHasThisId000000"}}


def _both_twice(stage: Stage, run: SyncRun) -> None:
    for path in ("/sources", "/destinations"):
        readings(2, path)(stage, run)


def _points_nowhere(stage: Stage, run: SyncRun) -> None:
    _both_twice(stage, run)
    [found] = Anomaly.objects.filter(snapshot=run.snapshot)
    assert (found.kind, found.stream) == ("dangling", "destinations")


def _log_of_before(stage: Stage, run: SyncRun) -> None:
    known = {key for stream, key in stage.base.state if stream == "audit_events"}
    now = {key for stream, key in picture(run.snapshot).state if stream == "audit_events"}
    assert known <= now


PAGES: dict[str, Any] = {"streams": PAGED, "options": IN_PAGES}

ROWS = [
    *moving("F11", "the cursor leads back to its own page (A, A)", "cursor_loop", TWICE),
    *moving("F12", "the cursors lead in a circle (A, B, A)", "cursor_cycle", TWICE),
    *moving("F12", "empty pages without end after the last one", "endless", TOO_MANY),
    kept(
        "F12", "empty pages without end in a listing that announces no total", "unstable",
        "The listing goes on with pages that hold nothing.",
        faults=(Fault("^/suppressions$", "endless", times=100),), struck=("suppressions",),
        streams=("suppressions", "roles"),
    ),
    Row(
        fault="F13", name="the cursor has expired, once", faults=(Fault(AT, "cursor_expired", after=1),),
        struck=("destinations",), also=readings(2), besides="It was read again from its first page.", **PAGES,
    ),
    kept(
        "F13", "the cursor has always expired", "failed", "The service says that the request is not valid (422).",
        faults=(Fault(AT, "cursor_expired", times=None),), also=readings(3),
        besides="It was read three times from its first page.", **PAGES,
    ),
    *moving("F14", "an item comes again on the next page", "duplicate_item", TWICE),
    *moving("F15", "an item is deleted between two pages, so that the next page skips one", "shift", MOVED),
    told(
        "F15", "an item is deleted after the first page, and stays away", "Snapshot 2", _without_first,
        faults=(Fault(AT, "removed", times=None, after=1),), also=readings(2), besides="It was read a second time.",
        **PAGES,
    ),
    told(
        "F15", "an item is added after the first page, and stays", "Snapshot 2", _with_new,
        faults=(Fault(AT, "added", times=None, after=1),), also=readings(2), besides="It was read a second time.",
        **PAGES,
    ),
    Row(
        fault="F15", name="the order changes between two pages",
        faults=(Fault(AT, "reordered", times=1, after=1),), struck=("destinations",), also=readings(2),
        besides="It was read a second time.", **PAGES,
    ),
    *moving("F16", "the total is seven too high", "lying_total", "40 records came, 47 were announced."),
    *moving("F16", "the total is 0", "lying_total", "40 records came, 0 were announced.", value=0)[1:],
    *moving("F16", "the total is negative", "lying_total", "40 records came, -1 were announced.", value=-1)[1:],
    Row(
        fault="F16", name="the total is a text", struck=("destinations",),
        faults=(Fault(AT, "lying_total", times=None, value="many"),), says="Snapshot 2",
        also=None, besides="A total that is no number is as good as none.", proof=Proof.TOLD,
        truth=lambda stage, clean: clean,
    ),
    Row(
        fault="F21", name="the list is empty, once", faults=(Fault(AT, "empty", by_reading=True),),
        struck=("destinations",), also=_waited, besides="It was read a second time, a minute later.",
    ),
    told(
        "F21", "the list is empty, always", "It had records before and has none now; it was read twice.",
        lambda stage, clean: {}, faults=(Fault(AT, "empty", times=None),), also=_odd("emptied"),
        besides="The anomaly “emptied” is on record.",
    ),
    Row(
        fault="F21", name="a log is empty", faults=(Fault("^/audit-events$", "empty", times=None),),
        streams=("audit_events", "roles"), struck=("audit_events",), proof=Proof.TOLD,
        truth=lambda stage, clean: _log(stage), also=_log_of_before,
        besides="What a log does not list any more stays known.",
    ),
    Row(
        fault="F22", name="half of the list is gone, once", faults=(Fault(AT, "half", by_reading=True),),
        struck=("destinations",), also=_waited, besides="It was read a second time, a minute later.",
    ),
    told(
        "F22", "half of the list is gone, always", "More than 30 % of its records are gone; it was read twice.", _half,
        faults=(Fault(AT, "half", times=None),), also=_odd("shrunk"), besides="The anomaly “shrunk” is on record.",
    ),
    Row(
        fault="F23", name="a plan is deleted while its rules are read", streams=PLANS, act=_plan_deleted,
        struck=("tracking_plans", "tracking_plan_rules"), proof=Proof.OWN, also=_gone_everywhere,
        besides="The plan and its rules are gone, everything else is that of a clean run.",
    ),
    kept(
        "F23", "the rules of a plan are not found, though it is listed again", "not_enabled",
        "The service knows nothing at this address (404).", streams=PLANS, act=_not_found_though_listed,
        struck=("tracking_plan_rules",), proof=Proof.PART, part=lambda stage: _plan(stage, 1), ends="published",
    ),
    Row(
        fault="F23", name="a record refers to one that no listing has, once", struck=("destinations",),
        faults=(Fault(AT, "dangling"),), also=_both_twice, besides="Both listings were read a second time.",
    ),
    told(
        "F23", "a record refers to one that no listing has, always", "Records refer to others that no listing has",
        _pointing_nowhere, faults=(Fault(AT, "dangling", times=None),), also=_points_nowhere,
        besides="Both listings were read a second time; the anomaly “dangling” is on record.",
    ),
]  # fmt: skip


def _log(stage: Stage) -> Records:
    from connectors import locker

    keys = sorted(key for stream, key in stage.base.state if stream == "audit_events")
    assert keys == sorted(key for stream, key in picture(stage.snapshot()).state if stream == "audit_events")
    workspace = stage.snapshot().workspace_id
    return dict(zip(keys, locker.records(workspace, 1, "audit_events"), strict=True))
