"""How the database would carry out a statement, told the same in every order of tests.

SQLite keeps what ANALYZE measured in the connection's memory, and a rollback takes back the rows of `sqlite_stat1` but
not that memory. So a test that measured a handful of rows would decide the plans of all tests after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from django.db import OperationalError, connection

# What PostgreSQL would rather do with tables as small as those of tests.
OF_SMALL_TABLES = ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "sort")


def forget_measurements() -> None:
    """SQLite's planner knows of no table how much it holds. PostgreSQL's keeps nothing that is rolled back."""
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        with suppress(OperationalError):  # nothing was ever measured: there is no such table
            cursor.execute("DELETE FROM sqlite_stat1")
        # Reads the schema anew. ANALYZE sqlite_schema forgets what is known of indexes, and not how long tables were.
        cursor.execute("PRAGMA writable_schema = RESET")


def steps_of(statements: Iterable[str], *, avoid: Iterable[str] = (), measured: bool = False) -> list[str]:
    """The steps of these statements, each as the database words it.

    `avoid` names ways that PostgreSQL is not to take (as in `enable_seqscan`), until the transaction ends. With
    `measured`, what the test itself has measured stays known.
    """
    if not measured:
        forget_measurements()
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    steps: list[str] = []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for way in avoid:
                cursor.execute(f"SET LOCAL enable_{way} = off")
        for statement in statements:
            cursor.execute(f"{explain} {statement}")
            steps += [str(row[-1]) for row in cursor.fetchall()]
    return steps
