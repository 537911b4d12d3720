"""What the commands say of a workspace that was read: reports in every format, and verify. It is read once for all."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from connectors.models import Workspace
from tests.test_commands import refusal
from tests.worlds import CORE, world

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def synced(django_db_setup: None, django_db_blocker: Any) -> Iterator[Workspace]:
    with world(django_db_blocker, CORE) as made:
        assert made.sync().state == "published"
        yield made.workspace


@pytest.mark.parametrize("form", ["csv", "pdf", "json"])
@pytest.mark.parametrize("name", ["data-flow", "sources", "destinations", "tracking-plans", "people"])
def test_every_report_in_every_format_twice_the_same(synced: Workspace, tmp_path: Path, name: str, form: str) -> None:
    written = []
    for at, said in (1, ""), (2, "1"):
        target = tmp_path / f"{at}.{form}"
        options = {"workspace": synced.slug, "as_of": said, "format": form, "output": str(target)}
        call_command("report", name, **options, stderr=StringIO())
        written.append(target.read_bytes())
    assert written[0] == written[1]
    assert len(written[0]) > 500
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"1.{form}", f"2.{form}"]


def test_report_refuses_what_is_not_there(synced: Workspace) -> None:
    ended, said = refusal("report", "nothing", workspace=synced.slug)
    assert ended == 2
    assert "data-flow" in said
    assert refusal("report", "data-flow", workspace="nobody")[0] == 2
    for said, code in (("99", "as-of-no-such-snapshot"), ("2001-01-01", "as-of-too-early"), ("x", "as-of-unreadable")):
        ended, why = refusal("report", "data-flow", workspace=synced.slug, as_of=said)
        assert (ended, why.partition(":")[0]) == (2, code)
    assert refusal("report", "data-flow", workspace=synced.slug, format="csv", table="nothing")[0] == 1


def test_verify_prints_what_it_covered(synced: Workspace) -> None:
    out = StringIO()
    call_command("verify", json=True, stdout=out)
    said = json.loads(out.getvalue())
    assert (said["ok"], said["snapshots"], said["faults"]) == (True, 1, [])
