"""Frameworks as they stand. The only writer of `Framework`, `Edition` and `Control`. Each verb is one transaction."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest

from portal import audit
from portal.models import User

from ..library import reviewing
from ..models import Control, Edition, Framework
from . import catalogues
from .catalogues import Catalogue, Differences, Entry

BUILT_IN, IMPORTED = "built-in", "imported"
_SAID = ("title", "label", "publisher", "about", "link")
_TEXTS = ("title", "text", "group", "series", "optional")


class NotPossible(Exception):
    """A verb that cannot be done. The message is for the person; `field` says beside which field it belongs."""

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.field = code, message, field


def load(
    catalogue: Catalogue, *, by: User | None, now: datetime, origin: str = IMPORTED, request: HttpRequest | None = None
) -> Edition | None:
    """Makes the framework say what the catalogue says: a new edition, and its controls. None when it says so already.

    Controls that are gone are withdrawn: what supports them stays linked. Raises NotPossible for a built-in framework's
    name.
    """
    catalogue, said = catalogues.checked(catalogue), catalogues.fingerprint(catalogue)
    with transaction.atomic():
        found, _ = Framework.objects.get_or_create(
            slug=catalogue.slug, defaults={"title": catalogue.title, "origin": origin}
        )
        framework = Framework.objects.select_for_update().get(pk=found.pk)
        if framework.origin != origin:
            raise NotPossible(
                "framework-built-in", "A framework that comes with the portal has this short name.", "slug"
            )
        newest = Edition.objects.filter(framework=framework, number=framework.number).first()
        if newest is not None and newest.sha256 == said:
            return None
        differ = catalogues.differences(catalogues.thawed(bytes(newest.body)) if newest else None, catalogue)
        edition = _next(framework, catalogue, said, by, now)
        _write(framework, catalogue)
        audit.record(
            audit.Action.FRAMEWORK_LOADED,
            actor=by,
            target=framework,
            request=request,
            at=now,
            edition=edition.number,
            sha256=said,
            added=len(differ.added),
            reworded=len(differ.reworded),
            withdrawn=len(differ.withdrawn),
        )
    return edition


def _next(framework: Framework, catalogue: Catalogue, said: str, by: User | None, now: datetime) -> Edition:
    framework.number += 1
    for name in _SAID:
        setattr(framework, name, getattr(catalogue, name))
    framework.save()
    body = catalogues.frozen(catalogue)
    return Edition.objects.create(
        framework=framework,
        number=framework.number,
        label=catalogue.label,
        sha256=said,
        body=body,
        loaded_at=now,
        loaded_by=by,
    )


def _write(framework: Framework, catalogue: Catalogue) -> None:
    """The framework's controls become the catalogue's; owner, notes and days of validity, which are ours, stay."""
    there = {each.ref: each for each in framework.controls.all()}
    for position, entry in enumerate(catalogue.controls):
        values = _values(entry, position)
        row = there.pop(entry.ref, None)
        if row is None:
            Control.objects.create(framework=framework, ref=entry.ref, **values)
        elif any(getattr(row, name) != value for name, value in values.items()):
            Control.objects.filter(pk=row.pk).update(**values)
    Control.objects.filter(pk__in=[each.pk for each in there.values()]).update(withdrawn=True)


def _values(entry: Entry, position: int) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _TEXTS} | {"position": position, "withdrawn": False}


def load_built_in(now: datetime) -> int:
    """Loads what came with a new version of the portal; returns how many editions are new."""
    known = dict(Framework.objects.filter(origin=BUILT_IN).values_list("slug", "number"))
    newest = {
        slug: sha256
        for slug, number, sha256 in Edition.objects.values_list("framework__slug", "number", "sha256")
        if known.get(slug) == number
    }
    made = 0
    for catalogue in catalogues.built_in():
        if newest.get(catalogue.slug) == catalogues.fingerprint(catalogue):
            continue
        try:
            made += load(catalogue, by=None, now=now, origin=BUILT_IN) is not None
        except (NotPossible, IntegrityError):  # a team's own framework has that name, or another worker was first
            continue
    return made


def changes_of(catalogue: Catalogue) -> Differences:
    """What loading it would change."""
    newest = Edition.objects.filter(framework__slug=catalogue.slug).order_by("-number").first()
    return catalogues.differences(catalogues.thawed(bytes(newest.body)) if newest else None, catalogue)


def catalogue_of(framework: Framework, number: int | None = None) -> Catalogue:
    """An edition's catalogue; the newest without a number. Edition.DoesNotExist when there is no such edition."""
    edition = Edition.objects.get(framework=framework, number=number or framework.number)
    return catalogues.thawed(bytes(edition.body))


def settle(
    control: Control,
    *,
    owner: User | None,
    valid_days: int | None,
    notes: str,
    by: User,
    now: datetime,
    request: HttpRequest | None = None,
) -> None:
    """What the team itself says of a control: who owns it, for how long evidence counts, and notes."""
    values = {"owner": owner, "valid_days": valid_days, "notes": notes.strip()[:4000]}
    with transaction.atomic():
        Control.objects.filter(pk=control.pk).update(**values)
        if valid_days != control.valid_days:
            reviewing.redate(control.artifacts.order_by("pk").values_list("pk", flat=True))
        said: dict[str, Any] = {"owner": owner.get_username() if owner else "", "valid_days": valid_days}
        audit.record(audit.Action.CONTROL_CHANGED, actor=by, target=control, request=request, at=now, **said)


def retire(framework: Framework, on: bool, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """Takes a framework out of sight, or brings it back; nothing of it goes."""
    with transaction.atomic():
        changed = Framework.objects.filter(pk=framework.pk, retired_at__isnull=on).update(
            retired_at=now if on else None
        )
        if changed:
            audit.record(audit.Action.CONTROL_CHANGED, actor=by, target=framework, request=request, at=now, retired=on)
