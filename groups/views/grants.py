"""One connector in one group: how far its handoff is, "Show it to me once", regenerate, and remove."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import policies as account_policies
from accounts.models import User
from accounts.views.decorators import (
    reauthentication_required,
    require_reauthentication,
    signed_in,
    user_of,
    with_phone,
)
from connectors import policies
from connectors.models import Grant, Handoff, HandoffState, RefreshToken
from connectors.permissions import describe_permissions
from connectors.queries import handoffs as handoff_queries
from connectors.services import grants, handoffs
from connectors.services import grants as rights
from connectors.services import one_time_secrets as one_time_secret_service
from connectors.views import handoffs as views_handoffs
from connectors.views import one_time_secrets
from connectors.views.forms import (
    TypedNameForm,
    WithEndDate,
    flash_refusals,
    get_posted,
    last_day,
    show_refusals,
)
from connectors.views.handoffs import PILLS
from connectors.views.usage import get_listener_facts, get_use_facts
from groups import access
from groups.models import Group
from groups.queries import groups
from groups.services import connectors
from groups.views import links
from groups.views.connectors import get_status
from kaizala_console.lib import clock, live, moments
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken

View = Callable[..., HttpResponse]


def redirect_if_removed(view: View) -> View:
    """For pages of one grant. Whoever runs no such group, or asks for what never was in it, finds nothing as before."""

    @wraps(view)
    def opened(request: HttpRequest, *, group_id: UUID, grant_id: UUID, **more: Any) -> HttpResponse:
        try:
            return view(request, group_id=group_id, grant_id=grant_id, **more)
        except NotFound:
            if live.is_poll(request):
                raise
            group = access.require_admin(user_of(request), group_id)
            found = groups.get_grant(group, grant_id, also_removed=True)
            if not found.revoked_at:
                raise
            return redirect_to_group(request, group_id, found)

    return opened


def redirect_to_group(request: HttpRequest, group_id: UUID, found: Grant) -> HttpResponse:
    """Says that it is removed, beside what has access."""
    messages.info(request, _("“%(connector)s” was already removed.") % {"connector": found.connector.name})
    return redirect("groups:connectors", group_id)


SHOW = gettext_lazy("View once")


def _get_url(group_id: UUID, grant_id: UUID, **_more: Any) -> str:
    return reverse("groups:grant", args=[group_id, grant_id])


@require_GET
@with_phone
@live.polled
@redirect_if_removed
def grant(request: HttpRequest, group_id: UUID, grant_id: UUID) -> HttpResponse:
    """The grant and its newest handoff, for the group's admins. The line moves on while it is looked at."""
    user = user_of(request)
    if unchanged := live.unchanged(request, _get_etag(user, grant_id)):
        return unchanged
    group = access.require_admin(user, group_id)
    return _page(request, group, grant_id)


def _get_etag(user: User, grant_id: UUID) -> str:
    return live.etag(user.pk, handoff_queries.get_grant_version(grant_id))


@sensitive_post_parameters("idempotency_key")
@require_http_methods(["GET", "POST"])
@with_phone(button_label=SHOW)
@redirect_if_removed
@sensitive_variables("idempotency_key", "token")
def show(request: HttpRequest, group_id: UUID, grant_id: UUID) -> HttpResponse:
    """ "Show it to me once": the old portal's way. A GET only leads to the page with the button."""
    if request.method != "POST":
        return redirect(_get_url(group_id, grant_id))
    idempotency_key, user = request.POST.get("idempotency_key", ""), user_of(request)
    group = access.require_admin(user, group_id)
    found = groups.get_grant(group, grant_id)
    handoff = _newest(found)
    if handoff is None:
        return redirect(_get_url(group_id, grant_id))
    if handoff.made_by_id != user.pk:
        return _page(request, group, grant_id, problem=_not_yours_to_see(handoff), status=403)
    if (
        one_time_secret_service.find(user=user, idempotency_key=idempotency_key) is None
    ):  # else a second click: it asks nothing
        require_reauthentication(request)
    try:
        token = handoffs.reveal(handoff=handoff, by=user, idempotency_key=idempotency_key)
    except (Conflict, RuleBroken, NotAllowed) as refused:
        return _page(request, group, grant_id, problem=str(refused), status=409)
    return one_time_secrets.page(request, _showing(group, found, handoff), token, idempotency_key)


