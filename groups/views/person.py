"""One person: the groups in which the asker sees them, what is noted of them; and "Remove everywhere"."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import policies
from accounts.models import Person
from accounts.views.decorators import require_reauthentication, user_of, with_phone
from connectors.services import user_token_ends
from connectors.views.forms import TypedNameForm
from connectors.views.links import crumbs
from connectors.views.stopping import facts_of_use
from groups import access
from groups.models import PersonAttribute, PersonAttributeValue
from groups.queries import directory as directory_queries
from groups.services import directory, person_removal
from groups.views import links
from groups.views.directory import noted_of
from groups.views.forms import add_error
from kaizala_console.lib import keyset
from kaizala_console.lib.errors import NotFound, RuleBroken
from kaizala_console.lib.phone_numbers import display

PAGE_SIZE = 50
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


class TypedPersonNameForm(TypedNameForm):
    """Typing the name, or the number of who has none, is the confirmation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["typed"].label = _("Name of the person")


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
        found = directory_queries.own_person(user, person_id)
    except NotFound:
        return _to_the_others(request)
    form = ValuesForm(request.POST, attributes=list(directory_queries.attributes_of(user.organisation)))
    if not form.is_valid():
        return _page(request, person_id, form)
    shown = {name: request.POST.get(f"shown_{name}", "") for name in form.fields}
    sent = {name for name in form.fields if name in request.POST}
    changed = {UUID(name): text for name, text in form.cleaned_data.items() if name in sent and text != shown[name]}
    try:
        names = directory.set_values(person=found, values=changed, by=user)
    except RuleBroken as broken:
        add_error(form, broken)
        return _page(request, person_id, form)
    except NotFound as gone:
        messages.error(request, str(gone))
        return redirect("groups:person", person_id)
    messages.success(request, _("Saved: %(names)s.") % {"names": ", ".join(names)} if names else _("Nothing changed."))
    return redirect("groups:person", person_id)


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Remove everywhere"))
def remove(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """GET tells what will stop, POST with the name stops it. Twice is once."""
    user = user_of(request)
    policies.require_organisation_admin(user)
    try:
        found = directory_queries.own_person(user, person_id)
    except NotFound:
        if request.method != "POST":
            raise
        return _to_the_others(request)
    called = called_of(found)
    typed = request.POST if request.method == "POST" else None
    form = TypedPersonNameForm(typed, name=called)
    alone = directory_queries.run_alone(user.organisation, found)
    if form.is_valid():
        require_reauthentication(request)
        try:
            removed = person_removal.remove_everywhere(person=found, by=user)
        except RuleBroken as broken:
            form.add_error(None, str(broken))
        else:
            groups = ngettext("%(n)d group", "%(n)d groups", removed.groups) % {"n": removed.groups}
            messages.success(request, _("%(name)s is removed from %(groups)s.") % {"name": called, "groups": groups})
            return redirect("groups:directory")
    context = {
        "person": found,
        "called": called,
        "form": form,
        "run_alone": [
            {"name": row.group.name, "url": reverse("groups:details", args=[row.group_id])} for row in alone[:NAMED]
        ],
        "run_alone_count": alone.count(),
        "crumbs": _crumbs((called, reverse("groups:person", args=[found.pk])), (_("Remove everywhere"), "")),
        **_what_stops(user.organisation, found),
    }
    return render(request, "groups/person_remove.html", context, status=400 if form.is_bound else 200)


def _to_the_others(request: HttpRequest) -> HttpResponse:
    """The button was pressed twice; or somebody asks about a person who is not theirs, and is told the same."""
    messages.info(request, _("This person is in none of the organisation’s groups."))
    return redirect("groups:directory")


def called_of(found: Person) -> str:
    """A name, or else the number, as in the lists."""
    return found.name or display(found.number)


def _what_stops(organisation: Any, found: Person) -> dict[str, Any]:
    tokens = user_token_ends.acting_for(person=found, organisation=organisation)
    use = facts_of_use(tokens)
    noted = PersonAttributeValue.objects.filter(person=found, attribute__organisation=organisation)
    facts = [
        {"label": _("groups that they leave"), "count": directory_queries.memberships_in(organisation, found).count()},
        {"label": _("subscriptions"), "count": directory_queries.subscriptions_in(organisation, found).count()},
        {"label": _("connectors that act for them"), "count": tokens.count()},
        *use.pop("use_facts"),
        {"label": _("attributes that are forgotten"), "count": noted.count()},
    ]
    return {"facts": facts, **use}


def _page(request: HttpRequest, person_id: UUID, form: ValuesForm | None = None) -> HttpResponse:
    user = user_of(request)
    seen = directory_queries.person_for(user, person_id)
    here = reverse("groups:person", args=[seen.person.pk])
    try:
        page = directory_queries.groups_with(user, seen, cursor=request.GET.get("cursor"), size=PAGE_SIZE)
    except keyset.BadCursor:
        return redirect(links.url_with(request, path=here, cursor=None))
    attributes = list(directory_queries.attributes_for(user))
    values = directory_queries.values_of([seen.person], attributes).get(seen.person.pk, {})
    may_edit = (
        user.is_organisation_admin and directory_queries.people_of(user.organisation).filter(pk=seen.person.pk).exists()
    )
    if may_edit and form is None:
        form = ValuesForm(initial={str(key): text for key, text in values.items()}, attributes=attributes)
    sent = request.POST if form is not None and form.is_bound else {}
    context = {
        "person": seen.person,
        "is_self": seen.is_self,
        "called": called_of(seen.person),
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
        "noted": noted_of(attributes, values),
        "may_edit": may_edit,
        "has_attributes": bool(attributes),
        "form": form,
        "fields": [
            {"field": form[str(attribute.pk)], "shown": sent.get(f"shown_{attribute.pk}", values.get(attribute.pk, ""))}
            for attribute in attributes
        ]
        if may_edit and form is not None
        else [],
        "acting": list(directory_queries.acting_for(seen.person)[:NAMED]) if seen.is_self else [],
        "crumbs": _crumbs((called_of(seen.person), "")),
        **links.pagination_links(request, page, path=here),
    }
    return render(request, "groups/person.html", context, status=400 if sent else 200)


def _crumbs(*rows: tuple[str, str]) -> list[dict[str, str]]:
    return crumbs((_("Directory"), reverse("groups:directory")), *rows)
