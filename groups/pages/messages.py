"""The "Messages & Actions" tab: what was said in the group, by whom and by which program; people can answer."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.pages.decorators import user_of, with_phone
from accounts.pages.kept_forms import initial_of
from groups import access, queries
from groups.models import Group
from groups.pages import links, once
from groups.pages.forms import MessageForm, add_error
from groups.services import messages
from kaizala_console.lib import keyset
from kaizala_console.lib.errors import NotAllowed, RuleBroken

PAGE_SIZE = 50


@require_http_methods(["GET", "POST"])
@with_phone(press=gettext_lazy("Send"))
def list_messages(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """The messages, newest first, and a line to write another one."""
    user = user_of(request)
    if request.method != "POST":
        return _page(request, group_id, MessageForm(initial=initial_of(request)))
    group = access.require_member(user, group_id)
    if not may_write(group):
        raise NotAllowed(_("In a managed public group only the admins speak."))
    form = MessageForm(request.POST)
    if not form.is_valid():
        return _page(request, group_id, form)
    person = access.acting_person(user, group)
    if person is None:
        raise NotAllowed(_("Verify a phone number first: messages are sent by a number."))
    try:
        messages.post(
            message_id=once.id_for(user, f"message in {group.pk}", request.POST),
            group=group,
            text=form.cleaned_data["message"],
            person=person,
            by=user,
        )
    except RuleBroken as broken:
        add_error(form, broken)
        return _page(request, group_id, form)
    notes.success(request, _("Sent."))
    return redirect("groups:messages", group_id)


def may_write(group: Group) -> bool:
    """Everybody in a plain group, and the admins of a managed public one; for a group that `access` has given."""
    return links.is_admin(group) or group.group_type == Group.Type.PLAIN


def _page(request: HttpRequest, group_id: UUID, form: MessageForm) -> HttpResponse:
    user = user_of(request)
    group, context = links.for_member(user, group_id, "messages")
    try:
        page = queries.message_page(group, user, cursor=request.GET.get("cursor"), size=PAGE_SIZE)
    except keyset.BadCursor:
        return redirect(links.same_page(request, cursor=None))
    context |= {
        "messages_here": page.items,
        "may_write": may_write(group),
        "form": form,
        "form_key": once.form_key_of(request.POST),
        **links.both_ways(request, page),
    }
    return render(request, "groups/messages.html", context, status=400 if form.is_bound else 200)
