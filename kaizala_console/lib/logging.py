"""One stream of structured log lines, from structlog and from ``logging`` alike.

JSON in production, readable in the sandbox. Every line carries the request id. Anything that looks like one of
our credentials is struck out as the last step before rendering, tracebacks included: a net below the rule that
nobody logs one.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Final

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from kaizala_console.lib import request_context

REDACTED: Final = "[redacted]"

_CREDENTIAL: Final = re.compile(r"(kz[a-z]{2}_)[0-9A-Za-z][0-9A-Za-z_.-]{19,}", re.ASCII)
# Values under these names are never printed, whatever they look like (old secrets are ten letters and digits).
_SECRET_NAME: Final = re.compile(
    r"(?:access|refresh|csrf|callback|call_back)_?token|secret|password|passwd|authorization|cookie|\bpin\b|_pin$|^pin_|pepper"
    r"|api_?key|private_?key",
    re.ASCII | re.IGNORECASE,
)
_DEEPEST: Final = 8


def redact(value: Any) -> Any:
    """Return ``value`` with everything in it struck out that looks like a credential of ours, at any depth."""
    return _redact(value, _DEEPEST)


def _redact(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _CREDENTIAL.sub(rf"\1{REDACTED}", value) if "kz" in value else value
    if isinstance(value, bytes):
        return _redact(value.decode("utf-8", "replace"), depth) if b"kz" in value else value
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth == 0:
        return _redact(repr(value), depth)
    if isinstance(value, Mapping):
        return {
            _redact(key, depth - 1): (
                REDACTED if isinstance(key, str) and item and _SECRET_NAME.search(key) else _redact(item, depth - 1)
            )
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact(item, depth - 1) for item in value]
    # Left to the renderer otherwise; an object whose text holds a credential becomes that text, struck out.
    text = repr(value)
    return _redact(text, depth) if _CREDENTIAL.search(text) else value


def _redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # structlog's own keys hold the record and must stay what they are.
    private = {key: event[key] for key in event if key.startswith("_")}
    public = {key: value for key, value in event.items() if not key.startswith("_")}
    return {**redact(public), **private}


def _add_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    request_id = request_context.current().request_id
    if request_id:
        event.setdefault("request_id", request_id)
    return event


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _add_request_id,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        # Plain tracebacks: structlog's rich ones print local variables, secrets among them.
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
    ]


class _OneLine(logging.Filter):
    """Keeps what strangers can cause at will to a line: scanners name a foreign Host all day."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


def logging_config(*, json: bool, level: str = "INFO") -> dict[str, Any]:
    """Return the value of ``settings.LOGGING``, and configure structlog to match.

    ``json`` is for machines (production); otherwise lines are for people. Everything goes to standard error.
    """
    shared = _shared_processors()
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer(default=str)
        if json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redact_event, renderer],
            }
        },
        "filters": {"one_line": {"()": _OneLine}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django adds handlers of its own to these two; ours does for all.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            "django.security.DisallowedHost": {"filters": ["one_line"]},
            # At INFO it writes three lines for each task.
            "celery": {"level": "WARNING"},
            # At DEBUG it writes codes and refresh tokens.
            "oauthlib": {"level": "INFO"},
            # At INFO it writes nine lines for each message.
            "twilio": {"level": "WARNING"},
            # Below INFO it writes a page's whole context for every variable that is not there: form keys among it.
            "django.template": {"level": "INFO"},
        },
    }
