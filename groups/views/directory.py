"""The directory: the people in the groups that a person sees, each once; and what is noted of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import policies
from accounts.models import Person
from accounts.views.decorators import reauthentication_required, require_reauthentication, user_of, with_phone
from connectors.services import user_tokens
from connectors.views.forms import TypedNameForm, get_posted, show_refusals
from connectors.views.links import crumbs
from connectors.views.usage import get_use_facts
from groups import access
from groups.models import BulkJob, PersonAttribute, PersonAttributeValue
from groups.queries import directory as directory_queries
from groups.services import directory, members
from groups.services.bulk import people
from groups.views import links
from groups.views.bulk import UsersFileForm, upload_page
from groups.views.forms import get_region
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.phone_numbers import display
from kaizala_console.lib.spreadsheets import csv_response

PAGE_SIZE = 50


@require_GET
@with_phone
def directory_list(request: HttpRequest) -> HttpResponse:
    """One page of people, by name; `attribute` and `value` in the address narrow it to who is noted so."""
    user = user_of(request)
    search = request.GET.get("q", "").strip()[:120]
    attributes = list(directory_queries.list_readable_attributes(user))
    attribute, value = _filter(request, attributes)
    page = directory_queries.list_people(
        user,
        search=search,
        attribute=attribute,
        value=value,
        cursor=request.GET.get("cursor"),
        size=PAGE_SIZE,
    )
    noted = directory_queries.get_values(page.items, attributes)
    chips = links.list_chips(request, search)
    if attribute is not None:
        remove = links.url_with(request, attribute=None, value=None, cursor=None)
        chips.append({"label": f"{attribute.name}: {value}", "remove_url": remove})
    context = {
        "rows": [
            {
                "person": person,
                "url": reverse("groups:person", args=[person.pk]),
                "noted": list_noted(attributes, noted.get(person.pk, {})),
            }
            for person in page.items
        ],
        "search": search,
        "attributes": attributes,
        "attribute": attribute,
        "value": value,
        "is_filtered": bool(chips),
        "chips": chips,
        "all_url": reverse("groups:directory"),
        **links.pagination_links(request, page),
    }
    return render(request, "groups/directory.html", context)


def list_noted(attributes: list[PersonAttribute], values: dict[Any, str]) -> list[dict[str, str]]:
    """What is noted of one person, in the order of the attributes; each leads to everybody of whom it is said."""
    there = [(attribute, values[attribute.pk]) for attribute in attributes if attribute.pk in values]
    return [
        {
            "name": attribute.name,
            "text": text,
            "url": f"{reverse('groups:directory')}?{urlencode({'attribute': attribute.pk, 'value': text})}",
        }
        for attribute, text in there
    ]


def _filter(request: HttpRequest, attributes: list[PersonAttribute]) -> tuple[PersonAttribute | None, str]:
    """By which attribute, of those that the asker may read, and which value; nothing for any other address."""
    key = ids.parse_guid(request.GET.get("attribute", ""))
    value = request.GET.get("value", "").replace("\0", "").strip()[:200]
    found = next((attribute for attribute in attributes if attribute.pk == key), None)
    return (found, value) if found is not None and value else (None, "")


# ----------------------------------------------------------------------------------------------------
# One person: the groups in which the asker sees them, what is noted of them; and "Remove everywhere".


PERSON_PAGE_SIZE = 50
NAMED = 50


class ValuesForm(forms.Form):
    """A field an attribute, named by its id: whatever its name is, it is no field of ours."""

    def __init__(self, *args: Any, attributes: list[PersonAttribute], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for attribute in attributes:
            self.fields[str(attribute.pk)] = forms.CharField(
                label=attribute.name,
                required=False,
                max_length=PersonAttributeValue.MAX_TEXT,
                widget=forms.TextInput(attrs={"autocomplete": "off"}),
            )


@require_GET
@with_phone
def person(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """A person, as this asker may see them."""
    return _page(request, person_id)


@require_POST
@with_phone(button_label=gettext_lazy("Save attributes"))
def save_attributes(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """What is noted of one of the organisation's people. What the sender left as the page showed it stays."""
    user = user_of(request)
    try:
        found = directory_queries.get_own_person(user, person_id)
    except NotFound:
        return _redirect_to_directory(request)
    form = ValuesForm(request.POST, attributes=list(directory_queries.list_attributes(user.organisation)))
    if form.is_valid():
        sent = {name: text for name, text in form.cleaned_data.items() if name in request.POST}
        changed = {UUID(name): text for name, text in sent.items() if text != request.POST.get(f"shown_{name}", "")}
        with show_refusals(form):
            try:
                names = directory.set_values(person=found, values=changed, by=user)
                says = _("Saved: %(names)s.") % {"names": ", ".join(names)} if names else _("Nothing changed.")
                messages.success(request, says)
            except NotFound as gone:
                messages.error(request, str(gone))
            return redirect("groups:person", person_id)
    return _page(request, person_id, form)


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Remove from all groups"))
def remove(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """GET tells what will stop, POST with the name stops it. Twice is once."""
    user = user_of(request)
    policies.require_organisation_admin(user)
    try:
        found = directory_queries.get_own_person(user, person_id)
    except NotFound:
        if request.method != "POST":
            raise
        return _redirect_to_directory(request)
    called = found.display_name
    form = TypedNameForm(get_posted(request), name=called, label=_("Name of the person"))
    alone = directory_queries.list_sole_admin_memberships(user.organisation, found)
    if form.is_valid():
        require_reauthentication(request)
        with show_refusals(form):
            removed = members.remove_everywhere(person=found, by=user)
            groups = ngettext("%(n)d group", "%(n)d groups", removed.groups) % {"n": removed.groups}
            messages.success(request, _("%(name)s removed from %(groups)s.") % {"name": called, "groups": groups})
            return redirect("groups:directory")
    context = {
        "person": found,
        "called": called,
        "form": form,
        "run_alone": [
            {"name": row.group.name, "url": reverse("groups:details", args=[row.group_id])} for row in alone[:NAMED]
        ],
        "run_alone_count": alone.count(),
        "crumbs": _crumbs((called, reverse("groups:person", args=[found.pk])), (_("Remove from all groups"), "")),
        **_what_stops(user.organisation, found),
    }
    return render(request, "groups/person_remove.html", context, status=400 if form.is_bound else 200)


def _redirect_to_directory(request: HttpRequest) -> HttpResponse:
    """The button was pressed twice; or somebody asks about a person who is not theirs, and is told the same."""
    messages.info(request, _("This person is in none of the organisation’s groups."))
    return redirect("groups:directory")


def _what_stops(organisation: Any, found: Person) -> dict[str, Any]:
    tokens = user_tokens.list_acting(person=found, organisation=organisation)
    use = get_use_facts(tokens)
    noted = PersonAttributeValue.objects.filter(person=found, attribute__organisation=organisation)
    facts = [
        {
            "label": _("groups they leave"),
            "count": directory_queries.list_memberships(organisation, found).count(),
        },
        {"label": _("subscriptions"), "count": directory_queries.list_subscriptions(organisation, found).count()},
        {"label": _("connectors acting for them"), "count": tokens.count()},
        *use.pop("use_facts"),
        {"label": _("attributes deleted"), "count": noted.count()},
    ]
    return {"facts": facts, **use}


def _page(request: HttpRequest, person_id: UUID, form: ValuesForm | None = None) -> HttpResponse:
    user = user_of(request)
    seen = directory_queries.get_person(user, person_id)
    here = reverse("groups:person", args=[seen.person.pk])
    page = directory_queries.list_person_groups(user, seen, cursor=request.GET.get("cursor"), size=PERSON_PAGE_SIZE)
    attributes = list(directory_queries.list_readable_attributes(user))
    values = directory_queries.get_values([seen.person], attributes).get(seen.person.pk, {})
    may_edit = (
        user.is_organisation_admin
        and directory_queries.list_organisation_people(user.organisation).filter(pk=seen.person.pk).exists()
    )
    if may_edit and form is None:
        form = ValuesForm(initial={str(key): text for key, text in values.items()}, attributes=attributes)
    sent = request.POST if form is not None and form.is_bound else {}
    context = {
        "person": seen.person,
        "is_self": seen.is_self,
        "number": display(seen.person.number) if seen.number_shown else "",
        "rows": [
            {
                "group": group,
                "is_admin": getattr(group, "person_role", "") == access.Role.ADMIN,
                "url": reverse("groups:details", args=[group.pk]),
                "remove_url": f"{reverse('groups:user_remove', args=[group.pk, seen.person.pk])}?{links.FROM_PERSON}"
                if links.is_admin(group)
                else "",
            }
            for group in page.items
        ],
        "may_remove": any(links.is_admin(group) for group in page.items),
        "noted": list_noted(attributes, values),
        "may_edit": may_edit,
        "has_attributes": bool(attributes),
        "form": form,
        "fields": [
            {"field": form[str(attribute.pk)], "shown": sent.get(f"shown_{attribute.pk}", values.get(attribute.pk, ""))}
            for attribute in attributes
        ]
        if may_edit and form is not None
        else [],
        "acting": list(directory_queries.list_user_grants(seen.person)[:NAMED]) if seen.is_self else [],
        "crumbs": _crumbs((seen.person.display_name, "")),
        **links.pagination_links(request, page, path=here),
    }
    return render(request, "groups/person.html", context, status=400 if sent else 200)


def _crumbs(*rows: tuple[str, str]) -> list[dict[str, str]]:
    return crumbs((_("Directory"), reverse("groups:directory")), *rows)


# ----------------------------------------------------------------------------------------------------
# Which attributes an organisation keeps of its people, for its admins.


class AttributeForm(forms.Form):
    """A name, and who sees what is noted under it."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=PersonAttribute.MAX_NAME,
        help_text=gettext_lazy("Like Department, Location or Employee number."),
        error_messages={"required": gettext_lazy("Enter a name.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    for_colleagues = forms.BooleanField(
        label=gettext_lazy("Visible to colleagues"),
        required=False,
        help_text=gettext_lazy("Otherwise only organisation admins see it."),
    )


def redirect_if_removed(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """One that another tab, or a colleague, has deleted meanwhile leads to those that are there."""

    @wraps(view)
    def opened(request: HttpRequest, *, attribute_id: UUID) -> HttpResponse:
        policies.require_organisation_admin(user_of(request))
        try:
            return view(request, attribute_id=attribute_id)
        except NotFound:
            messages.info(request, _("This attribute was deleted."))
            return redirect("groups:attributes")

    return opened


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Add attribute"))
def attributes(request: HttpRequest) -> HttpResponse:
    """All of them in their order, and a form for another one."""
    user = user_of(request)
    policies.require_organisation_admin(user)
    form = AttributeForm(request.POST or None)
    if form.is_valid():
        with show_refusals(form):
            made = directory.add_attribute(by=user, **form.cleaned_data)
            if _is_as_typed(made, form.cleaned_data):  # also for the second click
                messages.success(request, _("“%(name)s” added.") % {"name": made.name})
                return redirect("groups:attributes")
            form.add_error("name", _("“%(name)s” already exists.") % {"name": made.name})
    rows = list(directory_queries.list_attributes(user.organisation))
    context = {
        "rows": rows,
        "form": form,
        "is_full": len(rows) >= PersonAttribute.MOST,
        "crumbs": crumbs((_("Organisation"), reverse("accounts:organisation")), (_("Attributes"), "")),
    }
    return render(request, "groups/person_attributes.html", context, status=400 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Save attribute"))
@redirect_if_removed
def attribute(request: HttpRequest, attribute_id: UUID) -> HttpResponse:
    """Its name, and who sees it."""
    user = user_of(request)
    found = directory_queries.get_attribute(user, attribute_id)
    now = {"name": found.name, "for_colleagues": found.for_colleagues}
    form = AttributeForm(request.POST or None, initial=now)
    if form.is_valid():
        with show_refusals(form):
            directory.change_attribute(attribute=found, by=user, **form.cleaned_data)
            messages.success(request, _("Saved."))
            return redirect("groups:attributes")
    context = {"attribute": found, "form": form, "crumbs": _attribute_crumbs(found.name)}
    return render(request, "groups/person_attribute.html", context, status=400 if form.is_bound else 200)


@require_POST
@with_phone(button_label=gettext_lazy("Move up"))
@redirect_if_removed
def move_up(request: HttpRequest, attribute_id: UUID) -> HttpResponse:
    """One place forward."""
    user = user_of(request)
    directory.move_up(attribute=directory_queries.get_attribute(user, attribute_id), by=user)
    return redirect("groups:attributes")


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Delete attribute"))
@redirect_if_removed
def remove_attribute(request: HttpRequest, attribute_id: UUID) -> HttpResponse:
    """GET tells what is lost, POST with the name deletes it."""
    user = user_of(request)
    found = directory_queries.get_attribute(user, attribute_id)
    form = TypedNameForm(get_posted(request), name=found.name, label=_("Name of the attribute"))
    if form.is_valid():
        require_reauthentication(request)
        directory.remove_attribute(attribute=found, by=user)
        messages.success(request, _("“%(name)s” deleted.") % {"name": found.name})
        return redirect("groups:attributes")
    context = {
        "attribute": found,
        "form": form,
        "facts": [{"label": _("people with a value"), "count": found.values.count()}],
        "crumbs": _attribute_crumbs(found.name),
    }
    return render(request, "groups/person_attribute_remove.html", context, status=400 if form.is_bound else 200)


def _is_as_typed(made: PersonAttribute, typed: dict[str, Any]) -> bool:
    name = " ".join(typed["name"].split())
    return (made.name, made.for_colleagues) == (name, typed["for_colleagues"])


def _attribute_crumbs(name: str) -> list[dict[str, str]]:
    up = reverse("groups:attributes")
    return crumbs((_("Organisation"), reverse("accounts:organisation")), (_("Attributes"), up), (name, ""))


# ----------------------------------------------------------------------------------------------------
# The people of an organisation as a file: taken out, and names and attributes brought in; for its admins.


@require_POST
@reauthentication_required(button_label=gettext_lazy("Export people"), is_download=True)
def export(request: HttpRequest) -> HttpResponseBase:
    """Everybody of the organisation, with what is noted of them, as a file that can be uploaded again."""
    user = user_of(request)
    directory.note_export(by=user)
    return csv_response(directory_queries.export_rows(user.organisation), "people.csv")


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Upload and check"))
def upload(request: HttpRequest) -> HttpResponse:
    """The form, and what was uploaded before."""
    user = user_of(request)
    policies.require_organisation_admin(user)
    form = UsersFileForm(request.POST or None, request.FILES or None, initial={"region": get_region(user)})
    attributes = list(directory_queries.list_attributes(user.organisation))
    context = {
        "crumbs": crumbs((_("Organisation"), reverse("accounts:organisation")), (_("Import people"), "")),
        "attributes": attributes,
    }
    return upload_page(
        request,
        "groups/people_upload.html",
        form,
        context,
        BulkJob.Kind.PEOPLE,
        match_headers=lambda header: people.match_headers(header, attributes),
    )
