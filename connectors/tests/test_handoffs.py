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
from accounts.services import notifications
from connectors import tasks
from connectors.models import Handoff
from connectors.services import grants, handoffs, public_keys, refresh_tokens, user_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tests.factories import Program, let_in, person_of
from connectors.tests.keys import registered, x25519
from connectors.tests.test_claims import claim as program_claims
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken

pytestmark = pytest.mark.django_db
Everything = Callable[[], Any]
Travel = Callable[..., dt.datetime]
ADDRESS = "192.0.2.7"


def claim(handoff: Handoff, by: User, idempotency_key: str = "") -> str:
    return handoffs.claim(handoff=handoff, by=by, idempotency_key=idempotency_key or new_form_key(), address=ADDRESS)


def reveal(handoff: Handoff, by: User, idempotency_key: str = "") -> str:
    return handoffs.reveal(handoff=handoff, by=by, idempotency_key=idempotency_key or new_form_key())


# Claiming -------------------------------------------------------------------------------------------------------


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
def test_what_shows_a_token_needs_the_key_of_a_form(program: Program, developer: User, group_admin: User) -> None:
    for act, by in ((claim, developer), (reveal, group_admin)):
        with pytest.raises(RuleBroken):
            act(program.handoff, by, "short")
    handoff = Handoff.objects.get()
    assert (handoff.state, handoff.revealed_at) == ("waiting", None)


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


def test_a_handoff_sealed_with_a_key_that_is_gone_stays_as_it_is(
    program: Program, developer: User, settings: Settings, everything: Everything
) -> None:
    before = everything()
    settings.ENCRYPTION_KEYS = [b"k" * 32]
    with pytest.raises(RuleBroken) as caught:
        claim(program.handoff, developer)
    assert caught.value.code == "handoff_unreadable"
    assert everything() == before


# Showing it to the admin -----------------------------------------------------------------------------------------


def test_what_has_expired_is_not_shown(program: Program, group_admin: User, travel: Travel) -> None:
    travel(days=7)
    with pytest.raises(RuleBroken, match="expired"):
        reveal(program.handoff, group_admin)


def test_an_organisation_may_forbid_it(program: Program, group_admin: User, everything: Everything) -> None:
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
    program: Program, developer: User, group_admin: User, travel: Travel
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
    program: Program, group_admin: User, travel: Travel, monkeypatch: pytest.MonkeyPatch
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
    states = {handoff.pk: handoff.state for handoff in Handoff.objects.all()}
    assert states == {program.handoff.pk: "waiting", other.pk: "expired"}


# The mails -------------------------------------------------------------------------------------------------------


def test_every_mail_names_the_connector_and_whose_act_it_was_and_leads_to_what_it_is_about(
    program: Program, developer: User, group_admin: User, settings: Settings, travel: Travel
) -> None:
    pair, connector = x25519(), program.connector
    one, two, three = (let_in(connector, group_admin, target_name="Q&A").handoff for _ in range(3))
    tokens = [refresh_tokens.unseal(handoff) for handoff in (one, two, three)]
    claim(one, developer)
    handoffs.refuse(handoff=two, by=developer)
    program_claims(program)
    public_keys.remove(key=registered(connector, pair), by=developer)
    travel(days=7)
    tasks.expire_handoffs()
    mails = {notice.template.partition("/")[2]: notifications.render(notice) for notice in Notice.objects.all()}
    keys = f"/console/connectors/{connector.pk}/keys/"
    facts = {
        "handoff_made": ["Arjun Mehta", "/console/handoffs/"],
        "handoff_claimed": ["Q&A", ADDRESS, "/console/handoffs/"],
        "handoff_claimed_by_program": ["198.51.100.9", "/console/handoffs/"],
        "handoff_refused": ["Q&A", "/console/handoffs/"],
        "handoff_expired": ["Q&A", "/console/handoffs/"],
        "key_registered": ["Devika Rao", pair.fingerprint, keys],
        "key_removed": ["Devika Rao", pair.fingerprint, keys],
    }
    assert set(mails) == set(facts)
    for name, (subject, body) in mails.items():
        assert connector.name in subject
        assert [fact for fact in facts[name] if fact not in body] == []
        assert not [token for token in (*tokens, program.refresh_token) if token[5:] in subject + body]


def test_receipts_of_a_user_token_lead_the_person_to_where_it_is_ended(
    program: Program, developer: User, member: User, travel: Travel
) -> None:
    handoff = user_tokens.generate(connector=program.connector, person=person_of(member), by=member)
    claim(handoff, developer)
    travel(minutes=1)
    program_claims(program, {"handoffId": str(grants.regenerate(grant=handoff.grant, by=member).pk)})
    travel(minutes=1)
    handoffs.refuse(handoff=grants.regenerate(grant=handoff.grant, by=member), by=developer)
    told = {notice.template: notifications.render(notice)[1] for notice in Notice.objects.filter(user=member)}
    assert {template.rpartition("_")[2] for template in told} == {"claimed", "program", "refused"}
    for body in told.values():
        assert "the group" not in body
        assert "“Connectors acting for you”" in body
    assert "/console/acting/" in told["connectors/handoff_claimed"]


def test_receipts_of_one_issued_again_go_to_the_admin_who_granted_and_to_who_had_it_issued(
    program: Program, developer: User, group_admin: User, member: User, travel: Travel
) -> None:
    program.connector.co_owners.add(member)
    travel(minutes=1)
    again = handoffs.reissue(handoff=program.handoff, by=member)
    handoffs.refuse(handoff=again, by=developer)
    travel(minutes=1)
    claim(handoffs.reissue(handoff=again, by=developer), developer)

    def told(template: str) -> set[User]:
        return {notice.user for notice in Notice.objects.filter(template=f"connectors/handoff_{template}")}

    assert told("refused") == {group_admin, member}
    assert told("claimed") == {group_admin, developer, member}


# Access that ended by its end date, before the worker came by -----------------------------------------------------


@pytest.fixture
def over(program: Program, group_admin: User, travel: Travel) -> Program:
    """Its admin has moved the end to tomorrow, and that has passed."""
    grants.move(grant=program.grant, ends_at=clock.now() + dt.timedelta(days=1), by=group_admin)
    travel(days=1, minutes=1)
    return program


def test_neither_page_nor_program_nor_admin_is_given_it(over: Program, developer: User, group_admin: User) -> None:
    for act, by in ((claim, developer), (reveal, group_admin)):
        with pytest.raises(RuleBroken, match="The access that this handoff is for ended on "):
            act(over.handoff, by)
    for body, status in (({"handoffId": str(over.handoff.pk)}, 409), ({}, 404)):
        answer = program_claims(over, body)
        assert (answer.status_code, "ended on" in answer.json()["message"]) == (status, True)
    handoff = Handoff.objects.get()
    assert (handoff.claimed_at, handoff.revealed_at) == (None, None)


def test_what_is_over_keeps_no_other_and_is_not_counted_among_what_waits(over: Program, group_admin: User) -> None:
    second = let_in(over.connector, group_admin, target_name="Day shift")
    answer = program_claims(over).json()
    assert (answer["handoffId"], answer["stillWaiting"]) == (str(second.handoff.pk), 0)
