""" "Create group": its maker is its first admin."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts import queries as accounts_queries
from accounts.models import Person, User
from accounts.views.decorators import user_of, with_phone
from connectors.views.links import crumbs
from groups.models import Group
from groups.services import groups, members
from groups.views import once
from groups.views.forms import GroupForm, add_error
from groups.views.pasted_numbers import give_back
from kaizala_console.lib.errors import NotAllowed, RuleBroken


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Create group"))
def create(request: HttpRequest) -> HttpResponse:
    """The form, and the new group. Nothing is made while a number cannot be one: each is named, and asked for again."""
    user = user_of(request)
    if request.method != "POST":
        return _page(request, GroupForm(may_be_public=user.is_organisation_admin))
    form = GroupForm(request.POST, may_be_public=user.is_organisation_admin)
    if not form.is_valid():
        return _page(request, form)
    typed = form.cleaned_data
    _valid, failed = members.read_numbers(typed["numbers"])
    if failed:
        give_back(form, typed["numbers"], failed, user)
        return _page(request, form)
    try:
        made = groups.create(
            group_id=once.id_for(user, "group", request.POST),
            name=typed["name"],
            organisation=None if typed["is_private"] else user.organisation,
            admin=_first_admin(user),
            group_type=typed.get("group_type") or Group.Type.PLAIN,
            welcome_message=typed["welcome_message"],
            numbers=typed["numbers"],
            by=user,
        )
    except RuleBroken as broken:
        add_error(form, broken)
        return _page(request, form)
    messages.success(request, _("“%(group)s” is there, and you are its admin.") % {"group": made.group.name})
    return redirect("groups:details", made.group.pk)


def _first_admin(user: User) -> Person:
    person = accounts_queries.primary_person(user)
    if person is None:  # the number was released since the door let them in
        raise NotAllowed(_("Verify a phone number first: a group has its admins by number."))
    return person


def _page(request: HttpRequest, form: GroupForm) -> HttpResponse:
    context = {
        "form": form,
        "idempotency_key": once.form_key_of(request.POST),
        "crumbs": crumbs((_("Groups"), reverse("groups:list")), (_("Create group"), "")),
    }
    return render(request, "groups/create.html", context, status=400 if form.is_bound else 200)
