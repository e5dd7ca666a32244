"""An end date is set, moved and taken away while the access goes on: its tokens follow, sooner and later."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import AuditEvent, Notice, User
from connectors.models import AccessRequest, Connector, Grant, Handoff, RefreshToken
from connectors.queries import connectors as queries_connectors
from connectors.services import connectors, grants, permissions, refresh_tokens, reminders
from connectors.tests import factories
from connectors.tests.factories import COMMON, Program
from connectors.tests.test_successors import exchange
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

pytestmark = pytest.mark.django_db
Travel = Callable[..., dt.datetime]
DAY = dt.timedelta(days=1)


def move(program: Program, by: User, days: float | None) -> Grant:
    ends_at = None if days is None else clock.now() + days * DAY
    return grants.move(grant=program.grant, ends_at=ends_at, by=by)


@pytest.fixture
def brief(connector: Connector, group_admin: User) -> Program:
    """A program whose access was given for ten days; its token ends with it."""
    return factories.make_program(connector, group_admin, ends_at=clock.now() + 10 * DAY)


def test_an_end_that_is_set_later_is_kept_to(program: Program, group_admin: User, travel: Travel) -> None:
    move(program, group_admin, 2)
    assert exchange(program, program.refresh_token).access_token
    travel(days=2)
    with pytest.raises(RefreshTokenRefused):
        exchange(program, program.refresh_token)
    assert grants.end_overdue() == 1


def test_a_token_that_ended_with_its_grant_lives_on_with_it(brief: Program, group_admin: User, travel: Travel) -> None:
    issued = RefreshToken.objects.get().issued_at
    move(brief, group_admin, 100)
    travel(days=99)
    assert exchange(brief, brief.refresh_token).access_token
    move(brief, group_admin, None)
    assert RefreshToken.objects.get().expires_at == issued + dt.timedelta(days=365), "not beyond its own life"
    assert Grant.objects.get().ends_at is None
    travel(days=265)
    assert exchange(brief, brief.refresh_token).successor


def test_a_token_ends_with_its_grant_and_has_its_own_end_back_when_that_is_sooner(
    program: Program, group_admin: User
) -> None:
    own_end = RefreshToken.objects.get().expires_at
    for days in (2, 400, 30, None):
        ends_at = move(program, group_admin, days).ends_at
        assert RefreshToken.objects.get().expires_at == min(own_end, ends_at or own_end)


def test_a_token_of_another_life_keeps_it(program: Program, group_admin: User, settings: Settings) -> None:
    """It was made when the operator had set more days than now."""
    own_end = RefreshToken.objects.get().expires_at
    settings.REFRESH_TOKEN_DAYS = 30
    move(program, group_admin, 400)
    move(program, group_admin, None)
    assert RefreshToken.objects.get().expires_at == own_end


def test_home_tells_of_a_token_that_ends_sooner_now(program: Program, developer: User, group_admin: User) -> None:
    program.handoff.delete()
    assert not queries_connectors.list_ending_tokens(developer).exists()
    move(program, group_admin, 10)
    assert queries_connectors.list_ending_tokens(developer).exists()


def test_tokens_that_were_ended_do_not_come_back(brief: Program, group_admin: User) -> None:
    grants.regenerate(grant=brief.grant, by=group_admin)
    old = RefreshToken.objects.exclude(revoked_at=None).get()
    move(brief, group_admin, 100)
    assert RefreshToken.objects.get(pk=old.pk).expires_at == old.expires_at
    with pytest.raises(RefreshTokenRefused):
        exchange(brief, brief.refresh_token)


@pytest.mark.parametrize("days", [0, -1])
def test_an_end_lies_ahead(program: Program, group_admin: User, days: float, everything: Callable[[], Any]) -> None:
    before = everything()
    with pytest.raises(RuleBroken) as refused:
        move(program, group_admin, days)
    assert (refused.value.code, refused.value.field) == ("ends_at", "end_date")
    assert everything() == before


def test_what_is_over_is_not_brought_back(brief: Program, group_admin: User, travel: Travel) -> None:
    travel(days=10)
    with pytest.raises(RuleBroken) as refused:
        move(brief, group_admin, 5)
    assert refused.value.code == "grant_over"
    grants.revoke(grant=brief.grant, by=group_admin)
    with pytest.raises(Conflict):
        move(brief, group_admin, 5)


@pytest.mark.parametrize("who", ["developer", "stranger", "member", "outsider", "organisation_admin"])
def test_who_does_not_administer_it_moves_nothing(
    program: Program, who: str, request: pytest.FixtureRequest, everything: Callable[[], Any]
) -> None:
    user = request.getfixturevalue(who)
    before = everything()
    with pytest.raises(NotFound):
        move(program, user, 5)
    assert everything() == before


def test_who_cools_off_may_end_it_sooner_and_not_later(brief: Program, group_admin: User) -> None:
    group_admin.credentials_locked_until = clock.now() + DAY
    group_admin.save()
    for days in (11, None):
        with pytest.raises(RuleBroken) as refused:
            move(brief, group_admin, days)
        assert refused.value.code == "cooling_off"
    ends_at = move(brief, group_admin, 1).ends_at
    assert ends_at is not None
    assert ends_at < clock.now() + 2 * DAY


def test_the_trail_tells_both_ends_once(brief: Program, group_admin: User) -> None:
    before = brief.grant.ends_at
    assert before is not None
    after = move(brief, group_admin, 20).ends_at
    assert after is not None
    grants.move(grant=brief.grant, ends_at=after, by=group_admin)
    event = AuditEvent.objects.get(tag="grant:end:changed")
    assert (event.before["ends_at"], event.after["ends_at"]) == (before.isoformat(), after.isoformat())
    assert (event.actor_name, event.after["connector"]) == (group_admin.name, "Shift Planner")


def test_people_hear_of_the_new_end_in_time(brief: Program, group_admin: User, travel: Travel) -> None:
    reminders.remind()
    assert not Notice.objects.filter(template="connectors/grant_ends").exists(), "given for ten days, said at once"
    move(brief, group_admin, 40)
    told = []
    for day in range(1, 41):
        travel(days=1)
        if reminders.remind():
            told.append(40 - day)
    assert told == [30, 14, 7, 3, 1]


def test_what_waits_for_an_answer_waits_no_longer_than_the_access(program: Program, group_admin: User) -> None:
    permissions.change(connector=program.connector, permissions=[*COMMON, "media"], by=program.connector.owner)
    ends_at = move(program, group_admin, 1).ends_at
    assert AccessRequest.objects.get().expires_at == ends_at


def test_a_successor_is_made_once_the_grant_outlives_the_token(
    connector: Connector, group_admin: User, travel: Travel
) -> None:
    program = factories.make_program(connector, group_admin, ends_at=clock.now() + 365 * DAY)
    travel(days=340)
    assert refresh_tokens.rotate_due() == 0
    move(program, group_admin, 300)
    Handoff.objects.update(withdrawn_at=clock.now(), sealed=None)
    assert refresh_tokens.rotate_due() == 1


def test_a_suspended_one_may_be_given_an_end(program: Program, group_admin: User, travel: Travel) -> None:
    connectors.suspend(connector=program.connector, by=program.connector.owner)
    grants.suspend(grant=program.grant, by=group_admin)
    move(program, group_admin, 1)
    travel(days=1)
    assert grants.end_overdue() == 1
