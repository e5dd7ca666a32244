"""The "Sub-Groups" tab: what stands under and above the group; admins make new ones."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import User
from accounts.views.decorators import reauthentication_required, user_of, with_phone
from connectors.views import forms
from connectors.views.forms import flash_refusals, get_posted, show_refusals
from groups import access
from groups.models import Group
from groups.queries import groups as group_queries
from groups.queries import hierarchy as hierarchy_queries
from groups.services import groups
from groups.services import hierarchy as hierarchy_service
from groups.views import links
from groups.views.forms import SubGroupForm, check_numbers
from kaizala_console.lib.errors import NotAllowed, NotFound

PAGE_SIZE = 50


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Create sub-group"))
def sub_groups(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """The list, and the form for another one."""
    user = user_of(request)
    form = SubGroupForm(get_posted(request))
    group = access.require_admin(user, group_id) if form.is_bound else access.require_member(user, group_id)
    if form.is_valid() and check_numbers(form, user):
        admin = access.get_acting_person(user, group)
        if admin is None:
            raise NotAllowed(_("Only an admin of this group with a verified phone number can create a sub-group."))
        with show_refusals(form):
            made = groups.create(
                group_id=forms.get_idempotent_id(user, f"group under {group.pk}", request.POST),
                name=form.cleaned_data["name"],
                organisation=group.organisation,
                admin=admin,
                numbers=form.cleaned_data["numbers"],
                parent=group,
                by=user,
            )
            messages.success(request, _("“%(group)s” created. You are its admin.") % {"group": made.group.name})
            return redirect("groups:sub_groups", group_id)
    page = group_queries.sub_group_page(group, user, cursor=request.GET.get("cursor"), size=PAGE_SIZE)
    context = links.frame(group, "sub_groups") | {
        "sub_groups": page.items,
        "tree_url": address(group),
        "parents": group_queries.list_viewed_parent_groups(group, user),
        "form": form,
        "adder_open": form.is_bound or bool(form.initial) or not page.items,
        "idempotency_key": forms.get_idempotency_key(request.POST),
        **links.pagination_links(request, page),
    }
    return render(request, "groups/sub_groups.html", context, status=400 if form.is_bound else 200)


# ----------------------------------------------------------------------------------------------------
# Putting a group that is there already under another one, and taking it away again.


LINKS_PAGE_SIZE = 20
MOST_NAMED = 10  # connectors on a page that attaches or detaches


@require_GET
@with_phone
def find(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """The groups that this person administers and that may come to stand here, by name."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    search = request.GET.get("q", "").strip()[:120]
    cursor = request.GET.get("cursor")
    page = group_queries.attachable_page(group, user, search=search, cursor=cursor, size=LINKS_PAGE_SIZE)
    context = {
        "group": group,
        "groups": page.items,
        "search": search,
        "here": reverse("groups:sub_group_find", args=[group.pk]),
        "crumbs": _crumbs(group, _("Attach group")),
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
    if group_queries.list_sub_groups(group).filter(pk=child.pk).exists():
        messages.info(request, _("“%(group)s” is already attached.") % {"group": child.name})
        return redirect("groups:sub_groups", group.pk)
    if request.method != "POST":
        context = {**_concerned(group, child), "crumbs": _crumbs(group, _("Attach group"))}
        return render(request, "groups/sub_group_attach.html", context)
    with flash_refusals(request):
        hierarchy_service.link(parent=group, child=child, by=user)
        messages.success(request, _("“%(group)s” attached.") % {"group": child.name})
    return redirect("groups:sub_groups", group.pk)


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=gettext_lazy("Detach"))
def detach(request: HttpRequest, group_id: UUID, sub_group_id: UUID) -> HttpResponse:
    """GET tells what would happen, POST does it. Twice is once."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    try:
        child = group_queries.get_sub_group(group, sub_group_id)
        if request.method != "POST":
            context = {**_concerned(group, child), "crumbs": _crumbs(group, _("Detach"))}
            return render(request, "groups/sub_group_detach.html", context)
        hierarchy_service.unlink(parent=group, child=child, by=user)
    except NotFound:
        messages.info(request, _("This group is no longer attached here."))
    else:
        messages.success(request, _("“%(group)s” detached.") % {"group": child.name})
    return redirect("groups:sub_groups", group.pk)


def _concerned(group: Group, child: Group) -> dict[str, Any]:
    """Whom it concerns: what reaches the upper group, and who is in the lower one."""
    connectors, more = group_queries.list_reaching_connectors(group)
    return {
        "group": group,
        "child": child,
        "connectors": connectors[:MOST_NAMED],
        "more_connectors": len(connectors[MOST_NAMED:]) + more,
        "counts": group_queries.get_counts(child),
    }


def _crumbs(group: Group, here: str) -> list[dict[str, str]]:
    return links.group_crumbs(group, (_("Sub-Groups"), reverse("groups:sub_groups", args=[group.pk])), (here, ""))


# ----------------------------------------------------------------------------------------------------
# The groups that a person sees as a tree (`?view=tree`), and one branch of it (`&under=`).
#
# A branch is a page of its own: without scripts one goes there, with them its level is put in its place in the tree.


TREE_PAGE_SIZE = 50


def show(request: HttpRequest) -> HttpResponse:
    """The top of the tree, so many at a time, or what stands under one group."""
    user = user_of(request)
    under = request.GET.get("under", "")
    if under:
        return render(request, "groups/tree.html", _branch(user, under))
    page = hierarchy_queries.top_page(user, cursor=request.GET.get("cursor"), size=TREE_PAGE_SIZE)
    context = {"rows": _rows(page.items), "all_url": reverse("groups:list"), **links.pagination_links(request, page)}
    return render(request, "groups/tree.html", context)


def _branch(user: User, under: str) -> dict[str, Any]:
    group = access.require_member(user, under)
    level = hierarchy_queries.list_level(group, user, size=TREE_PAGE_SIZE)
    way = hierarchy_queries.list_ancestors(group, user)
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
