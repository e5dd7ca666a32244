"""Workers and owners against each other, on PostgreSQL with threads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from pytest_django import Settings

from accounts.audit.record import SYSTEM
from accounts.models import AuditEvent, User
from connectors.models import OneTimeSecret, Webhook, WebhookAttempt, WebhookDelivery
from connectors.services.one_time_secrets import new_form_key
from connectors.tests.factories import Program
from connectors.tests.receiver import Receiver
from connectors.tests.test_races import at_once, refusals, wins
from connectors.tests.webhook_cast import happen, make_webhook, states, texts
from connectors.tests.webhook_history import quiet
from connectors.webhooks import delivery, management, schedule, subscriptions
from connectors.webhooks.schedule import ConcurrencyLimit
from kaizala_console.lib import ids

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the workers of the test deliver, not the one that a commit wakes."""
    monkeypatch.setattr("connectors.webhooks.publish._notify", lambda: None)
    monkeypatch.setattr("connectors.webhooks.publish.notify_another_worker", lambda: None)


def test_one_worker_has_the_webhook(webhook: Webhook, group_id: UUID, together: Callable[..., list[Any]]) -> None:
    for _ in range(5):
        for _lane in range(6):
            happen(group_id, "a", "b", action_id=ids.new_id())
        results = together(4, lambda: schedule.claim_due(ConcurrencyLimit(16)))
        assert not refusals(results)
        taken = [one.delivery.pk for found, _more in results for one in found]
        assert len(taken) == 1
        assert WebhookDelivery.objects.get(pk=taken[0]).tries == 1
        WebhookDelivery.objects.all().delete()
        Webhook.objects.update(leased_until=None)


def test_workers_at_once_share_what_is_due_and_nobody_goes_away_empty(
    told_program: Program, group_id: UUID, together: Callable[..., list[Any]]
) -> None:
    for number in range(8):
        make_webhook(told_program.grant, f"https://{number}.example/", group_id)
    happen(group_id, "a")
    results = together(4, lambda: schedule.claim_due(ConcurrencyLimit(8)))  # of which a connector has two
    assert not refusals(results)
    taken = Counter(one.delivery.pk for found, _more in results for one in found)
    assert set(taken.values()) == {1}
    assert all(found for found, _more in results)


def test_two_turns_at_once_deliver_each_event_once_and_in_order(
    webhook: Webhook, receiver: Receiver, group_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_run_lock", _Everybodys())
    happen(group_id, *map(str, range(20)))
    results = at_once(partial(delivery.deliver_due, seconds=5), partial(delivery.deliver_due, seconds=5))
    assert not refusals(results)
    delivery.deliver_due()
    assert texts(receiver) == [str(number) for number in range(20)]
    assert WebhookAttempt.objects.count() == 20


def test_turns_at_once_share_the_work_and_never_send_a_webhooks_events_side_by_side(
    webhook: Webhook,
    told_program: Program,
    receiver: Receiver,
    group_id: UUID,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> None:
    monkeypatch.setattr(delivery, "_run_lock", _Everybodys())
    settings.WEBHOOK_THREADS = 4  # of which a connector has one: so many turns send so many at once
    receiver.slow_seconds = 0.02
    for number in range(3):
        make_webhook(told_program.grant, receiver.url(f"/slow/{number}"), group_id)
    for number in range(8):
        happen(group_id, str(number), action_id=ids.new_id())
    results = at_once(*[partial(delivery.deliver_due, seconds=20)] * 3)
    assert not refusals(results)
    for path in ("/take", "/slow/0", "/slow/1", "/slow/2"):
        assert texts(receiver, path) == [str(number) for number in range(8)]
    assert 2 <= receiver.most_under_way <= 3
    assert sum(map(int, results)) == WebhookAttempt.objects.count() == 32


def test_nothing_goes_out_after_the_removal(webhook: Webhook, receiver: Receiver, group_id: UUID) -> None:
    happen(group_id, *map(str, range(10)))
    removed: list[int] = []

    def remove() -> None:
        management.remove(webhook, SYSTEM)
        removed.append(len(receiver.arrived))

    assert not refusals(at_once(delivery.deliver_due, remove))
    # What had been taken before the commit may still arrive: one of its lane.
    assert len(receiver.arrived) - removed[0] <= 1
    delivery.deliver_due()
    assert "waiting" not in states(webhook)
    assert len(receiver.arrived) - removed[0] <= 1


def test_paused_and_woken_it_loses_none(webhook: Webhook, receiver: Receiver, group_id: UUID, developer: User) -> None:
    happen(group_id, *map(str, range(10)))
    results = at_once(
        delivery.deliver_due,
        partial(management.pause, webhook=webhook, by=developer),
        partial(happen, group_id, "10"),
        partial(management.resume, webhook=webhook, by=developer),
    )
    assert not refusals(results)
    management.resume(webhook=webhook, by=developer)
    management.expire_due()
    WebhookDelivery.objects.waiting().update(next_attempt_at=webhook.created_at)
    delivery.deliver_due()
    assert set(texts(receiver)) == {str(number) for number in range(11)}
    assert set(states(webhook)) == {"delivered"}


class _Everybodys:
    """Stands where the lock of a process stands: as if each thread were a process."""

    def acquire(self, *, blocking: bool) -> bool:
        return True

    def release(self) -> None:
        """Nothing is held."""


def test_of_owners_who_register_an_address_at_once_one_wins(told_program: Program, developer: User) -> None:
    """After the handshake, which takes one of them at a time but holds nothing until it is kept."""
    connector = told_program.connector
    results = at_once(
        *(
            partial(subscriptions._create_handoff_webhook, connector, f"https://{number}.example/", developer)
            for number in range(4)
        )
    )
    assert len(refusals(results)) == 3
    assert Webhook.objects.get().object_type == "Connector"


@pytest.mark.parametrize("service", [management.show_secret, management.rotate_secret])
def test_one_form_shows_one_secret(told_program: Program, developer: User, service: Callable[..., str]) -> None:
    webhook, idempotency_key = quiet(told_program.grant), new_form_key()
    act = partial(management.act_once, service, webhook=webhook, by=developer, idempotency_key=idempotency_key)
    results = at_once(*[act] * 4)
    assert len(set(wins(results))) == 1
    assert refusals(results) == []
    assert AuditEvent.objects.filter(tag__startswith="connector:webhook:").count() == 1
    assert OneTimeSecret.objects.count() == 1


def test_two_forms_at_once_show_it_to_one(told_program: Program, developer: User) -> None:
    webhook = quiet(told_program.grant)
    acts = [
        partial(
            management.act_once, management.show_secret, webhook=webhook, by=developer, idempotency_key=new_form_key()
        )
        for _ in range(4)
    ]
    results = at_once(*acts)
    assert len(wins(results)) == 1
    assert {refusal.code for refusal in refusals(results)} == {"secret_shown"}
