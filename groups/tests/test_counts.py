"""The counts down a hierarchy, checked against counting by hand, in few statements."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import pytest

from accounts.audit.record import SYSTEM
from accounts.models import Organisation, Person
from accounts.tests.factories import make_person
from groups.models import Group, GroupLink, Membership
from groups.queries import hierarchy as queries_hierarchy
from groups.queries.hierarchy import Tally, tally_groups, tally_ids
from groups.services import hierarchy
from groups.tests.factories import make_group
from kaizala_console.lib import clock
from kaizala_console.lib.errors import RuleBroken

pytestmark = pytest.mark.postgresql


def counted() -> dict[str, Tally]:
    result = tally_groups(Group.objects.all())
    return {group.name: result[group.pk] for group in Group.objects.all()}


def by_hand() -> dict[str, Tally]:
    """The same from the definition, group by group."""
    children: dict[Any, set[Any]] = {}
    for parent, child in GroupLink.objects.values_list("parent_id", "child_id"):
        children.setdefault(parent, set()).add(child)
    members = list(Membership.objects.values_list("group_id", "person_id", "person__provisioned_at"))

    def below(group: Any) -> set[Any]:
        return {group}.union(*(below(child) for child in children.get(group, ())))

    result = {}
    for group in Group.objects.all():
        here = [row for row in members if row[0] == group.pk]
        down = [row for row in members if row[0] in below(group.pk)]
        result[group.name] = Tally(
            level=len(here),
            level_unprovisioned=sum(row[2] is None for row in here),
            total=len(down),
            total_unprovisioned=sum(row[2] is None for row in down),
            unique=len({row[1] for row in down}),
        )
    return result


@pytest.fixture
def forest(organisation: Organisation) -> None:
    """Thirty groups linked at random, with people who are in several of them."""
    dice = random.Random(2023)  # noqa: S311 (a shape, not a secret)
    groups = [make_group(f"Group {number}", organisation=organisation) for number in range(30)]
    people: list[Person] = [
        make_person(f"Person {number}", provisioned_at=clock.now() if number % 3 else None) for number in range(40)
    ]
    for _ in range(45):
        with suppress(RuleBroken):  # those that would close a circle
            hierarchy.link(parent=dice.choice(groups), child=dice.choice(groups), by=SYSTEM)
    for group in groups:
        for person in dice.sample(people, dice.randint(0, 12)):
            Membership.objects.create(group=group, person=person)


def test_the_counts_are_those_of_the_definition(forest: None) -> None:
    assert counted() == by_hand()
    assert any(tally.unique < tally.total for tally in counted().values())


def test_they_are_the_same_when_there_are_too_many_lines_to_hand_back(
    forest: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries_hierarchy, "FEW", 0)
    assert counted() == by_hand()


def test_they_take_three_statements_for_any_number_of_groups(forest: None, django_assert_num_queries: Any) -> None:
    for number in (1, 30):
        with django_assert_num_queries(3):
            assert len(tally_groups(Group.objects.order_by("name").filter(name__lte=f"Group {number}"))) > 0


def test_no_group_takes_one_statement_and_gives_nothing(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert tally_groups(Group.objects.all()) == {}
    with django_assert_num_queries(0):
        assert tally_ids([]) == {}


def test_a_group_nobody_is_in_counts_nobody(organisation: Organisation) -> None:
    make_group("Empty", organisation=organisation)
    assert counted() == {"Empty": Tally()}


def test_somebody_in_a_group_and_in_its_sub_group_is_one_person_and_two_users(group: Group, newcomer: Person) -> None:
    make_group("Below", organisation=group.organisation, members=[newcomer], under=group)
    assert counted()["Night Shift"] == Tally(3, 1, 4, 2, 3)
    assert counted()["Below"] == Tally(1, 1, 1, 1, 1)
