"""What a person sees before something stops: how much it is used, by which calls, and who is told what happens."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from connectors.models import Connector, Grant
from connectors.queries import usage
from connectors.queries import webhooks as webhook_queries


def get_use_facts(whose: QuerySet[Grant] | Connector, *, webhooks: bool = True) -> dict[str, Any]:
    """`use_facts` for `<c-what-will-stop>`, and for `connectors/_endpoints.html` `endpoints` and `hosts`: of these
    grants, or of all of a connector that were not revoked.

    Webhooks need no token, only the access: where only tokens or secrets end, they go on; say `webhooks=False` there.
    """
    found = usage.count_by_endpoint(whose)
    listening = get_listener_facts(whose) if webhooks else {}
    return {
        "use_facts": [
            {"label": _("calls in the last 24 hours"), "count": sum(row.day for row in found)},
            {"label": _("calls in the last 7 days"), "count": sum(row.week for row in found)},
            *([{"label": _("active webhooks"), "count": listening["listening"]}] if webhooks else []),
        ],
        "endpoints": found[: usage.MOST_LINES],
        "more_endpoints": len(found[usage.MOST_LINES :]),
        **listening,
    }


def get_listener_facts(whose: QuerySet[Grant] | Connector) -> dict[str, Any]:
    """`listening`, how many webhooks are told something under these grants now, and their `hosts`, the most first."""
    found = webhook_queries.list_hosts(whose)
    return {
        "listening": sum(host.webhooks for host in found),
        "hosts": found[: webhook_queries.MOST_HOSTS],
        "more_hosts": len(found[webhook_queries.MOST_HOSTS :]),
    }