@sensitive_post_parameters("idempotency_key")
@require_POST
@signed_in
def show_download(request: HttpRequest, group_id: UUID, grant_id: UUID) -> HttpResponse:
    """The file with the token that is on the screen."""
    return _shown_button(request, group_id, grant_id, one_time_secrets.download)


@sensitive_post_parameters("idempotency_key")
@require_POST
@signed_in
def show_done(request: HttpRequest, group_id: UUID, grant_id: UUID) -> HttpResponse:
    """ "Done" under the token."""
    return _shown_button(request, group_id, grant_id, one_time_secrets.done)


def _shown_button(request: HttpRequest, group_id: UUID, grant_id: UUID, act: Any) -> HttpResponse:
    user = user_of(request)
    group = access.require_admin(user, group_id)
    found = groups.get_grant(group, grant_id)
    handoff = _newest(found)
    if handoff is None or not policies.can_have_revealed(user, handoff):
        return redirect(_get_url(group_id, grant_id))
    response: HttpResponse = act(request, _showing(group, found, handoff))
    return response


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=gettext_lazy("Regenerate"))
@redirect_if_removed
def regenerate(request: HttpRequest, group_id: UUID, grant_id: UUID) -> HttpResponse:
    """GET tells what would happen, POST does it: the old token ends at once, a new one is sealed and handed over."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    found = groups.get_grant(group, grant_id)
    if request.method != "POST":
        context = {
            **frame(group, found, _("Regenerate")),
            **what_stops(found, webhooks=False),
            "handoff": _newest(found),
        }
        return render(request, "groups/grant_regenerate.html", context)
    known, asked_of = _newest_first(found), _newest(found)
    if "handoff" in request.POST:  # the one that the form was shown with
        asked_of = next((handoff for handoff in known if str(handoff.pk) == request.POST["handoff"]), None)
    with flash_refusals(request):
        made = rights.regenerate(grant=found, by=user, instead_of=asked_of) if asked_of or not known else known[0]
        if made in known:
            messages.info(request, _("The token was already regenerated."))
        else:
            messages.success(request, _("Token regenerated. The old one is revoked, and we notified the developer."))
    return redirect(_get_url(group_id, grant_id))


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Remove"))
def remove(request: HttpRequest, group_id: UUID, grant_id: UUID) -> HttpResponse:
    """GET tells what will stop, POST with the connector's name stops it. Twice is once."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    found = groups.get_grant(group, grant_id, also_removed=True)
    if found.revoked_at:
        return redirect_to_group(request, group_id, found)
    form = TypedNameForm(get_posted(request), name=found.connector.name)
    if form.is_valid():
        require_reauthentication(request)
        with flash_refusals(request):
            connectors.remove_connector(group=group, grant=found, by=user)
            says = _("“%(connector)s” removed. Its tokens are refused.")
            messages.success(request, says % {"connector": found.connector.name})
        return redirect("groups:connectors", group_id)
    context = {**frame(group, found, _("Remove")), "form": form, **what_stops(found)}
    return render(request, "groups/grant_remove.html", context, status=400 if form.is_bound else 200)


# Pieces --------------------------------------------------------------------------------------------------------------


