"""The life of an action; the only writer of `Action` and `Step`. Each verb is one transaction, one line in the log."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from portal import audit
from portal.canon import canonical, digest
from portal.models import User

from .. import notices
from ..library import shelf
from ..models import Action, Artifact, Control, Stand, Step
from . import recurrence

MOST_STEPS = 40
OPEN = (Stand.OPEN, Stand.DOING)


class NotPossible(Exception):
    """A verb that cannot be done now. The message is for the person; `field` says beside which field it belongs."""

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.field = code, message, field


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What an action says, as a person or a template wrote it. `steps` are the lines of its checklist."""

    title: str
    text: str = ""
    owner: User | None = None
    due_on: date | None = None
    recurs: str = ""
    wants: str = ""
    wanted: int = 0
    valid_days: int | None = None
    workspace: Any = None
    steps: Sequence[str] = ()
    controls: Iterable[Control] = field(default=())

    @property
    def columns(self) -> dict[str, Any]:
        """The values of its row; the checklist and the controls are rows of their own."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("steps", "controls")}


# --- making -------------------------------------------------------------------------------------


def make(
    draft: Draft,
    *,
    by: User | None,
    now: datetime,
    origin: str = "hand",
    template: str = "",
    about: Artifact | None = None,
    previous: Action | None = None,
    request: HttpRequest | None = None,
) -> Action:
    """Makes an action; its owner is told when somebody else made it."""
    with transaction.atomic():
        action = Action.objects.create(
            **draft.columns,
            origin=origin,
            template=template,
            about=about,
            previous=previous,
            created_at=now,
            created_by=by,
        )
        _write_steps(action, draft.steps)
        action.controls.set(draft.controls)
        audit.record(audit.Action.ACTION_ADDED, actor=by, target=action, request=request, at=now, origin=origin)
        _tell_owner(action, by, now)
    return action


def change(
    action: Action, draft: Draft, *, was: str, by: User, now: datetime, request: HttpRequest | None = None
) -> None:
    """Changes what an action says; ticks of lines that stay are kept. `was`: `mark_of` the action that the form showed.

    Raises NotPossible when somebody else has changed it meanwhile, or it is done or dropped.
    """
    with transaction.atomic():
        found = Action.objects.select_for_update().get(pk=action.pk)
        if mark_of(found) != was:
            raise NotPossible("action-changed", "Somebody else has changed this action meanwhile: look at it again.")
        _demand_open(found)
        before = found.owner_id
        for name, value in draft.columns.items():
            setattr(found, name, value)
        found.save()
        _write_steps(found, draft.steps)
        found.controls.set(draft.controls)
        audit.record(audit.Action.ACTION_CHANGED, actor=by, target=found, request=request, at=now)
        if found.owner_id != before:
            _tell_owner(found, by, now)


_SAID = ("title", "text", "owner_id", "due_on", "recurs", "wants", "wanted", "stand", "valid_days", "workspace_id")


def mark_of(action: Action) -> str:
    """Changes whenever what a form would change has changed."""
    steps = "\n".join(step.text for step in action.steps.all())
    controls = sorted(action.controls.values_list("pk", flat=True))
    said = [
        getattr(action, name) for name in ("title", "text", "owner_id", "due_on", "recurs", "wants", "wanted", "stand")
    ]
    said += [steps, controls, action.valid_days, action.workspace_id]
    return digest(canonical([str(each) for each in said])).hex()[:32]


def _write_steps(action: Action, lines: Sequence[str]) -> None:
    """The checklist as it is now; a line that stays keeps its tick."""
    ticked = {step.text: step for step in action.steps.all() if step.done_at}
    action.steps.all().delete()
    cut = [line.strip()[:500] for line in lines if line.strip()][:MOST_STEPS]
    rows = [Step(action=action, position=at, text=line) for at, line in enumerate(cut)]
    for row in rows:
        if old := ticked.get(row.text):
            row.done_at, row.done_by = old.done_at, old.done_by
    Step.objects.bulk_create(rows)


def _tell_owner(action: Action, by: User | None, now: datetime) -> None:
    if action.owner and action.owner != by:
        text = f"An action is yours: {action.title}"
        notices.tell(
            [action.owner], key=f"action {action.pk} for {action.owner_id}", text=text, path=path_of(action), now=now
        )


def path_of(action: Action) -> str:
    return reverse("action", args=[action.pk])


# --- working ------------------------------------------------------------------------------------


def start(action: Action, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """Somebody has begun; who nobody owned it before does now."""
    values = {"stand": Stand.DOING} | ({} if action.owner_id else {"owner": by})
    _move(action, (Stand.OPEN,), values, audit.Action.ACTION_CHANGED, by=by, now=now, request=request)


def tick(action: Action, position: int, on: bool, *, by: User, now: datetime) -> None:
    """Ticks one line of the checklist, or takes the tick back."""
    with transaction.atomic():
        _demand_open(Action.objects.select_for_update().get(pk=action.pk))
        values = {"done_at": now, "done_by": by} if on else {"done_at": None, "done_by": None}
        if Step.objects.filter(action=action, position=position, done_at__isnull=on).update(**values):
            audit.record(audit.Action.ACTION_CHANGED, actor=by, target=action, at=now, step=position + 1, ticked=on)


def attach(action: Action, artifact: Artifact, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """An artifact is what the action asked for; it supports the action's controls from now on as well."""
    with transaction.atomic():
        _demand_open(Action.objects.select_for_update().get(pk=action.pk))
        action.evidence.add(artifact)
        shelf.link(artifact, controls=action.controls.all(), by=by, now=now, request=request)
        audit.record(
            audit.Action.ACTION_CHANGED, actor=by, target=action, request=request, at=now, attached=artifact.pk
        )


