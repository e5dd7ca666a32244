"""The "Connectors" tab: choose one in the drop-down, see what it could do here, "Add Connector"; and who has access."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from accounts.views.decorators import require_reauthentication, user_of, with_phone
from accounts.views.forms import add_error
from connectors.models import AccessRequest, Connector, Grant, HandoffState
from connectors.permissions import (
    DESCRIPTIONS,
    Permission,
    describe_permissions,
    from_form_value,
    sort_permissions,
    to_form_value,
)
from connectors.queries import handoffs as handoff_queries
from connectors.queries import usage as usage_queries
from connectors.services.grants import AlreadyGranted
from connectors.views import handoffs, usage
from connectors.views.access_requests import get_row
from connectors.views.handoffs import PILLS
from connectors.views.links import pagination_links
from groups import access
from groups.models import Group
from groups.queries import access_requests, groups
from groups.services import connectors as grants
from groups.views import bots, links
from groups.views.forms import MOST_CHOICES, AddConnectorForm
from kaizala_console.lib import clock, ids, live
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

ADD = gettext_lazy("Add Connector")
# An id or a date that stands in an address; what is longer is neither.
LONGEST_CHOICE = 40
LONGEST_SEARCH = 100


@require_GET
@with_phone
@live.polled
def connectors(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """What has access, for everybody in the group; admins also see the drop-down and how far each handoff is.

    `?connector=` chooses in the drop-down, and shows beside it what that connector can and cannot do.
    """
    user = user_of(request)
    group, context = links.for_member(user, group_id, "connectors")
    if not links.is_admin(group):
        return _page(request, group, context, None)
    asked = access_requests.list_group_requests(group, user)
    etag = _get_etag(user, group, asked)  # before the rest is read
    if unchanged := live.unchanged(request, etag):
        return unchanged
    initial: dict[str, str] = {}
    if "connector" in request.GET or "end_date" in request.GET:
        initial |= {"connector": request.GET.get("connector", ""), "end_date": request.GET.get("end_date", "")}
    form = _form(group, user, initial=initial, search=_get_search(request))
    return _page(request, group, context | live.follow(request.get_full_path(), etag), form, asked)


def _get_etag(user: User, group: Group, asked: list[AccessRequest]) -> str:
    return live.etag(
        user.pk, [request.pk for request in asked], handoff_queries.get_target_version(access.get_target(group))
    )


@require_POST
@with_phone(button_label=ADD)
def add(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """ "Add Connector": makes the grant, and the refresh token, which is sealed at once. Twice is once.

    Or only "What could it do?", which shows the chosen one next to the drop-down.
    """
    if "look" in request.POST:
        chosen = {name: request.POST.get(name, "")[:LONGEST_CHOICE] for name in ("connector", "end_date")}
        return redirect(f"{reverse('groups:connectors', args=[group_id])}?{urlencode(chosen)}")
    user = user_of(request)
    group = access.require_admin(user, group_id)
    if (there := _added_before(group, request.POST.get("connector", ""))) is not None:
        messages.info(request, str(AlreadyGranted(there)))
        return redirect("groups:grant", group_id, there.pk)
    form = _form(group, user, request.POST)
    if form.is_valid():
        require_reauthentication(request)
        try:
            granted = grants.add_connector(
                group=group,
                connector_id=form.cleaned_data["connector"].pk,
                ends_at=form.ends_at(),
                as_shown=_as_shown(request, form.cleaned_data["connector"]),
                by=user,
            )
        except AlreadyGranted as already:
            messages.info(request, str(already))
            return redirect("groups:grant", group_id, already.grant.pk)
        except NotFound:
            form.add_error("connector", form.fields["connector"].error_messages["invalid_choice"])
        except (RuleBroken, Conflict) as refused:
            add_error(form, refused)
        else:
            messages.success(
                request,
                _("“%(connector)s” added. We notified %(owner)s, who can claim the refresh token.")
                % {"connector": granted.grant.connector.name, "owner": granted.grant.connector.owner.name},
            )
            return redirect("groups:grant", group_id, granted.grant.pk)
    asked, here = access_requests.list_group_requests(group, user), reverse("groups:connectors", args=[group.pk])
    context = links.frame(group, "connectors") | live.follow(here, _get_etag(user, group, asked))
    return _page(request, group, context, form, asked)


def _as_shown(request: HttpRequest, connector: Connector) -> frozenset[Permission] | None:
    """What the page said that the connector could do; None when it showed none, or another one than was chosen."""
    shown_id, _colon, shown = request.POST.get("shown", "").partition(":")
    return from_form_value(shown) if ids.parse_guid(shown_id) == connector.pk else None


def _get_search(request: HttpRequest) -> str:
    return request.GET.get("find", "").replace("\0", "").strip()[:LONGEST_SEARCH]


def _added_before(group: Group, connector_id: str) -> Grant | None:
    """The grant that a first click of the same button, or another admin, has just made."""
    key = ids.parse_guid(connector_id)
    return groups.list_grants(group).filter(connector_id=key).first() if key else None


def _form(group: Group, user: User, data: QueryDict | None = None, **kwargs: Any) -> AddConnectorForm:
    """Of thousands of connectors the drop-down offers some: `find` are the words that they are searched by."""
    here = reverse("groups:connectors", args=[group.pk])
    return AddConnectorForm(data, connectors=groups.list_addable_connectors(group, user), page_url=here, **kwargs)


def _page(
    request: HttpRequest,
    group: Group,
    context: dict[str, Any],
    form: AddConnectorForm | None,
    asked: Sequence[AccessRequest] = (),
) -> HttpResponse:
    here = reverse("groups:connectors", args=[group.pk])
    page = groups.grant_page(group, cursor=request.GET.get("cursor"))
    sparks = usage_queries.get_daily_grant_calls(page.items) if links.is_admin(group) else {}
    chosen = _chosen(form)
    can, cannot = describe_permissions(chosen.permissions) if chosen else ([], [])
    context |= {
        "rows": [_row(grant) | {"spark": usage.find_spark(sparks, grant)} for grant in page.items],
        **pagination_links(request, page, path=here),
        "form": form,
        "asked_rows": [get_row(one) for one in asked],
        "chosen": chosen,
        "can": can,
        "cannot": cannot,
        "shown": f"{chosen.pk}:{to_form_value(chosen.permissions)}" if chosen else "",
        "nothing_to_add": form is not None and not form.total,
        "search": _get_search(request),
        "most": MOST_CHOICES,
        "many": form is not None and form.total > MOST_CHOICES,
        **bots.get_context(group),
    }
    return render(request, "groups/connectors.html", context, status=400 if form and form.is_bound else 200)


def _chosen(form: AddConnectorForm | None) -> Connector | None:
    if form is None:
        return None
    key = ids.parse_guid(str(form["connector"].value() or ""))
    choices = form.fields["connector"].queryset  # type: ignore[attr-defined]
    found: Connector | None = choices.filter(pk=key).first() if key else None
    return found


def _row(grant: Grant) -> dict[str, Any]:
    # `with_line` has put the handoffs and the tokens there; the model's own type does not know of them.
    handoff = grant.handoffs_newest_first[0] if grant.handoffs_newest_first else None  # type: ignore[attr-defined]
    state = handoffs.get_current_state(handoff) if handoff else None
    tokens = [handoff.refresh_token for handoff in grant.handoffs_newest_first]  # type: ignore[attr-defined]
    used = [at for token in tokens for at in (token.last_used_at, token.first_used_at) if at]
    return {
        "grant": grant,
        "status": get_status(grant),
        "how_many": ngettext("%(n)d permission", "%(n)d permissions", len(grant.permissions))
        % {"n": len(grant.permissions)},
        "permissions": [DESCRIPTIONS[permission].can for permission in sort_permissions(grant.permissions)],
        "handoff_pill": PILLS[state] if state else "",
        "waiting": state is HandoffState.WAITING,
        "used_at": max(used, default=None),
        "token_that_ends": groups.find_ending_token(grant.live_tokens),  # type: ignore[attr-defined]
    }


def get_status(grant: Grant) -> str:
    """The pill of a grant: what its tokens are worth at this moment."""
    if grant.revoked_at:
        return "removed"
    if grant.suspended_at or grant.connector.suspended_at:
        return "suspended"
    if grant.ends_at and grant.ends_at <= clock.now():
        return "ended"
    return "live"
