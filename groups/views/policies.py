"""The "Policies" tab: what a group says of itself, who posts, who sees the members; and "Delete this group"."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.views.decorators import require_reauthentication, user_of, with_phone
from connectors.models import Grant, RefreshToken
from connectors.views.forms import TypedNameForm, get_posted, show_refusals
from connectors.views.usage import get_use_facts
from groups import access
from groups.models import Group
from groups.queries import groups as queries
from groups.services import groups
from groups.views import links
from groups.views.forms import TextField
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotFound

DETAILS = ("name", "short_description", "long_description", "welcome_message", "image_url")
EVERYBODY, ADMINS = "everybody", "admins"


class DetailsForm(forms.Form):
    """What a group says of itself. Lengths and addresses are the service's rules."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=120,
        error_messages={"required": gettext_lazy("Enter a name for the group.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    short_description = forms.CharField(label=gettext_lazy("Short description"), max_length=200, required=False)
    long_description = TextField(
        label=gettext_lazy("Long description"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    welcome_message = TextField(
        label=gettext_lazy("Welcome message"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("New members read this first."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    image_url = forms.CharField(
        label=gettext_lazy("Image URL"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("For example, https://example.com/depot.png."),
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )


class RulesForm(forms.Form):
    """Who posts and who sees whom. A managed public group has no choice of who posts."""

    post = forms.ChoiceField(
        label=gettext_lazy("Who can post"),
        choices=[
            (EVERYBODY, gettext_lazy("Everyone in the group")),
            (ADMINS, gettext_lazy("Admins only (group tokens count as admins)")),
        ],
        widget=forms.RadioSelect,
    )
    members = forms.ChoiceField(
        label=gettext_lazy("Who can see members"),
        choices=[
            (EVERYBODY, gettext_lazy("Everyone in the group")),
            (ADMINS, gettext_lazy("Admins only; members can’t find each other in the directory")),
        ],
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, is_public: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_public:
            del self.fields["post"]


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Save details"))
def details(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """The tab. Members read it; admins change what the group says of itself."""
    user = user_of(request)
    if request.method != "POST":
        return _page(request, group_id)
    group = access.require_admin(user, group_id)
    form = DetailsForm(request.POST)
    if form.is_valid():
        with show_refusals(form):
            groups.change_details(group=group, by=user, **_meant(form, request))
            messages.success(request, _("Saved."))
            return redirect("groups:policies", group_id)
    return _page(request, group_id, details_form=form)


@require_POST
@with_phone(button_label=gettext_lazy("Save rules"))
def rules(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Who posts, and who sees whom."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    form = RulesForm(request.POST, is_public=group.group_type == Group.Type.CONNECT)
    if form.is_valid():
        require_reauthentication(request)
        meant = _meant(form, request)
        with show_refusals(form):
            groups.change_policies(
                group=group,
                by=user,
                only_admins_post=meant["post"] == ADMINS if "post" in meant else None,
                members_see_members=meant["members"] == EVERYBODY if "members" in meant else None,
            )
            messages.success(request, _("Saved."))
            return redirect("groups:policies", group_id)
    return _page(request, group_id, rules_form=form)


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Delete this group"))
def remove(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """GET tells what will stop, POST with the group's name stops it. Twice is once."""
    user = user_of(request)
    gone = access.find_deleted_group(user, group_id) if request.method == "POST" else None
    if gone is not None:
        messages.info(request, _("“%(group)s” is already deleted.") % {"group": gone.name})
        return redirect("groups:list")
    group = access.require_admin(user, group_id)
    form = TypedNameForm(get_posted(request), name=group.name, label=_("Name of the group"))
    if form.is_valid():
        require_reauthentication(request)
        try:
            groups.remove(group=group, by=user)
        except NotFound as gone:
            messages.info(request, str(gone))
        else:
            messages.success(request, _("“%(group)s” deleted.") % {"group": group.name})
        return redirect("groups:list")
    context = {
        "group": group,
        "form": form,
        "crumbs": links.group_crumbs(group, (_("Delete this group"), "")),
        **what_stops(group),
    }
    return render(request, "groups/group_remove.html", context, status=400 if form.is_bound else 200)


def what_stops(group: Group) -> dict[str, Any]:
    """What "What will stop" counts before a group is removed."""
    present = Grant.objects.present().filter(group_grant__group=group)
    counts = queries.get_counts(group)
    use = get_use_facts(present)
    tokens = RefreshToken.objects.live(clock.now()).filter(grant__in=present)
    facts = [
        {"label": _("people who leave it"), "count": counts.members},
        {"label": _("connectors in it"), "count": counts.connectors},
        {"label": _("live refresh tokens"), "count": tokens.count()},
        *use.pop("use_facts"),
        {"label": _("sub-groups detached from it"), "count": counts.sub_groups},
        {"label": _("groups above it"), "count": queries.list_parent_groups(group).count()},
    ]
    return {"facts": facts, **use}


def _meant(form: forms.Form, request: HttpRequest) -> dict[str, Any]:
    """What the sender changed, of what the page showed: so that two admins at once undo nothing of each other's."""
    shown = {name: request.POST.get(f"shown_{name}") for name in form.fields}
    texts = {name: None if text is None else text.replace("\r\n", "\n") for name, text in shown.items()}
    return {name: value for name, value in form.cleaned_data.items() if value != texts[name]}


def _page(
    request: HttpRequest,
    group_id: UUID,
    *,
    details_form: DetailsForm | None = None,
    rules_form: RulesForm | None = None,
) -> HttpResponse:
    group, context = links.for_member(user_of(request), group_id, "policies")
    is_public = group.group_type == Group.Type.CONNECT
    now: dict[str, Any] = {name: getattr(group, name) for name in DETAILS}
    rules_now = {
        "post": ADMINS if group.only_admins_post else EVERYBODY,
        "members": EVERYBODY if group.members_see_members else ADMINS,
    }
    context |= {
        "details_form": details_form or DetailsForm(initial=now),
        "rules_form": rules_form or RulesForm(initial=rules_now, is_public=is_public),
        # A form that came back says what its sender had seen, not what stands there by now.
        "shown_details": _shown(request, now, details_form is not None),
        "shown_rules": _shown(request, rules_now, rules_form is not None),
        "is_public": is_public,
        "facts": [
            {"label": _("Description"), "value": group.short_description or _("None")},
            {"label": _("Details"), "value": group.long_description or _("None")},
            {"label": _("Welcome message"), "value": group.welcome_message or _("None")},
            {"label": _("Who can post"), "value": _who(is_public or group.only_admins_post)},
            {"label": _("Who can see members"), "value": _who(not group.members_see_members)},
        ],
    }
    status = 400 if details_form is not None or rules_form is not None else 200
    return render(request, "groups/policies.html", context, status=status)


def _shown(request: HttpRequest, now: dict[str, Any], came_back: bool) -> list[dict[str, str]]:
    sent = request.POST.dict() if came_back else {}
    return [{"name": f"shown_{name}", "value": str(sent.get(f"shown_{name}", text))} for name, text in now.items()]


def _who(admins_alone: bool) -> str:
    return _("Admins only") if admins_alone else _("Everyone in the group")
