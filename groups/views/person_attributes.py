"""Which attributes an organisation keeps of its people, for its admins."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
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

from accounts import policies
from accounts.views.decorators import require_reauthentication, user_of, with_phone
from connectors.views.forms import TypedNameForm
from connectors.views.links import crumbs
from groups.models import PersonAttribute
from groups.queries import directory as directory_queries
from groups.services import directory
from groups.views.forms import add_error
from kaizala_console.lib.errors import NotFound, RuleBroken


class AttributeForm(forms.Form):
    """A name, and who sees what is noted under it."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=PersonAttribute.MAX_NAME,
        help_text=gettext_lazy("Like Department, Location or Employee number."),
        error_messages={"required": gettext_lazy("Give the attribute a name.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    for_colleagues = forms.BooleanField(
        label=gettext_lazy("Colleagues see it"),
        required=False,
        help_text=gettext_lazy(
            "Everybody of the organisation who finds the person in the directory; otherwise its admins alone."
        ),
    )


class TypedAttributeNameForm(TypedNameForm):
    """Typing the attribute's name is the confirmation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["typed"].label = _("Name of the attribute")


def _or_the_others(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """One that another tab, or a colleague, has deleted meanwhile leads to those that are there."""

    @wraps(view)
    def opened(request: HttpRequest, *, attribute_id: UUID) -> HttpResponse:
        policies.require_organisation_admin(user_of(request))
        try:
            return view(request, attribute_id=attribute_id)
        except NotFound:
            messages.info(request, _("This attribute was removed in the meantime."))
            return redirect("groups:attributes")

    return opened


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Add attribute"))
def attributes(request: HttpRequest) -> HttpResponse:
    """All of them in their order, and a form for another one."""
    user = user_of(request)
    policies.require_organisation_admin(user)
    form = AttributeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = directory.add_attribute(by=user, **form.cleaned_data)
        except RuleBroken as broken:
            add_error(form, broken)
        else:
            if _is_as_typed(made, form.cleaned_data):  # also for the second click
                messages.success(request, _("“%(name)s” is there.") % {"name": made.name})
                return redirect("groups:attributes")
            there = _("There is “%(name)s” already: open it to change it.") % {"name": made.name}
            form.add_error("name", there)
    rows = list(directory_queries.attributes_of(user.organisation))
    context = {
        "rows": rows,
        "form": form,
        "is_full": len(rows) >= PersonAttribute.MOST,
        "crumbs": crumbs((_("Organisation"), reverse("accounts:organisation")), (_("Attributes"), "")),
    }
    return render(request, "groups/person_attributes.html", context, status=400 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Save attribute"))
@_or_the_others
def attribute(request: HttpRequest, attribute_id: UUID) -> HttpResponse:
    """Its name, and who sees it."""
    user = user_of(request)
    found = directory_queries.attribute_of(user, attribute_id)
    now = {"name": found.name, "for_colleagues": found.for_colleagues}
    form = AttributeForm(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid():
        try:
            directory.change_attribute(attribute=found, by=user, **form.cleaned_data)
        except RuleBroken as broken:
            add_error(form, broken)
        else:
            messages.success(request, _("Saved."))
            return redirect("groups:attributes")
    context = {"attribute": found, "form": form, "crumbs": _crumbs(found.name)}
    return render(request, "groups/person_attribute.html", context, status=400 if form.is_bound else 200)


@require_POST
@with_phone(button_label=gettext_lazy("Move up"))
@_or_the_others
def move_up(request: HttpRequest, attribute_id: UUID) -> HttpResponse:
    """One place forward."""
    user = user_of(request)
    directory.move_up(attribute=directory_queries.attribute_of(user, attribute_id), by=user)
    return redirect("groups:attributes")


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Delete attribute"))
@_or_the_others
def remove(request: HttpRequest, attribute_id: UUID) -> HttpResponse:
    """GET tells what is lost, POST with the name deletes it."""
    user = user_of(request)
    found = directory_queries.attribute_of(user, attribute_id)
    typed = request.POST if request.method == "POST" else None
    form = TypedAttributeNameForm(typed, name=found.name)
    if form.is_valid():
        require_reauthentication(request)
        directory.remove_attribute(attribute=found, by=user)
        messages.success(request, _("“%(name)s” is deleted.") % {"name": found.name})
        return redirect("groups:attributes")
    context = {
        "attribute": found,
        "form": form,
        "facts": [{"label": _("people of whom something is noted"), "count": found.values.count()}],
        "crumbs": _crumbs(found.name),
    }
    return render(request, "groups/person_attribute_remove.html", context, status=400 if form.is_bound else 200)


def _is_as_typed(made: PersonAttribute, typed: dict[str, Any]) -> bool:
    name = " ".join(typed["name"].split())
    return (made.name, made.for_colleagues) == (name, typed["for_colleagues"])


def _crumbs(name: str) -> list[dict[str, str]]:
    up = reverse("groups:attributes")
    return crumbs((_("Organisation"), reverse("accounts:organisation")), (_("Attributes"), up), (name, ""))
