"""Who is in a group: added by phone number, promoted, demoted, removed; never without an admin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.audit.events import EventType
from accounts.audit.record import Actor, event, record, record_all
from accounts.models import AuditEvent, Person, User
from accounts.queries import name_people
from accounts.services import people
from connectors.services import user_tokens
from groups.models import Group, Membership, PersonAttributeValue, Subscription
from groups.queries import directory
from groups.services import hierarchy, webhooks
from kaizala_console.lib import ids, phone_numbers
from kaizala_console.lib.batches import batched
from kaizala_console.lib.errors import NotFound, RuleBroken

Role = Membership.Role
_NO_ADMIN_LEFT: Final = _(
    "The group would be left without an admin: leave one of its admins out, or promote somebody else first."
)


@dataclass(frozen=True, slots=True)
class Failed:
    """A number as it was given, and why it was refused."""

    number: str
    reason: str


@dataclass(frozen=True, slots=True)
class Added:
    """`added` were not in the group before, `present` were; `failed` is refused one by one, never dropped."""

    added: list[Person] = field(default_factory=list)
    present: list[Person] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)


@transaction.atomic
def add(*, group: Group, numbers: Iterable[str], by: Actor, role: Role = Role.MEMBER) -> Added:
    """Adds everybody behind these phone numbers, known here or not, in a fixed number of statements.

    Who is in the group already keeps their role. The same number twice counts once.
    """
    valid, failed = read_numbers(numbers)
    if not valid:
        return Added(failed=failed)
    found = people.people_for(valid, organisation_id=group.naming_organisation_id)
    lock_members(group)  # of two who add the same people at once, the second finds them here
    here = set(Membership.objects.filter(group=group, person__in=found.values()).values_list("person_id", flat=True))
    new = [person for person in found.values() if person.pk not in here]
    Membership.objects.bulk_create(
        [Membership(group=group, person=person, role=role) for person in new], ignore_conflicts=True, batch_size=5000
    )
    if new:
        hierarchy.note_change(group.pk)
        webhooks.publish_members_added(group=group, people=[(person, role) for person in new], by=by)
    record_all(_event(EventType.MEMBER_ADDED, group, person, by, after={"role": role}) for person in new)
    return Added(new, [person for person in found.values() if person.pk in here], failed)


@transaction.atomic
def set_role(*, group: Group, person_id: UUID, role: Role, by: Actor) -> Membership:
    """Promotes or demotes. Raises NotFound for somebody who is not in the group, RuleBroken for the last admin."""
    membership = _lock_one(group, person_id)
    refusal = _("The last admin of a group cannot be demoted: promote somebody else first.")
    _change_roles(group, [membership], role, by, refusal)
    return membership


@transaction.atomic
def remove(*, group: Group, person_id: UUID, by: Actor) -> None:
    """Takes somebody out of the group. Raises as `set_role`."""
    membership = _lock_one(group, person_id)
    refusal = _("The last admin of a group cannot be removed: promote somebody else first.")
    _take_out(group, [membership], by, refusal)


@transaction.atomic
def set_roles(*, group: Group, person_ids: Iterable[UUID], role: Role, by: Actor) -> list[Membership]:
    """As `set_role`, for several at once: all of them or none. Who has the role or has left the group is passed over.

    Gives those whose role it changed. Raises RuleBroken when no admin would be left.
    """
    return _change_roles(group, _lock_several(group, person_ids), role, by, _NO_ADMIN_LEFT)


@transaction.atomic
def remove_several(*, group: Group, person_ids: Iterable[UUID], by: Actor) -> list[Membership]:
    """As `remove`, for several at once: all of them or none. Who has left the group is passed over.

    Gives those whom it took out. Raises RuleBroken when no admin would be left.
    """
    leaving = _lock_several(group, person_ids)
    _take_out(group, leaving, by, _NO_ADMIN_LEFT)
    return leaving


def find_person(group: Group, written: str) -> UUID:
    """Which member a program means, by id or by phone number. Raises NotFound for somebody who is not in the group."""
    members = Membership.objects.filter(group=group)
    key = ids.parse_guid(written)
    if key is None:
        try:
            members = members.filter(person__number=phone_numbers.parse(_with_plus(written)))
        except RuleBroken:
            raise _not_found() from None
    else:
        members = members.filter(person_id=key)
    found = members.values_list("person_id", flat=True).first()
    if found is None:
        raise _not_found()
    return found


def read_numbers(numbers: Iterable[str]) -> tuple[list[str], list[Failed]]:
    """The numbers in E.164, each once and in their order, and those that are none, each with its reason."""
    valid: dict[str, None] = {}
    failed = []
    for number in numbers:
        try:
            valid[phone_numbers.parse(number)] = None
        except RuleBroken as error:
            failed.append(Failed(str(number), str(error)))
    return list(valid), failed


def resolve_numbers(written: Iterable[str], known: QuerySet[Person]) -> tuple[list[str], list[Failed]]:
    """The numbers of people who are named by id or by number, and those who cannot be, each with its reason.

    An id names one of `known` alone: there is one reason for somebody else's and for none.
    """
    written = list(written)
    keys = [ids.parse_guid(each) for each in written]
    found = dict(known.filter(pk__in={key for key in keys if key is not None}).values_list("pk", "number"))
    unknown = str(_("No person with this ID is known here."))
    numbers, failed = [], []
    for text, key in zip(written, keys, strict=True):
        if key is None:
            valid, invalid = read_numbers([text])
            numbers += valid
            failed += invalid
        elif key in found:
            numbers.append(found[key])
        else:
            failed.append(Failed(text, unknown))
    return numbers, failed


def find_named(
    rows: QuerySet[Membership] | QuerySet[Subscription], numbers: Iterable[str]
) -> tuple[list[Person], list[str]]:
    """The people of these rows behind the numbers, each once and in their order; and the numbers of nobody there."""
    valid, failed = read_numbers(numbers)
    there = {row.person.number: row.person for row in rows.filter(person__number__in=valid).select_related("person")}
    found = [there[number] for number in valid if number in there]
    return found, [failure.number for failure in failed] + [number for number in valid if number not in there]


def _lock_one(group: Group, person_id: UUID) -> Membership:
    lock_members(group)  # two removals of admins at once must not both find the other one left
    membership = Membership.objects.select_related("person").filter(group=group, person_id=person_id).first()
    if membership is None:
        raise _not_found()
    name_people(group.naming_organisation_id, [membership.person])
    return membership


def _lock_several(group: Group, person_ids: Iterable[UUID]) -> list[Membership]:
    lock_members(group)
    rows = Membership.objects.select_related("person").filter(group=group, person_id__in=set(person_ids))
    members = list(rows.order_by("joined_at", "id"))
    name_people(group.naming_organisation_id, [one.person for one in members])
    return members


def _not_found() -> NotFound:
    return NotFound(_("There is no such member in this group."))


def _with_plus(written: str) -> str:
    """A `+` in an address was often written as it is, and read as a blank on its way."""
    written = written.strip()
    return f"+{written}" if written.isascii() and written.isdigit() else written


def lock_members(group: Group) -> None:
    """Whoever changes who is in this group waits here until the others' transactions have ended.

    Who does so elsewhere also calls `hierarchy.note`, and tells by `group_events` whom it was about.
    """
    Group.objects.select_for_update(no_key=True).get(pk=group.pk)


def _change_roles(
    group: Group, members: list[Membership], role: Role, by: Actor, refusal: str | Promise
) -> list[Membership]:
    """Gives those who had another role."""
    changing = [one for one in members if one.role != role]
    if not changing:
        return []
    if role != Role.ADMIN:
        _keep_an_admin(group, changing, refusal)
    events = []
    for one in changing:
        before, one.role = one.role, role
        tag = EventType.MEMBER_ROLE_CHANGED
        events.append(_event(tag, group, one.person, by, before={"role": before}, after={"role": role}))
    Membership.objects.filter(pk__in=[one.pk for one in changing]).update(role=role)
    record_all(events)
    return changing


def _take_out(group: Group, leaving: list[Membership], by: Actor, refusal: str | Promise) -> None:
    if not leaving:
        return
    _keep_an_admin(group, leaving, refusal)
    Membership.objects.filter(pk__in=[one.pk for one in leaving]).delete()
    hierarchy.note_change(group.pk)
    webhooks.publish_members_removed(group=group, people=[(one.person, one.role) for one in leaving], by=by)
    record_all(_event(EventType.MEMBER_REMOVED, group, one.person, by, before={"role": one.role}) for one in leaving)


def _keep_an_admin(group: Group, leaving: list[Membership], refusal: str | Promise) -> None:
    admins = [one.pk for one in leaving if one.role == Role.ADMIN]
    if admins and not Membership.objects.admins().filter(group=group).exclude(pk__in=admins).exists():
        raise RuleBroken(refusal, code="last_admin")


def _event(
    tag: EventType,
    group: Group,
    person: Person,
    by: Actor,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> AuditEvent:
    return event(
        tag,
        by=by,
        subject=person,
        **group.audit_scope,
        person_id=person.pk,
        before=before,
        after={**(after or {}), "group": group.name},
    )


# ----------------------------------------------------------------------------------------------------
# Removing somebody from all groups of an organisation, in one transaction: everywhere, or nowhere (ADR 0058).


BATCH: Final = 1000


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
    person = directory.get_own_person(by, person.pk)
    organisation = by.organisation
    theirs = directory.list_memberships(organisation, person)
    subscribed = directory.list_subscriptions(organisation, person)
    # In the order of their keys, and before anything is read: whoever changes who is in one of them waits.
    held = set(
        Group.objects.select_for_update(no_key=True)
        .filter(Q(pk__in=theirs.order_by().values("group_id")) | Q(pk__in=subscribed.order_by().values("group_id")))
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    if directory.list_sole_admin_memberships(organisation, person).exists():
        raise RuleBroken(
            _("Nobody else is an admin of some of these groups: name another admin there first."), code="last_admin"
        )
    leaving = [row for row in theirs if row.group_id in held]
    ending = [row for row in subscribed if row.group_id in held]
    for chunk in batched([row.pk for row in leaving], BATCH):
        Membership.objects.filter(pk__in=chunk).delete()
    for chunk in batched([row.pk for row in ending], BATCH):
        Subscription.objects.filter(pk__in=chunk).delete()
    hierarchy.note_change(*(row.group_id for row in leaving))
    heard = webhooks.list_groups_with_webhooks([row.group_id for row in leaving])
    for row in leaving:
        row.group.organisation = organisation
        if row.group_id in heard:
            webhooks.publish_members_removed(group=row.group, people=[(person, row.role)], by=by)
    record_all(_event(EventType.MEMBER_REMOVED, row.group, person, by, before={"role": row.role}) for row in leaving)
    for subscription in ending:
        record(
            EventType.SUBSCRIBERS_REMOVED,
            by=by,
            subject=subscription.group,
            organisation=organisation,
            group_id=subscription.group_id,
            after={"group": subscription.group.name, "count": 1, "people": [str(person.pk)]},
        )
    PersonAttributeValue.objects.filter(person=person, attribute__organisation=organisation).delete()
    tokens = user_tokens.end_all(person=person, organisation=organisation, by=by)
    record(
        EventType.PERSON_REMOVED,
        by=by,
        subject=person,
        organisation=organisation,
        person_id=person.pk,
        before={"subscriptions": len(ending), "tokens_ended": tokens},
        after={"organisation": organisation.name, "groups": len(leaving)},
    )
    return Removed(len(leaving), len(ending), tokens)
