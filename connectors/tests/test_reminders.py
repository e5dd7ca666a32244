"""Before a credential ends people hear of it 90, 30, 14, 7, 3 and 1 days ahead: once each, and never in a flood."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import DatabaseError

from accounts.models import Notice, User
from accounts.services import notifications
from connectors import hooks
from connectors.models import Connector, ConnectorSecret, Grant, RefreshToken
from connectors.services import connectors, grants, handoffs, refresh_tokens, reminders, secrets, user_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tasks import remind
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.test_successors import exchange
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db

Travel = Callable[..., dt.datetime]


def told(user: User, what: str) -> list[int]:
    """The distances at which `user` was told of the end of a secret, token or grant, in order."""
    found = Notice.objects.filter(user=user, template=f"connectors/{what}_ends").order_by("created_at", "id")
    return [notice.context["days"] for notice in found]


BEFORE_THE_FIRST = 270  # days of a token's year, after which nobody has heard of its end


def run_daily(travel: Travel, days: int) -> None:
    for _ in range(days):
        travel(days=1)
        remind()


@pytest.fixture
def claimed_program(program: Program, developer: User, travel: Travel) -> Program:
    handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=new_form_key(), address=None)
    return program


@pytest.mark.postgresql
def test_developer_and_group_admin_hear_of_a_token_six_times(
    claimed_program: Program, developer: User, group_admin: User, travel: Travel
) -> None:
    travel(days=BEFORE_THE_FIRST)
    remind()
    assert told(developer, "token") == []
    run_daily(travel, 366 - BEFORE_THE_FIRST)
    assert told(developer, "token") == told(group_admin, "token") == [90, 30, 14, 7, 3, 1]


def test_after_a_month_off_they_hear_of_the_nearest_day_only(
    claimed_program: Program, developer: User, travel: Travel
) -> None:
    travel(days=365 - 35)
    remind()
    travel(days=30)
    remind()
    remind()
    assert told(developer, "token") == [90, 7]
    run_daily(travel, 6)
    assert told(developer, "token") == [90, 7, 3, 1]


@pytest.mark.postgresql
def test_what_is_over_is_not_announced_any_more(claimed_program: Program, developer: User, travel: Travel) -> None:
    travel(days=366)
    remind()
    assert told(developer, "token") == []


def test_a_life_of_five_days_is_not_announced_on_its_first(
    connector: Connector, developer: User, group_admin: User, travel: Travel
) -> None:
    factories.let_in(connector, group_admin, ends_at=clock.now() + dt.timedelta(days=5))
    travel(minutes=1)
    remind()
    assert told(developer, "grant") == []
    run_daily(travel, 6)
    assert told(developer, "grant") == told(group_admin, "grant") == [3, 1]


def test_a_token_that_ends_with_its_grant_is_told_of_as_the_grant(
    connector: Connector, developer: User, group_admin: User, travel: Travel
) -> None:
    factories.let_in(connector, group_admin, ends_at=clock.now() + dt.timedelta(days=20))
    run_daily(travel, 20)
    assert told(developer, "token") == []
    assert told(developer, "grant") == [14, 7, 3, 1]


@pytest.mark.postgresql
def test_an_end_that_is_moved_on_is_told_of_anew(
    connector: Connector, developer: User, group_admin: User, travel: Travel
) -> None:
    factories.let_in(connector, group_admin, ends_at=clock.now() + dt.timedelta(days=20))
    run_daily(travel, 18)
    assert told(developer, "grant") == [14, 7, 3]
    Grant.objects.update(ends_at=clock.now() + dt.timedelta(days=100))
    run_daily(travel, 71)
    assert told(developer, "grant") == [14, 7, 3, 90, 30]


def test_a_secret_is_its_developers_alone(
    claimed_program: Program, developer: User, group_admin: User, travel: Travel
) -> None:
    ConnectorSecret.objects.update(expires_at=clock.now() + dt.timedelta(days=40))
    run_daily(travel, 41)
    assert told(developer, "secret") == [30, 14, 7, 3, 1]
    assert told(group_admin, "secret") == []


def test_with_a_successor_in_use_there_is_nothing_to_tell(
    claimed_program: Program, developer: User, travel: Travel
) -> None:
    travel(days=329)
    refresh_tokens.rotate_due()
    exchange(claimed_program, exchange(claimed_program).successor)
    run_daily(travel, 37)
    assert told(developer, "token") == []


@pytest.mark.parametrize("end", ["revoke", "delete", "revoke_secret"])
def test_what_was_ended_is_not_announced(
    claimed_program: Program, developer: User, group_admin: User, travel: Travel, end: str
) -> None:
    ConnectorSecret.objects.update(expires_at=clock.now() + dt.timedelta(days=365))
    if end == "revoke":
        grants.revoke(grant=claimed_program.grant, by=group_admin)
    elif end == "delete":
        connectors.delete(connector=claimed_program.connector, by=developer)
    else:
        secrets.revoke(secret=ConnectorSecret.objects.get(), by=developer)
    travel(days=BEFORE_THE_FIRST)
    run_daily(travel, 366 - BEFORE_THE_FIRST)
    found = Counter(Notice.objects.filter(template__endswith="_ends").values_list("template", flat=True))
    assert (
        set(found)
        <= {
            "revoke": {"connectors/secret_ends"},
            "delete": set[str](),
            "revoke_secret": {"connectors/token_ends"},
        }[end]
    )


@pytest.mark.postgresql
def test_twenty_three_groups_are_one_mail(
    connector: Connector, developer: User, group_admin: User, travel: Travel
) -> None:
    for number in range(23):
        factories.let_in(connector, group_admin, target_name=f"Ward {number:02}")
    travel(days=336)
    assert reminders.remind() == 2
    text = notifications.render(Notice.objects.get(template="connectors/token_ends", user=developer))[1]
    assert "23 refresh tokens" in text
    assert "“Ward 00”" in text
    assert "and 3 more" in text


@pytest.mark.parametrize("grant_ends", [True, False])
def test_the_mails_say_what_to_do_and_lead_there(
    claimed_program: Program, developer: User, group_admin: User, travel: Travel, grant_ends: bool
) -> None:
    ConnectorSecret.objects.update(expires_at=clock.now() + dt.timedelta(days=365))
    if grant_ends:
        Grant.objects.update(ends_at=RefreshToken.objects.get().expires_at)
    travel(days=365 - 14, seconds=1)
    remind()
    for notice in Notice.objects.filter(template__endswith="_ends"):
        subject, body = notifications.render(notice)
        assert "within 14 days" in subject
        assert "\n" not in subject
        assert "/console/" in body
        assert "Shift Planner" in body
    assert Notice.objects.filter(template__endswith="_ends").count() == 3


def test_when_the_granter_runs_the_group_no_more_the_admins_of_now_hear_it(
    claimed_program: Program,
    group_admin: User,
    member: User,
    travel: Travel,
    resigned: set[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resigned.add(group_admin.pk)
    monkeypatch.setattr(hooks, "administrators", lambda _target: [member])
    travel(days=280)
    remind()
    assert told(group_admin, "token") == []
    assert told(member, "token") == [90]


def test_somebody_who_is_both_hears_it_once(connector: Connector, developer: User, travel: Travel) -> None:
    factories.let_in(connector, developer)
    travel(days=280)
    remind()
    assert told(developer, "token") == [90]


@pytest.mark.postgresql
def test_one_that_fails_keeps_no_other_and_is_tried_again(
    claimed_program: Program, developer: User, group_admin: User, travel: Travel
) -> None:
    other = factories.make_connector(developer, "Other")
    factories.let_in(other, group_admin)
    travel(days=280)
    queue = notifications.queue

    def fail(**values: object) -> Notice:
        if "Shift Planner" in str(values["context"]):
            raise DatabaseError("no room")
        return queue(**values)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(notifications, "queue", fail)
        with pytest.raises(ExceptionGroup):
            reminders.remind()
    assert told(developer, "token") == [90]
    assert reminders.remind() == 2


@pytest.mark.parametrize(
    ("left", "days"),
    [
        (dt.timedelta(days=91), None),
        (dt.timedelta(days=90), 90),
        (dt.timedelta(days=30, seconds=1), 90),
        (dt.timedelta(days=30), 30),
        (dt.timedelta(hours=1), 1),
        (dt.timedelta(0), None),
    ],
)
def test_the_nearest_day_counts(left: dt.timedelta, days: int | None) -> None:
    now = clock.now()
    assert reminders.days_ahead(now + left, now) == days


@pytest.mark.postgresql
def test_when_nothing_is_due_it_costs_three_queries(
    claimed_program: Program, django_assert_num_queries: Callable[[int], object]
) -> None:
    with django_assert_num_queries(3):  # type: ignore[attr-defined]
        assert reminders.remind() == 0
    assert RefreshToken.objects.get().reminded_for is None


def test_whom_a_program_acts_for_is_led_to_where_its_token_is_made_anew(
    connector: Connector, developer: User, member: User, travel: Travel
) -> None:
    handoff = user_tokens.generate(connector=connector, person=factories.person_of(member), by=member)
    handoffs.claim(handoff=handoff, by=developer, idempotency_key=new_form_key(), address=None)
    travel(days=365 - 30)
    remind()
    body = notifications.render(Notice.objects.get(user=member, template="connectors/token_ends"))[1]
    assert f"/console/connectors/{connector.pk}/user-token/" in body
