"""Phone numbers: one account at a time holds one, proven by PIN; who hears of a change; and the cool-off after it."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts import policies, queries
from accounts.audit.record import SYSTEM
from accounts.audit.sentences import sentence
from accounts.models import AuditEvent, Notice, Organisation, Person, PersonName, User, VerifiedPhone
from accounts.services import credential_hold, people, reauthentication, totp
from accounts.services import phones as service
from accounts.services.notifications import render
from accounts.tests.authenticator import code_of
from accounts.tests.factories import make_person, make_user, verify
from accounts.tests.pages import words
from accounts.tests.pins import NUMBER, OTHER_NUMBER, Prove, refused
from accounts.tests.twilio_server import FakeTwilio
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken
from kaizala_console.lib.tests.cast import BrowserOf, Together, Travel


@pytest.mark.parametrize("name", ["", "N. Joshi"])
def test_the_first_number_is_primary_and_makes_the_person_provisioned(newcomer: User, prove: Prove, name: str) -> None:
    known = make_person(name, NUMBER) if name else None
    assert prove(newcomer, NUMBER).is_primary
    person = queries.primary_person(newcomer)
    assert person is not None
    assert (person.number, person.name) == (NUMBER, name or "Nina Joshi")
    assert person.provisioned_at is not None
    assert known in (None, person), "who was a member before signing in becomes the same person"
    event = AuditEvent.objects.get(tag="phone:number:verified")
    assert event.person_id == person.pk
    assert NUMBER not in str(event.after)
    assert policies.credential_hold_end(newcomer) is None


def test_verifying_a_number_again_renews_it_locks_nothing_and_tells_nobody_twice(
    newcomer: User, prove: Prove, travel: Travel
) -> None:
    first = prove(newcomer, NUMBER)
    later = travel(days=30)
    again = prove(newcomer, NUMBER)
    assert (again.pk, again.verified_at) == (first.pk, later)
    assert lock_of(newcomer) is None
    assert Notice.objects.count() == 1


def lock_of(user: User) -> dt.datetime | None:
    user.refresh_from_db()
    return policies.credential_hold_end(user)


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
    newcomer: User, developer: User, prove: Prove
) -> None:
    held = queries.held_phones(developer)[0]
    with pytest.raises(Conflict, match="Remove it there") as caught:
        prove(newcomer, held.person.number)
    assert caught.value.code == "phone_held"
    assert "Devika" not in str(caught.value)
    held.refresh_from_db()
    assert held.released_at is None
    assert not newcomer.verified_phones.exists()
    assert (lock_of(newcomer), lock_of(developer)) == (None, None)
    assert AuditEvent.objects.filter(tag="phone:number:refused", actor_id=str(newcomer.pk)).count() == 1
    notice = Notice.objects.get()
    assert notice.user == developer
    assert "Nina" not in "".join(render(notice))


@pytest.mark.postgresql
def test_the_pin_is_used_up_and_the_holder_told_once_a_day(
    newcomer: User, developer: User, prove: Prove, phones: Any, travel: Travel
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
def test_once_the_holder_has_released_the_number_another_account_may_hold_it_and_cools_off(
    newcomer: User, developer: User, prove: Prove
) -> None:
    held = queries.held_phones(developer)[0]
    service.release(phone=held, by=developer)
    phone = prove(newcomer, held.person.number)
    assert phone.person == held.person
    assert VerifiedPhone.objects.filter(person=held.person).count() == 2, "the history stays"
    assert lock_of(newcomer) is not None
    assert lock_of(developer) is None


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_two_accounts_that_prove_one_number_at_once_one_holds_it(
    organisation: Any, phones: Any, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly() -> Any:
        time.sleep(0.1)  # so that without the person's lock both would have looked before the first has written
        return clock.now()

    monkeypatch.setattr(service, "clock", SimpleNamespace(now=slowly))
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


@pytest.mark.postgresql
def test_releasing_the_primary_number_makes_the_oldest_other_one_primary(developer: User, travel: Travel) -> None:
    primary = queries.held_phones(developer)[0]
    travel(days=1)
    older = verify(developer, is_primary=False)
    travel(days=1)
    newest = verify(developer, is_primary=False)
    released = service.release(phone=primary, by=developer)
    assert (released.released_at, released.is_primary) == (clock.now(), False)
    assert queries.primary_person(developer) == older.person
    assert AuditEvent.objects.get(tag="phone:number:released").subject_id == str(primary.pk)
    for phone in (older, newest):
        service.release(phone=phone, by=developer)
    assert queries.primary_person(developer) is None


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


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_number_pressed_away_many_times_at_once_is_released_once(developer: User, together: Together) -> None:
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


@pytest.mark.postgresql
def test_the_database_lets_one_account_hold_a_number_and_have_one_that_is_primary(
    developer: User, stranger: User
) -> None:
    person = queries.held_phones(developer)[0].person
    for fields in (
        {"user": stranger, "person": person},
        {"user": developer, "person": make_person(), "is_primary": True},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            VerifiedPhone.objects.create(**fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        Person.objects.create(number="919876543210")


@pytest.mark.postgresql
def test_a_person_is_found_again_by_number_and_takes_the_first_name_given(organisation: Organisation) -> None:
    person = people.person_for("+91 98765 43210")
    assert (person.number, person.name, person.provisioned_at) == (NUMBER, "", None)
    here = organisation.pk
    assert people.person_for(NUMBER, organisation_id=here, name="Nina Joshi") == person
    assert people.person_for(NUMBER, organisation_id=here, name="Somebody else").name == "Nina Joshi"
    assert Person.objects.count() == 1


def test_a_person_can_be_renamed_and_the_trail_tells_it(developer: User) -> None:
    person, here = make_person("Nina"), developer.organisation_id
    for _twice in range(2):
        people.rename(person=person, name="  Nina   Joshi ", organisation_id=here, by=developer)
    for bad in ("   ", "x" * 121):
        with pytest.raises(RuleBroken):
            people.rename(person=person, name=bad, organisation_id=here, by=developer)
    assert PersonName.objects.get(person=person).name == "Nina Joshi"
    event = AuditEvent.objects.get()
    assert (event.before, event.after, event.person_id) == ({"name": "Nina"}, {"name": "Nina Joshi"}, person.pk)


@pytest.fixture
def held(developer: User) -> list[VerifiedPhone]:
    """Two numbers of the developer, the first of them primary."""
    verify(developer, is_primary=False)
    return list(queries.held_phones(developer))


@pytest.fixture
def sent(
    phones: Any, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> Callable[[Callable[[], Any]], dict[str, list[str]]]:
    """`sent(act)`: what arrived where, apart from PINs, when `act` was done and its notices went out."""

    def sent(act: Callable[[], Any]) -> dict[str, list[str]]:
        with django_capture_on_commit_callbacks(execute=True):
            act()
        numbers = set(Notice.objects.exclude(number="").values_list("number", flat=True))
        return {number: [text for text in phones.texts(number) if "is your PIN" not in text] for number in numbers}

    return sent


Sent = Callable[[Callable[[], Any]], dict[str, list[str]]]


def test_a_further_number_is_told_to_the_numbers_before_it(
    developer: User, held: list[VerifiedPhone], prove: Prove, sent: Sent, outbox: list[EmailMessage]
) -> None:
    told = sent(lambda: prove(developer, NUMBER))
    assert [phone.is_primary for phone in queries.held_phones(developer)] == [True, False, False]
    assert set(told) == {phone.person.number for phone in held}
    for texts in told.values():
        assert len(texts) == 1
        assert "ending in 210 was added" in texts[0]
    assert [mail.subject for mail in outbox] == ["A phone number was added to your account"]
    assert NUMBER not in outbox[0].body
    assert "PINs still go to your primary number." in outbox[0].body


def test_the_first_number_of_a_newcomer_is_told_by_mail_alone(
    newcomer: User, prove: Prove, sent: Sent, outbox: list[EmailMessage]
) -> None:
    assert sent(lambda: prove(newcomer, NUMBER)) == {}
    assert "and PINs go to it" in outbox[0].body


@pytest.mark.parametrize("index", [0, 1])
def test_giving_back_a_number_is_told_to_it_and_to_the_primary_one(
    held: list[VerifiedPhone], developer: User, sent: Sent, index: int
) -> None:
    number = held[index].person.number
    told = sent(lambda: service.release(phone=held[index], by=developer))
    assert set(told) == {number, held[0].person.number}
    assert f"ending in {number[-3:]} was removed" in told[number][0]


def test_another_primary_number_is_told_to_the_one_before_once_a_day(
    held: list[VerifiedPhone], developer: User, sent: Sent, travel: Travel, outbox: list[EmailMessage]
) -> None:
    travel()
    before, after = held
    told = sent(lambda: service.make_primary(phone=after, by=developer))
    assert set(told) == {before.person.number}
    assert f"ending in {after.person.number[-3:]}" in told[before.person.number][0]
    assert len(outbox) == 1

    def to_and_fro() -> None:
        service.make_primary(phone=before, by=developer)
        service.make_primary(phone=after, by=developer)

    assert len(sent(to_and_fro)[before.person.number]) == 1
    travel(days=1)
    assert len(sent(to_and_fro)[before.person.number]) == 2


def test_nothing_is_queued_for_sms_when_no_gateway_can_send_it(
    held: list[VerifiedPhone], developer: User, twilio_verify: FakeTwilio, settings: Settings
) -> None:
    settings.TWILIO_FROM = ""
    service.release(phone=held[0], by=developer)
    assert [notice.number for notice in Notice.objects.all()] == [""]


@pytest.mark.parametrize(("gives_back", "is_new"), [(False, True), (True, True), (True, False)])
def test_another_number_locks_the_credentials_for_a_day(
    developer: User, prove: Prove, travel: Travel, gives_back: bool, is_new: bool
) -> None:
    now, phone = travel(), queries.held_phones(developer)[0]
    if gives_back:
        service.release(phone=phone, by=developer)
        assert lock_of(developer) is None, "giving a number back opens nothing"
    prove(developer, NUMBER if is_new else phone.person.number)
    assert lock_of(developer) == now + dt.timedelta(hours=24)
    event = AuditEvent.objects.get(tag="user:credentials:locked")
    assert (event.subject_id, event.organisation) == (str(developer.pk), developer.organisation)
    assert NUMBER not in str(event.after)
    assert "were locked because" in sentence(event)
    assert "secrets and tokens until" in render(Notice.objects.get(number="", template="accounts/phone_added"))[1]
    travel(hours=23, minutes=59)
    assert lock_of(developer) is not None
    travel(minutes=1)
    assert lock_of(developer) is None


def test_the_operator_may_switch_the_lock_off_but_does_not_shorten_one(
    developer: User, prove: Prove, settings: Settings
) -> None:
    settings.COOL_OFF_HOURS = 0
    prove(developer, NUMBER)
    assert lock_of(developer) is None
    settings.COOL_OFF_HOURS = 24
    prove(developer, OTHER_NUMBER)
    before = lock_of(developer)
    settings.COOL_OFF_HOURS = 1
    prove(developer, "+919876543212")
    assert lock_of(developer) == before


def test_who_is_locked_is_told_until_when_and_programs_pass(developer: User) -> None:
    policies.require_no_credential_hold(developer)
    developer.credentials_locked_until = dt.datetime(2126, 11, 25, 8, 30, tzinfo=dt.UTC)
    with pytest.raises(RuleBroken, match="25 Nov 2126, 08:30 UTC") as caught:
        policies.require_no_credential_hold(developer)
    assert caught.value.code == "cooling_off"
    policies.require_no_credential_hold(SYSTEM)
    policies.require_no_credential_hold(None)


def test_nobody_else_ends_it(developer: User, organisation_admin: User, operator: User, prove: Prove) -> None:
    for user in (developer, operator):
        credential_hold.start(user=user, number=NUMBER, by=user)
    for by, user in ((developer, developer), (organisation_admin, developer), (operator, operator)):
        with pytest.raises(NotAllowed):
            credential_hold.lift(user=user, by=by)
    assert lock_of(developer) is not None
    assert lock_of(operator) is not None
    assert not AuditEvent.objects.filter(tag="user:credentials:unlocked").exists()


def test_nobody_who_cools_off_sets_an_authenticator_app_up(
    operator: User, prove: Prove, browser_of: BrowserOf, travel: Travel
) -> None:
    """Whoever just came by the number would be an operator with it, and unlock the credentials of others."""
    started = totp.begin(user=operator)
    prove(operator, NUMBER)
    set_up = "/operators/second-factor/set-up/"
    page = browser_of(operator).get(set_up, follow=True)
    assert page.redirect_chain[-1][0] == "/console/"
    assert totp.format_secret(started) not in page.content.decode()
    browser_of(operator).post(set_up, {"pin": code_of(started)})
    assert not reauthentication.uses_totp(operator)
    operator.refresh_from_db()
    for act in (
        lambda: totp.begin(user=operator),
        lambda: totp.enrol(user=operator, device=started, code=code_of(started), by=operator),
    ):
        with refused("cooling_off"):
            act()
    travel(hours=24)
    assert totp.format_secret(started) in browser_of(operator).get(set_up).content.decode()


def test_the_pages_warn_of_the_lock_before_it_begins_and_while_it_lasts(
    developer: User, newcomer: User, browser_of: BrowserOf, settings: Settings
) -> None:
    def shown_to(user: User, path: str) -> str:
        return words(browser_of(user).get(path))

    warning, adding, home = "This locks your credentials", "/console/phones/add/", "/console/"
    assert "credentials are locked" not in shown_to(developer, home)
    credential_hold.start(user=developer, number=NUMBER, by=developer)
    for page in (home, "/console/settings/"):
        assert "credentials are locked" in shown_to(developer, page)
    service.release(phone=queries.held_phones(developer)[0], by=developer)
    assert warning in shown_to(developer, adding)
    assert warning not in shown_to(newcomer, adding)
    settings.COOL_OFF_HOURS = 0
    assert warning not in shown_to(developer, adding)


@pytest.mark.django_db(transaction=True)
def test_two_numbers_proven_at_once_leave_one_lock_and_the_last_end(
    organisation: Any, phones: Any, together: Together
) -> None:
    user = make_user("Nina Joshi", organisation, number=None)
    verify(user)
    sent = []
    for number in (NUMBER, "+919876543211"):
        device = service.send_pin(user=make_user("x", organisation), number=number, by=user)
        device.user = user
        device.save(update_fields=["user"])
        sent.append((device.pk, phones.pin(number)))
    waiting = iter(sent)

    def attempt() -> VerifiedPhone:
        device_id, pin = next(waiting)
        return service.verify_pin(user=user, device_id=device_id, pin=pin, by=user)

    results = together(2, attempt)
    assert [type(result).__name__ for result in results] == ["VerifiedPhone"] * 2, results
    until = lock_of(user)
    assert until is not None
    assert until <= clock.now() + dt.timedelta(hours=24)
    assert AuditEvent.objects.filter(tag="user:credentials:locked").count() == 2
