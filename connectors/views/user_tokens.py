"""A connector acts for a person: "Generate user token", the second admin's page, and what acts for one, to end it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts import queries as accounts_queries
from accounts.models import Person, User
from accounts.views.decorators import require_reauthentication, signed_in, user_of, with_phone
from connectors import policies
from connectors.models import Connector, Grant, HandoffState, UserTokenRequest
from connectors.permissions import describe_permissions, from_form_value, to_form_value
from connectors.queries import connectors
from connectors.queries import user_tokens as user_token_queries
from connectors.services import grants, user_tokens
from connectors.views import handoffs, links
from connectors.views.forms import TypedNameForm, flash_refusals, get_posted
from connectors.views.grants import get_row
from connectors.views.usage import get_use_facts
from kaizala_console.lib import ids, phone_numbers
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

ANSWERS = {
    "confirm": gettext_lazy("Confirm"),
    "refuse": gettext_lazy("Refuse"),
    "withdraw": gettext_lazy("Withdraw"),
}
GENERATE = gettext_lazy("Generate user token")
PILLS = {"confirmed": "done"}


@require_http_methods(["GET", "POST"])
@with_phone(button_label=GENERATE)
def user_token(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """For everybody of the organisation, with their own numbers. An organisation admin asks a second one."""
    user = user_of(request)
    connector = connectors.get_connector(user, connector_id)
    if request.method == "POST":
        person = user_token_queries.get_held_person(user, request.POST.get("person", ""))
        if person is None:
            return _page(request, user, connector, _("Choose a number."), status=400)
        require_reauthentication(request)
        try:
            return _generate(request, user, connector, person)
        except (RuleBroken, Conflict) as refused:
            connector.refresh_from_db(fields=["permissions"])
            return _page(request, user, connector, str(refused), status=409)
    return _page(request, user, connector)


def _generate(request: HttpRequest, user: User, connector: Connector, person: Person) -> HttpResponse:
    existing = user_token_queries.get_user_grant(connector, person)
    renews = request.POST.get("act") == "renew"
    if existing is not None and (renews or not policies.needs_second_admin(user, connector)):
        newest = existing.handoffs_newest_first[0] if existing.handoffs_newest_first else None
        if renews:
            # The form names the handoff that it was shown with: pressed twice, it makes one new token.
            named = ids.parse_guid(request.POST.get("instead_of", ""))
            known = existing.handoffs_newest_first
            shown = next((handoff for handoff in known if handoff.pk == named), None)
            if shown or not known:
                newest = grants.regenerate(grant=existing, by=user, instead_of=shown)
            if newest not in known:
                messages.success(
                    request, _("Regenerated. The new token is sealed for the developer; the old one is revoked.")
                )
        else:
            messages.info(request, _("It already acts for you."))
        return redirect("connectors:handoff", newest.pk) if newest else redirect("connectors:user_token", connector.pk)
    as_shown = from_form_value(request.POST.get("shown", ""))
    if policies.needs_second_admin(user, connector):
        asked = user_tokens.ask(connector=connector, person=person, by=user, as_shown=as_shown)
        return redirect("connectors:user_token_request", asked.pk)
    handoff = user_tokens.generate(connector=connector, person=person, by=user, as_shown=as_shown)
    messages.success(
        request,
        _("“%(name)s” can act for you once its developer claims the token.") % {"name": connector.name},
    )
    return redirect("connectors:handoff", handoff.pk)


def _page(
    request: HttpRequest, user: User, connector: Connector, problem: str = "", *, status: int = 200
) -> HttpResponse:
    can, cannot = describe_permissions(connector.permissions)
    context = {
        "connector": connector,
        "can": can,
        "cannot": cannot,
        "shown": to_form_value(connector.permissions),
        "rows": [_number_row(connector, phone.person, user) for phone in accounts_queries.held_phones(user)],
        "asks_a_second": policies.needs_second_admin(user, connector),
        "problem": problem,
        "crumbs": links.connector_crumbs(connector, here=str(GENERATE)),
    }
    return render(request, "connectors/user_token.html", context, status=status)


def _number_row(connector: Connector, person: Person, user: User) -> dict[str, Any]:
    grant = user_token_queries.get_user_grant(connector, person)
    newest = grant.handoffs_newest_first[0] if grant is not None and grant.handoffs_newest_first else None
    asks_a_second = policies.needs_second_admin(user, connector)
    waiting = user_token_queries.get_waiting_request(connector, person) if asks_a_second else None
    return {
        "person": str(person.pk),
        "number": phone_numbers.display_unbroken(person.number),
        "grant": grant,
        "instead_of": str(newest.pk) if newest else "",
        "may_generate": grant is None or (asks_a_second and grant.confirmed_by_id is None),
        "request": waiting,
    }


# The second admin ----------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@with_phone
def user_token_request(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """For the one who asked, who can withdraw it, and for the other admins, who confirm or refuse."""
    user = user_of(request)
    asked = user_token_queries.get_user_token_request(user, request_id)
    if request.method == "POST":
        try:
            return _answer(request, user, asked)
        except (RuleBroken, Conflict) as refused:
            asked = user_token_queries.get_user_token_request(user, request_id)
            return _request_page(request, user, asked, str(refused), status=409)
    return _request_page(request, user, asked)


def _answer(request: HttpRequest, user: User, asked: UserTokenRequest) -> HttpResponse:
    act = request.POST.get("act", "")
    require_reauthentication(request, button_label=ANSWERS.get(act, ""))
    if act == "confirm":
        user_tokens.confirm(request=asked, by=user)
        messages.success(request, _("Confirmed: the developer can claim the token."))
    elif act == "refuse":
        user_tokens.refuse(request=asked, by=user)
        messages.success(request, _("Refused. We notified %(who)s.") % {"who": asked.asked_by.name})
    elif act == "withdraw":
        user_tokens.withdraw(request=asked, by=user)
        messages.success(request, _("Request withdrawn."))
    return redirect("connectors:user_token_request", asked.pk)


def _request_page(
    request: HttpRequest, user: User, asked: UserTokenRequest, problem: str = "", *, status: int = 200
) -> HttpResponse:
    can, cannot = describe_permissions(asked.permissions)
    state = asked.state.value
    context = {
        "asked": asked,
        "connector": asked.connector,
        "number": phone_numbers.mask_unbroken(asked.person.number),
        "can": can,
        "cannot": cannot,
        "state": state,
        "pill": PILLS.get(state, state),
        "may_answer": state == "waiting" and policies.can_answer_user_token(user, asked),
        "may_withdraw": state == "waiting" and asked.asked_by_id == user.pk,
        "sees_handoff": asked.handoff_id is not None and asked.asked_by_id == user.pk,
        "problem": problem,
        "crumbs": links.connector_crumbs(
            asked.connector, here=_("Confirmed: the token is created, and sealed for the developer.")
        ),
    }
    return render(request, "connectors/user_token_request.html", context, status=status)


# What acts for one ---------------------------------------------------------------------------------------------------


@require_GET
@signed_in
def acting(request: HttpRequest) -> HttpResponse:
    """Every connector that acts for this account, however it came to that, with the way to end it."""
    user = user_of(request)
    page = user_token_queries.get_acting_page(user, cursor=request.GET.get("cursor"))
    context = {
        "rows": [
            {
                **get_row(grant),
                "number": phone_numbers.mask_unbroken(grant.person.number),
                "by_somebody_else": grant.granted_by_id != user.pk,
            }
            for grant in page.items
        ],
        **links.pagination_links(request, page),
        "crumbs": links.crumbs((_("Settings"), reverse("accounts:settings")), (_("Connectors acting for you"), "")),
    }
    return render(request, "connectors/acting.html", context)


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Remove"))
def acting_end(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """GET tells what will stop, POST with the connector's name ends it for good. Ended twice is once."""
    user = user_of(request)
    grant = user_token_queries.get_own_user_grant(user, grant_id)
    name = grant.connector.name
    if grant.revoked_at is not None:
        if request.method != "POST":
            raise NotFound
        messages.info(request, _("“%(name)s” no longer acts for you.") % {"name": name})
        return redirect("connectors:acting")
    form = TypedNameForm(get_posted(request), name=name)
    if form.is_valid():
        require_reauthentication(request)
        with flash_refusals(request):
            grants.revoke(grant=grant, by=user)
            messages.success(request, _("“%(name)s” no longer acts for you.") % {"name": name})
        return redirect("connectors:acting")
    acting_url = reverse("connectors:acting")
    context = {
        **get_row(grant),
        **_what_stops(grant),
        "form": form,
        "number": phone_numbers.mask_unbroken(grant.person.number),
        "crumbs": links.crumbs((_("Connectors acting for you"), acting_url), (name, "")),
    }
    return render(request, "connectors/acting_end.html", context, status=400 if form.is_bound else 200)


def _what_stops(grant: Any) -> dict[str, Any]:
    use = get_use_facts(Grant.objects.filter(pk=grant.pk))
    waits = any(handoffs.get_current_state(handoff) is HandoffState.WAITING for handoff in grant.handoffs_newest_first)
    facts = [
        {"label": _("live refresh tokens"), "count": len(grant.live_tokens)},
        {"label": _("handoffs waiting"), "count": int(waits)},
        *use.pop("use_facts"),
    ]
    return {"facts": facts, **use}
