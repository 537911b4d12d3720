"""`python -m tests.crowd [--count 10000]`: what the lists of connections cost when there are very many.

Prints server time (the best of five, after one to warm up), queries, and how often a token was opened. DATABASE_URL
may name a PostgreSQL server.
"""

import argparse
import os
import sys
import time

import django

import tests.environment  # noqa: F401  # keys and a folder of its own, before the settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.models import Group  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext, setup_test_environment  # noqa: E402
from django.utils import timezone  # noqa: E402

from connectors.models import Ciphertext, Connection, Workspace  # noqa: E402
from portal.models import User  # noqa: E402

LIST = "/admin/connectors/connection/"
PAGES = (
    LIST,
    f"{LIST}?p=150",
    f"{LIST}?condition=token-rejected",
    f"{LIST}?q=4711",
    f"{LIST}?o=3",
    "/sources/",
    "/sources/segment/",
    "/workspaces/",
    "/",
)
CODES = ("", "", "", "", "", "token-rejected", "timeout", "defect")


def fill(count: int) -> None:
    """So many active connections, an eighth of them refused, out of reach or failing each."""
    now = timezone.now()
    workspaces = Workspace.objects.bulk_create(
        [
            Workspace(
                connector="segment", remote_id=f"crowd {n}", region="us", slug=f"crowd-{n}", name=f"Workspace {n}"
            )
            for n in range(count)
        ],
        batch_size=500,
    )
    rows = [
        Connection(
            name=f"Connection {n}",
            connector="segment",
            region="us",
            workspace=workspace,
            state="active",
            token="sealed",
            token_fingerprint=f"crowd {n}",
            token_used_at=now,
            error_code=CODES[n % len(CODES)],
            since=now,
            created_at=now,
        )
        for n, workspace in enumerate(workspaces)
    ]
    for row in rows:
        row.save(force_insert=True)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def cost(browser: Client, url: str) -> tuple[float, int]:
    """Milliseconds of the quickest of five, and queries."""
    best = float("inf")
    for _ in range(6):
        with CaptureQueriesContext(connection) as asked:
            began = time.perf_counter()
            answer = browser.get(url)
            best = min(best, (time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, url
    return best, len(asked)


def main(count: int) -> None:
    fill(count)
    opened = []
    plain = Ciphertext.opened

    def opening(sealed: Ciphertext) -> str:
        opened.append(1)
        return plain(sealed)

    Ciphertext.opened = opening  # type: ignore[method-assign, assignment]
    person = User.objects.create_user("boss")
    person.groups.add(Group.objects.get(name="Administrator"))
    browser = Client()
    browser.force_login(person)
    for url in PAGES:
        ms, queries = cost(browser, url)
        sys.stdout.write(f"{url:45} {ms:7.1f} ms {queries:3} queries\n")
    sys.stdout.write(f"{count} connections on {connection.vendor}; tokens opened: {len(opened)}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    options = parser.parse_args()
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    setup_test_environment()
    before = connection.creation.create_test_db(verbosity=0)
    try:
        main(options.count)
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)
