"""Who follows a managed public group: added and removed by phone number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit.events import EventType
from accounts.audit.record import Actor, record
from accounts.models import Person
from accounts.services import people
from groups.models import Group, Subscription
from groups.services.members import Added, lock_members, read_numbers
from kaizala_console.lib import phone_numbers
from kaizala_console.lib.errors import RuleBroken

BATCH: Final = 1000


@transaction.atomic
def add(*, group: Group, numbers: Iterable[str], by: Actor) -> Added:
    """Makes everybody behind these numbers a subscriber. Who is one already stays one.

    Raises RuleBroken (code "plain_group") for a group that has no subscribers.
    """
    require_public(group)
    valid, failed = read_numbers(numbers)
    found = people.people_for(valid, organisation_id=group.naming_organisation_id)
    lock_members(group)  # of two who add the same people at once, the second finds them here
    here = _filter_subscribed(group, found)
    new = [person for person in found.values() if person not in here]
    Subscription.objects.bulk_create([Subscription(group=group, person=person) for person in new], batch_size=BATCH)
    _record_event(EventType.SUBSCRIBERS_ADDED, group, new, by)
    return Added(new, [person for person in found.values() if person in here], failed)


@transaction.atomic
def remove(*, group: Group, numbers: Iterable[str], by: Actor) -> dict[str, str]:
    """Takes these people off the subscribers. Returns each number as it was given, with why it failed (""): who was
    none is told so. Raises as `add`.
    """
    require_public(group)
    read, told = _read(numbers)
    lock_members(group)
    here = {person.number: person for person in _filter_subscribed(group, _find_people(read.values()))}
    for written, number in read.items():
        if number not in here:
            told[written] = _("This number is no subscriber of the group.")
    Subscription.objects.filter(group=group, person__in=here.values()).delete()
    _record_event(EventType.SUBSCRIBERS_REMOVED, group, list(here.values()), by)
    return told


def require_public(group: Group) -> None:
    """Raises RuleBroken for a plain group, which has no subscribers."""
    if group.group_type != Group.Type.CONNECT:
        raise RuleBroken(_("Only a managed public group (ConnectGroup) has subscribers."), code="plain_group")


def _read(numbers: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The numbers that can be one, as they were given, in E.164; and all of them, with why they cannot."""
    read, told = {}, {}
    for written in numbers:
        told[written] = ""
        try:
            read[written] = phone_numbers.parse(written)
        except RuleBroken as error:
            told[written] = str(error)
    return read, told


def _find_people(numbers: Iterable[str]) -> dict[str, Person]:
    return {person.number: person for person in Person.objects.filter(number__in=set(numbers))}


def _filter_subscribed(group: Group, found: Mapping[str, Person]) -> set[Person]:
    """Those of these people who are subscribers."""
    subscribed = Subscription.objects.filter(group=group, person__in=found.values())
    keys = set(subscribed.values_list("person_id", flat=True))
    return {person for person in found.values() if person.pk in keys}


def _record_event(tag: EventType, group: Group, whom: list[Person], by: Actor) -> None:
    """One line for all of them: a group may have hundreds of thousands."""
    if whom:
        record(
            tag,
            by=by,
            subject=group,
            after={"group": group.name, "count": len(whom), "people": [str(person.pk) for person in whom]},
        )
