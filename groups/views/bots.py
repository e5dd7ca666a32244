"""The bots of a group, on its Connectors tab: who posts under which name; added and removed by admins."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.views.decorators import reauthentication_required, require_reauthentication, user_of, with_phone
from connectors.models import Bot
from groups import access
from groups.models import Group
from groups.queries import bots
from groups.services import bots as group_bots
from groups.views import links
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotFound

ADD = gettext_lazy("Add bot")


class BotChoice(forms.ModelChoiceField):
    """A bot, and whose it is: two connectors may each have one of the same name."""

    def label_from_instance(self, obj: Any) -> str:
        return _("%(bot)s, of %(connector)s") % {"bot": obj.name, "connector": obj.connector.name}


class AddBotForm(forms.Form):
    """Which bot may post in the group from now on."""

    bot = BotChoice(
        Bot.objects.none(),
        label=gettext_lazy("Bot"),
        empty_label=gettext_lazy("Choose a bot"),
    )

    def __init__(self, group: Group, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields["bot"].queryset = bots.list_addable_bots(group.pk)  # type: ignore[attr-defined]


def get_context(group: Group) -> dict[str, Any]:
    """What the Connectors tab says of bots: `bot_rows`, and for admins `bot_form`, when there is one to add."""
    rows = list(bots.list_group_bots(group))
    addable = links.is_admin(group) and bots.has_addable_bot(group)
    return {"bot_rows": rows, "bot_form": AddBotForm(group, auto_id="id_bot_%s") if addable else None}


@require_POST
@with_phone(button_label=ADD)
def add(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Puts the chosen bot into the group; one that is in it stays in it."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    key = ids.parse_guid(request.POST.get("bot", ""))
    bot = None if key is None else Bot.objects.present().filter(pk=key).first()
    try:
        if bot is None:
            raise NotFound
        require_reauthentication(request)
        group_bots.add(group=group, bot_ids=[bot.pk], by=user)
    except NotFound:
        messages.error(request, _("This bot can’t be added. Choose another one."))
    else:
        messages.success(request, _("“%(bot)s” can now post in this group.") % {"bot": bot.name})
    return redirect(f"{reverse('groups:connectors', args=[group_id])}#bots")


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=gettext_lazy("Remove"))
def remove(request: HttpRequest, group_id: UUID, bot_id: UUID) -> HttpResponse:
    """GET tells what would happen, POST does it. Twice is once."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    row = bots.list_group_bots(group).filter(bot_id=bot_id).first()
    if request.method != "POST" and row is not None:
        crumbs = links.group_crumbs(
            group, (_("Connectors"), reverse("groups:connectors", args=[group.pk])), (_("Remove"), "")
        )
        return render(request, "groups/bot_remove.html", {"group": group, "bot": row.bot, "crumbs": crumbs})
    try:
        if row is None:  # another tab, or a colleague, was quicker
            raise NotFound
        group_bots.remove(group=group, bot_id=bot_id, by=user)
    except NotFound:
        messages.info(request, _("This bot is no longer in the group."))
    else:
        messages.success(request, _("“%(bot)s” removed.") % {"bot": row.bot.name})
    return redirect(f"{reverse('groups:connectors', args=[group_id])}#bots")
