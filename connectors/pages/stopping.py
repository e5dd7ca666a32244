"""What a person sees before something stops: how much it is used, and by which calls."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from connectors import usage_queries
from connectors.models import Grant


def facts_of_use(grants: QuerySet[Grant]) -> dict[str, Any]:
    """`use_facts` for `<c-what-will-stop>`, and `endpoints` for `connectors/_endpoints.html`."""
    found = usage_queries.by_endpoint(grants)
    return {
        "use_facts": [
            {"label": _("calls in the last 24 hours"), "count": sum(row.day for row in found)},
            {"label": _("calls in the last 7 days"), "count": sum(row.week for row in found)},
        ],
        "endpoints": found[: usage_queries.MOST_LINES],
        "more_endpoints": len(found[usage_queries.MOST_LINES :]),
    }
