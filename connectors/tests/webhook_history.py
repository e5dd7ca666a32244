"""A webhook with a log that has one delivery of every kind, for the tests of its pages. Nothing is ever sent."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from connectors.models import Grant, Webhook, WebhookAttempt, WebhookDelivery, WebhookEvent
from connectors.tests.webhook_cast import grant_of, make_webhook
from connectors.webhooks.events import WebhookEventType
from kaizala_console.lib import clock, ids

URL = "https://hooks.example.com/kaizala/shifts?code=their-own-key-9Q4"
SAID = "Rain tomorrow, bring boots"
MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)


def group_of(grant: Grant) -> UUID:
    """The group that the grant reaches."""
    return UUID(grant.target.removeprefix("group:"))


def quiet(grant: Grant, url: str = URL, **fields: Any) -> Webhook:
    """A webhook on the grant's own group, to which nothing has happened."""
    return make_webhook(grant, url, fields.pop("group_id", group_of(grant)), **fields)


def happened(
    webhook: Webhook,
    kind: WebhookEventType = WebhookEventType.TEXT_MESSAGE_CREATED,
    *,
    ago: dt.timedelta = MINUTE,
    action_id: UUID | None = None,
    **fields: Any,
) -> WebhookDelivery:
    """Something happened so long ago; its delivery waits, or has the state that `fields` say."""
    at, person = clock.now() - ago, grant_of(webhook).person
    event = WebhookEvent.objects.create(
        event_type=kind.value,
        group_id=group_of(grant_of(webhook)),
        action_id=action_id,
        sender={
            "fromUser": person.number,
            "fromUserId": str(person.pk),
            "fromUserName": "Asha",
            "fromUserProfilePic": "",
        },
        data={"text": SAID},
        created_at=at,
    )
    if fields.get("state", "waiting") != "waiting":
        fields = {"next_attempt_at": None, "finished_at": at, **fields}
    return WebhookDelivery.objects.create(
        webhook=webhook,
        event=event,
        event_type=event.event_type,
        ordering_key=action_id or group_of(grant_of(webhook)),
        created_at=at,
        **fields,
    )


def tried(
    delivery: WebhookDelivery, status: int | None, problem: str = "", *, ago: dt.timedelta = MINUTE, **answer: Any
) -> None:
    """One try of it, and what came back."""
    if status is not None and not answer:
        answer = {
            "answer_headers": {"Content-Type": "text/plain; charset=utf-8", "Server": "nginx"},
            "answer_body": "text",
            "answer_text": "Queue is full, try again later." if problem else "ok",
        }
    WebhookAttempt.objects.create(
        delivery=delivery, began_at=clock.now() - ago, milliseconds=41, status=status, problem=problem, **answer
    )


def eventful(grant: Grant) -> Webhook:
    """A webhook in trouble: three arrived, one failed for good, one was not sent, one is tried again, one is new."""
    webhook = quiet(grant)
    for kind in (WebhookEventType.TEXT_MESSAGE_CREATED, WebhookEventType.MEMBER_ADDED, WebhookEventType.ANNOUNCEMENT):
        tried(happened(webhook, kind, ago=9 * HOUR, state="delivered", tries=1), 200, ago=9 * HOUR)
    failed = happened(
        webhook, WebhookEventType.JOB_RESPONSE, ago=7 * HOUR, state="failed", tries=6, action_id=ids.new_id()
    )
    for hours in range(6, 0, -1):
        tried(failed, None if hours % 2 else 503, "timeout" if hours % 2 else "status", ago=hours * HOUR)
    happened(webhook, WebhookEventType.SURVEY_RESPONSE, ago=2 * HOUR, state="dropped")
    again = happened(
        webhook, WebhookEventType.POLL_RESPONSE, ago=12 * MINUTE, next_attempt_at=clock.now() + 9.5 * MINUTE, tries=2
    )
    tried(again, 502, "status", ago=11 * MINUTE)
    tried(again, None, "tls")
    happened(webhook, ago=MINUTE)
    Webhook.objects.filter(pk=webhook.pk).update(failures=2, delivered_at=clock.now() - 20 * MINUTE)
    return Webhook.objects.select_related("grant__person", "connector").get(pk=webhook.pk)
