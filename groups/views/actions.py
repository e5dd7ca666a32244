"""A card of a group: what it says, what was answered, one's own answer, and the answers as a file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.contrib import messages as notes
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import F
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import Person, User
from accounts.views.decorators import reauthentication_required, user_of, with_phone
from connectors.views.forms import get_idempotency_key, get_idempotent_id
from groups import access, action_types
from groups.action_types.base import ViewedAction
from groups.action_types.questions import QuestionType
from groups.media import storage
from groups.models import Action, Group, Message, Response
from groups.queries import actions, groups, reactions
from groups.queries.actions import Viewer, get_answered_ids, get_assigned_ids
from groups.queries.reactions import ReactionCounts
from groups.services import responses
from groups.views import links
from groups.views import responses as response_views
from groups.views.reactions import get_panel
from groups.views.responses import AnswerForm, File, SurveyAnswerForm, make_charts, make_file, make_form, spelled_place
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import NotAllowed, NotFound, RuleBroken
from kaizala_console.lib.spreadsheets import csv_response

Kind = Action.Kind
THUMBNAILS: Final = 4
SIGNS: Final = {
    Kind.IMAGE: "picture",
    Kind.ALBUM: "pictures",
    Kind.AUDIO: "sound",
    Kind.DOCUMENT: "file",
    Kind.VIDEO: "video",
    Kind.ANNOUNCEMENT: "announcement",
    Kind.JOB: "job",
    Kind.POLL: "poll",
    Kind.LETS_MEET: "meeting",
    Kind.SURVEY: "survey",
    Kind.SHARE_LOCATION: "place",
    Kind.PHOTO_WITH_LOCATION: "picture",
    Kind.PACKAGE: "package",
}


@dataclass(frozen=True, slots=True)
class ActionRow:
    """A card in a few words. `open` is whether it takes answers now, `count` how many there are, in words."""

    action: Action
    sign: str
    kind: str
    title: str
    url: str
    counts: ReactionCounts
    text: str = ""
    pictures: Sequence[File] = field(default_factory=tuple)
    more_pictures: int = 0
    files: Sequence[File] = field(default_factory=tuple)
    place: str = ""
    count: str = ""
    begins: dt.datetime | None = None
    is_open: bool = False
    is_closed: bool = False
    is_answered: bool = False
    is_asked: bool = False


def make_rows(items: Sequence[Message | ViewedAction], viewer: Viewer, members: int) -> list[dict[str, Any]]:
    """What the timeline shows: dicts of a `message` or a `card` (ActionRow), with `counts` of reactions.

    `members` is how many people are in the group. Three statements, however many rows.
    """
    shown = [item for item in items if isinstance(item, ViewedAction)]
    actions = [card.action for card in shown]
    counts = reactions.get_counts([item.action.pk if isinstance(item, ViewedAction) else item.pk for item in items])
    answerable = [action for action in actions if action_types.get_type(action.kind).takes_answers]
    done = get_answered_ids(answerable, viewer.people) if answerable else set()
    mine = get_assigned_ids(answerable, viewer.people) if answerable else set()
    rows: list[dict[str, Any]] = []
    for item in items:
        if isinstance(item, ViewedAction):
            row = make_row(item, counts.get(item.action.pk, ReactionCounts()), members, done=done, mine=mine)
            rows.append({"card": row, "from": item.action, "counts": row.counts})
        else:
            rows.append({"message": item, "from": item, "counts": counts.get(item.pk, ReactionCounts())})
    return rows


def make_row(
    card: ViewedAction, counts: ReactionCounts, members: int, *, done: Collection[UUID], mine: Collection[UUID]
) -> ActionRow:
    """One card; `done` are those that the viewer has answered, `mine` the jobs that are theirs."""
    action = card.action
    kind = action_types.get_type(action.kind)
    files = [make_file(file) for resource in kind.resources(action.body) for file in card.files.get(resource, ())]
    pictures = [file for file in files if file.is_picture]
    closed = kind.takes_answers and action.expires_at is not None and action.expires_at <= clock.now()
    is_open = kind.takes_answers and not closed
    is_answered = action.pk in done
    may = is_open and (action.kind != Kind.JOB or action.pk in mine)
    return ActionRow(
        action=action,
        sign=SIGNS[Kind(action.kind)],
        kind=name_kind(action),
        title=action.title,
        url=reverse("groups:action", args=[action.group_id, action.pk]),
        counts=counts,
        text=str(action.body.get("message") or action.body.get("description") or action.body.get("agenda") or ""),
        pictures=pictures[:THUMBNAILS],
        more_pictures=max(0, len(pictures) - THUMBNAILS),
        files=[file for file in files if not file.is_picture],
        place=describe_place(action.body),
        count=describe_count(card, members) if kind.takes_answers else "",
        begins=dt.datetime.fromisoformat(card.body["startingTime"]) if action.kind == Kind.LETS_MEET else None,
        is_open=is_open,
        is_closed=closed,
        is_answered=is_answered,
        is_asked=may and not is_answered,
    )


def takes_answers(card: ViewedAction) -> bool:
    """Whether its kind can be answered at all."""
    return action_types.get_type(card.action.kind).takes_answers


def list_pictures(card: ViewedAction) -> list[File]:
    """All its pictures, for its own page."""
    resources = action_types.get_type(card.action.kind).resources(card.body)
    files = [make_file(file) for resource in resources for file in card.files.get(resource, ())]
    return [file for file in files if file.is_picture]


def list_questions(card: ViewedAction) -> list[dict[str, Any]]:
    """The questions of a survey: their titles, what is answered to each, and the options."""
    return [
        {
            "title": question["title"],
            "type": name_type(question["type"]),
            "is_invisible": question["isInvisible"],
            "options": [option["title"] for option in question["options"]],
        }
        for question in card.body.get("questions", ())
    ]


def name_type(question_type: str) -> str:
    """A question's type in plain words."""
    return {
        QuestionType.SINGLE_OPTION: _("one of several"),
        QuestionType.MULTI_OPTION: _("any of several"),
        QuestionType.TEXT: _("text"),
        QuestionType.IMAGE: _("picture"),
        QuestionType.NUMERIC: _("number"),
        QuestionType.DATE: _("date"),
        QuestionType.DATE_TIME: _("date and time"),
        QuestionType.LOCATION: _("place"),
        QuestionType.ATTACHMENT_LIST: _("files"),
    }[QuestionType(question_type)]


