"""Notices by mail and SMS: sent once, kept while a server is down, given up after days."""

from __future__ import annotations

import datetime as dt
import logging
import smtplib
import string
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.conf import settings as django_settings
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend
from django.db import transaction
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts import tasks
from accounts.models import Notice, User
from accounts.services import notifications
from accounts.services.notifications import GIVE_UP_AFTER, RETRY_AFTER
from accounts.tests.pages import words
from accounts.tests.pins import NUMBER
from accounts.tests.twilio_server import FakeTwilio
from kaizala_console.lib import clock
from kaizala_console.lib.tests.cast import Together, Travel

TEMPLATE = "accounts/phone_added"
MAILS = django_settings.BASE_DIR / "templates" / "mail"


def queue(user: User, key: str = "phone:1:added", **context: Any) -> Notice:
    return notifications.queue(user=user, template=TEMPLATE, key=key, context={"number": "+91 •• 210", **context})


@pytest.fixture
def mail_server(monkeypatch: pytest.MonkeyPatch) -> dict[str, Exception | None]:
    """`mail_server["fails"] = error`: from then on every mail fails with it; None mends the server."""
    state: dict[str, Exception | None] = {"fails": None}
    send_really = EmailBackend.send_messages

    def send_messages(self: EmailBackend, messages: Any) -> int:
        if state["fails"] is not None:
            raise state["fails"]
        return send_really(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", send_messages)
    return state


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Asia/Kolkata", "17 Dec 2026, 14:05 IST"),
        ("", "17 Dec 2026, 08:35 UTC"),
        ("Not/AZone", "17 Dec 2026, 08:35 UTC"),
    ],
)
def test_a_mail_says_when_in_its_readers_zone(developer: User, zone: str, words: str) -> None:
    developer.time_zone = zone
    moment = "2026-12-17T08:35:00+00:00"
    _subject, body = notifications.render(queue(developer, unlocked_at=moment))
    assert f"tokens until {words}." in body
    developer.language = "hi"
    context = {"count": 1, "days": 7, "connector_name": "Canteen", "for_developer": False}
    ends = [{"ends_at": moment, "target_name": "Depot"}]
    notice = Notice(user=developer, template="connectors/grant_ends", context={**context, "ends": ends})
    assert words[-9:] in notifications.render(notice)[1], "in a list, too, and in any language"


