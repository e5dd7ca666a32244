"""What pages read of connectors: scoped to who asks, in pages, with as many queries for many rows as for one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.audit import queries as audit_queries
from accounts.models import User
from connectors.models import Connector, Grant, Handoff, RefreshToken
from connectors.queries import connectors as queries
from connectors.queries import grants as grant_queries
from connectors.queries import handoffs as handoff_queries
from connectors.queries import usage as usage_queries
from connectors.services import access_requests, connectors, grants, handoffs, leak_reports, one_time_secrets, usage
from connectors.tests import factories
from connectors.tests.factories import Program, let_in, make_connector
from connectors.tests.test_tokens import exchange
from kaizala_console.dashboard.activity import audit_scope
from kaizala_console.dashboard.onboarding import OnboardingPath, developer_path
from kaizala_console.dashboard.pending_actions import (
    PendingAction,
    Urgency,
    Waiting,
    badges,
    count_waiting,
    list_pending_actions,
)
from kaizala_console.lib import bounded, clock, ids
from kaizala_console.lib.bounded import Bounded
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.pagination import BadCursor
from kaizala_console.tests import plans

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
Travel = Callable[..., dt.datetime]


def names(user: User, **options: Any) -> list[str]:
    return [connector.name for connector in queries.get_connector_page(user, **options).items]


def handoffs_of(user: User) -> list[PendingAction]:
    return [action for action in list_pending_actions(user) if action.key == "handoffs"]


@pytest.fixture
def theirs(developer: User, stranger: User, group_admin: User, outsider: User) -> dict[str, Program]:
    """Two of the developer, one that is shared with them, one that is not; and one that was deleted."""
    made = {
        name: factories.make_program(make_connector(owner, name), group_admin)
        for name, owner in (("Beta", developer), ("Alpha", developer), ("Shared", stranger), ("Other", stranger))
    }
    made["Shared"].connector.co_owners.add(developer)
    make_connector(outsider, "Elsewhere")
    gone = make_connector(developer, "Gone")
    let_in(gone, group_admin)
    connectors.delete(connector=gone, by=developer)
    return made


def read_pages(read: Callable[..., Any]) -> list[Any]:
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


# Connectors ----------------------------------------------------------------------------------------------------------


def test_the_list_has_connectors_that_are_owned_or_shared_or_all_of_the_organisation(
    theirs: dict[str, Program], developer: User, stranger: User, group_admin: User
) -> None:
    assert names(developer) == ["Alpha", "Beta", "Shared"]
    assert names(developer, everybodys=True) == ["Alpha", "Beta", "Other", "Shared"]
    assert names(stranger) == ["Other", "Shared"]
    assert names(group_admin) == []
    assert not queries.list_own_connectors(group_admin).exists()
    assert queries.list_names(developer) == {"alpha", "beta"}
    assert queries.list_names(developer, but=theirs["Alpha"].connector) == {"beta"}


@pytest.mark.parametrize("sort", queries.SORTS)
def test_every_order_goes_through_all_pages_both_ways(theirs: dict[str, Program], developer: User, sort: str) -> None:
    exchange(theirs["Beta"])
    rows = read_pages(lambda **page: queries.get_connector_page(developer, sort=sort, **page))
    expected = {"newest": ["Shared", "Alpha", "Beta"], "oldest": ["Beta", "Alpha", "Shared"]}
    assert sorted(row.name for row in rows) == ["Alpha", "Beta", "Shared"]
    assert [row.name for row in rows] == expected.get(sort, [row.name for row in rows])
    assert all(row.mine for row in rows)
    with pytest.raises(BadCursor):
        queries.get_connector_page(developer, cursor="forged")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        *(({"search": part}, ["Alpha"]) for part in ("lph", "ALPHA", " alpha ", "\0Alpha")),
        *(({"search": part}, []) for part in ("other", "100%", "_", "'", "ü" * 500)),
        ({"search": "\0"}, ["Alpha", "Beta", "Shared"]),
        ({"search": "h"}, ["Alpha", "Shared"]),
        ({"state": "suspended"}, ["Beta"]),
        ({"state": "deactivated"}, ["Alpha"]),
        ({"state": "live"}, ["Shared"]),
    ],
)
def test_the_list_is_narrowed(
    theirs: dict[str, Program], developer: User, options: dict[str, str], found: list[str]
) -> None:
    connectors.suspend(connector=theirs["Beta"].connector, by=developer)
    connectors.deactivate(connector=theirs["Alpha"].connector, by=developer)
    assert names(developer, **options) == found
    assert names(developer, search=str(theirs["Beta"].connector.pk).upper()) == ["Beta"]


def test_only_own_connectors_are_sorted_by_use(theirs: dict[str, Program], owner: Client) -> None:
    for query, by_use in (({"sort": "used"}, ["used", "ends"]), ({"sort": "used", "show": "all"}, [])):
        answer = owner.get("/console/connectors/", query)
        offered = [option["value"] for option in answer.context["selects"][-1]["options"]]
        assert offered == ["", "newest", "oldest", *by_use]


def test_use_and_end_are_known_to_owners_alone(
    program: Program, developer: User, stranger: User, group_admin: User, travel: Travel
) -> None:
    let_in(program.connector, group_admin, ends_at=clock.now() + dt.timedelta(days=9))
    now = travel(hours=1)
    exchange(program)
    mine: Any = queries.get_connector_page(developer).items[0]
    assert (mine.mine, mine.group_count, mine.used_at) == (True, 2, now)
    assert mine.ends_at < now + dt.timedelta(days=9)
    theirs: Any = queries.get_connector_page(stranger, everybodys=True, sort="used").items[0]
    assert (theirs.mine, theirs.group_count, theirs.used_at, theirs.ends_at) == (False, 2, None, None)


def test_one_connector_is_seen_within_its_organisation(
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


def test_grants_in_force_and_ended_ones_are_apart(program: Program, group_admin: User) -> None:
    other = let_in(program.connector, group_admin, target_name="Drivers")
    grants.revoke(grant=program.grant, by=group_admin)
    assert grant_queries.get_grant_page(program.connector).items == [other.grant]
    assert grant_queries.get_grant_page(program.connector, ended=True).items == [program.grant]
    assert grant_queries.get_grant_page(program.connector, search="driv").items == [other.grant]
    assert grant_queries.get_grant_page(program.connector, search="night").items == []


def test_only_both_sides_of_a_handoff_see_it(
    program: Program, developer: User, group_admin: User, stranger: User, outsider: User
) -> None:
    for user in (developer, group_admin):
        assert handoff_queries.get_handoff(user, program.handoff.pk) == program.handoff
    for user in (stranger, outsider):
        with pytest.raises(NotFound):
            handoff_queries.get_handoff(user, program.handoff.pk)
    with pytest.raises(NotFound):
        handoff_queries.get_handoff(developer, ids.new_id())


def test_the_inbox_is_of_own_connectors(theirs: dict[str, Program], developer: User, group_admin: User) -> None:
    claimed = theirs["Beta"].handoff
    handoffs.claim(handoff=claimed, by=developer, idempotency_key=one_time_secrets.new_form_key(), address=None)
    waiting = [theirs[name].handoff for name in ("Shared", "Alpha")]
    assert read_pages(lambda **page: handoff_queries.get_handoff_page(developer, **page)) == waiting
    ended = {row.connector_id for row in handoff_queries.get_handoff_page(developer, waiting=False).items}
    assert ended == {theirs["Beta"].connector.pk}
    assert list(handoff_queries.list_waiting_handoffs(developer)) == sorted(
        waiting, key=lambda row: (row.expires_at, row.pk)
    )
    assert handoff_queries.get_handoff_page(group_admin).items == []


def touch_connector(row: Any) -> None:
    assert [row.owner.name, row.mine, row.group_count]


def touch_grant(row: Any) -> None:
    assert [row.connector.name, row.person.name, row.granted_by.name, row.live_tokens]
    assert [handoff.notice for handoff in row.handoffs_newest_first]


def touch_handoff(row: Any) -> None:
    assert [row.connector.owner.name, row.grant.person.name, row.maker_name]
    assert (row.notice is None, row.refresh_token.first_used_at, row.claimed_by) == (False, None, None)


@pytest.mark.parametrize(
    ("read", "touch"),
    [
        (lambda connector: queries.get_connector_page(connector.owner, sort="ends"), touch_connector),
        (grant_queries.get_grant_page, touch_grant),
        (lambda connector: handoff_queries.get_handoff_page(connector.owner), touch_handoff),
    ],
    ids=["connectors", "grants", "handoffs"],
)
def test_many_rows_cost_as_many_queries_as_one(
    connector: Connector,
    developer: User,
    group_admin: User,
    read: Callable[[Connector], Any],
    touch: Callable[[Any], None],
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            for row in read(connector).items:
                touch(row)
        return len(captured)

    let_in(connector, group_admin)
    one = cost()
    for _ in range(4):
        let_in(connector, group_admin)
        make_connector(developer)
    assert cost() == one
    assert one <= 3
    assert Grant.objects.count() == 5


# What waits, and whose history ---------------------------------------------------------------------------------------


def test_home_tells_of_own_connectors_and_of_nobody_elses(
    theirs: dict[str, Program], developer: User, stranger: User, group_admin: User, travel: Travel
) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert badges(count_waiting(developer))["handoffs"] == 3
    assert len(asked) == 1
    assert badges(count_waiting(stranger))["handoffs"] == 2
    assert handoffs_of(group_admin) == []
    (action,) = handoffs_of(developer)
    assert (action.count, str(action.href), action.urgency) == (3, "/console/handoffs/", Urgency.NORMAL)
    travel(days=6)
    assert handoffs_of(developer)[0].urgency == Urgency.SOON
    travel(days=1)
    assert handoffs_of(developer) == []


def test_one_waiting_handoff_leads_to_itself(program: Program, developer: User) -> None:
    (action,) = handoffs_of(developer)
    assert str(action.href) == f"/console/handoffs/{program.handoff.pk}/"


def test_ending_tokens_and_leaks_of_own_connectors(theirs: dict[str, Program], developer: User, travel: Travel) -> None:
    for name in ("Alpha", "Shared", "Other"):
        leak_reports.report(text=theirs[name].secret, address="192.0.2.9")
    found = queries.list_open_leak_reports(queries.filter_own(developer))
    assert sorted(report.connector.name for report in found) == ["Alpha", "Shared"]
    Handoff.objects.all().delete()
    travel(days=350)
    ending = queries.list_ending_tokens(developer)
    assert sorted(token.connector.name for token in ending) == ["Alpha", "Beta", "Shared"]
    assert count_waiting(developer) == Waiting(leaks=2, ending_tokens=3)


def test_owners_alone_read_the_history_of_a_connector(program: Program, developer: User, stranger: User) -> None:
    grants_made = "grant:access:granted"
    assert audit_queries.visible_to(audit_scope(developer)).filter(tag=grants_made).exists()
    assert not audit_queries.visible_to(audit_scope(stranger)).filter(tag=grants_made).exists()
    assert Handoff.objects.count() == 1


# A developer's first steps -------------------------------------------------------------------------------------------


def links(path: OnboardingPath) -> list[str]:
    assert path.next_step
    return [link.href for link in path.next_step.links]


def test_it_begins_with_the_connector(stranger: User) -> None:
    path = developer_path(stranger)
    assert (path.done_count, path.fits, path.finished_at) == (1, False, None)
    assert links(path) == [reverse("connectors:create")]


def test_every_step_leads_to_where_it_is_done(developer: User, connector: Connector, group_admin: User) -> None:
    path = developer_path(developer)
    assert (path.done_count, path.fits) == (2, True)
    assert links(path) == [reverse("connectors:request_send", args=[connector.pk])]

    asked = access_requests.ask(
        connector=connector, by=developer, permissions=["textmessage"], once=access_requests.new_once()
    )
    assert links(developer_path(developer)) == [reverse("connectors:request", args=[connector.pk, asked.pk])]

    handoff = let_in(connector, group_admin).handoff
    path = developer_path(developer)
    assert path.done_count == 3
    assert links(path) == [reverse("connectors:handoff", args=[handoff.pk])]

    handoffs.claim(handoff=handoff, by=developer, idempotency_key="k" * 32, address=None)
    path = developer_path(developer)
    assert path.done_count == 4
    assert links(path) == [f"{reverse('connectors:explorer')}?connector={connector.pk}"]

    used_at = factories.used(handoff.grant)
    path = developer_path(developer)
    assert (path.done_count, path.next_step, path.finished_at) == (5, None, used_at)


def test_a_handoff_that_ended_unopened_is_no_dead_end(developer: User, program: Program) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    assert links(developer_path(developer)) == [reverse("connectors:handoff", args=[program.handoff.pk])]


def test_others_connectors_are_nobodys_steps(stranger: User, program: Program) -> None:
    factories.used(program.grant)
    assert developer_path(stranger).done_count == 1


def test_steps_are_one_query(
    developer: User, group_admin: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        let_in(make_connector(developer, f"Connector {number}"), group_admin)
    with django_assert_num_queries(1):
        developer_path(developer)


# Very many grants: right, and in as many rows read as a page can say (ADR 0064) --------------------------------------


def shown(user: User) -> dict[str, Any]:
    """When each connector was used last, as its list says."""
    rows: list[Any] = queries.get_connector_page(user).items
    return {row.name: row.used_at for row in rows}


def test_it_was_used_when_any_token_was(program: Program, developer: User, group_admin: User, travel: Travel) -> None:
    second = factories.make_program(program.connector, group_admin)
    other = factories.make_program(make_connector(developer, "Other"), group_admin)
    last: dict[str, Any] = {program.connector.name: None, "Other": None}
    for used in (program, second, other, program, second, second):
        travel(minutes=7)
        exchange(used)
        usage.flush()
        last[used.connector.name] = clock.now()
        assert shown(developer) == last
    grants.revoke(grant=second.grant, by=group_admin)
    assert shown(developer) == last


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
    listed: Any = queries.get_connector_page(developer).items[0]
    counts, stops = queries.count_tabs(large.connector), queries.count_stopping(large.connector)
    told = (listed.group_count, counts.grants, stops.groups, stops.live_tokens, stops.waiting_handoffs)
    assert told == (4,) * 5
    assert all(isinstance(count, Bounded) and count.is_more for count in told)


def test_as_many_as_a_page_says_are_told_exactly(large: Program, group_admin: User) -> None:
    for grant in Grant.objects.present()[:2]:
        grants.revoke(grant=grant, by=group_admin)
    grant_count = queries.count_tabs(large.connector).grants
    assert (grant_count, grant_count.is_more) == (3, False)


def test_the_next_end_is_of_a_live_token(program: Program, developer: User, group_admin: User, travel: Travel) -> None:
    first = let_in(program.connector, group_admin, ends_at=clock.now() + dt.timedelta(days=3))
    let_in(program.connector, group_admin, ends_at=clock.now() + dt.timedelta(days=9))

    def told() -> Any:
        own: Any = queries.get_own_connector(developer, program.connector.pk)
        return own.ends_at

    assert told() == RefreshToken.objects.get(grant=first.grant).expires_at
    travel(days=4)
    assert told() > clock.now()
    assert [token.expires_at for token in queries.list_ending_tokens(developer)][:1] in ([], [told()])
    assert [ending.ends_at for ending in usage_queries.list_ending_credentials(program.connector)] == [told()]


def test_what_is_counted_is_read_by_an_index_that_has_nothing_else(connector: Connector) -> None:
    """Whatever the database expects of a table: so the hundred-thousandth grant of somebody else costs nothing."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL reads a table that is nearly empty as a whole")
    with CaptureQueriesContext(connection) as found:
        queries.count_tabs(connector)
        queries.count_stopping(connector)
    steps = plans.steps_of(query["sql"] for query in found.captured_queries)
    assert not [step for step in steps if step.startswith("SCAN") and "subquery" not in step and "counted" not in step]
    assert [step for step in steps if "one_grant_a_connector_and_target" in step]
    assert [step for step in steps if "refresh_token_of_connector" in step]
