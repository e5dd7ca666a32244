"""PINs: digests that are good once, how often they are sent, how they leave, and gateways that fail."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts import queries
from accounts.models import AuditEvent, PinDevice, SmsMessage, User, VerifiedPhone
from accounts.services import phones, pins, reauthentication
from accounts.services import phones as service
from accounts.services.pins import Program
from accounts.sms import verify
from accounts.sms.sandbox import SandboxInbox
from accounts.tests.factories import make_user
from accounts.tests.pins import NUMBER, OTHER_NUMBER, enter, refused, send, wrong
from accounts.tests.twilio_server import FakeTwilio
from kaizala_console.lib import request_context
from kaizala_console.lib.circuit_breaker import CircuitBreaker
from kaizala_console.lib.errors import GatewayDown, NotFound, RuleBroken, TooSoon
from kaizala_console.lib.tests.cast import Together, Travel
from kaizala_console.tests.leaks import holds


def test_a_pin_has_six_digits_and_is_kept_as_a_digest_only(newcomer: User, phones: Any) -> None:
    device = send(newcomer)
    pin = phones.pin(NUMBER)
    assert re.fullmatch(r"\d{6}", pin)
    stored = PinDevice.objects.filter(pk=device.pk).values().get()
    assert not any(holds(str(value), pin) for name, value in stored.items() if name not in {"id", "sms_id"})
    assert not any(holds(str(row), pin) for row in AuditEvent.objects.values_list("before", "after", "subject_name"))
    assert not holds(f"{device!r} {device}", pin)
    device.set_pin(pin)
    assert device.digest != stored["digest"], "the same PIN has another digest each time"


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


@pytest.fixture(params=["phones", "twilio_verify"])
def pin_on_phone(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Reads a PIN of either kind: one that the console made, and one that Verify made."""
    read: Callable[[str], str] = request.getfixturevalue(request.param).pin
    return read


@pytest.mark.postgresql
def test_the_right_pin_is_accepted_once(newcomer: User, pin_on_phone: Callable[[str], str]) -> None:
    device = send(newcomer)
    pin = pin_on_phone(NUMBER)
    assert enter(newcomer, device, pin).person.number == NUMBER
    with refused("pin_used"):
        enter(newcomer, device, pin)
    assert not AuditEvent.objects.filter(tag="phone:pin:refused").exists(), "a second click is no attack"


@pytest.mark.parametrize(
    "type_it",
    [
        lambda pin: f"{pin[:3]} {pin[3:]}",
        lambda pin: f" {pin[:3]}-{pin[3:]} ",
        lambda pin: f"{pin[:3]}\u00a0{pin[3:]}",
        lambda pin: "".join(chr(ord("०") + int(digit)) for digit in pin),
    ],
)
def test_a_pin_may_have_spaces_hyphens_and_the_digits_of_another_script(
    newcomer: User, phones: Any, type_it: Callable[[str], str]
) -> None:
    device = send(newcomer)
    assert enter(newcomer, device, type_it(phones.pin(NUMBER)))


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "12345a", "½23456", "²23456", "\x00" * 6, "9" * 10_000])
def test_what_is_no_pin_is_told_apart_and_costs_no_try(newcomer: User, typed: str) -> None:
    device = send(newcomer)
    with refused("pin_format"):
        enter(newcomer, device, typed)
    device.refresh_from_db()
    assert device.tries == 0


@pytest.mark.postgresql
def test_a_wrong_pin_says_how_many_tries_are_left_and_after_five_a_new_one_is_needed(
    newcomer: User, pin_on_phone: Callable[[str], str]
) -> None:
    device = send(newcomer)
    pin = pin_on_phone(NUMBER)
    for typed, code, says in (
        *((wrong(pin), "pin_wrong", f"{left} more tr") for left in (4, 3, 2, 1)),
        (wrong(pin), "pin_exhausted", None),
        (pin, "pin_exhausted", None),
    ):
        with pytest.raises(RuleBroken, match=says) as caught:
            enter(newcomer, device, typed)
        assert caught.value.code == code
    assert AuditEvent.objects.filter(tag="phone:pin:refused").count() == 5


def test_a_pin_lives_ten_minutes(newcomer: User, phones: Any, travel: Travel) -> None:
    device = send(newcomer)
    travel(minutes=9, seconds=59)
    assert enter(newcomer, device, phones.pin(NUMBER))
    again = send(newcomer, OTHER_NUMBER)
    travel(minutes=10)
    with refused("pin_expired"):
        enter(newcomer, again, phones.pin(OTHER_NUMBER))


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


