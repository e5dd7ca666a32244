"""The "Messages & Actions" tab: what was said and posted in the group, by whom and by which program; and new ones."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import Person, User
from accounts.views.decorators import user_of, with_phone
from connectors.views.forms import get_idempotency_key, get_idempotent_id, show_refusals
from groups import access
from groups.media.upload import Incoming
from groups.models import Action, Group
from groups.queries import actions as action_queries
from groups.queries import groups
from groups.queries.actions import Viewer
from groups.services import actions, messages
from groups.services.groups import ONLY_ADMINS_POST
from groups.services.media import Uploader
from groups.views import actions as action_views
from groups.views import forms, links
from groups.views.forms import ActionForm, AnnouncementForm, FilesForm, MessageForm, PollForm
from kaizala_console.api.errors import InvalidParameters
from kaizala_console.lib.errors import GatewayDown, NotAllowed, RuleBroken

PAGE_SIZE = 50


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Send"))
def list_messages(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Messages and cards, newest first, and a line to write another message."""
    user = user_of(request)
    if request.method != "POST":
        return _page(request, group_id)
    group = _writable(user, group_id)
    form = MessageForm(request.POST)
    if form.is_valid():
        with show_refusals(form):
            messages.post(
                message_id=get_idempotent_id(user, f"message in {group.pk}", request.POST),
                group=group,
                text=form.cleaned_data["message"],
                person=_sender(user, group),
                by=user,
            )
            notes.success(request, _("Sent."))
            return redirect("groups:messages", group_id)
    return _page(request, group_id, form=form)


@require_POST
@with_phone(button_label=gettext_lazy("Post poll"))
def post_poll(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Asks the members something."""
    return _post(request, group_id, PollForm(request.POST))


@forms.limit_uploads
@require_POST
@with_phone(button_label=gettext_lazy("Post announcement"))
def post_announcement(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Says something that nobody answers, with pictures and files under it."""
    return _post(request, group_id, AnnouncementForm(request.POST, request.FILES))


@forms.limit_uploads
@require_POST
@with_phone(button_label=gettext_lazy("Post files"))
def post_files(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Pictures as one card, every other file as one of its own. All or none."""
    user = user_of(request)
    group = _writable(user, group_id)
    form = FilesForm(request.POST, request.FILES)
    if not _whole(request, form):
        return _page(request, group_id, card_form=form)
    try:
        with forms.read_uploads(form.cleaned_data["shared"]) as chosen:
            posted = actions.post_files(
                group=group,
                files=chosen,
                caption=form.cleaned_data["caption"],
                person=_sender(user, group),
                by=user,
                action_id=_get_post_id(request, form, group, chosen),
            )
    except (RuleBroken, InvalidParameters, GatewayDown) as broken:
        form.add_error_of(broken)
        return _page(request, group_id, card_form=form)
    notes.success(request, _("Posted."))
    return redirect(f"{reverse('groups:messages', args=[group_id])}#card-{posted[0].pk}")


def _post(request: HttpRequest, group_id: UUID, form: ActionForm) -> HttpResponse:
    user = user_of(request)
    group = _writable(user, group_id)
    if not _whole(request, form):
        return _page(request, group_id, card_form=form)
    person = _sender(user, group)
    try:
        with forms.read_uploads(form.cleaned_data.get("pictures", [])) as chosen:
            action_id = _get_post_id(request, form, group, chosen)
            there = Action.objects.filter(pk=action_id, group=group, person=person).first()  # a double click
            stored = [] if there else actions.store_files(files=chosen, person=person, by=user)
        posted = there or actions.post(
            action_id=action_id,
            group=group,
            action_type=form.kind,
            body={**form.body(), **({"mediaResources": [str(one.pk) for one in stored]} if stored else {})},
            person=person,
            by=user,
            caller=Uploader(user, person),
        )
    except (RuleBroken, InvalidParameters, GatewayDown) as broken:
        form.add_error_of(broken)
        return _page(request, group_id, card_form=form)
    notes.success(request, _("Posted."))
    return redirect(f"{reverse('groups:messages', args=[group_id])}#card-{posted.pk}")


def _whole(request: HttpRequest, form: ActionForm) -> bool:
    """Whether the form can be used, and all its files have come."""
    is_valid = form.is_valid()
    problem = forms.get_upload_problem(request)
    if problem:
        form.add_error(form.files_field or None, problem)
    return is_valid and not problem


def _get_post_id(request: HttpRequest, form: ActionForm, group: Group, chosen: list[Incoming]) -> UUID:
    """The same for the same form with the same files."""
    kind = " ".join([form.kind, "in", str(group.pk), *(file.sha256 for file in chosen)])
    return get_idempotent_id(user_of(request), kind, request.POST)


def _writable(user: User, group_id: UUID) -> Group:
    group = access.require_member(user, group_id)
    if not access.may_post(group):
        public = group.group_type == Group.Type.CONNECT
        raise NotAllowed(_("In a managed public group only admins can post.") if public else ONLY_ADMINS_POST)
    return group


def _sender(user: User, group: Group) -> Person:
    person = access.get_acting_person(user, group)
    if person is None:
        raise NotAllowed(_("Verify a phone number to post."))
    return person


def _page(
    request: HttpRequest, group_id: UUID, *, form: MessageForm | None = None, card_form: ActionForm | None = None
) -> HttpResponse:
    user = user_of(request)
    group, context = links.for_member(user, group_id, "messages")
    here = reverse("groups:messages", args=[group.pk])
    viewer = Viewer.of(group, access.list_held_people(user))
    page = action_queries.timeline(group, viewer, cursor=request.GET.get("cursor"), size=PAGE_SIZE)
    poll = card_form if isinstance(card_form, PollForm) else PollForm()
    announcement = card_form if isinstance(card_form, AnnouncementForm) else AnnouncementForm()
    shared = card_form if isinstance(card_form, FilesForm) else FilesForm()
    context |= {
        "rows": action_views.make_rows(page.items, viewer, groups.get_counts(group).members),
        "may_write": access.may_post(group),
        "form": form or MessageForm(),
        "poll_form": poll,
        "announcement_form": announcement,
        "files_form": shared,
        "open_files": shared.is_bound,
        "open_poll": poll.is_bound,
        "open_announcement": announcement.is_bound,
        "idempotency_key": get_idempotency_key(request.POST),
        **links.pagination_links(request, page, path=here),
    }
    status = 400 if form is not None or card_form is not None else 200
    return action_views.with_pictures(render(request, "groups/messages.html", context, status=status))
