"""A test that looks at a plan sees the same one whatever ran before it."""

from __future__ import annotations

import pytest
from django.contrib.sessions.models import Session
from django.db import connection

from kaizala_console.lib import clock
from kaizala_console.tests import plans

pytestmark = pytest.mark.django_db
ONE = "SELECT session_data FROM django_session WHERE session_key IN ('a', 'b') ORDER BY session_key"


def test_what_an_earlier_test_measured_changes_no_plan() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL keeps nothing that is rolled back")
    before = plans.steps_of([ONE])
    Session.objects.create(session_key="a", expire_date=clock.now())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    assert plans.steps_of([ONE], measured=True) != before  # of one row it reads the table
    assert plans.steps_of([ONE]) == before


def test_a_statement_is_told_in_steps() -> None:
    steps = plans.steps_of([ONE], avoid=plans.OF_SMALL_TABLES)
    assert any("django_session" in step for step in steps)