def test_a_retired_pepper_makes_a_pin_wrong_and_nothing_worse(newcomer: User, phones: Any, settings: Settings) -> None:
    device = send(newcomer)
    settings.CREDENTIAL_PEPPERS = [("new", b"n" * 32)]
    with pytest.raises(RuleBroken):
        enter(newcomer, device, phones.pin(NUMBER))


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_eight_requests_with_the_right_pin_exactly_one_is_accepted(
    newcomer: User, pin_on_phone: Callable[[str], str], together: Together
) -> None:
    device = send(newcomer)
    pin = pin_on_phone(NUMBER)
    results = together(8, lambda: enter(newcomer, device, pin))
    accepted = [result for result in results if not isinstance(result, Exception)]
    assert len(accepted) == 1, results
    others = {getattr(error, "code", error) for error in results if isinstance(error, Exception)}
    # Verify is asked by few at once, each counts a try before it asks, and then Verify does not know the PIN any more.
    assert others <= {"pin_used", "sms_down", "pin_exhausted", "pin_expired"}
    assert newcomer.verified_phones.count() == 1
    assert AuditEvent.objects.filter(tag="phone:number:verified").count() == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_guessing_with_many_requests_at_once_gets_five_tries_too(
    newcomer: User, phones: Any, together: Together
) -> None:
    device = send(newcomer)
    pin = phones.pin(NUMBER)
    together(12, lambda: enter(newcomer, device, wrong(pin)))
    device.refresh_from_db()
    assert device.tries == 5
    with refused("pin_exhausted"):
        enter(newcomer, device, pin)


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
def test_old_pins_are_forgotten_and_the_log_stays(newcomer: User, travel: Travel) -> None:
    send(newcomer)
    assert pins.forget_old() == 0
    travel(days=1, minutes=11)
    assert pins.forget_old() == 1
    assert SmsMessage.objects.count() == 1


