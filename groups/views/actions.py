"""A card of a group: what it says, what was answered, one's own answer, and the answers as a file."""

from __future__ import annotations

from typing import Any
from uuid import UUID

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
from groups import access
from groups.action_types.base import Card
from groups.models import Action, Group, Message, Response
from groups.queries import actions, groups, reactions
from groups.queries.actions import Viewer
from groups.services import responses
from groups.views import action_responses, action_rows, links, once
from groups.views.action_charts import charts_of
from groups.views.reactions import panel_of
from groups.views.response_forms import AnswerForm, SurveyAnswerForm, form_for
from kaizala_console.lib import clock, ids, keyset
from kaizala_console.lib.errors import NotAllowed, NotFound, RuleBroken
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
            once=once.id_for(user, f"answer to {card.action.pk}", request.POST) if card.action.accepts_many else None,
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
    rows = action_responses.rows_of(card, actions.responses_of(card, viewer))
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
        "own": _own_rows(card, own, here),
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
            "idempotency_key": once.form_key_of(request.POST),
            "changed": changed,
            "changed_by_link": action.accepts_many and changed is not None,
            "open_form": False,
        }
    if context["takes_answers"] and card.sees_answers:
        try:
            context |= _answers(request, card, viewer, own, here)
        except keyset.BadCursor:
            return redirect(links.url_with(request, path=here, cursor=None))
    status = 400 if form is not None and form.is_bound else 200
    return action_rows.with_pictures(render(request, "groups/action.html", context, status=status))


def _own_rows(card: Card, own: list[Response], here: str) -> list[dict[str, Any]]:
    """What the viewer has answered; with a link to change it where there may be several."""
    several = card.action.accepts_many
    shown = actions.answered(card, own) if own else []
    return [
        {
            "at": response.responded_at,
            "lines": action_responses.lines_of(card, one.body),
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
            {"person": one.person, "at": one.responded_at, "lines": action_responses.lines_of(card, one.body)}
            for one in page.items
        ],
        **links.pagination_links(request, page, path=here),
    }
    summary = None if cursor else actions.summary(card)
    if summary is not None:
        charts = charts_of(summary.questions, action_responses.own_choices(card, own))
        context |= {
            "summary": summary,
            "rate_done": min(card.action.response_count, summary.asked or 0),
            "charts": [chart for chart in charts if chart.rows],
            "written": [chart for chart in charts if not chart.rows],
            "asks_more": action_responses.is_survey(card),
        }
    return context
