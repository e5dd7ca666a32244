"""A test that looks at a plan sees the same one whatever ran before it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.db import connection, transaction

from accounts.models import Session
from kaizala_console.lib import clock
from kaizala_console.tests import plans

pytestmark = pytest.mark.django_db
OF_TWO = "SELECT session_data FROM accounts_session WHERE session_key IN ('a', 'b') ORDER BY session_key"
OF_ALL = (
    "SELECT accounts_session.* FROM accounts_session JOIN django_content_type ON (app_label = session_key)"
    " ORDER BY expire_date"
)


class Ended(Exception):
    """A test has ended, and what it wrote is rolled back."""


def measure_and_roll_back(rows: int) -> None:
    """As a test does it that ends."""
    with suppress(Ended), transaction.atomic():
        Session.objects.bulk_create(Session(session_key=str(row), expire_date=clock.now()) for row in range(rows))
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        raise Ended


@pytest.mark.parametrize("rows", [1, 3000])
def test_what_an_earlier_test_measured_changes_no_plan(rows: int) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL keeps nothing that is rolled back")
    before = [plans.steps_of([statement]) for statement in (OF_TWO, OF_ALL)]
    measure_and_roll_back(rows)
    measured = [plans.steps_of([statement], measured=True) for statement in (OF_TWO, OF_ALL)]
    assert measured != before  # one row is read as a table, and of many others are looked at first
    assert [plans.steps_of([statement]) for statement in (OF_TWO, OF_ALL)] == before


def test_a_statement_is_told_in_steps() -> None:
    steps = plans.steps_of([OF_TWO], avoid=plans.OF_SMALL_TABLES)
    assert any("accounts_session" in step for step in steps)
