"""F1-F5 and F29: refusals, storms, outages, networks that fail, redirects."""

import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from connectors import runs
from connectors.limits import COMMON, Limits
from connectors.models import RateWindow, Receipt, SyncRun
from connectors.segment.simulator import Fault
from tests.simulating import ask

from .row import PAGED, Row, failed, kept
from .stage import Acting, Stage

DESTINATIONS = "^/destinations$"


Options = Mapping[str, Any]
WITHOUT_END: tuple[tuple[str, Options], ...] = (
    ("Retry-After of 10 days", {"retry_after": "864000"}),
    ("Retry-After of 30 digits", {"retry_after": "9" * 30}),
    ("Retry-After of 400 digits", {"retry_after": "9" * 400}),
    ("msBeforeNext 1e300", {"value": '{"errors":[{"data":{"msBeforeNext":1e300}}]}'}),
    ("msBeforeNext of infinity", {"value": '{"errors":[{"data":{"msBeforeNext":"Infinity"}}]}'}),
)


def busy(status: int = 429, times: int | None = 1, path: str = DESTINATIONS, **options: Any) -> tuple[Fault, ...]:
    return (Fault(path, "status", times=times, status=status, **options),)


def waited(least: float, most: float) -> Callable[[Stage, SyncRun], None]:
    def check(stage: Stage, run: SyncRun) -> None:
        assert run.finished_at is not None
        took = (run.finished_at - run.queued_at).total_seconds()
        assert least <= took <= most, took

    return check


def told_to_wait(name: str, seconds: float, **options: Any) -> Row:
    return Row(
        fault="F1",
        name=f"429, {name}",
        faults=busy(**options),
        struck=("destinations",),
        also=waited(seconds - 1.1, seconds + 20),
        besides=f"It waited {seconds:g} seconds.",
    )


def _others_used_the_minute(stage: Stage) -> SyncRun:
    """Another program with the same token has used up the 25 requests a minute before we ask."""
    own = stage.alone(rate_limits=True, wait="reset")
    own.settings.clock = lambda: stage.clock.now().timestamp()
    space = own.api.world().spaces[0]["id"]
    for _ in range(25):
        ask(own, f"/spaces/{space}/computed-traits", params={"pagination[count]": "200"})
    stage.asked_before = len(own.requests)
    run = stage.sync()
    assert own.throttled == 1
    return run


def _postponed(stage: Stage, *, taken_up: bool) -> SyncRun:
    """The worker is freed; the watchman wakes the run when its time has come, and it is read to its end."""
    waiting = stage.sync()
    assert (waiting.state, waiting.worker) == ("queued", "")
    assert waiting.resume_at is not None
    stage.look(waiting)
    assert stage.snapshot().seq == 1
    assert runs.claim(waiting.pk, waiting.resume_at - timedelta(seconds=1)) is None
    assert runs.wake(waiting.resume_at - timedelta(seconds=1)) == []
    assert runs.wake(waiting.resume_at) == [waiting.pk]
    assert runs.wake(waiting.resume_at) == []
    asked = len(stage.requests)
    stage.clock.waited += (waiting.resume_at - stage.clock.now()).total_seconds()
    from connectors import sync as driver

    run = driver.perform(waiting.pk, clock=stage.clock)
    first, again = (
        {entry.path for entry in part if entry.status == 200}
        for part in (stage.requests[:asked], stage.requests[asked:])
    )
    assert (first & again == {"/"}) == taken_up
    return run


def _another_reader_was_refused(stage: Stage) -> SyncRun:
    """Only another worker of the same token heard the 429."""
    other = Limits(stage.connection.token_fingerprint, stage.clock)
    other.hold(COMMON, stage.clock.now() + timedelta(seconds=100))
    return stage.sync()


def _four_readers(stage: Stage) -> SyncRun:
    """One of four readers hears a 429 while the others are at work: after their next look none of them asks."""
    token, clock = stage.connection.token_fingerprint, stage.clock
    others = [Limits(token, clock) for _ in range(3)]
    assert all(each.slot(COMMON, None, 1) for each in others)
    run = stage.sync()
    for each in others:
        each.look()
    told = max(each.opens(COMMON) for each in others)
    assert all(each.opens(COMMON) == told for each in others)
    return run


