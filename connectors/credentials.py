"""Tokens at rest: sealed for one connection, opened only by the sync and the check."""

from cryptography.fernet import InvalidToken

from portal.canon import fingerprint

from .models import Connection, SpareToken, Token
from .spec import Denied

# All that is known of a token, and moves with it from one row to another.
FIELDS = tuple(field.attname for field in Token._meta.local_fields)


def seal(row: Token, connection: Connection, token: str) -> None:
    """Puts a token on a row of the connection (not saved). It is bound to this connection: moved to another, it
    will not open."""
    row.token = f"{connection.uid}:{token}"
    row.token_hint = token[-4:]
    row.token_fingerprint = token_print(token)


def token_print(token: str) -> str:
    return fingerprint("token", token)


def wipe(row: Token) -> None:
    row.token = ""
    row.token_fingerprint = ""


def move(here: Token, there: Token) -> None:
    """Puts on `there` all that stands on `here` (nothing is saved). Both belong to one connection."""
    for name in FIELDS:
        setattr(there, name, getattr(here, name))


def unseal(connection: Connection, spare: SpareToken | None = None) -> str:
    """The connection's token in clear, or that of its spare, for a request. Raises Denied when there is none or it
    cannot be read."""
    row: Token = spare or connection
    try:
        stored = type(row)._default_manager.only("token").get(pk=row.pk).token.opened()
    except InvalidToken:
        raise Denied("token-unreadable", "The stored token cannot be decrypted with the keys in FERNET_KEYS.") from None
    owner, _, token = stored.partition(":")
    if not token:
        raise Denied("token-missing", "This connection has no token.")
    if owner != str(connection.uid):
        raise Denied("token-misplaced", "The stored token belongs to another connection.")
    return str(token)
