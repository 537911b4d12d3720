"""Roles as data, and the one question that every page asks: may this person do that?"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase

from . import audit
from .models import User

# What can be permitted. Each is a Django permission, so groups and the admin understand it.
VIEW = "evidence.view_evidence"
CAPTURE = "evidence.capture_artifact"
REVIEW = "evidence.review_artifact"
COMMENT = "evidence.comment"
FRAMEWORKS = "evidence.manage_frameworks"
AUDITS = "evidence.manage_audits"
TAKE_PART = "evidence.take_part"
ACTIONS = "evidence.manage_actions"
EXPORT = "evidence.export_evidence"
AUDIT_LOG = "portal.view_auditentry"
SYNC = "connectors.sync_connection"
ACKNOWLEDGE = "connectors.acknowledge_anomaly"
VERIFY = "evidence.verify_evidence"
ERASE = "evidence.erase_evidence"
MANAGE = "connectors.manage_connection"
PEOPLE = "portal.change_user"

# What a team needs to gather evidence and to answer for it; who reviews it must be somebody else.
_TEAM = (
    VIEW,
    CAPTURE,
    REVIEW,
    COMMENT,
    EXPORT,
    FRAMEWORKS,
    AUDITS,
    ACTIONS,
    AUDIT_LOG,
    SYNC,
    ACKNOWLEDGE,
    VERIFY,
    ERASE,
)

# What each role's permissions are. An administrator runs the portal; a compliance manager makes
# evidence; an auditor reads it and takes it away; an external auditor sees the audits that name them, and nothing else.
ROLES: dict[str, tuple[str, ...]] = {
    "Administrator": (*_TEAM, MANAGE, PEOPLE),
    "Compliance manager": _TEAM,
    "Auditor": (VIEW, COMMENT, EXPORT, AUDIT_LOG, TAKE_PART),
    "External auditor": (COMMENT, TAKE_PART),
}


def may(person: User | AnonymousUser | Any, permission: str) -> bool:
    return bool(person.is_active and person.has_perm(permission))


def holders(permission: str) -> QuerySet[User]:
    """Everybody who may do that, by name; one question, whatever their number."""
    app, codename = permission.split(".")
    granted = {"permissions__content_type__app_label": app, "permissions__codename": codename}
    roles = Group.objects.filter(**granted)
    return (
        User.objects.filter(Q(is_superuser=True) | Q(groups__in=roles), is_active=True).distinct().order_by("username")
    )


def demand(request: HttpRequest, permission: str) -> User:
    """The signed-in person, who holds `permission`; otherwise the refusal is recorded and 403 follows."""
    person = request.user
    if isinstance(person, User) and may(person, permission):
        return person
    audit.record(audit.Action.ACCESS_REFUSED, actor=person, request=request, name=request.path, permission=permission)
    raise PermissionDenied


P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def needs(permission: str) -> Callable[[View[P]], View[P]]:
    """Decorates a page: nobody without `permission` gets in."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            demand(request, permission)
            return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]  # the test of all pages reads it
        return cast("View[P]", guarded)

    return decorate


def write_roles() -> None:
    """Makes the groups say what ROLES says. Runs after every migration; harmless to repeat."""
    known = {f"{p.content_type.app_label}.{p.codename}": p for p in Permission.objects.select_related("content_type")}
    for name, wanted in ROLES.items():
        if all(permission in known for permission in wanted):
            group, _ = Group.objects.get_or_create(name=name)
            group.permissions.set(known[permission] for permission in wanted)
