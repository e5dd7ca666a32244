"""Bulk upload of a group's users: lines that add, change and remove people by phone number.

Sent again, the same file changes nothing. A line that takes an admin away waits until all others are done, so that the
order of the lines never matters; the last admin stays whatever the file says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast
from uuid import UUID

from accounts.audit.events import EventType
from accounts.models import Person, User
from accounts.queries import name_people
from accounts.services import people
from groups import access
from groups.bulk_files import LineRefused, Reason, Row, UserLine, user_line
from groups.models import BulkJob, BulkLine, Group, Membership, Subscription
from groups.services import hierarchy, subscribers, webhooks
from groups.services.bulk import base
from groups.services.bulk.base import Outcome, read_lines
from groups.services.members import lock_members

Role = Membership.Role


class Checker(base.Checker):
    def __init__(self, job: BulkJob) -> None:
        super().__init__(job)
        self._is_public = cast(Group, job.group).group_type == Group.Type.CONNECT

    def problems(self, rows: list[Row]) -> Iterator[tuple[Row, Reason]]:
        """Lines that name no number, or one that stands further up, or cells that say nothing known."""
        lines, bad = read_lines(rows, lambda row: user_line(row.cells, self.job.region))
        yield from bad
        for row, line in lines:
            if line.is_subscriber and not self._is_public:
                yield row, Reason("no_subscribers")
            # Somebody may be a member, and a subscriber too.
            elif repeat := self.find_repeat(row, (line.number, line.is_subscriber), "number_again"):
                yield row, repeat
            else:
                self.removing += line.removes


class Runner(base.Runner):
    def __init__(self, job: BulkJob) -> None:
        super().__init__(job)
        self._group = cast(Group, job.group)  # bulk_job_has_its_place

    def require_right(self) -> None:
        """Whoever uploaded the file is an admin of the group still."""
        by = User.objects.get(pk=self.job.by_id)
        if not by.is_active or access.get_role(by, self._group) != Role.ADMIN:
            raise LineRefused("no_group_admin")
        self._by, self._group.asked_from = by, by.organisation_id

    def do(self, rows: list[Row]) -> Outcome:
        read = [(row, user_line(row.cells, self.job.region)) for row in rows]
        lines = [(row, line) for row, line in read if not line.is_subscriber]
        lock_members(self._group)
        followed, left = self._subscribers([line for _row, line in read if line.is_subscriber])
        staying = [(row, line) for row, line in lines if not line.removes]
        leaving = [(row, line) for row, line in lines if line.removes]
        outcome = Outcome(EventType.MEMBERS_UPLOADED)
        added, changed = self._stay(staying, outcome)
        removed = self._leave(leaving, outcome)
        self._note(added, [(person, Role.MEMBER) for person in removed])
        touched = len(added) + len(removed) + changed + len(outcome.later) + followed + left
        outcome.counts = (
            *outcome.counts,
            ("added", len(added) + followed),
            ("updated", changed),
            ("removed", len(removed) + left),
            ("unchanged", max(0, len(rows) - touched)),
        )
        return outcome

    def do_later(self, lines: list[BulkLine]) -> Outcome:
        """Takes away admins, one by one, as long as another one stays."""
        lock_members(self._group)
        outcome = Outcome(EventType.MEMBERS_UPLOADED)
        admins = set(Membership.objects.admins().filter(group=self._group).values_list("person_id", flat=True))
        demoted, removed, unchanged = list[Person](), list[Person](), 0
        name_people(self._group.naming_organisation_id, [line.person for line in lines])
        for line in lines:
            person = line.person
            if person is None or person.pk not in admins:
                unchanged += 1
            elif len(admins) == 1:
                outcome.refused.append((Row(line.line, line.text), Reason("last_admin")))
            else:
                admins.discard(person.pk)
                (demoted if line.wants else removed).append(person)
        here = Membership.objects.filter(group=self._group)
        here.filter(person__in=demoted).update(role=Role.MEMBER)
        here.filter(person__in=removed).delete()
        self._note([], [(person, Role.ADMIN) for person in removed])
        outcome.counts = (("updated", len(demoted)), ("removed", len(removed)), ("unchanged", unchanged))
        outcome.effects = _effects(
            roles={person.pk: [Role.ADMIN, Role.MEMBER] for person in demoted},
            removed={person.pk: Role.ADMIN for person in removed},
        )
        return outcome

    def _subscribers(self, lines: list[UserLine]) -> tuple[int, int]:
        """How many came to follow the group, and how many do no longer. Names are taken for people who have none."""
        names = {line.number: line.name for line in lines if line.name and not line.removes}
        numbers = [line.number for line in lines if not line.removes]
        leaving = [line.number for line in lines if line.removes]
        people.people_for(numbers, organisation_id=self._group.naming_organisation_id, names=names)
        here = Subscription.objects.filter(group=self._group)
        followed = len(numbers) - here.filter(person__number__in=numbers).count()
        left = here.filter(person__number__in=leaving).count()
        if numbers:
            subscribers.add(group=self._group, numbers=numbers, by=self._by)
        if leaving:
            subscribers.remove(group=self._group, numbers=leaving, by=self._by)
        return followed, left

    def _stay(self, lines: list[tuple[Row, UserLine]], outcome: Outcome) -> tuple[list[tuple[Person, str]], int]:
        """Adds who is new, promotes, names; who is added, and how many others were changed."""
        names = {line.number: line.name for _row, line in lines if line.name}
        found = people.people_for(
            [line.number for _row, line in lines], organisation_id=self._group.naming_organisation_id
        )
        here = self._roles(found.values())
        roles = {found[line.number].pk: line.role for _row, line in lines}
        new = [person for person in found.values() if person.pk not in here]
        Membership.objects.bulk_create(
            [Membership(group=self._group, person=person, role=roles[person.pk] or Role.MEMBER) for person in new],
            ignore_conflicts=True,
        )
        promoted = [pk for pk, role in here.items() if roles[pk] == Role.ADMIN and role != Role.ADMIN]
        Membership.objects.filter(group=self._group, person__in=promoted).update(role=Role.ADMIN)
        demoted = {pk for pk, role in here.items() if roles[pk] == Role.MEMBER and role == Role.ADMIN}
        outcome.later += [
            (row, found[line.number].pk, Role.MEMBER.value) for row, line in lines if found[line.number].pk in demoted
        ]
        renamed = {key: told for key, told in self._rename(found, names, outcome).items() if key in here}
        outcome.effects |= _effects(
            added={person.pk: roles[person.pk] or Role.MEMBER for person in new},
            roles={pk: [Role.MEMBER, Role.ADMIN] for pk in promoted},
            renamed=renamed,
        )
        changed = ({*promoted, *renamed} - demoted) & set(here)
        return [(person, roles[person.pk] or Role.MEMBER) for person in new], len(changed)

    def _rename(self, found: dict[str, Person], names: dict[str, str], outcome: Outcome) -> dict[UUID, list[str]]:
        """Fills empty names. Other names are changed by admins of the organisation alone."""
        wanted = {found[number]: name for number, name in names.items() if found[number].name != name}
        organisation = self._group.organisation_id
        may_change = self._by.is_organisation_admin and self._by.organisation_id == organisation
        kept = set() if may_change else {person for person in wanted if person.name}
        outcome.counts += (("names_kept", len(kept)),)
        taken = {person: name for person, name in wanted.items() if person not in kept}
        renamed = {person.pk: [person.name, name] for person, name in taken.items()}
        key = self._group.naming_organisation_id
        if taken and key is not None:
            people.rename_many(taken, organisation_id=key)
        return renamed

    def _leave(self, lines: list[tuple[Row, UserLine]], outcome: Outcome) -> list[Person]:
        """Removes members; an admin's line waits. Who is not in the group is left alone."""
        numbers = [line.number for _row, line in lines]
        found = {person.number: person for person in Person.objects.filter(number__in=numbers)} if numbers else {}
        name_people(self._group.naming_organisation_id, found.values())
        here = self._roles(found.values())
        removed = [person for person in found.values() if here.get(person.pk) == Role.MEMBER]
        for row, line in lines:
            person = found.get(line.number)
            if person is not None and here.get(person.pk) == Role.ADMIN:
                outcome.later.append((row, person.pk, ""))
        Membership.objects.filter(group=self._group, person__in=removed).delete()
        outcome.effects |= _effects(removed={person.pk: Role.MEMBER for person in removed})
        return removed

    def _roles(self, among: Iterable[Person]) -> dict[UUID, str]:
        memberships = Membership.objects.filter(group=self._group, person__in=[person.pk for person in among])
        return dict(memberships.values_list("person_id", "role"))

    def _note(self, added: list[tuple[Person, str]], removed: list[tuple[Person, str]]) -> None:
        """The group's counts, and the webhooks on it: no event is built when nobody listens."""
        if added or removed:
            hierarchy.note_change(self._group.pk)
        webhooks.publish_members_added(group=self._group, people=added, by=self._by)
        webhooks.publish_members_removed(group=self._group, people=removed, by=self._by)


def _effects(**of: Mapping[UUID, Any]) -> dict[str, dict[str, Any]]:
    """For the audit trail: ids of people, and what they were and are."""
    return {name: {str(pk): what for pk, what in rows.items()} for name, rows in of.items() if rows}
