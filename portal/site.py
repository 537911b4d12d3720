"""The admin site: only people who may manage connections or people come in, through the portal's own door."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, cast

from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator

from . import access, audit
from .models import User

_MAY = (("may_manage", access.MANAGE), ("may_people", access.PEOPLE), ("may_audit", access.AUDIT_LOG))


class PortalAdminSite(admin.AdminSite):
    site_header = site_title = "Compliance Portal"
    index_title = "Administration"
    index_template = "admin/portal_index.html"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        return access.may(request.user, access.MANAGE) or access.may(request.user, access.PEOPLE)

    def get_urls(self) -> list[Any]:
        from .doctor import page  # it stands on all rooms, and this module is loaded before them

        return [*page.urls(self.admin_view), *super().get_urls()]

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        """Who may not come in is told so at once; every refusal, of the stock pages too, is in the audit log."""
        inner = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            try:
                if not self.has_permission(request):
                    raise PermissionDenied
                return inner(request, *args, **kwargs)
            except PermissionDenied:
                person = cast("User", request.user)
                audit.record(audit.Action.ACCESS_REFUSED, actor=person, request=request, name=request.path)
                raise

        return update_wrapper(guarded, inner)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        may = {name: access.may(request.user, permission) for name, permission in _MAY}
        return {**super().each_context(request), **may}

    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one door: the portal's sign-in page, with its slowing down and its audit line."""
        if request.user.is_authenticated:
            return redirect("admin:index")
        return redirect_to_login(request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index"))

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Everybody changes the own password on the portal's page."""
        return redirect("password")
