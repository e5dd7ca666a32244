"""From 90 % of a refresh token's life the worker makes its successor and hands it over; nothing ends early."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.db import DatabaseError
from pytest_django import Settings

from accounts.models import AuditEvent, Notice, User
from accounts.services import notifications
from connectors.models import Connector, Handoff, RefreshToken
from connectors.services import connectors, grants, handoffs, refresh_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tasks import rotate_tokens
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.test_successors import exchange
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.lib import clock, moments
from kaizala_console.lib.errors import NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture
def old_program(program: Program, developer: User, travel: Callable[..., dt.datetime]) -> Program:
    """Its developer claimed the token, and 330 of its 365 days have passed."""
    handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=new_form_key(), address=None)
    travel(days=330)
    return program


def waiting() -> Handoff:
    return Handoff.objects.waiting().get()


def claimed(handoff: Handoff, by: User) -> str:
    return handoffs.claim(handoff=handoff, by=by, idempotency_key=new_form_key(), address=None)


@pytest.mark.postgresql
def test_the_worker_hands_over_what_the_token_service_gives_and_both_tokens_work(
    old_program: Program, developer: User
) -> None:
    rotate_tokens()
    handed_over = claimed(waiting(), developer)
    assert handed_over == exchange(old_program).successor
    assert exchange(old_program, handed_over).access_token
    assert exchange(old_program).access_token


def test_the_other_way_round_it_is_the_same_one_too(old_program: Program, developer: User) -> None:
    given = exchange(old_program).successor
    assert refresh_tokens.rotate_due() == 1
    assert claimed(waiting(), developer) == given
    assert RefreshToken.objects.count() == 2


def test_before_ninety_percent_nothing_is_made(
    program: Program, developer: User, travel: Callable[..., dt.datetime]
) -> None:
    claimed(program.handoff, developer)
    travel(days=327, hours=23)
    assert refresh_tokens.rotate_due() == 0
    travel(hours=1, seconds=1)
    assert refresh_tokens.rotate_due() == 1


@pytest.mark.postgresql
def test_it_is_handed_over_once(old_program: Program, developer: User, travel: Callable[..., dt.datetime]) -> None:
    assert [refresh_tokens.rotate_due() for _ in range(3)] == [1, 0, 0]
    claimed(waiting(), developer)
    travel(days=2)
    assert refresh_tokens.rotate_due() == 0
    assert AuditEvent.objects.filter(tag="grant:token:succeeded").count() == 1
    assert Notice.objects.filter(template="connectors/handoff_rotated").count() == 1


def test_what_the_program_uses_already_is_not_handed_over(old_program: Program) -> None:
    exchange(old_program, exchange(old_program).successor)
    assert refresh_tokens.rotate_due() == 0


def test_the_mail_names_the_end_and_no_secret(old_program: Program, outbox: list[EmailMessage]) -> None:
    for notice in Notice.objects.all():
        notifications.deliver(notice_id=notice.pk)
    outbox.clear()
    refresh_tokens.rotate_due()
    notifications.deliver(notice_id=Notice.objects.get(template="connectors/handoff_rotated").pk)
    (mail,) = outbox
    ends_at = RefreshToken.objects.get(predecessor=None).expires_at
    assert moments.exact(ends_at) in mail.body
    assert f"/console/handoffs/{waiting().pk}/" in mail.body
    assert "kzrt_" not in f"{mail.subject} {mail.body}"


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


def test_a_handoff_that_still_waits_comes_first(program: Program, travel: Callable[..., dt.datetime]) -> None:
    travel(days=330)
    assert refresh_tokens.rotate_due() == 0
    assert not refresh_tokens.rotate(token_id=RefreshToken.objects.get().pk)
    handoffs.expire_overdue()
    assert refresh_tokens.rotate_due() == 1


@pytest.mark.postgresql
@pytest.mark.parametrize("end", ["suspend", "revoke", "suspend_connector", "delete_connector"])
def test_what_is_suspended_or_over_gets_no_successor(
    old_program: Program, developer: User, group_admin: User, end: str
) -> None:
    acts: dict[str, Callable[[], Any]] = {
        "suspend": lambda: grants.suspend(grant=old_program.grant, by=group_admin),
        "revoke": lambda: grants.revoke(grant=old_program.grant, by=group_admin),
        "suspend_connector": lambda: connectors.suspend(connector=old_program.connector, by=developer),
        "delete_connector": lambda: connectors.delete(connector=old_program.connector, by=developer),
    }
    acts[end]()
    assert refresh_tokens.rotate_due() == 0
    assert RefreshToken.objects.count() == 1


@pytest.mark.postgresql
@pytest.mark.parametrize("which", ["token", "successor"])
def test_what_was_reported_as_leaked_is_not_handed_over(old_program: Program, which: str) -> None:
    exchange(old_program)
    RefreshToken.objects.filter(predecessor__isnull=which == "token").update(reported_at=clock.now())
    assert refresh_tokens.rotate_due() == 0
    assert not any(refresh_tokens.rotate(token_id=token.pk) for token in RefreshToken.objects.all())
    assert not Handoff.objects.waiting().exists()


@pytest.mark.postgresql
def test_a_token_that_has_ended_brings_forth_nothing(old_program: Program, travel: Callable[..., dt.datetime]) -> None:
    travel(days=36)
    assert refresh_tokens.rotate_due() == 0
    assert not refresh_tokens.rotate(token_id=RefreshToken.objects.get().pk)


def test_a_grant_that_ends_with_its_token_is_not_rotated(
    connector: Connector, developer: User, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    granted = factories.let_in(connector, group_admin, ends_at=clock.now() + dt.timedelta(days=30))
    claimed(granted.handoff, developer)
    travel(days=29)
    assert refresh_tokens.rotate_due() == 0


@pytest.mark.postgresql
def test_unopened_it_is_issued_again_as_it_is_and_the_old_token_goes_on(
    old_program: Program, developer: User, travel: Callable[..., dt.datetime]
) -> None:
    refresh_tokens.rotate_due()
    successor = exchange(old_program).successor
    first = waiting()
    travel(days=8)
    handoffs.expire_overdue()
    assert refresh_tokens.rotate_due() == 0  # people were told; nobody is flooded
    again = handoffs.reissue(handoff=first, by=developer)
    assert claimed(again, developer) == successor
    assert exchange(old_program).access_token
    assert RefreshToken.objects.count() == 2


@pytest.mark.postgresql
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


@pytest.mark.postgresql
def test_regenerating_withdraws_the_successor_that_waits(old_program: Program, group_admin: User) -> None:
    refresh_tokens.rotate_due()
    before = waiting()
    after = grants.regenerate(grant=old_program.grant, by=group_admin)
    before.refresh_from_db()
    assert (before.state, before.sealed) == ("withdrawn", None)
    assert waiting() == after
    assert refresh_tokens.rotate_due() == 0


@pytest.mark.postgresql
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


@pytest.mark.postgresql
def test_one_that_fails_keeps_no_other_and_is_told(
    old_program: Program, connector: Connector, developer: User, group_admin: User
) -> None:
    other = factories.make_program(connector, group_admin)
    claimed(other.handoff, developer)
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


@pytest.mark.postgresql
def test_tokens_that_are_not_due_cost_one_query(
    program: Program, developer: User, django_assert_num_queries: Any
) -> None:
    claimed(program.handoff, developer)
    with django_assert_num_queries(1):
        assert refresh_tokens.rotate_due() == 0
