"""What people say about artifacts, actions and requests, and whom they mention. The only writer of `Comment`."""

import re
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from portal import access, audit
from portal.models import User

from . import notices
from .models import Action, Artifact, AuditRequest, Comment

LONGEST = 4000
MOST_MENTIONS = 20
_MENTION = re.compile(r"(?<![\w@])@([\w.@+-]{1,150})")
About = Artifact | Action | AuditRequest
_FIELDS: dict[type, str] = {Artifact: "artifact", Action: "action", AuditRequest: "request"}
_PAGES = {"artifact": "artifact", "action": "action", "request": "audit-request"}


def named_in(text: str) -> list[str]:
    """The user names that a text mentions as `@name`, in their order, each once. Pure."""
    found = (name.rstrip(".") for name in _MENTION.findall(text))
    return list(dict.fromkeys(found))[:MOST_MENTIONS]


def add(about: About, text: str, *, by: User, now: datetime, request: HttpRequest | None = None) -> Comment:
    """Keeps a comment and tells those whom it mentions, as far as they may comment themselves."""
    field = _FIELDS[type(about)]
    with transaction.atomic():
        comment = Comment.objects.create(**{field: about}, at=now, by=by, text=text.strip()[:LONGEST])
        mentioned = [each for each in _people(named_in(comment.text), by) if _sees(each, about)]
        comment.mentions.set(mentioned)
        audit.record(audit.Action.COMMENTED, actor=by, target=about, request=request, at=now, comment=comment.pk)
        notices.tell(
            mentioned,
            key=f"comment {comment.pk}",
            text=f"{by.get_username()} mentioned you: {about}",
            path=path_of(comment),
            now=now,
        )
    return comment


def withdraw(comment: Comment, *, by: User, now: datetime, request: HttpRequest | None = None) -> bool:
    """Takes one's own comment back: that there was one stays, and what it said does not show. False for another's."""
    with transaction.atomic():
        own = Comment.objects.filter(pk=comment.pk, by=by, withdrawn_at=None)
        if not own.update(withdrawn_at=now, text=""):
            return False
        about = comment.artifact or comment.action or comment.request
        withdrawn = audit.Action.COMMENT_WITHDRAWN
        audit.record(withdrawn, actor=by, target=about, request=request, at=now, comment=comment.pk)
    return True


def path_of(comment: Comment) -> str:
    """Where a comment stands."""
    field = next(name for name in _PAGES if getattr(comment, f"{name}_id") is not None)
    args = [getattr(comment, f"{field}_id")]
    if comment.request is not None:
        args = [comment.request.audit_id, comment.request.number]
    return f"{reverse(_PAGES[field], args=args)}#comment-{comment.pk}"


def _sees(person: User, about: About) -> bool:
    """Whether somebody may read what a comment is about: a notice names it, and an outsider sees their audits alone."""
    if access.may(person, access.VIEW):
        return True
    return isinstance(about, AuditRequest) and about.audit.auditors.filter(pk=person.pk).exists()


def _people(names: Iterable[str], by: User) -> Iterable[User]:
    return access.holders(access.COMMENT).filter(username__in=list(names)).exclude(pk=by.pk)
