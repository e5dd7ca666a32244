"""From what happens to the receiver that takes it: order, tries, rights, and receivers that behave badly."""

from __future__ import annotations

import datetime as dt
import socket
import time
from collections.abc import Callable
from uuid import UUID

import pytest
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.audit.record import SYSTEM
from accounts.models import AuditEvent, Notice, User
from accounts.services import notifications
from connectors.models import Connector, Webhook, WebhookAttempt, WebhookDelivery
from connectors.permissions import PERMISSIONS, Permission
from connectors.tests.factories import Program, person_of
from connectors.tests.receiver import Receiver
from connectors.tests.webhook_cast import (
    CALLBACK_TOKEN,
    grant_of,
    happen,
    make_webhook,
    states,
    tell,
    texts,
    time_passes,
    until_next_try,
)
from connectors.webhooks import delivery, management, schedule, signing
from connectors.webhooks.delivery import DeliveryOutcome
from connectors.webhooks.events import WebhookEventType
from connectors.webhooks.schedule import ClaimedDelivery, ConcurrencyLimit
from kaizala_console.lib import clock, ids

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
Travel = Callable[..., dt.datetime]
# For a receiver that hangs: half of what a turn may take here, so that neither it nor the others mind a pause.
PATIENCE = 1.5


def claimed() -> list[ClaimedDelivery]:
    """What another worker has taken."""
    taken, _more = schedule.claim_due(ConcurrencyLimit(16))
    return taken


# What is sent --------------------------------------------------------------------------------------------------------


def test_the_body_has_the_protocols_fields_and_what_the_real_server_sent_besides(
    webhook: Webhook, receiver: Receiver, group_id: UUID, member: User
) -> None:
    person = person_of(member)
    happen(group_id, "Rain tomorrow ☔", person=person)
    assert delivery.deliver_due() == 1
    event = WebhookDelivery.objects.get().event
    assert receiver.bodies() == [
        {
            "objectId": str(group_id),
            "objectType": "Group",
            "eventType": "TextMessageCreated",
            "eventId": str(event.pk),
            "data": {"text": "Rain tomorrow ☔"},
            "context": "shift 7",
            "fromUser": person.number,
            "fromUserId": str(person.pk),
            "fromUserName": person.name,
            "fromUserProfilePic": person.picture_url,
            # What the real server sent besides (ADR 0061)
            "subscriptionId": str(webhook.pk),
            "groupId": str(group_id),
            "sourceGroupId": str(group_id),
            "isBotfromUser": False,
        }
    ]
    headers = receiver.arrived[0][1]
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["webhook-id"] == str(event.pk)


def test_the_documented_check_takes_a_delivery_and_refuses_a_forged_one(
    webhook: Webhook, receiver: Receiver, group_id: UUID, developer: User, is_genuine: Callable[..., bool]
) -> None:
    secret = management.show_secret(webhook=webhook, by=developer)
    tell(group_id, "Rain ☔")
    _path, headers, body = receiver.arrived[0]
    assert is_genuine(headers, body, secret, CALLBACK_TOKEN)
    assert not is_genuine(headers, body + b" ", secret, CALLBACK_TOKEN)
    assert not is_genuine(headers, body, secret, "another")
    assert not is_genuine({**headers, "webhook-timestamp": "1764000000"}, body, secret, CALLBACK_TOKEN)
    assert not is_genuine({**headers, "webhook-id": "another"}, body, secret, CALLBACK_TOKEN)


def test_a_webhook_without_a_token_sends_no_such_header(webhook: Webhook, receiver: Receiver, group_id: UUID) -> None:
    Webhook.objects.update(sealed_token=None)
    tell(group_id, "Rain")
    assert "kz-callback-token" not in receiver.arrived[0][1]


def test_without_its_encryption_key_a_delivery_waits_as_a_failure_of_the_console(
    webhook: Webhook, receiver: Receiver, group_id: UUID, owner: Client, settings: Settings
) -> None:
    happen(group_id, "Rain")
    keys, settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS, [b"n" * 32]
    for _look in range(2):
        delivery.deliver_due()
        time_passes()
    waiting = WebhookDelivery.objects.get()
    assert (waiting.state, waiting.tries, receiver.arrived) == ("waiting", 0, [])
    assert [attempt.problem for attempt in waiting.attempts.all()] == ["key"]
    address = reverse("connectors:webhook_delivery", args=[webhook.connector_id, webhook.pk, waiting.pk])
    assert "encryption key" in owner.get(address).content.decode()
    settings.ENCRYPTION_KEYS = [*settings.ENCRYPTION_KEYS, *keys]
    delivery.deliver_due()
    assert texts(receiver) == ["Rain"]
    _path, headers, _body = receiver.arrived[0]
    assert headers["kz-callback-token"] == CALLBACK_TOKEN
    assert headers["webhook-signature"].startswith("v1,")


