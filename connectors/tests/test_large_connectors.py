"""What pages say of a connector with very many grants: right, and in as many rows read as a page can say (ADR 0064)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from connectors.models import Connector, Grant, RefreshToken
from connectors.queries import connectors
from connectors.queries import usage as usage_queries
from connectors.services import grants, usage
from connectors.tests import factories
from connectors.tests.factories import Program, let_in
from connectors.tests.test_tokens import exchange
from kaizala_console.lib import bounded, clock
from kaizala_console.lib.bounded import Bounded
from kaizala_console.tests import plans

pytestmark = pytest.mark.postgresql
Travel = Callable[..., dt.datetime]
HOUR = dt.timedelta(hours=1)


def shown(user: User) -> dict[str, Any]:
    """When each connector was used last, as its list says."""
    rows: list[Any] = connectors.get_connector_page(user).items
    return {row.name: row.used_at for row in rows}


def test_the_first_use_of_a_token_shows_at_once(program: Program, developer: User) -> None:
    assert shown(developer) == {program.connector.name: None}
    exchange(program)
    assert shown(developer)[program.connector.name] is not None


def test_it_was_used_when_any_token_was(program: Program, developer: User, group_admin: User, travel: Travel) -> None:
    second = factories.make_program(program.connector, group_admin)
    other = factories.make_program(factories.make_connector(developer, "Other"), group_admin)
    last: dict[str, Any] = {program.connector.name: None, "Other": None}
    for used in (program, second, other, program, second, second):
        travel(minutes=7)
        exchange(used)
        usage.flush()
        last[used.connector.name] = clock.now()
        assert shown(developer) == last
    grants.revoke(grant=second.grant, by=group_admin)
    assert shown(developer) == last


def test_a_use_that_is_written_late_moves_nothing_back(program: Program, developer: User) -> None:
    now, token = clock.now(), program.handoff.refresh_token
    for at in (now, now - HOUR):
        usage.note_token_used(token.pk, at=at)
        usage.flush()
    assert shown(developer) == {program.connector.name: now}


def test_every_token_knows_its_connector(program: Program, group_admin: User, travel: Travel, settings: Any) -> None:
    travel(days=settings.REFRESH_TOKEN_DAYS - 9)
    exchange(program)
    assert RefreshToken.objects.filter(predecessor__isnull=False).exists()
    grants.regenerate(grant=program.grant, by=group_admin)
    assert RefreshToken.objects.count() == 3
    assert not RefreshToken.objects.exclude(connector_id=F("grant__connector_id")).exists()


@pytest.fixture
def large(program: Program, monkeypatch: pytest.MonkeyPatch, compiled_anew: None, group_admin: User) -> Program:
    """A connector with more grants than are counted: with five, where three are."""
    monkeypatch.setattr(bounded, "MOST", 3)
    for _number in range(4):
        let_in(program.connector, group_admin)
    return program


def test_more_than_a_page_says_are_not_counted(large: Program, developer: User) -> None:
    listed: Any = connectors.get_connector_page(developer).items[0]
    counts, stops = connectors.count_tabs(large.connector), connectors.count_stopping(large.connector)
    told = (listed.group_count, counts.grants, stops.groups, stops.live_tokens, stops.waiting_handoffs)
    assert told == (4,) * 5
    assert all(isinstance(count, Bounded) and count.is_more for count in told)


def test_as_many_as_a_page_says_are_told_exactly(large: Program, group_admin: User) -> None:
    for grant in Grant.objects.present()[:2]:
        grants.revoke(grant=grant, by=group_admin)
    grant_count = connectors.count_tabs(large.connector).grants
    assert (grant_count, grant_count.is_more) == (3, False)


def test_the_next_end_is_of_a_live_token(program: Program, developer: User, group_admin: User, travel: Travel) -> None:
    first = let_in(program.connector, group_admin, ends_at=clock.now() + dt.timedelta(days=3))
    let_in(program.connector, group_admin, ends_at=clock.now() + dt.timedelta(days=9))

    def told() -> Any:
        own: Any = connectors.get_own_connector(developer, program.connector.pk)
        return own.ends_at

    assert told() == RefreshToken.objects.get(grant=first.grant).expires_at
    travel(days=4)
    assert told() > clock.now()
    assert [token.expires_at for token in connectors.list_ending_tokens(developer)][:1] in ([], [told()])
    assert [ending.ends_at for ending in usage_queries.list_ending_credentials(program.connector)] == [told()]


def test_what_is_counted_is_read_by_an_index_that_has_nothing_else(connector: Connector) -> None:
    """Whatever the database expects of a table: so the hundred-thousandth grant of somebody else costs nothing."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL reads a table that is nearly empty as a whole")
    with CaptureQueriesContext(connection) as found:
        connectors.count_tabs(connector)
        connectors.count_stopping(connector)
    steps = plans.steps_of(query["sql"] for query in found.captured_queries)
    assert not [step for step in steps if step.startswith("SCAN") and "subquery" not in step and "counted" not in step]
    assert [step for step in steps if "one_grant_a_connector_and_target" in step]
    assert [step for step in steps if "refresh_token_of_connector" in step]
