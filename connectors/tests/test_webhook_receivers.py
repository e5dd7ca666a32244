"""Receivers that behave badly, and how little that is to others."""

from __future__ import annotations

import datetime as dt
import socket
import time
from uuid import UUID

import pytest
from pytest_django import Settings

from connectors.models import Connector, Webhook, WebhookAttempt, WebhookDelivery
from connectors.tests.factories import Program
from connectors.tests.receiver import Receiver
from connectors.tests.webhook_cast import happen, make_webhook, states, texts
from connectors.webhooks import delivery
from connectors.webhooks.schedule import ConcurrencyLimit
from kaizala_console.lib import clock, ids

pytestmark = pytest.mark.django_db


# For a receiver that hangs: half of what a turn may take here, so that neither it nor the others mind a pause.
PATIENCE = 1.5
BAD = {
    "hang": "timeout",
    "reset": "unreachable",
    "500": "status",
    "moved": "redirect",
    "headers": "protocol",
    "drip": "timeout",
    "nonsense": "protocol",
}


@pytest.mark.postgresql
@pytest.mark.parametrize("path", sorted(BAD))
def test_no_receiver_harms_the_deliveries_of_others(
    told_program: Program, webhook: Webhook, receiver: Receiver, group_id: UUID, path: str, settings: Settings
) -> None:
    settings.WEBHOOK_SECONDS = PATIENCE
    bad = make_webhook(told_program.grant, receiver.url(f"/{path}"), group_id)
    happen(group_id, *"abc")
    began = time.monotonic()
    delivery.deliver_due()
    assert time.monotonic() - began < 3
    assert texts(receiver) == ["a", "b", "c"]
    assert states(webhook) == ["delivered"] * 3
    assert states(bad) == ["waiting"] * 3
    attempt = WebhookAttempt.objects.get(delivery__webhook=bad)
    assert (
        attempt.problem in {BAD[path], "unreachable", "protocol"}
        if path in {"headers", "nonsense", "reset"}
        else (attempt.problem == BAD[path])
    )
    assert receiver.bodies("/elsewhere") == []


@pytest.mark.parametrize("path", ["endless", "cut"])
def test_a_receiver_that_says_yes_has_taken_it_whatever_it_says_besides(
    told_program: Program, receiver: Receiver, group_id: UUID, path: str
) -> None:
    webhook = make_webhook(told_program.grant, receiver.url(f"/{path}"), group_id)
    happen(group_id, "a")
    delivery.deliver_due()
    assert states(webhook) == ["delivered"]


@pytest.mark.parametrize("url", ["https://10.0.0.7/hook", "https://169.254.169.254/", "https://[::ffff:10.0.0.1]/"])
def test_an_address_that_leads_inside_by_now_is_not_called(told_program: Program, group_id: UUID, url: str) -> None:
    webhook = make_webhook(told_program.grant, url, group_id)
    happen(group_id, "a")
    delivery.deliver_due()
    assert WebhookAttempt.objects.get().problem == "refused"
    assert states(webhook) == ["waiting"]


def test_a_name_that_answers_otherwise_than_at_the_handshake_is_not_called(
    told_program: Program, group_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    answers = lambda host, *rest, **more: real("10.0.0.9" if host == "hooks.example" else host, *rest, **more)  # noqa: E731
    monkeypatch.setattr(socket, "getaddrinfo", answers)
    make_webhook(told_program.grant, "https://hooks.example/hook", group_id)
    happen(group_id, "a")
    delivery.deliver_due()
    assert WebhookAttempt.objects.get().problem == "refused"


@pytest.mark.postgresql
def test_a_host_that_gives_no_answer_is_left_alone_for_a_while(
    told_program: Program, receiver: Receiver, group_id: UUID, settings: Settings
) -> None:
    settings.WEBHOOK_SECONDS = PATIENCE
    for _ in range(12):
        make_webhook(told_program.grant, receiver.url("/hang"), group_id)
    happen(group_id, "a")
    delivery.deliver_due()
    # Four at once: the fifth failure is among the second four.
    assert len(receiver.arrived) == 8
    for row in WebhookDelivery.objects.filter(tries=0):
        assert row.next_attempt_at is not None
        assert row.next_attempt_at > clock.now() + dt.timedelta(seconds=30)


@pytest.mark.postgresql
def test_a_webhook_gets_its_events_one_after_the_other_as_they_happened_whatever_they_are_about(
    told_program: Program, receiver: Receiver, group_id: UUID
) -> None:
    make_webhook(told_program.grant, receiver.url("/take"), group_id)
    wanted = [f"event {number}" for number in range(12)]
    for text in wanted:
        happen(group_id, text, action_id=ids.new_id())
    delivery.deliver_due()
    assert texts(receiver) == wanted
    assert receiver.most_under_way == 1


@pytest.mark.postgresql
def test_a_slow_connector_has_a_quarter_of_the_places(
    told_program: Program, receiver: Receiver, group_id: UUID, settings: Settings
) -> None:
    settings.WEBHOOK_SECONDS = 5
    receiver.slow_seconds = 0.4  # all four are there at the same time on a busy machine, too
    for _ in range(8):
        make_webhook(told_program.grant, receiver.url("/slow"), group_id)
    happen(group_id, "a")
    delivery.deliver_due()
    assert (len(receiver.arrived), receiver.most_under_way) == (8, 4)


@pytest.mark.postgresql
def test_places_are_counted_by_webhook_connector_host_and_trouble() -> None:
    slots = ConcurrencyLimit(16)
    connector = Connector()
    hooks = [Webhook(connector=connector, host="a.example") for _ in range(5)]
    for hook in hooks[:4]:
        assert slots.has_room_for(hook)
        slots.acquire(hook)
        assert not slots.has_room_for(hook)
    assert slots.full_connectors() == [connector.pk]
    assert not slots.has_room_for(hooks[4])
    other = Webhook(connector=Connector(), host="a.example")
    assert slots.has_room_for(other)
    slots.release(hooks[0])
    assert slots.has_room_for(hooks[4])
    for _ in range(8):
        slots.acquire(Webhook(connector=Connector(), host=f"{_}.example", failures=1))
    assert not slots.has_room_for(Webhook(connector=Connector(), host="b.example", failures=1))
    assert slots.has_room_for(Webhook(connector=Connector(), host="b.example"))
