"""What supports each control, and whether that is fresh. Counted in the database: constant questions for any number."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Count, Max, Q, QuerySet

from connectors import registry
from connectors.spec import State as Mark

from ..models import Action, Control, State

SOON = timedelta(days=30)
WORDS = {
    "fresh": Mark("pass", "Fresh"),
    "soon": Mark("partial", "Expires soon"),
    "review": Mark("run", "In review"),
    "stale": Mark("stale", "Stale"),
    "missing": Mark("none", "Missing"),
}


@dataclass(frozen=True)
class Support:
    """What a control has. `state` is a key of WORDS.

    fresh     artifacts with an accepted version that counts today; `until` the last day on which one of them counts
    waiting   artifacts whose newest version is in review; `held` all that are linked
    forever   whether one of the fresh ones does not expire
    """

    held: int = 0
    fresh: int = 0
    waiting: int = 0
    forever: bool = False
    until: date | None = None
    actions: int = 0
    late: int = 0

    def state(self, today: date) -> str:
        if self.fresh:
            soon = not self.forever and self.until is not None and self.until <= today + SOON
            return "soon" if soon else "fresh"
        return "review" if self.waiting else "stale" if self.held else "missing"

    def gaps(self, today: date) -> list[str]:
        """What is lacking, a sentence each; none when nothing is."""
        state = self.state(today)
        found = {
            "missing": ["No artifact is linked to this control."],
            "stale": ["No linked artifact has an accepted version that counts today."],
            "review": ["The evidence waits for a review."],
            "soon": [f"The last evidence stops to count in {(self.until - today).days} days." if self.until else ""],
        }.get(state, [])
        late = [f"{self.late} action{'' if self.late == 1 else 's'} for it {'is' if self.late == 1 else 'are'} late."]
        return found + late * bool(self.late)


def of(controls: Iterable[Control], today: date) -> dict[int, Support]:
    """Support by the number of the control, for all that are asked for. Two questions."""
    pks = [each.pk for each in controls]
    good = Q(artifacts__archived_at=None, artifacts__good__isnull=False)
    counts = good & (Q(artifacts__good_until=None) | Q(artifacts__good_until__gte=today))
    rows = (
        Control.objects.filter(pk__in=pks)
        .order_by()
        .values("pk")
        .annotate(
            held=Count("artifacts", filter=Q(artifacts__archived_at=None)),
            fresh=Count("artifacts", filter=counts),
            waiting=Count("artifacts", filter=Q(artifacts__archived_at=None, artifacts__state=State.REVIEW)),
            endless=Count("artifacts", filter=good & Q(artifacts__good_until=None)),
            until=Max("artifacts__good_until", filter=counts),
        )
    )
    acts = _actions(pks, today)
    return {
        row["pk"]: Support(
            row["held"], row["fresh"], row["waiting"], bool(row["endless"]), row["until"], *acts.get(row["pk"], (0, 0))
        )
        for row in rows
    }


def _actions(pks: list[int], today: date) -> dict[int, tuple[int, int]]:
    """How many actions are open for each control, and how many of them are late."""
    still = Action.objects.filter(controls__in=pks, stand__in=("open", "doing")).order_by()
    rows = still.values_list("controls").annotate(many=Count("pk"), late=Count("pk", filter=Q(due_on__lt=today)))
    return {control: (many, late) for control, many, late in rows}


def reports_for(control: Control) -> list[tuple[str, str, str]]:
    """Connector, name and title of each report that speaks to a control, by the connectors' own declarations."""
    asked = f"{control.framework.slug} {control.ref}"
    return [
        (connector.slug, report.name, report.title)
        for connector in registry.all_connectors().values()
        for report in connector.reports
        if asked in report.supports
    ]


def siblings(control: Control) -> QuerySet[Control]:
    """Other controls that the same artifacts support, those with the most in common first."""
    shared = Count("artifacts", filter=Q(artifacts__controls=control, artifacts__archived_at=None), distinct=True)
    ours = control.artifacts.filter(archived_at=None).values("pk")
    held = Control.objects.exclude(pk=control.pk).filter(artifacts__in=ours)
    return held.select_related("framework").annotate(shared=shared).order_by("-shared", "framework", "position")
