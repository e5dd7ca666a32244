"""What is kept of a receiver's answer, and what a receiver's wish to be left alone is worth."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from pytest_django import Settings
from requests.structures import CaseInsensitiveDict

from accounts.models import User
from connectors import token_format
from connectors.models import Webhook, WebhookAttempt, WebhookDelivery
from connectors.tests.factories import Program
from connectors.tests.receiver import Receiver
from connectors.tests.webhook_cast import CALLBACK_TOKEN, happen, make_webhook, states, tell, texts, time_passes
from connectors.webhooks import delivery, management, schedule
from connectors.webhooks.delivery import KeptResponse
from kaizala_console.lib import clock, ids

pytestmark = pytest.mark.django_db
Travel = Callable[..., dt.datetime]
NOW = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def talkative(told_program: Program, receiver: Receiver, group_id: UUID) -> Webhook:
    """A webhook whose receiver answers `receiver.says`."""
    return make_webhook(told_program.grant, receiver.url("/says"), group_id)


def kept(body: bytes, *, is_whole: bool = True, **headers: str) -> KeptResponse:
    named = CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()})
    return delivery.keep_response(named, body, is_whole=is_whole, secrets=[CALLBACK_TOKEN])


def asks_to_wait(receiver: Receiver, seconds: int | str, status: int = 503) -> None:
    receiver.says = (status, b"busy", {"Retry-After": str(seconds)})


def next_attempt() -> dt.datetime:
    at = WebhookDelivery.objects.get().next_attempt_at
    assert at is not None
    return at


# What is kept of a body ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "is_whole", "expected"),
    [
        ("धन्यवाद ☔".encode(), True, ("text", "धन्यवाद ☔")),
        ("ध".encode() * 2000, True, ("text", "ध" * 2000)),
        ("ध".encode() * 2001, True, ("cut", "ध" * 2000)),
        ("Rain ☔".encode()[:-1], False, ("cut", "Rain ")),
        ("क्\u200dष न\u200cम 👩\u200d👧".encode(), True, ("text", "क्\u200dष न\u200cम 👩\u200d👧")),
        (b"", True, ("empty", "")),
        (b"", False, ("", "")),
        (b"\x89PNG\r\n\x1a\n\0\0", True, ("binary", "")),
        (b"text with a \0 in it", True, ("binary", "")),
        ("Größe".encode("windows-1252"), True, ("binary", "")),
    ],
)
def test_a_text_alone_is_kept_up_to_its_bound(body: bytes, is_whole: bool, expected: tuple[str, str]) -> None:
    assert kept(body, is_whole=is_whole) == KeptResponse({}, *expected)


def test_a_body_is_read_as_its_headers_say_when_that_is_harmless() -> None:
    page = "Größe".encode("windows-1252")
    assert kept(page, Content_Type="text/html; charset=ISO-8859-1").text == "Größe"
    assert kept(b"\xff" * 2000, Content_Type="text/plain; charset=punycode").body == "binary"
    assert kept(b"plain it may be", Content_Encoding="gzip").body == "binary"
    assert kept(b"plain", Content_Encoding="identity").body == "text"


def test_nothing_in_a_text_acts_upon_a_screen() -> None:
    text = "a\x1b[31mred\x07\x7f\x85\u202eevil\u2066\u200b\ufeff\U000e0041\u2028b\r\nc\rd\te"
    shown = kept(text.encode() + b"." * 100).text
    assert shown.startswith("a␛[31mred␇␡��evil�����b\nc\nd\te")
    assert not set(shown) & {"\x1b", "\x07", "\x7f", "\x85", "\u202e", "\u2066", "\u2028", "\r"}


def test_our_own_credentials_and_their_token_are_taken_out() -> None:
    secret = token_format.generate(token_format.CredentialKind.SECRET).token
    location = f"https://x.example/?t={CALLBACK_TOKEN}"
    found = kept(f"<b>{CALLBACK_TOKEN}</b> {secret}".encode(), Location=location, Server="nginx")
    assert found.text == "<b>…</b> …"
    assert found.headers == {"Location": "https://x.example/?t=…", "Server": "nginx"}
    assert kept(("x" * 1990 + CALLBACK_TOKEN).encode()).text == "x" * 1990 + "…", "the bound leaves no half of it"
    assert delivery.keep_response({}, b"a cat", is_whole=True, secrets=["a", ""]).text == "a cat"


def test_only_headers_that_help_are_kept_bounded_and_harmless() -> None:
    found = kept(b"", content_type="text/html", Set_Cookie="session=1", X_Other="y", Server="a\x1b\tb" + "c" * 1000)
    assert sorted(found.headers) == ["Content-Type", "Server"]
    assert found.headers["Server"].startswith("a␛\tbccc")
    assert len(found.headers["Server"]) == delivery.MOST_HEADER_CHARACTERS


def test_every_try_keeps_what_was_answered_to_it(talkative: Webhook, receiver: Receiver, group_id: UUID) -> None:
    receiver.says = (422, b'{"error": "no such shift"}', {"Content-Type": "application/json", "Set-Cookie": "a=b"})
    tell(group_id, "a")
    receiver.says = (200, b"", {})
    time_passes()
    delivery.deliver_due()
    first, second = WebhookAttempt.objects.order_by("pk")
    assert (first.status, first.problem, first.answer_body) == (422, "status", "text")
    assert first.answer_text == '{"error": "no such shift"}'
    assert first.answer_headers == {"Content-Type": "application/json", "Content-Length": "26"}
    assert (second.status, second.problem, second.answer_body) == (200, "", "empty")
    talkative.refresh_from_db()
    assert (talkative.failures, talkative.delivered_at is not None) == (0, True)


def test_a_receiver_that_echoes_leaves_no_token(told_program: Program, receiver: Receiver, group_id: UUID) -> None:
    make_webhook(told_program.grant, receiver.url("/echo"), group_id)
    tell(group_id, "a")
    attempt = WebhookAttempt.objects.get()
    assert attempt.answer_text == "kz-callback-token: …"
    assert CALLBACK_TOKEN not in str(vars(attempt))


@pytest.mark.parametrize(
    ("path", "state", "body", "patience"),
    [
        ("endless", "delivered", "cut", 1.5),
        ("cut", "delivered", "cut", 1.5),
        ("bomb", "delivered", "binary", 1.5),
        ("body_drip", "waiting", "cut", 1.5),
        ("hang", "waiting", "", 0.4),  # which is all that it takes until there is no status
    ],
)
def test_no_answer_is_read_for_longer_or_further_than_its_bound(
    told_program: Program,
    receiver: Receiver,
    group_id: UUID,
    path: str,
    state: str,
    body: str,
    patience: float,
    settings: Settings,
) -> None:
    settings.WEBHOOK_SECONDS = patience
    webhook = make_webhook(told_program.grant, receiver.url(f"/{path}"), group_id)
    happen(group_id, "a")
    began = time.monotonic()
    delivery.deliver_due()
    assert time.monotonic() - began < 3
    assert states(webhook) == [state]
    attempt = WebhookAttempt.objects.get()
    assert attempt.answer_body == body
    assert len(attempt.answer_text) <= 2000
    assert attempt.milliseconds < 1000  # until the status, whatever the body does


def test_a_text_that_was_not_read_as_text_cannot_be_stored(webhook: Webhook, group_id: UUID) -> None:
    happen(group_id, "a")
    row = WebhookDelivery.objects.get()
    with pytest.raises(IntegrityError, match="webhook_answer_text_is_text"), transaction.atomic():
        WebhookAttempt.objects.create(delivery=row, status=200, answer_body="binary", answer_text="x")


# Retry-After ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "value", "seconds"),
    [
        (429, "120", 120),
        (503, " 3600 ", 3600),
        (503, "172800", 172800),
        (503, "Thu, 26 Nov 2026 12:30:00 GMT", 1800),
        (503, "Thursday, 26-Nov-26 12:30:00 GMT", 1800),
        (503, "Thu Nov 26 12:30:00 2026", 1800),
        *((status, "120", None) for status in (200, 301, 404, 500, 502)),
        *((503, nonsense, None) for nonsense in ("", "0", "-5", "1.5", "soon", "120, 60", "9" * 400, "१२०")),
        (503, "172801", None),
        (503, "Wed, 25 Nov 2026 12:30:00 GMT", None),
        (503, "Fri, 31 Feb 2027 12:30:00 GMT", None),
        (503, "Fri, 01 Jan 9999 00:00:00 GMT", None),
    ],
)
def test_a_receiver_says_when_it_wants_to_be_asked_again(status: int, value: str, seconds: int | None) -> None:
    expected = None if seconds is None else dt.timedelta(seconds=seconds)
    assert delivery.get_retry_after(status, CaseInsensitiveDict({"retry-after": value}), NOW) == expected


def test_a_clock_that_is_a_year_off_asks_for_what_it_means() -> None:
    headers = {"Date": "Mon, 01 Nov 2027 00:00:00 GMT", "Retry-After": "Mon, 01 Nov 2027 00:10:00 GMT"}
    assert delivery.get_retry_after(503, headers, NOW) == dt.timedelta(minutes=10)


def test_a_receiver_that_asks_to_wait_is_left_alone_as_long_and_what_waits_loses_no_try(
    talkative: Webhook, receiver: Receiver, group_id: UUID, travel: Travel
) -> None:
    now = travel()
    asks_to_wait(receiver, 3600, 429)
    tell(group_id, "a", action_id=ids.new_id())
    assert HOUR <= next_attempt() - now <= dt.timedelta(minutes=64)
    for text in ("b", "c"):
        happen(group_id, text, action_id=ids.new_id())
    delivery.deliver_due()
    assert texts(receiver, "/says") == ["a"]
    assert list(WebhookDelivery.objects.order_by("pk").values_list("tries", flat=True)) == [1, 0, 0]
    receiver.says = (200, b"", {})
    travel(minutes=64)
    delivery.deliver_due()
    assert sorted(texts(receiver, "/says")) == ["a", "a", "b", "c"]
    assert states(talkative) == ["delivered"] * 3


def test_others_on_the_host_do_not_wait(
    talkative: Webhook, webhook: Webhook, receiver: Receiver, group_id: UUID
) -> None:
    asks_to_wait(receiver, 3600)
    tell(group_id, "a", "b")
    assert texts(receiver) == ["a", "b"]


def test_a_sooner_wish_changes_nothing(talkative: Webhook, receiver: Receiver, group_id: UUID, travel: Travel) -> None:
    now = travel()
    asks_to_wait(receiver, 5)
    tell(group_id, "a")
    assert next_attempt() - now >= schedule.FIRST * (1 - schedule.SPREAD)


def test_who_asks_for_ever_is_given_up(talkative: Webhook, receiver: Receiver, group_id: UUID, travel: Travel) -> None:
    began = travel()
    asks_to_wait(receiver, 40 * 3600)
    happen(group_id, "a")
    for _ in range(60):
        delivery.deliver_due()
        travel(hours=1)
    last = WebhookAttempt.objects.order_by("-pk")[0]
    assert 1 < WebhookAttempt.objects.count() <= schedule.TRIES
    assert last.began_at - began < schedule.SPAN
    assert states(talkative) == ["failed"]


def test_the_last_chance_is_taken(talkative: Webhook, receiver: Receiver, group_id: UUID, travel: Travel) -> None:
    now = travel()
    happen(group_id, "a")
    WebhookDelivery.objects.update(tries=3, first_tried_at=now - dt.timedelta(hours=47, minutes=56))
    Webhook.objects.update(backoff_until=now + 5 * HOUR)
    delivery.deliver_due()
    assert texts(receiver, "/says") == ["a"]


@pytest.mark.parametrize("how", ["redelivered", "woken"])
def test_who_sends_again_by_hand_does_not_wait(
    talkative: Webhook, receiver: Receiver, group_id: UUID, developer: User, how: str
) -> None:
    tell(group_id, "a")
    Webhook.objects.update(backoff_until=clock.now() + 5 * HOUR)
    row = WebhookDelivery.objects.select_related("webhook").get()
    if how == "redelivered":
        management.redeliver(delivery=row, by=developer)
    else:
        management.pause(webhook=talkative, by=developer)
        happen(group_id, "b")
        management.resume(webhook=talkative, by=developer)
    delivery.deliver_due()
    assert len(receiver.arrived) == 2
