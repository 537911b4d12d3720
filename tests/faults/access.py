"""F17-F20: what the token may not read, features that are off, tokens that die or open another workspace."""

from functools import partial
from typing import Any

from connectors import credentials, runs
from connectors import sync as driver
from connectors.models import Connection, SyncRun
from connectors.segment.simulator import Fault

from .proofs import nothing
from .row import IN_PAGES, PAGED, Proof, Row, failed, kept
from .stage import Acting, Stage, picture

DENIED = "The token is not allowed to read this (403)."
REJECTED = "The service rejected the token (401)."
NOT_FOUND = "The service knows nothing at this address (404)."
ELSEWHERE = "The token now opens another workspace than the one that was connected."
REQUESTS = 12  # of a run over the few streams: the workspace, six lists, four more of rules, the workspace again
Streams = tuple[str, ...]


def always(path: str, status: int) -> Fault:
    return Fault(path, "status", times=None, status=status)


def one_plan(stage: Stage) -> str:
    found: str = stage.simulator.api.world().plans[2]["id"]
    return found


def _one_plan_refused(stage: Stage, status: int = 403) -> SyncRun:
    return stage.play(always(f"^/tracking-plans/{one_plan(stage)}/rules$", status))


def _granted_again(stage: Stage, *faults: Fault, plan: bool = False) -> SyncRun:
    """Refused, then granted: the second run knows everything."""
    first = _one_plan_refused(stage) if plan else stage.play(*faults)
    assert first.state == "partial"
    stage.look(first)
    return stage.play()


def _whole_again(stage: Stage, run: SyncRun) -> None:
    found = picture(run.snapshot)
    assert found.state == stage.clean.state
    assert {found.coverage[name]["as_of"] for name in stage.streams} == {3}
    assert not any("parts" in entry for entry in found.coverage.values())


def _swap(stage: Stage, token: str) -> None:
    """Somebody replaces the token of the connection."""
    row = Connection.objects.get(pk=stage.connection.pk)
    credentials.seal(row, row, stage.simulator.tokens[token])
    row.save(update_fields=["token", "token_hint", "token_fingerprint"])
    stage.connection.refresh_from_db(fields=["token_fingerprint"])


def _another_before(stage: Stage) -> SyncRun:
    _swap(stage, "other")
    return stage.sync()


def _another_in_mid_run(stage: Stage, token: str) -> SyncRun:
    stage.simulator.settings.latency_ms = 60  # so that the run lives long enough for a heartbeat
    run = stage.sync(Acting(lambda: len(stage.requests) > 2, lambda: _swap(stage, token)))
    stage.simulator.settings.latency_ms = 0
    return run


def _before_a_resumed_run(stage: Stage, token: str) -> SyncRun:
    """The token is replaced while the run waits: nothing that the old one read is put together with the new one's."""
    waiting = stage.play(Fault("^/destinations$", "status", status=429, retry_after="400"))
    assert waiting.state == "queued"
    _swap(stage, token)
    stage.clock.waited += 401
    assert runs.wake(stage.clock.now()) == [waiting.pk]
    asked = len(stage.requests)
    run = driver.perform(waiting.pk, clock=stage.clock)
    again = {entry.path for entry in stage.requests[asked:]}
    assert token == "other" or {"/sources", "/roles", "/labels"} <= again
    return run


def _error_is_noted(stage: Stage, run: SyncRun) -> None:
    assert Connection.objects.get(pk=stage.connection.pk).error_code == run.error_code
    nothing(stage, run)


def _as_known_before(stage: Stage, run: SyncRun) -> None:
    """A feature that is off is no gap, but what was known of it stays."""
    assert run.state == "published"


def revoked(after: int) -> Row:
    return failed(
        "F19", f"401 from request {after + 1} on", "token-rejected", REJECTED,
        faults=(Fault("", "revoked", times=None, after=after),), also=_error_is_noted,
        line=f"401 from request k on, for each k of the {REQUESTS} requests of a run",
        besides="The connection says so too.",
    )  # fmt: skip


