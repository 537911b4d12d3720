"""Each way in which a connection goes wrong is told to the administrator in its own words, with code and help."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from connectors.segment.simulator import Simulator, serve
from tests.troubles import TROUBLES, Scene, Trouble, document, hosts

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with serve(size="small", eu_port=0) as simulator:
        yield simulator


@pytest.mark.parametrize("row", TROUBLES, ids=lambda row: row.name)
def test_the_administrator_reads_what_is_wrong_and_what_to_do(
    row: Trouble, running: Simulator, client: Client, people: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.http.random.uniform", lambda low, high: 0.0)  # a second try comes at once
    running.faults.clear()
    client.force_login(people["Administrator"])
    scene = Scene(client, running)
    with hosts(us=running.url, eu=running.eu_url):
        url = row.deed(scene)
        said = scene.text(url)
        for words in row.says:
            assert words in said, said
        if row.code:
            page = scene.page(url).decode()
            assert f"/help/{row.code}/" in page or url == f"/help/{row.code}/"
            assert "What to do" in client.get(f"/help/{row.code}/").content.decode()
        assert not [token for token in running.tokens.values() if token in scene.page(url).decode()]


def test_the_table_is_the_one_that_is_played() -> None:
    assert (Path(__file__).parent.parent / "docs/TROUBLES.md").read_text() == document()
    assert len(TROUBLES) >= 20
