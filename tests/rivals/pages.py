"""`python -m tests.rivals.pages`: our pages of the past and our differences, warm, inside of one process, as JSON.

Looks at the first workspace of the portal that the environment names.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.conf import settings  # noqa: E402  # Django must have started
from django.contrib.auth import get_user_model  # noqa: E402
from django.test import Client  # noqa: E402

from connectors.models import Snapshot, Workspace  # noqa: E402
from evidence.comparison import Asked, Comparison  # noqa: E402

TIMES = 9


def median(deed: Callable[[], object], times: int = TIMES) -> tuple[float, float]:
    """Milliseconds of wall and of CPU, after one time that does not count."""
    deed()
    costs = [_once(deed) for _ in range(times)]
    return statistics.median(wall for wall, _ in costs), statistics.median(cpu for _, cpu in costs)


def _once(deed: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    deed()
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def signed_in() -> Client:
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["*"], False
    person, _ = get_user_model().objects.get_or_create(username="bench", is_superuser=True, is_staff=True)
    client = Client(raise_request_exception=True)
    client.force_login(person)
    return client


def addresses(workspace: Workspace) -> dict[str, str]:
    past, here = max(1, workspace.head // 2), f"/workspaces/{workspace.pk}/"
    day = Snapshot.objects.get(workspace=workspace, seq=past).published_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "overview": f"{here}?as_of={past}",
        "overview, by its time": f"{here}?as_of={day}",
        "data flow": f"{here}reports/data-flow/?as_of={past}",
        "changes": f"{here}changes/?from=1&to={workspace.head}",
    }


def shown(client: Client, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code, answer.headers)


def counted(lines: Iterable[Any]) -> int:
    return sum(1 for _ in lines)


def main() -> None:
    workspace, client = Workspace.objects.get(), signed_in()
    ends = Snapshot.objects.select_related("workspace").filter(workspace=workspace)
    first, last = ends.get(seq=1), ends.get(seq=workspace.head)
    found: dict[str, Any] = {
        name: median(lambda address=address: shown(client, address))  # type: ignore[misc]
        for name, address in addresses(workspace).items()
    }
    found["diff"] = median(lambda: counted(Comparison(first, last).lines(Asked())), 3)
    found["changed"] = counted(Comparison(first, last).lines(Asked()))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
