"""The "Users" tab: who is in the group, and as what. Admins add by phone number, promote, demote and remove."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from accounts.queries import name_people
from accounts.views.decorators import reauthentication_required, require_reauthentication, user_of, with_phone
from connectors.views.forms import flash_refusals, show_refusals
from groups import access
from groups.access import Role
from groups.models import Group, Membership
from groups.queries import directory, groups
from groups.services import members
from groups.views import links, subscribers
from groups.views.forms import AddMembersForm, make_retry_form
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotFound, RuleBroken

PAGE_SIZE = 50
ADD = gettext_lazy("Add users")
GONE = gettext_lazy("This person is no longer in the group.")
ONLY = {
    "": gettext_lazy("Everyone"),
    "admins": gettext_lazy("Admins"),
    "members": gettext_lazy("Members"),
    "not-registered": gettext_lazy("Not registered"),
}
BY_NAME = "name"
SORTS = {"": gettext_lazy("By joining"), BY_NAME: gettext_lazy("By name")}


@require_GET
@with_phone
def users(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Everybody in the group, in the order in which they joined; or, if the address says so, who follows it."""
    user = user_of(request)
    if request.GET.get("show") == subscribers.SHOW:
        group, frame = links.for_member(user, group_id, "users")
        if subscribers.may_read(group):
            return subscribers.page(request, group, frame, AddMembersForm())
    return _page(request, group_id, AddMembersForm())


