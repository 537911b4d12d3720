"""How an artifact stands, summed up from its versions, so that a hundred thousand can be listed by it."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import islice
from typing import Any

from ..models import Artifact, Review, State, Version

# What an artifact repeats of its newest version.
_REPEATED = ("name", "media", "size", "sha256", "period_from", "period_to", "collected_at", "received_at", "source")
AT_ONCE = 500  # numbers in one statement
Standing = tuple[int, str, date | None]  # number of a version, its state, the last day on which it counts


def batched(pks: Iterable[int], size: int = AT_ONCE) -> Iterator[list[int]]:
    """So many numbers at a time."""
    rest = iter(pks)
    while some := list(islice(rest, size)):
        yield some


def good_of(standings: Iterable[Standing]) -> tuple[int | None, date | None]:
    """Number and last day of the newest version that is accepted; nothing when there is none."""
    accepted = [(number, until) for number, state, until in standings if state == State.ACCEPTED]
    return max(accepted, default=(None, None), key=lambda each: each[0])


def new_artifact(values: dict[str, Any], version: dict[str, Any], *, title: str, now: datetime) -> Artifact:
    """An artifact for a first version: it repeats that version's values from the beginning."""
    repeated = {name: version[name] for name in _REPEATED if name in version}
    return Artifact.objects.create(title=title, created_at=now, **{**repeated, **values})


def sum_up(artifact: Artifact) -> None:
    """Writes what the versions say into the artifact. Call it in the transaction of whatever changed them."""
    reviews = Review.objects.filter(version__artifact=artifact)
    standings = list(reviews.values_list("version__number", "state", "expires_on"))
    newest = Version.objects.defer("body").filter(artifact=artifact).order_by("-number").first()
    if newest is None:
        return
    good, until = good_of(standings)
    values: dict[str, Any] = {name: getattr(newest, name) for name in _REPEATED if name != "source"}
    values |= {"newest": newest.number, "good": good, "good_until": until}
    values["state"] = next(state for number, state, _ in standings if number == newest.number)
    Artifact.objects.filter(pk=artifact.pk).update(**values)
    for name, value in values.items():
        setattr(artifact, name, value)