@pytest.fixture
def slow_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between counting and writing passes enough time that without a lock all would have counted first."""
    require_really = pins.require_within_limits

    def slowly(**arguments: Any) -> None:
        require_really(**arguments)
        time.sleep(0.1)

    monkeypatch.setattr(pins, "require_within_limits", slowly)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_button_pressed_many_times_at_once_sends_one_sms(
    newcomer: User, phones: Any, together: Together, slow_counting: None
) -> None:
    results = together(4, lambda: send(newcomer))
    assert sum(isinstance(result, PinDevice) for result in results) == 1, results
    assert sum(isinstance(result, TooSoon) for result in results) == 3
    assert len(phones.texts(NUMBER)) == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_accounts_that_ask_at_once_for_one_number_stay_under_its_cap_together(
    organisation: Any, phones: Any, settings: Settings, together: Together, slow_counting: None
) -> None:
    settings.PIN_PER_NUMBER_PER_DAY = 2
    accounts = [make_user(f"Account {index}", organisation, number=None) for index in range(4)]
    waiting = iter(accounts)
    results = together(4, lambda: send(next(waiting)))
    assert sum(isinstance(result, PinDevice) for result in results) == 2, results
    assert len(phones.texts(NUMBER)) == 2


@pytest.mark.postgresql
def test_the_pause_between_two_pins_grows_and_a_used_pin_ends_it(newcomer: User, phones: Any, travel: Travel) -> None:
    for pause in (30, 60, 120, 240):
        device = send(newcomer)
        assert service.seconds_until_next_pin(user=newcomer) == pause
        with pytest.raises(TooSoon) as caught:
            send(newcomer, OTHER_NUMBER)
        assert (caught.value.code, caught.value.retry_after) == ("pin_pause", pause)
        travel(seconds=pause - 1)
        with pytest.raises(TooSoon) as caught:
            send(newcomer)
        assert caught.value.retry_after == 1
        travel(seconds=1)
    assert send(make_user("Ravi Iyer", newcomer.organisation, number=None)), "no hint that somebody else just asked"
    assert enter(newcomer, device, re.findall(r"\b\d{6}\b", phones.texts(NUMBER)[1])[0])
    assert service.seconds_until_next_pin(user=newcomer) == 0
    assert send(newcomer)
    assert pins.pause_length(1000).total_seconds() == 3600


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "limit",
    ["PIN_PER_NUMBER_PER_DAY", "PIN_PER_ACCOUNT_PER_DAY", "PIN_PER_ADDRESS_PER_DAY", "PIN_PER_COUNTRY_PREFIX_PER_DAY"],
)
def test_each_cap_holds_for_a_day_though_every_pin_was_used_and_all_answer_the_same(
    newcomer: User, phones: Any, settings: Settings, travel: Travel, limit: str
) -> None:
    setattr(settings, limit, 2)
    with request_context.use(request_context.RequestContext(client_address="192.0.2.7")):
        for _ in range(2):
            enter(newcomer, send(newcomer), phones.pin(NUMBER))
        with pytest.raises(TooSoon) as caught:
            send(newcomer)
        assert (caught.value.code, caught.value.retry_after) == ("pin_limit", 86400)
        assert len(phones.texts(NUMBER)) == 2
        travel(hours=24)
        assert send(newcomer)


@pytest.mark.postgresql
def test_others_who_ask_for_a_number_do_not_lock_its_owner_out_of_confirmations(
    member: User, organisation: Any, phones: Any, settings: Settings
) -> None:
    settings.PIN_PER_NUMBER_PER_DAY = 3
    number = VerifiedPhone.objects.active().get(user=member).person.number
    for index in range(3):
        assert send(make_user(f"Account {index}", organisation, number=None), number)
    with pytest.raises(TooSoon):
        send(make_user("One more", organisation, number=None), number)
    assert reauthentication.send_pin(user=member, by=member)


@pytest.fixture(autouse=True)
def closed_circuits(db: None) -> None:
    """No test inherits a gateway that was down."""
    for gateway in ("twilio-messages", "twilio-verify"):
        CircuitBreaker(f"sms:{gateway}").succeeded()


@pytest.mark.postgresql
def test_a_gateway_that_hangs_holds_nobody_who_asks_and_the_pin_is_sealed_until_it_has_left(
    newcomer: User, twilio: FakeTwilio
) -> None:
    twilio.hang = True
    began = time.monotonic()
    device = phones.send_pin(user=newcomer, number=NUMBER, by=newcomer)
    assert time.monotonic() - began < 1
    assert twilio.requests == []
    twilio.hang = False
    assert device.sms.sealed
    assert pins.sweep() == 1
    assert pins.deliver(sms_id=device.sms_id)
    assert twilio.pin(NUMBER).encode() not in bytes(device.sms.sealed)
    device.refresh_from_db()
    assert (device.sms.status, device.sms.sealed, device.sms.next_attempt_at) == ("sent", None, None)
    assert not pins.deliver(sms_id=device.sms_id)
    assert len(twilio.texts[NUMBER]) == 1
    assert enter(newcomer, device, twilio.pin(NUMBER))


@pytest.mark.postgresql
@pytest.mark.parametrize("kind", ["twilio", "twilio_verify"])
def test_after_five_failures_the_gateway_is_left_alone_and_people_hear_it_at_once(
    newcomer: User, kind: str, request: pytest.FixtureRequest
) -> None:
    server: FakeTwilio = request.getfixturevalue(kind)
    server.fail(503, times=5)
    for _ in range(5):
        assert send(newcomer).sms.status == "failed"
    with pytest.raises(GatewayDown):
        phones.send_pin(user=newcomer, number=NUMBER, by=newcomer)
    assert len(server.requests) == 5


@pytest.mark.postgresql
def test_a_pin_that_no_worker_sent_in_time_is_wiped_and_not_sent(
    newcomer: User, twilio: FakeTwilio, travel: Travel
) -> None:
    device = phones.send_pin(user=newcomer, number=NUMBER, by=newcomer)
    travel(minutes=11)
    assert pins.sweep() == 1
    assert not pins.deliver(sms_id=device.sms_id)
    sms = SmsMessage.objects.get()
    assert (sms.status, sms.sealed, twilio.requests) == ("failed", None, [])
    with pytest.raises(RuleBroken, match="expired"):
        enter(newcomer, device, "123456")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_checks_that_verify_does_not_answer_hold_few_threads_and_each_for_seconds(
    newcomer: User, twilio_verify: FakeTwilio, together: Together, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(verify, "CHECK_SECONDS", 1.0)
    device = send(newcomer)
    pin = twilio_verify.pin(NUMBER)
    twilio_verify.hang = True
    began = time.monotonic()
    seconds: list[float] = []
    lock = threading.Lock()

    def check() -> None:
        try:
            enter(newcomer, device, pin)
        finally:
            with lock:
                seconds.append(time.monotonic() - began)

    settings.PIN_TRIES = 20
    results = together(10, check)
    assert {type(result) for result in results} == {GatewayDown}
    assert max(seconds) < 4
    assert len([second for second in seconds if second < 0.9]) >= 6, seconds
    twilio_verify.hang = False
    assert enter(newcomer, PinDevice.objects.get(pk=device.pk), pin)


@pytest.mark.postgresql
def test_a_worker_is_woken_for_a_pin(
    newcomer: User, twilio: FakeTwilio, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        device = phones.send_pin(user=newcomer, number=NUMBER, by=newcomer)
    device.refresh_from_db()
    assert device.sent_at


@pytest.mark.django_db(transaction=True)
def test_guessing_at_verify_with_many_requests_at_once_gets_five_tries_too(
    newcomer: User, twilio_verify: FakeTwilio, together: Together
) -> None:
    device = send(newcomer)
    pin = twilio_verify.pin(NUMBER)
    twilio_verify.seconds_to_think = 0.3
    for _again in range(2):  # Verify is asked by few at once
        together(8, lambda: enter(newcomer, device, wrong(pin)))
    checks = [path for path, _form in twilio_verify.requests if path.endswith("VerificationCheck")]
    assert 0 < len(checks) <= 5


def test_a_check_that_verify_does_not_answer_costs_no_try_and_the_pin_stays_good(
    newcomer: User, twilio_verify: FakeTwilio
) -> None:
    device = send(newcomer)
    assert device.digest == "", "Verify alone has the PIN"
    pin = twilio_verify.pin(NUMBER)
    for _ in range(7):
        twilio_verify.fail(503)
        with pytest.raises(GatewayDown):
            enter(newcomer, device, pin)
    device.refresh_from_db()
    assert device.tries == 0
    assert enter(newcomer, device, pin)


@pytest.mark.parametrize("why", ["forgotten", "tried too often", "no service any more"])
def test_a_verification_that_verify_cannot_decide_any_more_has_expired(
    newcomer: User, twilio_verify: FakeTwilio, settings: Settings, why: str
) -> None:
    device = send(newcomer)
    twilio_verify.verifications.clear()
    if why == "tried too often":
        twilio_verify.fail(429, 60202)
    elif why == "no service any more":
        settings.TWILIO_VERIFY_SERVICE_SID = ""
    with refused("pin_expired"):
        enter(newcomer, device, "123456")


@pytest.mark.parametrize("kind", ["twilio", "twilio_verify"])
def test_a_gateway_that_is_down_loses_nothing_and_counts_nothing(
    newcomer: User, kind: str, request: pytest.FixtureRequest, settings: Settings, travel: Travel
) -> None:
    server: FakeTwilio = request.getfixturevalue(kind)
    settings.PIN_PER_NUMBER_PER_DAY = 2
    earlier = send(newcomer)
    pin = server.pin(NUMBER)
    travel(seconds=31)
    server.fail(503, times=4)
    for _ in range(4):
        assert send(newcomer).sent_at is None
    assert list(SmsMessage.objects.values_list("status", "error")) == [("failed", "sms_down")] * 4 + [("sent", "")]
    assert AuditEvent.objects.filter(tag="phone:pin:failed").count() == 4
    assert service.seconds_until_next_pin(user=newcomer) == 0
    assert enter(newcomer, earlier, pin), "the earlier PIN is still good"
    assert send(newcomer), "and another one may be asked for"


def test_a_program_never_gets_a_pin_of_verify_which_would_prove_the_number_here_too(
    newcomer: User, twilio_verify: FakeTwilio, settings: Settings
) -> None:
    program = Program(key="x", name="Shift Planner", organisation=newcomer.organisation)
    settings.TWILIO_FROM = ""
    with pytest.raises(RuleBroken, match="no sender"):
        pins.send_login_pin(number=NUMBER, program=program, by=newcomer)
    assert twilio_verify.requests == []
    settings.TWILIO_FROM = "+14155550100"
    pins.send_login_pin(number=NUMBER, program=program, by=newcomer)
    pins.deliver(sms_id=SmsMessage.objects.get().pk)
    ((path, form),) = twilio_verify.requests
    assert path.endswith("/Messages.json")
    assert "Shift Planner" in form["Body"]
    assert PinDevice.objects.get().digest