def _a_limit_is_kept(stage: Stage) -> SyncRun:
    """60 a minute, four readers: no request is refused, because slots are handed out before they are used."""
    own = stage.alone(rate_limits=True, cap=10)
    own.settings.clock = lambda: stage.clock.now().timestamp()
    other = Limits(stage.connection.token_fingerprint, stage.clock)
    path = "/tracking-plans/{id}/rules"
    RateWindow.objects.all().delete()  # the minute of the reading before may be about to end just now
    assert other.slot(path, 200, 190) is not None  # another worker has taken 190 of the 200
    run = stage.sync()
    assert own.throttled == 0
    return run


def _nobody_listens(stage: Stage) -> SyncRun:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    stage.at(f"http://127.0.0.1:{port}")
    return stage.sync()


def _no_such_name(stage: Stage) -> SyncRun:
    stage.at("http://segment.invalid")
    return stage.sync()


def _gone_in_mid_run(stage: Stage) -> SyncRun:
    own = stage.alone(latency_ms=5)
    return stage.sync(Acting(lambda: len(own.requests) > 3, own.close))


def _impatient(stage: Stage, seconds: float) -> SyncRun:
    """30 seconds for an answer to begin and two minutes for it to end, made short for the test."""
    stage.patch.setattr("connectors.http.READ_SECONDS", seconds)
    stage.patch.setattr("connectors.http.REQUEST_SECONDS", 2 * seconds)
    return stage.sync()


def _asked_again(stage: Stage, run: SyncRun) -> None:
    assert Receipt.objects.filter(run=run, path="/destinations").count() > 1


def _redirected(stage: Stage, path: str, status: int, to: str = "/steal") -> SyncRun:
    canary = stage.beside()
    stage.simulator.faults[:] = [Fault(path, "redirect", times=None, status=status, value=canary.url + to)]
    run = stage.sync()
    assert canary.requests == []
    return run


def _retried(status: int) -> list[Row]:
    says = f"The service answered {status}."
    return [
        Row(fault="F3", name=f"{status} once", faults=busy(status), also=_asked_again, struck=("destinations",)),
        Row(fault="F3", name=f"{status} five times", faults=busy(status, 5), struck=("destinations",)),
        kept("F3", f"{status} for ever at one address", "failed", says, faults=busy(status, None)),
        failed(
            "F3", f"{status} for ever at all addresses", "service-error", says, faults=busy(status, None, "", after=3)
        ),
    ]


def _broken(fault: str, kind: str, says: str, *, act: Any = None, **options: Any) -> list[Row]:
    def once(times: int | None, path: str = DESTINATIONS, after: int = 0) -> tuple[Fault]:
        return (Fault(path, kind, times=times, after=after, **options),)

    return [
        Row(fault=fault, name=f"{kind} once", faults=once(1), act=act, struck=("destinations",), also=_asked_again),
        kept(fault, f"{kind} for ever at one address", "failed", says, faults=once(None), act=act),
    ]


LATER = "Waits until"
ALL_DAY = "The service asks for a wait of many hours."

F1 = [
    told_to_wait("Retry-After in seconds", 7, retry_after="7", value=60_000),
    told_to_wait("Retry-After as an HTTP date", 9, retry_after="date+9", value=60_000),
    told_to_wait("no Retry-After, msBeforeNext 4000", 4, value=4000),
    Row(
        fault="F1",
        name="429, X-RateLimit-Reset only",
        streams=("spaces", "computed_traits"),
        act=_others_used_the_minute,
        struck=("computed_traits",),
        also=waited(50, 90),
        besides="It waited until the minute was over, and asked once more.",
    ),
    Row(
        fault="F1",
        name="429 ten times that says nothing of when",
        faults=busy(times=10, value="slow down"),
        struck=("destinations",),
        also=_asked_again,
        besides="It waited longer each time.",
    ),
    *(
        Row(
            fault="F1",
            name=f"429, Retry-After {text or 'empty'}",
            faults=busy(retry_after=text, value="{}"),
            struck=("destinations",),
            line="429, a Retry-After that cannot be understood, is negative or long past",
        )
        for text in ("soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT", "\u00b2", "0", "12:00", "1e400")
    ),
    *(
        Row(
            fault="F1",
            name=f"429, msBeforeNext {said}",
            faults=busy(value=f'{{"errors":[{{"data":{{"msBeforeNext":{said}}}}}]}}'),
            struck=("destinations",),
            line="429, an msBeforeNext that cannot be understood",
        )
        for said in ('"soon"', "null", "[]", "-1", '"NaN"')
    ),
    Row(
        fault="F1",
        name="429, Retry-After 400",
        faults=busy(retry_after="400"),
        act=partial(_postponed, taken_up=True),
        says=LATER,
        besides="The worker is freed. What was read before the wait is not asked again.",
    ),
    Row(
        fault="F1",
        name="429, Retry-After 3600",
        faults=busy(retry_after="3600"),
        act=partial(_postponed, taken_up=False),
        says=LATER,
        besides="The worker is freed. What was read is older than 15 minutes by then, and is read again.",
    ),
    *(
        failed("F1", f"429, {name}", "rate-limited", ALL_DAY, faults=busy(times=None, **said))
        for name, said in WITHOUT_END
    ),
    kept(
        "F1", "429 for ever at one address, a second each time", "failed", "The service answered 429.",
        faults=busy(times=None, value=1000, retry_after="1"),
    ),
    Row(
        fault="F1",
        name="429, 3600 for the identity request",
        faults=busy(path="^/$", retry_after="3600"),
        act=partial(_postponed, taken_up=False),
        says=LATER,
        besides="The worker is freed meanwhile.",
    ),
]  # fmt: skip

