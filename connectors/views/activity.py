"""The history of one connector. For owners."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from accounts.models import AuditEvent
from accounts.views.decorators import signed_in, user_of
from accounts.views.timeline import rows
from connectors.views import connectors, links
from kaizala_console.lib import pagination
from kaizala_console.lib.pagination import paginate

PAGE_SIZE = 50


@require_GET
@signed_in
def activity(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """One page of events, the newest first."""
    connector, context = connectors.get_own(user_of(request), connector_id, "activity")
    events = AuditEvent.objects.filter(connector_id=connector.pk)
    try:
        page = paginate(events, ("-id",), request.GET.get("cursor"), PAGE_SIZE)
    except pagination.BadCursor:
        return redirect(links.url_with(request, cursor=None))
    context |= {
        "events": rows(page.items),
        **links.pagination_links(request, page),
    }
    return render(request, "connectors/activity.html", context)