def test_a_new_signing_secret_and_token_replace_those_whose_key_is_lost(
    webhook: Webhook, receiver: Receiver, group_id: UUID, developer: User, settings: Settings
) -> None:
    settings.ENCRYPTION_KEYS = [b"n" * 32]
    management.rotate_secret(webhook=webhook, by=developer)
    Webhook.objects.update(sealed_token=signing.seal_token(webhook.pk, "a new one"))
    tell(group_id, "Rain")
    _path, headers, _body = receiver.arrived[0]
    assert headers["kz-callback-token"] == "a new one"
    assert len(headers["webhook-signature"].split()) == 1


# Order and tries -----------------------------------------------------------------------------------------------------


def test_order_is_kept_and_waits_for_what_failed(webhook: Webhook, receiver: Receiver, group_id: UUID) -> None:
    receiver.broken = {"/take"}
    tell(group_id, *"abc")
    delivery.deliver_due()
    assert texts(receiver) == ["a"]
    receiver.broken = set()
    time_passes()
    delivery.deliver_due()
    assert texts(receiver) == ["a", "a", "b", "c"]
    assert states(webhook) == ["delivered"] * 3
    assert len({body["eventId"] for body in receiver.bodies()}) == 3


def test_one_action_does_not_wait_for_another(webhook: Webhook, receiver: Receiver, group_id: UUID) -> None:
    receiver.broken = {"/take"}
    happen(group_id, "a1", "a2", action_id=ids.new_id())
    tell(group_id, "b1", "b2", action_id=ids.new_id())
    assert sorted(texts(receiver)) == ["a1", "b1"]


def test_events_come_one_after_the_other(webhook: Webhook, receiver: Receiver, group_id: UUID) -> None:
    wanted = [f"event {number}" for number in range(12)]
    for text in wanted:
        happen(group_id, text, action_id=ids.new_id())
    delivery.deliver_due()
    assert texts(receiver) == wanted
    assert receiver.most_under_way == 1


def test_six_tries_within_two_days_then_inactive_and_the_owner_is_told(
    webhook: Webhook,
    receiver: Receiver,
    group_id: UUID,
    travel: Travel,
    outbox: list[EmailMessage],
    developer: User,
) -> None:
    receiver.broken = {"/take"}
    began = travel()
    happen(group_id, "a", "b")
    for _try in range(schedule.TRIES):  # at the moment of each: rounded up, unlucky pauses would be over two days
        travel(seconds=until_next_try(webhook))
        delivery.deliver_due()
    travel(hours=1)
    delivery.deliver_due()
    assert texts(receiver) == ["a"] * 6
    assert len({headers["webhook-id"] for _path, headers, _body in receiver.arrived}) == 1
    last = WebhookAttempt.objects.order_by("-pk")[0]
    assert last.began_at - began < dt.timedelta(days=2)
    webhook.refresh_from_db()
    assert webhook.inactive_because == Webhook.InactiveReason.FAILED
    assert states(webhook) == ["failed", "held"]
    assert AuditEvent.objects.get(tag="connector:webhook:ended").after["reason"] == "failed"
    notifications.sweep()
    for notice in Notice.objects.filter(template="connectors/webhook_ended"):
        notifications.deliver(notice_id=notice.pk)
    (told,) = [mail for mail in outbox if "webhook" in mail.subject]
    assert told.to == [developer.email]
    assert reverse("connectors:webhook", args=[webhook.connector_id, webhook.pk]) in told.body
    assert CALLBACK_TOKEN not in told.body


