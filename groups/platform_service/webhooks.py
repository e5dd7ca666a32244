"""Webhooks on the wire: `/v1/webhook` and below (wire protocol §6, Webhooks)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, WithJsonSchema

from connectors.authentication import operation
from connectors.models import Webhook
from connectors.models.webhook import (
    MOST_CONTEXT_CHARACTERS,
    MOST_OBJECT_ID_CHARACTERS,
    MOST_TOKEN_CHARACTERS,
    MOST_URL_CHARACTERS,
)
from connectors.webhooks import signing, subscriptions
from connectors.webhooks.events import ObjectType, WebhookEventType
from kaizala_console.api import responses
from kaizala_console.api.endpoint import Call, resource
from kaizala_console.api.fields import Body, EpochMs, HttpsUrl, Query, Text, named
from kaizala_console.api.responses import Answer
from kaizala_console.lib import clock, crypto

# What is checked by services, which have the last word, is described here.
ObjectId = Annotated[Text, Field(json_schema_extra={"maxLength": MOST_OBJECT_ID_CHARACTERS})]
Url = Annotated[HttpsUrl, Field(pattern=r"\S", json_schema_extra={"maxLength": MOST_URL_CHARACTERS})]
Token = Annotated[
    str,
    WithJsonSchema(
        {"type": ["string", "number"], "pattern": "^(?:[!-~](?:[ -~]*[!-~])?)?$", "maxLength": MOST_TOKEN_CHARACTERS}
    ),
]
Context = Annotated[str, Field(json_schema_extra={"maxLength": MOST_CONTEXT_CHARACTERS})]


class NewWebhook(Body):
    """Before it is made, the callback URL is asked with `?validationToken=…`, and must answer with that token."""

    object_id: ObjectId
    object_type: ObjectType
    event_types: list[WebhookEventType] = named("eventTypes", "events", min_length=1)
    callback_url: Url = named("callBackUrl")
    callback_token: Token = named("callBackToken", default="")
    callback_context: Context = named("callBackContext", default="")
    validity: EpochMs | None = None


class ChangedWebhook(Body):
    """Fields that are left out stay the same. `active` resumes or pauses the webhook; a new URL is validated again."""

    object_id: ObjectId | None = None
    object_type: ObjectType | None = None
    event_types: list[WebhookEventType] | None = named("eventTypes", "events", default=None, min_length=1)
    callback_url: Url | None = named("callBackUrl", default=None)
    callback_token: Token | None = named("callBackToken", default=None)
    callback_context: Context | None = named("callBackContext", default=None)
    validity: EpochMs | None = None
    active: bool | None = named("active", "isActive", default=None)


class Listing(Query):
    """Without `objectId`, what was made under this very token's grant."""

    object_id: ObjectId | None = None
    object_type: ObjectType | None = None


class WebhookCreated(Answer):
    """The webhook's id."""

    webhook_id: UUID


class WebhookDetails(Answer):
    """A webhook. The URL and the token stand in both spellings that clients read."""

    id: UUID
    object_id: str
    object_type: str
    events: list[str]
    filters: list[str] = Field(description="Always empty.")
    callback_url: str = Field(alias="callBackUrl")
    callback_url_too: str = Field(alias="callbackUrl")
    callback_token: str = Field(alias="callBackToken")
    callback_token_too: str = Field(alias="callbackToken")
    callback_context: str = Field(alias="callBackContext")
    ts: responses.EpochMs = Field(description="When it was changed last.")
    validity: responses.EpochMs
    active: bool


class WebhookList(Answer):
    """Webhooks."""

    webhooks: list[WebhookDetails]


class Done(Answer):
    """It was done."""

    result: bool = Field(description="Always true.")


@operation(
    scope="webhook.write",
    body=NewWebhook,
    response=WebhookCreated,
    summary="Create a webhook",
)
def create_webhook(call: Call) -> dict[str, str]:
    """Sends events of a group, an action, or the actions of an action package to the callback URL."""
    body = call.body
    webhook = subscriptions.subscribe(
        grant=call.caller.grant,
        object_type=body.object_type,
        object_id=body.object_id,
        event_types=body.event_types,
        callback_url=body.callback_url,
        callback_token=body.callback_token,
        callback_context=body.callback_context,
        expires_at=body.validity,
        by=call.caller,
    )
    return {"webhookId": str(webhook.pk)}


@operation(scope="webhook.read", query=Listing, response=WebhookList, summary="List webhooks")
def list_webhooks(call: Call) -> dict[str, Any]:
    """Answers with the connector's webhooks on an object within the token's reach."""
    query, now = call.query, clock.now()
    found = subscriptions.list_webhooks(
        grant=call.caller.grant, object_type=query.object_type, object_id=query.object_id
    )
    return {"webhooks": [_to_wire(webhook, now) for webhook in found]}


@operation(scope="webhook.update", body=ChangedWebhook, response=Done, summary="Change a webhook")
def update_webhook(call: Call, webhook_id: str) -> dict[str, bool]:
    """Changes the fields that are sent. Once active again, the webhook gets its buffered events."""
    body = call.body
    subscriptions.change(
        webhook_id=webhook_id,
        grant=call.caller.grant,
        object_type=body.object_type,
        object_id=body.object_id,
        event_types=body.event_types,
        callback_url=body.callback_url,
        callback_token=body.callback_token,
        callback_context=body.callback_context,
        expires_at=body.validity,
        active=body.active,
        by=call.caller,
    )
    return {"result": True}


@operation(scope="webhook.remove", response=Done, summary="Delete a webhook")
def delete_webhook(call: Call, webhook_id: str) -> dict[str, bool]:
    """Deletes it: nothing is sent from now on."""
    subscriptions.remove(webhook_id=webhook_id, grant=call.caller.grant, by=call.caller)
    return {"result": True}


def _to_wire(webhook: Webhook, now: dt.datetime) -> dict[str, Any]:
    try:
        token = signing.open_token(webhook)
    except crypto.WrongKey:
        token = ""  # deliveries wait until its encryption key is back or a new token is set
    return {
        "id": str(webhook.pk),
        "objectId": webhook.object_id,
        "objectType": webhook.object_type,
        "events": webhook.event_types,
        "filters": [],
        "callBackUrl": webhook.callback_url,
        "callbackUrl": webhook.callback_url,
        "callBackToken": token,
        "callbackToken": token,
        "callBackContext": webhook.callback_context,
        "ts": clock.epoch_ms(webhook.changed_at),
        "validity": clock.epoch_ms(webhook.expires_at),
        "active": webhook.is_active and webhook.is_under_right(now),
    }


webhooks = resource(GET=list_webhooks, POST=create_webhook)
webhook = resource(PUT=update_webhook, DELETE=delete_webhook)
