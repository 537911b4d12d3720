"""What is said: compact JSON, and refusals in the service's envelope."""

import json
from collections.abc import Mapping
from typing import Any

Json = Any


def encode(value: Json) -> bytes:
    """Compact JSON in UTF-8, as the service sends it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Refusal(Exception):
    """An answer that is an error. `headers` go with it, `more` are further fields of its entry."""

    def __init__(
        self, status: int, kind: str, message: str, *, headers: Mapping[str, str] | None = None, **more: Json
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.entry = {"type": kind, "message": message, "status": status, **more}

    def body(self) -> bytes:
        """The whole body."""
        return encode({"errors": [self.entry]})


def not_found(message: str = "There is no such record in this workspace.") -> Refusal:
    """The refusal of what is not there."""
    return Refusal(404, "NotFound", message)


def invalid(field: str, message: str) -> Refusal:
    """The refusal of a parameter."""
    return Refusal(422, "ValidationFailure", message, field=field)


def too_many(used: int, *, wait_ms: int | None = None, headers: Mapping[str, str] | None = None) -> Refusal:
    """The refusal of a token that has called too often; without `wait_ms` the body does not say for how long."""
    wait = {} if wait_ms is None else {"msBeforeNext": wait_ms}
    data = {"remainingPoints": 0, **wait, "consumedPoints": used}
    return Refusal(429, "RequestError", "Too many requests", headers=headers, data=data)
