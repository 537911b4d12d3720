"""The token at rest: sealed for one connection, opened only by the sync and the check."""

from cryptography.fernet import InvalidToken

from portal.canon import fingerprint

from .models import Connection
from .spec import Denied


def seal(connection: Connection, token: str) -> None:
    """Puts a token on the row (not saved). It is bound to this row: moved to another, it will not open."""
    connection.token = f"{connection.uid}:{token}"
    connection.token_hint = token[-4:]
    connection.token_fingerprint = token_print(token)


def token_print(token: str) -> str:
    return fingerprint("token", token)


def wipe(connection: Connection) -> None:
    connection.token = ""
    connection.token_fingerprint = ""


def unseal(connection: Connection) -> str:
    """The token in clear, for a request. Raises Denied when there is none or it cannot be read."""
    try:
        stored = Connection.objects.only("token").get(pk=connection.pk).token
    except InvalidToken:
        raise Denied("token-unreadable", "The stored token cannot be decrypted with the keys in FERNET_KEYS.") from None
    owner, _, token = stored.partition(":")
    if not token:
        raise Denied("token-missing", "This connection has no token.")
    if owner != str(connection.uid):
        raise Denied("token-misplaced", "The stored token belongs to another connection.")
    return str(token)
