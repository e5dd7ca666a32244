"""Who follows a managed public group: its admins read it behind the "Users" tab, as `?show=subscribers`, and add and
remove people there, as they do users.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.queries import name_people
from accounts.views.decorators import reauthentication_required, user_of, with_phone
from connectors.views.forms import show_refusals
from groups import access
from groups.models import Group, Subscription
from groups.queries import groups
from groups.services import subscribers
from groups.views import links
from groups.views.forms import AddMembersForm, make_retry_form
from kaizala_console.lib.errors import RuleBroken

PAGE_SIZE = 50
SHOW = "subscribers"
ADD = gettext_lazy("Add subscribers")


def may_read(group: Group) -> bool:
    """Whether there may be subscribers, and the asker, for whom `access` found the group, may read who they are."""
    return group.group_type == Group.Type.CONNECT and links.is_admin(group)


def address(group_id: UUID) -> str:
    """Of the list."""
    return f"{reverse('groups:details', args=[group_id])}?show={SHOW}"


def _place(request: HttpRequest) -> dict[str, str]:
    """Where in the list somebody is, or was when one of its acts was chosen."""
    return {name: value for name in ("q", "cursor") if (value := request.GET.get(name, ""))}


def _get_back_url(request: HttpRequest, group_id: UUID) -> str:
    return f"{reverse('groups:details', args=[group_id])}?{urlencode({'show': SHOW, **_place(request)})}"


def page(
    request: HttpRequest, group: Group, frame: dict[str, Any], form: AddMembersForm, status: int = 200
) -> HttpResponse:
    """One page of them, in the order in which they subscribed, with the form that adds more."""
    here = reverse("groups:details", args=[group.pk])
    search = request.GET.get("q", "").strip()[:120]
    found = groups.subscriber_page(group, search=search, cursor=request.GET.get("cursor"), size=PAGE_SIZE)
    if "cursor" in request.GET and not found.items:  # whoever was on this page was removed
        return redirect(links.url_with(request, path=here, show=SHOW, cursor=None))
    place = _place(request)
    context = {
        **frame,
        "rows": found.items,
        "search": search,
        "here": here,
        "show": SHOW,
        "all_url": address(group.pk),
        "place_query": f"?{urlencode(place)}" if place else "",
        "chips": links.list_chips(request, search, path=here),
        "form": form,
        "adder_open": form.is_bound or bool(form.initial) or not (found.items or search),
        **links.pagination_links(request, found, path=here, show=SHOW),
    }
    return render(request, "groups/subscribers.html", context, status=status)


@require_POST
@with_phone(button_label=ADD)
def add(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Adds everybody whose number can be one; the others come back in the form, each with its reason."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    try:
        subscribers.require_public(group)
    except RuleBroken as broken:
        messages.error(request, str(broken))
        return redirect("groups:details", group_id)
    form = AddMembersForm(request.POST)
    if form.is_valid():
        with show_refusals(form):
            done = subscribers.add(group=group, numbers=form.cleaned_data["numbers"], by=user)
            if n := len(done.added):
                messages.success(request, ngettext("%(n)d subscriber added.", "%(n)d subscribers added.", n) % {"n": n})
            if n := len(done.present):
                says = ngettext("%(n)d person was already a subscriber.", "%(n)d people were already subscribers.", n)
                messages.info(request, says % {"n": n})
            if not done.failed:
                return redirect(address(group_id))
            form = make_retry_form(done.failed, user)
    return page(request, group, links.frame(group, "users"), form, status=400)


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=gettext_lazy("Remove"))
def remove(request: HttpRequest, group_id: UUID, person_id: UUID) -> HttpResponse:
    """GET tells what would happen, POST does it. Twice is once."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    found = Subscription.objects.select_related("person").filter(group=group, person_id=person_id).first()
    if found is None or not may_read(group):
        messages.info(request, _("This person is no longer a subscriber."))
        return redirect(_get_back_url(request, group_id))
    name_people(group.naming_organisation_id, [found.person])

    if request.method != "POST":
        context = {
            "group": group,
            "person": found.person,
            "address": request.get_full_path(),
            "back_url": _get_back_url(request, group_id),
            "crumbs": links.group_crumbs(group, (_("Subscribers"), address(group_id)), (_("Remove"), "")),
        }
        return render(request, "groups/subscriber_remove.html", context)
    told = subscribers.remove(group=group, numbers=[found.person.number], by=user)
    if told[found.person.number]:
        messages.info(request, _("This person is no longer a subscriber."))
    else:
        messages.success(request, _("%(name)s is no longer a subscriber.") % {"name": found.person.display_name})
    return redirect(_get_back_url(request, group_id))