# Rights --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before it is written down", "before it is sent"])
@pytest.mark.parametrize("what", ["revoked", "ended", "deleted", "expired", "permission", "reach"])
def test_what_lost_its_right_gets_nothing_from_that_moment_on(
    webhook: Webhook, receiver: Receiver, group_id: UUID, roles: dict[str, str], what: str, when: str
) -> None:
    if when == "before it is sent":
        happen(group_id, "secret")
    now = clock.now()
    grant, connector = grant_of(webhook), webhook.connector
    match what:
        case "revoked":
            type(grant).objects.update(revoked_at=now)
        case "ended":
            type(grant).objects.update(granted_at=now - dt.timedelta(days=2), ends_at=now - dt.timedelta(seconds=1))
        case "deleted":
            type(connector).objects.update(deleted_at=now)
        case "expired":
            Webhook.objects.update(expires_at=now - dt.timedelta(seconds=1))
        case "permission":
            type(grant).objects.update(permissions=frozenset(PERMISSIONS) - {Permission.OUTGOING_WEBHOOKS})
        case "reach":
            roles[str(group_id)] = ""
    if when == "before it is written down":
        happen(group_id, "secret")
        assert not WebhookDelivery.objects.exists()
    assert delivery.deliver_due() == 0
    assert receiver.arrived == []
    assert set(states(webhook)) <= {"dropped"}


@pytest.mark.parametrize("who", ["grant", "connector"])
def test_while_suspended_nothing_is_told(webhook: Webhook, receiver: Receiver, group_id: UUID, who: str) -> None:
    happen(group_id, "before")
    model = type(getattr(webhook, who))
    model.objects.update(suspended_at=clock.now())
    tell(group_id, "meanwhile")
    assert receiver.arrived == []
    model.objects.update(suspended_at=None)
    time_passes()
    delivery.deliver_due()
    assert texts(receiver) == ["before"]
    assert WebhookDelivery.objects.get().tries == 1


def test_what_is_for_some_people_is_told_to_admins_and_to_these_alone(
    webhook: Webhook, receiver: Receiver, group_id: UUID, roles: dict[str, str]
) -> None:
    roles[str(group_id)] = "Member"
    happen(group_id, "not for you", only_for=frozenset({ids.new_id()}))
    happen(group_id, "for you", only_for=frozenset({grant_of(webhook).person_id}))
    roles[str(group_id)] = "Admin"
    tell(group_id, "for admins", only_for=frozenset())
    assert texts(receiver) == ["for you", "for admins"]


def test_a_package_is_told_of_in_the_groups_within_reach_alone(
    told_program: Program, receiver: Receiver, group_id: UUID, roles: dict[str, str]
) -> None:
    grant, elsewhere = told_program.grant, ids.new_id()
    webhook = make_webhook(grant, receiver.url(), group_id, object_type="ActionPackage", object_id="com.shift")
    roles[str(elsewhere)] = ""
    happen(elsewhere, "theirs", kind=WebhookEventType.ACTION_CREATED, package_id="com.shift")
    happen(group_id, "ours", kind=WebhookEventType.ACTION_CREATED, package_id="com.shift")
    tell(group_id, "another", kind=WebhookEventType.ACTION_CREATED, package_id="com.other")
    assert texts(receiver) == ["ours"]
    webhook.refresh_from_db()
    assert webhook.is_active


# Workers beside each other -------------------------------------------------------------------------------------------


def test_one_turn_runs_at_a_time_in_a_process(webhook: Webhook, group_id: UUID) -> None:
    happen(group_id, "a")
    with delivery._run_lock:
        assert delivery.deliver_due() == 0
    assert delivery.deliver_due() == 1


def test_a_webhook_is_left_to_the_worker_that_has_it(webhook: Webhook, group_id: UUID) -> None:
    happen(group_id, "a", action_id=ids.new_id())
    happen(group_id, "b", action_id=ids.new_id())
    (taken,) = claimed()
    assert schedule.claim_due(ConcurrencyLimit(16)) == ([], False)
    delivery.record([(taken, DeliveryOutcome(200, "", 5))])
    webhook.refresh_from_db()
    assert webhook.leased_until is None
    assert len(claimed()) == 1


def test_what_was_swept_takes_nothing_else_along(
    webhook: Webhook, told_program: Program, receiver: Receiver, group_id: UUID
) -> None:
    make_webhook(told_program.grant, receiver.url("/other"), group_id)
    happen(group_id, "a")
    swept, other = claimed()
    WebhookDelivery.objects.filter(pk=swept.delivery.pk).delete()
    delivery.record([(one, DeliveryOutcome(200, "", 5)) for one in (swept, other)])
    assert WebhookDelivery.objects.get().state == "delivered"


