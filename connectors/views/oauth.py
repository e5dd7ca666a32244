"""GET /api/oauth/authorize and the consent page: a person lets a program act for them, in the browser (RFC 6749 §4.1).

What the program asked for waits in the session under an id, so that signing in, adding a phone and confirming lose
none of it, however long it is. The browser is sent back to a registered address, or nowhere.
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import asdict, dataclass
from typing import Final, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods

from accounts import queries as accounts_queries
from accounts.models import Person, User
from accounts.views import numbers
from accounts.views.decorators import require_reauthentication, user_of, with_phone
from connectors import policies
from connectors.models import Connector
from connectors.permissions import can_and_cannot, listed, unlisted
from connectors.queries import user_tokens
from connectors.services import oauth
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

SESSION_KEY: Final = "oauth"
MOST: Final = 5  # that wait at once in one browser
LIFETIME: Final = dt.timedelta(hours=1)
LONGEST_STATE: Final = 2000
ALLOW = gettext_lazy("Allow")


@dataclass(frozen=True)
class Asked:
    """What a program asked for. `key` never leaves the session: from it the code is made. `until`: epoch seconds."""

    id: str
    key: str
    connector: str
    redirect_url: str
    state: str
    challenge: str
    until: float


@csrf_exempt  # other methods get 405, whatever they bring
@require_GET
def authorize(request: HttpRequest) -> HttpResponse:
    """Checks what the program asks, and leads to the consent page. Parameters' names may come in any case."""
    asked = {name.lower(): values for name, values in request.GET.lists()}
    given = {name: values[0] for name, values in asked.items()}
    if any(len(asked.get(name, [])) > 1 for name in ("client_id", "redirect_uri")):
        return _problem(request, _("The program sent an address twice. Its developer has to mend that."))
    redirect_url, state = given.get("redirect_uri", ""), given.get("state", "")
    try:
        connector = oauth.client(client_id=given.get("client_id", ""), redirect_url=redirect_url)
    except RuleBroken as refused:
        return _problem(request, str(refused))
    if given.get("response_type", "code") != "code":
        return _back(
            redirect_url, state, error="unsupported_response_type", error_description="Use response_type=code."
        )
    challenge = given.get("code_challenge", "")
    wrong = _wrong_with_pkce(connector, challenge, given.get("code_challenge_method", ""))
    if not wrong and len(state) > LONGEST_STATE:
        wrong, state = f"state has more than {LONGEST_STATE} characters.", ""
    if wrong:
        return _back(redirect_url, state, error="invalid_request", error_description=wrong)
    entry = Asked(
        id=secrets.token_urlsafe(12),
        key=secrets.token_urlsafe(32),
        connector=str(connector.pk),
        redirect_url=redirect_url,
        state=state,
        challenge=challenge,
        until=(clock.now() + LIFETIME).timestamp(),
    )
    request.session[SESSION_KEY] = [*(asdict(other) for other in _waiting(request)[1 - MOST :]), asdict(entry)]
    return redirect("connectors:consent", entry.id)


@require_http_methods(["GET", "POST"])
@with_phone(button_label=ALLOW)
def consent(request: HttpRequest, consent_id: str) -> HttpResponse:
    """What the program could do, and "Allow" or "Don't allow". Nothing is given by looking."""
    asked = next((entry for entry in _waiting(request) if entry.id == consent_id), None)
    if asked is None:
        return _problem(
            request, _("This question is too old, or was not asked in this browser. Start again from the program.")
        )
    try:
        connector = _connector_of(user_of(request), asked)
    except RuleBroken as refused:
        return _problem(request, str(refused))
    if request.method != "POST":
        return _page(request, asked, connector)
    if request.POST.get("decision") != "allow":
        return _back(asked.redirect_url, asked.state, error="access_denied", error_description="The person declined.")
    person = _chosen_person(request, user_of(request))
    if person is None:
        return _page(request, asked, connector, problem=_("Choose the number that it is to act for."), status=400)
    require_reauthentication(request, goes_to=_source(asked.redirect_url))
    return _allow(request, asked=asked, connector=connector, person=person)


@sensitive_variables("code")
def _allow(request: HttpRequest, *, asked: Asked, connector: Connector, person: Person) -> HttpResponse:
    user = user_of(request)
    try:
        code = oauth.approve(
            connector=connector,
            person=person,
            by=user,
            request_key=asked.key,
            redirect_url=asked.redirect_url,
            challenge=asked.challenge,
            as_shown=unlisted(request.POST.get("shown", "")),
        )
    except (RuleBroken, Conflict) as refused:
        if refused.code == "connector_not_grantable":
            error, reason = (
                "unauthorized_client",
                "This connector is deactivated or suspended.",
            )
            return _back(asked.redirect_url, asked.state, error=error, error_description=reason)
        connector.refresh_from_db(fields=["permissions"])
        return _page(request, asked, connector, problem=str(refused), status=409)
    return _back(asked.redirect_url, asked.state, code=code)


def _page(
    request: HttpRequest, asked: Asked, connector: Connector, *, problem: str = "", status: int = 200
) -> HttpResponse:
    user = user_of(request)
    can, cannot = can_and_cannot(connector.permissions)
    people = [phone.person for phone in accounts_queries.held_phones(user)]
    has_it = {person.pk for person in people if user_tokens.user_grant(connector, person) is not None}
    context = {
        "connector": connector,
        "can": can,
        "cannot": cannot,
        "shown": listed(connector.permissions),
        "people": [{"id": str(person.pk), "number": numbers.shown(person.number)} for person in people],
        "acts_already": bool(has_it),
        "goes_to": urlsplit(asked.redirect_url).netloc,
        "problem": problem,
    }
    response = render(request, "connectors/consent.html", context, status=status)
    add_never_cache_headers(response)
    # Browsers hold form-action against the redirect that answers the form, too.
    wider = csp_update({"form-action": [_source(asked.redirect_url)]})
    return cast(HttpResponse, wider(lambda _request: response)(request))


def _chosen_person(request: HttpRequest, user: User) -> Person | None:
    key = ids.parse_guid(request.POST.get("person", ""))
    held = [phone.person for phone in accounts_queries.held_phones(user)]
    return next((person for person in held if person.pk == key), None)


def _connector_of(user: User, asked: Asked) -> Connector:
    """The connector as it is now. Raises NotFound for people of another organisation, as for all its pages."""
    connector = oauth.client(client_id=asked.connector, redirect_url=asked.redirect_url)
    if not policies.can_see(user, connector):
        raise NotFound
    return connector


def _wrong_with_pkce(connector: Connector, challenge: str, method: str) -> str:
    if not challenge:
        return "This connector requires PKCE: send code_challenge (S256)." if connector.pkce_required else ""
    if method != "S256":
        return "code_challenge_method must be S256."
    return "" if oauth.CHALLENGE.fullmatch(challenge) else "code_challenge is not the base64url of a SHA-256."


def _back(redirect_url: str, state: str, **answer: str) -> HttpResponseRedirect:
    """To the program, with the answer added to whatever query its address has."""
    parts = urlsplit(redirect_url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *answer.items()]
    if state:
        query.append(("state", state))
    response = HttpResponseRedirect(urlunsplit(parts._replace(query=urlencode(query))))
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


def _waiting(request: HttpRequest) -> list[Asked]:
    now = clock.now().timestamp()
    return [entry for entry in (Asked(**row) for row in request.session.get(SESSION_KEY, [])) if entry.until > now]
