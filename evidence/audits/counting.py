"""What counts as evidence in an audit: versions that were accepted, and whose period overlaps the audit's.

A version that was superseded or has expired since was accepted once, and stays evidence for its own period.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from connectors.spec import State as Mark

from ..models import Answer, Artifact, Audit, EvidenceItem, Phase, Scoped, State, Version

ACCEPTED_ONCE = (State.ACCEPTED, State.SUPERSEDED, State.EXPIRED)


def overlaps(first: date | None, last: date | None, collected_on: date, begins: date, ends: date) -> bool:
    """Whether a period touches the audit's; both include their last day. Without one, the day of collection counts.

    A period without a beginning or an end is open on that side.
    """
    if first is None and last is None:
        first = last = collected_on
    return (first is None or first <= ends) and (last is None or last >= begins)


def within(audit: Audit) -> Q:
    """`overlaps`, as a question to the database about versions."""
    begins, ends = audit.period_from, audit.period_to
    undated = Q(period_from=None, period_to=None)
    midnight = [timezone.make_aware(datetime.combine(day, time.min)) for day in (begins, ends + timedelta(days=1))]
    collected = undated & Q(collected_at__gte=midnight[0], collected_at__lt=midnight[1])
    starts = Q(period_from=None) | Q(period_from__lte=ends)
    stops = Q(period_to=None) | Q(period_to__gte=begins)
    return collected | (~undated & starts & stops)


def candidates(audit: Audit) -> QuerySet[Version]:
    """Versions of the audit's period and workspaces, however they stand. An artifact of no workspace is of any."""
    found = Version.objects.filter(within(audit), artifact__archived_at=None).defer("body")
    named = list(audit.workspaces.values_list("pk", flat=True))
    if named:
        links = Artifact.workspaces.through.objects.filter(artifact=OuterRef("artifact"))
        found = found.filter(Exists(links.filter(workspace__in=named)) | ~Exists(links))
    return found.select_related("review")


def counting(audit: Audit) -> QuerySet[Version]:
    return candidates(audit).filter(review__state__in=ACCEPTED_ONCE)


@dataclass
class Support:
    """What an audit has for one control. `waiting`: versions of the period that nobody has accepted yet."""

    versions: list[Version] = field(default_factory=list)
    waiting: int = 0

    def mark(self, day: date) -> Mark:
        """How it stands on this day: within the audit's period, not today's."""
        if not self.versions:
            return Mark("run", "In review") if self.waiting else Mark("none", "Missing")
        ends = [each.review.expires_on for each in self.versions]
        return Mark("stale", "Expired") if all(end and end < day for end in ends) else Mark("pass", "Supported")


def by_control(audit: Audit) -> dict[int, Support]:
    """Control's number -> what supports it: three queries, whatever the number of controls."""
    found: dict[int, Support] = defaultdict(Support)
    scoped = Scoped.objects.filter(audit=audit, within=True).values("control")
    links = Artifact.controls.through.objects.filter(control__in=scoped).values_list("control_id", "artifact_id")
    controls: dict[int, list[int]] = defaultdict(list)
    for control, artifact in links:
        controls[artifact].append(control)
    # A subquery and not the list: an audit may have more artifacts than a query has room for parameters.
    linked = Artifact.controls.through.objects.filter(control__in=scoped).values("artifact")
    for version in candidates(audit).filter(artifact__in=linked).order_by("artifact_id", "number"):
        for control in controls[version.artifact_id]:
            if version.review.state in ACCEPTED_ONCE:
                found[control].versions.append(version)
            elif version.review.state in (State.DRAFT, State.REVIEW):
                found[control].waiting += 1
    return found


def frozen(audit: Audit) -> dict[int, Support]:
    """The same of a closed audit, from its evidence set."""
    found: dict[int, Support] = defaultdict(Support)
    items = EvidenceItem.objects.filter(audit=audit, control__isnull=False).select_related("version__review")
    for item in items.defer("version__body").order_by("version__artifact_id", "version__number"):
        assert item.control_id is not None
        found[item.control_id].versions.append(item.version)
    return found


def support(audit: Audit) -> dict[int, Support]:
    return frozen(audit) if audit.phase == Phase.CLOSED else by_control(audit)


def shown(audit: Audit) -> QuerySet[Version]:
    """The versions that an auditor may open: of a closed audit its evidence set, else what counts and what answers."""
    if audit.phase == Phase.CLOSED:
        return Version.objects.filter(pk__in=EvidenceItem.objects.filter(audit=audit).values("version"))
    scoped = Scoped.objects.filter(audit=audit, within=True).values("control")
    linked = Artifact.controls.through.objects.filter(control__in=scoped).values("artifact")
    counted = counting(audit).filter(artifact__in=linked).values("pk")
    answers = Answer.objects.filter(request__audit=audit, withdrawn_at=None, version__review__state__in=ACCEPTED_ONCE)
    return Version.objects.filter(Q(pk__in=counted) | Q(pk__in=answers.values("version")))


def answered_by(answers: Iterable[Answer]) -> tuple[list[Answer], int]:
    """The answers that an auditor may see, and how many others wait until somebody accepts them."""
    standing = [each for each in answers if each.withdrawn_at is None]
    seen = [each for each in standing if each.version.review.state in ACCEPTED_ONCE]
    return seen, len(standing) - len(seen)
