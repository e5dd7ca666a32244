"""The "Sub-Groups" tab: what stands under and above the group; admins make new ones."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.views.decorators import user_of, with_phone
from groups import access
from groups.models import Group
from groups.queries import groups as queries
from groups.services import groups, members
from groups.views import hierarchy, links, once
from groups.views.forms import SubGroupForm, add_error
from groups.views.pasted_numbers import give_back
from kaizala_console.lib import keyset
from kaizala_console.lib.errors import NotAllowed, RuleBroken

PAGE_SIZE = 50


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Create sub-group"))
def sub_groups(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """The list, and the form for another one."""
    user = user_of(request)
    if request.method != "POST":
        return _page(request, group_id, SubGroupForm())
    group = access.require_admin(user, group_id)
    form = SubGroupForm(request.POST)
    if not form.is_valid():
        return _page(request, group_id, form)
    _valid, failed = members.read_numbers(form.cleaned_data["numbers"])
    if failed:
        give_back(form, form.cleaned_data["numbers"], failed, user)
        return _page(request, group_id, form)
    try:
        made = _create(request, user, group, form)
    except RuleBroken as broken:
        add_error(form, broken)
        return _page(request, group_id, form)
    messages.success(request, _("“%(group)s” is there, and you are its admin.") % {"group": made.name})
    return redirect("groups:sub_groups", group_id)


def _create(request: HttpRequest, user: User, group: Group, form: SubGroupForm) -> Group:
    admin = access.acting_person(user, group)
    if admin is None:
        raise NotAllowed(_("Only an admin of this group, with a verified phone number, may make a sub-group."))
    return groups.create(
        group_id=once.id_for(user, f"group under {group.pk}", request.POST),
        name=form.cleaned_data["name"],
        organisation=group.organisation,
        admin=admin,
        numbers=form.cleaned_data["numbers"],
        parent=group,
        by=user,
    ).group


def _page(request: HttpRequest, group_id: UUID, form: SubGroupForm) -> HttpResponse:
    user = user_of(request)
    group, context = links.for_member(user, group_id, "sub_groups")
    try:
        page = queries.sub_group_page(group, user, cursor=request.GET.get("cursor"), size=PAGE_SIZE)
    except keyset.BadCursor:
        return redirect(links.url_with(request, cursor=None))
    context |= {
        "sub_groups": page.items,
        "tree_url": hierarchy.address(group),
        "parents": queries.parent_groups_for(group, user),
        "form": form,
        "adder_open": form.is_bound or bool(form.initial) or not page.items,
        "idempotency_key": once.form_key_of(request.POST),
        **links.pagination_links(request, page),
    }
    return render(request, "groups/sub_groups.html", context, status=400 if form.is_bound else 200)