def detach(action: Action, artifact: Artifact, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """Takes an artifact from an action again; what it supports stays as it is."""
    with transaction.atomic():
        _demand_open(Action.objects.select_for_update().get(pk=action.pk))
        action.evidence.remove(artifact)
        audit.record(
            audit.Action.ACTION_CHANGED, actor=by, target=action, request=request, at=now, detached=artifact.pk
        )


# --- ending -------------------------------------------------------------------------------------


def lacking(action: Action) -> list[str]:
    """What is missing before it can be done, a sentence each."""
    left = action.steps.filter(done_at=None).count()
    accepted = action.evidence.filter(good__isnull=False).count()
    renewed = action.about is None or renewal_came(action.about, action.due_on)
    return sentences(left, action.wanted, accepted, renewed)


def sentences(left: int, wanted: int, accepted: int, renewed: bool) -> list[str]:
    """Pure: `left` lines of the checklist without a tick, `wanted` artifacts of which `accepted` are there."""
    found = []
    if left:
        found.append(
            f"{left} line{'' if left == 1 else 's'} of the checklist {'is' if left == 1 else 'are'} not ticked."
        )
    if accepted < wanted:
        asked = "1 artifact" if wanted == 1 else f"{wanted} artifacts"
        there = "none is" if not accepted else f"{accepted} {'is' if accepted == 1 else 'are'}"
        found.append(f"It asks for {asked}, and {there} attached and accepted by a reviewer.")
    if not renewed:
        found.append("The artifact has no newer version that a reviewer has accepted.")
    return found


def renewal_came(about: Artifact, due_on: date | None) -> bool:
    """Whether what expires on that day counts for longer now."""
    return about.good is not None and (about.good_until is None or due_on is None or about.good_until > due_on)


def finish(
    action: Action, *, by: User, now: datetime, today: date, request: HttpRequest | None = None
) -> Action | None:
    """An action is done, once it has what it asked for; returns the next one when it recurs. Raises NotPossible."""
    with transaction.atomic():
        found = Action.objects.select_for_update().get(pk=action.pk)
        if missing := lacking(found):
            raise NotPossible("action-unfinished", " ".join(missing))
        values = {"stand": Stand.DONE, "done_at": now, "done_by": by}
        _move(found, OPEN, values, audit.Action.ACTION_DONE, by=by, now=now, request=request)
        return _next(found, now, today)


def _next(done: Action, now: datetime, today: date) -> Action | None:
    day = recurrence.following(done.due_on, done.recurs, today)
    if day is None or Action.objects.filter(previous=done).exists():
        return None
    names = set(Draft.__dataclass_fields__) - {"steps", "controls", "due_on"}
    said = {name: getattr(done, name) for name in names}
    draft = Draft(**said, due_on=day, steps=[s.text for s in done.steps.all()], controls=done.controls.all())
    return make(draft, by=None, now=now, origin="recurrence", template=done.template, previous=done)


def drop(action: Action, reason: str, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """Nobody will do it, for a reason. Raises NotPossible."""
    said = audit.clean(reason.strip(), 500)
    if not said:
        raise NotPossible("action-reason", "Say why it will not be done.", "reason")
    values = {"stand": Stand.DROPPED, "reason": said}
    _move(action, OPEN, values, audit.Action.ACTION_DROPPED, by=by, now=now, request=request, reason=said)


def reopen(action: Action, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """Takes the end of an action back: nothing about it was signed."""
    values = {"stand": Stand.OPEN, "done_at": None, "done_by": None, "reason": ""}
    ended = (Stand.DONE, Stand.DROPPED)
    _move(action, ended, values, audit.Action.ACTION_CHANGED, by=by, now=now, request=request, reopened=True)


def hand_to(action: Action, owner: User | None, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    values = {"owner": owner}
    name = owner.get_username() if owner else ""
    _move(action, OPEN, values, audit.Action.ACTION_CHANGED, by=by, now=now, request=request, owner=name)
    _tell_owner(Action.objects.select_related("owner").get(pk=action.pk), by, now)


def put_off(
    action: Action, due_on: date | None, *, by: User, now: datetime, request: HttpRequest | None = None
) -> None:
    values, said = {"due_on": due_on}, due_on.isoformat() if due_on else ""
    _move(action, OPEN, values, audit.Action.ACTION_CHANGED, by=by, now=now, request=request, due_on=said)


def _move(
    action: Action,
    fro: Iterable[str],
    values: dict[str, Any],
    verb: audit.Action,
    *,
    by: User,
    now: datetime,
    request: HttpRequest | None,
    **detail: Any,
) -> None:
    """One conditional UPDATE: of two who act at once one does. Raises NotPossible."""
    with transaction.atomic():
        if not Action.objects.filter(pk=action.pk, stand__in=list(fro)).update(**values):
            stands = Action.objects.get(pk=action.pk).get_stand_display().lower()
            raise NotPossible("action-elsewhere", f"That is not possible any more: the action is “{stands}”.")
        audit.record(verb, actor=by, target=action, request=request, at=now, **detail)


def _demand_open(action: Action) -> None:
    if action.stand not in OPEN:
        stands = action.get_stand_display().lower()
        raise NotPossible("action-elsewhere", f"That is not possible any more: the action is “{stands}”.")
