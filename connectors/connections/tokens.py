"""What becomes of a connection's token: put there, checked, replaced, settled, undone, wiped after a leak.

A new token is proved on the same workspace before it takes the old one's place, and the old one is kept beside it
until the first good sync.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from portal import audit
from portal.audit import Action
from portal.models import User

from .. import checking, credentials, pauses, registry, runs
from ..conditions import today
from ..http import Client
from ..models import Connection, ConnectionState, SpareToken, Token
from ..spec import Connector, Denied, Identity, Region
from .noting import note_failure, note_token_works
from .refusals import LIVE, REFUSED, NotPossible, must_be, must_have_come, wrong_state

OFFERS_LIVE = timedelta(days=1)
OpenClient = Callable[[Connector, Region, str], Client]


# --- on a row -------------------------------------------------------------------------------------------


def put(
    row: Token,
    connection: Connection,
    token: str,
    *,
    role: str,
    made: date | None,
    by: User | None,
    now: datetime,
) -> None:
    """Seals a pasted token on a row of the connection (not saved): nothing that was known of another counts for it.
    The same token once more keeps what is known of it.

    Raises NotPossible for a token that cannot be one, that another connection holds, or that was made tomorrow.
    """
    if fault := registry.get(connection.connector).fault(token):
        raise NotPossible("token-malformed", fault, field="token")
    print_ = credentials.token_print(token)
    if holder(print_, connection):
        raise in_use(token)
    must_have_come(made, now)
    if print_ != row.token_fingerprint:
        row.token_by, row.token_since = by, now
        row.token_used_at, row.capabilities, row.checked_at = None, {}, None
    credentials.seal(row, connection, token)
    row.token_role, row.token_made = role, made


def holder(fingerprint: str, connection: Connection) -> Connection | None:
    """Another connection that holds this token, in use or as a spare."""
    others = Connection.objects.exclude(pk=connection.pk)
    spare = SpareToken.objects.filter(token_fingerprint=fingerprint).values("connection")
    return others.filter(token_fingerprint=fingerprint).first() or others.filter(pk__in=spare).first()


def in_use(token: str) -> NotPossible:
    print_ = credentials.token_print(token)
    other = Connection.objects.filter(token_fingerprint=print_).first()
    return NotPossible("token-in-use", "Another connection already holds this token.", field="token", other=other)


def rotation_day(row: Token, days: int) -> date | None:
    """The day on which the token is as old as the policy allows; None without a token or a policy."""
    made = row.token_made or (today(row.token_since) if row.token_since else None)
    return made + timedelta(days=days) if made and days and row.token_fingerprint else None


def checked_workspace(row: Token) -> Identity | None:
    """The workspace that the last check found, None when it found none."""
    stored = row.capabilities.get("workspace")
    return Identity(**stored) if stored and not row.capabilities.get("code") else None


# --- asked ----------------------------------------------------------------------------------------------


def check(
    connection: Connection,
    *,
    by: User | None,
    now: datetime,
    request: HttpRequest | None = None,
    open_client: OpenClient | None = None,
) -> checking.Found:
    """Asks the service what the stored token opens, and keeps the answer on the row. Activates nothing.

    No transaction is open while the service is asked. Of two checks at a time the first to end is kept, and noted.
    Raises spec.Denied when the token cannot be unsealed.
    """
    found = _ask(connection, credentials.unseal(connection), open_client)
    changed = {"capabilities": found.as_json(), "checked_at": now}
    if found.region and connection.state == ConnectionState.DRAFT:
        changed["region"] = found.region
    with transaction.atomic():
        same = Connection.objects.filter(pk=connection.pk, token_fingerprint=connection.token_fingerprint)
        if not same.filter(checked_at=connection.checked_at).update(**changed):
            return found
        if connection.workspace is not None:
            _conclude(connection, found, now)
        audit.record(Action.CONNECTION_CHECKED, actor=by, target=connection, request=request, code=found.code, at=now)
    for name, value in changed.items():
        setattr(connection, name, value)
    return found


def _ask(connection: Connection, token: str, open_client: OpenClient | None) -> checking.Found:
    connector = registry.get(connection.connector)
    known = registry.regions(connector)
    order = regions_to_try(connector, connection.region, known)
    make = open_client or (lambda c, region, secret: Client(c, region.origin, secret, tries=2))
    wanted = connector.chosen(connection.groups)
    return checking.check(connector, order, lambda region: make(connector, region, token), wanted)


def regions_to_try(connector: Connector, chosen: str, known: Mapping[str, Region]) -> list[Region]:
    """The chosen region first, then the service's own others. A token never goes to an address that only the
    operator's environment knows unless that one was chosen, nor from there to the service."""
    own = [region.name for region in connector.regions]
    names = [chosen, *(name for name in own if name != chosen)] if chosen in own else [chosen]
    return [known[name] for name in names if name in known]


