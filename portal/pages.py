"""What all pages share: safe headers, and logs without secrets."""

import logging
import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

_SECRETS = [re.compile(r"(?i)bearer\s+\S+")]


def hide(pattern: re.Pattern[str]) -> None:
    """Registers what a service's tokens look like, so that no log line can carry one."""
    if pattern not in _SECRETS:
        _SECRETS.append(pattern)


def without_secrets(text: str) -> str:
    for pattern in _SECRETS:
        text = pattern.sub("[hidden]", text)
    return text


class WithoutSecrets(logging.Filter):
    """Takes tokens out of log lines and tracebacks. The last net, not the first: nothing should log one."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_secrets(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = without_secrets(record.exc_text)
        return True


class SafeHeaders:
    """Headers that Django does not set by itself; pages of signed-in people are not kept by caches."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        )
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if getattr(request, "user", None) is not None and request.user.is_authenticated:
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response
