"""A refresh token changes hands: claimed once, refused, shown once to the admin, issued anew, expired."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError
from pytest_django import Settings

from accounts.audit.record import record
from accounts.models import AuditEvent, Notice, Organisation, User
from connectors import tasks
from connectors.models import Handoff, OneTimeSecret, RefreshToken
from connectors.services import connectors, grants, handoffs, one_time_secrets
from connectors.services.one_time_secrets import new_form_key
from connectors.tests.factories import Program, let_in
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken

ADDRESS = "192.0.2.7"


def claim(handoff: Handoff, by: User, idempotency_key: str = "") -> str:
    return handoffs.claim(handoff=handoff, by=by, idempotency_key=idempotency_key or new_form_key(), address=ADDRESS)


def reveal(handoff: Handoff, by: User, idempotency_key: str = "") -> str:
    return handoffs.reveal(handoff=handoff, by=by, idempotency_key=idempotency_key or new_form_key())


# Claiming -------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_the_owner_claims_the_token_and_what_was_sealed_is_wiped(program: Program, developer: User) -> None:
    assert claim(program.handoff, developer) == program.refresh_token
    handoff = Handoff.objects.get()
    assert (handoff.state, handoff.sealed) == ("claimed", None)
    assert (handoff.claimed_by, handoff.claimed_from) == (developer, ADDRESS)


def test_a_co_owner_claims_as_well_and_the_owner_is_told_who_and_when(
    program: Program, developer: User, member: User
) -> None:
    program.connector.co_owners.add(member)
    claim(program.handoff, member)
    with pytest.raises(Conflict) as caught:
        claim(program.handoff, developer)
    assert caught.value.code == "handoff_claimed"
    assert "Meera Nair already claimed this handoff on" in str(caught.value)
    assert "UTC" in str(caught.value)


def test_claiming_again_with_another_form_says_that_it_was_you_and_from_where(
    program: Program, developer: User
) -> None:
    """From where, too: who did not open it themselves learns that somebody else is signed in as them."""
    claim(program.handoff, developer)
    with pytest.raises(Conflict, match="already claimed this handoff") as caught:
        claim(program.handoff, developer)
    assert f", from {ADDRESS}." in str(caught.value)


@pytest.mark.postgresql
def test_the_same_form_sent_again_gets_the_same_token_until_done(program: Program, developer: User) -> None:
    idempotency_key = new_form_key()
    assert claim(program.handoff, developer, idempotency_key) == claim(program.handoff, developer, idempotency_key)
    assert AuditEvent.objects.filter(tag="handoff:token:claimed").count() == 1
    one_time_secrets.done(user=developer, idempotency_key=idempotency_key)
    with pytest.raises(Conflict):
        claim(program.handoff, developer, idempotency_key)


def test_the_form_of_one_handoff_does_not_open_another(program: Program, developer: User, group_admin: User) -> None:
    other = let_in(program.connector, group_admin).handoff
    idempotency_key = new_form_key()
    claim(program.handoff, developer, idempotency_key)
    with pytest.raises(Conflict) as caught:
        claim(other, developer, idempotency_key)
    assert caught.value.code == "form_used"
    other.refresh_from_db()
    assert other.state == "waiting"


@pytest.mark.postgresql
def test_a_claim_without_a_form_key_claims_nothing(program: Program, developer: User) -> None:
    with pytest.raises(RuleBroken):
        handoffs.claim(handoff=program.handoff, by=developer, idempotency_key="", address=None)
    assert Handoff.objects.get().state == "waiting"


def test_both_sides_get_a_receipt_and_the_trail_an_entry_without_the_token(
    program: Program, developer: User, group_admin: User, member: User
) -> None:
    program.connector.co_owners.add(member)
    claim(program.handoff, developer)
    receipts = Notice.objects.filter(template="connectors/handoff_claimed")
    assert {receipt.user for receipt in receipts} == {group_admin, developer, member}
    assert {receipt.context["claimed_by"] for receipt in receipts} == {developer.name}
    assert {receipt.context["claimed_from"] for receipt in receipts} == {ADDRESS}
    event = AuditEvent.objects.get(tag="handoff:token:claimed")
    assert (event.actor_id, event.connector_id) == (str(developer.pk), program.connector.pk)
    assert program.refresh_token[5:] not in str(list(Notice.objects.values())) + str(list(AuditEvent.objects.values()))


@pytest.mark.postgresql
def test_after_its_deadline_it_cannot_be_claimed_even_before_the_worker_came_by(
    program: Program, developer: User, travel: Callable[..., dt.datetime]
) -> None:
    travel(days=7)
    with pytest.raises(RuleBroken, match="expired") as caught:
        claim(program.handoff, developer)
    assert caught.value.code == "handoff_expired"


def test_what_was_refused_or_withdrawn_says_so(program: Program, developer: User, group_admin: User) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    with pytest.raises(Conflict, match="refused on"):
        claim(program.handoff, developer)
    again = grants.regenerate(grant=program.grant, by=group_admin)
    grants.revoke(grant=program.grant, by=group_admin)
    with pytest.raises(Conflict, match="withdrawn on"):
        claim(again, developer)


def test_a_handoff_sealed_with_a_key_that_is_gone_stays_as_it_is(
    program: Program, developer: User, settings: Settings, everything: Callable[[], Any]
) -> None:
    before = everything()
    settings.ENCRYPTION_KEYS = [b"k" * 32]
    with pytest.raises(RuleBroken) as caught:
        claim(program.handoff, developer)
    assert caught.value.code == "handoff_unreadable"
    assert everything() == before


# Refusing -------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_refusing_wipes_it_and_tells_the_admin(program: Program, developer: User, group_admin: User) -> None:
    handoff = handoffs.refuse(handoff=program.handoff, by=developer)
    assert (handoff.state, handoff.sealed) == ("refused", None)
    assert Notice.objects.get(template="connectors/handoff_refused").user == group_admin
    assert AuditEvent.objects.filter(tag="handoff:token:refused").count() == 1
    with pytest.raises(Conflict):
        handoffs.refuse(handoff=program.handoff, by=developer)


@pytest.mark.postgresql
def test_what_was_claimed_cannot_be_refused(program: Program, developer: User) -> None:
    claim(program.handoff, developer)
    with pytest.raises(Conflict, match="already claimed this handoff"):
        handoffs.refuse(handoff=program.handoff, by=developer)


# Issuing anew ----------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.parametrize("by_developer", [True, False])
def test_both_sides_can_have_it_issued_again(
    program: Program,
    developer: User,
    group_admin: User,
    travel: Callable[..., dt.datetime],
    by_developer: bool,
) -> None:
    travel(days=8)
    handoffs.expire_overdue()
    by = developer if by_developer else group_admin
    again = handoffs.reissue(handoff=program.handoff, by=by)
    assert (again.state, again.made_by) == ("waiting", by)
    assert claim(again, developer) != program.refresh_token
    assert RefreshToken.objects.get(revoked_at__isnull=True) == again.refresh_token


@pytest.mark.postgresql
def test_issued_again_twice_it_is_the_same_new_one(
    program: Program, developer: User, travel: Callable[..., dt.datetime]
) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    travel(minutes=1)
    again = handoffs.reissue(handoff=program.handoff, by=developer)
    travel(minutes=1)
    assert handoffs.reissue(handoff=program.handoff, by=developer) == again
    assert Handoff.objects.count() == 2


@pytest.mark.postgresql
def test_it_is_not_issued_again_once_the_access_was_removed(
    program: Program, developer: User, group_admin: User
) -> None:
    grants.revoke(grant=program.grant, by=group_admin)
    with pytest.raises(Conflict, match="removed"):
        handoffs.reissue(handoff=program.handoff, by=developer)


# Showing it to the admin -----------------------------------------------------------------------------------------


def test_the_admin_who_granted_sees_the_token_once_and_it_can_still_be_claimed(
    program: Program, developer: User, group_admin: User
) -> None:
    assert reveal(program.handoff, group_admin) == program.refresh_token
    handoff = Handoff.objects.get()
    assert (handoff.state, handoff.revealed_to) == ("waiting", group_admin)
    assert AuditEvent.objects.get(tag="handoff:token:revealed").connector_id == program.connector.pk
    with pytest.raises(Conflict, match="shown once"):
        reveal(program.handoff, group_admin)
    assert claim(program.handoff, developer) == program.refresh_token


@pytest.mark.postgresql
def test_the_same_form_shows_it_to_the_admin_again(program: Program, group_admin: User) -> None:
    idempotency_key = new_form_key()
    assert reveal(program.handoff, group_admin, idempotency_key) == reveal(
        program.handoff, group_admin, idempotency_key
    )
    assert AuditEvent.objects.filter(tag="handoff:token:revealed").count() == 1


def test_showing_it_needs_a_form_that_could_show_it_again(program: Program, group_admin: User) -> None:
    with pytest.raises(RuleBroken):
        reveal(program.handoff, group_admin, "short")
    assert Handoff.objects.get().revealed_at is None


@pytest.mark.postgresql
def test_what_does_not_wait_any_more_is_not_shown(
    program: Program, developer: User, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    later = let_in(program.connector, group_admin).handoff
    claim(program.handoff, developer)
    with pytest.raises(Conflict, match="Devika Rao already claimed"):
        reveal(program.handoff, group_admin)
    travel(days=7)
    with pytest.raises(RuleBroken, match="expired"):
        reveal(later, group_admin)


def test_an_organisation_may_forbid_it(program: Program, group_admin: User, everything: Callable[[], Any]) -> None:
    Organisation.objects.update(admins_may_see_tokens=False)
    before = everything()
    with pytest.raises(NotAllowed, match="does not show"):
        reveal(program.handoff, group_admin)
    assert everything() == before


def test_an_admin_who_has_left_the_group_sees_nothing(program: Program, group_admin: User, resigned: set[int]) -> None:
    resigned.add(group_admin.pk)
    with pytest.raises(NotFound):
        reveal(program.handoff, group_admin)


# Expiry ----------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_what_nobody_claimed_is_wiped_once_and_both_sides_are_told_once(
    program: Program, developer: User, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    travel(days=6, hours=23)
    tasks.expire_handoffs()
    assert Handoff.objects.get().state == "waiting"
    travel(hours=1)
    for _ in range(3):
        tasks.expire_handoffs()
    handoff = Handoff.objects.get()
    assert (handoff.state, handoff.sealed) == ("expired", None)
    told = Notice.objects.filter(template="connectors/handoff_expired")
    assert {notice.user for notice in told} == {developer, group_admin}
    assert told.count() == 2
    event = AuditEvent.objects.get(tag="handoff:token:expired")
    assert event.actor_kind == "system"


@pytest.mark.postgresql
def test_one_that_cannot_be_expired_keeps_no_other(
    program: Program,
    group_admin: User,
    travel: Callable[..., dt.datetime],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = let_in(program.connector, group_admin).handoff
    travel(days=8)

    def stumble(tag: Any, **facts: Any) -> Any:
        if facts["subject"].pk == program.handoff.pk:
            raise DatabaseError("no")
        return record(tag, **facts)

    monkeypatch.setattr(handoffs, "record", stumble)
    with pytest.raises(ExceptionGroup):
        handoffs.expire_overdue()
    monkeypatch.undo()
    other.refresh_from_db()
    assert other.state == "expired"
    assert Handoff.objects.get(pk=program.handoff.pk).state == "waiting"


# Strangers, and the trail -----------------------------------------------------------------------------------------


def test_to_strangers_a_handoff_is_not_there_and_nothing_changes(
    program: Program, stranger: User, outsider: User, operator: User, everything: Callable[[], Any]
) -> None:
    before = everything()
    for user in (stranger, outsider, operator):
        with pytest.raises(NotFound):
            claim(program.handoff, user)
        with pytest.raises(NotFound):
            reveal(program.handoff, user)
        for act in (handoffs.refuse, handoffs.reissue):
            with pytest.raises(NotFound):
                act(handoff=program.handoff, by=user)
    assert everything() == before


def test_the_admin_does_not_claim_and_the_developer_is_not_shown_it(
    program: Program, developer: User, group_admin: User
) -> None:
    with pytest.raises(NotFound):
        claim(program.handoff, group_admin)
    with pytest.raises(NotFound):
        handoffs.refuse(handoff=program.handoff, by=group_admin)
    with pytest.raises(NotFound):
        reveal(program.handoff, developer)


def test_the_handoff_of_a_deleted_connector_is_not_there(program: Program, developer: User) -> None:
    connectors.delete(connector=program.connector, by=developer)
    with pytest.raises(NotFound):
        claim(program.handoff, developer)


@pytest.mark.postgresql
def test_without_an_audit_row_nothing_happens(
    program: Program,
    developer: User,
    group_admin: User,
    no_audit: Callable[[], None],
    everything: Callable[[], Any],
    travel: Callable[..., dt.datetime],
) -> None:
    before = everything()
    no_audit()
    with pytest.raises(DatabaseError):
        claim(program.handoff, developer)
    with pytest.raises(DatabaseError):
        handoffs.refuse(handoff=program.handoff, by=developer)
    with pytest.raises(DatabaseError):
        handoffs.reissue(handoff=program.handoff, by=developer)
    with pytest.raises(DatabaseError):
        reveal(program.handoff, group_admin)
    travel(days=8)
    with pytest.raises(ExceptionGroup):
        handoffs.expire_overdue()
    assert everything() == before
    assert not OneTimeSecret.objects.exists()
