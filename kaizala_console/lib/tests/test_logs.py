"""Log lines, what never stands in them, and the request that they belong to."""

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.test import Client, RequestFactory
from pytest_django import Settings

from kaizala_console.lib import logging as lib_logging
from kaizala_console.lib import request_context
from kaizala_console.lib.client_address import client_address

TOKEN = "kzrt_" + "Ab3" * 12


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Production's log, caught. The configuration before is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    before = structlog.get_config()
    config = lib_logging.logging_config(json=True)
    caught = io.StringIO()
    config["handlers"]["stderr"]["stream"] = caught
    config["loggers"] = {}
    structlog.configure(cache_logger_on_first_use=False)
    logging.config.dictConfig(config)
    yield caught
    root.handlers[:], root.level = handlers, level
    structlog.configure(**before)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_structlog_and_logging_write_the_same_json(stream: io.StringIO) -> None:
    structlog.get_logger("ours").info("group.created", group="7")
    logging.getLogger("theirs").warning("retry %s of %d", "x", 3)
    ours, theirs = lines(stream)
    assert (ours["event"], ours["group"], ours["level"], ours["logger"]) == ("group.created", "7", "info", "ours")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("retry x of 3", "warning", "theirs")
    assert ours["timestamp"].endswith("Z")


def test_a_line_carries_the_id_of_the_request_at_hand(stream: io.StringIO) -> None:
    with request_context.use(request_context.RequestContext(request_id="trace-0123456789")):
        logging.getLogger("theirs").warning("inside")
    logging.getLogger("theirs").warning("outside")
    inside, outside = lines(stream)
    assert inside["request_id"] == "trace-0123456789"
    assert "request_id" not in outside


def test_a_token_is_struck_out_wherever_it_stands(stream: io.StringIO) -> None:
    ours, theirs = structlog.get_logger("ours"), logging.getLogger("theirs")
    ours.info(f"got {TOKEN}.", value=TOKEN, deep={"list": [{"x": f"a {TOKEN} b"}]}, raw=TOKEN.encode())
    theirs.warning("token %s", TOKEN)
    try:
        raise ValueError(f"bad token {TOKEN}")
    except ValueError:
        theirs.exception("failed")
        ours.exception("failed")
    assert len(lines(stream)) == 4
    assert TOKEN not in stream.getvalue()
    assert stream.getvalue().count("kzrt_[redacted]") >= 7


def test_a_value_under_a_secrets_name_is_struck_out_whatever_it_looks_like(stream: io.StringIO) -> None:
    names = ["applicationSecret", "connector_secret", "refreshToken", "ACCESSTOKEN", "Authorization", "password", "pin",
             "sms_pin", "pin_code", "callBackToken", "HTTP_COOKIE", "sessionCookie"]  # fmt: skip
    structlog.get_logger("ours").info("call", headers=dict.fromkeys(names, "J7Q2K9ZX1B"))
    assert "J7Q2K9ZX1B" not in stream.getvalue()
    assert lines(stream)[0]["headers"] == dict.fromkeys(names, "[redacted]")


def test_a_traceback_shows_no_local_variables(stream: io.StringIO) -> None:
    secret_local = "J7Q2K9ZX1B"
    try:
        raise KeyError("x")
    except KeyError:
        structlog.get_logger("ours").exception("failed")
    assert "KeyError" in lines(stream)[0]["exception"]
    assert secret_local not in stream.getvalue()


def test_what_looks_like_a_token_is_struck_out_of_any_value() -> None:
    class Leaky:
        def __repr__(self) -> str:
            return f"<Leaky {TOKEN}>"

    assert lib_logging.redact(Leaky()) == "<Leaky kzrt_[redacted]>"
    assert lib_logging.redact(f"Bearer {TOKEN}, please") == "Bearer kzrt_[redacted], please"
    assert lib_logging.redact("kzrt_short") == "kzrt_short"
    loop: list[Any] = [TOKEN]
    loop.append(loop)
    assert TOKEN not in str(lib_logging.redact(loop))


def test_readable_lines_of_the_sandbox_are_redacted_too(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    config = lib_logging.logging_config(json=False)
    structlog.configure(**before)
    formatter = config["formatters"]["structured"]
    made = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=formatter["foreign_pre_chain"], processors=formatter["processors"]
    )
    record = logging.LogRecord("theirs", logging.INFO, __file__, 1, "token %s", (TOKEN,), None)
    text = made.format(record)
    assert TOKEN not in text
    assert "[redacted]" in text


def test_a_foreign_host_costs_one_line_and_no_traceback(stream: io.StringIO) -> None:
    assert Client(headers={"Host": "scanner.example"}).get("/").status_code == 400
    (line,) = lines(stream)
    assert line["level"] == "warning"
    assert "scanner.example" in line["event"]
    assert "exception" not in line


@pytest.mark.parametrize(
    "offered",
    [
        "",
        "short",
        "x" * 129,
        "with space",
        "new\nline-12345",
        "-leading-hyphen",
        "é" * 10,
        "kzcs_" + "A" * 65,
        "id-kzrt_x",
    ],
)
def test_a_request_id_that_is_not_sane_is_replaced_by_a_new_one(offered: str) -> None:
    request = RequestFactory().get("/", HTTP_X_REQUEST_ID=offered)
    first, second = request_context.from_request(request).request_id, request_context.from_request(request).request_id
    assert first != offered
    assert first != second
    assert len(first) == 32


def test_a_user_agent_is_cut_short_and_cannot_break_a_line() -> None:
    request = RequestFactory().get("/", HTTP_USER_AGENT="agent\r\nforged: line\x1b[31m" + "x" * 1000)
    agent = request_context.from_request(request).user_agent
    assert agent.startswith("agentforged: line[31mxxx")
    assert len(agent) == 256


def address(peer: str, forwarded: str | None = None) -> str:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),  # the peer is no proxy of ours: the header is a claim
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),  # what the client wrote itself stands further left
        ("10.0.0.1", "203.0.113.9, 10.0.0.2, 10.0.0.3", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),  # from inside
        ("10.0.0.1", "203.0.113.9, garbage, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "garbage", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8:2::9]:4711", "2001:db8:2::9"),
        ("10.0.0.1", "2001:db8:2::9", "2001:db8:2::9"),
        ("2001:db8:1::1", "203.0.113.9", "203.0.113.9"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("", "203.0.113.9", ""),
    ],
)
def test_behind_proxies_the_last_hop_that_cannot_be_forged_counts(
    settings: Settings, peer: str, forwarded: str | None, expected: str
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "2001:db8:1::/48"]
    assert address(peer, forwarded) == expected
    settings.TRUSTED_PROXIES = []
    assert address(peer, forwarded) == peer, "without proxies the header is a claim"