def test_what_a_killed_worker_had_is_taken_again(
    webhook: Webhook, receiver: Receiver, group_id: UUID, travel: Travel
) -> None:
    travel()
    happen(group_id, "a", "b")
    (taken,) = claimed()
    assert delivery.deliver_due() == 0
    travel(seconds=schedule.lease_duration().total_seconds() + 1)
    delivery.deliver_due()
    assert texts(receiver) == ["a", "b"]
    assert receiver.bodies()[0]["eventId"] == str(taken.delivery.event_id)


def test_a_late_worker_undoes_nothing(webhook: Webhook, group_id: UUID, travel: Travel) -> None:
    travel()
    happen(group_id, "a")
    (late,) = claimed()
    travel(seconds=schedule.lease_duration().total_seconds() + 1)
    (now,) = claimed()
    delivery.record([(late, DeliveryOutcome(None, "timeout", 400))])
    webhook.refresh_from_db()
    assert webhook.leased_until == now.leased_until
    delivery.record([(now, DeliveryOutcome(200, "", 5))])
    delivery.record([(late, DeliveryOutcome(None, "timeout", 400))])
    assert states(webhook) == ["delivered"]


def test_a_removed_webhook_is_told_no_more(webhook: Webhook, receiver: Receiver, group_id: UUID) -> None:
    happen(group_id, "a", "b")
    (taken,) = claimed()
    management.remove(webhook, SYSTEM)
    delivery.record([(taken, DeliveryOutcome(500, "status", 5))])
    delivery.deliver_due()
    assert receiver.arrived == []
    assert states(webhook) == ["dropped", "dropped"]
    webhook.refresh_from_db()
    assert webhook.sealed_token is None


# Receivers that behave badly -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "problems"),
    [
        ("hang", {"timeout"}),
        ("reset", {"unreachable", "protocol"}),
        ("500", {"status"}),
        ("moved", {"redirect"}),
        ("headers", {"unreachable", "protocol"}),
        ("drip", {"timeout"}),
        ("nonsense", {"unreachable", "protocol"}),
    ],
)
def test_no_receiver_harms_the_deliveries_of_others(
    told_program: Program,
    webhook: Webhook,
    receiver: Receiver,
    group_id: UUID,
    path: str,
    problems: set[str],
    settings: Settings,
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
    assert WebhookAttempt.objects.get(delivery__webhook=bad).problem in problems
    assert receiver.bodies("/elsewhere") == []


@pytest.mark.parametrize(
    "url",
    ["https://10.0.0.7/hook", "https://169.254.169.254/", "https://[::ffff:10.0.0.1]/", "https://hooks.example/hook"],
)
def test_an_address_that_leads_inside_by_now_is_not_called(
    told_program: Program, group_id: UUID, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    answers = lambda host, *rest, **more: real("10.0.0.9" if host == "hooks.example" else host, *rest, **more)  # noqa: E731
    monkeypatch.setattr(socket, "getaddrinfo", answers)
    webhook = make_webhook(told_program.grant, url, group_id)
    tell(group_id, "a")
    assert WebhookAttempt.objects.get().problem == "refused"
    assert states(webhook) == ["waiting"]


def test_silent_hosts_are_left_alone(
    told_program: Program, receiver: Receiver, group_id: UUID, settings: Settings
) -> None:
    settings.WEBHOOK_SECONDS = PATIENCE
    for _ in range(12):
        make_webhook(told_program.grant, receiver.url("/hang"), group_id)
    tell(group_id, "a")
    # Four at once: the fifth failure is among the second four.
    assert len(receiver.arrived) == 8
    for row in WebhookDelivery.objects.filter(tries=0):
        assert row.next_attempt_at is not None
        assert row.next_attempt_at > clock.now() + dt.timedelta(seconds=30)


def test_a_connector_has_a_quarter(
    told_program: Program, receiver: Receiver, group_id: UUID, settings: Settings
) -> None:
    settings.WEBHOOK_SECONDS = 5
    receiver.slow_seconds = 0.4  # all four are there at the same time on a busy machine, too
    for _ in range(8):
        make_webhook(told_program.grant, receiver.url("/slow"), group_id)
    tell(group_id, "a")
    assert (len(receiver.arrived), receiver.most_under_way) == (8, 4)


def test_failing_webhooks_leave_half_of_the_places_to_the_others() -> None:
    limit = ConcurrencyLimit(16)
    for number in range(8):
        limit.acquire(Webhook(connector=Connector(), host=f"{number}.example", failures=1))
    assert not limit.has_room_for(Webhook(connector=Connector(), host="b.example", failures=1))
    assert limit.has_room_for(Webhook(connector=Connector(), host="b.example"))
