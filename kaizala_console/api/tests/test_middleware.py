"""The door of the wire."""

from typing import Any

import pytest
import structlog
from django.test import Client
from django.utils import translation
from pytest_django import Settings
from structlog.types import EventDict

from kaizala_console.api.tests.conftest import Send
from kaizala_console.lib import request_context

MESSAGES = "/v1/groups/AbC/messages"


def refusal(response: Any) -> tuple[int, str]:
    body = response.json()
    assert list(body) == ["message", "errorCode", "errorCategoryKey"]
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert "secret detail" not in response.content.decode()
    return response.status_code, body["errorCode"]


# Paths ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/v1/groups/AbC/messages", "/v1//groups/AbC/messages/", "/V1/GROUPS/AbC/Messages", "/groups/AbC/messages",
     "/Groups/AbC/messages//", "/v1/groups/%41b%43/messages"],
)  # fmt: skip
def test_every_spelling_of_a_path_is_answered(send: Send, path: str) -> None:
    assert send("GET", path).json()["groupId"] == "AbC"


def test_a_double_slash_in_front_is_answered(sample_wire: None) -> None:
    # As the server hands it on; the test client would take "//v1" for a host.
    response = Client().get("/", PATH_INFO="//v1/context")
    assert set(response.json()) == {"requestId", "clientAddress", "userAgent"}


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nope", "/groups/AbC/nope", "/api/oauth/nope", "/v1/../console/"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_nothing_there_is_the_protocols_404_and_no_page(send: Send, method: str, path: str) -> None:
    assert refusal(send(method, path)) == (404, "NotFound")


@pytest.mark.parametrize("argument", ["%00", "a%00b", "%0d%0aX-Forged:%201", "%1b[31m", "%7f", "%e2%80%ae"])
def test_a_path_with_characters_that_do_not_belong_there_is_a_400(send: Send, argument: str) -> None:
    response = send("GET", f"/v1/groups/{argument}/messages")
    assert refusal(response) == (400, "InvalidParameters")
    assert "X-Forged" not in response


@pytest.mark.parametrize(
    "argument", ["%ff%fe", "%zz", "%", "%c3%28", "..", "%F0%9F%98%80", "'--", "{group-id}", "x" * 5000]
)
def test_any_other_argument_reaches_its_operation(send: Send, argument: str) -> None:
    assert send("GET", f"/v1/groups/{argument}/messages").status_code == 200


def test_pages_of_the_console_pass_through_untouched(send: Send) -> None:
    response = send("GET", "/console/")
    assert b"console page" in response.content
    for name in ("Access-Control-Allow-Origin", "X-Request-ID", "Cache-Control"):
        assert name not in response
    assert send("GET", "/nowhere/").status_code == 404
    assert send("GET", "/nowhere/")["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/api/oauth/authorize", "/api/Oauth/Authorize", "/API//OAUTH/authorize/"])
def test_a_page_of_the_protocol_is_handed_to_the_console_under_its_own_name(send: Send, path: str) -> None:
    response = send("GET", f"{path}?state=Xyz")
    assert b"console page /api/oauth/authorize Xyz" in response.content
    assert "Access-Control-Allow-Origin" not in response


