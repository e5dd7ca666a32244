"""The history of one group. For its admins."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from accounts.models import AuditEvent
from accounts.views.decorators import user_of, with_phone
from accounts.views.timeline import rows
from groups.views import links
from kaizala_console.lib import pagination
from kaizala_console.lib.pagination import paginate

PAGE_SIZE = 50


@require_GET
@with_phone
def activity(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """One page of events, the newest first."""
    group, context = links.for_admin(user_of(request), group_id, "activity")
    events = AuditEvent.objects.filter(group_id=group.pk)
    try:
        page = paginate(events, ("-id",), request.GET.get("cursor"), PAGE_SIZE)
    except pagination.BadCursor:
        return redirect(links.url_with(request, cursor=None))
    context |= {
        "events": rows(page.items),
        **links.pagination_links(request, page),
    }
    return render(request, "groups/activity.html", context)
