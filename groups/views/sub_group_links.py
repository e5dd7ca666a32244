"""Putting a group that is there already under another one, and taking it away again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts.views.decorators import reauthentication_required, user_of, with_phone
from groups import access
from groups.models import Group
from groups.queries import groups
from groups.services import hierarchy
from groups.views import links
from kaizala_console.lib import keyset
from kaizala_console.lib.errors import NotFound, RuleBroken

PAGE_SIZE = 20
MOST_NAMED = 10  # connectors on a page that attaches or detaches


@require_GET
@with_phone
def find(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """The groups that this person administers and that may come to stand here, by name."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    search = request.GET.get("q", "").strip()[:120]
    cursor = request.GET.get("cursor")
    try:
        page = groups.attachable_page(group, user, search=search, cursor=cursor, size=PAGE_SIZE)
    except keyset.BadCursor:
        return redirect(links.url_with(request, cursor=None))
    context = {
        "group": group,
        "groups": page.items,
        "search": search,
        "here": reverse("groups:sub_group_find", args=[group.pk]),
        "crumbs": _crumbs(group, _("Attach a group")),
        **links.pagination_links(request, page),
    }
    return render(request, "groups/sub_group_find.html", context)


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=gettext_lazy("Attach"))
def attach(request: HttpRequest, group_id: UUID, sub_group_id: UUID) -> HttpResponse:
    """GET tells what would happen, POST does it. Twice is once."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    child = access.require_admin(user, sub_group_id)
    if groups.sub_groups(group).filter(pk=child.pk).exists():
        messages.info(request, _("“%(group)s” stands under this group already.") % {"group": child.name})
        return redirect("groups:sub_groups", group.pk)
    if request.method != "POST":
        context = {**_concerned(group, child), "crumbs": _crumbs(group, _("Attach a group"))}
        return render(request, "groups/sub_group_attach.html", context)
    try:
        hierarchy.link(parent=group, child=child, by=user)
    except RuleBroken as broken:
        messages.error(request, str(broken))
    else:
        messages.success(request, _("“%(group)s” stands under this group now.") % {"group": child.name})
    return redirect("groups:sub_groups", group.pk)


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=gettext_lazy("Detach"))
def detach(request: HttpRequest, group_id: UUID, sub_group_id: UUID) -> HttpResponse:
    """GET tells what would happen, POST does it. Twice is once."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    try:
        child = groups.sub_group(group, sub_group_id)
        if request.method != "POST":
            context = {**_concerned(group, child), "crumbs": _crumbs(group, _("Detach"))}
            return render(request, "groups/sub_group_detach.html", context)
        hierarchy.unlink(parent=group, child=child, by=user)
    except NotFound:
        messages.info(request, _("This group does not stand here any more."))
    else:
        messages.success(request, _("“%(group)s” stands under this group no longer.") % {"group": child.name})
    return redirect("groups:sub_groups", group.pk)


def _concerned(group: Group, child: Group) -> dict[str, Any]:
    """Whom it concerns: what reaches the upper group, and who is in the lower one."""
    connectors, more = groups.reaching(group)
    return {
        "group": group,
        "child": child,
        "connectors": connectors[:MOST_NAMED],
        "more_connectors": len(connectors[MOST_NAMED:]) + more,
        "counts": groups.counts_of(child),
    }


def _crumbs(group: Group, here: str) -> list[dict[str, str]]:
    return links.group_crumbs(group, (_("Sub-Groups"), reverse("groups:sub_groups", args=[group.pk])), (here, ""))
