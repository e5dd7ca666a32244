"""The groups that a person sees as a tree (`?view=tree`), and one branch of it (`&under=`).

A branch is a page of its own: without scripts one goes there, with them its level is put in its place in the tree.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.views.decorators import user_of
from groups import access
from groups.models import Group
from groups.queries import hierarchy
from groups.views import links
from kaizala_console.lib import keyset

PAGE_SIZE = 50


def show(request: HttpRequest) -> HttpResponse:
    """The top of the tree, so many at a time, or what stands under one group."""
    user = user_of(request)
    under = request.GET.get("under", "")
    if under:
        return render(request, "groups/tree.html", _branch(user, under))
    try:
        page = hierarchy.top_page(user, cursor=request.GET.get("cursor"), size=PAGE_SIZE)
    except keyset.BadCursor:
        return redirect(links.url_with(request, cursor=None))
    context = {"rows": _rows(page.items), "all_url": reverse("groups:list"), **links.pagination_links(request, page)}
    return render(request, "groups/tree.html", context)


def _branch(user: User, under: str) -> dict[str, Any]:
    group = access.require_member(user, under)
    level = hierarchy.level(group, user, size=PAGE_SIZE)
    way = hierarchy.way_up(group, user)
    steps = [(_("Tree"), address()), *((one.name, address(one)) for one in way), (group.name, "")]
    return {
        "branch": group,
        "rows": _rows(level.groups),
        "level": level,
        "all_url": reverse("groups:list"),
        "crumbs": links.crumbs((_("Groups"), reverse("groups:list")), *steps),
    }


def address(group: Group | None = None) -> str:
    """Where the tree is, or the branch under a group."""
    query = {"view": "tree"} if group is None else {"view": "tree", "under": str(group.pk)}
    return f"{reverse('groups:list')}?{urlencode(query)}"


def _rows(groups: list[Group]) -> list[dict[str, Any]]:
    return [{"group": group, "unfold_url": address(group) if group.sub_group_count else ""} for group in groups]
