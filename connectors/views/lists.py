"""The list of connectors: own ones first of all, or everybody's. What is asked for stands in the address."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from accounts.views.decorators import signed_in, user_of
from connectors import owning, usage_counts
from connectors.models import Connector, ConnectorState
from connectors.permissions import DESCRIPTIONS, in_order
from connectors.queries import connectors as queries
from connectors.views import links, usage_charts
from kaizala_console.lib import keyset
from kaizala_console.statuses import STATUSES

SHOWS = {"mine": gettext_lazy("My Connectors"), "all": gettext_lazy("All Connectors")}
STATES = {
    "": gettext_lazy("Any state"),
    **{
        state.value: STATUSES[state.value].word
        for state in (ConnectorState.LIVE, ConnectorState.DEACTIVATED, ConnectorState.SUSPENDED)
    },
}
SORTS = {
    "": gettext_lazy("By name"),
    "newest": gettext_lazy("Newest first"),
    "oldest": gettext_lazy("Oldest first"),
    "used": gettext_lazy("Last used first"),
    "ends": gettext_lazy("Next to end first"),
}
NAMED_IN_A_ROW = 3


@require_GET
@signed_in
def connectors(request: HttpRequest) -> HttpResponse:
    """One page of the list. What cannot be understood in the address is left out rather than refused."""
    show = _show(request)
    everybodys = show == "all"
    own = None if everybodys else owning.of(user_of(request))
    offered = queries.sorts_for(own, everybodys=everybodys)
    sorts = {key: label for key, label in SORTS.items() if (key or "name") in offered}
    state = request.GET.get("state", "") if request.GET.get("state", "") in STATES else ""
    sort = request.GET.get("sort", "") if request.GET.get("sort", "") in sorts else ""
    search = request.GET.get("q", "").strip()[:120]
    try:
        page = queries.connector_page(
            user_of(request),
            everybodys=everybodys,
            search=search,
            state=state,
            sort=sort or "name",
            own=own,
            cursor=request.GET.get("cursor"),
        )
    except keyset.BadCursor:
        return redirect(links.url_with(request, cursor=None))
    sparks = {} if everybodys else usage_counts.sparks(page.items)
    context = {
        "rows": [_row(connector, sparks.get(connector.pk)) for connector in page.items],
        "everybodys": everybodys,
        "search": search,
        "selects": [
            _select("show", _("Whose connectors"), SHOWS, show),
            _select("state", _("State"), STATES, state),
            _select("sort", _("Order"), sorts, sort),
        ],
        "chips": _chips(request, search, state),
        "filtered": bool(search or state),
        "first_page_url": links.url_with(request, q=None, state=None, cursor=None),
        **links.pagination_links(request, page),
    }
    return render(request, "connectors/list.html", context)


def _show(request: HttpRequest) -> str:
    """Which list: their own, unless they ask for all, or administer the organisation and own none."""
    asked, user = request.GET.get("show"), user_of(request)
    if asked in SHOWS:
        return asked
    return "all" if user.is_organisation_admin and not queries.own_connectors(user).exists() else "mine"


def _row(connector: Connector, days: list[int] | None) -> dict[str, Any]:
    names = [str(DESCRIPTIONS[permission].label) for permission in in_order(connector.permissions)]
    return {
        "connector": connector,
        "state": connector.state.value,
        "named": ", ".join(names[:NAMED_IN_A_ROW]),
        "more": max(0, len(names) - NAMED_IN_A_ROW),
        "all": ", ".join(names),
        "spark": usage_charts.spark(days) if days else None,
    }


def _select(name: str, label: str, options: dict[str, Any], chosen: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "options": [{"value": key, "label": words, "chosen": key == chosen} for key, words in options.items()],
    }


def _chips(request: HttpRequest, search: str, state: str) -> list[dict[str, str]]:
    chips = links.search_chips(request, search)
    if state:
        label = _("State: %(state)s") % {"state": STATES[state]}
        chips.append({"label": label, "remove_url": links.url_with(request, state=None, cursor=None)})
    return chips
