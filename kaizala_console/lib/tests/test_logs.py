"""Log lines, and what never stands in them."""

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.test import Client

from kaizala_console.lib import logging as lib_logging
from kaizala_console.lib import request_context

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
    names = [
        "applicationSecret",
        "connector_secret",
        "refreshToken",
        "access_token",
        "ACCESSTOKEN",
        "Authorization",
        "password",
        "pin",
        "sms_pin",
        "pin_code",
        "callBackToken",
        "HTTP_COOKIE",
        "sessionCookie",
    ]
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


def test_text_is_redacted_by_pattern_and_only_the_secret_part() -> None:
    assert lib_logging.redact(f"Bearer {TOKEN}, please") == "Bearer kzrt_[redacted], please"
    assert lib_logging.redact("kzrt_short") == "kzrt_short"


def test_an_object_whose_text_holds_a_token_becomes_text() -> None:
    class Leaky:
        def __repr__(self) -> str:
            return f"<Leaky {TOKEN}>"

    assert lib_logging.redact(Leaky()) == "<Leaky kzrt_[redacted]>"


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


def test_a_structure_that_contains_itself_ends() -> None:
    loop: list[Any] = [TOKEN]
    loop.append(loop)
    assert TOKEN not in str(lib_logging.redact(loop))
