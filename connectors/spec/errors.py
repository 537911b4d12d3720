"""Errors, each named for who must act."""

from typing import Literal

Actor = Literal["reader", "admin", "time", "developer"]


class ConnectorError(Exception):
    """A reading that could not be made. `code` is stable and has a troubleshooting page.

    The message is for people and never holds a token, a header or a piece of a response body.
    """

    acts: Actor = "developer"

    def __init__(self, code: str, message: str = "", *, status: int = 0) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message
        self.status = status


class Denied(ConnectorError):
    """The credential is wrong, revoked, or too narrow: somebody must change it."""

    acts: Actor = "admin"


class Busy(ConnectorError):
    """Rate limit, outage, no answer: it passes with time. `wait` is in seconds, 0 when unknown."""

    acts: Actor = "time"

    def __init__(self, code: str, message: str = "", *, status: int = 0, wait: float = 0.0) -> None:
        super().__init__(code, message, status=status)
        self.wait = wait


class Unexpected(ConnectorError):
    """The service no longer says what we were told it says."""

    acts: Actor = "developer"


class NotDeclared(Exception):
    """A connector's declaration contradicts itself; the portal refuses to load it."""
