"""What pages say of a connector with very many grants: right, and in as many rows read as a page can say (ADR 0064)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.models import F, Max, Min, Q
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, User
from connectors import needs, owning, usage_counts
from connectors.models import Connector, ConnectorUse, Grant, Handoff, RefreshToken
from connectors.queries import connectors, ending_access
from connectors.services import connector_use, grants, usage
from connectors.tests import factories
from connectors.tests.factories import Program, let_in
from connectors.tests.test_races import at_once
from connectors.tests.test_tokens import exchange
from kaizala_console.lib import bounded, clock
from kaizala_console.lib.bounded import Bounded
from kaizala_console.tests import plans

Travel = Callable[..., dt.datetime]
HOUR = dt.timedelta(hours=1)


def kept() -> dict[Any, tuple[Any, Any]]:
    return {row.connector_id: (row.first_at, row.last_at) for row in ConnectorUse.objects.all()}


def as_tokens_say() -> dict[Any, tuple[Any, Any]]:
    """Read from all tokens, as pages did."""
    used = RefreshToken.objects.filter(Q(first_used_at__isnull=False) | Q(last_used_at__isnull=False))
    rows = used.order_by().values_list("grant__connector_id")
    return {
        key: (first, max(filter(None, (first_last, last))))
        for key, first, first_last, last in rows.annotate(
            Min("first_used_at"), first_last=Max("first_used_at"), last=Max("last_used_at")
        )
    }


# When it was used ----------------------------------------------------------------------------------------------------


def test_the_first_use_of_a_token_is_kept_at_once(program: Program) -> None:
    exchange(program)
    assert kept() == as_tokens_say()
    assert kept().keys() == {program.connector.pk}


def test_what_is_kept_is_what_the_tokens_say_after_any_use(
    program: Program, developer: User, group_admin: User, travel: Travel
) -> None:
    second = factories.make_program(program.connector, group_admin)
    other = factories.make_program(factories.make_connector(developer, "Other"), group_admin)
    for used in (program, second, other, program, second, second):
        travel(minutes=7)
        exchange(used)
        assert kept() == as_tokens_say()
        usage.flush()
        assert kept() == as_tokens_say()
    grants.revoke(grant=second.grant, by=group_admin)
    assert kept() == as_tokens_say()


def test_a_use_that_is_written_late_moves_nothing_back(program: Program) -> None:
    now, token = clock.now(), program.handoff.refresh_token
    usage.token_used(token.pk, at=now)
    usage.flush()
    usage.token_used(token.pk, at=now - HOUR)
    usage.flush()
    assert kept() == as_tokens_say() == {program.connector.pk: (None, now)}


def test_the_earliest_first_use_and_the_latest_last_one_stay(connector: Connector) -> None:
    now = clock.now()
    uses = [(now, now), (now - HOUR, now - HOUR), (None, now + HOUR), (now + HOUR, now + HOUR)]
    with transaction.atomic():
        for use in uses:
            connector_use.keep({connector.pk: connector_use.Use(*use)})
    assert kept() == {connector.pk: (now - HOUR, now + HOUR)}


@pytest.mark.django_db(transaction=True)
def test_a_use_is_not_kept_outside_the_transaction_of_its_token(connector: Connector) -> None:
    with pytest.raises(RuntimeError):
        connector_use.keep({connector.pk: connector_use.Use(None, clock.now())})


def test_a_use_that_is_rolled_back_is_not_kept(program: Program) -> None:
    with transaction.atomic():
        factories.used(program.grant)
        transaction.set_rollback(True)
    assert kept() == as_tokens_say() == {}


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_of_many_who_write_at_once_the_earliest_and_the_latest_stay(connector: Connector, developer: User) -> None:
    other, start = factories.make_connector(developer, "Other"), clock.now()

    def write(number: int) -> None:
        for turn in range(10):
            at = start + dt.timedelta(minutes=(number * 7 + turn * 3) % 40)
            with transaction.atomic():
                connector_use.keep({one.pk: connector_use.Use(at, at) for one in (connector, other)})

    at_once(*(partial(write, number) for number in range(6)))
    moments = [(number * 7 + turn * 3) % 40 for number in range(6) for turn in range(10)]
    first, last = (start + dt.timedelta(minutes=minutes) for minutes in (min(moments), max(moments)))
    assert kept() == {connector.pk: (first, last), other.pk: (first, last)}


def test_an_update_finds_the_use_of_connectors_that_were_used_before(
    program: Program, developer: User, group_admin: User, travel: Travel
) -> None:
    other = factories.make_program(factories.make_connector(developer, "Other"), group_admin)
    for used in (program, other, program):
        travel(hours=1)
        exchange(used)
        usage.flush()
    factories.make_program(factories.make_connector(developer, "Unused"), group_admin)
    before = kept()
    ConnectorUse.objects.all().delete()
    migration = import_module("connectors.migrations.0004_large_connectors")
    migration.fill(apps, SimpleNamespace(connection=SimpleNamespace(vendor="any")))
    assert kept() == before == as_tokens_say()


# Whose tokens --------------------------------------------------------------------------------------------------------


def test_every_token_knows_the_connector_of_its_grant(
    program: Program, group_admin: User, travel: Travel, settings: Any
) -> None:
    travel(days=settings.REFRESH_TOKEN_DAYS - 9)
    exchange(program)
    assert RefreshToken.objects.filter(predecessor__isnull=False).exists()
    grants.regenerate(grant=program.grant, by=group_admin)
    assert RefreshToken.objects.count() == 3
    assert not RefreshToken.objects.exclude(connector_id=F("grant__connector_id")).exists()


# How many ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def large(program: Program, monkeypatch: pytest.MonkeyPatch, group_admin: User) -> Program:
    """A connector with more grants than are counted: with five, where three are."""
    monkeypatch.setattr(bounded, "MOST", 3)
    for _number in range(4):
        let_in(program.connector, group_admin)
    return program


def test_more_than_a_page_says_are_not_counted(large: Program, developer: User) -> None:
    listed: Any = connectors.connector_page(developer).items[0]
    counts, stops = connectors.counts_of(large.connector), connectors.stopping(large.connector)
    told = (listed.group_count, counts.grants, stops.groups, stops.live_tokens, stops.waiting_handoffs)
    assert told == (4,) * 5
    assert all(isinstance(count, Bounded) and count.is_more for count in told)


def test_as_many_as_a_page_says_are_told_exactly(large: Program, group_admin: User) -> None:
    for grant in Grant.objects.present()[:2]:
        grants.revoke(grant=grant, by=group_admin)
    grant_count = connectors.counts_of(large.connector).grants
    assert (grant_count, grant_count.is_more) == (3, False)


def test_the_end_of_the_next_token_is_that_of_a_live_one(
    program: Program, developer: User, group_admin: User, travel: Travel
) -> None:
    first = let_in(program.connector, group_admin, ends_at=clock.now() + dt.timedelta(days=3))
    let_in(program.connector, group_admin, ends_at=clock.now() + dt.timedelta(days=9))

    def told() -> Any:
        own: Any = connectors.own_connector(developer, program.connector.pk)
        return own.ends_at

    assert told() == RefreshToken.objects.get(grant=first.grant).expires_at
    travel(days=4)
    assert told() > clock.now()
    assert [token.expires_at for token in ending_access.tokens_that_end(owning.of(developer))][:1] in ([], [told()])
    assert [ending.ends_at for ending in usage_counts.ending_soon(program.connector)] == [told()]


def test_the_pages_of_a_connector_ask_as_much_for_many_grants_as_for_one(
    program: Program, developer: User, group_admin: User
) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as found:
            connectors.counts_of(connectors.own_connector(developer, program.connector.pk))
            connectors.stopping(program.connector)
        return len(found)

    before = asked()
    for _number in range(5):
        let_in(program.connector, group_admin)
    assert asked() == before == 3


def test_what_is_counted_is_read_by_an_index_that_has_nothing_else(connector: Connector) -> None:
    """Whatever the database expects of a table: so the hundred-thousandth grant of somebody else costs nothing."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL reads a table that is nearly empty as a whole")
    with CaptureQueriesContext(connection) as found:
        connectors.counts_of(connector)
        connectors.stopping(connector)
    steps = plans.steps_of(query["sql"] for query in found.captured_queries)
    assert not [step for step in steps if step.startswith("SCAN") and "subquery" not in step and "counted" not in step]
    assert [step for step in steps if "one_grant_a_connector_and_target" in step]
    assert [step for step in steps if "refresh_token_of_connector" in step]


