"""Cards and the answers to them, as one viewer may see them: for the wire and for pages alike.

Who sees what is decided here, and nowhere else. What went to subscribers is for admins and for those it was sent to.
Of a card that is for its sender alone, nobody else learns what was answered, admins included, but for their own answer.
An answer to an anonymous card is shown without who gave it, when, and under which id; a random id orders them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation, Person, User
from accounts.queries import name_people
from groups import access, action_types
from groups.action_types.base import QuestionTally, ViewedAction
from groups.models import Action, ArchivedMessage, Group, MediaFile, Membership, Message, Response
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.pagination import Page, paginate, paginate_together
from kaizala_console.lib.text_search import cleaned

Audience = Message.Audience
NEWEST_FIRST: Final = ("-sent_at", "-id")
_CHUNK: Final = 1000
_SECOND: Final = dt.timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a group: the people (phone numbers) that they are, and whether they are an admin there."""

    people: frozenset[UUID]
    is_admin: bool
    organisation_id: UUID | None = None  # whose names of people they see

    @classmethod
    def of(cls, group: Group, people: Iterable[UUID]) -> Viewer:
        """For a group that `access` has given, with the role that it found."""
        return cls(frozenset(people), group.role == access.Role.ADMIN, group.naming_organisation_id)


@dataclass(frozen=True, slots=True)
class ViewedResponse:
    """An answer as a viewer sees it; what they may not know is None. `body` is in the wire's spellings."""

    id: UUID | None
    person: Person | None
    responded_at: dt.datetime | None
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Summary:
    """What was answered to a card. `asked` is how many people it was sent to, as far as that is known now."""

    people: int
    responses: int
    asked: int | None
    questions: Sequence[QuestionTally] = field(default_factory=tuple)


# ---------------------------------------------------------------- Which cards


def list_visible(group: Group, viewer: Viewer) -> QuerySet[Action]:
    """The group's cards that this viewer may see."""
    return _for_viewer(Action.objects.filter(group=group), Action.recipients.through, "action_id", viewer)


def list_visible_messages(group: Group, viewer: Viewer) -> QuerySet[Message]:
    """The group's messages that this viewer may see."""
    return _for_viewer(Message.objects.filter(group=group), Message.recipients.through, "message_id", viewer)


def list_visible_anywhere(user: User) -> QuerySet[Action]:
    """The cards of all groups that this person sees: in each, those that `list_visible` gives."""
    seen, administered = (
        _among(access.list_visible_groups(user), user),
        _among(access.list_administered_groups(user), user),
    )
    # In a group of members alone a mere member sees every card; who administers sees also what went to subscribers.
    to_me = Action.recipients.through.objects.filter(
        action_id=OuterRef("pk"), person_id__in=access.list_held_people(user)
    )
    return Action.objects.filter(Q(audience=Audience.MEMBERS) | Exists(to_me) | administered, seen)


def _among(groups: QuerySet[Group], user: User) -> Q | Exists:
    """Whether a card's group is among these. SQLite would look up all groups first: so it is asked of each card for who
    administers the organisation, and sees nearly all of a hundred thousand.
    """
    if user.is_organisation_admin and connection.vendor == "sqlite":
        return Exists(groups.order_by().filter(pk=OuterRef("group_id")))
    return Q(group__in=groups.order_by().values("pk"))


def search_recent(user: User, text: str, *, size: int, among: int) -> list[Action]:
    """The `size` newest cards with `text` in the title, of the last `among` that this person sees. One statement.

    No index serves a part of a text on every database: so the newest are looked through, and no more, and that costs
    the same however many there are.
    """
    newest = list_visible_anywhere(user).order_by(*NEWEST_FIRST).values("pk")[:among]
    found = Action.objects.filter(pk__in=newest, title__icontains=text).select_related("group", "person", "bot")
    return list(found.order_by(*NEWEST_FIRST)[:size])


def _for_viewer(rows: QuerySet[Any], recipients: Any, column: str, viewer: Viewer) -> QuerySet[Any]:
    if viewer.is_admin:
        return rows
    to_me = recipients.objects.filter(person_id__in=viewer.people, **{column: OuterRef("pk")})
    return rows.filter(Q(audience=Audience.MEMBERS) | Exists(to_me))


