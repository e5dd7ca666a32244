"""GET /api/oauth/authorize and the consent page: a person lets a program act for them, in the browser (RFC 6749 §4.1).

What the program asked for waits in the session under an id, so that signing in, adding a phone and confirming lose
none of it, however long it is. The browser is sent back to a registered address, or nowhere.
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import asdict, dataclass
from typing import Final, cast
from urllib.parse import urlsplit
from uuid import UUID

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods
from oauthlib.oauth2 import FatalClientError, InvalidClientIdError, MissingClientIdError, OAuth2Error
from oauthlib.oauth2.rfc6749.errors import (
    InvalidRedirectURIError,
    MismatchingRedirectURIError,
    MissingRedirectURIError,
)

from accounts import queries as accounts_queries
from accounts.views.decorators import reauthentication_required, require_reauthentication, user_of, with_phone
from connectors import policies
from connectors.permissions import describe_scopes
from connectors.queries import connectors, user_tokens
from connectors.services import oauth
from connectors.services.oauth import AuthorizationRequest
from connectors.views import links
from kaizala_console.lib import clock, phone_numbers
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

SESSION_KEY: Final = "oauth"
MOST: Final = 5  # that wait at once in one browser
LIFETIME: Final = dt.timedelta(hours=1)
ALLOW = gettext_lazy("Allow")


@dataclass(frozen=True)
class PendingConsent:
    """What a program asked for. `key` never leaves the session: from it the code is made. `until`: epoch seconds."""

    id: str
    key: str
    query: str
    until: float


@csrf_exempt  # other methods get 405, whatever they bring
@require_GET
def authorize(request: HttpRequest) -> HttpResponse:
    """Checks what the program asks, and leads to the consent page."""
    query = oauth.to_query((name, value) for name, values in request.GET.lists() for value in values)
    try:
        oauth.read_request(query)
    except OAuth2Error as refused:
        return _refused(request, refused)
    entry = PendingConsent(
        id=secrets.token_urlsafe(12),
        key=secrets.token_urlsafe(32),
        query=query,
        until=(clock.now() + LIFETIME).timestamp(),
    )
    request.session[SESSION_KEY] = [*(asdict(other) for other in _waiting(request)[1 - MOST :]), asdict(entry)]
    return redirect("connectors:consent", entry.id)


def _get_source(request: HttpRequest, consent_id: str) -> str:
    """The source of the program's page; "" for a question that leads nowhere."""
    entry = _find(request, consent_id)
    try:
        return _source(oauth.read_request(entry.query).redirect_url) if entry else ""
    except OAuth2Error:
        return ""


@require_http_methods(["GET", "POST"])
@with_phone(button_label=ALLOW, goes_to=_get_source)
def consent(request: HttpRequest, consent_id: str) -> HttpResponse:
    """What the program could do, and "Allow" or "Don't allow". Nothing is given by looking."""
    entry = _find(request, consent_id)
    if entry is None:
        return _problem(
            request, _("This request expired, or was not started in this browser. Start again from the program.")
        )
    user = user_of(request)
    try:
        asked = oauth.read_request(entry.query)
        if not policies.can_see(user, asked.connector):
            raise NotFound
        if request.method != "POST":
            return _page(request, asked)
        if request.POST.get("decision") != "allow":
            return _back(oauth.decline(asked))
        person = user_tokens.get_held_person(user, request.POST.get("person", ""))
        if person is None:
            return _page(request, asked, problem=_("Choose a number."), status=400)
        require_reauthentication(request)
        as_shown = frozenset(request.POST.get("shown", "").split())
        return _back(oauth.approve(query=entry.query, person=person, by=user, request_key=entry.key, as_shown=as_shown))
    except OAuth2Error as refused:
        return _refused(request, refused)
    except (RuleBroken, Conflict) as refused:
        return _page(request, asked, problem=str(refused), status=409)


def _page(request: HttpRequest, asked: AuthorizationRequest, *, problem: str = "", status: int = 200) -> HttpResponse:
    connector = asked.connector
    can, cannot = describe_scopes(asked.scopes)
    people = [phone.person for phone in accounts_queries.held_phones(user_of(request))]
    has_it = {person.pk for person in people if user_tokens.get_user_grant(connector, person) is not None}
    context = {
        "connector": connector,
        "can": can,
        "cannot": cannot,
        "shown": " ".join(asked.scopes),
        "people": [
            {"id": str(person.pk), "number": phone_numbers.display_unbroken(person.number)} for person in people
        ],
        "acts_already": bool(has_it),
        "goes_to": urlsplit(asked.redirect_url).netloc,
        "problem": problem,
    }
    response = render(request, "connectors/consent.html", context, status=status)
    add_never_cache_headers(response)
    # Browsers hold form-action against the redirect that answers the form, too.
    wider = csp_update({"form-action": [_source(asked.redirect_url)]})
    return cast(HttpResponse, wider(lambda _request: response)(request))


def _refused(request: HttpRequest, refused: OAuth2Error) -> HttpResponse:
    """Back to the program with the error; nowhere, when the address may be an attacker's."""
    match refused:
        case InvalidClientIdError() | MissingClientIdError():
            return _problem(request, _("Unknown connector (client_id)."))
        case MismatchingRedirectURIError() | InvalidRedirectURIError() | MissingRedirectURIError():
            return _problem(
                request,
                _("The program’s redirect address is not registered (redirect_uri)."),
            )
        case FatalClientError():
            return _problem(request, _("The program sent a parameter twice. Its developer must fix that."))
    return _back(refused.in_uri(refused.redirect_uri))


def _back(url: str) -> HttpResponseRedirect:
    """To the program."""
    response = HttpResponseRedirect(url)
    add_never_cache_headers(response)
    # The code must not be told on to whatever the program's page loads.
    response["Referrer-Policy"] = "no-referrer"
    return response


def _problem(request: HttpRequest, text: str) -> HttpResponse:
    return render(request, "connectors/consent_problem.html", {"text": text}, status=400)


def _source(url: str) -> str:
    parts = urlsplit(url)
    # CSP knows no IPv6 addresses; only the developer's own machine can be one here.
    return f"{parts.scheme}:" if ":" in (parts.hostname or "") else f"{parts.scheme}://{parts.netloc}"


def _find(request: HttpRequest, consent_id: str) -> PendingConsent | None:
    return next((entry for entry in _waiting(request) if entry.id == consent_id), None)


def _waiting(request: HttpRequest) -> list[PendingConsent]:
    now = clock.now().timestamp()
    return [
        entry for entry in (PendingConsent(**row) for row in request.session.get(SESSION_KEY, [])) if entry.until > now
    ]


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=gettext_lazy("Save"))
def sign_in(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """The addresses of the OAuth endpoints, filled in, and the one switch."""
    user = user_of(request)
    connector = connectors.get_own_connector(user, connector_id)
    if request.method == "POST":
        connector = oauth.require_pkce(connector=connector, required="pkce_required" in request.POST, by=user)
        messages.success(request, _("PKCE is required now.") if connector.pkce_required else _("PKCE is optional now."))
        return redirect("connectors:sign_in", connector.pk)
    context = {
        "connector": connector,
        "pkce_required": connector.pkce_required,
        "authorize_url": f"{settings.CONSOLE_BASE_URL}/api/oauth/authorize",
        "token_url": f"{settings.CONSOLE_BASE_URL}/api/oauth/token",
        "crumbs": links.connector_crumbs(connector, here=_("Sign-in with Kaizala")),
    }
    return render(request, "connectors/sign_in.html", context)
