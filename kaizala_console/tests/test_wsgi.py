"""The two guards before Django, and what Django makes of a request behind them."""

import io
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from structlog.testing import capture_logs

from accounts.models import User
from connectors.tests.factories import make_connector, make_program
from kaizala_console.lib.client_address import is_in
from kaizala_console.wsgi import application, for_this_machine_only, with_the_scheme_of_the_proxy


def inner(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [environ.get("wsgi.url_scheme", "").encode(), environ.get("HTTP_X_FORWARDED_PROTO", "gone").encode()]


def call(application: Callable[..., Iterable[bytes]], **environ: str) -> tuple[str, list[bytes]]:
    statuses: list[str] = []
    body = application(
        {"wsgi.url_scheme": "http", "REQUEST_METHOD": "GET"} | environ, lambda status, headers: statuses.append(status)
    )
    return statuses[0], list(body)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_a_sandbox_answers_on_its_own_machine(address: str) -> None:
    assert call(for_this_machine_only(inner), REMOTE_ADDR=address)[0] == "200 OK"


@pytest.mark.parametrize("address", ["10.0.0.7", "203.0.113.9", "2001:db8::1", "::ffff:10.0.0.7", "", "localhost"])
def test_a_sandbox_refuses_everybody_else_whatever_the_server_was_told_to_bind(address: str) -> None:
    status, body = call(for_this_machine_only(inner), REMOTE_ADDR=address, HTTP_X_FORWARDED_FOR="127.0.0.1")
    assert status == "403 Forbidden"
    assert b"sandbox" in body[0]


def test_the_scheme_is_believed_from_a_trusted_proxy() -> None:
    application = with_the_scheme_of_the_proxy(inner, ["10.0.0.0/8"])
    assert call(application, REMOTE_ADDR="10.0.0.7", HTTP_X_FORWARDED_PROTO="https")[1] == [b"https", b"gone"]


@pytest.mark.parametrize(
    ("address", "header"),
    [("203.0.113.9", "https"), ("10.0.0.7", "gopher"), ("10.0.0.7", ""), ("10.0.0.7", "https, http")],
)
def test_the_scheme_is_not_believed_from_anybody_else_nor_when_it_is_none(address: str, header: str) -> None:
    application = with_the_scheme_of_the_proxy(inner, ["10.0.0.0/8"])
    assert call(application, REMOTE_ADDR=address, HTTP_X_FORWARDED_PROTO=header)[1] == [b"http", b"gone"]


def test_a_proxy_that_is_not_trusted_is_logged_once() -> None:
    application = with_the_scheme_of_the_proxy(inner, ["127.0.0.0/8"])
    with capture_logs() as lines:
        for headers in ({"HTTP_X_FORWARDED_PROTO": "https"}, {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}, {}):
            call(application, REMOTE_ADDR="10.0.0.7", **headers)
            call(application, REMOTE_ADDR="127.0.0.1", **headers)
        for number in range(100):
            call(application, REMOTE_ADDR=f"203.0.113.{number}", HTTP_X_FORWARDED_PROTO="https")
    assert [line["event"] for line in lines] == ["proxy.not_trusted"] * 20
    assert lines[0]["address"] == "10.0.0.7"
    assert "TRUSTED_PROXIES" in lines[0]["hint"]


@pytest.mark.django_db
@pytest.mark.parametrize("charset", ["utf-16", "punycode", "base64", "undefined", "no-such-thing"])
@pytest.mark.parametrize("parameter", ["charset={}", "x*={}'en'%zz"])
@pytest.mark.parametrize("path", ["/v1/groups", "/healthz"])
def test_no_content_type_keeps_a_request_from_being_answered(charset: str, parameter: str, path: str) -> None:
    """A charset is of the body: Django would read the query string in it, before anything of ours could answer."""
    status, _body = call(
        application,
        REMOTE_ADDR="127.0.0.1",
        REQUEST_METHOD="HEAD",
        PATH_INFO=path,
        QUERY_STRING="showDetails=true",
        CONTENT_TYPE=f"application/json; {parameter.format(charset)}",
        SERVER_NAME="localhost",
        SERVER_PORT="80",
        **{"wsgi.input": io.BytesIO()},  # type: ignore[arg-type]
    )
    assert status[:3] in ("401", "200")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/v1/groups", "/console/"])
def test_a_content_type_with_very_many_parameters_is_refused_unread(path: str) -> None:
    environ = {"REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "localhost", "SERVER_PORT": "8000", "REQUEST_METHOD": "POST"}
    environ |= {"PATH_INFO": path, "CONTENT_TYPE": "text/plain" + ";a=1" * 100_000}
    began = time.process_time()
    status, body = call(application, **environ)
    assert time.process_time() - began < 0.5
    assert status == "400 Bad Request"
    assert json.loads(b"".join(body))["errorCode"] == "InvalidParameters"


@pytest.mark.django_db
def test_the_quick_way_answers_as_django_does_and_leaves_the_rest_to_it(
    developer: User, group_admin: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a web process gets requests: in the shape of PEP 3333."""
    program = make_program(make_connector(developer), group_admin)
    # The transaction of the test is in the connection that each request would give back at its end.
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)

    def request(method: str = "GET", **other: str) -> tuple[str, dict[str, str], bytes]:
        environ: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "localhost", "SERVER_PORT": "80"}
        environ |= {
            "REQUEST_METHOD": method,
            "PATH_INFO": "/v1/accessToken",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
        }
        environ |= {f"HTTP_{name.upper()}": value for name, value in (program.headers() | other).items()}
        started: list[tuple[str, dict[str, str]]] = []
        body = application(environ, lambda status, headers: started.append((status, dict(headers))))
        return *started[0], b"".join(body)

    ordinary = request(x_request_id="trial-0001")  # the first use of a token
    with CaptureQueriesContext(connection) as captured:
        status, headers, body = request(x_request_id="trial-0001")
    assert len(captured) == 1
    assert status == "200 OK"
    assert (status, headers) == ordinary[:2]
    assert json.loads(body).keys() == json.loads(ordinary[2]).keys()
    assert request("HEAD")[0] == "200 OK"
    assert request("HEAD")[2] == b""
    assert request(applicationSecret="wrong")[0].startswith("401")
    settings.SECURE_SSL_REDIRECT = True
    assert request()[0].startswith("403")


def test_an_address_with_a_zone_is_understood() -> None:
    assert is_in("fe80::1%eth0", ["fe80::/10"]) is True
    assert is_in("nonsense", ["0.0.0.0/0"]) is False
