"""From a receiver's answer to the log and to the next try."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from random import Random
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from pytest_django import Settings

from accounts.models import User
from connectors.models import Webhook, WebhookAttempt, WebhookDelivery
from connectors.tests.factories import Program
from connectors.tests.receiver import Receiver
from connectors.tests.webhook_cast import CALLBACK_TOKEN, happen, make_webhook, states, texts, time_passes
from connectors.webhooks import delivery, management, schedule
from kaizala_console.lib import clock, ids

pytestmark = pytest.mark.django_db


@pytest.fixture
def talkative(told_program: Program, receiver: Receiver, group_id: UUID) -> Webhook:
    """A webhook whose receiver answers `receiver.says`."""
    return make_webhook(told_program.grant, receiver.url("/says"), group_id)


def asks_to_wait(receiver: Receiver, seconds: int | str, status: int = 503) -> None:
    receiver.says = (status, b"busy", {"Retry-After": str(seconds)})


# The log -------------------------------------------------------------------------------------------------------


def test_every_try_keeps_what_was_answered_to_it(talkative: Webhook, receiver: Receiver, group_id: UUID) -> None:
    receiver.says = (422, b'{"error": "no such shift"}', {"Content-Type": "application/json", "Set-Cookie": "a=b"})
    happen(group_id, "a")
    delivery.deliver_due()
    receiver.says = (200, b"", {})
    time_passes()
    delivery.deliver_due()
    first, second = WebhookAttempt.objects.order_by("pk")
    assert (first.status, first.answer_body, first.answer_text) == (422, "text", '{"error": "no such shift"}')
    assert first.answer_headers == {"Content-Type": "application/json", "Content-Length": "26"}
    assert (second.status, second.answer_body, second.answer_text) == (200, "empty", "")


def test_a_receiver_that_prints_what_it_got_leaves_no_token_in_the_log(
    told_program: Program, receiver: Receiver, group_id: UUID
) -> None:
    make_webhook(told_program.grant, receiver.url("/echo"), group_id)
    happen(group_id, "a")
    delivery.deliver_due()
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


def test_answers_go_when_their_delivery_does(
    talkative: Webhook, receiver: Receiver, group_id: UUID, travel: Callable[..., dt.datetime]
) -> None:
    travel()
    happen(group_id, "a")
    delivery.deliver_due()
    travel(days=8)
    assert management.sweep() == 1
    assert not WebhookAttempt.objects.exists()


# Retry-After ---------------------------------------------------------------------------------------------------


def test_the_next_try_is_as_late_as_the_receiver_asks(
    talkative: Webhook, receiver: Receiver, group_id: UUID, travel: Callable[..., dt.datetime]
) -> None:
    now = travel()
    asks_to_wait(receiver, 3600, 429)
    happen(group_id, "a")
    delivery.deliver_due()
    next_at = WebhookDelivery.objects.get().next_attempt_at
    assert next_at is not None
    assert dt.timedelta(hours=1) <= next_at - now <= dt.timedelta(minutes=64)


def test_what_else_waits_for_that_receiver_waits_as_long_and_loses_no_try(
    talkative: Webhook, receiver: Receiver, group_id: UUID, travel: Callable[..., dt.datetime]
) -> None:
    travel()
    asks_to_wait(receiver, 3600)
    happen(group_id, "a", action_id=ids.new_id())
    happen(group_id, "b", action_id=ids.new_id())
    delivery.deliver_due()
    happen(group_id, "c", action_id=ids.new_id())
    delivery.deliver_due()
    assert texts(receiver, "/says") == ["a"]
    assert list(WebhookDelivery.objects.order_by("pk").values_list("tries", flat=True)) == [1, 0, 0]
    receiver.says = (200, b"", {})
    travel(minutes=64)
    delivery.deliver_due()
    assert texts(receiver, "/says") == ["a", "b", "c", "a"]
    assert states(talkative) == ["delivered"] * 3


def test_other_webhooks_on_the_same_host_do_not_wait(
    talkative: Webhook, webhook: Webhook, receiver: Receiver, group_id: UUID
) -> None:
    asks_to_wait(receiver, 3600)
    happen(group_id, "a")
    happen(group_id, "b")
    delivery.deliver_due()
    assert texts(receiver) == ["a", "b"]


def test_a_wish_that_is_sooner_than_our_own_pause_changes_nothing(
    talkative: Webhook, receiver: Receiver, group_id: UUID, travel: Callable[..., dt.datetime]
) -> None:
    now = travel()
    asks_to_wait(receiver, 5)
    happen(group_id, "a")
    delivery.deliver_due()
    next_at = WebhookDelivery.objects.get().next_attempt_at
    assert next_at is not None
    assert next_at - now >= schedule.FIRST * (1 - schedule.SPREAD)


def test_who_always_asks_for_more_is_given_up_within_the_two_days(
    talkative: Webhook, receiver: Receiver, group_id: UUID, travel: Callable[..., dt.datetime]
) -> None:
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


def test_what_has_its_last_chance_is_tried_although_the_receiver_rests(
    talkative: Webhook, receiver: Receiver, group_id: UUID, travel: Callable[..., dt.datetime]
) -> None:
    now = travel()
    happen(group_id, "a")
    WebhookDelivery.objects.update(tries=3, first_tried_at=now - dt.timedelta(hours=47, minutes=56))
    Webhook.objects.update(backoff_until=now + dt.timedelta(hours=5))
    delivery.deliver_due()
    assert texts(receiver, "/says") == ["a"]


@pytest.mark.parametrize("how", ["redelivered", "woken"])
def test_who_sends_again_by_hand_does_not_wait(
    talkative: Webhook, receiver: Receiver, group_id: UUID, developer: User, how: str
) -> None:
    happen(group_id, "a")
    delivery.deliver_due()
    Webhook.objects.update(backoff_until=clock.now() + dt.timedelta(hours=5))
    row = WebhookDelivery.objects.select_related("webhook").get()
    if how == "redelivered":
        management.redeliver(delivery=row, by=developer)
    else:
        management.pause(webhook=talkative, by=developer)
        happen(group_id, "b")
        management.resume(webhook=talkative, by=developer)
    delivery.deliver_due()
    assert len(receiver.arrived) == 2


def test_pauses_grow_and_stay_within_two_days_whatever_chance_says() -> None:
    for seed in range(50):
        dice = Random(seed)  # noqa: S311 - a chance that can be repeated, not a secret
        pauses = [schedule.get_pause(tries, dice) for tries in range(1, 6)]
        assert None not in pauses
        lengths = [pause for pause in pauses if pause is not None]
        assert lengths == sorted(lengths)
        assert sum(lengths, dt.timedelta()) < schedule.SPAN
    assert schedule.get_pause(6) is None
