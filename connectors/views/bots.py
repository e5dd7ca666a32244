"""The bots of a connector: the names under which its program posts; made, changed, deleted. For owners."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts.views.decorators import require_reauthentication, signed_in, user_of, with_phone
from connectors.models import Bot, Connector
from connectors.permissions import Permission
from connectors.queries import connectors
from connectors.services import bots as services
from connectors.services.connectors import LONGEST_NAME
from connectors.views import links
from connectors.views.forms import TypedNameForm, get_idempotency_key, get_idempotent_id, get_posted, show_refusals
from kaizala_console.lib.errors import NotFound


class BotForm(forms.Form):
    """What people see when a bot posts."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("Shown as the sender, like “Shift reminders”."),
        error_messages={"required": gettext_lazy("Give the bot a name.")},
        widget=forms.TextInput(attrs={"maxlength": LONGEST_NAME, "autocomplete": "off"}),
    )
    picture = forms.CharField(
        label=gettext_lazy("Picture"),
        required=False,
        help_text=gettext_lazy("An https address, like https://example.com/bot.png."),
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )


@require_GET
@signed_in
def bots(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """All of them: a connector has 50 at the most."""
    connector, context = links.get_own(user_of(request), connector_id, "bots")
    found = connectors.list_bots(connector)
    context |= {
        "bots": found,
        "may_post": _may_post(connector),
        "full": len(found) >= services.MOST_BOTS,
        "most": services.MOST_BOTS,
    }
    return render(request, "connectors/bots.html", context)


@require_http_methods(["GET", "POST"])
@signed_in(button_label=gettext_lazy("Add bot"))
def add(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Makes one; twice is once. It posts nowhere until it is put into a group."""
    user = user_of(request)
    connector = connectors.get_own_connector(user, connector_id)
    if not _may_post(connector):
        messages.info(request, _("Bots can only post: add the permission “Text Message” first."))
        return redirect("connectors:bots", connector_id)
    form = BotForm(get_posted(request))
    if form.is_valid():
        key = get_idempotent_id(user, f"bot of {connector.pk}", request.POST)
        name, picture = form.cleaned_data["name"], form.cleaned_data["picture"]
        with show_refusals(form, profilePic="picture"):
            made = services.create(connector=connector, name=name, picture_url=picture, bot_id=key, by=user)
            messages.success(request, _("“%(name)s” created. Add it to a group next.") % {"name": made.name})
            return redirect("connectors:bots", connector_id)
    context = {
        "connector": connector,
        "form": form,
        "idempotency_key": get_idempotency_key(request.POST),
        "crumbs": links.connector_crumbs(connector, "bots", here=_("Add bot")),
    }
    return render(request, "connectors/bot_add.html", context, status=400 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Save"))
def change(request: HttpRequest, connector_id: UUID, bot_id: UUID) -> HttpResponse:
    """Another name or picture: what it has posted shows them too, so the step-up is asked."""
    user = user_of(request)
    connector = connectors.get_own_connector(user, connector_id)
    if _was_deleted(connector, bot_id):
        return _deleted_already(request, connector)
    bot = _own(connector, bot_id)
    form = BotForm(get_posted(request), initial={"name": bot.name, "picture": bot.picture_url})
    if form.is_valid():
        require_reauthentication(request)
        name, picture = form.cleaned_data["name"], form.cleaned_data["picture"]
        with show_refusals(form, profilePic="picture"):
            services.change(connector=connector, bot_id=bot.pk, name=name, picture_url=picture, by=user)
            messages.success(request, _("Saved."))
            return redirect("connectors:bots", connector_id)
    crumbs = links.connector_crumbs(connector, "bots", here=bot.name)
    context = {"connector": connector, "bot": bot, "form": form, "crumbs": crumbs}
    return render(request, "connectors/bot_change.html", context, status=400 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Delete"))
def remove(request: HttpRequest, connector_id: UUID, bot_id: UUID) -> HttpResponse:
    """GET tells what will stop, POST with the bot's name stops it. Twice is once."""
    user = user_of(request)
    connector = connectors.get_own_connector(user, connector_id)
    if _was_deleted(connector, bot_id):
        return _deleted_already(request, connector)
    bot = _own(connector, bot_id)
    form = TypedNameForm(get_posted(request), name=bot.name)
    form.fields["typed"].label = _("Name of the bot")
    if form.is_valid():
        require_reauthentication(request)
        services.remove(connector=connector, bot_id=bot.pk, by=user)
        messages.success(request, _("“%(name)s” deleted. Its tokens are refused.") % {"name": bot.name})
        return redirect("connectors:bots", connector_id)
    context = {
        "connector": connector,
        "bot": bot,
        "form": form,
        "crumbs": links.connector_crumbs(connector, "bots", here=_("Delete")),
    }
    return render(request, "connectors/bot_remove.html", context, status=400 if form.is_bound else 200)


def _may_post(connector: Connector) -> bool:
    return Permission.TEXT_MESSAGE in connector.permissions


def _was_deleted(connector: Connector, bot_id: UUID) -> bool:
    """By another tab, a co-owner or the program, since the page was opened."""
    return Bot.objects.filter(connector=connector, pk=bot_id, removed_at__isnull=False).exists()


def _deleted_already(request: HttpRequest, connector: Connector) -> HttpResponse:
    messages.info(request, _("This bot is already deleted."))
    return redirect("connectors:bots", connector.pk)


def _own(connector: Connector, bot_id: UUID) -> Bot:
    bot = next((bot for bot in connectors.list_bots(connector) if bot.pk == bot_id), None)
    if bot is None:
        raise NotFound
    bot.connector = connector
    return bot
