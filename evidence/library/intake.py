"""Bodies of requests while they arrive: what is too large, or finds the disk full, is stopped with a sentence."""

import tempfile
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.templatetags.portal import size

from . import store

FILES_AT_ONCE = 10  # so many of the largest fit into one request
SHORT = 1_000_000  # bytes of a form without files


class NotTooLarge:
    """Refuses a request by the length that it announces, before a byte of its body is read.

    Who is not signed in hands in no files: their forms are short. It stands behind the authentication, and all bodies
    are read later, by the page or by the check of its form.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > SHORT and int(length) > _most(request):
            context = {"length": size(int(length)), "most": size(settings.UPLOAD_MAX)}
            return render(request, "413.html", context, status=413)
        return self._get_response(request)


def _most(request: HttpRequest) -> int:
    return FILES_AT_ONCE * settings.UPLOAD_MAX if _signed_in(request) else SHORT


def _signed_in(request: HttpRequest | None) -> bool:
    return bool(request is not None and request.user.is_authenticated)


class Measured(FileUploadHandler):
    """Writes each file beside the store; what cannot be kept goes at once, and `refusals_of` says why."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if not _signed_in(self.request):  # the body is read for its form's key before the sign-in is asked for
            raise SkipFile
        self._size = 0
        self.file: Any = tempfile.NamedTemporaryFile(dir=store.incoming(), prefix="upload-")  # noqa: SIM115

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._size += len(raw_data)
        if self._size > settings.UPLOAD_MAX:
            self._refuse("upload-too-large", too_large())
        try:
            self.file.write(raw_data)
        except OSError:
            self._refuse("upload-disk-full", DISK_FULL)

    def file_complete(self, file_size: int) -> "UploadedFile[Any]":
        self.file.seek(0)
        return UploadedFile(self.file, self.file_name, self.content_type or "", file_size)

    def upload_interrupted(self) -> None:
        if hasattr(self, "file"):
            self.file.close()

    def _refuse(self, code: str, sentence: str) -> None:
        self.file.close()
        refusals_of(self.request).append((str(self.file_name), code, sentence))
        raise SkipFile


DISK_FULL = "The disk of the portal is full, so nothing of this file was kept."


def too_large() -> str:
    return f"It is larger than {size(settings.UPLOAD_MAX)}, which is the most that a file may have here."


def refusals_of(request: Any) -> list[tuple[str, str, str]]:
    """Name, code and sentence of each file of this request that was stopped while it arrived."""
    found: list[tuple[str, str, str]] = request.__dict__.setdefault("_stopped_files", [])
    return found
