"""What owners do with webhooks: pause, wake, remove, send again, replay, and the signing secret."""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import AuditEvent, User
from connectors.models import Grant, Webhook, WebhookDelivery, WebhookEvent
from connectors.queries import webhooks
from connectors.tests.factories import Program
from connectors.tests.receiver import Receiver
from connectors.tests.webhook_cast import grant_of, happen, make_webhook, states, texts, time_passes
from connectors.webhooks import authorization, delivery, management, signing
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

pytestmark = pytest.mark.django_db

ACTS: dict[str, Callable[[Webhook, User], Any]] = {
    "pause": lambda webhook, by: management.pause(webhook=webhook, by=by),
    "wake": lambda webhook, by: management.resume(webhook=webhook, by=by),
    "delete": lambda webhook, by: management.delete(webhook=webhook, by=by),
    "redeliver": lambda webhook, by: management.redeliver(delivery=webhook.deliveries.get(), by=by),
    "redeliver_failed": lambda webhook, by: management.redeliver_failed(webhook=webhook, by=by),
    "replay": lambda webhook, by: management.replay(webhook=webhook, since=clock.now() - dt.timedelta(days=1), by=by),
    "show_secret": lambda webhook, by: management.show_secret(webhook=webhook, by=by),
    "rotate_secret": lambda webhook, by: management.rotate_secret(webhook=webhook, by=by),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_who_does_not_own_the_connector_does_nothing(
    webhook: Webhook,
    group_id: UUID,
    stranger: User,
    group_admin: User,
    everything: Callable[[], dict[str, list[Any]]],
    act: Callable[[Webhook, User], Any],
) -> None:
    happen(group_id, "a")
    before = everything()
    for who in (stranger, group_admin):
        with pytest.raises(NotFound):
            act(webhook, who)
    assert everything() == before


def failed(webhook: Webhook, group_id: UUID, *said: str) -> None:
    """These were given up, and the webhook stopped."""
    happen(group_id, *said)
    webhook.deliveries.update(state="failed", next_attempt_at=None, tries=6)
    Webhook.objects.filter(pk=webhook.pk).update(inactive_because="failed", inactive_at=clock.now(), failures=6)


@pytest.mark.postgresql
def test_woken_it_is_told_what_was_kept_and_not_what_was_given_up(
    webhook: Webhook, receiver: Receiver, group_id: UUID, developer: User
) -> None:
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


@pytest.mark.postgresql
def test_paused_it_keeps_and_an_inactive_one_sends_nothing_again(
    webhook: Webhook, receiver: Receiver, group_id: UUID, developer: User
) -> None:
    happen(group_id, "a")
    management.pause(webhook=webhook, by=developer)
    assert states(webhook) == ["held"]
    with pytest.raises(RuleBroken):
        management.redeliver(delivery=webhook.deliveries.get(), by=developer)
    management.resume(webhook=webhook, by=developer)
    delivery.deliver_due()
    assert texts(receiver) == ["a"]


@pytest.mark.postgresql
def test_one_is_sent_again_under_the_same_event_id(
    webhook: Webhook, receiver: Receiver, group_id: UUID, developer: User
) -> None:
    happen(group_id, "a", "b")
    delivery.deliver_due()
    first = webhook.deliveries.order_by("pk")[0]
    assert management.redeliver(delivery=first, by=developer)
    assert not management.redeliver(delivery=first, by=developer)
    delivery.deliver_due()
    assert texts(receiver) == ["a", "b", "a"]
    assert receiver.bodies()[2] == receiver.bodies()[0]
    assert first.attempts.count() == 2


@pytest.mark.postgresql
def test_a_replay_sends_all_from_a_moment_on_in_order(
    webhook: Webhook, receiver: Receiver, group_id: UUID, developer: User, travel: Callable[..., dt.datetime]
) -> None:
    travel()
    happen(group_id, "early")
    since = travel(hours=1)
    happen(group_id, "late 1", "late 2")
    delivery.deliver_due()
    assert management.replay(webhook=webhook, since=since, by=developer) == 2
    delivery.deliver_due()
    assert texts(receiver) == ["early", "late 1", "late 2", "late 1", "late 2"]
    assert AuditEvent.objects.get(tag="connector:webhook:replayed").after["count"] == 2


@pytest.mark.postgresql
def test_what_is_over_is_not_woken(webhook: Webhook, developer: User, roles: dict[str, str], group_id: UUID) -> None:
    Webhook.objects.update(inactive_because="reach", inactive_at=clock.now())
    Grant.objects.update(revoked_at=clock.now())
    with pytest.raises(RuleBroken, match="has ended"):
        management.resume(webhook=webhook, by=developer)


def test_the_secret_is_shown_once_and_a_new_one_signs_beside_the_old_for_a_day(
    webhook: Webhook, receiver: Receiver, group_id: UUID, developer: User, travel: Callable[..., dt.datetime]
) -> None:
    travel()
    old = management.show_secret(webhook=webhook, by=developer)
    assert old.startswith("whsec_")
    with pytest.raises(Conflict):
        management.show_secret(webhook=webhook, by=developer)
    new = management.rotate_secret(webhook=webhook, by=developer)
    happen(group_id, "a")
    delivery.deliver_due()
    travel(hours=25)
    happen(group_id, "b")
    delivery.deliver_due()
    said = [_signed_by(receiver, number, [new, old]) for number in (0, 1)]
    assert said == [[True, True], [True, False]]
    audit = json.dumps(list(AuditEvent.objects.values_list("before", "after")))
    assert old.removeprefix("whsec_") not in audit
    assert new.removeprefix("whsec_") not in audit


def _signed_by(receiver: Receiver, number: int, secrets: list[str]) -> list[bool]:
    _path, headers, body = receiver.arrived[number]
    signing = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signatures = headers["webhook-signature"].split()
    made = [
        base64.b64encode(hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signing, "sha256")).decode()
        for secret in secrets
    ]
    return [f"v1,{each}" in signatures for each in made]