# Handoffs of several connectors --------------------------------------------------------------------------------------


def test_the_inbox_goes_through_the_handoffs_of_all_own_connectors_in_their_order_both_ways(
    developer: User, group_admin: User, stranger: User, travel: Travel
) -> None:
    own = [factories.make_connector(developer, f"Program {number}") for number in range(3)]
    made: list[Handoff] = []
    for connector in (*own, own[0], own[0], own[1], own[0], own[2], own[0], own[0]):
        travel(seconds=len(made) % 2)  # some at the same moment
        made.append(let_in(connector, group_admin).handoff)
        let_in(factories.make_connector(stranger), group_admin)
    newest_first = [row.pk for row in sorted(made, key=lambda row: (row.made_at, row.pk), reverse=True)]
    there, cursor = [], None
    for _page in range(20):
        page = connectors.handoff_page(developer, cursor=cursor, size=2)
        there += [row.pk for row in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert there == newest_first
    back = [row.pk for row in page.items]
    while page.previous_cursor is not None:
        page = connectors.handoff_page(developer, cursor=page.previous_cursor, size=2)
        back = [row.pk for row in page.items] + back
    assert back == newest_first


def test_of_very_many_connectors_the_same_history_is_read(
    developer: User, group_admin: User, connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in (connector, factories.make_connector(developer, "Another")):
        let_in(one, group_admin)
    events = AuditEvent.objects.order_by("pk")
    named = list(events.filter(needs.events_of_own_connectors(developer) or Q(pk=None)))
    monkeypatch.setattr(needs, "NAMED", 1)
    assert list(events.filter(needs.events_of_own_connectors(developer) or Q(pk=None))) == named != []
