"""A card of a group: what it says, what was answered, one's own answer, and the answers as a file."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import Person, User
from accounts.views.decorators import reauthentication_required, user_of, with_phone
from connectors.views.forms import get_idempotency_key, get_idempotent_id
from groups import access
from groups.action_types.base import MAX_WORDS, Card
from groups.models import Action, Group, Message, Response
from groups.queries import actions, groups, reactions
from groups.queries.actions import Viewer
from groups.services import responses
from groups.views import action_rows, links
from groups.views import responses as views_responses
from groups.views.forms import FilesField, TextField
from groups.views.reactions import panel_of
from groups.views.responses import AnswerForm, SurveyAnswerForm, charts_of, form_for
from kaizala_console.lib import clock, ids, pagination
from kaizala_console.lib.errors import ConsoleError, NotAllowed, NotFound, RuleBroken
from kaizala_console.lib.spreadsheets import csv_lines

PAGE_SIZE = 50


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Send answer"))
def action(request: HttpRequest, group_id: UUID, action_id: UUID) -> HttpResponse:
    """The card; and, by POST, one's own answer to it, the first or a changed one."""
    user = user_of(request)
    group, viewer, card = _found(user, group_id, action_id)
    if request.method != "POST":
        return _page(request, group, viewer, card)
    own = actions.own_responses(card, viewer.people)
    changed = _changed(card, own, request.POST.get("response_id", ""))
    form = form_for(card, request.POST, given=changed.body if changed else None)
    if not form.is_valid():
        return _page(request, group, viewer, card, form=form, changed=changed)
    try:
        responses.give(
            action=card.action,
            body=form.body(),
            person=_answering(user, group, card, viewer, changed),
            by=user,
            response_id=changed.pk if changed else None,
            once=get_idempotent_id(user, f"answer to {card.action.pk}", request.POST)
            if card.action.accepts_many
            else None,
        )
    except RuleBroken as broken:
        form.add_error_of(broken)
        return _page(request, group, viewer, card, form=form, changed=changed)
    notes.success(request, _("Your answer is changed.") if changed else _("Your answer is in."))
    return redirect("groups:action", group_id, action_id)


@require_POST
@reauthentication_required(button_label=gettext_lazy("Export answers"), is_download=True)
def export(request: HttpRequest, group_id: UUID, action_id: UUID) -> HttpResponseBase:
    """The answers as a CSV file, for admins and for whoever posted the card."""
    user = user_of(request)
    group, viewer, card = _found(user, group_id, action_id)
    if not _may_export(group, viewer, card):
        access.require_admin(user, group_id)
        raise NotAllowed(_("Only who posted this card sees its answers."))
    if not action_rows.takes_answers(card):
        raise NotFound(_("This card takes no answers."))
    responses.note_export(action=card.action, by=user)
    rows = views_responses.rows_of(card, actions.responses_of(card, viewer))
    response = StreamingHttpResponse(csv_lines(rows), content_type="text/csv; charset=utf-8")
    name = f"answers-{card.action.kind.lower()}-{timezone.localtime(clock.now()):%Y-%m-%d-%H%M}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


# ---------------------------------------------------------------- Who, and what


def _found(user: User, group_id: UUID, action_id: UUID) -> tuple[Group, Viewer, Card]:
    group = access.require_member(user, group_id)
    viewer = Viewer.of(group, access.held_by(user))
    return group, viewer, actions.card_in(group, action_id, viewer)


def _may_export(group: Group, viewer: Viewer, card: Card) -> bool:
    return card.sees_answers and (links.is_admin(group) or card.action.person_id in viewer.people)


def _answering(user: User, group: Group, card: Card, viewer: Viewer, changed: Response | None) -> Person:
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
    person = asked or access.acting_person(user, group)
    if person is None:
        raise NotAllowed(_("Verify a phone number first: answers are given by a number."))
    return person


