"""What people write to name tags, collections, controls and people, and what of it is not known. It only reads."""

from collections.abc import Iterable

from portal import access
from portal.models import User

from ..models import Collection, Control

MOST = 200  # names in one text


def parts(text: str) -> list[str]:
    """The names in a text, with commas, semicolons or lines between them; each once. Pure."""
    split = text.replace(";", ",").replace("\n", ",").split(",")
    return list(dict.fromkeys(name for each in split if (name := " ".join(each.split()))))[:MOST]


def controls(text: str) -> tuple[list[Control], list[str]]:
    """The controls that a text names as `framework reference`, and a sentence for each that is not known."""
    wanted = parts(text)
    slugs = {name.rpartition(" ")[0].casefold() for name in wanted}
    rows = Control.objects.select_related("framework").filter(framework__slug__in=slugs)
    known = {f"{row.framework.slug} {row.ref}".casefold(): row for row in rows} if wanted else {}
    missing = [f"There is no control “{name}”." for name in wanted if name.casefold() not in known]
    return [known[name.casefold()] for name in wanted if name.casefold() in known], missing


def said(of: Iterable[Control]) -> list[str]:
    """How controls are written. Their frameworks must be at hand."""
    return [f"{each.framework.slug} {each.ref}" for each in of]


def collections(text: str) -> tuple[list[Collection], list[str]]:
    """The collections that a text names, and a sentence for each that is not there."""
    wanted = parts(text)
    known = {row.name: row for row in Collection.objects.filter(name__in=wanted)}
    missing = [f"There is no collection “{name}”." for name in wanted if name not in known]
    return [known[name] for name in wanted if name in known], missing


def owner(name: str) -> tuple[User | None, str]:
    """The person of this user name, or why they cannot own artifacts."""
    person = User.objects.filter(username=name.strip(), is_active=True).first()
    if person is None:
        return None, f"There is nobody called “{name.strip()[:150]}” who may sign in."
    return (person, "") if access.may(person, access.CAPTURE) else (None, f"{person} may not keep artifacts.")


def keepers() -> list[User]:
    """Everybody who may own artifacts."""
    people = User.objects.filter(is_active=True).order_by("username").prefetch_related("groups")
    roles = {role for role, permitted in access.ROLES.items() if access.CAPTURE in permitted}
    return [each for each in people if each.is_superuser or roles & {group.name for group in each.groups.all()}]
