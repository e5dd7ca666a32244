"""Which view answers a path of the wire, and what every answer has."""

import sys
from types import ModuleType
from typing import Any

import pytest
import structlog
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path, re_path
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings
from structlog.types import EventDict

from kaizala_console.api.routing import Routes, console_page, get_routes
from kaizala_console.api.tests.conftest import Send
from kaizala_console.lib import request_context

SAMPLE = "kaizala_console.api.tests.sample_urls"


def routes(*patterns: Any) -> Routes:
    module = ModuleType("routes_of_a_test")
    module.urlpatterns = list(patterns)  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    try:
        return Routes(module.__name__)
    finally:
        del sys.modules[module.__name__]


def refusal(response: Any) -> tuple[int, str]:
    body = response.json()
    assert list(body) == ["message", "errorCode", "errorCategoryKey"]
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert "secret detail" not in response.content.decode()
    return response.status_code, body["errorCode"]


def view(request: HttpRequest, **arguments: Any) -> HttpResponse:
    return HttpResponse()


def matched(text: str) -> tuple[str, dict[str, Any]] | None:
    known = get_routes(SAMPLE)
    segments = known.segments_of(text)
    match = known.match(segments) if segments is not None else None
    return (match.route, match.arguments) if match else None


@pytest.mark.parametrize(
    "text",
    [
        "/v1/groups/AbC/messages",
        "//v1/groups///AbC/messages//",
        "/groups/AbC/messages/",
        "/V1/Groups/AbC/MESSAGES",
        "/v1/ groups/ AbC /messages/ ",
    ],
)
def test_every_spelling_of_a_path_leads_to_the_same_view_with_the_argument_as_it_was_sent(text: str) -> None:
    assert matched(text) == ("v1/groups/<group_id>/messages", {"group_id": "AbC"})


def test_a_literal_goes_before_an_argument_and_steps_back_when_it_leads_nowhere() -> None:
    assert matched("/v1/groups/g/reaction/summary") == ("v1/groups/<group_id>/reaction/summary", {"group_id": "g"})
    assert matched("/v1/groups/g/reaction/summary/summary") == (
        "v1/groups/<group_id>/reaction/<reference_id>/summary",
        {"group_id": "g", "reference_id": "summary"},
    )


@pytest.mark.parametrize("text", ["", "//", "/console/", "/v2/groups", "/api2/x", "/static/v1/groups"])
def test_paths_of_the_console_are_not_the_wires(text: str) -> None:
    assert get_routes(SAMPLE).segments_of(text) is None


@given(st.text(max_size=60))
def test_no_path_raises(text: str) -> None:
    matched(text)
    matched("/v1/groups/" + text)


@pytest.mark.parametrize(
    ("patterns", "says"),
    [
        ([path("v1/a", view), path("v1/A/", view)], "twice"),
        ([path("v1/<a>", view), path("v1/<b>", view)], "twice"),
        ([path("v1/x<a>", view)], "whole segment"),
        ([path("v1//x", view)], "no segment is empty"),
        ([path("v1/<path:rest>", view)], "single segment"),
        ([re_path("v1/a", view)], "path"),
        ([path("v1/<a>/page", console_page)], "no arguments"),
    ],
)
def test_routes_that_cannot_be_compiled_are_refused_at_once(patterns: list[Any], says: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=says):
        routes(*patterns)


def test_an_argument_on_a_wrong_track_is_forgotten() -> None:
    known = routes(path("v1/a/<x>/b", view), path("v1/<y>/c/d", view))
    found = known.match(["v1", "a", "c", "d"])
    assert found
    assert (found.route, found.arguments) == ("v1/<y>/c/d", {"y": "a"})


def test_a_converter_converts_or_refuses() -> None:
    known = routes(path("v1/n/<int:number>", view), path("v1/s/<slug:name>", view))
    found = known.match(["v1", "n", "17"])
    assert found
    assert found.arguments == {"number": 17}
    assert known.match(["v1", "n", "x"]) is None
    assert known.match(["v1", "n", "\N{ARABIC-INDIC DIGIT ONE}"]) is None
    assert known.match(["v1", "n", "9" * 5000]) is None  # more digits than Python turns into a number
    assert known.match(["v1", "s", "a b"]) is None


