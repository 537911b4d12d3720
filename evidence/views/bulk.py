"""One verb for many artifacts of the list: how many, with what, and then all in one go, which can be taken back."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from portal.access import CAPTURE, demand, needs
from portal.models import User

from .. import undoing
from ..library import finding, references, reviewing, shelf
from ..library.shelf import NotPossible
from ..library.standing import batched
from ..library.traces import Trace
from ..models import Artifact, Collection, Version
from . import asked

SHOWN = 10  # titles on the page that asks


@dataclass(frozen=True)
class Verb:
    """`asks` names the input that it needs: tags, collection, owner, controls, or none. `done` follows a number."""

    title: str
    done: str
    asks: str = ""


VERBS = {
    "tag": Verb("Put tags on", "were tagged", "tags"),
    "untag": Verb("Take tags off", "lost tags", "tags"),
    "gather": Verb("Put into a collection", "were put into the collection", "collection"),
    "take-out": Verb("Take out of a collection", "were taken out of the collection", "collection"),
    "hand-over": Verb("Change the owner", "have another owner", "owner"),
    "link": Verb("Link to controls", "were linked", "controls"),
    "unlink": Verb("Unlink from controls", "were unlinked", "controls"),
    "submit": Verb("Submit for review", "were submitted for review"),
    "archive": Verb("Archive", "were archived"),
    "restore": Verb("Take from the archive", "were taken from the archive"),
}


def chosen(data: QueryDict) -> tuple["QuerySet[Artifact]", finding.Asked]:
    """The artifacts that a form of the list chooses: those that are ticked, or all that its filters leave."""
    wanted = finding.asked(QueryDict(str(data["query"])) if "query" in data else data)
    picked = [number for text in data.getlist("pick") if (number := asked.whole(text)) is not None]
    if picked and data.get("all") != "1":
        return Artifact.objects.filter(pk__in=picked), finding.Asked("", False, {})
    return finding.found(wanted, timezone.localdate()), wanted


@needs(CAPTURE)
@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """Asks what the verb needs, and carries it out once the page that asked was sent with the same number."""
    by, data = demand(request, CAPTURE), request.POST
    name = str(data.get("verb", ""))
    back = f"{reverse('artifacts')}?{QueryDict(str(data.get('query', ''))).urlencode()}"
    rows, _ = chosen(data)
    pks = list(rows.order_by("pk").values_list("pk", flat=True)[: shelf.MOST + 1])
    if refused := _refused(name, data, len(pks)):
        messages.error(request, refused)
        return redirect(back)
    verb, wrong = VERBS[name], ""
    sent = str(data.get("count", "")) == str(len(pks))
    if sent or (len(pks) == 1 and not verb.asks):
        try:
            return _carry_out(request, name, pks, by, back)
        except NotPossible as error:
            wrong = error.message
    elif data.get("count"):
        wrong = "Meanwhile another number of artifacts matches. Look again, then go on."
    some = Artifact.objects.filter(pk__in=pks[:SHOWN]).order_by("pk").values_list("title", flat=True)
    context = {"verb": verb, "name": name, "pks": pks, "some": some, "more": max(0, len(pks) - SHOWN), "back": back}
    return render(request, "evidence/bulk.html", context | {"said": data, "wrong": wrong} | _choices(verb))


def _refused(name: str, data: QueryDict, many: int) -> str:
    """Why the page cannot ask for more, "" when it can."""
    if name not in VERBS:
        return "Choose what to do with the artifacts first."
    if not data.getlist("pick") and data.get("all") != "1":
        return "Tick the artifacts first, or choose all that match."
    if not many:
        return "No artifact is left that matches."
    return f"At most {shelf.MOST:,} artifacts can be changed at once: narrow the list." if many > shelf.MOST else ""


def _choices(verb: Verb) -> dict[str, Any]:
    if verb.asks == "collection":
        return {"collections": Collection.objects.all()}
    return {"people": references.keepers()} if verb.asks == "owner" else {}


def _carry_out(request: HttpRequest, name: str, pks: list[int], by: User, back: str) -> HttpResponseRedirect:
    now, verb = timezone.now(), VERBS[name]
    if name == "submit":
        _submit(request, pks, by, now)
        return redirect(back)
    done = _DO[name](pks, request.POST, {"by": by, "now": now, "request": request})
    many = len(done.artifacts)
    said = f"{many} artifact{'' if many == 1 else 's'} {verb.done}"
    said = said.replace(" were ", " was ").replace(" have ", " has ") if many == 1 else said
    left = len(pks) - many
    rest = f" {left} were so already." if left > 1 else " One was so already." if left else ""
    told(request, done, f"{said}.{rest}", by, now)
    return redirect(back)


def told(request: HttpRequest, done: Trace, text: str, by: User, now: datetime) -> None:
    """Says what was done, with a button that takes it back; nothing is offered where nothing changed."""
    if not done.artifacts:
        messages.info(request, text)
        return
    undo = undoing.offer(
        by=by, now=now, what=undoing.SHELF, label=text.split(".", maxsplit=1)[0], before=done.as_json()
    )
    messages.success(request, text, extra_tags=f"undo-{undo.pk}")


def _submit(request: HttpRequest, pks: list[int], by: User, now: datetime) -> None:
    """Submits the newest version of each; each for itself, so that one that cannot be stops no other."""
    done, reasons = 0, Counter[str]()
    for some in batched(pks):
        newest = {row.pk: row.newest for row in Artifact.objects.filter(pk__in=some).only("newest")}
        versions = Version.objects.defer("body").select_related("artifact").filter(artifact__in=some)
        for version in versions:
            if version.number != newest[version.artifact_id]:
                continue
            try:
                reviewing.submit(version, by=by, now=now, request=request)
                done += 1
            except reviewing.NotPossible as error:
                reasons[error.message] += 1
    messages.success(request, f"{done} of {len(pks)} were submitted for review. A decision cannot be undone.")
    for why, many in reasons.most_common(5):
        messages.warning(request, f"{many} not: {why}")


# --- what each verb takes from the form -------------------------------------------------------------------------


def _tags(data: QueryDict) -> list[str]:
    names = shelf.tags_in(str(data.get("tags", "")))
    if not names:
        raise NotPossible("", "Write at least one tag.")
    if wrong := shelf.wrong_tags(names):
        raise NotPossible("", wrong)
    return names


def _collection(data: QueryDict, make: dict[str, Any] | None = None) -> Collection:
    """The one that is chosen, or a new one where `make` says who makes it."""
    new, said = str(data.get("new", "")).strip(), str(data.get("collection", ""))
    if new and make is not None:
        there = Collection.objects.filter(name=" ".join(new.split())).first()
        return there or shelf.name_collection(new, "", **make)
    found = Collection.objects.filter(pk=said).first() if said.isascii() and said.isdigit() and len(said) < 10 else None
    if found is None:
        raise NotPossible("", "Choose a collection.")
    return found


def _owner(data: QueryDict) -> User:
    person, wrong = references.owner(str(data.get("owner", "")))
    if person is None or wrong:
        raise NotPossible("", wrong)
    return person


def _controls(data: QueryDict) -> list[Any]:
    found, missing = references.controls(str(data.get("controls", "")))
    if missing or not found:
        raise NotPossible("", " ".join(missing[:5]) or "Write at least one control, for instance soc2 CC6.1.")
    return found


_DO: dict[str, Callable[[list[int], QueryDict, dict[str, Any]], Trace]] = {
    "tag": lambda pks, data, who: shelf.tag(pks, _tags(data), **who),
    "untag": lambda pks, data, who: shelf.untag(pks, _tags(data), **who),
    "gather": lambda pks, data, who: shelf.gather(pks, _collection(data, who), **who),
    "take-out": lambda pks, data, who: shelf.take_out(pks, _collection(data), **who),
    "hand-over": lambda pks, data, who: shelf.hand_over(pks, _owner(data), **who),
    "link": lambda pks, data, who: shelf.link(pks, controls=_controls(data), **who),
    "unlink": lambda pks, data, who: shelf.unlink(pks, controls=_controls(data), **who),
    "archive": lambda pks, data, who: shelf.archive(pks, **who),
    "restore": lambda pks, data, who: shelf.restore(pks, **who),
}
