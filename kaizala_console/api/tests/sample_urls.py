"""A small wire to test the door with: what a group's messages look like, and everything that can go wrong."""

from __future__ import annotations

from typing import Annotated, Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import include, path
from django.utils.translation import get_language, gettext
from pydantic import Field

from kaizala_console.api.endpoint import Call, Operation, operation, resource
from kaizala_console.api.errors import GroupNotReachable, TokenInvalid
from kaizala_console.api.fields import Body, EpochMs, NumberedApiEnum, Pin, Query, Text, named
from kaizala_console.api.headers import access_token, header
from kaizala_console.api.routing import console_page
from kaizala_console.lib import request_context
from kaizala_console.lib.errors import Conflict, GatewayDown, NotAllowed, NotFound, RuleBroken, TooSoon

TOKEN = "kzat_sampleTokenOfTheTests0123456789"
READ_ONLY = "kzat_sampleReadOnlyToken0123456789"


class PropertyType(NumberedApiEnum):
    TEXT = "Text"
    NUMERIC = "Numeric"
    LOCATION = "Location"


class Property(Body):
    name: Text
    type: PropertyType = PropertyType.TEXT


class SendMessage(Body):
    message: Annotated[Text, Field(max_length=4000)]
    group_name: str = named("groupName", "name", default="")
    send_to_all_subscribers: bool = False
    subscribers: list[str] = Field(default=[], max_length=3)
    properties: list[Property] = []
    pin: Pin | None = None
    validity: EpochMs | None = None


class Listing(Query):
    show_details: bool = named("showDetails", "showDetail", default=False)
    count: int = Field(default=30, ge=1, le=50)
    cursor: str = ""


class CodeForm(Body):
    client_id: str = named("client_id")
    code: str = named("code")


class SampleCaller:
    def __init__(self, *scopes: str) -> None:
        self.scopes = frozenset(scopes)

    def permission_for(self, scope: str) -> str:
        return {"textmessage.write": "Text Message", "groupinfo.read": "Group Information"}[scope]


def authenticate(request: HttpRequest) -> SampleCaller:
    token = access_token(request)
    if token == TOKEN:
        return SampleCaller("textmessage.write", "groupinfo.read")
    if token == READ_ONLY:
        return SampleCaller("groupinfo.read")
    raise TokenInvalid


@operation(authenticate=authenticate, scope="textmessage.write", body=SendMessage, summary="Post a text message")
def send_message(call: Call, group_id: str) -> dict[str, Any]:
    """Post a text message to a group."""
    return {"groupId": group_id, "sent": call.body.model_dump(mode="json", by_alias=True)}


@operation(authenticate=authenticate, scope="groupinfo.read", query=Listing, summary="List messages")
def list_messages(call: Call, group_id: str) -> dict[str, Any]:
    return {"groupId": group_id, "query": call.query.model_dump(by_alias=True)}


@operation(summary="Trade a refresh token")
def trade(call: Call) -> dict[str, Any]:
    return {"applicationId": header(call.request, "applicationId"), "language": get_language()}


@operation(body=CodeForm, form=True, summary="Trade a code")
def trade_code(call: Call) -> CodeForm:
    return call.body


@operation(summary="Who is asking")
def context_of_call(call: Call) -> dict[str, str]:
    here = request_context.current()
    return {"requestId": here.request_id, "clientAddress": here.client_address, "userAgent": here.user_agent}


@operation(summary="Create", status=201)
def create(call: Call) -> dict[str, Any]:
    return {}


@operation(summary="A file")
def download(call: Call) -> StreamingHttpResponse:
    return StreamingHttpResponse([b"one", b"two"], content_type="image/png", headers={"Cache-Control": "max-age=60"})


FAILURES: dict[str, Exception] = {
    "rule": RuleBroken("The last admin cannot be removed.", field="memberId"),
    "notallowed": NotAllowed(),
    "notfound": NotFound(),
    "conflict": Conflict(),
    "toosoon": TooSoon(retry_after=17),
    "gateway": GatewayDown(),
    "group": GroupNotReachable(),
    "404": Http404("secret detail"),
    "denied": PermissionDenied("secret detail"),
    "suspicious": SuspiciousOperation("secret detail"),
    "toobig": RequestDataTooBig("secret detail"),
    "locked": OperationalError("database is locked: secret detail"),
    "toolong": DataError("value too long: secret detail"),
    "bug": ZeroDivisionError("secret detail"),
    "translated": RuleBroken(gettext("Home")),
}
SEEN: list[tuple[str, str, int]] = []  # what `observe` was told of


def observe(operation: Operation, call: Call, status: int) -> None:
    SEEN.append((operation.name, call.route, status))


@operation(summary="Be seen", authenticate=authenticate, body=SendMessage, observe=observe)
def be_seen(call: Call, how: str) -> dict[str, Any] | HttpResponse:
    if how in FAILURES:
        raise FAILURES[how]
    return HttpResponse(status=202) if how == "response" else {}


@operation(summary="Fail")
def fail(call: Call, how: str) -> None:
    raise FAILURES[how]


@operation(summary="Answer what JSON cannot say")
def unspeakable(call: Call) -> dict[str, Any]:
    return {"number": float("nan")}


def plain_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"plain", content_type="text/plain")


groups = [
    path("<group_id>/messages", resource(POST=send_message, GET=list_messages)),
    path("<group_id>/reaction/summary", resource(GET=context_of_call)),
    path("<group_id>/reaction/<reference_id>/summary", resource(GET=list_messages)),
    path("<int:group_id>/number", resource(GET=list_messages)),
]
urlpatterns = [
    path("v1/accessToken", resource(GET=trade)),
    path("v1/groups/", include(groups)),
    path("v1/context", resource(GET=context_of_call)),
    path("v1/things", resource(POST=create)),
    path("v1/file", resource(GET=download)),
    path("v1/seen/<how>", resource(POST=be_seen)),
    path("v1/fail/<how>", resource(GET=fail)),
    path("v1/unspeakable", resource(GET=unspeakable)),
    path("v1/plain", plain_view),
    path("api/oauth/token", resource(POST=trade_code)),
    path("api/oauth/authorize", console_page),
]
