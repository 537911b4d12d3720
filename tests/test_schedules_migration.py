"""Connections from before there were times, zones and pauses keep their schedule, their next sync and their token."""

from datetime import UTC, datetime, time
from typing import Any

import pytest
from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import DatabaseError

BEFORE, AFTER = [("connectors", "0003_written_once")], [("connectors", "0004_schedules")]
DUE = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)


def migrate(to: list[tuple[str, str]]) -> Any:
    """Goes there, and returns the models as they are then."""
    executor = MigrationExecutor(database)
    executor.migrate(to)
    return MigrationExecutor(database).loader.project_state(to).apps


@pytest.mark.django_db(transaction=True)
def test_existing_connections_are_carried_over_and_back(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    try:
        old = migrate(BEFORE).get_model("connectors", "Connection")
        for hour, kind in ((17, "daily"), (0, "weekly"), (6, "hourly"), (23, "manual")):
            old.objects.create(
                name=f"{kind}", connector="segment", schedule=kind, schedule_hour=hour, next_sync=DUE, created_at=DUE
            )
        with database.cursor() as cursor:  # bytes that no key opens: carrying over must decrypt nothing
            cursor.execute("UPDATE connectors_connection SET token = %s", [b"not a token of Fernet"])
        new = migrate(AFTER).get_model("connectors", "Connection")
        fields = ("schedule", "schedule_time", "schedule_weekday", "schedule_zone", "schedule_cron", "next_sync")
        assert list(new.objects.order_by("pk").values_list(*fields)) == [
            ("daily", time(17), 0, "UTC", "", DUE),
            ("weekly", time(0), 0, "UTC", "", DUE),
            ("hourly", time(6), 0, "UTC", "", DUE),
            ("manual", time(23), 0, "UTC", "", DUE),
        ]
        missed = MigrationExecutor(database).loader.project_state(AFTER).apps.get_model("connectors", "MissedRun")
        missed.objects.create(
            connection_id=new.objects.values_list("pk", flat=True)[0], due_at=DUE, noticed_at=DUE, code="x"
        )
        with pytest.raises(DatabaseError, match="written once"):
            missed.objects.update(code="y")
        hours = migrate(BEFORE).get_model("connectors", "Connection").objects.order_by("pk")
        assert list(hours.values_list("schedule_hour", flat=True)) == [17, 0, 6, 23]
        with database.cursor() as cursor:
            cursor.execute("SELECT token FROM connectors_connection")
            assert {bytes(row[0]) for row in cursor.fetchall()} == {b"not a token of Fernet"}
    finally:
        MigrationExecutor(database).migrate(MigrationExecutor(database).loader.graph.leaf_nodes())
