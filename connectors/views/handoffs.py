"""The developer's inbox of refresh tokens: opened once, refused, or issued again. Looking never opens anything."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import User
from accounts.views.decorators import (
    reauthentication_required,
    signed_in,
    user_of,
    with_phone,
)
from connectors import policies
from connectors.models import Handoff, HandoffState
from connectors.permissions import describe_scopes, list_scope_labels
from connectors.queries import connectors
from connectors.queries import handoffs as handoff_queries
from connectors.services import handoffs
from connectors.services import one_time_secrets as one_time_secret_service
from connectors.views import links, one_time_secrets
from connectors.views.forms import flash_refusals, get_idempotency_key
from kaizala_console.lib import bounded, clock, live, request_context
from kaizala_console.lib.errors import Conflict, RuleBroken

CLAIM = gettext_lazy("Claim")
PILLS = {
    HandoffState.WAITING: "waiting",
    HandoffState.CLAIMED: "opened",
    HandoffState.REFUSED: "refused",
    HandoffState.EXPIRED: "expired",
    HandoffState.WITHDRAWN: "withdrawn",
}


@require_GET
@signed_in
@live.polled
def inbox(request: HttpRequest, *, asked_of: Callable[[HttpRequest, User], list[Any]]) -> HttpResponse:
    """A card for each handoff that waits, or for those that ended. An open page follows along.

    Before them comes what others ask of this person: `asked_of` gives these pending actions, also of the app above.
    """
    user = user_of(request)
    search = request.GET.get("q", "").strip()[:120]
    earlier = request.GET.get("show") == "earlier"
    page = handoff_queries.get_handoff_page(user, search=search, waiting=not earlier, cursor=request.GET.get("cursor"))
    asked = [] if earlier or search else asked_of(request, user)
    etag = live.etag(
        user.pk,
        [(handoff.pk, get_current_state(handoff)) for handoff in page.items],
        [(str(action.title), action.href) for action in asked],
    )
    if unchanged := live.unchanged(request, etag):
        return unchanged
    context = {
        **({} if earlier else live.follow(request.get_full_path(), etag)),
        "cards": [_card(handoff) for handoff in page.items],
        "asked": asked,
        "earlier": earlier,
        "search": search,
        "chips": links.list_chips(request, search),
        "other_url": links.url_with(request, show=None if earlier else "earlier", cursor=None),
        "owns_connectors": connectors.list_own_connectors(user).exists(),
        "tabs": [
            {
                "label": _("Waiting"),
                "url": links.url_with(request, show=None, cursor=None),
                "count": bounded.count(handoff_queries.list_waiting_handoffs(user)),
                "current": not earlier,
            },
            {
                "label": _("Closed"),
                "url": links.url_with(request, show="earlier", cursor=None),
                "current": earlier,
            },
        ],
        **links.pagination_links(request, page),
    }
    return render(request, "connectors/handoffs.html", context)


@require_GET
@signed_in
@live.polled
def handoff(request: HttpRequest, handoff_id: UUID) -> HttpResponse:
    """One handoff, for both sides; the developer's side can claim it here. The line moves on while it is looked at."""
    user = user_of(request)
    if unchanged := live.unchanged(request, get_etag(user, handoff_id)):
        return unchanged
    return _page(request, user, handoff_id)


