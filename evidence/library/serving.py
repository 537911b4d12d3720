"""The one way that an uploaded file's bytes go out: proved first, as a download, and recorded."""

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.shortcuts import render
from django.utils.http import content_disposition_header

from connectors import troubleshooting
from portal import audit
from portal.models import User

from ..models import Version
from . import proof, store

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


def respond(request: HttpRequest, version: Version) -> HttpResponseBase:
    """The file of a stored version, whole and as a download. Whoever calls has checked that this person may have it.

    What is erased, gone or damaged is a page that says so, and no byte of it goes out.
    """
    etag = f'"{version.sha256}"'
    if grave := proof.grave_of(version):
        return _refused(request, version, "export-erased", f"This file was {grave}.")
    if fault := proof.fault_of(version):
        return _refused(request, version, "file-damaged", fault.what)
    if request.headers.get("If-None-Match") == etag:
        return HttpResponseNotModified()
    response = FileResponse(store.open(version.sha256), content_type=version.media)
    response.headers["Content-Disposition"] = content_disposition_header(True, version.name or "file") or "attachment"
    response.headers["Content-Length"] = str(version.size)
    for name, value in {**HEADERS, "ETag": etag}.items():
        response.headers[name] = value
    by = request.user if isinstance(request.user, User) else None
    audit.record(
        audit.Action.EXPORTED,
        actor=by,
        target=version.artifact,
        request=request,
        format="file",
        version=version.number,
        sha256=version.sha256,
    )
    return response


def _refused(request: HttpRequest, version: Version, code: str, why: str) -> HttpResponse:
    context = {"title": version.title, "error": {"code": code, "message": why}, "hint": troubleshooting.hint(code)}
    return render(request, "evidence/export_failed.html", context, status=410 if code == "export-erased" else 500)
