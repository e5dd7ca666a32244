"""Who hears of a changed phone number: the account by mail, and the numbers before it by SMS."""

from __future__ import annotations

import logging
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts import queries, sms, tasks
from accounts.models import Notice, User, VerifiedPhone
from accounts.services import notifications
from accounts.services import phones as service
from accounts.services.notifications import RETRY_AFTER
from accounts.sms.base import TextSender
from accounts.sms.messages import TwilioMessages
from accounts.sms.sandbox import SandboxInbox
from accounts.sms.verify import TwilioVerify
from accounts.tests.factories import verify
from accounts.tests.pages import words
from accounts.tests.twilio_server import FakeTwilio

NUMBER = "+919876543210"
# Of the GSM alphabet (3GPP TS 23.038): with any other character an SMS holds 70 instead of 160.
GSM = set("@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà" + string.ascii_letters + string.digits)


@dataclass
class Line:
    """A gateway that sends texts, and what arrived at the phone."""

    sender: TextSender
    texts: Callable[[], list[str]]


@pytest.fixture(params=["inbox", "twilio-messages"])
def line(request: pytest.FixtureRequest) -> Line:
    """Each as the settings choose it."""
    if request.param == "inbox":
        phones = request.getfixturevalue("phones")
        sender = sms.text_sender()
        assert isinstance(sender, SandboxInbox)
        return Line(sender, lambda: phones.texts(NUMBER))
    server = request.getfixturevalue("twilio")
    sender = sms.text_sender()
    assert isinstance(sender, TwilioMessages)
    return Line(sender, lambda: server.texts[NUMBER])


# The contract -----------------------------------------------------------------------------------------------------


def test_a_text_reaches_the_phone_as_it_is_and_has_a_reference(line: Line) -> None:
    assert isinstance(line.sender, TextSender)
    reference = line.sender.send_text(number=NUMBER, text="Hello & <goodbye>")
    assert 0 < len(reference) <= 64
    assert line.texts() == ["Hello & <goodbye>"]


def test_verify_alone_sends_no_texts(twilio_verify: FakeTwilio, settings: Settings) -> None:
    assert isinstance(sms.gateway(), TwilioVerify)
    assert isinstance(sms.text_sender(), TwilioMessages), "a sender is configured besides"
    settings.TWILIO_FROM = ""
    assert sms.text_sender() is None
    assert not isinstance(TwilioVerify(), TextSender)


def test_the_inbox_takes_no_texts_outside_the_sandbox(settings: Settings) -> None:
    settings.SANDBOX = False
    with pytest.raises(ImproperlyConfigured):
        SandboxInbox().send_text(number=NUMBER, text="Hello")


# Who is told ------------------------------------------------------------------------------------------------------


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
    developer: User, held: list[VerifiedPhone], phones: Any, sent: Sent, outbox: list[EmailMessage]
) -> None:
    device = service.send_pin(user=developer, number=NUMBER, by=developer)
    pin = phones.pin(NUMBER)
    told = sent(lambda: service.verify_pin(user=developer, device_id=device.pk, pin=pin, by=developer))
    assert set(told) == {phone.person.number for phone in held}
    for texts in told.values():
        assert len(texts) == 1
        assert "a phone number ending in 210 was added to your account" in texts[0]
    assert [mail.subject for mail in outbox] == ["A phone number was added to your account"]
    assert "PINs still go to your primary number." in outbox[0].body


def test_the_first_number_of_a_newcomer_is_told_by_mail_alone(
    newcomer: User, phones: Any, sent: Sent, outbox: list[EmailMessage]
) -> None:
    device = service.send_pin(user=newcomer, number=NUMBER, by=newcomer)
    pin = phones.pin(NUMBER)
    assert sent(lambda: service.verify_pin(user=newcomer, device_id=device.pk, pin=pin, by=newcomer)) == {}
    assert "and PINs go to it" in outbox[0].body


def test_giving_back_the_primary_number_is_told_to_it(held: list[VerifiedPhone], developer: User, sent: Sent) -> None:
    primary, _other = held
    told = sent(lambda: service.release(phone=primary, by=developer))
    ending = primary.person.number[-3:]
    assert set(told) == {primary.person.number}
    assert f"ending in {ending} was removed" in told[primary.person.number][0]


def test_giving_back_another_number_is_told_to_it_and_to_the_primary_one(
    held: list[VerifiedPhone], developer: User, sent: Sent
) -> None:
    told = sent(lambda: service.release(phone=held[1], by=developer))
    assert set(told) == {phone.person.number for phone in held}