@pytest.mark.postgresql
def test_a_notice_is_sent_after_the_commit_and_not_before(
    developer: User, outbox: list[EmailMessage], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        notice = queue(developer)
        assert not outbox
    assert len(outbox) == 1
    assert outbox[0].to == [developer.email]
    notice.refresh_from_db()
    assert notice.sent_at is not None
    assert notice.next_attempt_at is None


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_tells_nobody(developer: User, outbox: list[EmailMessage]) -> None:
    with transaction.atomic():
        queue(developer)
        transaction.set_rollback(True)
    assert not Notice.objects.exists()
    assert not outbox


def test_the_mail_has_the_notices_own_id_and_says_that_no_person_wrote_it(
    developer: User, outbox: list[EmailMessage], settings: Settings
) -> None:
    settings.CONSOLE_BASE_URL = "https://console.example"
    notice = queue(developer)
    assert notifications.deliver(notice_id=notice.pk)
    message = outbox[0].message()
    assert message["Message-ID"] == f"<{notice.pk}@console.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "https://console.example/console/settings/" in outbox[0].body


def test_names_are_written_as_they_are_and_never_become_headers(developer: User, outbox: list[EmailMessage]) -> None:
    developer.name = "Devika & <Rao>"
    developer.save()
    notice = queue(developer, number="+91\nBcc: everyone@example.com")
    assert notifications.deliver(notice_id=notice.pk)
    assert "Hello Devika & <Rao>," in outbox[0].body
    assert outbox[0].recipients() == [developer.email]
    assert outbox[0].message()["Bcc"] is None


def test_what_looks_like_a_credential_never_gets_into_a_notice(developer: User) -> None:
    token = "kzrt_" + "a" * 40
    notice = queue(developer, number=token)
    notice.refresh_from_db()
    assert token not in str(notice.context)


FAILURES = [
    ConnectionRefusedError(111, "Connection refused"),
    smtplib.SMTPAuthenticationError(535, b"5.7.8 Error: authentication failed"),
    smtplib.SMTPRecipientsRefused({"devika@contoso.example": (450, b"Mailbox busy")}),
]


@pytest.mark.postgresql
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_mail_server_that_fails_costs_time_and_no_notice(
    developer: User,
    outbox: list[EmailMessage],
    mail_server: dict[str, Exception | None],
    travel: Travel,
    failure: Exception,
) -> None:
    notice = queue(developer)
    mail_server["fails"] = failure
    assert not notifications.deliver(notice_id=notice.pk)
    notice.refresh_from_db()
    assert (notice.sent_at, notice.attempts) == (None, 1)
    assert notice.last_error.startswith(type(failure).__name__)
    mail_server["fails"] = None
    assert not notifications.deliver(notice_id=notice.pk), "not due yet"
    travel(minutes=2)
    assert notifications.deliver(notice_id=notice.pk)
    assert len(outbox) == 1
    notice.refresh_from_db()
    assert notice.last_error == ""


@pytest.mark.postgresql
def test_the_waits_grow_and_after_days_the_notice_is_given_up(
    developer: User, outbox: list[EmailMessage], mail_server: dict[str, Exception | None], travel: Travel
) -> None:
    notice = queue(developer)
    mail_server["fails"] = ConnectionRefusedError()
    waits: list[dt.timedelta] = []
    while notice.gave_up_at is None:
        assert len(waits) < 50
        assert not notifications.deliver(notice_id=notice.pk)
        notice.refresh_from_db()
        if notice.next_attempt_at is not None:
            waits.append(notice.next_attempt_at - clock.now())
            travel(seconds=waits[-1].total_seconds())
    assert waits[: len(RETRY_AFTER)] == RETRY_AFTER
    assert clock.now() - notice.created_at >= GIVE_UP_AFTER
    assert notice.next_attempt_at is None
    mail_server["fails"] = None
    assert not notifications.deliver(notice_id=notice.pk)
    assert notifications.sweep() == 0
    assert not outbox


@pytest.mark.postgresql
def test_what_was_never_tried_is_tried_even_after_weeks(
    developer: User, outbox: list[EmailMessage], travel: Travel, settings: Settings
) -> None:
    notice = queue(developer)
    travel(days=30)
    assert notifications.sweep() == 1
    assert notifications.deliver(notice_id=notice.pk)
    assert len(outbox) == 1


@pytest.mark.parametrize("fields", [{"email": ""}, {"is_active": False}])
def test_nobody_writes_to_an_account_without_address_or_that_was_deactivated(
    developer: User, outbox: list[EmailMessage], fields: dict[str, Any]
) -> None:
    notice = queue(developer)
    User.objects.filter(pk=developer.pk).update(**fields)
    assert not notifications.deliver(notice_id=notice.pk)
    notice.refresh_from_db()
    assert notice.gave_up_at is not None
    assert notice.last_error
    assert not outbox


@pytest.mark.postgresql
def test_a_broker_that_is_down_loses_no_notice_and_no_request(
    developer: User,
    outbox: list[EmailMessage],
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    def down(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("no broker")

    with monkeypatch.context() as broken:
        broken.setattr(tasks.deliver_notice, "apply_async", down)
        with django_capture_on_commit_callbacks(execute=True):
            queue(developer)
    assert not outbox
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep_notices()
    assert len(outbox) == 1


@pytest.mark.postgresql
def test_a_worker_that_dies_between_claim_and_answer_leaves_the_notice_to_the_next(
    developer: User, outbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch, travel: Travel
) -> None:
    class Killed(BaseException):
        pass

    def killed(self: EmailMessage, *args: Any) -> int:
        raise Killed

    notice = queue(developer)
    with monkeypatch.context() as dying:
        dying.setattr(EmailMessage, "send", killed)
        with pytest.raises(Killed):
            notifications.deliver(notice_id=notice.pk)
    assert not notifications.deliver(notice_id=notice.pk), "the lease is still held"
    travel(minutes=2)
    assert notifications.deliver(notice_id=notice.pk)
    assert len(outbox) == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_eight_workers_at_once_one_sends(
    developer: User, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction.atomic():
        notice = Notice.objects.create(user=developer, template=TEMPLATE, key="k", context={"number": "+91 •• 210"})
    results = together(8, lambda: notifications.deliver(notice_id=notice.pk))
    assert sorted(results) == [False] * 7 + [True], results
    assert len(mail.outbox) == 1
    notice.refresh_from_db()
    assert notice.attempts == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_many_that_queue_one_fact_at_once_one_row_comes(developer: User, together: Together) -> None:
    results = together(6, lambda: queue(developer))
    assert all(isinstance(result, Notice) for result in results), results
    assert Notice.objects.count() == 1
    assert len(mail.outbox) == 1


def test_what_nobody_wants_a_mail_about_is_written_down_and_not_sent(
    developer: User, outbox: list[EmailMessage]
) -> None:
    notifications.set_topics(user=developer, wanted={"ends"})
    muted = notifications.queue(user=developer, template="connectors/handoff_made", key="a", context={})
    assert muted.last_error == notifications.MUTED
    assert notifications.sweep() == 0
    assert not outbox
    assert notifications.deliver(notice_id=queue(developer).pk), "what is about security is sent all the same"


def test_every_mail_belongs_to_a_topic_that_exists_or_is_always_sent() -> None:
    always = {f"accounts/{path.stem}" for path in (MAILS / "accounts").iterdir()}
    always |= {
        f"connectors/{name}"
        for name in ("wrong_secrets", "credential_leaked", "key_registered", "key_removed", "operator_acted",
                     "owner_added", "owner_changed", "owner_removed")
    }  # fmt: skip
    templates = {f"{path.parent.name}/{path.stem}" for path in MAILS.glob("*/*.txt")}
    in_topics = {name for topic in notifications.TOPICS for name in topic.templates}
    assert in_topics | always == templates
    assert not in_topics & always


def test_the_tasks_take_ids_and_whatever_a_newer_version_sends_besides(
    developer: User, outbox: list[EmailMessage]
) -> None:
    notice = queue(developer)
    for _twice in range(2):
        tasks.deliver_notice(notice_id=str(notice.pk), reason="of a newer version")
    tasks.sweep_notices(reason="of a newer version")
    tasks.forget_old_pins(reason="of a newer version")
    assert len(outbox) == 1
    Notice.objects.all().delete()
    tasks.deliver_notice(notice_id=str(notice.pk))  # one that is gone is no error
    for name in (notifications.DELIVER, *(entry["task"] for entry in tasks.BEAT_SCHEDULE.values())):
        task = current_app.tasks[name]
        assert task.acks_late
        assert task.soft_time_limit < task.time_limit


# Of the GSM alphabet (3GPP TS 23.038): with any other character an SMS holds 70 instead of 160.
GSM = set("@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà" + string.ascii_letters + string.digits)


@pytest.mark.parametrize("template", sorted(path.stem for path in Path("templates/sms/accounts").glob("*.txt")))
def test_a_text_is_one_sms_in_the_gsm_alphabet(template: str, developer: User) -> None:
    notice = Notice(user=developer, number=NUMBER, template=f"accounts/{template}", context={"ending": "210"})
    text = notifications.render_sms(notice)
    assert len(text) <= 160
    assert set(text) <= GSM
    assert "210" in text


@pytest.fixture
def notice(developer: User) -> Notice:
    """One that waits for an SMS."""
    return notifications.queue(user=developer, number=NUMBER, template=TEMPLATE, key="k", context={"ending": "210"})


def test_a_gateway_that_is_down_costs_a_later_try_and_the_log_has_no_number(
    notice: Notice, twilio: FakeTwilio, travel: Travel, outbox: list[EmailMessage], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    travel()
    twilio.fail(503)
    assert not notifications.deliver(notice_id=notice.pk)
    notice.refresh_from_db()
    assert notice.last_error == "GatewayDown: sms_down"
    assert "notice.not_sent" in caplog.text
    assert NUMBER not in f"{caplog.text} {notice} {notice!r}"
    assert not notifications.deliver(notice_id=notice.pk), "not due yet"
    travel(seconds=RETRY_AFTER[0].total_seconds())
    assert notifications.deliver(notice_id=notice.pk)
    assert len(twilio.texts[NUMBER]) == 1
    assert not outbox


@pytest.mark.parametrize("is_refused", [True, False])
def test_a_number_that_is_refused_and_a_gateway_that_was_taken_away_are_given_up_at_once(
    notice: Notice, twilio_verify: FakeTwilio, settings: Settings, is_refused: bool
) -> None:
    twilio_verify.fail(400, 21610)
    settings.TWILIO_FROM = settings.TWILIO_FROM if is_refused else ""
    assert not notifications.deliver(notice_id=notice.pk)
    notice.refresh_from_db()
    assert notice.gave_up_at is not None
    assert NUMBER not in notice.last_error
    assert len(twilio_verify.requests) == is_refused


@pytest.mark.parametrize(("fields", "is_sent"), [({"email": ""}, True), ({"is_active": False}, False)])
def test_who_has_no_mail_address_gets_the_sms_and_a_closed_account_none(
    notice: Notice, developer: User, phones: Any, fields: dict[str, Any], is_sent: bool
) -> None:
    User.objects.filter(pk=developer.pk).update(**fields)
    assert notifications.deliver(notice_id=notice.pk) is is_sent
    assert len(phones.texts(NUMBER)) == is_sent


def test_the_number_is_masked_for_operators(notice: Notice, desk: Client) -> None:
    for path in ("/operators/accounts/notice/", f"/operators/accounts/notice/{notice.pk}/change/"):
        answer = desk.get(path)
        assert "+91 ••••• ••210" in words(answer)
        assert "9876543210" not in answer.content.decode()
