"""Declared endpoints: credentials, bodies, answers and refusals."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import UnreadablePostError
from django.test import RequestFactory

from kaizala_console.api import errors, lenient_json
from kaizala_console.api.errors import InvalidParameters, TokenMissing, to_wire
from kaizala_console.api.headers import access_token, header
from kaizala_console.api.request_body import read_bytes
from kaizala_console.api.responses import encode
from kaizala_console.api.tests.conftest import Send
from kaizala_console.api.tests.sample_urls import (
    SEEN,
    SendMessage,
)

MESSAGES = "/v1/groups/AbC/messages"
HELLO = '{"message": "Hello"}'


def refusal(response: Any) -> tuple[int, str, str, str]:
    body = response.json()
    assert list(body) == ["message", "errorCode", "errorCategoryKey"]
    assert response["Content-Type"] == "application/json; charset=utf-8"
    return response.status_code, body["errorCode"], body["errorCategoryKey"], body["message"]


def read_token(headers: dict[str, str]) -> str:
    return access_token(RequestFactory().get("/", headers=headers))


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "text/plain", "", "application/x-www-form-urlencoded",
     "APPLICATION/JSON;CHARSET=UTF-8", "nonsense"],
)  # fmt: skip
@pytest.mark.parametrize("body", [HELLO, "{'Message': 'Hello',}", '\ufeff{message:"Hello"}'])
def test_a_body_is_read_whatever_its_type_is_said_to_be(send: Send, content_type: str, body: str) -> None:
    response = send("POST", MESSAGES, body, content_type=content_type)
    assert response.json()["sent"]["message"] == "Hello"


@pytest.mark.parametrize(
    ("how", "status"),
    [("well", 200), ("response", 202), ("rule", 400), ("group", 403), ("toosoon", 429), ("gateway", 503)],
)
def test_an_observer_is_told_of_every_call_with_its_route_and_the_status_of_its_answer(
    send: Send, how: str, status: int
) -> None:
    SEEN.clear()
    assert send("POST", f"/V1/Seen/{how}/", HELLO).status_code == status
    assert SEEN[:] == [("be_seen", "v1/seen/<how>", status)]


def test_a_query_is_read_leniently(send: Send) -> None:
    response = send("GET", f"{MESSAGES}?SHOWDETAIL=True&Count=7")
    assert response.json()["query"] == {"showDetails": True, "count": 7, "cursor": ""}


def test_a_form_is_read_where_one_is_declared_and_json_as_well(send: Send) -> None:
    form, body = "client_id=a%20b&code=c", '{"client_id": "a b", "code": "c"}'
    for text, kind in ((form, "application/x-www-form-urlencoded"), (body, "application/json"), (body, "text/plain")):
        response = send("POST", "/api/oauth/token", text, content_type=kind)
        assert response.json() == {"client_id": "a b", "code": "c"}


def test_text_of_any_alphabet_goes_out_as_it_came_in(send: Send) -> None:
    response = send("POST", MESSAGES, '{"message": "नमस्ते 😀 \\u0001 </script>"}')
    assert response.json()["sent"]["message"] == "नमस्ते 😀 \x01 </script>"
    assert "नमस्ते 😀".encode() in response.content


@pytest.mark.parametrize("token", ["", "forged"])
def test_without_a_good_token_nothing_is_told_of_the_body(send: Send, token: str) -> None:
    assert refusal(send("POST", MESSAGES, "{bad", token=token))[:2] == (401, "InvalidToken")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "message is missing"),
        ("[]", "must be a JSON object"),
        ('"{\\"message\\": \\"x\\"}"', "must be a JSON object, not text that holds one: it was encoded twice"),
        ("{", "not valid JSON"),
        ("message=a+b&count=2", "not valid JSON: it is form data"),
        (b"\xff", "UTF-8"),
    ],
)
def test_a_body_that_cannot_be_used_is_a_400_that_says_why(send: Send, body: str | bytes, says: str) -> None:
    status, code, category, message = refusal(send("POST", MESSAGES, body))
    assert (status, code, category) == (400, "InvalidParameters", "ValidationException")
    assert says in message


@pytest.mark.parametrize("query", ["count=x", "count=0", "cursor=%00", "&".join(["a=1"] * 2000)])
def test_a_query_that_cannot_be_used_is_a_400(send: Send, query: str) -> None:
    assert refusal(send("GET", f"{MESSAGES}?{query}"))[:2] == (400, "InvalidParameters")


def test_a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not(send: Send) -> None:
    frame = '{"message": "Hello", "ignored": ""}'
    fitting = frame.replace('""', f'"{"x" * (lenient_json.MAX_BYTES - len(frame))}"')
    assert send("POST", MESSAGES, fitting).status_code == 200
    status, code, _category, message = refusal(send("POST", MESSAGES, fitting + " "))
    assert (status, code) == (400, "InvalidParameters")
    assert "1048576" in message


def test_a_body_that_claims_to_be_too_large_is_not_even_read() -> None:
    request = WSGIRequest({"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(10**12), "wsgi.input": Unreadable()})
    with pytest.raises(InvalidParameters, match="too large"):
        read_bytes(request)


class Unreadable(BytesIO):
    def read(self, *_sizes: int | None) -> bytes:
        raise AssertionError("nobody should read this")


class BrokenOff(BytesIO):
    def read(self, *_sizes: int | None) -> bytes:
        raise ConnectionResetError("the client went away")


@pytest.mark.parametrize(
    ("charset", "written_in"),
    [
        ("utf-16", "utf-16"),
        ("UTF-16", "utf-16-le"),
        ("utf-16le", "utf-16-le"),
        ("utf-16BE", "utf-16-be"),
        ("ISO-8859-1", "latin-1"),
        ('"windows-1252"', "cp1252"),
        ("ISO-8859-1", "utf-8"),
        ("utf-16", "utf-8-sig"),
        # Without a word about it: PowerShell 5 writes Latin-1, and .NET's "Unicode" is plain to see (ADR 0061).
        ("", "latin-1"),
        ("", "utf-16"),
        ("", "utf-16-le"),
        ("", "utf-16-be"),
    ],
)
def test_a_body_may_be_written_in_the_charset_that_it_declares(send: Send, charset: str, written_in: str) -> None:
    """UTF-8 comes first: more programs declare a charset that they do not write than write another one."""
    body = "{'message': 'Café à 5'}".encode(written_in)
    declared = f"; charset={charset}" if charset else ""
    response = send("POST", MESSAGES, body, content_type=f"application/json{declared}")
    assert response.status_code == 200, response.content
    assert response.json()["sent"]["message"] == "Café à 5"


@pytest.mark.parametrize(
    ("charset", "body"),
    [
        ("utf-16", b"{\x00'\x00a"),
        ("utf-16", "{'message': 'x'}".encode("utf-16-le")[:-1]),
        ("utf-8", b"{'message': 'caf\xe9'}"),
        ("koi8-r", b"{'message': '\xd0'}"),
        ("base64", b"{'message': '\xd0'}"),
        ("utf-8", "{'message': 'x'}".encode("utf-16-le")),
        ("", b"{'message': 'caf\x81'}"),  # no letter in Windows-1252
        ("", b"\xff\xfe{"),
        ("", b"{\x00'\x00a"),
    ],
)
def test_a_body_that_is_not_in_the_charset_that_it_declares_is_refused(send: Send, charset: str, body: bytes) -> None:
    declared = f"; charset={charset}" if charset else ""
    response = send("POST", MESSAGES, body, content_type=f"application/json{declared}")
    assert refusal(response)[:2] == (400, "InvalidParameters")


def test_a_client_that_goes_away_in_mid_body_is_not_our_fault() -> None:
    environ = {"REQUEST_METHOD": "POST", "wsgi.input": BrokenOff()}
    for how in ({"CONTENT_LENGTH": "10"}, {"HTTP_TRANSFER_ENCODING": "chunked"}):
        with pytest.raises(UnreadablePostError) as caught:
            read_bytes(WSGIRequest({**environ, **how}))
        assert isinstance(to_wire(caught.value), InvalidParameters)


def chunked(data: bytes) -> WSGIRequest:
    return WSGIRequest({"REQUEST_METHOD": "POST", "HTTP_TRANSFER_ENCODING": "Chunked", "wsgi.input": BytesIO(data)})


def test_a_body_in_chunks_is_read() -> None:
    assert read_bytes(chunked(HELLO.encode())) == HELLO.encode()


def test_a_body_in_chunks_is_bounded() -> None:
    with pytest.raises(InvalidParameters, match="too large"):
        read_bytes(chunked(b"x" * (lenient_json.MAX_BYTES + 1)))


@pytest.mark.parametrize(
    "headers",
    [{"accessToken": " abc "}, {"ACCESSTOKEN": "abc"}, {"Authorization": "Bearer abc"},
     {"Authorization": "BEARER  abc "}, {"Authorization": "Bearer second", "accessToken": "abc"}],
)  # fmt: skip
def test_the_access_token_is_found_in_either_header(headers: dict[str, str]) -> None:
    assert read_token(headers) == "abc"


@pytest.mark.parametrize(
    "headers",
    [{}, {"accessToken": ""}, {"accessToken": "  "}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer"},
     {"Authorization": "Bearer  "}, {"Authorization": "abc"}, {"access-token": "abc"}],
)  # fmt: skip
def test_without_one_the_token_is_missing(headers: dict[str, str]) -> None:
    with pytest.raises(TokenMissing):
        read_token(headers)


def test_any_header_is_read_stripped_and_is_empty_when_absent() -> None:
    request = RequestFactory().get("/", headers={"applicationId": " x ", "X-Request-ID": "y"})
    assert header(request, "applicationId") == header(request, "ApplicationID") == "x"
    assert header(request, "x-request-id") == "y"
    assert header(request, "applicationSecret") == ""


@pytest.mark.parametrize(
    ("value", "read"),
    [("abc,abc", "abc"), (" abc ,abc, abc ", "abc"), *((kept, kept) for kept in ("abc, abd", "abc,", ",abc", ","))],
)
def test_a_header_said_twice_counts_once_and_one_said_in_two_ways_stays_as_it_is(value: str, read: str) -> None:
    request = RequestFactory().get("/", headers={"accessToken": value, "applicationId": value})
    assert access_token(request) == header(request, "applicationId") == read


# Wire protocol §3, typed from the page: status, errorCode, errorCategoryKey.
TABLE = [
    (errors.TokenMissing(), 401, "InvalidToken", "AuthException"),
    (errors.TokenInvalid(), 401, "InvalidToken", "AuthException"),
    (errors.WrongConnectorCredentials(), 401, "Unauthenticated", "AuthException"),
    (errors.RefreshTokenRefused("Expired."), 401, "InvalidToken", "AuthException"),
    (errors.PermissionMissing("Text Message"), 403, "Unauthorized", "AuthException"),
    (errors.GroupNotReachable(), 403, "Unauthorized", "AuthException"),
    (errors.InvalidParameters("name is missing."), 400, "InvalidParameters", "ValidationException"),
    (errors.UnknownResource(), 404, "NotFound", "NotFoundException"),
    (errors.UnsupportedMediaType([".jpg", ".png"]), 415, "UnsupportedMediaType", "ValidationException"),
    (errors.PayloadTooLarge(), 413, "PayloadTooLarge", "ValidationException"),
    (errors.Throttled(retry_after=7), 429, "TooManyRequests", "ThrottlingException"),
    (errors.MethodNotAllowed(["GET", "PUT"]), 405, "MethodNotAllowed", "ValidationException"),
]


@pytest.mark.parametrize(("problem", "status", "code", "category"), TABLE, ids=lambda value: type(value).__name__)
def test_every_row_is_answered_as_the_protocol_writes_it(
    problem: errors.ApiError, status: int, code: str, category: str
) -> None:
    response = problem.response()
    body = json.loads(response.content)
    assert response.status_code == status
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert list(body) == ["message", "errorCode", "errorCategoryKey"]
    assert (body["errorCode"], body["errorCategoryKey"]) == (code, category)
    assert body["message"]


def test_the_texts_that_programs_match_are_the_protocols_to_the_letter() -> None:
    assert str(errors.TokenMissing()) == "Token missing. Header should have token as value of ACCESSTOKEN"
    assert "Invalid token. Failure reason:Token validation failed due to unknown reason!" in str(errors.TokenInvalid())
    assert str(errors.WrongConnectorCredentials()) == "Dont have correct applicationId and secret in header!"


GUID = UUID("df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62")


def test_ids_and_shapes_have_a_spelling() -> None:
    value = json.loads(encode({"id": GUID, "sent": SendMessage.parse({"message": "x", "name": "Team"})}))
    assert value["id"] == "df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62"
    assert value["sent"]["groupName"] == "Team"


@pytest.mark.parametrize("value", [datetime(2026, 1, 1, tzinfo=UTC), Decimal("1"), {1, 2}, object(), b"x", 1j])
def test_what_has_no_one_spelling_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        encode({"value": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"JSON|surrogates"):
        encode([value])
