"""The OpenAPI document of this console: what the wire's declarations do not know of themselves, and the ready bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext

from connectors import permissions
from kaizala_console.api import openapi, openapi_translation, responses
from kaizala_console.api.openapi import OpenApiInfo, OpenApiTag
from kaizala_console.api.routing import get_routes

ROUTE: Final = "v1/openapi.json"
AUTHORIZE: Final = "api/oauth/authorize"
TOKEN: Final = "api/oauth/token"  # noqa: S105 (a path)
MEDIA_FILE: Final = "v1/media/<file_id>/<name>"

_INTRODUCTION: Final = """\
What a program written for Microsoft Kaizala sends and expects, answered by this console.

1. Trade a refresh token for an access token: `GET /v1/accessToken`. It lives 24 hours.
2. Call `endpointUrl` + path with the header `accessToken`.
3. When an answer is 401, fetch a new access token, and try once more.

Bodies are read leniently, for the sake of old programs: property names and enumerations in any case, numbers and \
booleans as text, unquoted names, single quotes, comments. Unknown properties are ignored. `/v1` may be left out, and \
slashes may be doubled. What stands here is what a new program should send. Answers are strict JSON, with exactly \
these spellings.

Every error has the same three fields. Too many calls are answered with 429 and the header `Retry-After`.
"""

TAGS: Final = (
    OpenApiTag(
        name="Tokens",
        description="Access tokens for refresh tokens, and refresh tokens for a sign-in or a PIN.",
        modules=("access_token", "token_cache", "pin_login", "oauth_token"),
    ),
    OpenApiTag(
        name="Groups",
        description="Groups, and the groups below them.",
        modules=("groups", "sub_groups", "tenant"),
    ),
    OpenApiTag(name="Members", description="Who is in a group, and as what.", modules=("members",)),
    OpenApiTag(name="Subscribers", description="Who follows a managed public group.", modules=("subscribers",)),
    OpenApiTag(name="Messages", description="Text messages to a group.", modules=("messages",)),
    OpenApiTag(name="Media", description="Pictures, documents, audio and video to send.", modules=("media",)),
    OpenApiTag(
        name="Actions",
        description="Polls, surveys, jobs, meetings and announcements, and what people answer.",
        modules=("actions", "responses"),
    ),
    OpenApiTag(name="Reactions", description="Likes and comments.", modules=("reactions",)),
    OpenApiTag(name="Users", description="The person that a token acts for.", modules=("users",)),
    OpenApiTag(name="Bots", description="Names that a connector posts under.", modules=("bots",)),
    OpenApiTag(name="Webhooks", description="Events as they happen.", modules=("webhooks",)),
    OpenApiTag(name="Handoffs", description="How a refresh token reaches its program.", modules=("claim",)),
    OpenApiTag(
        name="Leaked credentials", description="What was found where it should not be.", modules=("leak_report",)
    ),
    OpenApiTag(name="Description", description="This document.", modules=("description",)),
)


@dataclass(frozen=True, slots=True)
class Description:
    """The document, and how it is sent."""

    document: dict[str, Any]
    content: bytes
    etag: str


def get_description() -> Description:
    """The document of this process; made once, because nothing of it changes while it runs."""
    return _build(settings.API_URLCONF, settings.CONSOLE_BASE_URL)


def get_translated_description(language: str) -> dict[str, Any]:
    """The document for people: its words in their language, names and samples as programs have them."""
    if language == "en":
        return get_description().document
    return _translate(settings.API_URLCONF, settings.CONSOLE_BASE_URL, language)


@lru_cache(maxsize=16)
def _translate(urlconf: str, server: str, language: str) -> dict[str, Any]:
    with translation.override(language):
        return openapi_translation.translate_document(_build(urlconf, server).document, gettext)


@lru_cache(maxsize=4)
def _build(urlconf: str, server: str) -> Description:
    with translation.override("en"):
        labels = {scope: str(permissions.DESCRIPTIONS[of].label) for scope, of in permissions.PERMISSION_OF.items()}
    about = OpenApiInfo(
        title="Kaizala Console",
        version="1",
        description=_INTRODUCTION,
        server=server,
        permissions=labels,
        tags=TAGS,
        pages={AUTHORIZE: _AUTHORIZE, MEDIA_FILE: _MEDIA_FILE},
        security_schemes={"oauth": _oauth(server, labels)},
    )
    document = openapi.document(get_routes(urlconf), about)
    content = responses.encode(document)
    return Description(document, content, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _oauth(server: str, labels: dict[str, str]) -> dict[str, Any]:
    flow = {
        "authorizationUrl": f"{server}/{AUTHORIZE}",
        "tokenUrl": f"{server}/{TOKEN}",
        "scopes": labels,
    }
    return {
        "type": "oauth2",
        "description": "How a program comes by the token of a person who signs in. It is then sent as `bearer` says.",
        "flows": {"authorizationCode": flow},
    }


def _parameter(name: str, description: str, *, required: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": description,
        "schema": {"type": "string"},
    }


_AUTHORIZE: Final = {
    "get": {
        "operationId": "authorize",
        "summary": "Send a person here to sign in and consent",
        "description": "A page for a browser. It sends the person back to the connector's redirect URL with `code`, "
        "and with `state` when it was sent.",
        "tags": ["Tokens"],
        "security": [],
        "parameters": [
            _parameter("client_id", "The connector's ID.", required=True),
            _parameter("redirect_uri", "One of the connector's registered redirect URLs, exactly.", required=True),
            _parameter("state", "Comes back as it was sent."),
            _parameter("code_challenge", "PKCE (RFC 7636)."),
            _parameter("code_challenge_method", "`S256`."),
        ],
        "x-page": True,
        "responses": {
            "200": {"description": "The page.", "content": {"text/html": {"schema": {"type": "string"}}}},
            "302": {"description": "To the sign-in, or back to the program."},
            "400": {"description": "A page that says what is wrong.", "content": {"text/html": {}}},
        },
    }
}
_MEDIA_FILE: Final = {
    "get": {
        "operationId": "downloadFile",
        "summary": "Download a file of a media resource",
        "description": "Answers name this address, signed, with everything that it needs. It ends after a while.",
        "tags": ["Media"],
        "security": [],
        "parameters": [
            {"name": "fileId", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
            {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}},
        ],
        "x-page": True,
        "responses": {
            "200": {"description": "The file.", "content": {"*/*": {}}},
            "400": {"$ref": "#/components/responses/WrongRequest"},
            "403": {"$ref": "#/components/responses/NotPermitted"},
            "404": {"$ref": "#/components/responses/NotThere"},
        },
    }
}
