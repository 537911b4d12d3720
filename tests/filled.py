"""`python -m tests.filled [--count 100000]`: what the library's list costs when there are very many artifacts.

Prints server time (the best of five, after one to warm up) and queries. DATABASE_URL may name a PostgreSQL server.
`fill` makes the artifacts, for other measurements too.
"""

import argparse
import hashlib
import os
import sys
from datetime import timedelta
from typing import Any

import django

if __name__ == "__main__":
    import tests.environment  # noqa: F401  # keys and a folder of its own, before the settings

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()

WORDS = ("Access list", "Source overview", "Tracking plan", "Destination filters", "Audit trail", "Warehouse syncs")
MEDIAS = ("application/pdf", "image/png", "text/csv", "text/plain")
STATES = ("draft", "review", "accepted", "accepted", "accepted", "rejected", "expired")
PEOPLE, TAGS, COLLECTIONS = 20, 60, 30


def fill(count: int, *, most: int = 2) -> list[Any]:
    """So many artifacts with one version and one review each, `most` tags and controls, half of them in a collection.

    Every second one is a file. Returns the people who own them. Uses the controls that there are, or makes 40.
    """
    from django.contrib.auth.models import Group
    from django.utils import timezone

    from connectors.models import Workspace
    from evidence.models import Artifact, Collection, Review, Tag, Version
    from portal.models import User

    now = timezone.now()
    role = Group.objects.get(name="Compliance manager")
    people = [User.objects.create_user(f"keeper-{n}") for n in range(PEOPLE)]
    role.user_set.add(*people)
    tags = Tag.objects.bulk_create([Tag(name=f"tag {n}") for n in range(TAGS)])
    folders = Collection.objects.bulk_create(
        [Collection(name=f"Folder {n}", created_at=now, created_by=people[0]) for n in range(COLLECTIONS)]
    )
    workspace = Workspace.objects.create(
        connector="segment", remote_id="shelves", region="us", slug="shelves", name="Shelves"
    )
    rows = Artifact.objects.bulk_create((_artifact(n, people, now) for n in range(count)), batch_size=2000)
    versions = Version.objects.bulk_create((_version(row) for row in rows), batch_size=2000)
    Review.objects.bulk_create((_review(version, people[0], now) for version in versions), batch_size=2000)
    controls = _controls()
    for relation, others, each in (("tags", tags, most), ("controls", controls, most), ("workspaces", [workspace], 1)):
        _connect(relation, rows, others, each)
    _connect("collections", rows[::2], folders, 1)
    _analyze()
    return people


def _artifact(n: int, people: list[Any], now: Any) -> Any:
    from evidence.models import Artifact

    state, at = STATES[n % len(STATES)], now - timedelta(minutes=7 * n)
    report = n % 2 == 0
    return Artifact(
        title=f"{WORDS[n % len(WORDS)]} {n}",
        notes="Kept for the review of the year. " * 8,
        kind="report" if report else "file",
        source="report" if report else "upload",
        report="people" if report else "",
        owner=people[n % len(people)],
        created_at=at,
        newest=1,
        state=state,
        name="" if report else f"evidence-{n}.pdf",
        media="application/json" if report else MEDIAS[n // 2 % len(MEDIAS)],
        size=(n * 7919) % 1_000_003,
        sha256=hashlib.sha256(str(n).encode()).hexdigest(),
        period_from=at.date() - timedelta(days=90),
        period_to=at.date(),
        collected_at=at - timedelta(hours=1),
        received_at=at,
        good=1 if state == "accepted" else None,
        good_until=now.date() + timedelta(days=n % 365) if state == "accepted" and n % 3 else None,
        archived_at=now if n % 50 == 49 else None,
    )


def _version(row: Any) -> Any:
    from evidence.models import Version

    repeated = ("title", "name", "media", "size", "sha256", "source", "report", "period_from", "period_to")
    values = {name: getattr(row, name) for name in (*repeated, "collected_at", "received_at")}
    return Version(artifact=row, number=1, stored=row.kind == "file", received_by=row.owner, body=b"", **values)


def _review(version: Any, person: Any, now: Any) -> Any:
    from evidence.models import Review

    row = version.artifact
    decided = {"decided_by": person, "decided_at": now} if row.state in ("accepted", "rejected") else {}
    reason = "Not whole." if row.state == "rejected" else ""
    return Review(version=version, state=row.state, reason=reason, expires_on=row.good_until, **decided)


def _controls() -> list[Any]:
    from evidence.models import Control, Framework

    if not Control.objects.exists():
        own = Framework.objects.create(slug="own", title="Own", origin="imported", number=1)
        Control.objects.bulk_create(
            [Control(framework=own, ref=f"C{n}", title=f"Control {n}", position=n) for n in range(40)]
        )
    return list(Control.objects.order_by("pk"))


def _connect(relation: str, rows: list[Any], others: list[Any], each: int) -> None:
    from evidence.library.traces import RELATIONS

    model, (column, *_) = RELATIONS[relation]
    pairs = (
        model(**{"artifact_id": row.pk, column: others[(at * 7 + n * 13) % len(others)].pk})
        for at, row in enumerate(rows)
        for n in range(min(each, len(others)))
    )
    model.objects.bulk_create(pairs, batch_size=2000)


def _analyze() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


# --- what it costs ----------------------------------------------------------------------------------------------

_LIST = "/artifacts/"
PAGES = (
    "",
    "page=1500",
    "size=200",
    "sort=title",
    "sort=-title&page=1500",
    "sort=state",
    "sort=owner",
    "sort=collected",
    "sort=expiry",
    "sort=-size",
    "state=accepted",
    "kind=file",
    "source=upload",
    "family=pdf",
    "owner={owner}",
    "tag=tag+7",
    "collection={collection}",
    "collection=none",
    "workspace={workspace}",
    "framework={framework}",
    "control={control}",
    "control=none",
    "report=people",
    "fresh=soon",
    "fresh=over",
    "fresh=endless",
    "from=2026-01-01&to=2026-03-31",
    "since=2026-06-01&until=2026-09-30",
    "archived=yes",
    "q=access",
    "q=evidence-4711",
    "q=4711",
    "q=zebra",
    "q=zebra&notes=1",
)


def main(count: int) -> None:
    from django.test import Client

    from evidence.models import Collection, Control
    from tests.crowd import cost

    person = fill(count)[0]
    control = Control.objects.select_related("framework").order_by("pk")[0]
    names = {
        "owner": person.pk,
        "collection": Collection.objects.order_by("pk")[0].pk,
        "workspace": 1,
        "framework": control.framework.slug,
        "control": f"{control.framework.slug}+{control.ref}",
    }
    browser = Client()
    browser.force_login(person)
    for query in PAGES:
        url = f"{_LIST}?{query.format(**names)}"
        ms, queries = cost(browser, url)
        sys.stdout.write(f"{url:50} {ms:7.1f} ms {queries:3} queries\n")
    sys.stdout.write(f"{count} artifacts\n")


if __name__ == "__main__":
    from django.conf import settings
    from django.db import connection
    from django.test.utils import setup_test_environment

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    options = parser.parse_args()
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    setup_test_environment()
    before = connection.creation.create_test_db(verbosity=0)
    try:
        main(options.count)
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)
