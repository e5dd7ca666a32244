"""The list of groups that a person sees, or the tree of them. What is asked for stands in the address."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from accounts.models import User
from accounts.views.decorators import user_of, with_phone
from connectors.models import Connector, ConnectorState
from connectors.queries import connectors as connector_queries
from groups.queries import groups as queries
from groups.views import hierarchy, links
from kaizala_console.lib import ids, keyset
from kaizala_console.lib.errors import NotFound

PAGE_SIZE = 50
RUN = "run"
ONLY = {"": gettext_lazy("All that you see"), RUN: gettext_lazy("Those that you run")}


@require_GET
@with_phone
def groups(request: HttpRequest) -> HttpResponse:
    """One page of groups, by name, or of the tree. What is searched for is always listed."""
    search = request.GET.get("q", "").strip()[:120]
    if request.GET.get("view") == "tree" and not search:
        return hierarchy.show(request)
    user, only = user_of(request), request.GET.get("only", "")
    let_in = _connector_to_let_in(user, request.GET.get("let_in", ""))
    if let_in is not None and not user.is_organisation_admin:
        only = RUN  # others let nobody in anywhere else
    only = only if only in ONLY else ""
    cursor = request.GET.get("cursor")
    try:
        page = queries.group_page(user, search=search, is_run=only == RUN, cursor=cursor, size=PAGE_SIZE)
    except keyset.BadCursor:
        return redirect(links.url_with(request, cursor=None))
    chips = []
    if search:
        remove = links.url_with(request, q=None, cursor=None)
        chips.append({"label": _("Search: %(text)s") % {"text": search}, "remove_url": remove})
    if only:
        chips.append({"label": str(ONLY[only]), "remove_url": links.url_with(request, only=None, cursor=None)})
    options = [{"value": key, "label": words, "chosen": key == only} for key, words in ONLY.items()]
    context = {
        "groups": page.items,
        "search": search,
        "is_filtered": bool(chips),
        "let_in": let_in,
        "select": {"name": "only", "label": _("Which groups"), "options": options},
        "chips": chips,
        "all_url": reverse("groups:list"),
        "tree_url": hierarchy.address(),
        **links.pagination_links(request, page),
    }
    return render(request, "groups/list.html", context)


def _connector_to_let_in(user: User, written: str) -> Connector | None:
    """The connector that an admin has come to choose a group for; None for what they may not see, or cannot let in."""
    key = ids.parse_guid(written)
    if key is None:
        return None
    try:
        connector = connector_queries.connector_for(user, key)
    except NotFound:
        return None
    return connector if connector.state is ConnectorState.LIVE else None