@sensitive_post_parameters("idempotency_key")
@require_http_methods(["GET", "POST"])
@with_phone(button_label=CLAIM)
@sensitive_variables("idempotency_key", "token")
def claim(request: HttpRequest, handoff_id: UUID) -> HttpResponse:
    """ "Claim": opens the handoff and shows the token once. A GET only leads to the page with the button."""
    if request.method != "POST":
        return redirect("connectors:handoff", handoff_id)
    user = user_of(request)
    found = handoff_queries.get_own_handoff(user, handoff_id)
    idempotency_key = get_idempotency_key(request.POST)
    one_time_secrets.require_reauthentication_once(request, idempotency_key)
    address = request_context.current().client_address or None
    try:
        token = handoffs.claim(handoff=found, by=user, idempotency_key=idempotency_key, address=address)
    except (Conflict, RuleBroken) as refused:
        return _page(request, user, handoff_id, problem=str(refused), status=409)
    return one_time_secrets.page(request, one_time_secrets.describe_handoff(found), token, idempotency_key)


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=gettext_lazy("Refuse"))
def refuse(request: HttpRequest, handoff_id: UUID) -> HttpResponse:
    """GET tells what would happen, POST does it."""
    user = user_of(request)
    found = handoff_queries.get_own_handoff(user, handoff_id)
    if request.method == "POST":
        with flash_refusals(request):
            handoffs.refuse(handoff=found, by=user)
            says = _("Refused. The token is deleted, and we notified %(admin)s.")
            messages.success(request, says % {"admin": found.grant.granter_name})
        return redirect("connectors:handoff", handoff_id)
    if get_current_state(found) is not HandoffState.WAITING:
        return redirect("connectors:handoff", handoff_id)
    crumbs = _crumbs(found, (_("Refuse"), ""))
    return render(request, "connectors/handoff_refuse.html", {"handoff": found, "crumbs": crumbs})


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=gettext_lazy("Regenerate"))
def reissue(request: HttpRequest, handoff_id: UUID) -> HttpResponse:
    """GET tells what would happen, POST does it; for both sides. Twice is once: the same new handoff."""
    user = user_of(request)
    found = handoff_queries.get_handoff(user, handoff_id)
    if request.method == "POST":
        with flash_refusals(request):
            found = handoffs.reissue(handoff=found, by=user)
            if get_current_state(found) is HandoffState.WAITING:
                messages.success(request, _("Regenerated: claim the new token here."))
            else:
                messages.info(request, _("A newer token was already claimed. This is it."))
        return redirect("connectors:handoff", found.pk)
    if not _may_be_issued_again(found):
        return redirect("connectors:handoff", handoff_id)
    context = {
        "handoff": found,
        "in_use": get_current_state(found) is HandoffState.CLAIMED,
        "crumbs": _crumbs(found, (_("Regenerate"), "")),
    }
    return render(request, "connectors/handoff_reissue.html", context)


def _page(request: HttpRequest, user: User, handoff_id: UUID, *, problem: str = "", status: int = 200) -> HttpResponse:
    etag = get_etag(user, handoff_id)  # before the rest is read: what changes later is new to this page
    found = handoff_queries.get_handoff(user, handoff_id)
    can_claim = policies.is_owner(user, found.connector)
    key_replaced = _is_key_replaced(found)
    card = _card(found)
    context = {
        **card,
        "card": card,
        "can": describe_scopes(found.grant.allowed_scopes())[0],
        "is_developer": can_claim,
        "problem": problem,
        "may_be_issued_again": _may_be_issued_again(found),
        "key_replaced": key_replaced,
        "claim_line": one_time_secrets.get_claim_command(found),
        **get_line_context(card["steps"], reverse("connectors:handoff", args=[handoff_id]), etag),
        "crumbs": _crumbs(found),
    }
    return render(request, "connectors/handoff.html", context, status=status)


def _card(found: Handoff) -> dict[str, Any]:
    state = get_current_state(found)
    return {
        "handoff": found,
        "steps": list_steps(found),
        "pill": PILLS[state],
        "state": state.value,
        "waiting": state is HandoffState.WAITING,
        "permissions": ", ".join(list_scope_labels(found.grant.allowed_scopes())),
        "idempotency_key": one_time_secret_service.new_form_key(),
    }


def _may_be_issued_again(found: Handoff) -> bool:
    ended = get_current_state(found) is not HandoffState.WAITING
    return found.grant.revoked_at is None and (ended or _is_key_replaced(found))


def _is_key_replaced(found: Handoff) -> bool:
    """Whether it waits sealed to a key that the connector has not any more: perhaps it cannot be opened."""
    if not found.is_sealed_to_key or get_current_state(found) is not HandoffState.WAITING:
        return False
    return not found.connector.keys.live().filter(fingerprint=found.sealed_to).exists()


def _crumbs(found: Handoff, *rows: tuple[str, str]) -> list[dict[str, str]]:
    here = reverse("connectors:handoff", args=[found.pk]) if rows else ""
    return links.crumbs((_("Handoffs"), reverse("handoffs")), (found.grant.target_name, here), *rows)


Step = dict[str, Any]


def list_steps(handoff: Handoff) -> list[Step]:
    """Return the five steps for `<c-handoff-line :steps=…>`.

    It costs no query for a handoff that `connectors.queries.connectors` found.
    """
    told = _told_step(handoff)
    return [
        _step(_("Created"), "done", at=handoff.made_at, by=handoff.maker_name),
        _step(_("Sealed"), "done", at=handoff.sealed_at, note=_describe_seal(handoff)),
        told,
        _opened_step(handoff, is_next=told["state"] != "now"),
        _works_step(handoff),
    ]


