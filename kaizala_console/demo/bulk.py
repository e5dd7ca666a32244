"""Filling a database with trial data of any size: groups in trees, members, connectors with grants, messages."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db.models import Max

from accounts.models import Person, PersonName, User
from connectors import token_format
from connectors.models import Connector, ConnectorSecret, Grant, RefreshToken
from connectors.permissions import PERMISSIONS
from groups.access import get_target
from groups.models import Group, GroupGrant, GroupLink, Membership, Message
from groups.services import hierarchy
from kaizala_console.demo import organisation as demo
from kaizala_console.demo.rows import Progress, settle, write
from kaizala_console.demo.words import FAMILY, GIVEN, PLACES, SAYINGS, TRADES
from kaizala_console.lib import clock, ids

# Trial people have numbers from here on, so that they are told from others and never collide.
FIRST_NUMBER: Final = 70_000_00000
PREFIX: Final = "+917"
TREE: Final = 1000  # groups in one tree: a root, ten below it, a hundred below those, the rest below those
BRANCHES: Final = 10
TWICE: Final = 20  # one membership in so many is of somebody who is in another group of the trial already


@dataclass(frozen=True, slots=True)
class TrialSizes:
    groups: int = 0
    members: int = 0
    connectors: int = 0
    messages: int = 0


@dataclass(slots=True)
class TrialData:
    """One run, and what was made on the way. The same seed makes the same shape."""

    sizes: TrialSizes
    seed: int = 2023
    group_ids: list[UUID] = field(default_factory=list)
    voices: dict[UUID, UUID] = field(default_factory=dict)  # a group → somebody in it

    def run(self) -> dict[str, int]:
        """Writes everything; returns the number of rows of each kind. The demo organisation is loaded first."""
        demo.load()
        dice = random.Random(self.seed)  # noqa: S311 - shapes, not secrets
        admin = demo.get_user(demo.ORGANISATION_ADMIN)
        written = {
            "groups": self._write_groups(dice, admin),
            "members": self._write_members(dice, admin),
            "connectors": self._write_connectors(dice, admin),
            "messages": self._write_messages(dice),
        }
        settle()
        hierarchy.repair()  # the rows were written around the services, which keep what this makes right
        return written

    # ---------------------------------------------------------------- Groups

    def _write_groups(self, dice: random.Random, admin: User) -> int:
        if not self.sizes.groups:
            return 0
        now = clock.now()
        self.group_ids = [ids.new_id() for _ in range(self.sizes.groups)]
        rows = (
            (key, admin.organisation_id, f"{dice.choice(PLACES)} {dice.choice(TRADES)} {number + 1}")
            for number, key in enumerate(self.group_ids)
        )
        columns = ("id", "organisation", "name")
        written = write(Group, columns, rows, Progress("Groups", self.sizes.groups))
        write(GroupLink, ("parent", "child", "linked_at"), ((*pair, now) for pair in self._links()))
        return written

    def _links(self) -> Iterator[tuple[UUID, UUID]]:
        for number, key in enumerate(self.group_ids):
            root, place = number - number % TREE, number % TREE
            if place:
                yield self.group_ids[root + (place - 1) // BRANCHES], key

    # ---------------------------------------------------------------- Members

    def _write_members(self, dice: random.Random, admin: User) -> int:
        """Every group gets an admin first; a tenth of the rest is in one big group, the others anywhere."""
        if not self.sizes.members:
            return 0
        targets = self._groups_to_fill()
        again = max(self.sizes.members - len(targets), 0) // TWICE if len(targets) > 1 else 0
        people = self._write_people(dice, self.sizes.members - again, admin)
        progress = Progress("Members", self.sizes.members)
        columns = ("group", "person", "role", "joined_at")
        return write(Membership, columns, self._memberships(dice, targets, people, again), progress)

    def _groups_to_fill(self) -> list[UUID]:
        if not self.group_ids:
            self.group_ids = list(Group.objects.present().order_by("-created_at").values_list("pk", flat=True)[:1000])
        return self.group_ids

    def _write_people(self, dice: random.Random, number: int, admin: User) -> list[UUID]:
        last = Person.objects.filter(number__startswith=PREFIX).aggregate(last=Max("number"))["last"]
        first = int(last.removeprefix("+91")) + 1 if last else FIRST_NUMBER
        now = clock.now()
        keys = [ids.new_id() for _ in range(number)]
        rows = ((key, f"+91{first + place}", now if dice.random() < 0.8 else None) for place, key in enumerate(keys))
        columns = ("id", "number", "provisioned_at")
        write(Person, columns, rows, Progress("People", number))
        names = ((admin.organisation_id, key, f"{dice.choice(GIVEN)} {dice.choice(FAMILY)}") for key in keys)
        write(PersonName, ("organisation", "person", "name"), names)
        return keys

    def _memberships(
        self, dice: random.Random, targets: list[UUID], people: list[UUID], again: int
    ) -> Iterator[tuple[Any, ...]]:
        began = clock.now() - dt.timedelta(days=365)
        for place, person in enumerate(people):
            is_first = place < len(targets)
            group = targets[place] if is_first else targets[0] if place % 10 == 0 else dice.choice(targets)
            if is_first:
                self.voices[group] = person
            yield group, person, "Admin" if is_first else "Member", began + dt.timedelta(seconds=place)
        # The same people once more, elsewhere: the admin of one group is a member of the next one.
        for place in range(again):
            step = 1 + place // len(targets)
            group = targets[(place + step) % len(targets)]
            if step < len(targets):
                yield group, people[place % len(targets)], "Member", began + dt.timedelta(seconds=place)

    # ---------------------------------------------------------------- Connectors

    def _write_connectors(self, dice: random.Random, admin: User) -> int:
        """Each with a secret that nobody knows and a grant in one of the groups, as it stands after a handoff."""
        if not self.sizes.connectors:
            return 0
        developer, now = demo.get_user(demo.DEVELOPER), clock.now()
        person = Person.objects.get(number=demo.ORGANISATION_ADMIN.number)
        groups = Group.objects.in_bulk(self._groups_to_fill()[: self.sizes.connectors])
        first = Connector.objects.filter(owner=developer).count() + 1
        made = [(ids.new_id(), ids.new_id(), dice.choice(list(groups.values()))) for _ in range(self.sizes.connectors)]
        rows = (
            (key, admin.organisation_id, developer.pk, f"Trial connector {first + place}", PERMISSIONS)
            for place, (key, _grant, _group) in enumerate(made)
        )
        columns = ("id", "organisation", "owner", "name", "permissions")
        written = write(Connector, columns, rows, Progress("Connectors", self.sizes.connectors))
        write(
            ConnectorSecret,
            ("connector", "slot", "public_part", "pepper_id", "digest", "created_at", "created_by"),
            (
                (key, 1, *_unknown(token_format.CredentialKind.SECRET), now, developer.pk)
                for key, _grant, _group in made
            ),
        )
        write(
            Grant,
            ("id", "connector", "kind", "target", "target_name", "person", "granted_by", "permissions", "granted_at"),
            (
                (grant, key, "group", get_target(group), group.name, person.pk, admin.pk, PERMISSIONS, now)
                for key, grant, group in made
            ),
        )
        write(GroupGrant, ("grant", "group"), ((grant, group.pk) for _key, grant, group in made))
        write(
            RefreshToken,
            ("grant", "connector", "public_part", "pepper_id", "digest", "issued_at", "expires_at"),
            (
                (grant, key, *_unknown(token_format.CredentialKind.REFRESH), now, now + dt.timedelta(days=365))
                for key, grant, _group in made
            ),
        )
        return written

    # ---------------------------------------------------------------- Messages

    def _write_messages(self, dice: random.Random) -> int:
        """Spread over a year, each by somebody who is in the group."""
        if not self.sizes.messages:
            return 0
        voices = list(self._voices().items())
        began, step = clock.now() - dt.timedelta(days=365), dt.timedelta(days=365) / self.sizes.messages

        def rows() -> Iterator[tuple[Any, ...]]:
            for place in range(self.sizes.messages):
                group, person = dice.choice(voices)
                yield ids.new_id(), group, person, dice.choice(SAYINGS), "members", began + place * step

        columns = ("id", "group", "person", "text", "audience", "sent_at")
        return write(Message, columns, rows(), Progress("Messages", self.sizes.messages))

    def _voices(self) -> dict[UUID, UUID]:
        if not self.voices:
            admins = Membership.objects.admins().filter(group__in=self._groups_to_fill()[:1000])
            self.voices = dict(admins.values_list("group_id", "person_id"))
        return self.voices


def _unknown(kind: token_format.CredentialKind) -> tuple[str, str, str]:
    """What is stored of a credential that is thrown away."""
    made = token_format.generate(kind)
    return made.public_part, made.pepper_id, made.digest
