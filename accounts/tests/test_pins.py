"""PINs: kept as digests, good once, for ten minutes and five tries, whatever happens at the same moment."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from pytest_django import Settings

from accounts import queries
from accounts.models import AuditEvent, PinDevice, SmsMessage, User
from accounts.services import phones as service
from accounts.services import pins
from accounts.sms.sandbox import SandboxInbox
from accounts.tests.pins import NUMBER, OTHER_NUMBER, enter, send, wrong
from kaizala_console.lib import request_context
from kaizala_console.lib.errors import NotFound, RuleBroken
from kaizala_console.tests.leaks import holds

# What is sent and kept ------------------------------------------------------------------------------------------------


def test_a_pin_has_six_digits_and_is_kept_as_a_digest_only(newcomer: User, phones: Any) -> None:
    device = send(newcomer)
    pin = phones.pin(NUMBER)
    assert re.fullmatch(r"\d{6}", pin)
    stored = PinDevice.objects.filter(pk=device.pk).values().get()
    assert not any(holds(str(value), pin) for name, value in stored.items() if name not in {"id", "sms_id"})
    assert not any(holds(str(row), pin) for row in AuditEvent.objects.values_list("before", "after", "subject_name"))
    assert not holds(f"{device!r} {device}", pin)


def test_the_same_pin_has_another_digest_each_time(newcomer: User) -> None:
    digests = set()
    for _ in range(2):
        device = PinDevice(user=newcomer, number=NUMBER, purpose="verify")
        device.set_pin("123456")
        digests.add(device.digest)
    assert len(digests) == 2


def test_the_log_masks_the_number_and_finds_it_again_by_a_keyed_digest(newcomer: User) -> None:
    with request_context.use(request_context.RequestContext(client_address="192.0.2.7")):
        send(newcomer)
    message = SmsMessage.objects.get()
    assert NUMBER[-6:] not in message.masked_number
    assert message.number_tag == pins.number_tag(NUMBER)
    assert NUMBER[1:] not in message.number_tag
    assert (message.status, message.country_prefix, message.client_address, message.gateway, message.user) == (
        "sent",
        "91",
        "192.0.2.7",
        "inbox",
        newcomer,
    )


@pytest.mark.parametrize(
    "number", ["", "0", "+1 234", "+9198765", "hello", "+91 98765 43210 99999", "12" * 40, "+91 00000 00000"]
)
def test_a_number_that_cannot_exist_is_refused_before_any_sms(newcomer: User, number: str) -> None:
    with pytest.raises(RuleBroken) as caught:
        service.send_pin(user=newcomer, number=number, region="IN", by=newcomer)
    assert (caught.value.code, caught.value.field) == ("phone_number", "number")
    assert not SmsMessage.objects.exists()
    assert not PinDevice.objects.exists()


def test_a_number_may_be_typed_as_people_write_it(newcomer: User) -> None:
    assert service.send_pin(user=newcomer, number="098765 43210", region="IN", by=newcomer).number == NUMBER


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_sms_leaves(newcomer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    was_open = []
    send_really = SandboxInbox.send

    def watched(self: SandboxInbox, **arguments: Any) -> str:
        was_open.append(connection.in_atomic_block)
        return send_really(self, **arguments)

    monkeypatch.setattr(SandboxInbox, "send", watched)
    send(newcomer)
    assert was_open == [False]


# What is accepted -----------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_the_right_pin_is_accepted_once(newcomer: User, phones: Any) -> None:
    device = send(newcomer)
    pin = phones.pin(NUMBER)
    assert enter(newcomer, device, pin).person.number == NUMBER
    with pytest.raises(RuleBroken) as caught:
        enter(newcomer, device, pin)
    assert caught.value.code == "pin_used"
    assert not AuditEvent.objects.filter(tag="phone:pin:refused").exists(), "a second click is no attack"


@pytest.mark.parametrize("typed", ["{a} {b}", " {a}-{b} ", "{a}\u00a0{b}"])
def test_spaces_and_hyphens_do_not_matter(newcomer: User, phones: Any, typed: str) -> None:
    device = send(newcomer)
    pin = phones.pin(NUMBER)
    assert enter(newcomer, device, typed.format(a=pin[:3], b=pin[3:]))


def test_digits_of_other_scripts_are_digits(newcomer: User, phones: Any) -> None:
    device = send(newcomer)
    devanagari = "".join(chr(ord("०") + int(digit)) for digit in phones.pin(NUMBER))
    assert enter(newcomer, device, devanagari)


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "12345a", "½23456", "²23456", "\x00" * 6, "9" * 10_000])
def test_what_is_no_pin_is_told_apart_and_costs_no_try(newcomer: User, typed: str) -> None:
    device = send(newcomer)
    with pytest.raises(RuleBroken) as caught:
        enter(newcomer, device, typed)
    assert caught.value.code == "pin_format"
    device.refresh_from_db()
    assert device.tries == 0


@pytest.mark.postgresql
def test_a_wrong_pin_says_how_many_tries_are_left_and_after_five_a_new_one_is_needed(
    newcomer: User, phones: Any
) -> None:
    device = send(newcomer)
    pin = phones.pin(NUMBER)
    for left in (4, 3, 2, 1):
        with pytest.raises(RuleBroken, match=f"{left} more tr") as caught:
            enter(newcomer, device, wrong(pin))
        assert caught.value.code == "pin_wrong"
    with pytest.raises(RuleBroken) as caught:
        enter(newcomer, device, wrong(pin))
    assert caught.value.code == "pin_exhausted"
    with pytest.raises(RuleBroken) as caught:
        enter(newcomer, device, pin)
    assert caught.value.code == "pin_exhausted", "the right one comes too late"
    assert AuditEvent.objects.filter(tag="phone:pin:refused").count() == 5


def test_a_pin_lives_ten_minutes(newcomer: User, phones: Any, travel: Callable[..., Any]) -> None:
    device = send(newcomer)
    travel(minutes=9, seconds=59)
    assert enter(newcomer, device, phones.pin(NUMBER))
    again = send(newcomer, OTHER_NUMBER)
    travel(minutes=10)
    with pytest.raises(RuleBroken) as caught:
        enter(newcomer, again, phones.pin(OTHER_NUMBER))
    assert caught.value.code == "pin_expired"


@pytest.mark.postgresql
def test_a_newer_pin_takes_the_place_of_the_older_one(newcomer: User, phones: Any, travel: Callable[..., Any]) -> None:
    first = send(newcomer)
    old_pin = phones.pin(NUMBER)
    travel(seconds=31)
    second = send(newcomer)
    with pytest.raises(RuleBroken) as caught:
        enter(newcomer, first, old_pin)
    assert caught.value.code == "pin_superseded"
    assert queries.open_pin(newcomer, PinDevice.Purpose.VERIFY) == second
    assert enter(newcomer, second, phones.pin(NUMBER))


def test_the_pin_of_somebody_else_is_not_there(newcomer: User, stranger: User, phones: Any) -> None:
    device = send(newcomer)
    with pytest.raises(NotFound) as not_mine:
        enter(stranger, device, phones.pin(NUMBER))
    with pytest.raises(NotFound) as nowhere:
        service.verify_pin(user=stranger, device_id=10**9, pin="123456", by=stranger)
    assert str(not_mine.value) == str(nowhere.value)
    device.refresh_from_db()
    assert (device.tries, device.used_at) == (0, None)


def test_a_pin_for_a_confirmation_verifies_no_number(developer: User, phones: Any) -> None:
    person = queries.primary_person(developer)
    assert person is not None
    device = pins.send(user=developer, number=person.number, purpose=PinDevice.Purpose.CONFIRM, by=developer)
    with pytest.raises(NotFound):
        enter(developer, device, phones.pin(person.number))


def test_a_pin_is_no_standing_second_factor(newcomer: User) -> None:
    device = send(newcomer)
    with pytest.raises(IntegrityError), transaction.atomic():
        PinDevice.objects.filter(pk=device.pk).update(confirmed=True)


def test_a_retired_pepper_makes_a_pin_wrong_and_nothing_worse(newcomer: User, phones: Any, settings: Settings) -> None:
    device = send(newcomer)
    settings.CREDENTIAL_PEPPERS = [("new", b"n" * 32)]
    with pytest.raises(RuleBroken):
        enter(newcomer, device, phones.pin(NUMBER))


# At the same moment ---------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_eight_requests_with_the_right_pin_exactly_one_is_accepted(
    newcomer: User, phones: Any, together: Callable[..., list[Any]]
) -> None:
    device = send(newcomer)
    pin = phones.pin(NUMBER)
    results = together(8, lambda: enter(newcomer, device, pin))
    accepted = [result for result in results if not isinstance(result, Exception)]
    refused = [result for result in results if isinstance(result, Exception)]
    assert len(accepted) == 1, results
    assert {getattr(error, "code", error) for error in refused} == {"pin_used"}
    assert newcomer.verified_phones.count() == 1
    assert AuditEvent.objects.filter(tag="phone:number:verified").count() == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_guessing_with_many_requests_at_once_gets_five_tries_too(
    newcomer: User, phones: Any, together: Callable[..., list[Any]]
) -> None:
    device = send(newcomer)
    pin = phones.pin(NUMBER)
    together(12, lambda: enter(newcomer, device, wrong(pin)))
    device.refresh_from_db()
    assert device.tries == 5
    with pytest.raises(RuleBroken) as caught:
        enter(newcomer, device, pin)
    assert caught.value.code == "pin_exhausted"


# The trail, and forgetting --------------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_without_an_audit_row_no_sms_leaves(newcomer: User, phones: Any, broken_trail: Callable[[], None]) -> None:
    broken_trail()
    with pytest.raises(OSError, match="audit"):
        send(newcomer)
    assert not SmsMessage.objects.exists()
    assert not PinDevice.objects.exists()
    assert not phones.texts(NUMBER)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_without_an_audit_row_a_pin_stays_unused(newcomer: User, phones: Any, broken_trail: Callable[[], None]) -> None:
    device = send(newcomer)
    broken_trail()
    with pytest.raises(OSError, match="audit"):
        enter(newcomer, device, phones.pin(NUMBER))
    device.refresh_from_db()
    assert (device.used_at, device.tries) == (None, 0)
    assert not newcomer.verified_phones.exists()


@pytest.mark.postgresql
def test_old_pins_are_forgotten_and_the_log_stays(newcomer: User, travel: Callable[..., Any]) -> None:
    send(newcomer)
    assert pins.forget_old() == 0
    travel(days=1, minutes=11)
    assert pins.forget_old() == 1
    assert SmsMessage.objects.count() == 1


@pytest.mark.postgresql
@pytest.mark.django_db
def test_the_migrations_are_those_of_the_models() -> None:
    call_command("makemigrations", "accounts", check=True, dry_run=True, verbosity=0)
