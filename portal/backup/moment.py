"""A second way into the database, on which everything is as of one moment, and which keeps nobody waiting."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction

ALIAS = "backup"


@contextmanager
def one_moment(of: str = DEFAULT_DB_ALIAS) -> Iterator[str]:
    """The alias of a connection that only reads: what others commit meanwhile is not there, wholly.

    SQLite: one deferred read transaction, which under WAL sees the moment of its first read and stops no writer.
    https://www.sqlite.org/isolation.html PostgreSQL: REPEATABLE READ, READ ONLY.
    """
    vendor = connections[of].vendor
    own: dict[str, Any] = dict(connections.databases[of])
    own["OPTIONS"] = {**own.get("OPTIONS", {}), **_options(vendor)}
    connections.databases[ALIAS] = own
    try:
        with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY" if vendor == "postgresql" else "PRAGMA query_only = ON")
            cursor.execute("SELECT count(*) FROM django_migrations")  # the moment is that of the first read
            yield ALIAS
    finally:
        connections[ALIAS].close()
        del connections[ALIAS], connections.databases[ALIAS]


def _options(vendor: str) -> dict[str, Any]:
    if vendor != "postgresql":
        return {"transaction_mode": "DEFERRED"}
    from psycopg import IsolationLevel

    return {"isolation_level": IsolationLevel.REPEATABLE_READ}
