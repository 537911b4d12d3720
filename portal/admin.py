"""People and the audit log in the admin. A person has one role; single permissions and flags are not given.

The queue's own admin pages are closed: whoever may edit its schedules may run any function.
"""

from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, UserCreationForm
from django.contrib.auth.models import Group
from django.db.models import Model, Q, QuerySet
from django.forms.models import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from . import access, audit
from .adminpages import ReadOnlyPages, when
from .models import AuditEntry, User

ADMINISTRATOR = "Administrator"


def is_administrator(person: User) -> bool:
    return person.is_active and (person.is_superuser or person.groups.filter(name=ADMINISTRATOR).exists())


def other_administrators(person: User) -> QuerySet[User]:
    administrators = User.objects.filter(Q(is_superuser=True) | Q(groups__name=ADMINISTRATOR), is_active=True)
    return administrators.exclude(pk=person.pk).distinct()


def refusal(person: User, *, role: str, active: bool, by: User) -> str:
    """Why `person` cannot be given this role and state, "" when they can.

    Locks the administrators' group until the transaction ends: two administrators cannot remove each other.
    """
    list(Group.objects.select_for_update().filter(name=ADMINISTRATOR))
    if person.pk == by.pk and not active:
        return "You cannot deactivate yourself. Ask another administrator."
    keeps = active and role == ADMINISTRATOR
    if not keeps and is_administrator(User.objects.get(pk=person.pk)) and not other_administrators(person).exists():
        return "This is the last administrator. Make somebody else an administrator first."
    return ""


def role_field() -> "forms.ModelChoiceField[Group]":
    meanings = "An administrator runs the portal, a compliance manager makes evidence, an auditor reads it."
    return forms.ModelChoiceField(
        Group.objects.filter(name__in=access.ROLES).order_by("name"), empty_label="Choose a role", help_text=meanings
    )


class NewPersonForm(UserCreationForm[User]):
    role = role_field()

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email")

    def save(self, commit: bool = True) -> User:
        self.instance.one_time_password = True
        return super().save(commit)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].label = "One-time password"
        self.fields["password2"].label = "One-time password again"
        self.fields["password2"].help_text = "Tell it to the person yourself; it is not shown again and not sent."


class PersonForm(forms.ModelForm[User]):
    """`by` is the administrator at work, set by the admin page."""

    by: User
    role = role_field()

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "is_active")
        labels = {"is_active": "May sign in"}
        help_texts = {"is_active": "Take this away instead of deleting a person: what they did stays named."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["role"] = Group.objects.filter(name=self.instance.role).first()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if (role := cleaned.get("role")) is not None:
            active = bool(cleaned.get("is_active"))
            if why := refusal(self.instance, role=role.name, active=active, by=self.by):
                self.add_error("is_active" if not active else "role", why)
        return cleaned


class NewPasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]  # takes no argument at run time
    """A one-time password. Everybody signs in with one, so the choice to have none is not offered."""

    def save(self, commit: bool = True) -> User:
        self.user.one_time_password = True
        person: User = super().save(commit)
        return person

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("usable_password", None)
        for field in self.fields.values():
            field.required = True


class RoleFilter(admin.SimpleListFilter):
    title = parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in access.ROLES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        name = self.value()
        if name == ADMINISTRATOR:
            return queryset.filter(Q(is_superuser=True) | Q(groups__name=name)).distinct()
        return queryset.filter(groups__name=name, is_superuser=False) if name else queryset


@admin.register(User)
class PeoplePages(ReadOnlyPages, UserAdmin[User]):
    """Nobody is deleted: a person who is deactivated cannot sign in, and what they did stays named."""

    permission = access.PEOPLE
    heading, add_heading = "People", "Add a person"
    add_form_template = ReadOnlyPages.add_form_template
    form = PersonForm
    add_form = NewPersonForm
    change_password_form = NewPasswordForm
    change_user_password_template = "admin/portal_new_password.html"  # noqa: S105  # a file
    add_fieldsets = (
        (None, {"fields": ("username", "first_name", "last_name", "email", "role", "password1", "password2")}),
    )
    fieldsets = (
        (None, {"fields": ("username", "first_name", "last_name", "email", "role", "is_active")}),
        ("Sign-in", {"fields": ("new_password", "signed_in", "added")}),
    )
    readonly_fields = ("new_password", "signed_in", "added")
    filter_horizontal = ()
    list_display = ("username", "full_name", "email", "role", "may_sign_in", "signed_in")
    list_filter = (RoleFilter, "is_active")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)
    signed_in, added = when("last_login", "Last sign-in"), when("date_joined", "Added")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return access.may(request.user, self.permission)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access.may(request.user, self.permission)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm[Any]]:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.by = request.user  # type: ignore[attr-defined]  # the form is made anew for each request
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """A role says all that a person may: with another role, a flag from the command line goes."""
        if "role" in form.changed_data:
            obj.is_superuser = False
        obj.save()
        if "role" in form.changed_data:
            obj.groups.set([form.cleaned_data["role"]])

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record(request, obj, "added")

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        changed = message[0].get("changed", {}) if message else {}
        self._record(request, obj, ", ".join(changed.get("fields", [])) or "nothing")

    def _record(self, request: HttpRequest, person: User, what: str) -> None:
        role = User.objects.get(pk=person.pk).role
        by = request.user if isinstance(request.user, User) else None
        audit.record(
            audit.Action.PERSON_CHANGED,
            actor=by,
            target=person,
            request=request,
            changed=what,
            role=role,
            active=person.is_active,
        )

    @admin.display(description="Name", ordering="last_name")
    def full_name(self, person: User) -> str:
        return person.get_full_name()

    @admin.display(description="May sign in", ordering="is_active")
    def may_sign_in(self, person: User) -> str:
        return "Yes" if person.is_active else "No"

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        messages.success(request, f"“{obj}” may sign in with the one-time password, as {obj.role.lower()}.")
        return redirect("admin:portal_user_changelist")

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        messages.success(request, f"“{obj}” was changed.")
        return redirect("admin:portal_user_changelist")

    @admin.display(description="Password")
    def new_password(self, person: User) -> SafeString:
        where = reverse("admin:auth_user_password_change", args=[person.pk])
        return format_html('<a class="btn" href="{}">Set a one-time password…</a>', where)


@admin.register(AuditEntry)
class AuditEntryPages(ReadOnlyPages):
    permission = access.AUDIT_LOG
    heading = "Audit entries"
    list_display = ("time", "actor_name", "action", "target_name", "address")
    list_filter = ("action",)
    search_fields = ("actor_name", "target_name", "target")
    date_hierarchy = "at"
    fields = ("time", "actor_name", "address", "action", "target", "target_name", "detail")
    readonly_fields = ("time",)
    time = when("at", "Time")


closed: list[type[Model]] = [Group, *apps.get_app_config("django_q").get_models()]
for model in closed:
    if admin.site.is_registered(model):
        admin.site.unregister(model)
