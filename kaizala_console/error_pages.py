"""Pages for what went wrong: one look, the right status. Each says what happened, what it means, what to do."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.urls import get_resolver, is_valid_path
from django.utils.cache import add_never_cache_headers
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts.views import pending_forms
from kaizala_console.lib import request_context
from kaizala_console.lib.errors import (
    Conflict,
    ConsoleError,
    GatewayDown,
    NotAllowed,
    NotFound,
    RuleBroken,
    TooSoon,
)

STATUSES: dict[type[ConsoleError], int] = {
    RuleBroken: 400,
    NotAllowed: 403,
    NotFound: 404,
    Conflict: 409,
    TooSoon: 429,
    GatewayDown: 503,
}


def error_response(request: HttpRequest, error: ConsoleError) -> HttpResponse:
    """The page for an error that a service raised. "Not yours" is the very page of "not there"."""
    if isinstance(error, NotFound):
        not_found: Callable[..., HttpResponse] = get_resolver().resolve_error_handler(404)
        return not_found(request, exception=Http404())
    status = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 400)
    titles = {
        403: _("You don’t have access"),
        409: _("This changed in the meantime"),
        429: _("Please wait a moment"),
        503: _("A service isn’t responding"),
    }
    response = error_page(
        request, status=status, title=titles.get(status, _("Something went wrong")), text=error.message
    )
    if isinstance(error, TooSoon):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def error_page(
    request: HttpRequest, *, status: int, title: str, text: str | Promise, act: str = "", href: str = ""
) -> HttpResponse:
    """A page with a title, a sentence or two, and one way on (back to the page before, unless `href` says else)."""
    words = {"title": title, "text": text, "act": act, "href": href, "request_id": request_context.current().request_id}
    response = render(request, "problem.html", words, status=status)
    add_never_cache_headers(response)
    return response


def form_only_page(request: HttpRequest, refused: HttpResponse) -> HttpResponse:
    """An address that takes what a form sends, and was opened without one: what stands around it has the form."""
    around = request.path.rstrip("/")
    while around := around.rpartition("/")[0]:
        if is_valid_path(f"{around}/"):
            break
    response = error_page(
        request,
        status=refused.status_code,
        title=_("This address only accepts forms"),
        text=_("Nothing was done. Open the page with the form to see the current state."),
        act=_("Open that page"),
        href=f"{around}/",
    )
    response.headers["Allow"] = refused.headers["Allow"]
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form whose cookie is gone or old. When the browser says that it came from here, what was typed is kept.

    Not when another site sent it: nobody may plant words in somebody's form. `Sec-Fetch-Site` (W3C Fetch Metadata)
    and `Origin` are set by browsers and cannot be set by the pages they show.
    """
    if not _sent_from_here(request):
        return error_page(
            request,
            status=403,
            title=_("This form did not come from this site"),
            text=_("Nothing was done. Open the page from the menu and send its form there."),
            act=_("Open the console"),
            href="/",
        )
    href = page = pending_forms.get_form_page(request)
    if page.startswith("/console/"):  # elsewhere, as on the sign-in page, nothing is typed that is worth keeping
        pending = pending_forms.save_pending_form(request)
        href = pending.confirm_url if pending is not None else page
        if not request.user.is_authenticated:
            href = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': href})}"
    return error_page(
        request,
        status=403,
        title=_("This form has expired"),
        text=_("We saved your form. Continue to send it."),
        act=_("Continue"),
        href=href,
    )


def _sent_from_here(request: HttpRequest) -> bool:
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    return site in (None, "same-origin") and origin == f"{request.scheme}://{request.get_host()}"
