"""What each step asks. Reads only: GET requests, a certificate, a name; nothing is kept but what is returned.

Each returns how it ended, or raises the ConnectorError that ended it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.audit import clean
from portal.templatetags.portal import duration, said_time

from .. import connections, credentials, registry
from ..http import Client, Told, probes
from ..models import Connection
from ..spec import ConnectorError, Denied, Region
from .steps import Line, Outcome, Result, Step, answering, way_is_closed
from .streams import Asker, ask_group, windows

PATIENCE = 10.0  # seconds without a word; a step must end before others take it for dead
WRONG_CLOCK = timedelta(minutes=5)
_NAMES = 4  # of a certificate, or addresses of a name, that are told one by one


@dataclass(frozen=True)
class Subject:
    """What is looked at. `region` is the one that was chosen, `done` the steps before."""

    connection: Connection
    region: Region
    done: Sequence[Step]
    now: datetime

    @property
    def asker(self) -> Asker:
        return Asker(self.connection, registry.get(self.connection.connector), self.now)

    def client(self, region: Region, token: str, told: Callable[[Told], None] = lambda told: None) -> Client:
        return Client(self.asker.connector, region.origin, token, tries=1, patience=PATIENCE, told=told)

    def answering(self) -> Client:
        """A client for the region that answered the token."""
        known = registry.regions(self.asker.connector)
        return self.client(known[answering(self.done)], credentials.unseal(self.connection))


def perform(subject: Subject, step: Step) -> Result:
    """Does one step. Raises ConnectorError."""
    if step.group:
        return ask_group(subject.asker, subject.answering, step.group)
    return _STEPS[step.name](subject)


# --- the way there --------------------------------------------------------------------------------------


def _proxy(subject: Subject) -> Result:
    way = probes.route(subject.region.origin)
    if not way.proxy:
        said = f"None is set for {way.host}: the portal goes there directly."
        return Result(Outcome.NOT_APPLICABLE, said)
    return Result(Outcome.PASSED, f"Requests to {way.host} go through {way.proxy}, as the portal's environment says.")


def _name(subject: Subject) -> Result:
    way = probes.route(subject.region.origin)
    proxied = f"The proxy looks up {way.host}; of the proxy itself: " if way.proxy else ""
    if probes.is_address(way.nearest):
        return Result(Outcome.NOT_APPLICABLE, f"{proxied}{way.nearest} is an address and needs no resolving.")
    return Result(Outcome.PASSED, f"{proxied}{way.nearest} is {_some(probes.resolve(way.nearest))}.")


def _reach(subject: Subject) -> Result:
    way = probes.route(subject.region.origin)
    probes.reach(subject.region.origin)
    if way.proxy:
        ask = f"connects to {way.host}, port {way.port}" if way.scheme == "https" else "answers, and passes http on"
        return Result(Outcome.PASSED, f"The proxy {way.proxy} {ask}.")
    return Result(Outcome.PASSED, f"Port {way.port} of {way.host} is open.")


def _tls(subject: Subject) -> Result:
    if probes.route(subject.region.origin).scheme == "http":
        why = "This region is plain http on the portal's own machine: nothing leaves it, nothing is encrypted."
        return Result(Outcome.NOT_APPLICABLE, why)
    shown = probes.handshake(subject.region.origin)
    days = (shown.expires - subject.now).days
    said = (
        f"{shown.version}. The certificate was issued by {shown.issuer} for {_some(shown.names)}, and expires on "
        f"{said_time(shown.expires)}, in {days} day{'' if days == 1 else 's'}."
    )
    return Result(Outcome.PASSED, said)


def _clock(subject: Subject) -> Result:
    """Any answer will do, so none is asked with the token: a refusal has a Date as well."""
    told: list[Told] = []
    client = subject.client(subject.region, "", told.append)
    try:
        client.fetch(subject.asker.connector.probe)
    except Denied:
        pass  # as it should be
    except ConnectorError as error:
        if error.code != "unknown-status":
            raise
    finally:
        client.close()
    return _skew(told[0])


def _skew(told: Told) -> Result:
    """How far the clocks are apart: a Date has whole seconds, so half of one is added."""
    answered = f"Asked without the token, the service answered {told.status} in {told.ms} ms"
    if told.dated is None:
        return Result(Outcome.UNKNOWN, f"{answered}, without a Date: the clocks cannot be compared.")
    apart = told.dated + timedelta(seconds=0.5) - told.middle
    behind = "behind" if apart > timedelta(0) else "ahead of"
    if abs(apart) <= timedelta(seconds=2):
        return Result(Outcome.PASSED, f"{answered}. The portal's clock and the service's agree.")
    said = f"{answered}. The portal's clock is {duration(abs(apart))} {behind} the service's."
    if abs(apart) > WRONG_CLOCK:
        return Result(Outcome.FAILED, said, code="clock-wrong")
    return Result(Outcome.PASSED, f"{said} Up to five minutes do no harm.")


# --- the token ------------------------------------------------------------------------------------------


def _token(subject: Subject) -> Result:
    token = credentials.unseal(subject.connection)
    if fault := subject.asker.connector.fault(token):
        raise Denied("token-malformed", fault)
    since = subject.connection.token_since
    stored = f" since {said_time(since)}" if since else ""
    return Result(Outcome.PASSED, f"One is stored{stored}; it can be decrypted, and nothing is wrong with its form.")


def _regions(subject: Subject) -> Result:
    connector, chosen = subject.asker.connector, subject.region
    known, token = registry.regions(connector), credentials.unseal(subject.connection)
    order = connections.regions_to_try(connector, chosen.name, known)
    errors: dict[str, ConnectorError | None] = {}
    for region in order:
        if region == chosen and way_is_closed(subject.done):
            continue
        errors[region.name] = _asked(subject, region, token)
    lines = [_region_line(region, chosen, errors) for region in order]
    lines += [Line(r.title, Outcome.NOT_ASKED, _KEPT_APART) for r in known.values() if r not in order]
    return _region_result(chosen, known, errors, tuple(lines))


_KEPT_APART = "A token never goes from the service's regions to an address that the environment adds, nor back."


def _asked(subject: Subject, region: Region, token: str) -> ConnectorError | None:
    client = subject.client(region, token)
    try:
        subject.asker.connector.identity(client.get(subject.asker.connector.probe))
    except ConnectorError as error:
        return error
    finally:
        client.close()
    return None


def _region_line(region: Region, chosen: Region, errors: Mapping[str, ConnectorError | None]) -> Line:
    if region.name not in errors:
        return Line(region.title, Outcome.NOT_TRIED, "No token is sent there: the steps above did not pass.")
    error = errors[region.name]
    if error is None:
        return Line(region.title, Outcome.PASSED, "It answers this token.")
    if region != chosen and error.status in (401, 403):
        return Line(region.title, Outcome.NOT_APPLICABLE, f"It refuses this token ({error.status}): not of here.")
    return Line(region.title, Outcome.FAILED, error.message, _refusal(error))


def _refusal(error: ConnectorError) -> str:
    return "token-rejected" if error.status in (401, 403) else error.code


def _region_result(
    chosen: Region, known: Mapping[str, Region], errors: Mapping[str, ConnectorError | None], lines: tuple[Line, ...]
) -> Result:
    answered = [name for name, error in errors.items() if error is None]
    if chosen.name in answered:
        return Result(Outcome.PASSED, f"{chosen.title} answers this token.", "", lines, chosen.name)
    if answered:
        said = f"This token is answered in {known[answered[0]].title}, and the connection reads {chosen.title}."
        return Result(Outcome.FAILED, said, code="wrong-region", lines=lines, region=answered[0])
    error = errors.get(chosen.name)
    if error is None:
        return Result(Outcome.NOT_TRIED, "The chosen region could not be asked, and no other answers.", "", lines)
    return Result(Outcome.FAILED, error.message, _refusal(error), lines)


def _identity(subject: Subject) -> Result:
    client = subject.answering()
    try:
        found = subject.asker.connector.identity(client.get(subject.asker.connector.probe))
    finally:
        client.close()
    opened, expected = f"“{clean(found.name)}” ({clean(found.id)})", subject.connection.workspace
    if expected is not None and expected.remote_id != found.id:
        said = f"The token opens {opened}, and the connection reads “{expected.name}” ({expected.remote_id})."
        return Result(Outcome.FAILED, said, code="wrong-workspace")
    if other := connections.holder_of(subject.connection, found):
        said = f"The token opens {opened}, which the connection “{other.name}” reads already."
        return Result(Outcome.FAILED, said, code="workspace-already-connected")
    right = "as it should" if expected is not None else "and no other connection reads it"
    return Result(Outcome.PASSED, f"The token opens {opened}, {right}.")


# --- limits ---------------------------------------------------------------------------------------------


def _limits(subject: Subject) -> Result:
    """What the service says is left, and what the portal itself has counted for this token."""
    own = windows(subject.asker)
    if not answering(subject.done):
        return Result(Outcome.NOT_ASKED, "No region answers this token, so no limits were told.", "", own)
    told: list[Told] = []
    region = registry.regions(subject.asker.connector)[answering(subject.done)]
    client = subject.client(region, credentials.unseal(subject.connection), told.append)
    try:
        client.fetch(subject.asker.connector.probe)
    finally:
        client.close()
    heard = told[0].heard
    if heard.remaining is None:
        return Result(Outcome.UNKNOWN, "The service's answer says nothing of limits.", "", own)
    used = f"{heard.consumed:,} used, " if heard.consumed is not None else ""
    until = f", until {said_time(heard.reset, seconds=True)}" if heard.reset else ""
    return Result(Outcome.PASSED, f"The service says: {used}{heard.remaining:,} left{until}.", "", own)


def _some(values: Sequence[str]) -> str:
    more = len(values) - _NAMES
    return ", ".join(clean(value, 100) for value in values[:_NAMES]) + (f" and {more} more" if more > 0 else "")


_STEPS: Mapping[str, Callable[[Subject], Result]] = {
    "proxy": _proxy,
    "name": _name,
    "reach": _reach,
    "tls": _tls,
    "clock": _clock,
    "token": _token,
    "regions": _regions,
    "identity": _identity,
    "limits": _limits,
}