# Headers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", MESSAGES), ("PUT", MESSAGES), ("GET", "/v1/nope"), ("GET", "/v1/plain"), ("GET", "/v1/file")],
)
def test_every_answer_may_be_read_from_anywhere_is_never_sniffed_and_carries_the_request_id(
    send: Send, method: str, path: str
) -> None:
    response = send(method, path, headers={"Origin": "https://elsewhere.example"})
    assert response["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response
    assert response["X-Content-Type-Options"] == "nosniff"
    assert len(response["X-Request-ID"]) == 32
    assert "X-Request-ID" in response["Access-Control-Expose-Headers"]
    assert not response.cookies


def test_answers_are_not_stored_unless_they_say_so_themselves(send: Send) -> None:
    assert send("GET", MESSAGES)["Cache-Control"] == "no-store"
    assert send("GET", "/v1/nope")["Cache-Control"] == "no-store"
    assert send("GET", "/v1/file")["Cache-Control"] == "max-age=60"


def test_over_tls_a_program_is_told_to_stay_there(send: Send, settings: Settings) -> None:
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    for path in (MESSAGES, "/v1/nope"):
        said = send("GET", path, secure=True)["Strict-Transport-Security"]
        assert said == "max-age=31536000; includeSubDomains; preload"
    assert "Strict-Transport-Security" not in send("GET", MESSAGES)
    settings.SECURE_HSTS_SECONDS = 0
    assert "Strict-Transport-Security" not in send("GET", MESSAGES, secure=True)


def test_a_sane_request_id_is_taken_over_and_any_other_replaced(send: Send) -> None:
    assert (
        send("GET", "/v1/context", headers={"X-Request-ID": "trace-0123456789"})["X-Request-ID"] == "trace-0123456789"
    )
    assert send("GET", "/v1/context", headers={"X-Request-ID": "a b<script>"})["X-Request-ID"] != "a b<script>"


def test_a_preflight_allows_what_the_protocol_needs(send: Send) -> None:
    response = send("OPTIONS", MESSAGES, token="", headers={"Access-Control-Request-Method": "POST"})
    assert (response.status_code, response.content) == (204, b"")
    assert response["Access-Control-Allow-Origin"] == "*"
    assert response["Access-Control-Allow-Methods"] == response["Allow"] == "POST, GET, HEAD, OPTIONS"
    allowed = {name.strip().lower() for name in response["Access-Control-Allow-Headers"].split(",")}
    assert {
        "accesstoken",
        "applicationid",
        "applicationsecret",
        "refreshtoken",
        "authorization",
        "content-type",
        "cache-control",
        "postman-token",
        "x-requested-with",
        "*",
    } <= allowed


# Context -------------------------------------------------------------------------------------------------------


def test_messages_are_english_whatever_language_was_active(send: Send) -> None:
    with translation.override("hi"):
        assert send("GET", "/v1/accessToken", headers={"Accept-Language": "hi"}).json()["language"] == "en"
        assert send("GET", "/v1/fail/notfound").json()["message"] == "There is nothing here, or it is not yours."
        assert translation.get_language() == "hi"


# What is raised ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("rule", 400, "InvalidParameters"),
        ("conflict", 400, "InvalidParameters"),
        ("notallowed", 403, "Unauthorized"),
        ("notfound", 404, "NotFound"),
        ("toosoon", 429, "TooManyRequests"),
        ("gateway", 503, "ServiceUnavailable"),
        ("group", 403, "Unauthorized"),
        ("404", 404, "NotFound"),
        ("denied", 403, "Unauthorized"),
        ("suspicious", 400, "InvalidParameters"),
        ("toobig", 413, "PayloadTooLarge"),
        ("locked", 503, "ServiceUnavailable"),
        ("toolong", 400, "InvalidParameters"),
    ],
)
def test_what_services_and_django_raise_is_a_row_of_the_table(send: Send, how: str, status: int, code: str) -> None:
    assert refusal(send("GET", f"/v1/fail/{how}")) == (status, code)


def test_the_field_of_a_broken_rule_is_named(send: Send) -> None:
    assert send("GET", "/v1/fail/rule").json()["message"] == "memberId: The last admin cannot be removed."


def test_too_soon_and_unavailable_say_when_to_come_back(send: Send) -> None:
    assert send("GET", "/v1/fail/toosoon")["Retry-After"] == "17"
    assert int(send("GET", "/v1/fail/locked")["Retry-After"]) > 0


@pytest.mark.parametrize("path", ["/v1/fail/bug", "/v1/fail/not-even-a-failure", "/v1/unspeakable"])
def test_what_nobody_foresaw_is_three_fields_without_detail_and_is_logged_with_the_request_id(
    send: Send, path: str
) -> None:
    seen: list[str] = []

    def note_request_id(logger: Any, name: str, event: EventDict) -> EventDict:
        seen.append(request_context.current().request_id)
        return event

    with structlog.testing.capture_logs(processors=[note_request_id]) as lines:
        response = send("GET", path, raise_request_exception=False)
    assert refusal(response) == (500, "InternalError")
    assert response["Access-Control-Allow-Origin"] == "*"
    [line] = lines
    assert (line["event"], line["log_level"]) == ("wire.unexpected", "error")
    assert line["route"] == path.removeprefix("/").replace("bug", "<how>").replace("not-even-a-failure", "<how>")
    assert line["exc_info"] is not None
    assert seen == [response["X-Request-ID"]]


def test_a_stream_passes_as_it_is(send: Send) -> None:
    response = send("GET", "/v1/file")
    assert response["Content-Type"] == "image/png"
    assert b"".join(response) == b"onetwo"


def test_the_call_knows_who_asks_and_forgets_it_afterwards(send: Send, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.0/8"]
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Request-ID": "trace-0123456789", "User-Agent": "curl/8"}
    assert send("GET", "/v1/context", headers=headers).json() == {
        "requestId": "trace-0123456789",
        "clientAddress": "203.0.113.9",
        "userAgent": "curl/8",
    }
    assert request_context.current().request_id == ""
