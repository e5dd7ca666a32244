"""The request at hand, for those who write the audit trail and the log.

A context variable, so that no service has to pass an address through ten calls only to write it down. Nothing
may *decide* by it: rights come from arguments.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from django.http import HttpRequest

from kaizala_console.lib.client_address import read_address

# None that reads as one of our credentials: it is written to every log line, and to the audit trail.
_SANE_REQUEST_ID: Final = re.compile(r"(?!.*kz[a-z]{2}_)[A-Za-z0-9][A-Za-z0-9._-]{7,127}", re.ASCII)
_LONGEST_USER_AGENT: Final = 256


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Who is asking, as far as the transport knows. Empty outside of a request."""

    request_id: str = ""
    client_address: str = ""
    user_agent: str = ""


_NOWHERE: Final = RequestContext()
_current: ContextVar[RequestContext] = ContextVar("kaizala_console_request", default=_NOWHERE)


def current() -> RequestContext:
    """Return the context of the request or task that is running; an empty one when there is none."""
    return _current.get()


@contextmanager
def use(context: RequestContext) -> Iterator[RequestContext]:
    """Make ``context`` the current one inside the ``with`` block."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def from_request(request: HttpRequest) -> RequestContext:
    """Describe ``request``: its ``X-Request-ID`` if that is sane, else a new id; address; user agent, cut short."""
    return from_environ(request.META)


def from_environ(environ: Mapping[str, str]) -> RequestContext:
    """As ``from_request``, of what the server says of a request."""
    return RequestContext(
        request_id=read_request_id(environ),
        client_address=read_address(environ),
        user_agent=_printable(environ.get("HTTP_USER_AGENT", ""))[:_LONGEST_USER_AGENT],
    )


def read_request_id(environ: Mapping[str, str]) -> str:
    """Return the ``X-Request-ID`` that was sent if that is sane, else a new id."""
    offered = environ.get("HTTP_X_REQUEST_ID", "")
    return offered if _SANE_REQUEST_ID.fullmatch(offered) else uuid4().hex


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c for c in text if c.isprintable())
