"""Letting a connector in, what suspends and renews that, and its end: kept to, told of, moved while it goes on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import AuditEvent, Notice, User
from accounts.services import notifications
from connectors.models import AccessRequest, Connector, Grant, Handoff, OneTimeSecret, RefreshToken
from connectors.permissions import Permission
from connectors.services import (
    connectors,
    grants,
    handoffs,
    one_time_secrets,
    permissions,
    refresh_tokens,
    reminders,
    user_tokens,
)
from connectors.services.grants import AlreadyGranted
from connectors.services.one_time_secrets import new_form_key
from connectors.tasks import end_grants, expire_handoffs
from connectors.tests import factories
from connectors.tests.factories import COMMON, Program, exchange, let_in, make_use, person_of
from connectors.tests.html_forms import text_of
from connectors.tests.webhook_cast import make_webhook
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.dashboard.pending_actions import Urgency, tokens_to_replace
from kaizala_console.lib import clock, crypto, ids, moments
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

pytestmark = pytest.mark.django_db
Everything = Callable[[], Any]
Travel = Callable[..., dt.datetime]
Browser = Callable[..., Client]
TEMPLATE = "connectors/grant_ended"
DAY = dt.timedelta(days=1)


@pytest.mark.postgresql
def test_a_grant_makes_its_token_and_seals_it_at_once(connector: Connector, group_admin: User) -> None:
    granted = let_in(connector, group_admin)
    handoff = Handoff.objects.get(pk=granted.handoff.pk)
    assert (handoff.state, handoff.sealed_to, handoff.made_by) == ("waiting", "server", group_admin)
    assert handoff.expires_at - handoff.made_at == dt.timedelta(days=7)
    token = granted.refresh_token
    assert token.expires_at - token.issued_at == dt.timedelta(days=365)
    assert granted.grant.permissions == connector.permissions
    text = refresh_tokens.unseal(handoff)
    assert text.startswith("kzrt_")
    assert text.encode() not in bytes(handoff.sealed or b"")


@pytest.mark.postgresql
def test_what_is_sealed_opens_in_its_own_row_only(connector: Connector, group_admin: User) -> None:
    one, other = let_in(connector, group_admin).handoff, let_in(connector, group_admin).handoff
    one.sealed = other.sealed
    with pytest.raises(crypto.WrongKey):
        refresh_tokens.unseal(one)


def test_owner_and_co_owners_are_told_once_each_and_without_a_secret(
    connector: Connector, group_admin: User, developer: User, member: User, stranger: User
) -> None:
    User.objects.filter(pk=stranger.pk).update(is_active=False)
    connector.co_owners.add(member, developer, stranger)
    granted = let_in(connector, group_admin, target_name="Night shift")
    notices = Notice.objects.filter(template="connectors/handoff_made").order_by("created_at")
    assert [notice.user for notice in notices] == [developer, member]
    assert granted.handoff.notice == notices[0]
    assert refresh_tokens.unseal(granted.handoff)[5:] not in str(list(Notice.objects.values()))


def test_the_trail_tells_who_let_what_into_what(connector: Connector, group_admin: User) -> None:
    group_id = ids.new_id()
    let_in(connector, group_admin, target=f"group:{group_id}", permissions=["textmessage"])
    events = AuditEvent.objects.order_by("id")
    assert [event.tag for event in events] == ["grant:access:granted", "handoff:token:sealed"]
    for event in events:
        assert (event.connector_id, event.group_id, event.person_id) == (connector.pk, group_id, None)
        assert event.organisation == connector.organisation
        assert (event.actor_kind, event.actor_id) == ("user", str(group_admin.pk))
    assert events[0].after["permissions"] == ["textmessage"]


def test_a_grant_can_give_less_than_the_connector_asks_for(connector: Connector, group_admin: User) -> None:
    assert let_in(connector, group_admin, permissions=["textmessage"]).grant.permissions == {Permission.TEXT_MESSAGE}
    for chosen, code in (
        (["textmessage", "media"], "permissions_beyond"),
        ([], "permission_missing"),
        (["everything"], "permission_unknown"),
    ):
        with pytest.raises(RuleBroken) as caught:
            let_in(connector, group_admin, permissions=chosen)
        assert (caught.value.code, caught.value.field) == (code, "permissions")
    assert Grant.objects.count() == 1


@pytest.mark.postgresql
def test_a_token_ends_with_its_grant_and_so_does_the_handoff(connector: Connector, group_admin: User) -> None:
    with pytest.raises(RuleBroken) as caught:
        let_in(connector, group_admin, ends_at=clock.now())
    assert caught.value.field == "ends_at"
    ends_at = clock.now() + dt.timedelta(days=3)
    granted = let_in(connector, group_admin, ends_at=ends_at)
    assert granted.refresh_token.expires_at == granted.handoff.expires_at == ends_at


@pytest.mark.postgresql
def test_the_second_grant_for_one_target_names_the_first(connector: Connector, group_admin: User) -> None:
    first = let_in(connector, group_admin).grant
    with pytest.raises(AlreadyGranted) as caught:
        let_in(connector, group_admin, target=first.target)
    assert caught.value.grant == first
    assert Handoff.objects.count() == RefreshToken.objects.count() == 1


@pytest.mark.parametrize(("act", "word"), [(connectors.deactivate, "deactivated"), (connectors.suspend, "suspended")])
def test_a_connector_that_takes_no_grants_gets_none_and_its_grants_stay(
    program: Program, developer: User, group_admin: User, everything: Everything, act: Any, word: str
) -> None:
    act(connector=program.connector, by=developer)
    before = everything()
    with pytest.raises(RuleBroken, match=word):
        let_in(program.connector, group_admin)
    assert everything() == before


def test_a_deleted_connector_and_one_of_another_organisation_are_not_there(
    connector: Connector, developer: User, group_admin: User, outsider: User
) -> None:
    with pytest.raises(NotFound):
        let_in(connector, outsider)
    connectors.delete(connector=connector, by=developer)
    with pytest.raises(NotFound):
        let_in(connector, group_admin)
    assert not Grant.objects.exists()


@pytest.mark.postgresql
def test_what_was_revoked_cannot_be_ended_suspended_or_renewed(program: Program, group_admin: User) -> None:
    grants.revoke(grant=program.grant, by=group_admin)
    for act in (grants.revoke, grants.suspend, grants.resume, grants.regenerate):
        with pytest.raises(Conflict, match="removed"):
            act(grant=program.grant, by=group_admin)


@pytest.mark.postgresql
def test_revoking_wipes_what_waits_and_what_is_shown(program: Program, group_admin: User, developer: User) -> None:
    key = one_time_secrets.new_form_key()
    one_time_secrets.remember(user=developer, idempotency_key=key, subject=program.handoff, token=program.refresh_token)
    grants.revoke(grant=program.grant, by=group_admin)
    handoff = Handoff.objects.get()
    assert (handoff.state, handoff.sealed) == ("withdrawn", None)
    assert not OneTimeSecret.objects.exists()
    assert AuditEvent.objects.order_by("-id")[0].before["tokens_ended"] == 1


def test_a_grant_that_is_over_is_not_regenerated(program: Program, group_admin: User) -> None:
    Grant.objects.update(granted_at=clock.now() - 2 * DAY, ends_at=clock.now() - DAY)
    with pytest.raises(RuleBroken, match="ended on"):
        grants.regenerate(grant=program.grant, by=group_admin)


@pytest.mark.postgresql
def test_a_new_name_of_the_target_shows_on_its_grants(program: Program, group_admin: User) -> None:
    other = let_in(program.connector, group_admin)
    assert grants.relabel(target=program.grant.target, name=" Early\nshift ") == 1
    program.grant.refresh_from_db()
    other.grant.refresh_from_db()
    assert (program.grant.target_name, other.grant.target_name) == ("Early shift", "Night shift")


# Its end -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ended(connector: Connector, group_admin: User, travel: Travel) -> Program:
    """A program whose access had three days; its token was never claimed."""
    program = factories.make_program(connector, group_admin, ends_at=clock.now() + 3 * DAY)
    travel(days=3)
    return program


def test_both_sides_hear_of_one_end(ended: Program, developer: User, group_admin: User, connector: Connector) -> None:
    let_in(connector, group_admin, ends_at=clock.now() + dt.timedelta(hours=1))  # this one has not ended
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


def move(program: Program, by: User, days: float | None) -> Grant:
    ends_at = None if days is None else clock.now() + days * DAY
    return grants.move(grant=program.grant, ends_at=ends_at, by=by)


@pytest.fixture
def brief(connector: Connector, group_admin: User) -> Program:
    """A program whose access was given for ten days; its token ends with it."""
    return factories.make_program(connector, group_admin, ends_at=clock.now() + 10 * DAY)


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


def test_a_person_is_told_what_stops_with_it_and_another_name_ends_nothing(
    connector: Connector, member: User, browser_of: Browser
) -> None:
    grant = user_tokens.generate(connector=connector, person=person_of(member), by=member).grant
    for days, calls in ((0, 3), (4, 4)):
        make_use(grant, "GET v1/groups/<group_id>", at=clock.now() - days * DAY, calls=calls)
    make_webhook(grant, "https://hooks.example.com/in", uuid4())
    page = browser_of(member).post(reverse("connectors:acting_end", args=[grant.pk]), {"typed": "Shift"})
    assert page.status_code == 400
    for fact in (
        "Type the name exactly: “Shift Planner”.",
        "live refresh tokens 1",
        "handoffs waiting 1",
        "GET /v1/groups/{groupId} 3 7",
        "hooks.example.com",
    ):
        assert fact in text_of(page)
    assert Grant.objects.present().exists()
