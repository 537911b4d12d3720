"""What the admin's pages share: who may open them, and that nothing is changed there except through a verb."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from . import access
from .templatetags.portal import Marked, moment, state


class ReadOnlyPages(admin.ModelAdmin[Any]):
    """Lists and shows rows to those who hold `permission`. Nobody, superusers included, adds, changes or deletes one.

    The audit log is the only ledger, so Django's own log of admin actions is not written and its history
    page gives way to the audit entries about the row.
    """

    permission = access.MANAGE
    heading = ""  # of the list
    add_heading = ""
    change_list_template = "admin/portal_list.html"
    add_form_template = change_form_template = "admin/portal_form.html"
    actions: Sequence[Callable[..., Any]] | None = None
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

    def _words(self, more: dict[str, Any] | None) -> dict[str, Any]:
        plain = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return {"heading": self.heading, "add_heading": self.add_heading, **plain, **(more or {})}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {"title": self.heading, **self._words(extra_context)})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        return super().changeform_view(request, object_id, form_url, self._words(extra_context))

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        target = f"{self.opts.model_name} {object_id}"
        return redirect(f"{reverse('admin:portal_auditentry_changelist')}?{urlencode({'target': target})}")


def when(field: str, title: str) -> Callable[[Any, Any], SafeString]:
    """A method for a column or a fact: the time in `field`, with its zone."""

    @admin.display(description=title, ordering=field)
    def shown(pages: Any, row: Any) -> SafeString:
        return moment(getattr(row, field))

    return shown


def with_code(mark: Marked, code: str) -> SafeString:
    """A state, and below it the code of what went wrong, which leads to its explanation."""
    if not code:
        return state(mark)
    where = reverse("troubleshooting-code", args=[code])
    return format_html('{}<span class="sub"><a href="{}"><code>{}</code></a></span>', state(mark), where, code)


class OwnPages(ReadOnlyPages):
    """Shows a row on a template of its own, `row_template` with what `facts` gives, instead of on the stock form."""

    row_template = ""

    def facts(self, row: Any, request: HttpRequest) -> dict[str, Any]:
        raise NotImplementedError

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request) or request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            messages.warning(request, f"There is no {self.opts.verbose_name} {object_id} any more.")
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return self.show(request, row)

    def show(self, request: HttpRequest, row: Any) -> HttpResponse:
        return page(request, self.row_template, opts=self.opts, **self.facts(row, request))


def page(request: HttpRequest, template: str, *, status: int = 200, **context: Any) -> TemplateResponse:
    """A page of its own within the admin's frame."""
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context}, status=status)
