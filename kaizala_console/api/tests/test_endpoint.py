"""Declared endpoints."""

from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import UnreadablePostError

from kaizala_console.api import lenient_json
from kaizala_console.api.errors import InvalidParameters, to_wire
from kaizala_console.api.request_body import read_bytes
from kaizala_console.api.tests.conftest import Send
from kaizala_console.api.tests.sample_urls import (
    READ_ONLY,
    SEEN,
)

MESSAGES = "/v1/groups/AbC/messages"
HELLO = '{"message": "Hello"}'


def refusal(response: Any) -> tuple[int, str, str, str]:
    body = response.json()
    assert list(body) == ["message", "errorCode", "errorCategoryKey"]
    assert response["Content-Type"] == "application/json; charset=utf-8"
    return response.status_code, body["errorCode"], body["errorCategoryKey"], body["message"]


# What goes well ------------------------------------------------------------------------------------------------


def test_an_operation_is_called_with_the_caller_the_body_and_the_arguments_of_its_path(send: Send) -> None:
    response = send("POST", MESSAGES, HELLO)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response.json()["groupId"] == "AbC"
    assert response.json()["sent"]["message"] == "Hello"


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


# Who may ask ---------------------------------------------------------------------------------------------------


def test_without_a_token_the_protocols_text_says_so(send: Send) -> None:
    assert refusal(send("POST", MESSAGES, HELLO, token="")) == (
        401, "InvalidToken", "AuthException", "Token missing. Header should have token as value of ACCESSTOKEN"
    )  # fmt: skip


def test_with_a_bad_token_nothing_is_told_of_the_body(send: Send) -> None:
    status, code, _category, message = refusal(send("POST", MESSAGES, "{bad", token="forged"))
    assert (status, code) == (401, "InvalidToken")
    assert "Invalid token. Failure reason:Token validation failed due to unknown reason!" in message


def test_a_missing_scope_names_the_permission_before_the_body_is_looked_at(send: Send) -> None:
    status, code, category, message = refusal(send("POST", MESSAGES, "{bad", token=READ_ONLY))
    assert (status, code, category) == (403, "Unauthorized", "AuthException")
    assert '"Text Message"' in message
    assert send("GET", MESSAGES, token=READ_ONLY).status_code == 200


def test_a_bearer_token_will_do(send: Send) -> None:
    assert send("GET", MESSAGES, token="", headers={"Authorization": f"Bearer {READ_ONLY}"}).status_code == 200


# Methods -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_another_method_is_refused_with_those_that_are_there(send: Send, method: str) -> None:
    response = send(method, MESSAGES)
    assert refusal(response)[:3] == (405, "MethodNotAllowed", "ValidationException")
    assert response["Allow"] == "POST, GET, HEAD, OPTIONS"


def test_head_is_get_without_its_body(send: Send) -> None:
    got, head = send("GET", MESSAGES), send("HEAD", MESSAGES)
    assert (head.status_code, head.content) == (200, b"")
    assert head["Content-Length"] == got["Content-Length"] == str(len(got.content))


def test_head_where_there_is_no_get_is_refused(send: Send) -> None:
    assert send("HEAD", "/v1/things").status_code == 405


# What goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "message is missing"),
        ("{}", "message is missing"),
        ("[]", "must be a JSON object"),
        ('"{\\"message\\": \\"x\\"}"', "must be a JSON object, not text that holds one: it was encoded twice"),
        ("{", "not valid JSON"),
        ("message=Hello%20all", "not valid JSON: it is form data"),
        ("message=a+b&count=2", "not valid JSON: it is form data"),
        (b"\xff", "UTF-8"),
        ("[" * 100_000, "deeper than 64"),
        ('{"message": "x\\u0000"}', "NUL"),
        ('{"message": "\\ud800"}', "surrogate"),
    ],
)
def test_a_body_that_cannot_be_used_is_a_400_that_says_why(send: Send, body: str | bytes, says: str) -> None:
    status, code, category, message = refusal(send("POST", MESSAGES, body))
    assert (status, code, category) == (400, "InvalidParameters", "ValidationException")
    assert says in message


@pytest.mark.parametrize("query", ["count=x", "count=0", "cursor=%00", "&".join(["a=1"] * 2000)])
def test_a_query_that_cannot_be_used_is_a_400(send: Send, query: str) -> None:
    assert refusal(send("GET", f"{MESSAGES}?{query}"))[:2] == (400, "InvalidParameters")


def test_a_query_in_no_known_encoding_is_read_as_far_as_it_goes(send: Send) -> None:
    assert send("GET", f"{MESSAGES}?cursor=%ff%fe&%zz=%").status_code == 200


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


@pytest.mark.parametrize("headers", [{"Content-Encoding": "gzip"}, {"Content-Encoding": "br"}])
def test_a_packed_body_is_refused_with_what_is_supported(send: Send, headers: dict[str, str]) -> None:
    status, code, category, message = refusal(send("POST", MESSAGES, HELLO, headers=headers))
    assert (status, code, category) == (415, "UnsupportedMediaType", "ValidationException")
    assert (
        message
        == "The Content-Encoding of this body is not supported: send it as it is. Supported are: application/json."
    )


def test_a_multipart_body_is_refused_where_json_is_asked(send: Send) -> None:
    response = send("POST", MESSAGES, "--x--", content_type="multipart/form-data; boundary=x")
    assert refusal(response)[:2] == (415, "UnsupportedMediaType")


# Chunks: .NET sends them, and Django reads nothing without a Content-Length ---------------------------------------


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


# Declaring -----------------------------------------------------------------------------------------------------