def _page(request: HttpRequest, group: Group, grant_id: UUID, *, problem: str = "", status: int = 200) -> HttpResponse:
    user = user_of(request)
    etag = _get_etag(user, grant_id)  # before the rest is read: what changes meanwhile is new to this page
    found = groups.get_grant(group, grant_id)
    can, cannot = describe_permissions(found.permissions & found.connector.permissions)
    handoff = _newest(found)
    state = views_handoffs.get_current_state(handoff) if handoff else None
    steps = views_handoffs.list_steps(handoff) if handoff else []
    context = {
        **frame(group, found),
        **(views_handoffs.get_line_context(steps, _get_url(group.pk, grant_id), etag) if steps else {}),
        "can": can,
        "cannot": cannot,
        "handoff": handoff,
        "steps": steps,
        "pill": PILLS[state] if state else "",
        "waiting": state is HandoffState.WAITING,
        "may_be_issued_again": state not in (HandoffState.WAITING, HandoffState.CLAIMED, None),
        "may_be_shown": handoff is not None and state is HandoffState.WAITING and _may_be_shown(user, handoff),
        "over": _explain_end(found),
        "leaked": found.refresh_tokens.filter(reported_at__isnull=False, revoked_at__isnull=True).exists(),
        "shown_forbidden": not found.connector.organisation.admins_may_see_tokens,
        "idempotency_key": one_time_secret_service.new_form_key(),
        "tokens": _live_tokens(found),
        "problem": problem,
        **get_listener_facts(Grant.objects.filter(pk=found.pk)),
    }
    return render(request, "groups/grant.html", context, status=status)


def _may_be_shown(user: User, handoff: Handoff) -> bool:
    return handoff.revealed_at is None and policies.can_have_revealed(user, handoff)


def _not_yours_to_see(handoff: Handoff) -> str:
    return _(
        "Only %(name)s, who added the connector, can view this token. Its developer can claim it, or you can "
        "regenerate it."
    ) % {"name": handoff.maker_name}


def _explain_end(found: Grant) -> str:
    """Why no token of this grant works now, nor a new one would; empty while it can."""
    if found.connector.suspended_at:
        return _("The developer suspended this connector: every token is refused.")
    if found.suspended_at:
        return _("This access is suspended: every token is refused.")
    if get_status(found) == "ended":
        return _("This access has ended: every token is refused. To restore it, remove it and add the connector again.")
    return ""


def frame(group: Group, found: Grant, here: str = "") -> dict[str, Any]:
    """What the pages of one grant share; `here` names one below it."""
    rows = [(_("Connectors"), reverse("groups:connectors", args=[group.pk]))]
    rows.append((found.connector.name, _get_url(group.pk, found.pk) if here else ""))
    if here:
        rows.append((here, ""))
    return {
        "group": group,
        "grant": found,
        "connector": found.connector,
        "status": get_status(found),
        "crumbs": links.group_crumbs(group, *rows),
    }


def _newest_first(found: Grant) -> list[Handoff]:
    # Prefetched by `queries` under this name, which the type of a grant does not know.
    rows: list[Handoff] = found.handoffs_newest_first  # type: ignore[attr-defined]
    return rows


def _live_tokens(found: Grant) -> list[RefreshToken]:
    # Prefetched under this name likewise, which the type of a grant does not know either.
    rows: list[RefreshToken] = found.live_tokens  # type: ignore[attr-defined]
    return rows


def _newest(found: Grant) -> Handoff | None:
    return next(iter(_newest_first(found)), None)


def what_stops(found: Grant, *, webhooks: bool = True) -> dict[str, Any]:
    """What "What will stop" counts: tokens, groups, handoffs, calls of the last day and week; webhooks, if they do."""
    handoff = _newest(found)
    waits = handoff is not None and views_handoffs.get_current_state(handoff) is HandoffState.WAITING
    use = get_use_facts(Grant.objects.filter(pk=found.pk), webhooks=webhooks)
    facts = [
        {"label": _("live refresh tokens"), "count": len(_live_tokens(found))},
        {"label": _("handoffs waiting"), "count": int(waits)},
        {"label": _("groups"), "count": groups.count_reached_groups(found)},
        *use.pop("use_facts"),
    ]
    return {"facts": facts, **use}


