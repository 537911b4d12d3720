"""The admin site: only people who may manage connections or people come in, through the portal's own door."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from . import access


class PortalAdminSite(admin.AdminSite):
    site_header = site_title = "Evidence portal"
    index_title = "Administration"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        return access.may(request.user, access.MANAGE) or access.may(request.user, access.PEOPLE)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one door: the portal's sign-in page, with its slowing down and its audit line."""
        access.demand(request, access.MANAGE) if request.user.is_authenticated else None
        return redirect(f"/sign-in/?next={request.path}")