def list_assignees(card: ViewedAction) -> list[Person]:
    """Whose job it is, by name."""
    if card.action.kind != Kind.JOB:
        return []
    people = card.action.assignees.all().with_names(card.action.group.naming_organisation_id)
    return list(people.order_by(F("name"), "pk"))


def name_kind(action: Action) -> str:
    """The kind in a word, with a capital letter; a package has its own name."""
    word = str(action.get_kind_display())
    return word[:1].upper() + word[1:]


def describe_count(card: ViewedAction, members: int) -> str:
    """How many have answered, of how many; "" for whom it is hidden from."""
    action = card.action
    if not card.sees_answers:
        return ""
    answered = intcomma(action.response_count)
    if action.kind == Kind.JOB:
        return _("%(n)s of %(all)s done") % {"n": answered, "all": intcomma(action.assignee_count)}
    if action.audience != Message.Audience.MEMBERS or action.response_count > members:
        says = ngettext("%(n)s person answered", "%(n)s people answered", action.response_count)
        return says % {"n": answered}
    return _("%(n)s of %(all)s answered") % {"n": answered, "all": intcomma(members)}


def describe_place(body: dict[str, Any]) -> str:
    """Where, as people write it down: the name and the degrees. "" for a body without a place."""
    place = body.get("place") or (body if "latitude" in body else {})
    return spelled_place(place.get("latitude"), place.get("longitude"), place.get("name", ""))


