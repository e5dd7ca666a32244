"""GET /v1/openapi.json: the OpenAPI document of all that is answered here. An addition of ours to the protocol."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpResponse
from pydantic import ConfigDict

from connectors.services.api_description import get_description
from kaizala_console.api import responses
from kaizala_console.api.endpoint import Call, operation
from kaizala_console.api.headers import header
from kaizala_console.api.responses import Answer

CACHED: Final = "public, max-age=300"  # a new release is seen within five minutes


class Document(Answer):
    """An OpenAPI 3.1 document."""

    model_config = ConfigDict(extra="allow")

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]


@operation(summary="Read this document", response=Document, headers={"If-None-Match": "The `ETag` of a copy."})
def read_description(call: Call) -> HttpResponse:
    """Open to everybody. A copy that is still right is answered with 304."""
    made = get_description()
    headers = {"ETag": made.etag, "Cache-Control": CACHED}
    known = [each.strip().removeprefix("W/") for each in header(call.request, "If-None-Match").split(",")]
    if made.etag in known or "*" in known:
        return HttpResponse(status=304, content_type=responses.CONTENT_TYPE, headers=headers)
    return HttpResponse(made.content, content_type=responses.CONTENT_TYPE, headers=headers)
