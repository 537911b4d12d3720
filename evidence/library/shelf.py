"""How artifacts are organised: titles, owners, tags, collections, links, the archive. None of it touches a version.

Every verb is one transaction with an audit line for each artifact that it changed, and returns a `Trace` of exactly
that. `artifacts` is one artifact, or the numbers of many.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest

from connectors.models import Workspace
from portal import audit, canon
from portal.models import User

from ..models import Artifact, Collection, Control, Tag
from . import traces
from .standing import batched
from .traces import RELATIONS, Trace

MOST = 5000  # artifacts at once
MOST_TAGS = 30  # on one artifact
LONGEST_TAG = 60
SETTINGS = ("title", "notes", "owner_id", "valid_days")
Some = Artifact | Iterable[int]
Detail = Mapping[str, str | int | float | bool | None]


class NotPossible(Exception):
    """What cannot be done, in a sentence for the page; `code` is explained under /help/, "" for what a form lacks."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


# --- what stands ------------------------------------------------------------------------------------------------


def tags_in(text: str) -> list[str]:
    """The tags that a text names, with commas between them: small letters, one space between words. Pure."""
    found = (" ".join(audit.clean(part, 200).casefold().split()) for part in text.replace(";", ",").split(","))
    return list(dict.fromkeys(name for name in found if name))


def wrong_tags(names: Sequence[str]) -> str:
    """What is wrong with these tags, "" when nothing is. Pure."""
    if long := [name for name in names if len(name) > LONGEST_TAG]:
        return f"A tag has {LONGEST_TAG} characters at most: “{long[0][:LONGEST_TAG]}…” is longer."
    return f"An artifact has {MOST_TAGS} tags at most." if len(names) > MOST_TAGS else ""


def stands(artifact: Artifact) -> dict[str, Any]:
    """What of an artifact can be edited, as it stands in the database: settings, and links by relation."""
    said: dict[str, Any] = dict(Artifact.objects.filter(pk=artifact.pk).values(*SETTINGS).get())
    for relation in RELATIONS:
        said[relation] = sorted(link[1:] for link in traces.standing(relation, [artifact.pk]))
    return said


def mark(stood: Mapping[str, Any]) -> str:
    """A short name for a state, which a form carries so that nobody overwrites what they have not seen. Pure."""
    plain = {name: [list(link) for link in value] if name in RELATIONS else value for name, value in stood.items()}
    return canon.digest(canon.canonical(plain)).hex()[:32]


# --- verbs ------------------------------------------------------------------------------------------------------


def change(
    artifact: Artifact, *, by: User, now: datetime, seen: str = "", request: HttpRequest | None = None, **fields: Any
) -> Trace:
    """Gives one artifact other values. `fields`: title, notes, owner, valid_days; tags (names), collections,
    workspaces, controls, records (workspace, stream, key) as a whole, each replacing what was there.

    `seen` is the `mark` of the state that somebody edited. NotPossible when it stands otherwise by now.
    """
    with transaction.atomic():
        Artifact.objects.select_for_update().get(pk=artifact.pk)
        stood = stands(artifact)
        if seen and seen != mark(stood):
            raise NotPossible("artifact-changed-meanwhile", "Somebody else changed this artifact while you edited it.")
        done = traces.carry_out(wish(artifact.pk, stood, fields))
        _record(done, by=by, now=now, request=request)
    return done


def wish(pk: int, stood: Mapping[str, Any], fields: Mapping[str, Any]) -> Trace:
    """What is to be changed for an artifact that stands like this to have these fields (see `change`)."""
    wanted = Trace()
    for name, value in fields.items():
        if name in RELATIONS:
            links = set(_links(name, value))
            before = {tuple(link) for link in stood[name]}
            wanted.added[name] = [(pk, *link) for link in sorted(links - before)]
            wanted.removed[name] = [(pk, *link) for link in sorted(before - links)]
        else:
            column, plain = ("owner_id", value.pk) if name == "owner" else (name, value)
            plain = audit.clean(plain.strip(), 200) if column == "title" else plain
            if plain != stood[column]:
                wanted.settings.append((pk, column, stood[column], plain))
    return wanted


def arrange(wishes: Iterable[Trace], *, by: User, now: datetime, request: HttpRequest | None = None) -> Trace:
    """Many artifacts at once, each as `wish` says, in one transaction."""
    wanted = Trace()
    for each in wishes:
        for name in RELATIONS:
            wanted.added.setdefault(name, []).extend(each.added.get(name, ()))
            wanted.removed.setdefault(name, []).extend(each.removed.get(name, ()))
        wanted.settings += each.settings
    return _do(wanted, by=by, now=now, request=request)


def tag(artifacts: Some, names: Sequence[str], *, by: User, now: datetime, request: HttpRequest | None = None) -> Trace:
    """Puts tags on artifacts. Tags that nobody has used yet are made."""
    return _link(artifacts, {"tags": names}, by=by, now=now, request=request)


