"""From what happens to the receiver that takes it: order, tries, rights, and receivers that behave badly."""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse

from accounts.audit.record import SYSTEM
from accounts.models import AuditEvent, Notice, User
from accounts.services import notifications
from connectors.models import Webhook, WebhookAttempt, WebhookDelivery
from connectors.permissions import PERMISSIONS, Permission
from connectors.tests.factories import Program, person_of
from connectors.tests.receiver import Receiver
from connectors.tests.webhook_cast import (
    CALLBACK_TOKEN,
    grant_of,
    happen,
    make_webhook,
    states,
    texts,
    time_passes,
    until_next_try,
)
from connectors.webhooks import delivery, management, schedule, signing
from connectors.webhooks.delivery import DeliveryOutcome
from connectors.webhooks.events import WebhookEventType
from connectors.webhooks.schedule import ConcurrencyLimit
from kaizala_console.lib import clock, ids

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
BrowserOf = Callable[..., Client]


# What is sent --------------------------------------------------------------------------------------------------


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


def test_the_old_token_and_the_signature_stand_in_the_headers(
    webhook: Webhook, receiver: Receiver, group_id: UUID
) -> None:
    happen(group_id, "Rain")
    delivery.deliver_due()
    _path, headers, body = receiver.arrived[0]
    assert headers["kz-callback-token"] == CALLBACK_TOKEN
    assert headers["content-type"] == "application/json; charset=utf-8"
    event_id, at = headers["webhook-id"], headers["webhook-timestamp"]
    assert event_id == receiver.bodies()[0]["eventId"]
    assert abs(int(at) - time.time()) < 60
    secret = signing.open_secret(webhook)
    assert secret is not None
    expected = hmac.digest(secret, f"{event_id}.{at}.".encode() + body, "sha256")
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"


def test_a_webhook_without_a_token_sends_no_such_header(webhook: Webhook, receiver: Receiver, group_id: UUID) -> None:
    Webhook.objects.update(sealed_token=None)
    happen(group_id, "Rain")
    delivery.deliver_due()
    assert "kz-callback-token" not in receiver.arrived[0][1]


# Order and tries -----------------------------------------------------------------------------------------------


