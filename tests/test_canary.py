"""Secrets that the service shows must reach no disk, no log and no page. Planted canaries, then a search for them."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection as database
from django.urls import get_resolver
from django.utils import timezone

from connectors import registry, runs, sync
from connectors.locker import envelope_of
from connectors.models import Blob, Connection, Lane, RunState
from connectors.segment.simulator import Fault
from tests.clocks import Skipping

pytestmark = pytest.mark.django_db


def everything_stored() -> Iterator[tuple[str, bytes]]:
    """Every value of every table, blobs unpacked."""
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {database.ops.quote_name(table)}")
            for row in cursor.fetchall():
                yield table, repr([bytes(v) if isinstance(v, memoryview) else v for v in row]).encode()
    for blob in Blob.objects.all():
        yield "unpacked blob", envelope_of(blob)


def read_everything(connection: Connection) -> None:
    """Every group of streams, also those that nobody reads by default."""
    connection.groups = [group.name for group in registry.get("segment").groups]
    connection.save(update_fields=["groups"])


def test_canaries_are_planted(simulator: Any) -> None:
    """Otherwise the tests below could not fail."""
    assert len(simulator.secrets) > 20
    assert simulator.tokens["owner"] in simulator.secrets


def test_no_secret_is_stored_after_good_and_bad_runs(
    sync_now: Any, simulator: Any, connected: Connection, caplog: Any, capsys: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    read_everything(connected)
    sync_now()
    slow = runs.request(connected, trigger="test", now=timezone.now(), lane=Lane.SLOW, enqueue=False)
    assert sync.perform(slow.pk, clock=Skipping()).state == RunState.PUBLISHED
    for kind in ("duplicate_key", "cut_json", "html", "wrong_type", "revoked"):
        simulator.faults[:] = [Fault("", kind, times=None, after=2)]
        sync_now()
    call_command("verify")
    secrets = [secret.encode() for secret in simulator.secrets]
    hits = [(place, secret[:12]) for place, data in everything_stored() for secret in secrets if secret in data]
    assert not hits
    said = (caplog.text + "".join(capsys.readouterr())).encode()
    assert not [secret[:12] for secret in secrets if secret in said]


def test_the_token_is_not_in_a_dump(connected: Connection, simulator: Any, capsys: Any) -> None:
    call_command("dumpdata", "connectors")
    assert simulator.tokens["owner"] not in capsys.readouterr().out


def test_an_error_never_quotes_the_token(connected: Connection, simulator: Any) -> None:
    from connectors.spec import ConnectorError

    simulator.faults.append(Fault("", "revoked", times=None))
    client = sync.client_for(connected)
    with pytest.raises(ConnectorError) as caught:
        client.get("/")
    assert simulator.tokens["owner"] not in repr(caught.value) + str(caught.getrepr(style="long", showlocals=True))


def test_pages_and_exports_hold_no_secret(
    sync_now: Any, connected: Connection, simulator: Any, people: dict[str, Any], client: Any
) -> None:
    read_everything(connected)
    sync_now()
    client.force_login(people["Administrator"])
    secrets = [secret.encode() for secret in simulator.secrets]
    visited = 0
    for url in plain_urls():
        answer = client.get(url)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        visited += answer.status_code == 200
        assert not [secret[:12] for secret in secrets if secret in body], url
    assert visited >= 8


def plain_urls() -> list[str]:
    """Every page that the site's own map knows, with 1 and the first report for what it asks."""
    from tests.test_door import addresses

    return [url for url in addresses(get_resolver()) if "sign-out" not in url]


def test_the_last_net_takes_a_token_out_of_a_log_line(simulator: Any) -> None:
    from portal.pages import WithoutSecrets

    token = simulator.tokens["owner"]
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "asked with %s", (token,), None)
    assert WithoutSecrets().filter(record)
    assert record.getMessage() == "asked with [hidden]"
