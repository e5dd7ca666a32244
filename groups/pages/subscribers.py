"""Who follows a managed public group: its admins read it behind the "Users" tab, as `?show=subscribers`."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from groups import queries
from groups.models import Group
from groups.pages import links
from kaizala_console.lib import keyset, phone_numbers

PAGE_SIZE = 50
SHOW = "subscribers"


def may_read(group: Group) -> bool:
    """Whether there may be subscribers, and the asker, for whom `access` found the group, may read who they are."""
    return group.group_type == Group.Type.CONNECT and links.is_admin(group)


def page(request: HttpRequest, group: Group, frame: dict[str, Any]) -> HttpResponse:
    """One page of them, in the order in which they subscribed. A file adds them and takes them off."""
    search = request.GET.get("q", "").strip()[:120]
    try:
        found = queries.subscriber_page(group, search=search, cursor=request.GET.get("cursor"), size=PAGE_SIZE)
    except keyset.BadCursor:
        return redirect(links.same_page(request, cursor=None))
    remove_url = links.same_page(request, q=None, cursor=None)
    context = {
        **frame,
        "rows": [
            {
                "called": row.person.name or phone_numbers.display(row.person.number),
                "phone": row.person.number if row.person.name else "",
                "person": row.person,
                "since": row.subscribed_at,
            }
            for row in found.items
        ],
        "search": search,
        "here": reverse("groups:details", args=[group.pk]),
        "chips": [{"label": _("Search: %(text)s") % {"text": search}, "remove_url": remove_url}] if search else [],
        "all_url": remove_url,
        **links.both_ways(request, found),
    }
    return render(request, "groups/subscribers.html", context)