def get_current_state(handoff: Handoff) -> HandoffState:
    """The state that counts now: past its deadline a handoff is expired, whether or not the worker came by."""
    if handoff.state is HandoffState.WAITING and handoff.expires_at <= clock.now():
        return HandoffState.EXPIRED
    return handoff.state


def get_etag(user: User, handoff_id: UUID) -> str:
    """The ETag of a page that shows this handoff's line, for `user`."""
    return live.etag(user.pk, handoff_queries.get_handoff_version(handoff_id))


def get_line_context(line: list[Step], path: str, etag: str) -> dict[str, Any]:
    """What a template needs to let `line` follow along: `path` shows the same line; over, it asks no more."""
    moves = any(step["state"] == "now" for step in line)
    return {"says": _latest(line), **(live.follow(path, etag) if moves else {})}


def get_handoff_line(user: User, handoff_id: UUID) -> dict[str, Any]:
    """Return the line of a handoff that `user` may see, for a page that is about something else."""
    etag = get_etag(user, handoff_id)
    line = list_steps(handoff_queries.get_handoff(user, handoff_id))
    return {"steps": line, **get_line_context(line, reverse("connectors:handoff", args=[handoff_id]), etag)}


def _latest(line: list[Step]) -> str:
    """How far it is, in a few words: what a screen reader says when the line has moved on."""
    reached = [step for step in line if step["state"] in ("done", "failed")][-1]
    more = reached["note"] if reached["state"] == "failed" else reached["by"] or reached["note"]
    return _("%(step)s: %(more)s") % {"step": reached["label"], "more": more} if more else str(reached["label"])


def _step(
    label: str, state: str, *, at: dt.datetime | None = None, by: str | None = None, note: str | None = None
) -> Step:
    return {"label": label, "state": state, "at": at, "by": by, "note": note}


def _describe_seal(handoff: Handoff) -> str:
    name = handoff.connector.name
    if handoff.sealed_to == "server":
        return _("for %(connector)s") % {"connector": name}
    return _("for %(connector)s, key %(fingerprint)s") % {"connector": name, "fingerprint": handoff.sealed_to}


def _told_step(handoff: Handoff) -> Step:
    """Home tells at once; the mail may take a while, or never arrive."""
    label, notice = _("Notified"), handoff.notice
    if notice is not None and notice.sent_at:
        return _step(label, "done", at=notice.sent_at, by=handoff.connector.owner.name, note=_("by mail and on Home"))
    if notice is not None and notice.gave_up_at:
        return _step(label, "done", by=handoff.connector.owner.name, note=_("on Home; the mail could not be sent"))
    if get_current_state(handoff) is not HandoffState.WAITING:
        return _step(label, "done", by=handoff.connector.owner.name, note=_("on Home"))
    return _step(label, "now", by=handoff.connector.owner.name, note=_("on Home; the mail is on its way"))


def _opened_step(handoff: Handoff, *, is_next: bool) -> Step:
    label, state = _("Claimed"), get_current_state(handoff)
    if state is HandoffState.CLAIMED:
        address = _("from %(address)s") % {"address": handoff.claimed_from} if handoff.claimed_from else ""
        by_program = _("by the program") if handoff.claimed_by_program else ""
        note = ", ".join(filter(None, (by_program, address))) or None
        return _step(label, "done", at=handoff.claimed_at, by=handoff.claimer_name, note=note)
    if state is HandoffState.REFUSED:
        return _step(label, "failed", at=handoff.refused_at, note=_("refused by the developer"))
    if state is HandoffState.EXPIRED:
        return _step(label, "failed", at=handoff.expired_at or handoff.expires_at, note=_("expired unclaimed"))
    if state is HandoffState.WITHDRAWN:
        return _step(label, "failed", at=handoff.withdrawn_at, note=_("withdrawn"))
    return _step(label, "now" if is_next else "todo") | {"until": handoff.expires_at}


def _works_step(handoff: Handoff) -> Step:
    label, token = _("Works"), handoff.refresh_token
    if token.first_used_at:
        address = _("from %(address)s") % {"address": token.first_used_from} if token.first_used_from else None
        return _step(label, "done", at=token.first_used_at, note=address)
    if get_current_state(handoff) is not HandoffState.CLAIMED:
        return _step(label, "todo")
    if token.revoked_at:
        return _step(label, "failed", at=token.revoked_at, note=_("the token was ended"))
    if token.expires_at <= clock.now():
        return _step(label, "failed", at=token.expires_at, note=_("never used"))
    return _step(label, "now", note=_("once the program uses it"))