def page_refused(status: int, page: int) -> Row:
    says, coverage = (REJECTED, "denied") if status == 401 else (DENIED, "denied")
    return kept(
        "F19" if status == 401 else "F17", f"{status} once, at page {page + 1} of 4", coverage, says,
        faults=(Fault("^/destinations$", "status", status=status, after=page),), streams=PAGED, options=IN_PAGES,
        line=f"{status} for page k of one list, while the workspace itself is still answered, for each k",
    )  # fmt: skip


PLANS: Streams = ("tracking_plans", "tracking_plan_rules")
again: dict[str, Any] = {"says": "Snapshot 3", "proof": Proof.OWN, "also": _whole_again}

ROWS = [
    kept("F17", "403 for one list", "denied", DENIED, faults=(always("^/destinations$", 403),)),
    kept(
        "F17", "403 for the plans, which their rules are read through", "denied", DENIED,
        faults=(always("^/tracking-plans$", 403),), struck=PLANS,
    ),
    kept(
        "F17", "403 for the rules of all plans", "denied", DENIED,
        faults=(always("^/tracking-plans/[^/]+/rules$", 403),), struck=("tracking_plan_rules",),
    ),
    kept(
        "F17", "403 for the rules of one plan of five", "denied", "(1 of 5 listings)", act=_one_plan_refused,
        struck=("tracking_plan_rules",), proof=Proof.PART, part=one_plan,
    ),
    kept(
        "F17", "500 for the rules of one plan of five", "failed", "(1 of 5 listings)",
        act=partial(_one_plan_refused, status=500), struck=("tracking_plan_rules",), proof=Proof.PART, part=one_plan,
    ),
    Row(
        fault="F17", name="403 for one list, granted again in the next run", struck=("destinations",), **again,
        act=lambda stage: _granted_again(stage, always("^/destinations$", 403)),
        besides="After the second run everything is that of a clean run.",
    ),
    Row(
        fault="F17", name="403 for the rules of one plan, granted again in the next run",
        act=partial(_granted_again, plan=True), struck=("tracking_plan_rules",), **again,
        besides="After the second run everything is that of a clean run.",
    ),
    *(page_refused(403, page) for page in range(4)),
    kept(
        "F18", "404 for a feature that may be off", "not_enabled", NOT_FOUND, struck=PLANS, ends="published",
        faults=(Fault("^/tracking-plans$", "not_enabled", times=None, status=404),), also=_as_known_before,
    ),
    kept(
        "F18", "403 for a feature that may be off", "denied", DENIED, struck=PLANS,
        faults=(Fault("^/tracking-plans$", "not_enabled", times=None),),
    ),
    kept(
        "F18", "404 for a list that every workspace has", "denied", NOT_FOUND,
        faults=(Fault("^/destinations$", "not_enabled", times=None, status=404),),
    ),
    *(revoked(after) for after in range(REQUESTS)),
    *(page_refused(401, page) for page in range(4)),
    failed("F20", "the token of another workspace, before the run", "wrong-workspace", ELSEWHERE, act=_another_before),
    failed(
        "F20", "the workspace is another one from the first answer on", "wrong-workspace", ELSEWHERE,
        faults=(Fault("^/$", "other_workspace", times=None),), also=_error_is_noted,
    ),
    failed(
        "F20", "the workspace is another one at the end of the reading", "wrong-workspace", ELSEWHERE,
        faults=(Fault("^/$", "other_workspace", times=None, after=1),), also=_error_is_noted,
    ),
    failed(
        "F20", "the token is replaced by that of another workspace in mid-run", "token-replaced",
        "The token of the connection was replaced while it was read.", ends="cancelled",
        act=partial(_another_in_mid_run, token="other"),
    ),
    failed(
        "F20", "the token is replaced by another one of the same workspace in mid-run", "token-replaced",
        "The token of the connection was replaced while it was read.", ends="cancelled",
        act=partial(_another_in_mid_run, token="owner_second"),
    ),
    failed(
        "F20", "the token is replaced by that of another workspace while the run waits", "wrong-workspace", ELSEWHERE,
        act=partial(_before_a_resumed_run, token="other"),
    ),
    Row(
        fault="F20", name="the token is replaced by another one of the same workspace while the run waits",
        act=partial(_before_a_resumed_run, token="owner_second"), besides="Everything is read again with the new one.",
    ),
]  # fmt: skip
