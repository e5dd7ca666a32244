"""Phone numbers: one account at a time holds one, proven by PIN; one of an account's is primary."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts import queries
from accounts.models import AuditEvent, Notice, Organisation, Person, PersonName, User, VerifiedPhone
from accounts.services import people
from accounts.services import phones as service
from accounts.services.notifications import render
from accounts.tests.factories import make_person, make_user, verify
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

NUMBER = "+919876543210"


@pytest.fixture
def prove(phones: Any) -> Callable[[User, str], VerifiedPhone]:
    """`prove(user, number)`: has a PIN sent, and enters it."""

    def prove(user: User, number: str) -> VerifiedPhone:
        device = service.send_pin(user=user, number=number, by=user)
        return service.verify_pin(user=user, device_id=device.pk, pin=phones.pin(number), by=user)

    return prove


Prove = Callable[[User, str], VerifiedPhone]


def test_the_first_number_is_primary_and_makes_the_person_provisioned(newcomer: User, prove: Prove) -> None:
    assert queries.primary_person(newcomer) is None
    phone = prove(newcomer, NUMBER)
    person = queries.primary_person(newcomer)
    assert person is not None
    assert (person.number, person.name) == (NUMBER, "Nina Joshi")
    assert phone.is_primary
    assert person.provisioned_at is not None
    event = AuditEvent.objects.get(tag="phone:number:verified")
    assert event.person_id == person.pk
    assert NUMBER not in str(event.after)


def test_who_was_a_member_before_signing_in_becomes_the_same_person(newcomer: User, prove: Prove) -> None:
    known = make_person("N. Joshi", NUMBER)
    assert not Person.objects.exclude(provisioned_at=None).filter(pk=known.pk).exists()
    prove(newcomer, NUMBER)
    person = queries.primary_person(newcomer)
    assert person == known
    assert person.provisioned_at is not None
    assert person.name == "N. Joshi"


def test_a_further_number_is_not_primary_and_the_account_is_told(developer: User, prove: Prove) -> None:
    phone = prove(developer, NUMBER)
    assert not phone.is_primary
    assert queries.held_phones(developer).count() == 2
    assert [held.is_primary for held in queries.held_phones(developer)] == [True, False]
    subject, body = render(Notice.objects.get(number=""))
    assert subject == "A phone number was added to your account"
    assert "••" in body
    assert NUMBER not in body


def test_verifying_a_number_again_renews_it_and_tells_nobody_twice(
    newcomer: User, prove: Prove, travel: Callable[..., Any]
) -> None:
    first = prove(newcomer, NUMBER)
    later = travel(days=30)
    again = prove(newcomer, NUMBER)
    assert again.pk == first.pk
    assert again.verified_at == later
    assert Notice.objects.count() == 1


# A number of somebody else ----------------------------------------------------------------------------------------


def test_nothing_hints_at_an_account_that_holds_the_number_until_possession_is_proven(
    newcomer: User, developer: User, phones: Any
) -> None:
    held = queries.held_phones(developer)[0]
    number = held.person.number
    free = service.send_pin(user=make_user("Ravi Iyer", newcomer.organisation, number=None), number=NUMBER, by=newcomer)
    taken = service.send_pin(user=newcomer, number=number, by=newcomer)
    assert len(phones.texts(number)) == len(phones.texts(NUMBER)) == 1
    assert (free.purpose, free.name, free.tries) == (taken.purpose, taken.name, taken.tries)
    with pytest.raises(RuleBroken) as caught:
        service.verify_pin(user=newcomer, device_id=taken.pk, pin="000000", by=newcomer)
    assert caught.value.code in {"pin_wrong"}
    assert not AuditEvent.objects.filter(tag="phone:number:refused").exists()
    assert not Notice.objects.exists()


def test_with_the_phone_in_hand_one_is_told_what_to_do_and_the_holder_keeps_the_number(
    newcomer: User, developer: User, prove: Prove, phones: Any
) -> None:
    held = queries.held_phones(developer)[0]
    with pytest.raises(Conflict, match="Remove it there") as caught:
        prove(newcomer, held.person.number)
    assert caught.value.code == "phone_held"
    assert "Remove it there, or ask the operator of this console to; then verify it here again." in str(caught.value)
    assert "Devika" not in str(caught.value)
    held.refresh_from_db()
    assert held.released_at is None
    assert not newcomer.verified_phones.exists()
    assert AuditEvent.objects.filter(tag="phone:number:refused", actor_id=str(newcomer.pk)).count() == 1
    notice = Notice.objects.get()
    assert notice.user == developer
    assert "Nina" not in "".join(render(notice))


@pytest.mark.postgresql
def test_the_pin_is_used_up_and_the_holder_told_once_a_day(
    newcomer: User, developer: User, prove: Prove, phones: Any, travel: Callable[..., Any]
) -> None:
    number = queries.held_phones(developer)[0].person.number
    device = service.send_pin(user=newcomer, number=number, by=newcomer)
    codes = []
    for _ in range(2):
        with pytest.raises((Conflict, RuleBroken)) as caught:
            service.verify_pin(user=newcomer, device_id=device.pk, pin=phones.pin(number), by=newcomer)
        codes.append(caught.value.code)
    assert codes == ["phone_held", "pin_used"]
    with pytest.raises(Conflict):
        prove(newcomer, number)
    assert Notice.objects.count() == 1
    travel(days=1)
    with pytest.raises(Conflict):
        prove(newcomer, number)
    assert Notice.objects.count() == 2


@pytest.mark.postgresql
def test_once_the_holder_has_released_the_number_another_account_may_hold_it(
    newcomer: User, developer: User, prove: Prove
) -> None:
    held = queries.held_phones(developer)[0]
    service.release(phone=held, by=developer)
    phone = prove(newcomer, held.person.number)
    assert phone.person == held.person
    assert VerifiedPhone.objects.filter(person=held.person).count() == 2, "the history stays"


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_known", [True, False])
def test_of_two_accounts_that_prove_one_number_at_once_one_holds_it(
    organisation: Any,
    phones: Any,
    together: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    is_known: bool,
) -> None:
    def slowly() -> Any:
        time.sleep(0.1)  # so that without the person's lock both would have looked before the first has written
        return clock.now()

    monkeypatch.setattr(service, "clock", SimpleNamespace(now=slowly))
    if is_known:
        make_person("N. Joshi", NUMBER)
    attempts = []
    for name in ("Nina Joshi", "Ravi Iyer"):
        user = make_user(name, organisation, number=None)
        device = service.send_pin(user=user, number=NUMBER, by=user)
        attempts.append((user, device, phones.pin(NUMBER)))
    waiting = iter(attempts)

    def attempt() -> VerifiedPhone:
        user, device, pin = next(waiting)
        return service.verify_pin(user=user, device_id=device.pk, pin=pin, by=user)

    results = together(2, attempt)
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "VerifiedPhone"], results
    assert VerifiedPhone.objects.active().count() == 1


# Release and primary ----------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_releasing_the_primary_number_makes_the_oldest_other_one_primary(
    developer: User, travel: Callable[..., Any]
) -> None:
    primary = queries.held_phones(developer)[0]
    travel(days=1)
    older = verify(developer, is_primary=False)
    travel(days=1)
    verify(developer, is_primary=False)
    released = service.release(phone=primary, by=developer)
    assert released.released_at == clock.now()
    assert not released.is_primary
    assert queries.primary_person(developer) == older.person
    event = AuditEvent.objects.get(tag="phone:number:released")
    assert event.subject_id == str(primary.pk)
    subject, _body = render(Notice.objects.get(number=""))
    assert subject == "A phone number was removed from your account"


def test_the_last_number_may_go_too(developer: User) -> None:
    service.release(phone=queries.held_phones(developer)[0], by=developer)
    assert queries.primary_person(developer) is None
    assert not queries.held_people(developer).exists()


def test_another_number_can_be_made_primary(developer: User) -> None:
    other = verify(developer, is_primary=False)
    service.make_primary(phone=other, by=developer)
    assert queries.primary_person(developer) == other.person
    assert queries.held_phones(developer).filter(is_primary=True).count() == 1
    service.make_primary(phone=other, by=developer)
    assert AuditEvent.objects.filter(tag="phone:primary:changed").count() == 1


@pytest.mark.parametrize("act", [service.release, service.make_primary])
def test_the_number_of_somebody_else_is_not_there_and_nothing_changes(
    developer: User, stranger: User, act: Callable[..., Any]
) -> None:
    phone = queries.held_phones(developer)[0]
    before = VerifiedPhone.objects.filter(pk=phone.pk).values().get()
    with pytest.raises(NotFound):
        act(phone=phone, by=stranger)
    assert VerifiedPhone.objects.filter(pk=phone.pk).values().get() == before
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("act", [service.release, service.make_primary])
def test_a_number_that_is_gone_already_is_told(developer: User, act: Callable[..., Any]) -> None:
    phone = verify(developer, is_primary=False)
    service.release(phone=phone, by=developer)
    with pytest.raises(Conflict) as caught:
        act(phone=phone, by=developer)
    assert caught.value.code == "phone_released"


def test_an_operator_may_release_the_number_of_anybody(developer: User, operator: User) -> None:
    phone = queries.held_phones(developer)[0]
    service.release(phone=phone, by=operator)
    event = AuditEvent.objects.get()
    assert (event.actor_name, event.organisation) == (operator.name, developer.organisation)
    assert Notice.objects.get(number="").user == developer


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_number_pressed_away_many_times_at_once_is_released_once(
    developer: User, together: Callable[..., list[Any]]
) -> None:
    phone = queries.held_phones(developer)[0]
    results = together(4, lambda: service.release(phone=VerifiedPhone.objects.get(pk=phone.pk), by=developer))
    assert sum(isinstance(result, VerifiedPhone) for result in results) == 1, results
    assert AuditEvent.objects.count() == 1


@pytest.mark.postgresql
@pytest.mark.parametrize("act", [service.release, service.make_primary])
@pytest.mark.django_db(transaction=True)
def test_without_an_audit_row_nothing_changes(
    developer: User, broken_trail: Callable[[], None], act: Callable[..., Any]
) -> None:
    phone = verify(developer, is_primary=False)
    broken_trail()
    with pytest.raises(OSError, match="audit"):
        act(phone=phone, by=developer)
    phone.refresh_from_db()
    assert (phone.is_primary, phone.released_at) == (False, None)
    assert not Notice.objects.exists()


# What the database itself holds to --------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_the_database_lets_one_account_hold_a_number(developer: User, stranger: User) -> None:
    person = queries.held_phones(developer)[0].person
    with pytest.raises(IntegrityError), transaction.atomic():
        VerifiedPhone.objects.create(user=stranger, person=person)


@pytest.mark.postgresql
def test_the_database_lets_an_account_have_one_primary_number(developer: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        VerifiedPhone.objects.create(user=developer, person=make_person(), is_primary=True)


@pytest.mark.postgresql
@pytest.mark.django_db
def test_the_database_wants_numbers_with_a_plus() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Person.objects.create(number="919876543210")


# People -----------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_a_person_is_found_again_by_number_and_takes_the_first_name_given(organisation: Organisation) -> None:
    person = people.person_for("+91 98765 43210")
    assert (person.number, person.name, person.provisioned_at) == (NUMBER, "", None)
    here = organisation.pk
    assert people.person_for(NUMBER, organisation_id=here, name="Nina Joshi") == person
    assert people.person_for(NUMBER, organisation_id=here, name="Somebody else").name == "Nina Joshi"
    assert Person.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("number", ["", "hello", "9876543210", "+9", "+91" + "9" * 40])
def test_what_is_no_number_makes_no_person(number: str) -> None:
    with pytest.raises(RuleBroken) as caught:
        people.person_for(number)
    assert caught.value.code == "phone_number"
    assert not Person.objects.exists()


def test_a_person_can_be_renamed_and_the_trail_tells_it(developer: User) -> None:
    person, here = make_person("Nina"), developer.organisation_id
    people.rename(person=person, name="  Nina   Joshi ", organisation_id=here, by=developer)
    assert PersonName.objects.get(person=person).name == "Nina Joshi"
    event = AuditEvent.objects.get()
    assert (event.before, event.after, event.person_id) == ({"name": "Nina"}, {"name": "Nina Joshi"}, person.pk)
    people.rename(person=person, name="Nina Joshi", organisation_id=here, by=developer)
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * 121])
def test_a_name_has_1_to_120_characters(developer: User, name: str) -> None:
    person = make_person("Nina")
    with pytest.raises(RuleBroken):
        people.rename(person=person, name=name, organisation_id=developer.organisation_id, by=developer)
    assert PersonName.objects.get(person=person).name == "Nina"