def test_another_primary_number_is_told_to_the_one_before_once_a_day(
    held: list[VerifiedPhone], developer: User, sent: Sent, travel: Callable[..., Any], outbox: list[EmailMessage]
) -> None:
    travel()
    before, after = held
    told = sent(lambda: service.make_primary(phone=after, by=developer))
    assert set(told) == {before.person.number}
    assert f"PINs now go to your phone number ending in {after.person.number[-3:]}" in told[before.person.number][0]
    assert [mail.subject for mail in outbox] == ["PINs now go to another phone number of yours"]

    def to_and_fro() -> None:
        service.make_primary(phone=before, by=developer)
        service.make_primary(phone=after, by=developer)

    sent(to_and_fro)
    assert len(sent(to_and_fro)[before.person.number]) == 1
    travel(days=1)
    assert len(sent(to_and_fro)[before.person.number]) == 2


def test_nothing_is_queued_for_sms_when_no_gateway_can_send_it(
    held: list[VerifiedPhone], developer: User, twilio_verify: FakeTwilio, settings: Settings
) -> None:
    settings.TWILIO_FROM = ""
    service.release(phone=held[0], by=developer)
    assert [notice.number for notice in Notice.objects.all()] == [""]


@pytest.mark.parametrize("template", sorted(path.stem for path in Path("templates/sms/accounts").glob("*.txt")))
def test_a_text_is_one_sms_in_the_gsm_alphabet(template: str, developer: User) -> None:
    notice = Notice(user=developer, number=NUMBER, template=f"accounts/{template}", context={"ending": "210"})
    text = notifications.render_sms(notice)
    assert len(text) <= 160
    assert set(text) <= GSM
    assert "210" in text


# Delivery ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def notice(developer: User) -> Notice:
    """One that waits for an SMS."""
    return Notice.objects.create(
        user=developer, number=NUMBER, template="accounts/phone_added", key="k", context={"ending": "210"}
    )


def test_a_gateway_that_is_down_costs_a_later_try(
    notice: Notice, twilio: FakeTwilio, travel: Callable[..., Any], outbox: list[EmailMessage]
) -> None:
    travel()
    twilio.fail(503)
    assert not notifications.deliver(notice_id=notice.pk)
    notice.refresh_from_db()
    assert notice.last_error == "GatewayDown: sms_down"
    assert not notifications.deliver(notice_id=notice.pk), "not due yet"
    travel(seconds=RETRY_AFTER[0].total_seconds())
    assert notifications.deliver(notice_id=notice.pk)
    assert len(twilio.texts[NUMBER]) == 1
    assert not outbox
    tasks.deliver_notice(notice_id=str(notice.pk))
    assert len(twilio.texts[NUMBER]) == 1


def test_a_number_that_is_refused_is_given_up_at_once(notice: Notice, twilio: FakeTwilio) -> None:
    twilio.fail(400, 21610)
    assert not notifications.deliver(notice_id=notice.pk)
    notice.refresh_from_db()
    assert notice.gave_up_at is not None
    assert notice.last_error == "The SMS gateway refused the number: number_refused."
    assert NUMBER not in notice.last_error


def test_a_gateway_that_was_taken_away_meanwhile_is_given_up(
    notice: Notice, twilio_verify: FakeTwilio, settings: Settings
) -> None:
    settings.TWILIO_FROM = ""
    assert not notifications.deliver(notice_id=notice.pk)
    notice.refresh_from_db()
    assert notice.gave_up_at is not None
    assert not twilio_verify.requests


def test_who_has_no_mail_address_gets_the_sms(notice: Notice, developer: User, phones: Any) -> None:
    User.objects.filter(pk=developer.pk).update(email="")
    assert notifications.deliver(notice_id=notice.pk)
    assert len(phones.texts(NUMBER)) == 1


def test_a_closed_account_gets_none(notice: Notice, developer: User, phones: Any) -> None:
    User.objects.filter(pk=developer.pk).update(is_active=False)
    assert not notifications.deliver(notice_id=notice.pk)
    assert not phones.texts(NUMBER)


@pytest.mark.django_db(transaction=True)
def test_of_eight_workers_at_once_one_sends(developer: User, phones: Any, together: Callable[..., list[Any]]) -> None:
    notice = Notice.objects.create(
        user=developer, number=NUMBER, template="accounts/phone_added", key="k", context={"ending": "210"}
    )
    results = together(8, lambda: notifications.deliver(notice_id=notice.pk))
    assert sorted(results) == [False] * 7 + [True], results
    assert len(phones.texts(NUMBER)) == 1


def test_the_number_is_masked_for_operators_and_absent_from_the_log(
    notice: Notice, desk: Client, twilio: FakeTwilio, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    twilio.fail(503)
    notifications.deliver(notice_id=notice.pk)
    assert "notice.not_sent" in caplog.text
    assert NUMBER not in caplog.text
    assert NUMBER not in f"{notice} {notice!r}"
    for path in ("/operators/accounts/notice/", f"/operators/accounts/notice/{notice.pk}/change/"):
        answer = desk.get(path)
        assert "+91 ••••• ••210" in words(answer)
        assert "9876543210" not in answer.content.decode()
