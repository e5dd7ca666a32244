"""WSGI entry point: `manage.py serve` serves it.

What stands before Django must hold under any server that is started by hand. And Django is told to read addresses as
UTF-8, whatever Content-Type says: it would read that header before our middlewares.
"""

import io
import os
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.utils.http import parse_header_parameters

from kaizala_console.api import responses
from kaizala_console.api.errors import InvalidParameters
from kaizala_console.api.middleware import ApiMiddleware
from kaizala_console.configuration import is_loopback
from kaizala_console.lib import request_context
from kaizala_console.lib.client_address import is_in

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaizala_console.settings")

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
LONGEST_CONTENT_TYPE: Final = 1024
THIS_MACHINE: Final = ["127.0.0.0/8", "::1/128"]
MOST_STRANGERS: Final = 20  # addresses that a process logs
log = structlog.get_logger(__name__)


def for_this_machine_only(inner: Application) -> Application:
    """Refuses every caller that is not on this machine, also behind a proxy: a sandbox signs anyone in as anyone.

    And every foreign host name, by which a page of another site could reach it (DNS rebinding).
    """

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        callers = [environ.get("REMOTE_ADDR", ""), *_listed(environ, "HTTP_X_FORWARDED_FOR")]
        hosts = [*_listed(environ, "HTTP_HOST"), *_listed(environ, "HTTP_X_FORWARDED_HOST")]
        if all(is_in(each, THIS_MACHINE) for each in callers) and all(map(_is_of_this_machine, hosts)):
            return inner(environ, start_response)
        body = b"This console is a sandbox and answers on its own machine only.\n"
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        start_response("403 Forbidden", headers)
        return [body]

    return guarded


def _listed(environ: dict[str, Any], name: str) -> list[str]:
    return [part.strip() for part in environ.get(name, "").split(",") if part.strip()]


def _is_of_this_machine(host: str) -> bool:
    """A loopback name, or one of the retired service, which a hosts file may send here (pages refuse it all the same).

    With or without a port.
    """
    name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return is_loopback(name) or name.lower().endswith(".kaiza.la")


def with_a_whole_answer(inner: Application) -> Application:
    """Answers `head` in small letters as GET: a server sends the body that was announced, or cuts the connection.

    Django takes methods in any letters; HTTP does not, and to a server it is not HEAD.
    """

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if method != "HEAD" and method.upper() == "HEAD":
            environ["REQUEST_METHOD"] = "GET"
        return inner(environ, start_response)

    return guarded


def with_the_scheme_of_the_proxy(inner: Application, proxies: list[str]) -> Application:
    """Believes X-Forwarded-Proto from the given networks only; from anywhere else the header is dropped.

    Django's SECURE_PROXY_SSL_HEADER would believe everybody. The first few addresses that are not believed are logged:
    one of them may be the operator's own proxy.
    """
    strangers: set[str] = set()

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        scheme = environ.pop("HTTP_X_FORWARDED_PROTO", "").split(",")[-1].strip().lower()
        peer = environ.get("REMOTE_ADDR", "")
        if (scheme or "HTTP_X_FORWARDED_FOR" in environ) and not is_in(peer, proxies):
            if proxies and peer not in strangers and len(strangers) < MOST_STRANGERS:
                strangers.add(peer)
                log.warning("proxy.not_trusted", address=peer, hint="If this is your reverse proxy: TRUSTED_PROXIES")
        elif scheme in {"http", "https"}:
            environ["wsgi.url_scheme"] = scheme
        return inner(environ, start_response)

    return guarded


def with_a_short_content_type(inner: Application) -> Application:
    """Refuses a long Content-Type unread: 100,000 parameters take seconds to read, and Django reads them first."""

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if len(environ.get("CONTENT_TYPE", "")) <= LONGEST_CONTENT_TYPE:
            return inner(environ, start_response)
        response = InvalidParameters(f"Content-Type is longer than {LONGEST_CONTENT_TYPE} characters.").response()
        start_response("400 Bad Request", [*response.items(), ("Content-Length", str(len(response.content)))])
        return [response.content]

    return guarded


def with_the_quick_exchange(inner: Application) -> Application:
    """Answers a plain success of `GET /v1/accessToken` by itself; all else goes on to Django (ADR 0080)."""
    headers = {scheme: get_plain_headers(scheme) for scheme in ("http", "https")}

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != quick_exchange.PATH or environ["REQUEST_METHOD"] != "GET":
            return inner(environ, start_response)
        began, scheme = time.perf_counter(), environ["wsgi.url_scheme"]
        if settings.SECURE_SSL_REDIRECT and scheme != "https":
            return inner(environ, start_response)
        body = quick_exchange.answer(environ)
        if body is None:
            return inner(environ, start_response)
        if settings.METRICS_PORT:
            metrics.count_request(token_exchange.PATH, "GET", 200, time.perf_counter() - began)
        own = ("X-Request-ID", request_context.read_request_id(environ)), ("Content-Length", str(len(body)))
        start_response("200 OK", [*headers[scheme], *own])
        return [body]

    return guarded


def get_plain_headers(scheme: str) -> list[tuple[str, str]]:
    """Those that every JSON answer of the wire has alike, as its middleware adds them."""
    request = WSGIRequest({"REQUEST_METHOD": "GET", "wsgi.url_scheme": scheme, "wsgi.input": io.BytesIO()})
    response = HttpResponse(content_type=responses.CONTENT_TYPE)
    finished = ApiMiddleware(lambda _request: response).finish(request, response, "")
    return [(name, value) for name, value in finished.items() if name not in ("X-Request-ID", "Content-Length")]


class Utf8Request(WSGIRequest):
    """Reads addresses and forms as UTF-8, as they are written.

    Django reads the query string in the charset that Content-Type declares for the body. Of a charset that is none
    for text (`base64`, `punycode`) or not known, it raises in the constructor, where nothing can answer for it.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except (ValueError, LookupError):
            self.content_type, self.content_params = "", {}


handler = get_wsgi_application()

# These need the apps.
from connectors.services import token_exchange  # noqa: E402
from connectors.token_service import quick_exchange  # noqa: E402
from kaizala_console import metrics  # noqa: E402

handler.request_class = Utf8Request
application = with_a_whole_answer(with_a_short_content_type(handler))
application = with_the_quick_exchange(application)
application = with_the_scheme_of_the_proxy(application, settings.TRUSTED_PROXIES)
if settings.SANDBOX:
    application = for_this_machine_only(application)
