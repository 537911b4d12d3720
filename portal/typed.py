"""What somebody had typed when the login ended before the form was sent: not lost, and nowhere but in that browser.

The form's fields, without its secret ones, travel through the sign-in in a signed cookie that is sent to the form's
own address alone, no script can read, and that ends after an hour or when the form is sent again.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

COOKIE = "typed"
LASTS = 3600  # seconds
LONGEST = 3500  # bytes; browsers keep cookies of 4096 with their name and attributes

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def keeps(*fields: str) -> Callable[[View[P]], View[P]]:
    """Decorates a page with a form: these fields of it outlive an ended login. Never name one that is secret."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def kept(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            response = view(request, *args, **kwargs)
            if request.method == "POST" and COOKIE in request.COOKIES:
                response.delete_cookie(COOKIE, path=request.path, samesite="Lax")
            return response

        kept.keeps_typed = fields  # type: ignore[attr-defined]  # the middleware below reads it
        return cast("View[P]", kept)

    return decorate


def before(request: HttpRequest) -> QueryDict | None:
    """What was typed into this form before its sender had to sign in; None when nothing was."""
    if request.method == "POST" or COOKIE not in request.COOKIES:
        return None
    try:
        return QueryDict(signing.loads(request.COOKIES[COOKIE], salt=COOKIE, max_age=LASTS))
    except signing.BadSignature:
        return None


class SignInFirst(LoginRequiredMiddleware):
    """Sends whoever is not signed in to sign in, and from there back to the page that was being worked on."""

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponseRedirect:
        if request.method != "POST":
            return super().handle_no_permission(request, view_func)
        response = redirect_to_login(_page_of(request), resolve_url(self.get_login_url(view_func)))
        if fields := getattr(view_func, "keeps_typed", ()):
            _keep(response, request, fields)
        return response


def _page_of(request: HttpRequest) -> str:
    """The page on which the button stood, as the browser says: many buttons' own addresses show nothing."""
    came_from = request.headers.get("Referer", "")
    if came_from and url_has_allowed_host_and_scheme(came_from, {request.get_host()}, request.is_secure()):
        parts = urlsplit(came_from)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path
    return request.get_full_path()


def _keep(response: HttpResponse, request: HttpRequest, fields: tuple[str, ...]) -> None:
    """The longest field gives way when all of them are more than a cookie holds."""
    held = QueryDict(mutable=True)
    for name in sorted(fields, key=lambda name: sum(map(len, request.POST.getlist(name)))):
        held.setlist(name, request.POST.getlist(name))
        value = signing.dumps(held.urlencode(), salt=COOKIE, compress=True)
        if len(value) > LONGEST:
            break
        response.set_cookie(
            COOKIE,
            value,
            max_age=LASTS,
            path=request.path,
            secure=settings.HTTPS,
            httponly=True,
            samesite="Lax",
        )