def _conclude(connection: Connection, found: checking.Found, now: datetime) -> None:
    """What a check of a connected workspace says of its health."""
    code = _fault(connection, found)
    if code in REFUSED:
        note_failure(connection, code, now)
    elif not code:
        note_token_works(connection, now)


def _fault(connection: Connection, found: checking.Found) -> str:
    """Why the token does not read the connection's own workspace where that is; "" when it does."""
    if found.code:
        return found.code
    assert connection.workspace is not None
    assert found.workspace is not None
    if found.workspace.id != connection.workspace.remote_id:
        return "wrong-workspace"
    return "" if found.region == connection.region else "wrong-region"


# --- replaced -------------------------------------------------------------------------------------------


def offer(
    connection: Connection,
    *,
    token: str,
    role: str,
    made: date | None,
    by: User | None,
    now: datetime,
) -> SpareToken:
    """Keeps a new token beside the one in use, to be tried; one offered before gives way. Raises NotPossible."""
    must_be(connection, *LIVE)
    pasted = registry.get(connection.connector).clean(token)
    if not pasted:
        raise NotPossible("token-missing", "Paste the token that Segment showed once.", field="token")
    if credentials.token_print(pasted) == connection.token_fingerprint:
        raise NotPossible("token-unchanged", "This is the token that the connection has already.", field="token")
    spare = SpareToken(connection=connection, kind=SpareToken.CANDIDATE)
    put(spare, connection, pasted, role=role, made=made, by=by, now=now)
    with transaction.atomic():
        candidates(connection).delete()
        spare.save()
    return spare


def candidates(connection: Connection) -> QuerySet[SpareToken]:
    return SpareToken.objects.filter(connection=connection, kind=SpareToken.CANDIDATE)


def offered(connection: Connection) -> SpareToken | None:
    """A new token that waits beside the one in use, to be tried or to be taken."""
    return candidates(connection).first()


def previous(connection: Connection) -> SpareToken | None:
    """The token before the one in use, while the new one has not read the workspace yet."""
    return SpareToken.objects.filter(connection=connection, kind=SpareToken.PREVIOUS).first()


def prove(
    connection: Connection, spare: SpareToken, *, now: datetime, open_client: OpenClient | None = None
) -> checking.Found:
    """Asks what the offered token opens and keeps the answer beside it. No transaction is open meanwhile.

    Raises NotPossible when the connection's own workspace does not answer it: then the offer is dropped.
    """
    found = _ask(connection, credentials.unseal(connection, spare), open_client)
    if code := _fault(connection, found):
        SpareToken.objects.filter(pk=spare.pk).delete()
        raise NotPossible(code, _WHY.get(code) or found.message, field="token")
    spare.capabilities, spare.checked_at, spare.token_used_at = found.as_json(), now, now
    SpareToken.objects.filter(pk=spare.pk).update(capabilities=spare.capabilities, checked_at=now, token_used_at=now)
    return found


_WHY = {
    "wrong-workspace": "This token opens another workspace. Nothing was replaced.",
    "wrong-region": "This workspace answers in another region than the connection reads. Nothing was replaced.",
}


def lost_by(connection: Connection, spare: SpareToken) -> list[str]:
    """Titles of the streams that the token in use may read, by its last check, and the offered one may not."""
    before, after = (row.capabilities.get("streams", {}) for row in (connection, spare))
    readable = [name for name, found in before.items() if found["verdict"] == checking.READABLE]
    fewer = [n for n in readable if after.get(n, {}).get("verdict") not in (checking.READABLE, checking.NOT_CHECKED)]
    connector = registry.get(connection.connector)
    return [stream.title for stream in connector.streams if stream.name in fewer]


def replace(
    connection: Connection, spare: SpareToken, *, by: User | None, now: datetime, request: HttpRequest | None = None
) -> None:
    """Puts a proved token in the place of the one in use, which is kept until the first good sync.

    A sync under way ends, because it read with the old one. A connection that was paused stays so. Raises NotPossible.
    """
    with transaction.atomic():
        row = held(connection.pk)
        must_be(row, *LIVE)
        new = candidates(row).filter(pk=spare.pk, token_fingerprint=spare.token_fingerprint).first()
        if new is None or new.token_used_at is None or checked_workspace(new) is None:
            raise NotPossible("not-checked", "This token was dropped or replaced in another window: paste it again.")
        if previous(row) is None and _worth_keeping(row):
            _keep_beside(row)
        _take(row, new, now)
        audit.record(Action.CREDENTIAL_REPLACED, actor=by, target=row, request=request, at=now, ends_in=row.token_hint)
        why = "The token of the connection was replaced while it was read."
        runs.cancel_all(row, by, now, code="token-replaced", why=why)
    connection.refresh_from_db()