def with_pictures(response: HttpResponse) -> HttpResponse:
    """Lets the page show pictures from the bucket, to which this host redirects when they are kept in one."""
    origin = storage.origin()
    if origin:
        # What django-csp's own decorator leaves for its middleware; the origin is not known where that could be used.
        setattr(response, "_csp_update", {"img-src": [origin]})  # noqa: B010
    return response


PAGE_SIZE = 50


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Send answer"))
def action(request: HttpRequest, group_id: UUID, action_id: UUID) -> HttpResponse:
    """The card; and, by POST, one's own answer to it, the first or a changed one."""
    user = user_of(request)
    group, viewer, card = _found(user, group_id, action_id)
    if request.method != "POST":
        return _page(request, group, viewer, card)
    own = actions.list_own_responses(card, viewer.people)
    changed = _changed(card, own, request.POST.get("response_id", ""))
    form = make_form(card, request.POST, given=changed.body if changed else None)
    if not form.is_valid():
        return _page(request, group, viewer, card, form=form, changed=changed)
    try:
        responses.give(
            action=card.action,
            body=form.body(),
            person=_answering(user, group, card, viewer, changed),
            response_id=changed.pk if changed else None,
            once=get_idempotent_id(user, f"answer to {card.action.pk}", request.POST)
            if card.action.accepts_many
            else None,
        )
    except RuleBroken as broken:
        form.add_error_of(broken)
        return _page(request, group, viewer, card, form=form, changed=changed)
    notes.success(request, _("Answer changed.") if changed else _("Answer sent."))
    return redirect("groups:action", group_id, action_id)


@require_POST
@reauthentication_required(button_label=gettext_lazy("Export answers"), is_download=True)
def export(request: HttpRequest, group_id: UUID, action_id: UUID) -> HttpResponseBase:
    """The answers as a CSV file, for admins and for whoever posted the card."""
    user = user_of(request)
    group, viewer, card = _found(user, group_id, action_id)
    if not _may_export(group, viewer, card):
        access.require_admin(user, group_id)
        raise NotAllowed(_("Only the sender sees the answers."))
    if not takes_answers(card):
        raise NotFound(_("This action takes no answers."))
    responses.note_export(action=card.action, by=user)
    rows = response_views.list_rows(card, actions.iterate_responses(card, viewer))
    name = f"answers-{card.action.kind.lower()}-{timezone.localtime(clock.now()):%Y-%m-%d-%H%M}.csv"
    return csv_response(rows, name)


# ---------------------------------------------------------------- Who, and what


def _found(user: User, group_id: UUID, action_id: UUID) -> tuple[Group, Viewer, ViewedAction]:
    group = access.require_member(user, group_id)
    viewer = Viewer.of(group, access.list_held_people(user))
    return group, viewer, actions.get_action(group, action_id, viewer)


def _may_export(group: Group, viewer: Viewer, card: ViewedAction) -> bool:
    return card.sees_answers and (links.is_admin(group) or card.action.person_id in viewer.people)


def _answering(user: User, group: Group, card: ViewedAction, viewer: Viewer, changed: Response | None) -> Person:
    """With which of their numbers somebody answers: the one that has answered, or was asked, before all others."""
    action = card.action
    people = Person.objects.filter(pk__in=viewer.people)
    if changed is not None and changed.person_id is not None:
        return people.get(pk=changed.person_id)
    asked: Any = None
    if action.kind == Action.Kind.JOB:
        asked = action.assignees.filter(pk__in=viewer.people).first()
    elif action.audience == Message.Audience.CHOSEN:
        asked = action.recipients.filter(pk__in=viewer.people).first()
    person = asked or access.get_acting_person(user, group)
    if person is None:
        raise NotAllowed(_("Verify a phone number before you answer."))
    return person


def _changed(card: ViewedAction, own: list[Response], response_id: str) -> Response | None:
    """The own answer that the form changes: the one that it names, or the only one."""
    if not card.action.accepts_many:
        return own[0] if own else None
    key = ids.parse_guid(response_id)
    return next((response for response in own if response.pk == key), None)


