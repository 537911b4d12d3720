"""Why a verb cannot be carried out now."""

from ..models import Connection, ConnectionState

# What a reading ends with when it is the token's fault: a replacement that ends so is undone.
REFUSED = frozenset({"token-rejected", "wrong-workspace", "token-unreadable", "token-misplaced"})
LIVE = (ConnectionState.ACTIVE, ConnectionState.PAUSED)


class NotPossible(Exception):
    """A verb that cannot be done now. `field` names the input it is about; `other` the connection in the way."""

    def __init__(self, code: str, message: str, *, field: str = "", other: Connection | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.field, self.other = code, message, field, other


def wrong_state(connection: Connection) -> NotPossible:
    return NotPossible("wrong-state", f"“{connection.name}” is {connection.get_state_display().lower()} by now.")


def must_be(connection: Connection, *states: ConnectionState) -> None:
    if connection.state not in states:
        raise wrong_state(connection)