def held(pk: int) -> Connection:
    """The row as it is now, held until the transaction ends."""
    return Connection.objects.select_for_update(of=("self",)).select_related("workspace").get(pk=pk)


def _worth_keeping(connection: Connection) -> bool:
    """Whether the token in use is one to come back to: it can be opened, and nobody has refused it."""
    if not connection.token_fingerprint or connection.error_code in REFUSED:
        return False
    with suppress(Denied):
        return bool(credentials.unseal(connection))
    return False


def _keep_beside(connection: Connection) -> None:
    kept = SpareToken(connection=connection, kind=SpareToken.PREVIOUS)
    credentials.move(connection, kept)
    kept.save()


def _take(connection: Connection, spare: SpareToken, now: datetime) -> None:
    """The spare's token becomes the connection's; what was the matter with the old one is over."""
    credentials.move(spare, connection)
    spare.delete()
    if connection.error_code:
        connection.error_code, connection.error_at, connection.since = "", None, now
    connection.rotate_on = rotation_day(connection, connection.rotation_days)
    connection.save(update_fields=[*credentials.FIELDS, "error_code", "error_at", "since", "rotate_on"])


def settle(connection: Connection, fingerprint: str, now: datetime) -> None:
    """After a good sync with the token in use: the one before it is wiped."""
    kept = SpareToken.objects.filter(connection=connection, connection__token_fingerprint=fingerprint)
    with transaction.atomic():
        if kept.filter(kind=SpareToken.PREVIOUS).delete()[0]:
            audit.record(Action.CREDENTIAL_SETTLED, actor=None, target=connection, at=now)


def undo(
    connection: Connection,
    *,
    by: User | None,
    now: datetime,
    code: str = "",
    only: str = "",
    request: HttpRequest | None = None,
) -> bool:
    """Puts the token before back in its place, because the new one failed (`code`) or somebody wishes so.

    The new one is wiped. False when there is no token before, or the one in use is not that of the fingerprint `only`.
    """
    with transaction.atomic():
        row = held(connection.pk)
        kept = previous(row)
        if kept is None or (only and row.token_fingerprint != only):
            return False
        _take(row, kept, now)
        audit.record(Action.CREDENTIAL_RESTORED, actor=by, target=row, request=request, at=now, code=code)
        why = "The token before was put back while it was read."
        runs.cancel_all(row, by, now, code="token-replaced", why=why)
        if code:
            note_failure(connection, "replacement-undone", now)
    connection.refresh_from_db()
    return True


def drop_offer(connection: Connection) -> bool:
    """Wipes a token that was offered and not taken; False when there is none."""
    return bool(candidates(connection).delete()[0])


def drop_old_offers(now: datetime) -> int:
    """Wipes offered tokens that nobody has taken for a day."""
    left = SpareToken.objects.filter(kind=SpareToken.CANDIDATE, token_since__lt=now - OFFERS_LIVE)
    return left.delete()[0]


# --- leaked ---------------------------------------------------------------------------------------------


def leaked(connection: Connection, *, by: User | None, now: datetime, request: HttpRequest | None = None) -> None:
    """After a token got out: nothing is read any more, and every token of the connection is wiped here.

    Revoking it is for a person to do, in the service. The connection goes on when a new token replaces it.
    """
    with transaction.atomic():
        row = held(connection.pk)
        if row.state not in LIVE:
            raise wrong_state(row)
        pauses.begin(row, by=by, now=now, reason="Its token may have leaked.")
        credentials.wipe(row)
        SpareToken.objects.filter(connection=row).delete()
        row.state, row.since, row.rotate_on = ConnectionState.PAUSED, now, None
        row.error_code, row.error_at = "token-leaked", now
        row.save(update_fields=["token", "token_fingerprint", "state", "since", "rotate_on", "error_code", "error_at"])
        runs.cancel_all(row, by, now, code="token-leaked", why="Its token may have leaked.")
        audit.record(Action.CREDENTIAL_LEAKED, actor=by, target=row, request=request, at=now)
    connection.refresh_from_db()
