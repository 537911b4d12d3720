"""The steps about the token: how it is made, then what it is called, where it belongs, and the token itself."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from portal import typed
from portal.access import MANAGE, needs

from .. import connections, credentials, registry
from ..conditions import today
from ..connections import NotPossible
from ..models import Connection, Environment
from ..spec import Connector
from .frame import became, locked, of_draft, onward, step_page, who

FIELDS = ("name", "environment", "region", "role", "made")  # all but the token


@needs(MANAGE)
@require_safe
@of_draft
def steps(request: HttpRequest, connection: Connection) -> HttpResponse:
    return step_page(request, "steps", connection, connector=registry.get(connection.connector))


class TokenForm(forms.Form):
    """`seen` names the token that the draft had when the page was shown; the rules are the verb's."""

    name = forms.CharField(required=False, max_length=120)
    environment = forms.CharField(required=False, max_length=20)
    region = forms.CharField(required=False, max_length=20)
    role = forms.ChoiceField(required=False)
    made = forms.DateField(required=False, error_messages={"invalid": "Write the day as 2026-11-25."})
    token = forms.CharField(required=False, max_length=10_000, strip=False)
    seen = forms.CharField(required=False, max_length=24)

    def __init__(self, connector: Connector, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = self.fields["role"]
        assert isinstance(roles, forms.ChoiceField)
        roles.choices = [(role.name, role.title) for role in connector.guide.roles]


@typed.keeps(*FIELDS)
@sensitive_post_parameters("token")
@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
@of_draft
def token(request: HttpRequest, connection: Connection) -> HttpResponse:
    connector = registry.get(connection.connector)
    form = TokenForm(connector, request.POST if request.method == "POST" else None)
    refused: NotPossible | None = None
    if request.method == "POST" and form.is_valid():
        try:
            _keep(request, connection, form.cleaned_data)
            return onward(request, connection, "check")
        except NotPossible as error:
            if error.code == "wrong-state":
                return became(request, connection.pk)
            refused = error
            form.add_error(error.field or None, error.message)
    again = typed.before(request)
    given: Mapping[str, Any] = form.data if form.is_bound else again or _known(connection, connector)
    return step_page(
        request,
        "token",
        connection,
        connector=connector,
        form=form,
        refused=refused,
        again=again is not None,
        given={name: given.get(name, "") for name in FIELDS},
        environments=Environment.choices,
        regions=registry.regions(connector).values(),
    )


def _known(connection: Connection, connector: Connector) -> dict[str, str]:
    """What the fields show at first: what the row says, else the usual choice."""
    roles = connector.guide.roles
    begun = bool(connection.region)
    return {
        "name": connection.name if begun else "",
        "environment": connection.environment,
        "region": connection.region or next(iter(registry.regions(connector))),
        "role": connection.token_role or (roles[0].name if roles else ""),
        "made": str(connection.token_made or "") if begun else str(today(timezone.now())),
    }


def _keep(request: HttpRequest, connection: Connection, given: dict[str, Any]) -> None:
    with transaction.atomic():
        fresh = locked(connection)
        clean = registry.get(fresh.connector).clean(given["token"])
        if clean and given["seen"] != fresh.token_fingerprint != credentials.token_print(clean):
            raise NotPossible(
                "changed-meanwhile",
                f"In another window this draft was given the token that ends in {fresh.token_hint}. "
                "Nothing was stored. Load this page again to go on with it, or connect another workspace anew.",
                field="token",
            )
        named = {name: given[name] for name in (*FIELDS, "token")}
        later = "later" in request.POST
        connections.set_credential(fresh, **named, by=who(request), now=timezone.now(), later=later)
