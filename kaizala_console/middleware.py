"""What every page of the console gets around it. The wire has a middleware of its own: kaizala_console/wire."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import redirect
from django.utils import timezone

from accounts.models import User
from accounts.services import sessions
from accounts.views import time_zones
from connectors.views.links import url_with
from kaizala_console import error_pages
from kaizala_console.lib import request_context
from kaizala_console.lib.errors import ConsoleError
from kaizala_console.lib.pagination import BadCursor

Handler = Callable[[HttpRequest], HttpResponse]

# Django's SecurityMiddleware and django-csp set theirs; these two nobody else sets.
SECURITY_HEADERS = {
    "Permissions-Policy": (
        "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "
        "magnetometer=(), microphone=(), payment=(), usb=()"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
}


class RequestContextMiddleware:
    """Names the request, for the audit trail and the log, and tells the name in `X-Request-ID`."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with request_context.use(request_context.from_request(request)) as here:
            response = self.get_response(request)
        response.headers.setdefault("X-Request-ID", here.request_id)
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        return response


class CompressedPagesMiddleware(GZipMiddleware):
    """Pages that are looked at are compressed: a list of fifty people weighs a tenth.

    The length of a compressed answer tells of secrets beside what others may write into it (BREACH). So what answers a
    form, and what nobody may keep (no-store), is left alone: secrets are in no other answer. The token against forged
    forms is masked anew in each page, other sites ask without the session's cookie, and Django adds bytes at random.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Pages alone: files are sent as they are."""
        is_page = response.headers.get("Content-Type", "").startswith("text/html") and not response.streaming
        if request.method != "GET" or not is_page or "no-store" in response.headers.get("Cache-Control", ""):
            return response
        return super().process_response(request, response)


class ReadersZoneMiddleware:
    """Every page is written, and every form read, in the zone that the reader's device has named (ADR 0067)."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(time_zones.get_time_zone(request)):
            response = self.get_response(request)
        time_zones.store_time_zone(request)
        return response


class SessionSeenMiddleware:
    """Lets people see where they are signed in (accounts.services.sessions)."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Without a cookie there is no session to look into, and none to be made.
        if settings.SESSION_COOKIE_NAME in request.COOKIES and isinstance(request.user, User):
            sessions.note_seen(request.session)
        return self.get_response(request)


class ConsoleErrorMiddleware:
    """Turns what a service raises, and no page caught, into a page that says what happened and what to do."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        # Of a page that a form led to, only the address was opened again: by hand, from a bookmark, after a restart.
        if isinstance(response, HttpResponseNotAllowed) and request.method == "GET":
            return response if request.headers.get("HX-Request") else error_pages.form_only_page(request, response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Django calls this for whatever a view raises."""
        if isinstance(exception, BadCursor) and "cursor" in request.GET:
            return redirect(url_with(request, cursor=None))  # an old bookmark: the first page
        return error_pages.error_response(request, exception) if isinstance(exception, ConsoleError) else None
