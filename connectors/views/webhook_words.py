"""What the pages of webhooks say: states, reasons, answers, addresses. No secret of anybody stands in it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connectors.models import Grant, Webhook, WebhookAttempt, WebhookDelivery
from connectors.views import snippets
from connectors.webhooks import authorization
from connectors.webhooks.events import WebhookEventType
from kaizala_console.lib import ids

State = WebhookDelivery.State
InactiveReason = Webhook.InactiveReason
Problem = WebhookAttempt.Problem
HIDDEN: Final = "…"

DELIVERY_PILLS: Final = {
    State.WAITING: "waiting",
    State.HELD: "kept",
    State.DELIVERED: "delivered",
    State.FAILED: "failed",
    State.DROPPED: "not-sent",
}
STATE_CHOICES: Final = {
    State.WAITING.value: gettext_lazy("Waiting"),
    State.HELD.value: gettext_lazy("Kept until it wakes"),
    State.DELIVERED.value: gettext_lazy("Delivered"),
    State.FAILED.value: gettext_lazy("Failed for good"),
    State.DROPPED.value: gettext_lazy("Not sent"),
}
# In a cell of the log; a delivery's own page has the sentence.
_SHORT: Final = {
    Problem.KEY: gettext_lazy("encryption key missing"),
    Problem.REFUSED: gettext_lazy("not called"),
    Problem.UNREACHABLE: gettext_lazy("not reached"),
    Problem.TIMEOUT: gettext_lazy("no answer in time"),
    Problem.TLS: gettext_lazy("certificate refused"),
    Problem.PROTOCOL: gettext_lazy("no HTTP answer"),
}
_BODIES: Final = {
    "": gettext_lazy("Of the body nothing came in time."),
    WebhookAttempt.Body.EMPTY.value: gettext_lazy("The body was empty."),
    WebhookAttempt.Body.CUT.value: gettext_lazy("This is how the body begins. The rest was not read."),
    WebhookAttempt.Body.BINARY.value: gettext_lazy("The body is not text, and is not kept."),
}
_WHAT_TO_DO: Final = {
    Problem.KEY: gettext_lazy(
        "The delivery waits until the operator restores the encryption key. You can also make a new signing secret "
        "and set the callback token again."
    ),
    Problem.REFUSED: gettext_lazy(
        "The name of the host leads to an address that is not public. Give the webhook another address."
    ),
    Problem.UNREACHABLE: gettext_lazy("Is the receiver running, and does its firewall let this console in?"),
    Problem.TIMEOUT: gettext_lazy("Answer first, and do slow work afterwards: any 2xx will do."),
    Problem.TLS: gettext_lazy(
        "Renew the certificate, and have the receiver send the whole chain. It must name this host."
    ),
    Problem.PROTOCOL: gettext_lazy("Does another program than the receiver listen at this port?"),
    Problem.REDIRECT: gettext_lazy("Give the webhook the address that the receiver redirects to."),
    Problem.STATUS: gettext_lazy("The receiver’s own log says why it answered so. Expected is any 2xx."),
}


def get_pill(webhook: Webhook, at: dt.datetime) -> str:
    """The status of a webhook (kaizala_console/statuses.py). Asks no database."""
    if webhook.inactive_because:
        return {
            InactiveReason.PAUSED.value: "paused",
            InactiveReason.FAILED.value: "failed",
            InactiveReason.EXPIRED.value: "expired",
        }.get(webhook.inactive_because, "ended")
    if not authorization.explain_inactive(webhook, at):
        return "troubled" if webhook.failures else "active"
    if webhook.is_under_right(at):
        return "ended"  # the permission is gone
    if webhook.expires_at <= at:
        return "expired"
    over = webhook.grant is not None and webhook.grant.revoked_at is not None
    return "suspended" if authorization.is_suspended(webhook) and not over else "ended"


def describe_object(webhook: Webhook) -> dict[str, Any]:
    """What a webhook is set on: `word` for people, `id` where only the app above knows a name."""
    if webhook.grant is None:
        return {"word": _("Handoffs of this connector"), "id": ""}
    if webhook.object_type == Webhook.ObjectType.PACKAGE:
        return {"word": _("Cards of the package"), "id": webhook.object_id}
    if webhook.object_type == Webhook.ObjectType.ACTION:
        return {"word": _("One card in %(where)s") % {"where": _quote_target(webhook.grant)}, "id": webhook.object_id}
    if webhook.grant.target == f"group:{webhook.object_id}":
        return {"word": webhook.grant.target_name, "id": ""}
    return {
        "word": _("A group within reach of %(where)s") % {"where": _quote_target(webhook.grant)},
        "id": webhook.object_id,
    }


def describe_subject(delivery: WebhookDelivery, webhook: Webhook) -> dict[str, str]:
    """What one event was about, as `describe_object` says it."""
    event = delivery.event
    if event.action_id is not None:
        return {"word": _("Card"), "id": str(event.action_id)}
    if webhook.grant is None:
        return {"word": _("Handoff"), "id": str(delivery.ordering_key)}
    if webhook.grant.target == f"group:{event.group_id}":
        return {"word": webhook.grant.target_name, "id": ""}
    return {"word": _("Group"), "id": str(event.group_id)}


def _quote_target(grant: Grant) -> str:
    return f"“{grant.target_name}”"


def list_events(webhook: Webhook, *, most: int = 3) -> dict[str, Any]:
    """`named` for a cell, how many `more`, and `all`."""
    if len(webhook.event_types) == len(WebhookEventType):
        return {"named": _("everything that can be told"), "more": 0, "all": ", ".join(webhook.event_types)}
    return {
        "named": ", ".join(webhook.event_types[:most]),
        "more": max(0, len(webhook.event_types) - most),
        "all": ", ".join(webhook.event_types),
    }


def hide_secrets_in_url(url: str) -> str:
    """An address without what may be a secret in it: no password, no values of its query, no fragment."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.scheme}://{host}{port}{hide_secrets_in_path(url)}"