def _showing(group: Group, found: Grant, handoff: Handoff) -> one_time_secrets.OneTimeSecretPage:
    """The same page as the developer's, with words for an admin who carries the token by hand."""
    connector = found.connector
    at = [group.pk, found.pk]
    return one_time_secrets.OneTimeSecretPage(
        subject=handoff,
        template="groups/token_shown.html",
        values=lambda token: one_time_secrets.list_handoff_values(handoff, token),
        file=one_time_secrets.get_file_name(connector.name, group.name),
        download_url=reverse("groups:grant_show_download", args=at),
        done_url=reverse("groups:grant_show_done", args=at),
        after_url=reverse("groups:grant", args=at),
        finished=_("The refresh token is not shown again. The developer can still claim it."),
        gone=_("The refresh token is not shown again. If it is lost, regenerate it."),
        context=lambda token: {"group": group, "connector": connector},
    )


# ----------------------------------------------------------------------------------------------------
# Suspend and resume a connector in one group: refused from the next request on, and accepted again. Its end date.


SUSPEND, RESUME = gettext_lazy("Suspend"), gettext_lazy("Resume")


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=SUSPEND)
@redirect_if_removed
def suspend(request: HttpRequest, group_id: UUID, grant_id: UUID) -> HttpResponse:
    """GET tells what will stop until it is resumed, POST stops it. Twice is once."""
    says = _("“%(connector)s” suspended in this group.")
    return _change(request, group_id, grant_id, label=SUSPEND, act=rights.suspend, done=says)


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=RESUME)
@redirect_if_removed
def resume(request: HttpRequest, group_id: UUID, grant_id: UUID) -> HttpResponse:
    """GET tells what will work again, POST lets it. Twice is once."""
    says = _("“%(connector)s” resumed in this group.")
    return _change(request, group_id, grant_id, label=RESUME, act=rights.resume, done=says)


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Save"))
@redirect_if_removed
def end_date(request: HttpRequest, group_id: UUID, grant_id: UUID) -> HttpResponse:
    """GET shows until when, POST sets another day, or none."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    found = groups.get_grant(group, grant_id)
    form = WithEndDate(get_posted(request), initial={"end_date": last_day(found.ends_at)})
    form.fields["end_date"].widget.attrs["min"] = timezone.localdate(clock.now()).isoformat()
    if form.is_valid():
        require_reauthentication(request)
        same_day = form.cleaned_data["end_date"] == last_day(found.ends_at)
        with show_refusals(form):
            moved = grants.move(grant=found, ends_at=found.ends_at if same_day else form.ends_at(), by=user)
            messages.success(request, _until(moved))
            return redirect("groups:grant", group_id, grant_id)
    context = {**frame(group, found, _("End date")), "form": form}
    return render(request, "groups/grant_end_date.html", context, status=400 if form.is_bound else 200)


def _until(grant: Grant) -> str:
    facts = {"connector": grant.connector.name}
    if grant.ends_at is None:
        return _("“%(connector)s” has access without an end date.") % facts
    return _("“%(connector)s” has access until %(when)s.") % {**facts, "when": moments.exact(grant.ends_at)}


def _change(
    request: HttpRequest, group_id: UUID, grant_id: UUID, *, label: Promise, act: Callable[..., Grant], done: str
) -> HttpResponse:
    user = user_of(request)
    group = access.require_admin(user, group_id)
    found = groups.get_grant(group, grant_id)
    if request.method != "POST":
        suspends = act is rights.suspend
        context = {**frame(group, found, str(label)), **what_stops(found), "suspends": suspends, "label": label}
        return render(request, "groups/grant_state.html", context)
    with flash_refusals(request):
        act(grant=found, by=user)
        messages.success(request, done % {"connector": found.connector.name})
    return redirect("groups:grant", group_id, grant_id)


@require_GET
@with_phone
def ending(request: HttpRequest) -> HttpResponse:
    """The next in front."""
    user = user_of(request)
    account_policies.require_organisation_admin(user)
    page = groups.ending_page(user, cursor=request.GET.get("cursor"))
    context = {
        "organisation": user.organisation,
        "tokens": page.items,
        **links.pagination_links(request, page),
        "crumbs": links.crumbs(
            (_("Organisation"), reverse("accounts:organisation")),
            (_("Ends soon"), ""),
        ),
    }
    return render(request, "groups/ending.html", context)