MESSAGES = "/v1/groups/AbC/messages"


@pytest.mark.parametrize("argument", ["%00", "a%00b", "%0d%0aX-Forged:%201", "%1b[31m", "%7f", "%e2%80%ae"])
def test_a_path_with_characters_that_do_not_belong_there_is_a_400(send: Send, argument: str) -> None:
    response = send("GET", f"/v1/groups/{argument}/messages")
    assert refusal(response) == (400, "InvalidParameters")
    assert "X-Forged" not in response


@pytest.mark.parametrize(
    "argument",
    ["AbC", "%41b%43", "%ff%fe", "%zz", "%", "%c3%28", "..", "%F0%9F%98%80", "'--", "{group-id}", "x" * 5000],
)
def test_any_other_argument_reaches_its_operation(send: Send, argument: str) -> None:
    answer = send("GET", f"/v1/groups/{argument}/messages")
    assert answer.status_code == 200
    assert answer.json()["groupId"] == "AbC" or argument not in ("AbC", "%41b%43")


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
    for address in (MESSAGES, "/v1/nope"):
        said = send("GET", address, secure=True)["Strict-Transport-Security"]
        assert said == "max-age=31536000; includeSubDomains; preload"
    assert "Strict-Transport-Security" not in send("GET", MESSAGES)
    settings.SECURE_HSTS_SECONDS = 0
    assert "Strict-Transport-Security" not in send("GET", MESSAGES, secure=True)


def test_messages_are_english_whatever_language_was_active(send: Send) -> None:
    with translation.override("hi"):
        assert send("GET", "/v1/accessToken", headers={"Accept-Language": "hi"}).json()["language"] == "en"
        assert send("GET", "/v1/fail/notfound").json()["message"] == "There is nothing here, or it is not yours."
        assert translation.get_language() == "hi"


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
    answer = send("GET", f"/v1/fail/{how}")
    assert refusal(answer) == (status, code)
    assert (int(answer.get("Retry-After", "0")) > 0) is (status in (429, 503))
    assert how != "rule" or answer.json()["message"].startswith("memberId: ")


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


def test_the_call_knows_who_asks_and_forgets_it_afterwards(send: Send, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.0/8"]
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Request-ID": "trace-0123456789", "User-Agent": "curl/8"}
    assert send("GET", "/v1/context", headers=headers).json() == {
        "requestId": "trace-0123456789",
        "clientAddress": "203.0.113.9",
        "userAgent": "curl/8",
    }
    assert request_context.current().request_id == ""


def test_a_double_slash_in_front_is_answered(sample_wire: None) -> None:
    # As the server hands it on; the test client would take "//v1" for a host.
    assert set(Client().get("/", PATH_INFO="//v1/context").json()) == {"requestId", "clientAddress", "userAgent"}


def test_pages_of_the_console_pass_through_untouched(send: Send) -> None:
    response = send("GET", "/console/")
    assert b"console page" in response.content
    for name in ("Access-Control-Allow-Origin", "X-Request-ID", "Cache-Control"):
        assert name not in response
    assert send("GET", "/nowhere/")["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/api/oauth/authorize", "/API//OAUTH/Authorize/"])
def test_a_page_of_the_protocol_is_handed_to_the_console_under_its_own_name(send: Send, path: str) -> None:
    response = send("GET", f"{path}?state=Xyz")
    assert b"console page /api/oauth/authorize Xyz" in response.content
    assert "Access-Control-Allow-Origin" not in response


def test_a_preflight_allows_what_the_protocol_needs(send: Send) -> None:
    response = send("OPTIONS", MESSAGES, token="", headers={"Access-Control-Request-Method": "POST"})
    assert (response.status_code, response.content) == (204, b"")
    assert response["Access-Control-Allow-Origin"] == "*"
    assert response["Access-Control-Allow-Methods"] == response["Allow"] == "POST, GET, HEAD, OPTIONS"
    allowed = response["Access-Control-Allow-Headers"].lower()
    for name in ("accesstoken", "applicationid", "applicationsecret", "refreshtoken", "authorization", "content-type",
                 "cache-control", "postman-token", "x-requested-with", "*"):  # fmt: skip
        assert name in allowed
