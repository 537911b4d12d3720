"""Artifacts, controls and people for tests of the library, made by the portal's own verbs without a workspace."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from evidence.library import standing
from evidence.models import Artifact, Control, Framework, Kind, Review, Source, State, Version

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def control(ref: str = "CC6.1", slug: str = "soc2") -> Control:
    framework, _ = Framework.objects.get_or_create(slug=slug, defaults={"title": slug.upper(), "origin": "built-in"})
    found, _ = Control.objects.get_or_create(
        framework=framework, ref=ref, defaults={"title": f"About {ref}", "position": framework.controls.count()}
    )
    return found


def artifact(owner: Any, title: str = "Picture", *, now: datetime = NOW, **more: Any) -> Artifact:
    """An artifact with one version that is a draft; its bytes lie nowhere, so it can be listed and not opened."""
    made: Artifact = Artifact.objects.create(
        title=title,
        kind=Kind.FILE,
        source=Source.UPLOAD,
        owner=owner,
        created_at=now,
        media="image/png",
        sha256="ab" * 32,
        collected_at=now,
        received_at=now,
        **more,
    )
    version(made, owner, now=now)
    return made


def version(of: Artifact, by: Any, *, now: datetime = NOW) -> Version:
    made: Version = Version.objects.create(
        artifact=of,
        number=of.newest + 1,
        title=of.title,
        name="picture.png",
        media="image/png",
        size=1,
        sha256="ab" * 32,
        source=Source.UPLOAD,
        stored=True,
        collected_at=now,
        received_at=now,
        received_by=by,
        body=b"",
    )
    Review.objects.create(version=made)
    standing.sum_up(of)
    return made


def accept(of: Artifact, by: Any, *, until: date | None = None, now: datetime = NOW + timedelta(hours=1)) -> None:
    """Has its newest version stand as accepted by `by`."""
    Review.objects.filter(version__artifact=of, state=State.ACCEPTED).update(state=State.SUPERSEDED)
    newest = Review.objects.filter(version__artifact=of, version__number=of.newest)
    newest.update(state=State.ACCEPTED, decided_by=by, decided_at=now, expires_on=until)
    standing.sum_up(of)
