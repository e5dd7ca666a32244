"""What owners do with webhooks, what is written down to be told, and what is over."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from uuid import UUID

import pytest
from django.core.cache import cache
from django.db import transaction
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from accounts.models import AuditEvent, User
from connectors.models import Grant, Webhook, WebhookAttempt, WebhookDelivery, WebhookEvent
from connectors.tests.factories import Program
from connectors.tests.receiver import Receiver
from connectors.tests.webhook_cast import CALLBACK_TOKEN, happen, make_webhook, states, tell, texts
from connectors.webhooks import delivery, management, publish
from connectors.webhooks.events import Event, WebhookEventType
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import Conflict, RuleBroken

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
Travel = Callable[..., dt.datetime]


def failed(webhook: Webhook, group_id: UUID, *said: str) -> None:
    """These were given up, and the webhook stopped."""
    happen(group_id, *said)
    webhook.deliveries.update(state="failed", next_attempt_at=None, tries=6)
    Webhook.objects.filter(pk=webhook.pk).update(inactive_because="failed", inactive_at=clock.now(), failures=6)


def test_woken_it_is_told_what_was_kept(webhook: Webhook, receiver: Receiver, group_id: UUID, developer: User) -> None:
    failed(webhook, group_id, "given up")
    happen(group_id, "kept 1", "kept 2")
    management.resume(webhook=webhook, by=developer)
    delivery.deliver_due()
    assert texts(receiver) == ["kept 1", "kept 2"]
    assert management.redeliver_failed(webhook=webhook, by=developer) == 1
    delivery.deliver_due()
    assert texts(receiver) == ["kept 1", "kept 2", "given up"]
    assert {event.tag for event in AuditEvent.objects.filter(actor_id=str(developer.pk))} >= {
        "connector:webhook:woken",
        "connector:webhook:redelivered",
    }


def test_one_is_sent_again_as_it_was(webhook: Webhook, receiver: Receiver, group_id: UUID, developer: User) -> None:
    tell(group_id, "a", "b")
    first = webhook.deliveries.order_by("pk")[0]
    assert management.redeliver(delivery=first, by=developer)
    assert not management.redeliver(delivery=first, by=developer)
    delivery.deliver_due()
    assert texts(receiver) == ["a", "b", "a"]
    assert receiver.bodies()[2] == receiver.bodies()[0]
    assert first.attempts.count() == 2


def test_a_replay_sends_all_from_a_moment_on_in_order(
    webhook: Webhook, receiver: Receiver, group_id: UUID, developer: User, travel: Travel
) -> None:
    travel()
    happen(group_id, "early")
    since = travel(hours=1)
    tell(group_id, "late 1", "late 2")
    assert management.replay(webhook=webhook, since=since, by=developer) == 2
    delivery.deliver_due()
    assert texts(receiver) == ["early", "late 1", "late 2", "late 1", "late 2"]
    assert AuditEvent.objects.get(tag="connector:webhook:replayed").after["count"] == 2


def test_what_is_over_is_not_woken(webhook: Webhook, developer: User) -> None:
    Webhook.objects.update(inactive_because="reach", inactive_at=clock.now())
    Grant.objects.update(revoked_at=clock.now())
    with pytest.raises(RuleBroken, match="has ended"):
        management.resume(webhook=webhook, by=developer)


def test_the_secret_is_shown_once_and_a_new_one_signs_beside_the_old_for_a_day(
    webhook: Webhook,
    receiver: Receiver,
    group_id: UUID,
    developer: User,
    travel: Travel,
    is_genuine: Callable[..., bool],
) -> None:
    def is_signed_by(*secrets: str) -> list[bool]:
        tell(group_id, "Rain")
        _path, headers, body = receiver.arrived[-1]
        return [is_genuine(headers, body, secret, CALLBACK_TOKEN) for secret in secrets]

    travel()
    old = management.show_secret(webhook=webhook, by=developer)
    assert old.startswith("whsec_")
    with pytest.raises(Conflict):
        management.show_secret(webhook=webhook, by=developer)
    new = management.rotate_secret(webhook=webhook, by=developer)
    assert is_signed_by(new, old) == [True, True]
    travel(hours=25)
    assert is_signed_by(new, old) == [True, False]
    audit = json.dumps(list(AuditEvent.objects.values_list("before", "after")))
    assert old.removeprefix("whsec_") not in audit
    assert new.removeprefix("whsec_") not in audit


# Tending -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["expired", "revoked", "deleted"])
def test_what_is_over_ends_by_itself(webhook: Webhook, group_id: UUID, what: str) -> None:
    happen(group_id, "a")
    now = clock.now()
    match what:
        case "expired":
            Webhook.objects.update(expires_at=now)
        case "revoked":
            Grant.objects.update(revoked_at=now)
        case "deleted":
            type(webhook.connector).objects.update(deleted_at=now)
    management.expire_due()
    webhook.refresh_from_db()
    assert states(webhook) == ["dropped"]
    if what == "deleted":
        assert (webhook.deleted_at is not None, webhook.sealed_token) == (True, None)
    else:
        assert webhook.inactive_because == {"expired": "expired", "revoked": "grant"}[what]


def test_what_was_kept_for_one_that_woke_is_queued(webhook: Webhook, receiver: Receiver, group_id: UUID) -> None:
    happen(group_id, "a")
    webhook.deliveries.update(state="held", next_attempt_at=None)
    management.expire_due()
    delivery.deliver_due()
    assert texts(receiver) == ["a"]


def test_what_is_older_than_it_is_kept_is_deleted(webhook: Webhook, group_id: UUID, settings: Settings) -> None:
    tell(group_id, "old")
    assert WebhookAttempt.objects.exists()
    happen(group_id, "new")
    long_ago = clock.now() - dt.timedelta(days=settings.WEBHOOK_DAYS, seconds=1)
    WebhookEvent.objects.filter(data__text="old").update(created_at=long_ago)
    assert management.sweep() == 1
    assert not WebhookAttempt.objects.exists()
    assert [row.event.data["text"] for row in WebhookDelivery.objects.all()] == ["new"]
    management.delete(webhook=webhook, by=webhook.connector.owner)
    Webhook.objects.update(deleted_at=long_ago)
    management.sweep()
    assert not Webhook.objects.exists()


# Reading -------------------------------------------------------------------------------------------------------


def message(group_id: UUID) -> Event:
    return Event(type=WebhookEventType.TEXT_MESSAGE_CREATED, group_id=group_id, data={"text": "Rain"})


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_published(group_id: UUID) -> None:
    with pytest.raises(RuntimeError):
        publish.publish(message(group_id))


def test_only_the_events_that_it_asked_for_are_queued(webhook: Webhook, group_id: UUID) -> None:
    Webhook.objects.update(event_types=["MemberAdded"])
    happen(group_id, "Rain")
    happen(group_id, "Meera", kind=WebhookEventType.MEMBER_ADDED)
    assert [row.event.event_type for row in webhook.deliveries.all()] == ["MemberAdded"]
    assert publish.list_interested(group_id, WebhookEventType.MEMBER_ADDED)
    assert not publish.list_interested(group_id, WebhookEventType.ANNOUNCEMENT)


def test_an_action_reaches_all_who_watch_it(webhook: Webhook, told_program: Program, group_id: UUID) -> None:
    action = ids.new_id()
    others = [
        make_webhook(told_program.grant, "https://hooks.example/", group_id, object_type=kind, object_id=key)
        for kind, key in (
            ("Action", str(action)),
            ("ActionPackage", "com.shift"),
            ("Action", str(ids.new_id())),
            ("ActionPackage", "com.other"),
            ("ActionPackage", str(group_id)),
        )
    ]
    happen(group_id, "done", kind=WebhookEventType.ACTION_RESPONSE, action_id=action, package_id="com.shift")
    assert [len(states(each)) for each in (webhook, *others)] == [1, 1, 1, 0, 0, 0]


def test_a_package_is_watched_in_all_its_versions(webhook: Webhook, told_program: Program, group_id: UUID) -> None:
    """The real server sent objectId com.shift for a card of com.shift.2 (ADR 0061)."""
    named = [
        make_webhook(told_program.grant, "https://hooks.example/", group_id, object_type="ActionPackage", object_id=key)
        for key in ("com.shift", "com.shift.2", "com.shift.3", "com")
    ]
    happen(group_id, "done", kind=WebhookEventType.ACTION_RESPONSE, package_id="com.shift.2")
    assert publish.list_interested(ids.new_id(), WebhookEventType.ACTION_RESPONSE, package_id="com.shift.2")
    assert [len(states(each)) for each in named] == [1, 1, 0, 0]


@pytest.mark.parametrize("because", Webhook.InactiveReason.values)
def test_what_can_be_woken_keeps_what_happens(webhook: Webhook, group_id: UUID, because: str) -> None:
    Webhook.objects.update(inactive_because=because, inactive_at=clock.now())
    happen(group_id, "Rain")
    assert states(webhook) == (["held"] if because in ("paused", "failed") else [])


def test_many_wakes_before_anybody_looks_are_one_message(
    webhook: Webhook,
    group_id: UUID,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(publish, "after_commit", lambda task, **_kwargs: sent.append(task.task))
    for _ in range(5):
        with django_capture_on_commit_callbacks(execute=True):
            happen(group_id, "Rain")
    assert sent == [publish.DELIVER]
    cache.delete(publish.NOTIFIED_KEY)
    with django_capture_on_commit_callbacks(execute=True):
        happen(group_id, "Rain")
    assert len(sent) == 2


def test_a_thousand_unheard_are_one_query(webhook: Webhook, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    elsewhere = ids.new_id()
    with transaction.atomic(), django_assert_num_queries(1):
        publish.publish(*[message(elsewhere)] * 1000)
    with django_assert_num_queries(1):
        assert not publish.list_interested(elsewhere, *WebhookEventType)
    assert not WebhookEvent.objects.exists()


def test_where_somebody_listens_ninety_events_cost_no_more_than_one(
    webhook: Webhook, group_id: UUID, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with transaction.atomic(), django_assert_num_queries(3):
        publish.publish(*[message(group_id)] * 90)  # SQLite takes 999 values in one statement
    assert WebhookDelivery.objects.count() == 90
