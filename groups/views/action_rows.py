"""What pages say of a card, whatever its kind: its sign, its words, its files, where it is, how it stands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import F
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Person
from groups import action_types
from groups.action_types.base import Card
from groups.action_types.questions import QuestionType
from groups.media import storage
from groups.media.storage import url_of
from groups.models import Action, MediaFile, Message
from groups.queries import reactions
from groups.queries.actions import Viewer, answered_by, assigned_to
from groups.queries.reactions import Counts
from kaizala_console.lib import clock

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
_FILES: Final = (("audio/", "sound"), ("video/", "video"))


@dataclass(frozen=True, slots=True)
class File:
    """A file as a page links to it; `is_picture` when it is shown as well."""

    url: str
    name: str
    size: int
    is_picture: bool
    icon: str


@dataclass(frozen=True, slots=True)
class ActionRow:
    """A card in a few words. `open` is whether it takes answers now, `count` how many there are, in words."""

    action: Action
    sign: str
    kind: str
    title: str
    url: str
    counts: Counts
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


def rows_of(items: Sequence[Message | Card], viewer: Viewer, members: int) -> list[dict[str, Any]]:
    """What the timeline shows: dicts of a `message` or a `card` (ActionRow), with `counts` of reactions.

    `members` is how many people are in the group. Three statements, however many rows.
    """
    shown = [item for item in items if isinstance(item, Card)]
    actions = [card.action for card in shown]
    counts = reactions.counts_of([item.action.pk if isinstance(item, Card) else item.pk for item in items])
    answerable = [action for action in actions if action_types.of(action.kind).takes_answers]
    done = answered_by(answerable, viewer.people) if answerable else set()
    mine = assigned_to(answerable, viewer.people) if answerable else set()
    rows: list[dict[str, Any]] = []
    for item in items:
        if isinstance(item, Card):
            row = row_of(item, counts.get(item.action.pk, Counts()), members, done=done, mine=mine)
            rows.append({"card": row, "from": item.action, "counts": row.counts})
        else:
            rows.append({"message": item, "from": item, "counts": counts.get(item.pk, Counts())})
    return rows


def row_of(card: Card, counts: Counts, members: int, *, done: Collection[UUID], mine: Collection[UUID]) -> ActionRow:
    """One card; `done` are those that the viewer has answered, `mine` the jobs that are theirs."""
    action = card.action
    kind = action_types.of(action.kind)
    files = [file_of(file) for resource in kind.resources(action.body) for file in card.files.get(resource, ())]
    pictures = [file for file in files if file.is_picture]
    closed = kind.takes_answers and action.expires_at is not None and action.expires_at <= clock.now()
    is_open = kind.takes_answers and not closed
    is_answered = action.pk in done
    may = is_open and (action.kind != Kind.JOB or action.pk in mine)
    return ActionRow(
        action=action,
        sign=SIGNS[Kind(action.kind)],
        kind=kind_of(action),
        title=action.title,
        url=reverse("groups:action", args=[action.group_id, action.pk]),
        counts=counts,
        text=str(action.body.get("message") or action.body.get("description") or action.body.get("agenda") or ""),
        pictures=pictures[:THUMBNAILS],
        more_pictures=max(0, len(pictures) - THUMBNAILS),
        files=[file for file in files if not file.is_picture],
        place=place_of(action.body),
        count=count_of(card, members) if kind.takes_answers else "",
        begins=dt.datetime.fromisoformat(card.body["startingTime"]) if action.kind == Kind.LETS_MEET else None,
        is_open=is_open,
        is_closed=closed,
        is_answered=is_answered,
        is_asked=may and not is_answered,
    )


def takes_answers(card: Card) -> bool:
    """Whether its kind can be answered at all."""
    return action_types.of(card.action.kind).takes_answers


def pictures_of(card: Card) -> list[File]:
    """All its pictures, for its own page."""
    resources = action_types.of(card.action.kind).resources(card.body)
    files = [file_of(file) for resource in resources for file in card.files.get(resource, ())]
    return [file for file in files if file.is_picture]


def questions_of(card: Card) -> list[dict[str, Any]]:
    """The questions of a survey: their titles, what is answered to each, and the options."""
    return [
        {
            "title": question["title"],
            "type": type_of(question["type"]),
            "is_invisible": question["isInvisible"],
            "options": [option["title"] for option in question["options"]],
        }
        for question in card.body.get("questions", ())
    ]


def type_of(question_type: str) -> str:
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


def assignees_of(card: Card) -> list[Person]:
    """Whose job it is, by name."""
    if card.action.kind != Kind.JOB:
        return []
    people = card.action.assignees.all().named_in(card.action.group.naming_organisation_id)
    return list(people.order_by(F("name"), "pk"))


def kind_of(action: Action) -> str:
    """The kind in a word, with a capital letter; a package has its own name."""
    word = str(action.get_kind_display())
    return word[:1].upper() + word[1:]


def count_of(card: Card, members: int) -> str:
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


def file_of(file: MediaFile) -> File:
    """A file by an address of this host: the page may be open at another name of it than the configured one."""
    picture = file.content_type.startswith("image/")
    icon = next((icon for start, icon in _FILES if file.content_type.startswith(start)), "file")
    return File(url_of(file).removeprefix(settings.CONSOLE_BASE_URL), file.name, file.size, picture, icon)


def place_of(body: dict[str, Any]) -> str:
    """Where, as people write it down: the name and the degrees. "" for a body without a place."""
    place = body.get("place") or (body if "latitude" in body else {})
    return spelled_place(place.get("latitude"), place.get("longitude"), place.get("name", ""))


def spelled_place(latitude: Any, longitude: Any, name: Any) -> str:
    """A place in words: "Ward 3 (12.97, 77.59)"."""
    if latitude is None or longitude is None:
        return str(name or "")
    degrees = f"{latitude}, {longitude}"
    return f"{name} ({degrees})" if name else degrees


def with_pictures(response: HttpResponse) -> HttpResponse:
    """Lets the page show pictures from the bucket, to which this host redirects when they are kept in one."""
    origin = storage.origin()
    if origin:
        # What django-csp's own decorator leaves for its middleware; the origin is not known where that could be used.
        setattr(response, "_csp_update", {"img-src": [origin]})  # noqa: B010
    return response
