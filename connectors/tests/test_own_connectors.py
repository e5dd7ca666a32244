"""The lists of own connectors, and of what belongs to them: right rows, right order, nobody else's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from connectors.models import Handoff
from connectors.queries import connectors as queries
from connectors.queries import connectors as queries_connectors
from connectors.services import connectors, handoffs, leak_reports
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.factories import Program, let_in
from kaizala_console.dashboard import onboarding
from kaizala_console.dashboard.pending_actions import badges, list_pending_actions

pytestmark = pytest.mark.postgresql


@pytest.fixture
def theirs(developer: User, stranger: User, group_admin: User, outsider: User) -> dict[str, Program]:
    """Two of the developer, one that is shared with them, one that is not; and one that was deleted."""
    made = {
        name: factories.make_program(factories.make_connector(owner, name), group_admin)
        for name, owner in (("Beta", developer), ("Alpha", developer), ("Shared", stranger), ("Other", stranger))
    }
    made["Shared"].connector.co_owners.add(developer)
    factories.make_connector(outsider, "Elsewhere")
    gone = factories.make_connector(developer, "Gone")
    let_in(gone, group_admin)
    connectors.delete(connector=gone, by=developer)
    return made


def claim(handoff: Handoff, by: User) -> None:
    handoffs.claim(handoff=handoff, by=by, idempotency_key=new_form_key(), address="192.0.2.7")


def pages_of(read: Callable[..., Any]) -> list[Any]:
    """All rows, forward by twos; and the same going back."""
    found, cursor = [], None
    for _number in range(9):
        page = read(cursor=cursor, size=2)
        found += page.items
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    back = list(page.items)
    while page.previous_cursor is not None:
        page = read(cursor=page.previous_cursor, size=2)
        back = page.items + back
    assert back == found
    return found


def test_own_connectors_are_those_owned_or_shared(
    theirs: dict[str, Program], developer: User, group_admin: User
) -> None:
    assert [connector.name for connector in queries.list_own_connectors(developer)] == ["Alpha", "Beta", "Shared"]
    assert not queries.list_own_connectors(group_admin).exists()


def test_the_list_has_own_connectors_in_each_order(theirs: dict[str, Program], developer: User) -> None:
    for sort, names in (
        ("name", ["Alpha", "Beta", "Shared"]),
        ("newest", ["Shared", "Alpha", "Beta"]),
        ("oldest", ["Beta", "Alpha", "Shared"]),
    ):
        rows = pages_of(lambda sort=sort, **page: queries.get_connector_page(developer, sort=sort, **page))
        assert [row.name for row in rows] == names
        assert all(row.mine for row in rows)
    connectors.suspend(connector=theirs["Alpha"].connector, by=developer)
    assert [row.name for row in queries.get_connector_page(developer, state="suspended").items] == ["Alpha"]
    assert [row.name for row in queries.get_connector_page(developer, search="h").items] == ["Alpha", "Shared"]
    assert queries.get_connector_page(developer, search="other").items == []


def test_only_own_connectors_are_sorted_by_use(
    theirs: dict[str, Program], developer: User, browser_of: Callable[..., Client]
) -> None:
    for query, by_use in (({"sort": "used"}, ["used", "ends"]), ({"sort": "used", "show": "all"}, [])):
        answer = browser_of(developer).get("/console/connectors/", query)
        offered = [option["value"] for option in answer.context["selects"][-1]["options"]]
        assert offered == ["", "newest", "oldest", *by_use]


def test_the_inbox_has_the_handoffs_of_own_connectors(theirs: dict[str, Program], developer: User) -> None:
    claim(theirs["Beta"].handoff, developer)
    waiting = [theirs[name].handoff for name in ("Shared", "Alpha")]
    assert pages_of(lambda **page: queries.get_handoff_page(developer, **page)) == waiting
    assert pages_of(lambda **page: queries.get_handoff_page(developer, waiting=False, **page))[:1] != []
    ended = {row.connector_id for row in queries.get_handoff_page(developer, waiting=False).items}
    assert ended == {theirs["Beta"].connector.pk}
    by_end = sorted(waiting, key=lambda row: (row.expires_at, row.pk))
    assert list(queries.list_waiting_handoffs(developer)) == by_end


def test_home_tells_of_own_connectors_and_of_nobody_elses(
    theirs: dict[str, Program], developer: User, stranger: User, group_admin: User
) -> None:
    counts = badges(list_pending_actions(developer))
    assert counts["handoffs"] == 3
    assert badges(list_pending_actions(stranger))["handoffs"] == 2
    assert "handoffs" not in badges(list_pending_actions(group_admin))
    path = onboarding.get_path(developer)
    assert path is None or path.steps


def test_tokens_that_end_and_leaks_are_of_own_connectors(
    theirs: dict[str, Program], developer: User, travel: Callable[..., dt.datetime]
) -> None:
    own = [theirs[name] for name in ("Alpha", "Shared")]
    for program in (*own, theirs["Other"]):
        leak_reports.report(text=program.secret, address="192.0.2.9")
    found = queries.list_open_leak_reports(queries.filter_own(developer))
    assert sorted(report.connector.name for report in found) == ["Alpha", "Shared"]
    Handoff.objects.all().delete()
    travel(days=350)
    ending = queries_connectors.list_ending_tokens(developer)
    assert sorted(token.connector.name for token in ending) == ["Alpha", "Beta", "Shared"]


def test_what_waits_takes_a_few_statements(theirs: dict[str, Program], developer: User) -> None:
    with CaptureQueriesContext(connection) as asked:
        list_pending_actions(developer)
    assert len(asked) <= 6
