"""Which permission each call needs: the protocol's §5 and §6 as one table. A call that is not in it does not exist."""

from __future__ import annotations

import pytest
from django.conf import settings

from connectors.permissions import PERMISSION_OF
from kaizala_console.api.endpoint import list_operations
from kaizala_console.api.openapi import to_openapi_path
from kaizala_console.api.routing import get_routes

pytestmark = pytest.mark.once
OPEN = ""  # no access token is asked for: the call has credentials of its own, or is for everybody

TABLE = {
    # Token Service (§4)
    "GET /v1/accessToken": OPEN,
    "GET /v1/accessToken/warm": OPEN,
    "POST /v1/generatePin": OPEN,
    "POST /v1/loginWithPinAndApplicationId": OPEN,
    "POST /api/oauth/token": OPEN,
    "POST /v1/credentials/report": OPEN,
    "POST /v1/handoffs/claim": OPEN,
    "GET /v1/openapi.json": OPEN,
    # Group Information: read, create, update, remove group-level information
    "GET /v1/groups": "groupinfo.read",
    "POST /v1/groups": "groupinfo.write",
    "GET /v1/groups/{groupId}": "groupinfo.read",
    "GET /v1/groups/{groupId}/subGroups": "groupinfo.read",
    "POST /v1/groups/{groupId}/subGroups": "groupinfo.write",
    "PUT /v1/groups/{groupId}/subGroups": "groupinfo.update",
    "DELETE /v1/groups/{groupId}/subGroups/{subGroupId}": "groupinfo.remove",
    "PUT /v1/groups/{groupId}/bot": "groupinfo.update",
    "POST /v1/groups/{groupId}/bot": "groupinfo.update",
    "PUT /v1/groups/{groupId}/actions/{actionId}": "action.update",
    "PUT /v1/groups/{groupId}/actions/{actionId}/properties": "action.update",
    "GET /v1/tenant/findGroupsByQuery": "tenant.read",
    "DELETE /v1/groups/{groupId}/bot/{botId}": "groupinfo.update",
    # Group Member List: read, add, update, remove members and subscribers
    "GET /v1/groups/{groupId}/members": "groupmember.read",
    "PUT /v1/groups/{groupId}/members": "groupmember.write",
    "PUT /v1/groups/{groupId}/members/{memberId}": "groupmember.update",
    "DELETE /v1/groups/{groupId}/members/{memberId}": "groupmember.remove",
    "GET /v1/groups/{groupId}/subscribers": "groupmember.read",
    "POST /v1/groups/{groupId}/subscribers": "groupmember.read",  # reads a page of them
    "PUT /v1/groups/{groupId}/subscribers/add": "groupmember.write",
    "PUT /v1/groups/{groupId}/subscribers/remove": "groupmember.remove",
    # Text Message: post a text message; and the names under which a connector posts
    "POST /v1/groups/{groupId}/messages": "textmessage.write",
    "GET /v1/bot": "textmessage.read",
    "POST /v1/bot": "textmessage.write",
    "PUT /v1/bot/{botId}": "textmessage.write",
    "DELETE /v1/bot/{botId}": "textmessage.write",
    "GET /v1/bot/accessToken/{botId}": "textmessage.write",
    # Action & Responses: fetch, create, update actions and their responses
    "GET /v1/groups/{groupId}/actions": "action.read",
    "POST /v1/groups/{groupId}/actions": "action.write",
    "GET /v1/groups/{groupId}/actions/{actionId}": "action.read",
    "POST /v1/groups/{groupId}/actions/{actionId}/responses": "action.write",
    # User Profile: read and write the token user's own profile
    "GET /v1/users/me": "profile.read",
    "PUT /v1/users/me": "profile.write",
    # Media: upload and send media
    "POST /v1/media": "media.write",
    "POST /v1/media/url": "media.write",
    # Outgoing Webhooks: create, read, update, remove webhooks
    "GET /v1/webhook": "webhook.read",
    "POST /v1/webhook": "webhook.write",
    "PUT /v1/webhook/{webhookId}": "webhook.update",
    "DELETE /v1/webhook/{webhookId}": "webhook.remove",
    # Reactions: create and read likes and comments
    "POST /v1/groups/{groupId}/reaction": "reaction.write",
    "GET /v1/groups/{groupId}/reaction/summary": "reaction.read",
    "GET /v1/groups/{groupId}/reaction/{referenceId}": "reaction.read",
    "GET /v1/groups/{groupId}/reaction/{referenceId}/summary": "reaction.read",
}


def declared() -> dict[str, str]:
    return {
        f"{method} {to_openapi_path(route)}": operation.scope or OPEN
        for method, route, operation in list_operations(get_routes(settings.API_URLCONF))
    }


def test_every_call_needs_what_the_table_says() -> None:
    assert declared() == TABLE


def test_what_asks_for_a_scope_asks_for_a_token_and_the_other_way_round() -> None:
    for method, route, operation in list_operations(get_routes(settings.API_URLCONF)):
        assert bool(operation.scope) == (operation.authenticate is not None), f"{method} {route}"


def test_every_scope_is_one_of_the_protocol() -> None:
    assert {scope for scope in TABLE.values() if scope} <= set(PERMISSION_OF)
