"""Media on the wire: `POST /v1/media`, and the door that serves files (wire protocol §6, Media)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from connectors.authentication import operation
from groups.media.kinds import FILE_TYPES
from groups.platform_service.media_body import MULTIPART, files_of
from groups.services import media as services
from groups.services import media_fetch
from kaizala_console.api import lenient_json
from kaizala_console.api.endpoint import Call, resource
from kaizala_console.api.errors import InvalidParameters, PayloadTooLarge, ServiceUnavailable, UnsupportedMediaType
from kaizala_console.api.fields import Body, HttpsUrl
from kaizala_console.api.request_body import JSON, read_bytes
from kaizala_console.api.responses import Answer

_NO_WRAPPING = ("image/", "audio/", "video/", "application/pdf", "application/vnd", "application/msword")


class MediaToFetch(Body):
    """Instead of files: an https address from which the console fetches one itself."""

    media_url: HttpsUrl


class MediaStored(Answer):
    """What Actions are posted with, as `mediaResource`."""

    media_resource: UUID


@operation(
    scope="media.write",
    body=MediaToFetch,
    uploads=tuple(each.content_type for each in FILE_TYPES),
    response=MediaStored,
    refuses=(UnsupportedMediaType, PayloadTooLarge, ServiceUnavailable),
    summary="Upload a file, or several images as an album",
)
def upload_media(call: Call) -> dict[str, str]:
    """Takes files as multipart/form-data under any field names, or `{"mediaUrl": "https://…"}` to fetch one from."""
    request = call.request
    content_type = request.META.get("CONTENT_TYPE", "").strip().lower()
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if content_type.startswith(_NO_WRAPPING) or encoding not in ("", "identity"):
        raise UnsupportedMediaType(["multipart/form-data", JSON])
    if content_type.startswith(MULTIPART):
        with files_of(request) as files:
            stored = services.store(files=files, by=call.caller)
    else:
        wanted = MediaToFetch.parse(_json_of(request))
        stored = media_fetch.fetch_and_store(url=wanted.media_url, by=call.caller)
    return {"mediaResource": str(stored.pk)}


def _json_of(request: HttpRequest) -> Any:
    """The body, which may well be a file: programs declare JSON for all that they send, or nothing."""
    try:
        return lenient_json.loads(read_bytes(request))
    except InvalidParameters as problem:
        hint = "Files are sent as multipart/form-data, with a Content-Type that says so."
        raise InvalidParameters(f"{problem} {hint}") from problem


@operation(
    scope="media.write",
    body=MediaToFetch,
    response=MediaStored,
    refuses=(UnsupportedMediaType, PayloadTooLarge, ServiceUnavailable),
    summary="Have a file fetched from a web address",
)
def fetch_media(call: Call) -> dict[str, str]:
    """As `POST /v1/media` with `mediaUrl`, under the path that the samples of those years have."""
    return {"mediaResource": str(media_fetch.fetch_and_store(url=call.body.media_url, by=call.caller).pk)}


media = resource(POST=upload_media)
media_url = resource(POST=fetch_media)
