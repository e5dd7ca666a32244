"""What the pages read: scoped to who asks, in pages, and with as many queries for many rows as for one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import queries as audit_queries
from accounts.models import User
from connectors.models import Connector, Grant, Handoff
from connectors.queries import connectors as queries
from connectors.services import connectors, grants, handoffs, one_time_secrets, secrets
from connectors.tests import factories
from connectors.tests.factories import Program, let_in, make_connector
from connectors.tests.test_tokens import exchange
from kaizala_console.dashboard.activity import audit_scope
from kaizala_console.dashboard.pending_actions import Urgency, list_pending_actions
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.pagination import BadCursor


def names(user: User, **options: Any) -> list[str]:
    return [connector.name for connector in queries.get_connector_page(user, **options).items]


@pytest.fixture
def three(developer: User, stranger: User, outsider: User) -> list[Connector]:
    """Two connectors of the developer, one of a colleague; another organisation has its own."""
    make_connector(outsider, "Gamma")
    return [make_connector(developer, "beta"), make_connector(developer, "Alpha"), make_connector(stranger, "Delta")]


@pytest.mark.postgresql
def test_own_connectors_by_default_and_all_of_the_organisation_on_demand(
    three: list[Connector], developer: User, stranger: User
) -> None:
    assert sorted(names(developer)) == ["Alpha", "beta"]
    assert sorted(names(developer, everybodys=True)) == ["Alpha", "Delta", "beta"]
    assert names(stranger) == ["Delta"]


def test_a_co_owned_connector_is_ones_own(three: list[Connector], stranger: User) -> None:
    three[0].co_owners.add(stranger)
    assert sorted(names(stranger)) == ["Delta", "beta"]


@pytest.mark.postgresql
def test_deleted_ones_are_not_listed(three: list[Connector], developer: User) -> None:
    connectors.delete(connector=three[0], by=developer)
    assert names(developer) == ["Alpha"]


@pytest.mark.postgresql
@pytest.mark.parametrize("search", ["lph", "ALPHA", " alpha "])
def test_a_search_finds_part_of_a_name_in_any_case(three: list[Connector], developer: User, search: str) -> None:
    assert names(developer, search=search) == ["Alpha"]


@pytest.mark.postgresql
def test_a_search_finds_a_whole_id_and_takes_anything(three: list[Connector], developer: User) -> None:
    assert names(developer, search=str(three[0].pk).upper()) == ["beta"]
    for search in ("100%", "_", "\0", "'", "ü" * 500):
        assert names(developer, search=search) in ([], ["Alpha", "beta"])
    assert names(developer, search="\0Alpha") == ["Alpha"]


@pytest.mark.postgresql
def test_a_state_narrows_the_list(three: list[Connector], developer: User) -> None:
    connectors.suspend(connector=three[0], by=developer)
    connectors.deactivate(connector=three[1], by=developer)
    assert names(developer, state="suspended") == ["beta"]
    assert names(developer, state="deactivated") == ["Alpha"]
    assert names(developer, state="live") == names(developer, state="nonsense") == []


@pytest.mark.postgresql
@pytest.mark.parametrize("sort", queries.SORTS)
def test_every_order_goes_through_all_pages_without_skipping(developer: User, group_admin: User, sort: str) -> None:
    for number in range(5):
        made = make_connector(developer, f"Connector {number}")
        if number % 2:
            exchange(factories.make_program(made, group_admin))
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(5):
        page = queries.get_connector_page(developer, sort=sort, cursor=cursor, size=2)
        seen += [connector.name for connector in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 5


@pytest.mark.postgresql
def test_a_forged_page_mark_is_refused(developer: User) -> None:
    with pytest.raises(BadCursor):
        queries.get_connector_page(developer, cursor="forged")


def test_use_and_end_are_known_to_owners_alone(
    program: Program, developer: User, stranger: User, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    let_in(program.connector, group_admin, ends_at=clock.now() + dt.timedelta(days=9))
    now = travel(hours=1)
    exchange(program)
    mine: Any = queries.get_connector_page(developer).items[0]
    assert (mine.mine, mine.group_count, mine.used_at) == (True, 2, now)
    assert mine.ends_at < now + dt.timedelta(days=9)
    theirs: Any = queries.get_connector_page(stranger, everybodys=True, sort="used").items[0]
    assert (theirs.mine, theirs.group_count, theirs.used_at, theirs.ends_at) == (False, 2, None, None)


def test_one_connector_is_seen_by_the_organisation_and_owned_by_few(
    connector: Connector, developer: User, stranger: User, outsider: User
) -> None:
    assert queries.get_own_connector(developer, connector.pk) == connector
    assert queries.get_connector(stranger, connector.pk) == connector
    for ask, user, key in (
        (queries.get_own_connector, stranger, connector.pk),
        (queries.get_connector, outsider, connector.pk),
        (queries.get_connector, stranger, ids.new_id()),
    ):
        with pytest.raises(NotFound):
            ask(user, key)


@pytest.mark.postgresql
def test_names_that_are_taken_are_those_of_present_connectors(three: list[Connector], developer: User) -> None:
    assert queries.list_names(developer) == {"alpha", "beta"}
    assert queries.list_names(developer, but=three[1]) == {"beta"}


@pytest.mark.postgresql
def test_counts_say_what_would_stop(program: Program, developer: User, group_admin: User) -> None:
    let_in(program.connector, group_admin)
    gone = let_in(program.connector, group_admin)
    grants.revoke(grant=gone.grant, by=group_admin)
    counts = queries.count_tabs(program.connector)
    assert (counts.grants, counts.live_secrets, counts.requests, counts.webhooks, counts.bots) == (2, 1, 0, 0, 0)
    stops = queries.count_stopping(program.connector)
    assert (stops.groups, stops.live_tokens, stops.live_secrets, stops.waiting_handoffs) == (2, 2, 1, 2)


def test_secrets_come_live_ones_first(connector: Connector, developer: User) -> None:
    first, _ = secrets.add(connector=connector, by=developer)
    second, _ = secrets.add(connector=connector, by=developer)
    secrets.revoke(secret=first, by=developer)
    third, _ = secrets.add(connector=connector, by=developer)
    assert list(queries.list_secrets(connector)) == [third, second, first]


@pytest.mark.postgresql
def test_grants_in_force_and_ended_ones_are_apart(program: Program, group_admin: User) -> None:
    other = let_in(program.connector, group_admin, target_name="Drivers")
    grants.revoke(grant=program.grant, by=group_admin)
    assert queries.get_grant_page(program.connector).items == [other.grant]
    assert queries.get_grant_page(program.connector, ended=True).items == [program.grant]
    assert queries.get_grant_page(program.connector, search="driv").items == [other.grant]
    assert queries.get_grant_page(program.connector, search="night").items == []


@pytest.mark.postgresql
def test_a_line_about_a_grant_has_its_handoffs_and_live_tokens(
    program: Program, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    travel(minutes=1)
    newer = grants.regenerate(grant=program.grant, by=group_admin)
    line: Any = queries.get_grant_page(program.connector).items[0]
    assert line.handoffs_newest_first == [newer, program.handoff]
    assert line.live_tokens == [newer.refresh_token]


@pytest.mark.postgresql
def test_the_inbox_is_the_owners_and_lists_what_waits_or_what_ended(
    program: Program, developer: User, group_admin: User, stranger: User
) -> None:
    other = let_in(program.connector, group_admin)
    handoffs.claim(handoff=other.handoff, by=developer, idempotency_key=one_time_secrets.new_form_key(), address=None)
    assert queries.get_handoff_page(developer).items == [program.handoff]
    assert queries.get_handoff_page(developer, waiting=False).items == [other.handoff]
    assert queries.get_handoff_page(stranger).items == queries.get_handoff_page(group_admin).items == []
    assert list(queries.list_waiting_handoffs(developer)) == [program.handoff]


def test_both_sides_of_a_handoff_see_it_and_strangers_do_not(
    program: Program, developer: User, group_admin: User, stranger: User, outsider: User
) -> None:
    for user in (developer, group_admin):
        assert queries.get_handoff(user, program.handoff.pk) == program.handoff
    for user in (stranger, outsider):
        with pytest.raises(NotFound):
            queries.get_handoff(user, program.handoff.pk)
    with pytest.raises(NotFound):
        queries.get_handoff(developer, ids.new_id())


def _touch_grants(page: Any) -> None:
    for grant in page.items:
        assert [grant.connector.name, grant.person.name, grant.granted_by.name]
        assert [handoff.notice for handoff in grant.handoffs_newest_first]
        assert grant.live_tokens


def _touch_handoffs(page: Any) -> None:
    for handoff in page.items:
        assert [handoff.connector.owner.name, handoff.grant.person.name, handoff.maker_name]
        assert (handoff.notice is None, handoff.refresh_token.first_used_at, handoff.claimed_by) == (False, None, None)


def _touch_connectors(page: Any) -> None:
    assert all([row.owner.name, row.mine, row.group_count] for row in page.items)


@pytest.mark.postgresql
@pytest.mark.parametrize("which", ["connectors", "grants", "handoffs"])
def test_many_rows_cost_as_many_queries_as_one(
    connector: Connector, developer: User, group_admin: User, which: str
) -> None:
    def read() -> int:
        with CaptureQueriesContext(connection) as captured:
            if which == "connectors":
                _touch_connectors(queries.get_connector_page(developer, sort="ends"))
            elif which == "grants":
                _touch_grants(queries.get_grant_page(connector))
            else:
                _touch_handoffs(queries.get_handoff_page(developer))
        return len(captured)

    let_in(connector, group_admin)
    one = read()
    for _ in range(4):
        let_in(connector, group_admin)
        make_connector(developer)
    assert read() == one
    assert one <= 3
    assert Grant.objects.count() == 5


# What waits, and whose history ----------------------------------------------------------------------------------


def test_a_waiting_handoff_is_a_need_of_its_owners(program: Program, developer: User, stranger: User) -> None:
    need = next(action for action in list_pending_actions(developer) if action.key == "handoffs")
    assert str(need.href) == f"/console/handoffs/{program.handoff.pk}/"
    assert "Night shift" in str(need.text)
    assert not [action for action in list_pending_actions(stranger) if action.key == "handoffs"]


@pytest.mark.postgresql
def test_many_are_one_need_that_leads_to_the_inbox_and_presses_near_the_deadline(
    program: Program, developer: User, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    let_in(program.connector, group_admin)
    (need,) = [action for action in list_pending_actions(developer) if action.key == "handoffs"]
    assert (need.count, str(need.href), need.urgency) == (2, "/console/handoffs/", Urgency.NORMAL)
    travel(days=6)
    (need,) = [action for action in list_pending_actions(developer) if action.key == "handoffs"]
    assert need.urgency == Urgency.SOON
    travel(days=1)
    assert not [action for action in list_pending_actions(developer) if action.key == "handoffs"]


def test_an_owner_reads_the_history_of_the_connector_and_a_stranger_does_not(
    program: Program, developer: User, stranger: User
) -> None:
    grants_made = "grant:access:granted"
    assert audit_queries.visible_to(audit_scope(developer)).filter(tag=grants_made).exists()
    assert not audit_queries.visible_to(audit_scope(stranger)).filter(tag=grants_made).exists()
    assert Handoff.objects.count() == 1
