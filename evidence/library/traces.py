"""What a verb of the shelf changed, exactly: enough to tell it, to record it, and to take it back."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..models import Artifact, ArtifactRecord, Control
from . import reviewing
from .standing import AT_ONCE, batched

Link = tuple[Any, ...]  # an artifact's number, then what it is linked to: a number, or workspace, stream and key
Setting = tuple[int, str, Any, Any]  # an artifact's number, a column, its value before and after, as JSON has them

# What an artifact can be linked to: the table of the links, and the columns that name the other side.
RELATIONS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "tags": (Artifact.tags.through, ("tag_id",)),
    "collections": (Artifact.collections.through, ("collection_id",)),
    "workspaces": (Artifact.workspaces.through, ("workspace_id",)),
    "controls": (Artifact.controls.through, ("control_id",)),
    "records": (ArtifactRecord, ("workspace_id", "stream", "key")),
}


@dataclass
class Trace:
    """Links that came and went, by relation, and settings that have another value."""

    added: dict[str, list[Link]] = field(default_factory=dict)
    removed: dict[str, list[Link]] = field(default_factory=dict)
    settings: list[Setting] = field(default_factory=list)

    @property
    def artifacts(self) -> list[int]:
        """The numbers of the artifacts that something changed of."""
        links = [*self.added.values(), *self.removed.values()]
        return sorted({link[0] for each in links for link in each} | {each[0] for each in self.settings})

    def as_json(self) -> dict[str, Any]:
        return {"added": self.added, "removed": self.removed, "settings": self.settings}

    @classmethod
    def of_json(cls, said: dict[str, Any]) -> "Trace":
        added, removed = (
            {name: [tuple(link) for link in links] for name, links in said[side].items()}
            for side in ("added", "removed")
        )
        return cls(added, removed, [(pk, name, before, after) for pk, name, before, after in said["settings"]])


def standing(relation: str, pks: Iterable[int]) -> dict[Link, int]:
    """The links of these artifacts, with the numbers of their rows."""
    model, columns = RELATIONS[relation]
    found: dict[Link, int] = {}
    for some in batched(pks):
        rows = model.objects.filter(artifact_id__in=some).values_list("pk", "artifact_id", *columns)
        found |= {tuple(link): pk for pk, *link in rows}
    return found


def add(relation: str, links: Iterable[Link]) -> list[Link]:
    """Makes the links that are not there; returns them."""
    wanted = list(dict.fromkeys(links))
    there = standing(relation, sorted({link[0] for link in wanted}))
    new = [link for link in wanted if link not in there]
    model, columns = RELATIONS[relation]
    model.objects.bulk_create(
        [model(**dict(zip(("artifact_id", *columns), link, strict=True))) for link in new], batch_size=AT_ONCE
    )
    return new


def remove(relation: str, links: Iterable[Link]) -> list[Link]:
    """Takes away the links that are there; returns them."""
    wanted = list(dict.fromkeys(links))
    there = standing(relation, sorted({link[0] for link in wanted}))
    gone = [link for link in wanted if link in there]
    for some in batched(there[link] for link in gone):
        RELATIONS[relation][0].objects.filter(pk__in=some).delete()
    return gone


def put(settings: Iterable[Setting]) -> list[Setting]:
    """Gives columns their values of after, where they still have those of before; returns what was given."""
    groups: dict[tuple[str, Any, Any], list[int]] = defaultdict(list)
    for pk, name, before, after in settings:
        groups[name, before, after].append(pk)
    done: list[Setting] = []
    for (name, before, after), pks in groups.items():
        of: Any = Artifact._meta.get_field(name)
        for some in batched(pks):
            rows = Artifact.objects.filter(pk__in=some, **{name: of.to_python(before)} if before is not None else {})
            rows = rows.filter(**{f"{name}__isnull": True}) if before is None else rows
            found = list(rows.values_list("pk", flat=True))
            Artifact.objects.filter(pk__in=found).update(**{name: of.to_python(after)})
            done += [(pk, name, before, after) for pk in found]
    return done


def carry_out(wanted: Trace) -> Trace:
    """Does as much of it as can be done, in the caller's transaction; returns exactly that.

    What counts as evidence counts for as long as its rules say now.
    """
    done = Trace(
        {name: done for name, links in wanted.added.items() if (done := add(name, links))},
        {name: done for name, links in wanted.removed.items() if (done := remove(name, links))},
        put(wanted.settings),
    )
    reviewing.redate(_redated(done))
    return done


def _redated(done: Trace) -> list[int]:
    """The artifacts whose own rule changed, or that gained or lost a control that has one."""
    links = [*done.added.get("controls", ()), *done.removed.get("controls", ())]
    strict = set(
        Control.objects.filter(pk__in={link[1] for link in links}, valid_days__isnull=False).values_list(
            "pk", flat=True
        )
    )
    own = {pk for pk, name, *_ in done.settings if name == "valid_days"}
    return sorted(own | {pk for pk, control in links if control in strict})


def opposite(trace: Trace) -> Trace:
    """What takes a trace back. Pure."""
    return Trace(
        {name: list(links) for name, links in trace.removed.items()},
        {name: list(links) for name, links in trace.added.items()},
        [(pk, name, after, before) for pk, name, before, after in trace.settings],
    )


def size(trace: Trace) -> int:
    """How many single things it changes."""
    return sum(map(len, [*trace.added.values(), *trace.removed.values(), trace.settings]))
