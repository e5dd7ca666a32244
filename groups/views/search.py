"""Search from anywhere: one field in the menu, one page of what was found."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from accounts import places
from accounts.views.activity import rows
from accounts.views.decorators import user_of, with_phone
from groups.models import Action
from groups.queries import search as search_queries
from groups.views import action_rows
from kaizala_console.lib.phone_numbers import display


@require_GET
@with_phone
def search(request: HttpRequest) -> HttpResponse:
    """The first few of each kind, and the way to all of them."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:120]
    found = search_queries.search(user_of(request), text) if text else None
    context = {
        "search": text,
        "places": places.found(user_of(request), text, most=search_queries.SHOWN),
        "found": found,
        "people": [{"person": person, "called": person.name or display(person.number)} for person in found.people.items]
        if found
        else [],
        "actions": [card_found(action) for action in found.actions.items] if found else [],
        "events": rows(found.events.items) if found else [],
        "recent": search_queries.RECENT,
        "all_connectors_url": _list("connectors:list", q=text, show="all"),
        "all_groups_url": _list("groups:list", q=text),
        "all_people_url": _list("groups:directory", q=text),
        "activity_url": _list("accounts:activity", q=text),
    }
    return render(request, "groups/search.html", context)


def card_found(action: Action) -> dict[str, Any]:
    """A card in a line: what it asks, of which kind, where and when."""
    kind = action.get_kind_display()
    return {
        "title": action.title,
        "kind": kind[:1].upper() + kind[1:],
        "sign": action_rows.SIGNS[Action.Kind(action.kind)],
        "group": action.group.name,
        "at": action.sent_at,
        "url": reverse("groups:action", args=[action.group_id, action.pk]),
    }


def _list(name: str, **query: str) -> str:
    return f"{reverse(name)}?{urlencode(query)}"
