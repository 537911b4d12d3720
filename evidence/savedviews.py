"""Lists as people like them: what an address asks for, under a name. The only writer of `SavedView`."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.urls import NoReverseMatch, reverse

from portal import audit
from portal.models import User

from .library.shelf import NotPossible
from .models import SavedView

# The lists that can be saved, by the name of their address.
PAGES = ("artifacts", "reviews", "controls", "actions", "audits")
MOST = 50  # of one person for one list
LONGEST = 1000  # characters of an address
_LEFT_OUT = ("page", "pick", "view")


@dataclass(frozen=True)
class Offered:
    """A saved view as a list offers it."""

    view: SavedView
    href: str
    own: bool
    current: bool


def asked(query: str) -> str:
    """What a query string asks for, without the number of the page. Pure."""
    pairs = [(name, value) for name, value in parse_qsl(query) if name not in _LEFT_OUT and value]
    return urlencode(pairs)


def seen_by(person: User) -> QuerySet[SavedView]:
    return SavedView.objects.filter(Q(owner=person) | Q(shared=True)).select_related("owner").order_by("name", "pk")


def offered(person: User, page: str, query: str) -> list[Offered]:
    """A person's own views of a list and those shared with the team; `current` are those that the address asks for."""
    now = asked(query)
    rows = seen_by(person).filter(page=page)[:200]
    return [Offered(row, f"{path(page)}?{row.query}", row.owner_id == person.pk, row.query == now) for row in rows]


def path(page: str) -> str:
    """Where a list stands. NotPossible for a page whose views are not kept."""
    if page not in PAGES:
        raise NotPossible("", "Views of this page cannot be saved.")
    try:
        return reverse(page)
    except NoReverseMatch:
        raise NotPossible("", "Views of this page cannot be saved.") from None


def save(*, by: User, page: str, name: str, query: str, shared: bool) -> SavedView:
    """Keeps a view, in the place of one's own of that name."""
    path(page)
    named, wanted = audit.clean(" ".join(name.split()), 80), asked(query)
    if not named:
        raise NotPossible("", "Give the view a name.")
    if len(wanted) > LONGEST:
        raise NotPossible("", "This view asks for too much to be saved: take some filters away.")
    own = SavedView.objects.filter(owner=by, page=page)
    if own.exclude(name=named).count() >= MOST:
        raise NotPossible("", f"You have {MOST} views of this list: delete one first.")
    return own.update_or_create(
        name=named, defaults={"query": wanted, "shared": shared}, create_defaults=_new(by, page, wanted, shared)
    )[0]


def rename(pk: int, *, by: User, name: str, shared: bool) -> SavedView:
    """Gives one's own view another name. SavedView.DoesNotExist for somebody else's."""
    view = SavedView.objects.get(pk=pk, owner=by)
    view.name, view.shared = audit.clean(" ".join(name.split()), 80), shared
    if not view.name:
        raise NotPossible("", "Give the view a name.")
    try:
        with transaction.atomic():
            view.save(update_fields=["name", "shared"])
    except IntegrityError:
        raise NotPossible("", f"You have a view “{view.name}” of this list already.") from None
    return view


def drop(pk: int, *, by: User) -> str:
    """Deletes one's own view; returns its page. SavedView.DoesNotExist for somebody else's."""
    view = SavedView.objects.get(pk=pk, owner=by)
    view.delete()
    return view.page


def _new(by: User, page: str, query: str, shared: bool) -> dict[str, object]:
    return {"owner": by, "page": page, "query": query, "shared": shared}
