"""The end of a grant: kept to, told of, moved while the access goes on; tokens that end soon; what a person ends."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.audit.events import EventType
from accounts.models import AuditEvent, Notice, User
from accounts.services import notifications
from connectors.models import AccessRequest, Connector, Grant, Handoff, RefreshToken
from connectors.services import connectors, grants, handoffs, permissions, refresh_tokens, reminders, user_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tasks import end_grants, expire_handoffs
from connectors.tests import factories
from connectors.tests.factories import COMMON, Program, exchange, make_use, person_of
from connectors.tests.html_forms import text_of
from connectors.tests.webhook_cast import make_webhook
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.dashboard.pending_actions import Urgency, tokens_to_replace
from kaizala_console.lib import clock, moments
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

pytestmark = pytest.mark.django_db
TEMPLATE = "connectors/grant_ended"
Travel = Callable[..., dt.datetime]
DAY = dt.timedelta(days=1)
Browser = Callable[..., Client]


@pytest.fixture
def ended(connector: Connector, group_admin: User, travel: Travel) -> Program:
    """A program whose access had three days; its token was never claimed."""
    program = factories.make_program(connector, group_admin, ends_at=clock.now() + 3 * DAY)
    travel(days=3)
    return program


# It comes ------------------------------------------------------------------------------


def test_both_sides_hear_of_one_end(ended: Program, developer: User, group_admin: User, connector: Connector) -> None:
    factories.let_in(connector, group_admin, ends_at=clock.now() + dt.timedelta(hours=1))  # this one has not ended
    for _ in range(2):
        with pytest.raises(RefreshTokenRefused, match="expired on"):
            exchange(ended)
        expire_handoffs()
        end_grants()
    handoff = Handoff.objects.get(pk=ended.handoff.pk)
    assert (handoff.state, handoff.sealed) == ("withdrawn", None)
    assert Handoff.objects.waiting().count() == 1
    told = Notice.objects.exclude(template="connectors/handoff_made")
    assert sorted(told.values_list("user_id", "template")) == sorted(
        [(developer.pk, TEMPLATE), (group_admin.pk, TEMPLATE)]
    )
    event = AuditEvent.objects.get(tag="grant:access:ended")
    assert (event.actor_kind, event.after["handoffs_withdrawn"]) == ("system", 1)


def test_the_mails_name_the_end_and_lead_to_the_console(ended: Program, developer: User, group_admin: User) -> None:
    end_grants()
    for user in (developer, group_admin):
        subject, body = notifications.render(Notice.objects.get(template=TEMPLATE, user=user))
        for name in ("Shift Planner", "Night shift"):
            assert name in subject
        for fact in (moments.exact(clock.now()), "unclaimed refresh token was deleted", "/console/"):
            assert fact in body


def test_a_moved_end_is_told_again(ended: Program, developer: User, group_admin: User, travel: Travel) -> None:
    assert grants.end_overdue() == 1
    Grant.objects.update(ends_at=clock.now() + 2 * DAY)
    assert grants.end_overdue() == 0
    travel(days=2)
    assert grants.end_overdue() == 1
    assert Notice.objects.filter(template=TEMPLATE, user=developer).count() == 2
    Grant.objects.update(ends_at=clock.now() + 2 * DAY)
    grants.revoke(grant=ended.grant, by=group_admin)
    travel(days=2)
    assert grants.end_overdue() == 0


def test_without_an_audit_row_nothing_is_wiped(ended: Program, no_audit: Callable[[], None]) -> None:
    no_audit()
    with pytest.raises(ExceptionGroup):
        grants.end_overdue()
    assert Handoff.objects.get().sealed is not None
    assert not Notice.objects.filter(template=TEMPLATE).exists()


# It is moved ------------------------------------------------------------------------------


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


@pytest.mark.parametrize("how", ["brief", "program"])
def test_a_token_ends_with_its_grant_and_has_its_own_end_back_when_that_is_sooner(
    how: str, request: pytest.FixtureRequest, group_admin: User, travel: Travel
) -> None:
    program: Program = request.getfixturevalue(how)
    own_end = RefreshToken.objects.get().issued_at + 365 * DAY
    for days in (2, 400, 30, None):
        ends_at = move(program, group_admin, days).ends_at
        assert RefreshToken.objects.get().expires_at == min(own_end, ends_at or own_end)
    travel(days=364)
    assert exchange(program).successor


def test_a_token_of_another_life_keeps_it(program: Program, group_admin: User, settings: Settings) -> None:
    """It was made when the operator had set more days than now."""
    own_end = RefreshToken.objects.get().expires_at
    settings.REFRESH_TOKEN_DAYS = 30
    move(program, group_admin, 400)
    move(program, group_admin, None)
    assert RefreshToken.objects.get().expires_at == own_end


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
    move(brief, group_admin, 1)
    assert Grant.objects.filter(ends_at__lt=clock.now() + 2 * DAY).exists()


def test_the_trail_tells_both_ends_once(brief: Program, group_admin: User) -> None:
    ends = [brief.grant.ends_at, move(brief, group_admin, 20).ends_at]
    grants.move(grant=brief.grant, ends_at=ends[1], by=group_admin)
    event = AuditEvent.objects.get(tag="grant:end:changed")
    assert [event.before["ends_at"], event.after["ends_at"]] == [end and end.isoformat() for end in ends]
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


# Home says which tokens end soon and have no successor ----------------------------------------------


@pytest.fixture
def old_program(program: Program, developer: User, travel: Travel) -> Program:
    """Its developer claimed the token; 20 days are left of it."""
    handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=new_form_key(), address=None)
    travel(days=345)
    return program


def test_a_token_in_its_last_month_is_on_its_owners_home(
    old_program: Program,
    developer: User,
    stranger: User,
    group_admin: User,
    browser_of: Browser,
    travel: Travel,
) -> None:
    groups = reverse("connectors:groups", args=[old_program.connector.pk])
    assert groups in browser_of(developer).get(reverse("home")).text
    assert list(tokens_to_replace(stranger)) == list(tokens_to_replace(group_admin)) == []
    urgencies = []
    for days in (0, 15, 6):
        travel(days=days)
        urgencies += [[need.urgency for need in tokens_to_replace(developer)]]
    assert urgencies == [[Urgency.NORMAL], [Urgency.SOON], []]


@pytest.mark.parametrize("successor", ["waits to be claimed", "is in use"])
def test_a_token_that_has_a_successor_is_not_on_home(old_program: Program, developer: User, successor: str) -> None:
    if successor == "is in use":
        exchange(old_program, exchange(old_program).successor)
    else:
        refresh_tokens.rotate_due()
    assert list(tokens_to_replace(developer)) == []


# A person ends what acts for them ------------------------------------------------------------------


@pytest.fixture
def grant(connector: Connector, member: User) -> Grant:
    """The member has let the connector act by a PIN."""
    return user_tokens.let_act(
        connector=connector,
        person=person_of(member),
        user=member,
        scopes=None,
        by=member,
        tag=EventType.USER_TOKEN_BY_PIN,
        address=None,
    ).grant


def end_of(grant: Grant) -> str:
    return reverse("connectors:acting_end", args=[grant.pk])


def test_what_stops_with_it_is_told_first(grant: Grant, member: User, browser_of: Browser) -> None:
    for days, calls in ((0, 3), (4, 4)):
        make_use(grant, "GET v1/groups/<group_id>", at=clock.now() - dt.timedelta(days=days), calls=calls)
    make_webhook(grant, "https://hooks.example.com/in", uuid4())
    text = text_of(browser_of(member).get(end_of(grant)))
    for fact in (
        "live refresh tokens 1",
        "handoffs waiting 0",
        "calls in the last 24 hours 3",
        "calls in the last 7 days 7",
        "GET /v1/groups/{groupId} 3 7",
        "active webhooks 1",
        "hooks.example.com",
    ):
        assert fact in text


def test_another_name_ends_nothing(grant: Grant, member: User, browser_of: Browser) -> None:
    page = browser_of(member).post(end_of(grant), {"typed": "Shift"})
    assert page.status_code == 400
    assert "Type the name exactly: “Shift Planner”." in text_of(page)
    assert "What will stop" in text_of(page)
    assert Grant.objects.present().exists()
