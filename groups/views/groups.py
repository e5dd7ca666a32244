"""The list of groups that a person sees, or the tree of them. What is asked for stands in the address."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts import queries as accounts_queries
from accounts.models import AuditEvent, Person, User
from accounts.views.decorators import user_of, with_phone
from accounts.views.timeline import rows
from connectors.models import Connector, ConnectorState
from connectors.queries import connectors as connector_queries
from connectors.views import forms
from connectors.views.forms import show_refusals
from connectors.views.links import crumbs
from groups.models import Group
from groups.queries import groups as queries
from groups.services import groups
from groups.views import links, sub_groups
from groups.views.forms import GroupForm, check_numbers
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotAllowed, NotFound
from kaizala_console.lib.pagination import paginate

PAGE_SIZE = 50
RUN = "run"
ONLY = {"": gettext_lazy("All groups"), RUN: gettext_lazy("Groups I manage")}


@require_GET
@with_phone
def group_list(request: HttpRequest) -> HttpResponse:
    """One page of groups, by name, or of the tree. What is searched for is always listed."""
    search = request.GET.get("q", "").strip()[:120]
    if request.GET.get("view") == "tree" and not search:
        return sub_groups.show(request)
    user, only = user_of(request), links.get_choice(request, "only", ONLY)
    let_in = _connector_to_let_in(user, request.GET.get("let_in", ""))
    if let_in is not None and not user.is_organisation_admin:
        only = RUN  # others let nobody in anywhere else

    cursor = request.GET.get("cursor")
    page = queries.group_page(user, search=search, is_run=only == RUN, cursor=cursor, size=PAGE_SIZE)

    context = {
        "groups": page.items,
        "search": search,
        "is_filtered": bool(search or only),
        "let_in": let_in,
        "select": links.make_select("only", _("Which groups"), ONLY, only),
        "chips": links.list_chips(request, search, only=str(ONLY[only]) if only else ""),
        "all_url": reverse("groups:list"),
        "tree_url": sub_groups.address(),
        **links.pagination_links(request, page),
    }
    return render(request, "groups/list.html", context)


def _connector_to_let_in(user: User, written: str) -> Connector | None:
    """The connector that an admin has come to choose a group for; None for what they may not see, or cannot let in."""
    key = ids.parse_guid(written)
    if key is None:
        return None
    try:
        connector = connector_queries.get_connector(user, key)
    except NotFound:
        return None
    return connector if connector.state is ConnectorState.LIVE else None


# ----------------------------------------------------------------------------------------------------
# "Create group": its maker is its first admin.


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Create group"))
def create(request: HttpRequest) -> HttpResponse:
    """The form, and the new group. Nothing is made while a number cannot be one: each is named, and asked for again."""
    user = user_of(request)
    form = GroupForm(forms.get_posted(request), may_be_public=user.is_organisation_admin)
    if form.is_valid() and check_numbers(form, user):
        asked = form.cleaned_data
        with show_refusals(form):
            made = groups.create(
                group_id=forms.get_idempotent_id(user, "group", request.POST),
                name=asked["name"],
                organisation=None if asked["is_private"] else user.organisation,
                admin=_first_admin(user),
                group_type=asked.get("group_type") or Group.Type.PLAIN,
                welcome_message=asked["welcome_message"],
                numbers=asked["numbers"],
                by=user,
            )
            messages.success(request, _("“%(group)s” created. You are its admin.") % {"group": made.group.name})
            return redirect("groups:details", made.group.pk)
    context = {
        "form": form,
        "idempotency_key": forms.get_idempotency_key(request.POST),
        "crumbs": crumbs((_("Groups"), reverse("groups:list")), (_("Create group"), "")),
    }
    return render(request, "groups/create.html", context, status=400 if form.is_bound else 200)


def _first_admin(user: User) -> Person:
    person = accounts_queries.primary_person(user)
    if person is None:  # the number was released since the door let them in
        raise NotAllowed(_("Verify a phone number to create a group."))
    return person


@require_GET
@with_phone
def activity(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """One page of events, the newest first."""
    group, context = links.for_admin(user_of(request), group_id, "activity")
    events = AuditEvent.objects.filter(group_id=group.pk)
    page = paginate(events, ("-id",), request.GET.get("cursor"), PAGE_SIZE)
    context |= {
        "events": rows(page.items),
        **links.pagination_links(request, page),
    }
    return render(request, "groups/activity.html", context)