def _changed(card: Card, own: list[Response], response_id: str) -> Response | None:
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
    card: Card,
    *,
    form: AnswerForm | None = None,
    changed: Response | None = None,
) -> HttpResponse:
    action, here = card.action, reverse("groups:action", args=[group.pk, card.action.pk])
    own = actions.own_responses(card, viewer.people) if action_rows.takes_answers(card) else []
    counts = reactions.counts_of([action.pk]).get(action.pk, reactions.Counts())
    is_mine = action.kind != Action.Kind.JOB or action.pk in actions.assigned_to([action], viewer.people)
    row = action_rows.row_of(
        card,
        counts,
        groups.counts_of(group).members,
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
        "all_pictures": action_rows.pictures_of(card),
        "questions": action_rows.questions_of(card),
        "assignees": action_rows.assignees_of(card),
        "takes_answers": action_rows.takes_answers(card),
        "sees_answers": card.sees_answers,
        "may_export": _may_export(group, viewer, card),
        "is_mine": is_mine,
        "own": _own_rows(card, viewer, own, here),
        "lead": links.frame(group, "messages")["lead"],
        "reacting": panel_of(action, counts, viewer),
    }
    if row.is_open and is_mine:
        changed = changed or _changed(card, own, request.GET.get("change", ""))
        given = changed.body if changed else None
        form = form or form_for(card, given=given)
        context |= {
            "form": form,
            "asked": form.asked() if isinstance(form, SurveyAnswerForm) else [],
            "idempotency_key": get_idempotency_key(request.POST),
            "changed": changed,
            "changed_by_link": action.accepts_many and changed is not None,
            "open_form": False,
        }
    if context["takes_answers"] and card.sees_answers:
        try:
            context |= _answers(request, card, viewer, own, here)
        except pagination.BadCursor:
            return redirect(links.url_with(request, path=here, cursor=None))
    status = 400 if form is not None and form.is_bound else 200
    return action_rows.with_pictures(render(request, "groups/action.html", context, status=status))


def _own_rows(card: Card, viewer: Viewer, own: list[Response], here: str) -> list[dict[str, Any]]:
    """What the viewer has answered; with a link to change it where there may be several."""
    several = card.action.accepts_many
    shown = actions.answered(card, own, viewer) if own else []
    return [
        {
            "at": response.responded_at,
            "lines": views_responses.lines_of(card, one.body),
            "change_url": f"{here}?change={response.pk}#answer" if several else "",
        }
        for response, one in zip(own, shown, strict=True)
    ]


def _answers(request: HttpRequest, card: Card, viewer: Viewer, own: list[Response], here: str) -> dict[str, Any]:
    """The list; on its first page also what it comes to: counting reads every answer."""
    cursor = request.GET.get("cursor")
    page = actions.response_page(card, viewer, cursor=cursor, size=PAGE_SIZE)
    context: dict[str, Any] = {
        "answers": [
            {"person": one.person, "at": one.responded_at, "lines": views_responses.lines_of(card, one.body)}
            for one in page.items
        ],
        **links.pagination_links(request, page, path=here),
    }
    summary = None if cursor else actions.summary(card)
    if summary is not None:
        charts = charts_of(summary.questions, views_responses.own_choices(card, own))
        context |= {
            "summary": summary,
            "rate_done": min(card.action.response_count, summary.asked or 0),
            "charts": [chart for chart in charts if chart.rows],
            "written": [chart for chart in charts if not chart.rows],
            "asks_more": views_responses.is_survey(card),
        }
    return context


# ----------------------------------------------------------------------------------------------------
# The forms by which people post cards from the console: a poll, and an announcement.


EMPTY: Final = gettext_lazy("One of these files is empty. Choose the files again.")
FEWEST_CHOICES, MOST_CHOICES = 2, 10
CLOSES: Final = (
    (1, gettext_lazy("in an hour")),
    (24, gettext_lazy("in a day")),
    (72, gettext_lazy("in 3 days")),
    (168, gettext_lazy("in a week")),
    (720, gettext_lazy("in 30 days")),
)