# ---------------------------------------------------------------- The page


def _page(
    request: HttpRequest,
    group: Group,
    viewer: Viewer,
    card: ViewedAction,
    *,
    form: AnswerForm | None = None,
    changed: Response | None = None,
) -> HttpResponse:
    action, here = card.action, reverse("groups:action", args=[group.pk, card.action.pk])
    own = actions.list_own_responses(card, viewer.people) if takes_answers(card) else []
    counts = reactions.get_counts([action.pk]).get(action.pk, reactions.ReactionCounts())
    is_mine = action.kind != Action.Kind.JOB or action.pk in actions.get_assigned_ids([action], viewer.people)
    row = make_row(
        card,
        counts,
        groups.get_counts(group).members,
        done={action.pk} if own else set(),
        mine={action.pk} if is_mine else set(),
    )
    context: dict[str, Any] = {
        "group": group,
        "card": row,
        "row": {"from": action},
        "action": action,
        "crumbs": links.group_crumbs(
            group, (_("Messages & Actions"), reverse("groups:messages", args=[group.pk])), (row.kind, "")
        ),
        "all_pictures": list_pictures(card),
        "questions": list_questions(card),
        "assignees": list_assignees(card),
        "takes_answers": takes_answers(card),
        "sees_answers": card.sees_answers,
        "may_export": _may_export(group, viewer, card),
        "is_mine": is_mine,
        "own": _own_rows(card, viewer, own, here),
        "lead": links.frame(group, "messages")["lead"],
        "reacting": get_panel(action, counts, viewer),
    }
    if row.is_open and is_mine:
        changed = changed or _changed(card, own, request.GET.get("change", ""))
        given = changed.body if changed else None
        form = form or make_form(card, given=given)
        context |= {
            "form": form,
            "asked": form.asked() if isinstance(form, SurveyAnswerForm) else [],
            "idempotency_key": get_idempotency_key(request.POST),
            "changed": changed,
            "changed_by_link": action.accepts_many and changed is not None,
            "open_form": False,
        }
    if context["takes_answers"] and card.sees_answers:
        context |= _answers(request, card, viewer, own, here)
    status = 400 if form is not None and form.is_bound else 200
    return with_pictures(render(request, "groups/action.html", context, status=status))


def _own_rows(card: ViewedAction, viewer: Viewer, own: list[Response], here: str) -> list[dict[str, Any]]:
    """What the viewer has answered; with a link to change it where there may be several."""
    several = card.action.accepts_many
    shown = actions.view_responses(card, own, viewer) if own else []
    return [
        {
            "at": response.responded_at,
            "lines": response_views.list_lines(card, one.body),
            "change_url": f"{here}?change={response.pk}#answer" if several else "",
        }
        for response, one in zip(own, shown, strict=True)
    ]


def _answers(
    request: HttpRequest, card: ViewedAction, viewer: Viewer, own: list[Response], here: str
) -> dict[str, Any]:
    """The list; on its first page also what it comes to: counting reads every answer."""
    cursor = request.GET.get("cursor")
    page = actions.response_page(card, viewer, cursor=cursor, size=PAGE_SIZE)
    context: dict[str, Any] = {
        "answers": [
            {"person": one.person, "at": one.responded_at, "lines": response_views.list_lines(card, one.body)}
            for one in page.items
        ],
        **links.pagination_links(request, page, path=here),
    }
    summary = None if cursor else actions.summarise(card)
    if summary is not None:
        charts = make_charts(summary.questions, response_views.own_choices(card, own))
        context |= {
            "summary": summary,
            "rate_done": min(card.action.response_count, summary.asked or 0),
            "charts": [chart for chart in charts if chart.rows],
            "written": [chart for chart in charts if not chart.rows],
            "asks_more": response_views.is_survey(card),
        }
    return context