F2 = [
    Row(
        fault="F2",
        name="only another worker of the same token heard the 429",
        act=_another_reader_was_refused,
        also=waited(99, 120),
        besides="The first listing is asked for when the other's wait is over.",
    ),
    Row(
        fault="F2",
        name="one of four readers hears a 429",
        faults=busy(retry_after="5"),
        act=_four_readers,
        besides="All of them wait until the same moment.",
    ),
    Row(
        fault="F2",
        name="a limit of 200 a minute, of which another worker has taken 190",
        streams=("tracking_plans", "tracking_plan_rules"),
        options={"cap": 10},
        act=_a_limit_is_kept,
        also=waited(50, 90),
        besides="No request is refused: slots are handed out before they are used.",
    ),
]

F3 = [row for status in (500, 502, 503, 504, 408, 425) for row in _retried(status)]

F4 = [
    failed("F4", "connection refused", "unreachable", "The service could not be reached.", act=_nobody_listens),
    failed(
        "F4", "the name cannot be resolved", "name-not-resolved",
        "The name of the service's host could not be resolved.", act=_no_such_name,
    ),
    failed("F4", "refused from mid-run on", "unreachable", "The service could not be reached.", act=_gone_in_mid_run),
    *_broken("F4", "reset", "The service could not be reached."),
    *_broken("F4", "close", "The service could not be reached."),
    failed(
        "F4", "reset for ever at all addresses", "unreachable", "The service could not be reached.",
        faults=(Fault("", "reset", times=None, after=3),),
    ),
]  # fmt: skip

F5 = [
    *_broken("F5", "hang", "The service did not answer in time.", act=partial(_impatient, seconds=0.2)),
    *_broken("F5", "stall", "The service did not answer in time.", act=partial(_impatient, seconds=0.2)),
    *_broken("F5", "drip", "An answer took longer than two minutes.", act=partial(_impatient, seconds=0.1)),
]

F29 = [
    kept(
        "F29", f"{status} to another host", "failed", f"The service wants to send us elsewhere ({status}).",
        act=partial(_redirected, path=DESTINATIONS, status=status), besides="The other host gets no request.",
        line="301, 302, 303, 307 or 308 to another host",
    )
    for status in (301, 302, 303, 307, 308)
] + [
    failed(
        "F29", "the identity request is redirected", "redirect", "The service wants to send us elsewhere (302).",
        act=partial(_redirected, path="^/$", status=302), besides="The other host gets no request.",
    ),
    failed(
        "F29", "the last identity request is redirected", "redirect", "The service wants to send us elsewhere (302).",
        faults=(Fault("^/$", "redirect", times=None, after=1, value="/elsewhere"),),
    ),
    kept(
        "F29", "a redirect within the service", "failed", "The service wants to send us elsewhere (302).",
        faults=(Fault(DESTINATIONS, "redirect", times=None, value="/sources"),), streams=PAGED,
    ),
]  # fmt: skip

ROWS = [*F1, *F2, *F3, *F4, *F5, *F29]