@require_POST
@with_phone(button_label=ADD)
def add(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Adds everybody whose number can be one; the others come back in the form, each with its reason."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    form = AddMembersForm(request.POST)
    if form.is_valid():
        with show_refusals(form):
            done = members.add(group=group, numbers=form.cleaned_data["numbers"], by=user)
            if n := len(done.added):
                messages.success(request, ngettext("%(n)d person added.", "%(n)d people added.", n) % {"n": n})
            if n := len(done.present):
                says = ngettext("%(n)d person was already in the group.", "%(n)d people were already in the group.", n)
                messages.info(request, says % {"n": n})
            if not done.failed:
                return redirect("groups:details", group_id)
            form = make_retry_form(done.failed, user)
    return _page(request, group_id, form, status=400)


@require_POST
@with_phone
def set_role(request: HttpRequest, group_id: UUID, person_id: UUID) -> HttpResponse:
    """Promotes to admin, or makes a member of an admin."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    role = {"Admin": Role.ADMIN, "Member": Role.MEMBER}.get(request.POST.get("role", ""))
    if role is None:
        messages.error(request, _("Choose “Make admin” or “Make member”."))
        return redirect(links.users_place(request, group_id))
    require_reauthentication(request, button_label=get_button(role))
    try:
        membership = members.set_role(group=group, person_id=person_id, role=role, by=user)
    except NotFound:
        messages.info(request, GONE)
    except RuleBroken as broken:
        messages.error(request, str(broken))
    else:
        says = _("%(name)s is now an admin.") if role == Role.ADMIN else _("%(name)s is now a member.")
        messages.success(request, says % {"name": membership.person.display_name})
    return _still_here(request, group_id)


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=gettext_lazy("Remove"))
def remove(request: HttpRequest, group_id: UUID, person_id: UUID) -> HttpResponse:
    """GET tells what would happen, POST does it. Twice is once."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    membership = Membership.objects.select_related("person").filter(group=group, person_id=person_id).first()
    if membership is None:
        messages.info(request, GONE)
        return redirect(links.users_place(request, group_id))
    name_people(group.naming_organisation_id, [membership.person])
    if request.method != "POST":
        context = {
            "group": group,
            "membership": membership,
            "is_last_admin": groups.is_last_admin(membership),
            "address": request.get_full_path(),
            "back": reverse("groups:person", args=[person_id])
            if links.came_from_person(request)
            else links.users_place(request, group.pk),
            "crumbs": links.group_crumbs(group, (_("Remove"), "")),
        }
        return render(request, "groups/user_remove.html", context)
    try:
        members.remove(group=group, person_id=person_id, by=user)
    except RuleBroken as broken:
        messages.error(request, str(broken))
    except NotFound:
        messages.info(request, GONE)
    else:
        messages.success(request, _("%(name)s removed from the group.") % {"name": membership.person.display_name})
    return _still_here(request, group_id, person_id)


def _still_here(request: HttpRequest, group_id: UUID, person_id: UUID | None = None) -> HttpResponse:
    """Back to where one was, in the tab or at the person; who has just taken themselves out goes to the list."""
    if person_id is not None and links.came_from_person(request):
        try:
            directory.get_person(user_of(request), person_id)
        except NotFound:  # it was the last group in which they were seen
            return redirect("groups:directory")
        return redirect("groups:person", person_id)
    if access.list_visible_groups(user_of(request)).filter(pk=group_id).exists():
        return redirect(links.users_place(request, group_id))
    return redirect("groups:list")


def _page(request: HttpRequest, group_id: UUID, form: AddMembersForm, status: int = 200) -> HttpResponse:
    user = user_of(request)
    group, context = links.for_member(user, group_id, "users")
    search = request.GET.get("q", "").strip()[:120]
    here = reverse("groups:details", args=[group.pk])
    if not access.may_read_members(group):
        return render(request, "groups/users.html", {**context, "hidden": True}, status=status)
    only, sort = links.get_choice(request, "only", ONLY), links.get_choice(request, "sort", SORTS)
    cursor = request.GET.get("cursor")
    page = groups.member_page(group, search=search, only=only, by_name=sort == BY_NAME, cursor=cursor, size=PAGE_SIZE)
    if cursor and not page.items:  # whoever was on this page was removed
        return redirect(links.url_with(request, path=here, cursor=None))
    place = {
        name: value for name, value in (("q", search), ("only", only), ("sort", sort), ("cursor", cursor)) if value
    }
    context |= {
        "may_read_subscribers": subscribers.may_read(group),
        "rows": page.items,
        "search": search,
        "selects": [
            links.make_select("only", _("Who"), ONLY, only),
            links.make_select("sort", _("Order"), SORTS, sort),
        ],
        "is_filtered": bool(search or only),
        "all_url": here,
        "chips": links.list_chips(request, search, path=here, only=str(ONLY[only]) if only else ""),
        "place": place,
        "place_query": f"?{urlencode(place)}" if place else "",
        "several": offered() if links.is_admin(group) and len(page.items) > 1 else [],
        "form": form,
        # What was typed, and the way on for who is alone in a new group, are not hidden behind the button.
        "adder_open": form.is_bound or bool(form.initial) or (len(page.items) <= 1 and not (search or only)),
        **links.pagination_links(request, page, path=here),
    }
    return render(request, "groups/users.html", context, status=status)


# ----------------------------------------------------------------------------------------------------
# Several people of the "Users" tab at once: the list's form leads here with those who are ticked, and what to do.
#
# Opening the page changes nothing, so the choice stands in its address; "several" is at most one page of the list.


MOST: Final = 50
TICK_FIRST: Final = gettext_lazy("Select people and an action first.")


@dataclass(frozen=True)
class Act:
    """What may be done to several: its button, the page's title, its consequences, and what is said afterwards."""

    button: Promise
    means: tuple[Promise, ...]
    title: Callable[[int], str]
    done: Callable[[int], str]
    do: Callable[[Group, list[UUID], User], list[Membership]]
    is_final: bool = False


def _with_role(role: Role) -> Callable[[Group, list[UUID], User], list[Membership]]:
    return lambda group, people, by: members.set_roles(group=group, person_ids=people, role=role, by=by)


ACTS: Final = {
    "admin": Act(
        gettext_lazy("Make admin"),
        (gettext_lazy("Admins manage users, connectors and the group’s details."),),
        lambda n: ngettext("Make %(n)d person an admin", "Make %(n)d people admins", n) % {"n": n},
        lambda n: ngettext("%(n)d person is now an admin.", "%(n)d people are now admins.", n) % {"n": n},
        _with_role(Role.ADMIN),
    ),
    "member": Act(
        gettext_lazy("Make member"),
        (gettext_lazy("They stay in the group, but no longer manage it."),),
        lambda n: ngettext("Make %(n)d person a member", "Make %(n)d people members", n) % {"n": n},
        lambda n: ngettext("%(n)d person is now a member.", "%(n)d people are now members.", n) % {"n": n},
        _with_role(Role.MEMBER),
    ),
    "remove": Act(
        gettext_lazy("Remove"),
        (
            gettext_lazy("They lose access to the group at once."),
            gettext_lazy("Programs that act for them do too."),
            gettext_lazy("Their messages stay. You can add them again."),
        ),
        lambda n: ngettext("Remove %(n)d person", "Remove %(n)d people", n) % {"n": n},
        lambda n: (
            ngettext("%(n)d person removed from the group.", "%(n)d people removed from the group.", n) % {"n": n}
        ),
        lambda group, people, by: members.remove_several(group=group, person_ids=people, by=by),
        is_final=True,
    ),
}


@require_http_methods(["GET", "POST"])
@with_phone
def several(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """GET shows who is meant and what would happen, POST does it to all of them or to none. Twice is once."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    back = links.users_place(request, group.pk)
    asked = request.POST if request.method == "POST" else request.GET
    act = ACTS.get(asked.get("act", ""))
    chosen = _chosen(asked.getlist("person"), group)
    if act is None or not chosen:
        are_gone = act is not None and asked.getlist("person")
        messages.info(request, _("None of these people is still in the group.") if are_gone else TICK_FIRST)
        return redirect(back)
    if request.method == "POST":
        require_reauthentication(request, button_label=act.button)
        with flash_refusals(request):
            if done := act.do(group, [one.person_id for one in chosen], user):
                messages.success(request, act.done(len(done)))
            else:  # they are what they were to become: somebody was faster
                messages.info(request, _("Nothing changed."))
        return redirect(back if access.list_visible_groups(user).filter(pk=group.pk).exists() else "groups:list")
    context = {
        "group": group,
        "act": act,
        "name": asked["act"],
        "title": act.title(len(chosen)),
        "chosen": chosen,
        "address": request.get_full_path(),
        "back": back,
        "crumbs": links.group_crumbs(group, (str(act.button), "")),
    }
    return render(request, "groups/users_several.html", context)


def _chosen(written: list[str], group: Group) -> list[Membership]:
    """Those of these people who are in the group, in the order of the list."""
    keys = {key for one in written[:MOST] if (key := ids.parse_guid(one))}
    rows = Membership.objects.select_related("person").filter(group=group, person_id__in=keys)
    found = list(rows.order_by("joined_at", "id"))
    name_people(group.naming_organisation_id, [one.person for one in found])
    return found


def get_button(role: Role) -> Promise:
    """The button that gives a person this role."""
    return ACTS["admin" if role == Role.ADMIN else "member"].button


def offered() -> list[dict[str, Any]]:
    """The buttons of the list, in their order."""
    return [{"name": name, "label": act.button} for name, act in ACTS.items()]
