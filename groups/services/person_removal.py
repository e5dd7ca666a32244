"""Removing somebody from all groups of an organisation, in one transaction: everywhere, or nowhere (ADR 0058)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.audit.record import record
from accounts.audit.tags import Tag
from accounts.models import Person, User
from connectors.models import Webhook
from connectors.services import user_token_ends
from groups.models import Group, Membership, PersonAttributeValue, Subscription
from groups.queries import directory
from groups.services import group_events, recounting
from kaizala_console.lib.errors import RuleBroken

BATCH: Final = 1000
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Removed:
    """How many of each ended."""

    groups: int
    subscriptions: int
    tokens: int


@transaction.atomic
def remove_everywhere(*, person: Person, by: User) -> Removed:
    """Takes one of the organisation's people out of all its groups and subscriptions, ends the user tokens that act
    for them, and forgets what was noted of them. Private groups and other organisations' stay.

    Raises NotAllowed for who is no admin of the organisation, NotFound for who is none of its people, and RuleBroken
    (code `last_admin`) while a group would be left without an admin: then nothing has happened.
    """
    person = directory.own_person(by, person.pk)
    organisation = by.organisation
    theirs = directory.memberships_in(organisation, person)
    subscribed = directory.subscriptions_in(organisation, person)
    # In the order of their keys, and before anything is read: whoever changes who is in one of them waits.
    held = set(
        Group.objects.select_for_update(no_key=True)
        .filter(Q(pk__in=theirs.order_by().values("group_id")) | Q(pk__in=subscribed.order_by().values("group_id")))
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    if directory.run_alone(organisation, person).exists():
        raise RuleBroken(
            _("Nobody else is an admin of some of these groups: name another admin there first."), code="last_admin"
        )
    leaving = [row for row in theirs if row.group_id in held]
    ending = [row for row in subscribed if row.group_id in held]
    for chunk in _chunks([row.pk for row in leaving]):
        Membership.objects.filter(pk__in=chunk).delete()
    for chunk in _chunks([row.pk for row in ending]):
        Subscription.objects.filter(pk__in=chunk).delete()
    recounting.note(*(row.group_id for row in leaving))
    heard = _heard([row.group_id for row in leaving])
    for row in leaving:
        row.group.organisation = organisation
        if row.group_id in heard:
            group_events.members_removed(group=row.group, people=[(person, row.role)], by=by)
        record(
            Tag.MEMBER_REMOVED,
            by=by,
            subject=person,
            organisation=organisation,
            group_id=row.group_id,
            person_id=person.pk,
            before={"role": row.role},
            after={"group": row.group.name},
        )
    for subscription in ending:
        record(
            Tag.SUBSCRIBERS_REMOVED,
            by=by,
            subject=subscription.group,
            organisation=organisation,
            group_id=subscription.group_id,
            after={"group": subscription.group.name, "count": 1, "people": [str(person.pk)]},
        )
    PersonAttributeValue.objects.filter(person=person, attribute__organisation=organisation).delete()
    tokens = user_token_ends.end_all(person=person, organisation=organisation, by=by)
    record(
        Tag.PERSON_REMOVED,
        by=by,
        subject=person,
        organisation=organisation,
        person_id=person.pk,
        before={"subscriptions": len(ending), "tokens_ended": tokens},
        after={"organisation": organisation.name, "groups": len(leaving)},
    )
    return Removed(len(leaving), len(ending), tokens)


def _heard(group_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the groups that a webhook is on: one question a thousand, not one for each."""
    found: set[UUID] = set()
    for chunk in _chunks(group_ids):
        named = {str(key): key for key in chunk}
        on = Webhook.objects.present().filter(object_id__in=named).values_list("object_id", flat=True)
        found.update(named[key] for key in on)
    return found


def _chunks(keys: Sequence[Key]) -> Iterator[list[Key]]:
    for start in range(0, len(keys), BATCH):
        yield list(keys[start : start + BATCH])