def untag(
    artifacts: Some, names: Sequence[str], *, by: User, now: datetime, request: HttpRequest | None = None
) -> Trace:
    return _unlink(artifacts, {"tags": names}, by=by, now=now, request=request)


def gather(
    artifacts: Some, collection: Collection, *, by: User, now: datetime, request: HttpRequest | None = None
) -> Trace:
    """Puts artifacts into a collection."""
    return _link(artifacts, {"collections": [collection]}, by=by, now=now, request=request)


def take_out(
    artifacts: Some, collection: Collection, *, by: User, now: datetime, request: HttpRequest | None = None
) -> Trace:
    """Takes artifacts out of a collection."""
    return _unlink(artifacts, {"collections": [collection]}, by=by, now=now, request=request)


def link(
    artifacts: Some,
    *,
    controls: Iterable[Control] = (),
    workspaces: Iterable[Workspace] = (),
    records: Iterable[tuple[int, str, str]] = (),
    by: User,
    now: datetime,
    request: HttpRequest | None = None,
) -> Trace:
    """Says what artifacts support, or are about. A record is the number of its workspace, its stream and its key."""
    others = {"controls": controls, "workspaces": workspaces, "records": records}
    return _link(artifacts, others, by=by, now=now, request=request)


def unlink(
    artifacts: Some,
    *,
    controls: Iterable[Control] = (),
    workspaces: Iterable[Workspace] = (),
    records: Iterable[tuple[int, str, str]] = (),
    by: User,
    now: datetime,
    request: HttpRequest | None = None,
) -> Trace:
    others = {"controls": controls, "workspaces": workspaces, "records": records}
    return _unlink(artifacts, others, by=by, now=now, request=request)


def hand_over(artifacts: Some, owner: User, *, by: User, now: datetime, request: HttpRequest | None = None) -> Trace:
    """Gives artifacts another owner."""
    return _set(artifacts, "owner_id", owner.pk, by=by, now=now, request=request)


def archive(artifacts: Some, *, by: User, now: datetime, request: HttpRequest | None = None) -> Trace:
    """Takes artifacts out of the lists. Nothing is deleted, and what they support stays supported by them."""
    said = now.isoformat()
    action = audit.Action.ARTIFACT_ARCHIVED
    return _set(artifacts, "archived_at", said, by=by, now=now, request=request, action=action, only_empty=True)


def restore(artifacts: Some, *, by: User, now: datetime, request: HttpRequest | None = None) -> Trace:
    """Takes artifacts from the archive."""
    action = audit.Action.ARTIFACT_RESTORED
    return _set(artifacts, "archived_at", None, by=by, now=now, request=request, action=action)


# --- collections ------------------------------------------------------------------------------------------------


def name_collection(
    name: str, about: str, *, collection: Collection | None = None, by: User, now: datetime, request: HttpRequest
) -> Collection:
    """Makes a collection, or gives one another name and description. NotPossible when the name is empty or taken."""
    named, said = audit.clean(" ".join(name.split()), 120), audit.clean(" ".join(about.split()), 300)
    if not named or set(named) & set(",;"):
        raise NotPossible("", "Give the collection a name, without commas and semicolons.")
    made = collection or Collection(created_at=now, created_by=by)
    before, made.name, made.about = made.name, named, said
    try:
        with transaction.atomic():
            made.save()
            what = "made" if collection is None else "changed"
            action = audit.Action.COLLECTION_CHANGED
            audit.record(action, actor=by, target=made, request=request, at=now, what=what, before=before)
    except IntegrityError:
        raise NotPossible("", f"There is a collection “{named}” already.") from None
    return made


def drop_collection(collection: Collection, *, by: User, now: datetime, request: HttpRequest) -> None:
    """Deletes an empty collection. NotPossible while artifacts lie in it."""
    with transaction.atomic():
        Collection.objects.select_for_update().get(pk=collection.pk)
        if many := collection.artifacts.count():
            raise NotPossible("collection-not-empty", f"{many} artifacts lie in it. Take them out first.")
        action = audit.Action.COLLECTION_CHANGED
        audit.record(action, actor=by, target=collection, request=request, at=now, what="deleted")
        collection.delete()


# --- one way for all --------------------------------------------------------------------------------------------


def _link(artifacts: Some, others: Mapping[str, Iterable[Any]], **who: Any) -> Trace:
    pks = _numbers(artifacts)
    sides = {name: _links(name, values) for name, values in others.items()}
    return _do(Trace(added={name: [(pk, *to) for pk in pks for to in side] for name, side in sides.items()}), **who)


