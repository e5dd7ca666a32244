"""The door of the wire, in front of everything that pages need.

It stands first in ``MIDDLEWARE``: what it recognises as the wire's, it answers itself, so that no call pays for
sessions, CSRF and languages, and no HTML comes out of a path of the protocol, whatever goes wrong. All other
paths pass through untouched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

import structlog
from django.conf import settings
from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.security import SecurityMiddleware
from django.utils import translation

from kaizala_console.api import compatibility
from kaizala_console.api.errors import (
    ApiError,
    HttpsRequired,
    InternalError,
    InvalidParameters,
    UnknownResource,
    to_wire,
)
from kaizala_console.api.routing import ROUTE, Match, console_page, get_routes
from kaizala_console.lib import request_context

logger = structlog.get_logger(__name__)

_LANGUAGE: Final = "en"  # programs match the text of messages
HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "X-Request-ID, Retry-After, Location",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_PREFLIGHT_HEADERS: Final = {
    "Access-Control-Allow-Headers": "accessToken, applicationId, applicationSecret, refreshToken, Authorization, "
    # Pages of those years were made from Postman's samples, which send headers that nobody needs. The asterisk is for
    # whatever else they send; browsers that read it leave Authorization out of it.
    "Content-Type, X-Request-ID, Cache-Control, Postman-Token, X-Requested-With, *",
    "Access-Control-Max-Age": "86400",
}


class ApiMiddleware:
    """Answers the paths of ``settings.API_URLCONF`` (wire protocol §1), and hands on all others."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        # The console's own stands behind this middleware, and never sees an answer of the wire.
        self._security = SecurityMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        routes = get_routes(settings.API_URLCONF)
        segments = routes.segments_of(request.path_info)
        if segments is None:
            return self.get_response(request)
        match = routes.match(segments)
        if match is not None and match.view is console_page:
            return self._hand_on(request, match)
        with (
            request_context.use(request_context.from_request(request)) as here,
            translation.override(_LANGUAGE),
            compatibility.collect_quirks(request),
        ):
            try:
                response = _call(request, match, segments)
            except Exception as problem:  # noqa: BLE001 (logged, and translated to the protocol's table)
                response = self._refusal(request, problem, match).response()
        return self.finish(request, response, here.request_id)

    def finish(self, request: HttpRequest, response: HttpResponseBase, request_id: str) -> HttpResponseBase:
        """Add the headers that every answer of the wire has."""
        dressed = _add_headers(request, response, request_id)
        return self._security.process_response(request, cast("HttpResponse", dressed))  # it touches headers alone

    def _hand_on(self, request: HttpRequest, match: Match) -> HttpResponseBase:
        """Let the console answer, under the path as the route spells it."""
        request.path_info = f"/{match.route}"
        request.path = request.META.get("SCRIPT_NAME", "").rstrip("/") + request.path_info
        return self.get_response(request)

    def _refusal(self, request: HttpRequest, problem: Exception, match: Match | None) -> ApiError:
        refusal = to_wire(problem)
        if refusal is not None:
            return refusal
        logger.error("wire.unexpected", route=match.route if match else "", method=request.method, exc_info=problem)
        # Error trackers listen to it, and Django's test client raises what was sent through it.
        got_request_exception.send(sender=type(self), request=request)
        return InternalError()


def _call(request: HttpRequest, match: Match | None, segments: list[str]) -> HttpResponseBase:
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        raise HttpsRequired  # a redirect would have programs send their credentials in the clear for ever
    if not request.path_info.isprintable():
        raise InvalidParameters("The path holds characters that are not allowed in it.")
    if match is None:
        raise UnknownResource
    request.META[ROUTE] = match.route
    compatibility.note_path(request, match.route, segments, match.arguments)
    return match.view(request, **match.arguments)


def _add_headers(request: HttpRequest, response: HttpResponseBase, request_id: str) -> HttpResponseBase:
    headers = response.headers
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers["X-Request-ID"] = request_id
    if request.method == "OPTIONS":
        for name, value in _PREFLIGHT_HEADERS.items():
            headers[name] = value
    elif isinstance(response, HttpResponse):
        headers["Content-Length"] = str(len(response.content))
        if request.method == "HEAD":
            response.content = b""
    return response
