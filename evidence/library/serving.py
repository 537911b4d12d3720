"""The one way in which bytes of an uploaded file go out. The seam of `files`, whose module takes its place."""

from django.http import FileResponse, HttpRequest, HttpResponseBase

from ..models import Version
from . import store


def respond(request: HttpRequest, version: Version) -> HttpResponseBase:
    """The file to be saved, never shown inline. Raises store.Missing."""
    name = version.name or f"{version.sha256[:8]}.bin"
    answer = FileResponse(store.open(version.sha256), as_attachment=True, filename=name)
    answer.headers["Content-Type"] = "application/octet-stream"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
