"""Where a connector may act: its groups, and the refresh token of each. For owners."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from accounts.views.decorators import signed_in, user_of
from connectors.models import Grant
from connectors.permissions import list_scope_labels
from connectors.queries import grants as grant_queries
from connectors.queries import usage as usage_queries
from connectors.views import handoffs, links, usage
from kaizala_console.lib import clock


@require_GET
@signed_in
def grants(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """One page of grants, those in force or those that ended, the newest first."""
    connector, context = links.get_own(user_of(request), connector_id, "groups")
    ended = request.GET.get("show") == "ended"
    search = request.GET.get("q", "").strip()[:120]
    page = grant_queries.get_grant_page(connector, ended=ended, search=search, cursor=request.GET.get("cursor"))
    sparks = usage_queries.get_daily_grant_calls(page.items)
    context |= {
        "rows": [{**get_row(grant), "spark": usage.find_spark(sparks, grant)} for grant in page.items],
        "ended": ended,
        "search": search,
        "toggle_url": links.url_with(request, show=None if ended else "ended", cursor=None),
        **links.pagination_links(request, page),
    }
    return render(request, "connectors/groups.html", context)


def get_row(grant: Any) -> dict[str, Any]:
    """What a line about a grant says. Expects what `queries.grants.with_line` adds."""
    token = grant.live_tokens[0] if grant.live_tokens else None
    handoff = grant.handoffs_newest_first[0] if grant.handoffs_newest_first else None
    handoff_state = handoff and handoffs.get_current_state(handoff).value
    return {
        "grant": grant,
        "state": _state(grant),
        "permissions": list_scope_labels(grant.allowed_scopes()),
        "how_many": ngettext("%(n)d permission", "%(n)d permissions", len(grant.permissions))
        % {"n": len(grant.permissions)},
        "token": token,
        "used_at": token and max(filter(None, (token.last_used_at, token.first_used_at)), default=None),
        "handoff": handoff,
        "handoff_state": "opened" if handoff_state == "claimed" else handoff_state,
    }


def _state(grant: Grant) -> str:
    if grant.revoked_at:
        return "removed"
    if grant.ends_at is not None and grant.ends_at <= clock.now():
        return "ended"
    return "suspended" if grant.suspended_at else "live"
