"""From 90 % of its life a refresh token has a successor: given when asked, handed over, issued again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import AuditEvent, Notice, User
from accounts.services import notifications
from connectors.models import Connector, Handoff, RefreshToken
from connectors.services import connectors, grants, handoffs, refresh_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.services.refresh_tokens import get_successor_start
from connectors.tasks import rotate_tokens
from connectors.tests import factories
from connectors.tests.factories import Program, exchange
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.lib import clock, moments
from kaizala_console.lib.errors import NotFound

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]

Travel = Callable[..., dt.datetime]


def test_before_328_days_there_is_none_and_from_then_on_there_is(program: Program, travel: Travel) -> None:
    travel(days=327, hours=23)
    assert exchange(program).successor == ""
    assert RefreshToken.objects.count() == 1
    travel(hours=1, seconds=1)
    assert exchange(program).successor.startswith("kzrt_")


def test_asked_again_it_is_the_same_and_the_old_token_works_to_its_own_end(program: Program, travel: Travel) -> None:
    travel(days=330)
    first = exchange(program).successor
    travel(days=34)
    assert exchange(program).successor == first
    assert RefreshToken.objects.count() == 2
    travel(days=1)
    with pytest.raises(RefreshTokenRefused, match="expired"):
        exchange(program)
    assert exchange(program, first).access_token


def test_the_successor_is_a_whole_token_with_a_year_of_its_own(program: Program, travel: Travel) -> None:
    now = travel(days=330)
    successor = exchange(program).successor
    assert exchange(program, successor).successor == ""
    row = RefreshToken.objects.get(predecessor__isnull=False)
    assert row.expires_at == now + dt.timedelta(days=365)
    assert row.first_used_at == now
    travel(days=329)
    third = exchange(program, successor).successor
    assert third not in {"", successor, program.refresh_token}


def test_only_digests_of_it_are_stored_and_the_trail_says_that_it_was_made(program: Program, travel: Travel) -> None:
    travel(days=330)
    successor = exchange(program).successor
    exchange(program)
    assert successor[21:] not in str(list(RefreshToken.objects.values())) + str(list(AuditEvent.objects.values()))
    assert AuditEvent.objects.filter(tag="grant:token:succeeded").count() == 1


def test_a_new_pepper_leaves_a_successor_as_it_is(program: Program, travel: Travel, settings: Settings) -> None:
    travel(days=330)
    successor = exchange(program).successor
    settings.CREDENTIAL_PEPPERS = [("2027a", b"n" * 32), *settings.CREDENTIAL_PEPPERS]
    assert exchange(program).successor == successor
    assert exchange(program, successor).access_token


def test_a_grant_that_ends_has_no_successor(connector: Connector, group_admin: User, travel: Travel) -> None:
    program = factories.make_program(connector, group_admin, ends_at=clock.now() + dt.timedelta(days=100))
    travel(days=99)
    assert exchange(program).successor == ""
    assert RefreshToken.objects.count() == 1


def test_the_successor_ends_with_its_grant(connector: Connector, group_admin: User, travel: Travel) -> None:
    ends_at = clock.now() + dt.timedelta(days=400)
    program = factories.make_program(connector, group_admin, ends_at=ends_at)
    travel(days=330)
    exchange(program)
    assert RefreshToken.objects.get(predecessor__isnull=False).expires_at == ends_at


@pytest.mark.parametrize(
    ("life", "offered_after"),
    [
        (dt.timedelta(days=365), dt.timedelta(days=328)),
        (dt.timedelta(days=10), dt.timedelta(days=9)),
        (dt.timedelta(days=1), dt.timedelta(hours=21, minutes=36)),
    ],
)
def test_ninety_percent_are_counted_in_whole_days(life: dt.timedelta, offered_after: dt.timedelta) -> None:
    issued_at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    token = RefreshToken(issued_at=issued_at, expires_at=issued_at + life)
    assert get_successor_start(token.issued_at, token.expires_at) == issued_at + offered_after


def test_without_an_audit_row_none_is_made(program: Program, travel: Travel, no_audit: Callable[[], None]) -> None:
    exchange(program)
    travel(days=330)
    no_audit()
    with pytest.raises(DatabaseError):
        exchange(program)
    assert RefreshToken.objects.count() == 1


@pytest.fixture
def old_program(program: Program, developer: User, travel: Travel) -> Program:
    """Its developer claimed the token, and 330 of its 365 days have passed."""
    handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=new_form_key(), address=None)
    travel(days=330)
    return program


def waiting() -> Handoff:
    return Handoff.objects.waiting().get()


def claimed(handoff: Handoff, by: User) -> str:
    return handoffs.claim(handoff=handoff, by=by, idempotency_key=new_form_key(), address=None)


def test_before_ninety_percent_nothing_is_made(program: Program, developer: User, travel: Travel) -> None:
    claimed(program.handoff, developer)
    travel(days=327, hours=23)
    assert refresh_tokens.rotate_due() == 0
    travel(hours=1, seconds=1)
    assert refresh_tokens.rotate_due() == 1


def test_what_the_token_service_gave_is_handed_over_once(
    old_program: Program, developer: User, travel: Travel, outbox: list[EmailMessage]
) -> None:
    given = exchange(old_program).successor
    assert [refresh_tokens.rotate_due() for _ in range(3)] == [1, 0, 0]
    handoff = waiting()
    assert claimed(handoff, developer) == given
    travel(days=2)
    assert refresh_tokens.rotate_due() == 0
    assert AuditEvent.objects.filter(tag="grant:token:succeeded").count() == 1
    outbox.clear()
    notifications.deliver(notice_id=Notice.objects.get(template="connectors/handoff_rotated").pk)
    (mail,) = outbox
    assert moments.exact(RefreshToken.objects.get(predecessor=None).expires_at) in mail.body
    assert f"/console/handoffs/{handoff.pk}/" in mail.body
    assert "kzrt_" not in f"{mail.subject} {mail.body}"


def test_what_the_program_uses_already_is_not_handed_over(old_program: Program) -> None:
    exchange(old_program, exchange(old_program).successor)
    assert refresh_tokens.rotate_due() == 0


def test_the_console_itself_made_it_and_no_admin_can_have_it_shown(
    old_program: Program, developer: User, group_admin: User, browser_of: Callable[..., Any]
) -> None:
    refresh_tokens.rotate_due()
    handoff = waiting()
    assert (handoff.made_by, handoff.maker_name) == (None, "Kaizala Console")
    with pytest.raises(NotFound):
        handoffs.reveal(handoff=handoff, by=group_admin, idempotency_key=new_form_key())
    page = browser_of(developer).get(f"/console/handoffs/{handoff.pk}/")
    assert "Kaizala Console" in page.text
    assert group_admin.name in page.text
    event = AuditEvent.objects.get(tag="handoff:token:sealed", subject_id=str(handoff.pk))
    assert (event.actor_kind, event.actor_name) == ("system", "Kaizala Console")


def test_a_handoff_that_still_waits_comes_first(program: Program, travel: Travel) -> None:
    travel(days=330)
    assert refresh_tokens.rotate_due() == 0
    assert not refresh_tokens.rotate(token_id=RefreshToken.objects.get().pk)
    handoffs.expire_overdue()
    assert refresh_tokens.rotate_due() == 1


@pytest.mark.parametrize("end", ["suspend", "revoke", "suspend_connector", "delete_connector", "its year"])
def test_what_is_over_has_none(old_program: Program, group_admin: User, travel: Travel, end: str) -> None:
    grant, connector = old_program.grant, old_program.connector
    match end:
        case "suspend":
            grants.suspend(grant=grant, by=group_admin)
        case "revoke":
            grants.revoke(grant=grant, by=group_admin)
        case "suspend_connector":
            connectors.suspend(connector=connector, by=connector.owner)
        case "delete_connector":
            connectors.delete(connector=connector, by=connector.owner)
        case "its year":
            travel(days=36)
            assert not refresh_tokens.rotate(token_id=RefreshToken.objects.get().pk)
    assert refresh_tokens.rotate_due() == 0
    assert RefreshToken.objects.count() == 1


@pytest.mark.parametrize("which", ["token", "successor"])
def test_what_was_reported_as_leaked_is_not_handed_over(old_program: Program, which: str) -> None:
    exchange(old_program)
    RefreshToken.objects.filter(predecessor__isnull=which == "token").update(reported_at=clock.now())
    assert refresh_tokens.rotate_due() == 0
    assert not any(refresh_tokens.rotate(token_id=token.pk) for token in RefreshToken.objects.all())
    assert not Handoff.objects.waiting().exists()


def test_unopened_it_is_issued_again_as_it_is(old_program: Program, developer: User, travel: Travel) -> None:
    rotate_tokens()
    successor = exchange(old_program).successor
    first = waiting()
    travel(days=8)
    handoffs.expire_overdue()
    assert refresh_tokens.rotate_due() == 0  # people were told; nobody is flooded
    again = handoffs.reissue(handoff=first, by=developer)
    assert claimed(again, developer) == successor
    assert exchange(old_program).access_token
    assert RefreshToken.objects.count() == 2


def test_once_opened_and_lost_a_new_one_is_made_and_all_before_it_end(old_program: Program, developer: User) -> None:
    refresh_tokens.rotate_due()
    handoff = waiting()
    successor = claimed(handoff, developer)
    again = handoffs.reissue(handoff=handoff, by=developer)
    new = claimed(again, developer)
    assert new != successor
    for token in (old_program.refresh_token, successor):
        with pytest.raises(RefreshTokenRefused, match="superseded"):
            exchange(old_program, token)
    assert exchange(old_program, new).access_token


def test_regenerating_ends_the_successor_too_and_withdraws_it(old_program: Program, group_admin: User) -> None:
    refresh_tokens.rotate_due()
    before, successor = waiting(), exchange(old_program).successor
    after = grants.regenerate(grant=old_program.grant, by=group_admin)
    for token in (old_program.refresh_token, successor):
        with pytest.raises(RefreshTokenRefused, match="superseded"):
            exchange(old_program, token)
    before.refresh_from_db()
    assert (before.state, before.sealed) == ("withdrawn", None)
    assert waiting() == after
    assert refresh_tokens.rotate_due() == 0


def test_without_its_pepper_nothing_is_handed_over_and_the_others_have_their_turn(
    old_program: Program, connector: Connector, developer: User, group_admin: User, settings: Settings
) -> None:
    exchange(old_program)
    pepper = settings.CREDENTIAL_PEPPERS
    settings.CREDENTIAL_PEPPERS = [("new", b"n" * 32)]
    other = factories.make_program(connector, group_admin)
    claimed(other.handoff, developer)
    RefreshToken.objects.filter(grant=other.grant).update(
        issued_at=clock.now() - dt.timedelta(days=330), expires_at=clock.now() + dt.timedelta(days=35)
    )
    assert refresh_tokens.rotate_due() == 1
    assert waiting().grant == other.grant
    settings.CREDENTIAL_PEPPERS = [*settings.CREDENTIAL_PEPPERS, *pepper]
    assert refresh_tokens.rotate_due() == 1


def test_one_failure_keeps_no_other(old_program: Program, connector: Connector, group_admin: User) -> None:
    other = factories.make_program(connector, group_admin)
    claimed(other.handoff, connector.owner)
    RefreshToken.objects.update(
        issued_at=clock.now() - dt.timedelta(days=330), expires_at=clock.now() + dt.timedelta(days=35)
    )
    seal = refresh_tokens.seal

    def fail(text: str, *, token: RefreshToken, **options: Any) -> Handoff:
        if token.grant_id == old_program.grant.pk:
            raise DatabaseError("no room")
        return seal(text, token=token, **options)

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(refresh_tokens, "seal", fail)
        with pytest.raises(ExceptionGroup):
            refresh_tokens.rotate_due()
    assert waiting().grant == other.grant
    assert not RefreshToken.objects.filter(grant=old_program.grant, predecessor__isnull=False).exists()
    assert refresh_tokens.rotate_due() == 1


def test_nothing_due_costs_one_query(program: Program, developer: User, django_assert_num_queries: Any) -> None:
    claimed(program.handoff, developer)
    with django_assert_num_queries(1):
        assert refresh_tokens.rotate_due() == 0


def test_a_page_left_open_leads_to_the_one_that_was_opened_meanwhile(
    program: Program, developer: User, travel: Travel, browser_of: Callable[..., Client]
) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    travel(minutes=1)
    new = handoffs.reissue(handoff=program.handoff, by=developer)
    taken = claimed(new, developer)
    browser = browser_of(developer)
    answer = browser.post(reverse("connectors:handoff_reissue", args=[program.handoff.pk]), follow=True)
    assert answer.redirect_chain[-1][0] == reverse("connectors:handoff", args=[new.pk])
    page = answer.content.decode()
    assert "A newer token was already claimed. This is it." in page
    assert "Regenerated: claim the new token here." not in page
    assert reverse("connectors:handoff_reissue", args=[new.pk]) in page, "from there it can be"
    assert exchange(program, taken).access_token, "the token that was claimed goes on"
    assert Handoff.objects.count() == 2


# "Regenerate", when the worker or the other side came between the page and the button -----------------------------


def test_regenerating_ends_the_token_though_its_successor_was_handed_over_meanwhile(
    program: Program, developer: User, group_admin: User, travel: Travel
) -> None:
    claimed(program.handoff, developer)
    travel(days=330)
    refresh_tokens.rotate_due()
    travel(minutes=1)
    new = grants.regenerate(grant=program.grant, by=group_admin, instead_of=program.handoff)
    with pytest.raises(RefreshTokenRefused, match="superseded"):
        exchange(program)
    assert Handoff.objects.waiting().get() == new
    assert RefreshToken.objects.get(revoked_at=None) == new.refresh_token
    assert grants.regenerate(grant=program.grant, by=group_admin, instead_of=program.handoff) == new, "twice is once"