def _unlink(artifacts: Some, others: Mapping[str, Iterable[Any]], **who: Any) -> Trace:
    pks = _numbers(artifacts)
    sides = {name: _links(name, values, make=False) for name, values in others.items()}
    return _do(Trace(removed={name: [(pk, *to) for pk in pks for to in side] for name, side in sides.items()}), **who)


def _set(artifacts: Some, column: str, value: Any, *, only_empty: bool = False, **who: Any) -> Trace:
    """Gives a column of many artifacts one value, where it has another, or where it has none."""
    with transaction.atomic():
        rows = [row for some in batched(_numbers(artifacts)) for row in _locked(some)]
        held = [(row.pk, getattr(row, column)) for row in rows]
        plain = [(pk, before.isoformat() if isinstance(before, datetime) else before) for pk, before in held]
        other = [each for each in plain if (each[1] is None if only_empty else each[1] != value)]
        return _do(Trace(settings=[(pk, column, before, value) for pk, before in other]), **who)


def _do(wanted: Trace, *, action: audit.Action = audit.Action.ARTIFACT_CHANGED, **who: Any) -> Trace:
    if len(wanted.artifacts) > MOST:
        raise NotPossible("too-many-artifacts", f"At most {MOST:,} artifacts can be changed at once.")
    with transaction.atomic():
        for some in batched(wanted.artifacts):
            _locked(some)
        done = traces.carry_out(wanted)
        _record(done, action=action, **who)
    return done


def _locked(pks: Iterable[int]) -> list[Artifact]:
    """These artifacts, in the order of their numbers, so that two verbs never wait for each other."""
    return list(Artifact.objects.select_for_update().defer("notes").filter(pk__in=list(pks)).order_by("pk"))


def _numbers(artifacts: Some) -> list[int]:
    return [artifacts.pk] if isinstance(artifacts, Artifact) else sorted(set(artifacts))


def _links(relation: str, others: Iterable[Any], make: bool = True) -> list[tuple[Any, ...]]:
    """The other sides of links: of tags' names, which are made where they are new, of rows, or of records."""
    if relation == "tags":
        names = list(dict.fromkeys(others))
        there = dict(Tag.objects.filter(name__in=names).values_list("name", "pk"))
        for name in names if make else ():
            if name not in there:
                there[name] = Tag.objects.get_or_create(name=name)[0].pk
        return [(there[name],) for name in names if name in there]
    return [tuple(each) if relation == "records" else (each.pk,) for each in others]


# --- the audit log ----------------------------------------------------------------------------------------------


def _record(
    done: Trace,
    *,
    by: User,
    now: datetime,
    request: HttpRequest | None = None,
    action: audit.Action = audit.Action.ARTIFACT_CHANGED,
    **more: str | int,
) -> None:
    titles = dict(row for some in batched(done.artifacts) for row in _titles(some))
    details = _details(done)
    targets = ((Artifact(pk=pk, title=titles.get(pk, "")), {**details[pk], **more}) for pk in done.artifacts)
    audit.record_each(action, targets, actor=by, request=request, at=now)


def record_undone(done: Trace, label: str, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    _record(done, by=by, now=now, request=request, action=audit.Action.UNDONE, undone=label)


def _titles(pks: Iterable[int]) -> Iterable[tuple[int, str]]:
    return Artifact.objects.filter(pk__in=list(pks)).values_list("pk", "title")


def _details(done: Trace) -> dict[int, dict[str, Any]]:
    """For each artifact, by the name of what changed: links that came (+) or went (-), or the value before and after.

    Notes may hold anything: the log says only that they changed.
    """
    said: dict[int, dict[str, Any]] = {pk: {} for pk in done.artifacts}
    for sign, side in (("+", done.added), ("-", done.removed)):
        for relation, links in side.items():
            names = _names(relation, {link[1:] for link in links})
            for pk, *other in links:
                before = said[pk].get(relation)
                text = f"{sign} {names.get(tuple(other), other[-1])}"
                said[pk][relation] = f"{before}; {text}" if before else text
    people = dict(User.objects.filter(pk__in=_owners(done)).values_list("pk", "username"))
    for pk, column, before, after in done.settings:
        if column == "notes":
            said[pk]["notes"] = "changed"
        else:
            words = [people.get(v, "") if column == "owner_id" else "none" if v is None else v for v in (before, after)]
            said[pk][column.removesuffix("_id")] = f"{words[0]} → {words[1]}"
    return said


def _owners(done: Trace) -> set[int]:
    return {value for _, column, *both in done.settings if column == "owner_id" for value in both}


def _names(relation: str, others: set[tuple[Any, ...]]) -> dict[tuple[Any, ...], str]:
    """What each of these is called."""
    if relation == "records":
        return {other: f"{other[1]} {other[2]}" for other in others}
    model = getattr(Artifact, relation).field.related_model
    return {(row.pk,): str(row) for row in model._default_manager.filter(pk__in=[pk for (pk,) in others])}