class CardForm(forms.Form):
    """A card. `kind` is the wire's actionType, `body` the actionBody."""

    kind: str
    files_field = ""  # which of its fields brings files, if one does

    def body(self) -> dict[str, Any]:
        raise NotImplementedError

    def add_error_of(self, error: ConsoleError) -> None:
        """Puts what the service refused beside the field that its path means."""
        path = (error.field or "").removeprefix("actionBody.")
        if path.startswith(("files", "mediaResource")):
            path = self.files_field
        name = next((name for name in self.fields if path and path.startswith(name)), None)
        self.add_error(name, str(error))


class PollForm(CardForm):
    """A question, a line for each choice, and until when. Its field names are none of the other forms'."""

    kind = Action.Kind.POLL
    question = forms.CharField(
        label=gettext_lazy("Question"),
        max_length=Action.MAX_TITLE,
        error_messages={"required": gettext_lazy("Ask something.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    choices = TextField(
        label=gettext_lazy("Choices"),
        max_length=MAX_WORDS,
        help_text=gettext_lazy("Each on a line of its own, from 2 to 10."),
        error_messages={"required": gettext_lazy("Write at least two choices, each on a line of its own.")},
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "dir": "auto"}),
    )
    closes = forms.TypedChoiceField(
        label=gettext_lazy("It closes"),
        choices=CLOSES,
        coerce=int,
        initial=168,
    )
    only_me = forms.BooleanField(label=gettext_lazy("Only I see who answered what"), required=False)

    def clean_choices(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["choices"].split("\n") if line.strip()]
        if len(lines) < FEWEST_CHOICES:
            raise forms.ValidationError(_("Write at least two choices, each on a line of its own."))
        if len(lines) > MOST_CHOICES:
            raise forms.ValidationError(
                _("These are %(count)d choices; a poll has up to %(most)d.")
                % {"count": len(lines), "most": MOST_CHOICES}
            )
        for line in lines:
            if len(line) > Action.MAX_TITLE:
                raise forms.ValidationError(
                    _("“%(start)s…” is too long: a choice has up to %(most)d characters.")
                    % {"start": line[:40], "most": Action.MAX_TITLE}
                )
        for at, line in enumerate(lines):
            if line in lines[:at]:
                raise forms.ValidationError(_("“%(line)s” stands there twice: choices differ.") % {"line": line[:80]})
        return lines

    def body(self) -> dict[str, Any]:
        return {
            "question": self.cleaned_data["question"],
            "choices": [{"title": line} for line in self.cleaned_data["choices"]],
            "expiryInHours": self.cleaned_data["closes"],
            "isSenderOnly": self.cleaned_data["only_me"],
        }


class AnnouncementForm(CardForm):
    """A title and a text, which nobody answers."""

    kind = Action.Kind.ANNOUNCEMENT
    title = forms.CharField(
        label=gettext_lazy("Title"),
        max_length=Action.MAX_TITLE,
        error_messages={"required": gettext_lazy("Give it a title.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    text = TextField(
        label=gettext_lazy("What there is to say"),
        max_length=MAX_WORDS,
        error_messages={"required": gettext_lazy("Write what there is to say.")},
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
    )

    files_field = "pictures"
    pictures = FilesField(
        label=gettext_lazy("Pictures and files"),
        required=False,
        help_text=gettext_lazy("Shown under the text."),
        error_messages={"empty": EMPTY},
    )

    def body(self) -> dict[str, Any]:
        return {"title": self.cleaned_data["title"], "message": self.cleaned_data["text"]}


class FilesForm(CardForm):
    """Files with a caption. `kind` is none of the wire's: what the files are says which cards they become."""

    kind = "Files"
    files_field = "shared"
    shared = FilesField(
        label=gettext_lazy("Files"),
        help_text=gettext_lazy(
            "Pictures (.jpg, .png), sound (.mp3, .wav), film (.mp4, .3gp), Office documents and PDF. Several pictures "
            "make an album; every other file is a post of its own."
        ),
        error_messages={"required": gettext_lazy("Choose a file."), "empty": EMPTY},
    )
    caption = TextField(
        label=gettext_lazy("Caption"),
        required=False,
        max_length=Action.MAX_TITLE,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
    )