def list_actions(
    group: Group,
    viewer: Viewer,
    *,
    kind: str | None = None,
    package_id: str = "",
    since: dt.datetime | None = None,
    count: int = 30,
) -> tuple[list[ViewedAction], bool]:
    """Up to `count` cards in the order in which they were sent, and whether there are more.

    From `since` on, those that follow; without it, the last ones. A page within one second is that second whole, and
    may be longer. Two statements, however many cards there are.
    """
    actions = list_visible(group, viewer).select_related("person", "bot")
    if kind is not None:
        actions = actions.filter(kind=kind)
    if package_id:
        actions = actions.filter(package_id=package_id)
    if since is None:
        rows = list(actions.order_by(*NEWEST_FIRST)[: count + 1])
        return view_actions(rows[:count][::-1], viewer), len(rows) > count
    following = actions.filter(sent_at__gte=since).order_by("sent_at", "id")
    rows = list(following[: count + 1])
    second = rows[0].sent_at.replace(microsecond=0) + _SECOND if len(rows) > count else None
    if second is not None and rows[count - 1].sent_at < second:
        # Programs go on from a time in whole seconds: a page within the second that they go on from, they would get for
        # ever. So that second comes whole, and with the first card after it.
        within = list(following.filter(sent_at__lt=second))
        rows = [*within, *following.filter(sent_at__gte=second)[:2]]
        count = len(within) + (since >= second - _SECOND)
    return view_actions(rows[:count], viewer), len(rows) > count


def get_action(group: Group, action_id: str | UUID, viewer: Viewer) -> ViewedAction:
    """One of the group's cards. Raises NotFound, the same for one that is not for this viewer and for none."""
    key = ids.parse_guid(action_id)
    actions = list_visible(group, viewer).select_related("person", "bot", "connector")
    action = None if key is None else actions.filter(pk=key).first()
    if action is None:
        raise NotFound(_("There is no such action in this group."))
    action.group = group
    name_people(viewer.organisation_id, [action.person])
    return view_actions([action], viewer)[0]


def view_actions(actions: Sequence[Action], viewer: Viewer) -> list[ViewedAction]:
    """These rows as the viewer sees them, with the files that they name: one statement more for all of them."""
    files = get_files(
        resource for action in actions for resource in action_types.get_type(action.kind).resources(action.body)
    )
    return [ViewedAction(action, files, can_see_answers(action, viewer.people)) for action in actions]


def get_files(resources: Iterable[str]) -> dict[str, list[MediaFile]]:
    """The files of mediaResources by the ids that bodies hold; no statement when there are none."""
    wanted = {key for key in map(ids.parse_guid, resources) if key is not None}
    found: dict[str, list[MediaFile]] = {}
    if wanted:
        for file in MediaFile.objects.filter(resource_id__in=wanted).order_by("resource_id", "position"):
            found.setdefault(str(file.resource_id), []).append(file)
    return found


def can_see_answers(action: Action, people: Collection[UUID]) -> bool:
    """Whether somebody who is these people sees what others answered."""
    return not action.is_sender_only or action.person_id in people


def timeline(
    group: Group, viewer: Viewer, *, cursor: str | None = None, size: int = 50
) -> Page[Message | ViewedAction]:
    """Messages and cards together, the newest first, both ways by key: four statements. Raises `BadCursor`."""
    page = paginate_together(
        [
            list_visible_messages(group, viewer).select_related("person", "connector", "bot"),
            list_visible(group, viewer).select_related("person", "connector", "bot"),
        ],
        NEWEST_FIRST,
        cursor,
        size,
    )
    shown = {
        card.action.pk: card for card in view_actions([row for row in page.items if isinstance(row, Action)], viewer)
    }
    name_people(viewer.organisation_id, [row.person for row in page.items])
    items = [shown[row.pk] if isinstance(row, Action) else row for row in page.items]
    return Page(items, page.next_cursor, page.previous_cursor)


# ---------------------------------------------------------------- What was answered


def list_visible_responses(card: ViewedAction, viewer: Viewer) -> QuerySet[Response]:
    """The answers that the viewer may see: all, or their own alone."""
    responses = Response.objects.filter(action_id=card.action.pk).select_related("person")
    if card.sees_answers:
        return responses
    own = [key for person_id in viewer.people for key in card.action.responder_keys(person_id)]
    return responses.filter(responder__in=own)


