"""What the admin's pages share: who may open them, and that nothing is changed there except through a verb."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode

from . import access

Pages = admin.ModelAdmin[Any] if TYPE_CHECKING else admin.ModelAdmin


class ReadOnlyPages(Pages):
    """Lists and shows rows to those who hold `permission`. Nobody, superusers included, adds, changes or deletes one.

    The audit log is the only ledger, so Django's own log of admin actions is not written and its history
    page gives way to the audit entries about the row.
    """

    permission = access.MANAGE
    actions = None
    list_per_page = 50
    show_full_result_count = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return access.may(request.user, self.permission)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access.may(request.user, self.permission)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        target = f"{self.opts.model_name} {object_id}"
        return redirect(f"{reverse('admin:portal_auditentry_changelist')}?{urlencode({'target': target})}")


def page(request: HttpRequest, template: str, *, status: int = 200, **context: Any) -> TemplateResponse:
    """A page of its own within the admin's frame."""
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context}, status=status)
