"""Why a verb cannot be carried out now, and the rules that several verbs share."""

from datetime import date, datetime, timedelta

from ..conditions import today
from ..models import Connection, ConnectionState, Environment

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


def must_be_called(name: str) -> None:
    if not name.strip():
        raise NotPossible("name-missing", "Give the connection a name that tells it from others.", field="name")


def must_be_known(environment: str) -> None:
    if environment not in Environment.values:
        raise NotPossible("environment-unknown", "Choose one of the kinds.", field="environment")


def must_have_come(made: date | None, now: datetime) -> None:
    """That the day on which a token was made is not to come; it may be tomorrow where the token was made."""
    if made is not None and made > today(now) + timedelta(days=1):
        raise NotPossible("made-later", "That day has not come yet: when was the token made?", field="made")
