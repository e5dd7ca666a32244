"""Writing down what is to be told: in the transaction of the act, and cheap when nobody listens."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.core.cache import cache
from django.db import transaction
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from connectors import hooks
from connectors.models import Grant, Webhook, WebhookDelivery, WebhookEvent
from connectors.tests.factories import Program
from connectors.tests.webhook_cast import happen, make_webhook, states
from connectors.webhooks import authorization, publish
from connectors.webhooks.events import Event, WebhookEventType
from kaizala_console.lib import clock, ids

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


def message(group_id: UUID) -> Event:
    return Event(type=WebhookEventType.TEXT_MESSAGE_CREATED, group_id=group_id, data={"text": "Rain"})


def test_one_event_for_several_webhooks_is_one_row_with_one_id(
    webhook: Webhook, told_program: Program, group_id: UUID
) -> None:
    make_webhook(told_program.grant, "https://hooks.example/", group_id)
    happen(group_id, "Rain")
    assert (WebhookEvent.objects.count(), WebhookDelivery.objects.count()) == (1, 2)


def test_what_is_rolled_back_was_never_told(webhook: Webhook, group_id: UUID) -> None:
    with transaction.atomic():
        happen(group_id, "Rain")
        assert WebhookEvent.objects.exists()
        transaction.set_rollback(True)
    assert not WebhookEvent.objects.exists()


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


def test_an_action_reaches_those_who_watch_it_its_package_or_its_group(
    webhook: Webhook, told_program: Program, group_id: UUID
) -> None:
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


def test_who_watches_a_package_by_its_name_is_told_of_all_its_versions(
    webhook: Webhook, told_program: Program, group_id: UUID
) -> None:
    """The real server sent objectId com.shift for a card of com.shift.2 (ADR 0061)."""
    named = [
        make_webhook(told_program.grant, "https://hooks.example/", group_id, object_type="ActionPackage", object_id=key)
        for key in ("com.shift", "com.shift.2", "com.shift.3", "com")
    ]
    happen(group_id, "done", kind=WebhookEventType.ACTION_RESPONSE, package_id="com.shift.2")
    assert publish.list_interested(ids.new_id(), WebhookEventType.ACTION_RESPONSE, package_id="com.shift.2")
    assert [len(states(each)) for each in named] == [1, 1, 0, 0]


@pytest.mark.parametrize("because", Webhook.InactiveReason.values)
def test_an_inactive_webhook_keeps_what_happens_when_it_can_be_woken_to_it(
    webhook: Webhook, group_id: UUID, because: str
) -> None:
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


def test_where_nobody_listens_a_thousand_events_cost_one_query(
    webhook: Webhook, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
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


def test_reach_is_asked_once_for_each_grant_and_group(
    webhook: Webhook, roles: dict[str, str], group_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def access(_grant: Grant, key: str, *_bot: object) -> hooks.TokenAccess:
        asked.append(key)
        return hooks.TokenAccess("Admin", frozenset())

    monkeypatch.setattr(hooks, "token_access", access)
    reach = authorization.GrantReach()
    for _ in range(3):
        assert reach.may_have(webhook, group_id, None)
    assert asked == [str(group_id)]