def test_without_its_encryption_key_a_delivery_waits_as_a_failure_of_the_console(
    webhook: Webhook, receiver: Receiver, group_id: UUID, developer: User, browser_of: BrowserOf, settings: Any
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
    assert "encryption key" in browser_of(developer).get(address).content.decode()
    settings.ENCRYPTION_KEYS = [*settings.ENCRYPTION_KEYS, *keys]
    delivery.deliver_due()
    assert texts(receiver) == ["Rain"]
    _path, headers, _body = receiver.arrived[0]
    assert headers["kz-callback-token"] == CALLBACK_TOKEN
    assert headers["webhook-signature"].startswith("v1,")


def test_a_new_signing_secret_and_token_replace_those_whose_key_is_lost(
    webhook: Webhook, receiver: Receiver, group_id: UUID, developer: User, settings: Any
) -> None:
    settings.ENCRYPTION_KEYS = [b"n" * 32]
    management.rotate_secret(webhook=webhook, by=developer)
    Webhook.objects.update(sealed_token=signing.seal_token(webhook.pk, "a new one"))
    happen(group_id, "Rain")
    delivery.deliver_due()
    _path, headers, _body = receiver.arrived[0]
    assert headers["kz-callback-token"] == "a new one"
    assert len(headers["webhook-signature"].split()) == 1


def test_order_is_kept_and_what_follows_waits_for_what_failed(
    webhook: Webhook, receiver: Receiver, group_id: UUID
) -> None:
    receiver.broken = {"/take"}
    happen(group_id, *"abc")
    delivery.deliver_due()
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
    happen(group_id, "b1", "b2", action_id=ids.new_id())
    delivery.deliver_due()
    assert sorted(texts(receiver)) == ["a1", "b1"]


def test_six_tries_within_two_days_then_inactive_and_the_owner_is_told(
    webhook: Webhook,
    receiver: Receiver,
    group_id: UUID,
    travel: Callable[..., dt.datetime],
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
    notifications.sweep()
    for notice in Notice.objects.filter(template="connectors/webhook_ended"):
        notifications.deliver(notice_id=notice.pk)
    told = [mail for mail in outbox if "webhook" in mail.subject]
    assert [mail.to for mail in told] == [[developer.email]]
    assert "six times in two days" in told[0].body
    assert reverse("connectors:webhook", args=[webhook.connector_id, webhook.pk]) in told[0].body
    assert CALLBACK_TOKEN not in told[0].body
    event = AuditEvent.objects.get(tag="connector:webhook:ended")
    assert event.after["reason"] == "failed"


def test_what_happens_while_it_is_inactive_is_kept(webhook: Webhook, receiver: Receiver, group_id: UUID) -> None:
    Webhook.objects.update(inactive_because="failed", inactive_at=clock.now())
    happen(group_id, "a")
    assert delivery.deliver_due() == 0
    assert states(webhook) == ["held"]


def test_every_try_is_in_the_log(webhook: Webhook, receiver: Receiver, group_id: UUID) -> None:
    receiver.broken = {"/take"}
    happen(group_id, "a")
    delivery.deliver_due()
    receiver.broken = set()
    time_passes()
    delivery.deliver_due()
    found = list(WebhookAttempt.objects.order_by("pk").values_list("status", "problem"))
    assert found == [(500, "status"), (200, "")]
    webhook.refresh_from_db()
    assert (webhook.failures, webhook.delivered_at is not None) == (0, True)


# Rights --------------------------------------------------------------------------------------------------------


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
def test_while_suspended_what_waits_is_put_off_and_what_happens_is_not_told(
    webhook: Webhook, receiver: Receiver, group_id: UUID, who: str
) -> None:
    happen(group_id, "before")
    model = type(getattr(webhook, who))
    model.objects.update(suspended_at=clock.now())
    happen(group_id, "meanwhile")
    delivery.deliver_due()
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
    happen(group_id, "for admins", only_for=frozenset())
    delivery.deliver_due()
    assert texts(receiver) == ["for you", "for admins"]


def test_a_package_is_told_of_in_the_groups_within_reach_alone(
    told_program: Program, receiver: Receiver, group_id: UUID, roles: dict[str, str]
) -> None:
    webhook = make_webhook(
        told_program.grant, receiver.url(), group_id, object_type="ActionPackage", object_id="com.shift"
    )
    elsewhere = ids.new_id()
    roles[str(elsewhere)] = ""
    happen(elsewhere, "theirs", kind=WebhookEventType.ACTION_CREATED, package_id="com.shift")
    happen(group_id, "ours", kind=WebhookEventType.ACTION_CREATED, package_id="com.shift")
    happen(group_id, "another", kind=WebhookEventType.ACTION_CREATED, package_id="com.other")
    delivery.deliver_due()
    assert texts(receiver) == ["ours"]
    webhook.refresh_from_db()
    assert webhook.is_active


# Whose turn ----------------------------------------------------------------------------------------------------


def test_one_turn_runs_at_a_time_in_a_process(webhook: Webhook, receiver: Receiver, group_id: UUID) -> None:
    happen(group_id, "a")
    with delivery._run_lock:
        assert delivery.deliver_due() == 0
    assert delivery.deliver_due() == 1


def test_a_webhook_that_another_worker_is_at_is_left_to_it_whatever_its_events_are_about(
    webhook: Webhook, receiver: Receiver, group_id: UUID
) -> None:
    happen(group_id, "a", action_id=ids.new_id())
    happen(group_id, "b", action_id=ids.new_id())
    taken, _more = schedule.claim_due(ConcurrencyLimit(16))
    assert [one.webhook for one in taken] == [webhook]
    assert schedule.claim_due(ConcurrencyLimit(16)) == ([], False)
    delivery.record([(taken[0], DeliveryOutcome(200, "", 5))])
    webhook.refresh_from_db()
    assert webhook.leased_until is None
    assert len(schedule.claim_due(ConcurrencyLimit(16))[0]) == 1


def test_who_comes_too_late_does_not_take_the_webhook_from_who_is_at_it_now(
    webhook: Webhook, receiver: Receiver, group_id: UUID, travel: Callable[..., dt.datetime]
) -> None:
    travel()
    happen(group_id, "a")
    late, _more = schedule.claim_due(ConcurrencyLimit(16))
    travel(seconds=schedule.lease_duration().total_seconds() + 1)
    now, _more = schedule.claim_due(ConcurrencyLimit(16))
    delivery.record([(late[0], DeliveryOutcome(None, "timeout", 400))])
    webhook.refresh_from_db()
    assert webhook.leased_until == now[0].leased_until


def test_what_was_swept_while_it_was_sent_takes_nothing_else_along(
    webhook: Webhook, told_program: Program, receiver: Receiver, group_id: UUID
) -> None:
    make_webhook(told_program.grant, receiver.url("/other"), group_id)
    happen(group_id, "a")
    taken, _more = schedule.claim_due(ConcurrencyLimit(16))
    assert len(taken) == 2
    taken[0].delivery.attempts.all().delete()
    WebhookDelivery.objects.filter(pk=taken[0].delivery.pk).delete()
    delivery.record([(one, DeliveryOutcome(200, "", 5)) for one in taken])
    assert WebhookDelivery.objects.get().state == "delivered"


def test_what_a_killed_worker_took_is_taken_again_when_its_lease_is_over(
    webhook: Webhook, receiver: Receiver, group_id: UUID, travel: Callable[..., dt.datetime]
) -> None:
    travel()
    happen(group_id, "a", "b")
    taken, _more = schedule.claim_due(ConcurrencyLimit(16))
    assert len(taken) == 1
    assert delivery.deliver_due() == 0
    travel(seconds=schedule.lease_duration().total_seconds() + 1)
    delivery.deliver_due()
    assert texts(receiver) == ["a", "b"]
    assert receiver.bodies()[0]["eventId"] == str(taken[0].delivery.event_id)


def test_a_worker_whose_lease_was_over_does_not_undo_what_another_did(
    webhook: Webhook, receiver: Receiver, group_id: UUID, travel: Callable[..., dt.datetime]
) -> None:
    travel()
    happen(group_id, "a")
    taken, _more = schedule.claim_due(ConcurrencyLimit(16))
    travel(seconds=schedule.lease_duration().total_seconds() + 1)
    delivery.deliver_due()
    delivery.record([(taken[0], DeliveryOutcome(None, "timeout", 400))])
    assert states(webhook) == ["delivered"]


def test_a_webhook_removed_while_it_is_told_is_not_told_more(
    webhook: Webhook, receiver: Receiver, group_id: UUID
) -> None:
    happen(group_id, "a", "b")
    taken, _more = schedule.claim_due(ConcurrencyLimit(16))
    management.remove(webhook, SYSTEM)
    delivery.record([(taken[0], DeliveryOutcome(500, "status", 5))])
    delivery.deliver_due()
    assert receiver.arrived == []
    assert states(webhook) == ["dropped", "dropped"]
    webhook.refresh_from_db()
    assert webhook.sealed_token is None
