"""What was liked and commented on, as the Platform Service and pages read it (wire protocol §6, Reactions; ADR 0056).

A cursor is a point in time, in microseconds since 1970: programs hold it as a number, and 0 is the beginning.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Count, Max, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Person
from accounts.queries import name_people
from groups.models import Action, Group, Message, Reaction
from groups.queries.actions import Viewer, list_visible, list_visible_messages
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.pagination import BadCursor, Page, paginate

PAGE_SIZE: Final = 50
LIKERS_NAMED: Final = 5
_EPOCH: Final = clock.from_epoch_ms(0)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_LONGEST_CURSOR: Final = 18
Type = Reaction.Type


@dataclass(frozen=True, slots=True)
class ReactionCounts:
    """How often something was liked and commented on."""

    like: int = 0
    comment: int = 0


@dataclass(frozen=True, slots=True)
class ReactionRow:
    """One reaction. `user_id` is the person's id, or the bot's when a bot reacted."""

    reaction_id: UUID
    user_id: UUID
    modified_at: dt.datetime
    comment: str


def require_seen(group: Group, reference_id: UUID | None, person: Person) -> UUID:
    """The id, when it is that of a message or an action of this group that the person may see in their role there.

    `group` is one that `access` has given. Raises NotFound, the same whether or not there is such a one.
    """
    if reference_id is not None:
        viewer = Viewer.of(group, [person.pk])
        if list_visible_messages(group, viewer).filter(pk=reference_id).exists():
            return reference_id
        if list_visible(group, viewer).filter(pk=reference_id).exists():
            return reference_id
    raise NotFound(_("referenceId: there is no such message or action in this group."))


def get_counts(reference_ids: Iterable[UUID]) -> dict[UUID, ReactionCounts]:
    """The counts of each; what nobody has reacted to is missing. One statement, however many."""
    rows = (
        Reaction.objects.filter(reference_id__in=list(reference_ids))
        .order_by()
        .values("reference_id")
        .annotate(likes=Count("pk", filter=Q(reaction_type=Type.LIKE)))
        .annotate(comments=Count("pk", filter=Q(reaction_type=Type.COMMENT)))
    )
    return {row["reference_id"]: ReactionCounts(row["likes"], row["comments"]) for row in rows}


def summary_page(group: Group, person: Person, cursor: str) -> tuple[list[tuple[UUID, ReactionCounts]], int]:
    """What was reacted to since the cursor, whatever changed longest ago first, with its counts as they are now.

    And the cursor to go on from, 0 when there is nothing. Raises BadCursor.
    """
    reactions = Reaction.objects.filter(group=group, modified_at__gt=_moment(cursor))
    viewer = Viewer.of(group, [person.pk])
    if not viewer.is_admin:
        messages, actions = list_visible_messages(group, viewer).values("pk"), list_visible(group, viewer).values("pk")
        reactions = reactions.filter(Q(reference_id__in=messages) | Q(reference_id__in=actions))
    changed = reactions.order_by().values("reference_id").annotate(at=Max("modified_at")).order_by("at")[:PAGE_SIZE]
    rows = [(row["reference_id"], row["at"]) for row in changed]
    counts = get_counts(reference_id for reference_id, _at in rows)
    page = [(reference_id, counts.get(reference_id, ReactionCounts())) for reference_id, _at in rows]
    return page, _cursor(rows[-1][1]) if rows else 0


def detail_page(reference_id: UUID, kind: str | None, cursor: str) -> tuple[list[ReactionRow], int]:
    """The reactions to one message or action since the cursor, the oldest first, of all kinds without `kind`.

    And the cursor to go on from, 0 when there is nothing. Raises BadCursor.
    """
    reactions = Reaction.objects.filter(reference_id=reference_id, modified_at__gt=_moment(cursor))
    if kind is not None:
        reactions = reactions.filter(reaction_type=kind)
    rows = reactions.order_by("modified_at").values_list("pk", "person_id", "bot_id", "modified_at", "comment")
    page = [
        ReactionRow(pk, bot_id or person_id, at, comment) for pk, person_id, bot_id, at, comment in rows[:PAGE_SIZE]
    ]
    return page, _cursor(page[-1].modified_at) if page else 0


@dataclass(frozen=True, slots=True)
class Likes:
    """Who liked something: the first few by name, and whether one of the people who ask is among all of them."""

    named: list[Reaction]
    is_own: bool


def get_likes(reference_id: UUID, people: Collection[UUID]) -> Likes:
    """Two statements, however many likes there are."""
    likes = Reaction.objects.filter(reference_id=reference_id, reaction_type=Type.LIKE)
    named = likes.select_related("person", "bot").order_by("modified_at")[:LIKERS_NAMED]
    return Likes(list(named), likes.filter(person__in=people, bot__isnull=True).exists())


def comment_page(reference_id: UUID, *, cursor: str | None = None, size: int = PAGE_SIZE) -> Page[Reaction]:
    """The comments on something, the newest first, with who wrote them. One statement. Raises `BadCursor`."""
    comments = Reaction.objects.filter(reference_id=reference_id, reaction_type=Type.COMMENT)
    return paginate(comments.select_related("person", "connector", "bot"), ("-modified_at", "-id"), cursor, size)


def get_message_or_action(group: Group, reference_id: UUID, viewer: Viewer) -> Message | Action:
    """What stands in the group under this id, when the viewer may see it. Raises NotFound."""
    for rows in (list_visible_messages(group, viewer), list_visible(group, viewer)):
        found = rows.select_related("person", "connector", "bot").filter(pk=reference_id).first()
        if found is not None:
            found.group = group
            name_people(viewer.organisation_id, [found.person])
            return found
    raise NotFound(_("There is no such message or action in this group."))


# Pieces ---------------------------------------------------------------------------------------------------------------


def _moment(cursor: str) -> dt.datetime:
    text = cursor.strip()
    if not text:
        return _EPOCH
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_CURSOR):
        raise BadCursor
    try:
        return _EPOCH + int(text) * _MICROSECOND
    except OverflowError:
        raise BadCursor from None


def _cursor(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
