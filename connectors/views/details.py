"""One connector: what it is and may do, for everybody of its organisation; the rest of its pages is for owners."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.models import User
from accounts.views.decorators import signed_in, user_of
from connectors import policies
from connectors.models import Connector
from connectors.permissions import can_and_cannot
from connectors.queries import connectors
from connectors.views import links, snippets
from connectors.views.states import verbs_for


@require_GET
@signed_in
def overview(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """What the connector is and may do; owners also see the way on, and how to stop it."""
    user = user_of(request)
    connector = connectors.connector_for(user, connector_id)
    can, cannot = can_and_cannot(connector.permissions)
    context: dict[str, Any] = {
        "can": can,
        "cannot": cannot,
        "co_owners": list(connector.co_owners.order_by("name")),
        "may_name_owners": policies.can_name_owners(user, connector),
        "key": connector.keys.live().first(),
    }
    if policies.can_see_credentials(user, connector):
        context |= {
            **frame(connector, "details"),
            "verbs": verbs_for(connector),
            "exchange": snippets.exchange_line(connector),
            "ending_secret": connectors.secret_to_end_next(connector),
        }
    else:
        context |= {"connector": connector, "state": connector.state.value, "crumbs": links.connector_crumbs(connector)}
    return render(request, "connectors/details.html", context)


def frame(connector: Connector, current: str) -> dict[str, Any]:
    """What the pages of one connector share, for its owners."""
    counts = connectors.counts_of(connector)
    return {
        "connector": connector,
        "state": connector.state.value,
        "is_owner": True,
        "counts": counts,
        "tabs": links.tabs(connector, counts, current),
        "crumbs": links.connector_crumbs(connector),
    }


def own(user: User, connector_id: UUID, current: str) -> tuple[Connector, dict[str, Any]]:
    """A connector of the account's own with the frame of its pages. Raises NotFound."""
    connector = connectors.own_connector(user, connector_id)
    return connector, frame(connector, current)