def hide_secrets_in_path(url: str) -> str:
    """What follows the host in `hide_secrets_in_url`."""
    parts = urlsplit(url)
    names = [name for name, _value in parse_qsl(parts.query, keep_blank_values=True) if f"{name}=" in parts.query]
    query = "?" + "&".join(f"{name}={HIDDEN}" for name in names) if names else f"?{HIDDEN}" if parts.query else ""
    return f"{parts.path or '/'}{query}"


def describe_answer(status: int | None, problem: str | None) -> str:
    """What came back of a try, in a word or a number; "" before the first."""
    if status is not None:
        return str(status)
    return str(_SHORT.get(Problem(problem), Problem(problem).label)) if problem else ""


def describe_body(attempt: WebhookAttempt) -> str | Promise:
    """What is to be said of the body of an answer, besides its text; "" when that is all of it."""
    return "" if attempt.answer_body == WebhookAttempt.Body.TEXT else _BODIES[attempt.answer_body]


def give_advice(problem: str | None, status: int | None) -> str | Promise:
    """One sentence for the developer whose receiver failed; "" when nothing did."""
    if not problem:
        return ""
    if status in (401, 403):
        return _("The receiver does not know us: compare the callback token, and the signing secret.")
    if status == 404 or status == 410:
        return _("Nothing listens at this path: give the webhook the address of the receiver.")
    return _WHAT_TO_DO[Problem(problem)]


def format_json(document: dict[str, Any]) -> str:
    """JSON to read."""
    return json.dumps(document, ensure_ascii=False, indent=2)


def get_subscribe_command(grant: Grant | None) -> str:
    """The line that makes the first webhook; on the grant's own group, when it has one."""
    key = ids.parse_guid(grant.target.removeprefix("group:")) if grant is not None else None
    kinds = json.dumps([WebhookEventType.TEXT_MESSAGE_CREATED.value, WebhookEventType.JOB_RESPONSE.value])
    body = f"""{{
    "objectId": "{key or "GROUP_ID"}",
    "objectType": "Group",
    "eventTypes": {kinds},
    "callBackUrl": "https://example.com/kaizala"
  }}"""
    return " \\\n".join(
        [
            f"curl {snippets.quoted_url(f'{settings.CONSOLE_BASE_URL}/v1/webhook')}",
            '  -H "accessToken: $ACCESS_TOKEN"',
            '  -H "Content-Type: application/json"',
            f"  -d '{body}'",
        ]
    )
