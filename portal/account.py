"""What people set for themselves: their password, and light or dark."""

from collections.abc import Callable
from typing import cast

from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse, reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from . import audit
from .frame import THEME_COOKIE, THEMES
from .models import User

_A_YEAR = 365 * 24 * 3600


@require_POST
def appearance(request: HttpRequest) -> HttpResponse:
    """Keeps the chosen theme in a cookie of this browser and goes back to where the person was."""
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    response = redirect(back if safe else "home")
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        response.set_cookie(
            THEME_COOKIE, theme, max_age=_A_YEAR, secure=request.is_secure(), httponly=True, samesite="Lax"
        )
    else:
        response.delete_cookie(THEME_COOKIE)
    return response


class OwnPasswordFirst:
    """Whoever signed in with a password that somebody else chose comes no further before choosing one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        free = {reverse("password"), reverse("logout"), reverse("appearance")}
        if getattr(request.user, "one_time_password", False) and request.path not in free:
            messages.warning(request, "This password was made for one sign-in: choose your own, then go on.")
            return redirect("password")
        return self._get_response(request)


class Password(auth_views.PasswordChangeView):
    """Changing one's own password. Other sessions of the same person end with it."""

    template_name = "account/password.html"
    success_url = reverse_lazy("password")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        response, person = super().form_valid(form), cast("User", self.request.user)
        User.objects.filter(pk=person.pk).update(one_time_password=False)
        audit.record(
            audit.Action.PERSON_CHANGED, actor=person, target=person, request=self.request, what="own password"
        )
        messages.success(self.request, "Your password is changed. Your other sessions are signed out.")
        return response
