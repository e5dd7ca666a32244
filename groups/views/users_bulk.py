"""Several people of the "Users" tab at once: the list's form leads here with those who are ticked, and what to do.

Opening the page changes nothing, so the choice stands in its address; "several" is at most one page of the list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from accounts.models import Person, User
from accounts.views.decorators import require_reauthentication, user_of, with_phone
from groups import access
from groups.access import Role
from groups.models import Group, Membership
from groups.services import members
from groups.views import links
from kaizala_console.lib import ids, phone_numbers
from kaizala_console.lib.errors import RuleBroken

MOST: Final = 50
TICK_FIRST: Final = gettext_lazy("Tick the people whom you mean, and then choose what to do.")


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
        (gettext_lazy("Admins add and remove users, let connectors in, and change what the group is."),),
        lambda n: ngettext("Make %(n)d person an admin", "Make %(n)d people admins", n) % {"n": n},
        lambda n: ngettext("%(n)d person is an admin now.", "%(n)d people are admins now.", n) % {"n": n},
        _with_role(Role.ADMIN),
    ),
    "member": Act(
        gettext_lazy("Make member"),
        (gettext_lazy("They stay in the group, and run it no more."),),
        lambda n: ngettext("Make %(n)d person a member", "Make %(n)d people members", n) % {"n": n},
        lambda n: ngettext("%(n)d person is a member now.", "%(n)d people are members now.", n) % {"n": n},
        _with_role(Role.MEMBER),
    ),
    "remove": Act(
        gettext_lazy("Remove"),
        (
            gettext_lazy("They leave the group at once, and see it no more."),
            gettext_lazy("Programs that act for them reach it no more, either."),
            gettext_lazy("What they wrote stays. They can be added again."),
        ),
        lambda n: ngettext("Remove %(n)d person", "Remove %(n)d people", n) % {"n": n},
        lambda n: (
            ngettext("%(n)d person is removed from the group.", "%(n)d people are removed from the group.", n)
            % {"n": n}
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
        messages.info(request, _("None of these people is in the group any more.") if are_gone else TICK_FIRST)
        return redirect(back)
    if request.method == "POST":
        require_reauthentication(request, button_label=act.button)
        try:
            done = act.do(group, [one.person_id for one in chosen], user)
        except RuleBroken as broken:
            messages.error(request, str(broken))
            return redirect(back)
        if done:
            messages.success(request, act.done(len(done)))
        else:  # they are what they were to become: somebody was faster
            messages.info(request, _("Nothing changed."))
        return redirect(back if access.visible_to(user).filter(pk=group.pk).exists() else "groups:list")
    context = {
        "group": group,
        "act": act,
        "name": asked["act"],
        "title": act.title(len(chosen)),
        "chosen": [{"called": _called(one.person), "row": one} for one in chosen],
        "address": request.get_full_path(),
        "back": back,
        "crumbs": links.group_crumbs(group, (str(act.button), "")),
    }
    return render(request, "groups/users_several.html", context)


def _chosen(written: list[str], group: Group) -> list[Membership]:
    """Those of these people who are in the group, in the order of the list."""
    keys = {key for one in written[:MOST] if (key := ids.parse_guid(one))}
    found = Membership.objects.select_related("person").filter(group=group, person_id__in=keys)
    return list(found.order_by("joined_at", "id"))


def _called(person: Person) -> str:
    return person.name or phone_numbers.display(person.number)


def button_of(role: Role) -> Promise:
    """The button that gives a person this role."""
    return ACTS["admin" if role == Role.ADMIN else "member"].button


def offered() -> list[dict[str, Any]]:
    """The buttons of the list, in their order."""
    return [{"name": name, "label": act.button} for name, act in ACTS.items()]
