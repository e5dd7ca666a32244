"""Search from anywhere: one field in the menu, one page of what was found."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from accounts.audit import queries as audit_queries
from accounts.audit.queries import matches_words
from accounts.models import User
from accounts.views import timeline
from accounts.views.decorators import user_of, with_phone
from connectors.queries import connectors
from groups.models import Action
from groups.queries import actions, directory, groups
from groups.views import actions as action_views
from kaizala_console.dashboard.activity import audit_scope
from kaizala_console.dashboard.navigation import find_targets

SHOWN: Final = 6
RECENT: Final = 5_000  # actions, and events a condition of the scope, that are looked through: said on the page


@require_GET
@with_phone
def search(request: HttpRequest) -> HttpResponse:
    """The first few of each kind, and the way to all of them."""
    user, text = user_of(request), request.GET.get("q", "").replace("\0", "").strip()[:120]
    found = _found(user, text) if text else {}
    context = {
        "search": text,
        "targets": find_targets(user, text, most=SHOWN),
        **found,
        "found": any(found.values()),
        "recent": RECENT,
        "all_connectors_url": _list("connectors:list", q=text, show="all"),
        "all_groups_url": _list("groups:list", q=text),
        "all_people_url": _list("groups:directory", q=text),
        "activity_url": _list("activity", q=text),
    }
    return render(request, "dashboard/search.html", context)


def _found(user: User, text: str) -> dict[str, Any]:
    """What this person sees that has `text` in its name (a person also in the number), or as its whole ID.

    Of actions and of what happened, the newest `RECENT` are looked through: actions by title, events by the words in
    them. One statement a kind, and one for each condition of the audit scope.
    """
    connector_page = connectors.get_connector_page(user, everybodys=True, search=text, size=SHOWN)
    group_page = groups.group_page(user, search=text, size=SHOWN)
    people_page = directory.list_people(user, search=text, size=SHOWN)
    found_actions = actions.search_recent(user, text, size=SHOWN + 1, among=RECENT)
    events = audit_queries.list_recent(audit_scope(user), only=matches_words(text), size=SHOWN, among=RECENT)
    return {
        "connectors": connector_page.items,
        "more_connectors": connector_page.next_cursor,
        "groups": group_page.items,
        "more_groups": group_page.next_cursor,
        "people": people_page.items,
        "more_people": people_page.next_cursor,
        "actions": [_action_found(action) for action in found_actions[:SHOWN]],
        "more_actions": len(found_actions) > SHOWN,
        "events": timeline.rows(events),
    }


def _action_found(action: Action) -> dict[str, Any]:
    """An action in a line: what it asks, of which kind, where and when."""
    kind = action.get_kind_display()
    return {
        "title": action.title,
        "kind": kind[:1].upper() + kind[1:],
        "sign": action_views.SIGNS[Action.Kind(action.kind)],
        "group": action.group.name,
        "at": action.sent_at,
        "url": reverse("groups:action", args=[action.group_id, action.pk]),
    }


def _list(name: str, **query: str) -> str:
    return f"{reverse(name)}?{urlencode(query)}"