def iterate_responses(card: ViewedAction, viewer: Viewer) -> Iterator[ViewedResponse]:
    """All of them, read a thousand at a time and never held at once: by id, which is the order of time if named."""
    rows: list[Response] = []
    for row in list_visible_responses(card, viewer).order_by("id").iterator(chunk_size=_CHUNK):
        rows.append(row)
        if len(rows) == _CHUNK:
            yield from view_responses(card, rows, viewer)
            rows = []
    yield from view_responses(card, rows, viewer)


def response_page(
    card: ViewedAction, viewer: Viewer, *, cursor: str | None = None, size: int = 50
) -> Page[ViewedResponse]:
    """A page of them, the newest first if they are named. Raises `BadCursor`."""
    page = paginate(list_visible_responses(card, viewer), ("-id",), cursor, size)
    return Page(view_responses(card, page.items, viewer), page.next_cursor, page.previous_cursor)


def list_own_responses(card: ViewedAction, people: Collection[UUID]) -> list[Response]:
    """What these people have answered themselves, the first one first."""
    keys = [key for person_id in people for key in card.action.responder_keys(person_id)]
    return list(Response.objects.filter(action_id=card.action.pk, responder__in=keys).order_by("-is_first", "id"))


def get_answered_ids(actions: Collection[Action], people: Collection[UUID]) -> set[UUID]:
    """Which of these cards somebody who is these people has answered; one statement, however many cards."""
    keys = [key for action in actions for person_id in people for key in action.responder_keys(person_id)]
    rows = Response.objects.filter(action_id__in=[action.pk for action in actions], responder__in=set(keys))
    return set(rows.order_by().values_list("action_id", flat=True))


def get_assigned_ids(actions: Collection[Action], people: Collection[UUID]) -> set[UUID]:
    """Which of these cards are jobs of somebody who is these people; one statement, however many cards."""
    rows = Action.assignees.through.objects.filter(action_id__in=[action.pk for action in actions])
    return set(rows.filter(person_id__in=people).order_by().values_list("action_id", flat=True))


def view_responses(card: ViewedAction, rows: Sequence[Response], viewer: Viewer) -> list[ViewedResponse]:
    """These answers without what nobody may know of them; one statement when they may hold media."""
    kind = action_types.get_type(card.action.kind)
    files = get_files(resource for row in rows for resource in kind.resources_of_answer(card.body, row.body))
    here = ViewedAction(card.action, {**card.files, **files}, card.sees_answers)
    if card.action.is_anonymous:
        return [ViewedResponse(None, None, None, kind.answer_body(here, row.body)) for row in rows]
    name_people(viewer.organisation_id, [row.person for row in rows])
    return [ViewedResponse(row.pk, row.person, row.responded_at, kind.answer_body(here, row.body)) for row in rows]


def summarise(card: ViewedAction) -> Summary | None:
    """What was answered, counted; None when it is not for this viewer, or the card takes no answers.

    It reads the bodies of all answers, a thousand at a time: 100,000 of them take a second or two.
    """
    action, kind = card.action, action_types.get_type(card.action.kind)
    if not card.sees_answers or not kind.takes_answers:
        return None
    tally = kind.tally(action.body)
    responses = 0
    for body in Response.objects.filter(action_id=action.pk).order_by().values_list("body", flat=True).iterator(_CHUNK):
        tally.add(body)
        responses += 1
    return Summary(action.response_count, responses, _count_asked(action), tally.questions())


def _count_asked(action: Action) -> int | None:
    """How many people were asked: the assignees of a job, else who is in the group now; None for subscribers."""
    if action.kind == Action.Kind.JOB:
        return action.assignee_count
    if action.audience != Audience.MEMBERS:
        return None
    return Membership.objects.filter(group_id=action.group_id).count()


def archive_page(
    organisation: Organisation,
    *,
    group: str = "",
    sender: str = "",
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    cursor: str | None = None,
    size: int = 50,
) -> Page[ArchivedMessage]:
    """Returns the archived messages of an organisation, the newest first, in which these words stand.

    Raises BadCursor.
    """
    found = ArchivedMessage.objects.filter(organisation=organisation)
    if since is not None:
        found = found.filter(sent_at__gte=since)
    if until is not None:
        found = found.filter(sent_at__lt=until)
    if words := cleaned(group):
        found = found.filter(group_name__icontains=words)
    if words := cleaned(sender):
        found = found.filter(sender__icontains=words)
    return paginate(found, ("-sent_at", "-id"), cursor, size)
