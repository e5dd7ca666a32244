"""Liking and commenting on messages and actions."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import Person, User
from connectors.authentication import AccessContext
from connectors.models import Bot, Connector
from groups.models import Group, Reaction
from groups.queries import reactions
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import Conflict, NotAllowed
from kaizala_console.lib.texts import check_text

Type = Reaction.Type


@transaction.atomic
def react(
    *,
    group: Group,
    reference_id: UUID | None,
    kind: str,
    comment: str,
    by: AccessContext | User,
    person: Person | None = None,
    reaction_id: UUID | None = None,
) -> Reaction:
    """A like of `person` (of a token: its person or bot), the same one when it is there already; or one more comment.

    `group`, which `access` has given, is where the message or action stands. Raises NotFound when no such one is seen
    there by this person, RuleBroken for a comment that says nothing or too much. A like has no comment. Asked again for
    the same `reaction_id`, it gives the comment that it made then; Conflict when that is another person's, or stands
    elsewhere.
    The row itself tells who reacted, when and through which connector: it is no matter for the audit trail.
    """
    reactor = _Reactor.of(by, person)
    seen = reactions.require_seen(group, reference_id, reactor.person)
    if kind == Type.LIKE:
        comment = ""
        there = _find_like(seen, reactor)
        if there is not None:
            return there
    else:
        check_text(comment, "comment", longest=Reaction.MAX_COMMENT, required=_("A comment needs some text."))
    # One after the other in a group: so two likes are one, and each reaction has a moment of its own, in the order in
    # which they are committed. Else a reader who has read until now would never see what commits later.
    Group.objects.select_for_update(no_key=True).get(pk=group.pk)
    there = _find_like(seen, reactor) if kind == Type.LIKE else _find_made(reaction_id, seen, reactor)
    if there is not None:
        return there
    at = _next_moment(group)
    return Reaction.objects.create(
        pk=reaction_id or ids.new_id(),
        group=group,
        reference_id=seen,
        reaction_type=kind,
        comment=comment,
        person=reactor.person,
        connector=reactor.connector,
        bot=reactor.bot,
        created_at=at,
        modified_at=at,
    )


@dataclass(frozen=True, slots=True)
class _Reactor:
    person: Person
    connector: Connector | None = None
    bot: Bot | None = None

    @classmethod
    def of(cls, by: AccessContext | User, person: Person | None) -> _Reactor:
        if isinstance(by, AccessContext):
            return cls(by.person, by.connector, by.bot)
        if person is None:
            raise NotAllowed(_("Verify a phone number first: likes and comments are given by a number."))
        return cls(person)


def _find_made(reaction_id: UUID | None, reference_id: UUID, by: _Reactor) -> Reaction | None:
    made = None if reaction_id is None else Reaction.objects.filter(pk=reaction_id).first()
    if made is not None and (made.reference_id, made.person_id) != (reference_id, by.person.pk):
        raise Conflict(_("This form was used for another comment. Reload the page, and send it again."))
    return made


def _find_like(reference_id: UUID, by: _Reactor) -> Reaction | None:
    likes = Reaction.objects.filter(reference_id=reference_id, reaction_type=Type.LIKE, bot=by.bot)
    if by.bot is None:
        likes = likes.filter(person=by.person)
    return likes.first()


def _next_moment(group: Group) -> dt.datetime:
    last = Reaction.objects.filter(group=group).order_by("-modified_at").values_list("modified_at", flat=True).first()
    now = clock.now()
    return now if last is None else max(now, last + dt.timedelta(microseconds=1))