# Tending -------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.parametrize("what", ["expired", "revoked", "deleted"])
def test_what_is_over_ends_without_anything_happening(
    webhook: Webhook, group_id: UUID, what: str, developer: User
) -> None:
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


@pytest.mark.postgresql
def test_what_was_kept_for_a_webhook_that_woke_meanwhile_is_queued(
    webhook: Webhook, receiver: Receiver, group_id: UUID
) -> None:
    happen(group_id, "a")
    webhook.deliveries.update(state="held", next_attempt_at=None)
    management.expire_due()
    delivery.deliver_due()
    assert texts(receiver) == ["a"]


@pytest.mark.postgresql
def test_what_is_older_than_it_is_kept_is_deleted(
    webhook: Webhook, group_id: UUID, settings: Settings, developer: User
) -> None:
    happen(group_id, "old", "new")
    long_ago = clock.now() - dt.timedelta(days=settings.WEBHOOK_DAYS, seconds=1)
    WebhookEvent.objects.filter(data__text="old").update(created_at=long_ago)
    assert management.sweep() == 1
    assert [row.event.data["text"] for row in WebhookDelivery.objects.all()] == ["new"]
    management.delete(webhook=webhook, by=developer)
    Webhook.objects.update(deleted_at=long_ago)
    management.sweep()
    assert not Webhook.objects.exists()


# Reading -------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_lists_count_and_tell_the_last_try_in_one_query_each(
    webhook: Webhook,
    receiver: Receiver,
    group_id: UUID,
    told_program: Program,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    happen(group_id, "a")
    receiver.broken = {"/take"}
    delivery.deliver_due()
    receiver.broken = set()
    time_passes()
    delivery.deliver_due()
    happen(group_id, "b")
    make_webhook(told_program.grant, receiver.url(), group_id)
    with django_assert_num_queries(1):
        found = {
            row.pk: (row.waiting_count, row.kept_count, row.failed_count)
            for row in webhooks.list_webhooks(webhook.connector)
        }
    assert found[webhook.pk] == (1, 0, 0)
    with django_assert_num_queries(1):
        rows: list[Any] = list(webhooks.list_deliveries(webhook))
    assert [(row.last_status, row.last_problem, row.attempt_count) for row in rows] == [(None, None, 0), (200, "", 2)]
    assert signing.get_payload(rows[0]) is None
    assert signing.get_payload(rows[1]) == receiver.bodies()[0]


@pytest.mark.postgresql
def test_why_nothing_is_sent_is_told_from_the_moment_on_at_which_it_is_so(webhook: Webhook) -> None:
    now = clock.now()
    assert not authorization.explain_inactive(webhook, now)
    grant = grant_of(webhook)
    grant.suspended_at = now
    assert "suspended" in str(authorization.explain_inactive(webhook, now))
    grant.revoked_at = now
    grant.save()
    assert "ended" in str(authorization.explain_inactive(webhook, now))


@pytest.mark.parametrize("act", ["show_secret", "rotate_secret"])
def test_nobody_who_cools_off_gets_a_signing_secret(webhook: Webhook, developer: User, act: str) -> None:
    developer.credentials_locked_until = clock.now() + dt.timedelta(hours=1)
    developer.save()
    with pytest.raises(RuleBroken):
        ACTS[act](webhook, developer)
    kept = Webhook.objects.get()
    assert (kept.secret_shown_at, kept.sealed_old_secret) == (None, None)
    assert bytes(kept.sealed_secret or b"") == bytes(webhook.sealed_secret or b"")
