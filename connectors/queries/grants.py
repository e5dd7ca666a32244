"""What the pages about grants read. Scoped to who asks; no query is repeated for each row."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from connectors.models import Connector, Grant, Handoff, RefreshToken
from connectors.queries.connectors import PAGE_SIZE
from connectors.queries.handoffs import with_both_sides
from kaizala_console.lib import clock
from kaizala_console.lib.pagination import Page, paginate
from kaizala_console.lib.text_search import cleaned


def get_grant_page(
    connector: Connector, *, ended: bool = False, search: str = "", cursor: str | None = None, size: int = PAGE_SIZE
) -> Page[Grant]:
    """The grants of a connector, the newest first: those in force, or those that ended. Each as `with_line`."""
    grants = Grant.objects.filter(connector=connector, revoked_at__isnull=not ended)
    if search.strip():
        grants = grants.filter(target_name__icontains=cleaned(search))
    return paginate(with_line(grants), ("-granted_at", "-id"), cursor, size)


def with_line(grants: QuerySet[Grant]) -> QuerySet[Grant]:
    """Adds what a line about a grant says: `handoffs_newest_first`, and `live_tokens`, the newest first."""
    return grants.select_related("connector", "person", "granted_by").prefetch_related(
        Prefetch("handoffs", with_both_sides(Handoff.objects.all()), to_attr="handoffs_newest_first"),
        Prefetch(
            "refresh_tokens",
            RefreshToken.objects.live(clock.now()).order_by("-issued_at", "-id"),
            to_attr="live_tokens",
        ),
    )
