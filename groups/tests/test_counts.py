"""The counts down a hierarchy, and those kept beside groups: always what counting by hand gives (ADR 0050)."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.db.models import Q
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.audit.record import SYSTEM
from accounts.models import Organisation, Person, User
from accounts.services import people
from accounts.tests.factories import make_organisation, make_person
from groups import tasks
from groups.models import Group, GroupChange, GroupCount, GroupLink, Membership
from groups.queries import groups as queries
from groups.queries import hierarchy as queries_hierarchy
from groups.queries.hierarchy import Tally, is_out_of_date, tally_groups, tally_ids
from groups.services import groups, hierarchy, members
from groups.tests.factories import make_group, person_of
from groups.tests.threads import together
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotFound, RuleBroken

pytestmark = pytest.mark.postgresql


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


@given(
    links=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=16),
    people_in=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 4)), max_size=20, unique=True),
    few=st.sampled_from([queries_hierarchy.FEW, 0]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_counts_are_those_of_the_definition(
    db: None, monkeypatch: pytest.MonkeyPatch, links: list[Any], people_in: list[Any], few: int
) -> None:
    monkeypatch.setattr(queries_hierarchy, "FEW", few)
    with transaction.atomic():
        forest = [make_group(f"Group {number}") for number in range(8)]
        known = [make_person() for _number in range(5)]
        Person.objects.filter(pk__in=[known[0].pk, known[1].pk]).update(provisioned_at=clock.now())
        for place, who in people_in:
            Membership.objects.create(group=forest[place], person=known[who])
        for upper, lower in {tuple(sorted(link)) for link in links if link[0] != link[1]}:
            GroupLink.objects.create(parent=forest[upper], child=forest[lower])
        result = tally_groups(Group.objects.all())
        assert {group.name: result[group.pk] for group in forest} == by_hand()
        transaction.set_rollback(True)


GROUPS = 5
NUMBERS = [f"+9199300000{n:02}" for n in range(4)]


def read() -> dict[str, Tally]:
    """As `GET /v1/groups` does."""
    return {group.name: tally for group, tally in queries.list_with_tallies(Group.objects.all())}


def out_of_date() -> set[str]:
    groups = Group.objects.annotate(is_wrong=is_out_of_date())
    return {group.name for group in groups.filter(Q(is_wrong=True) | Q(kept_count=None))}


def acts(all_groups: list[Group]) -> dict[str, Callable[[int, int, int], Any]]:
    """What changes counts, each of two groups and a number."""

    def create(a: int, _b: int, n: int) -> None:
        made = groups.create(
            name=f"Made {len(all_groups)}",
            organisation=all_groups[0].organisation,
            admin=people.person_for(NUMBERS[n]),
            parent=all_groups[a],
            by=SYSTEM,
        )
        all_groups.append(made.group)

    return {
        "add": lambda a, _b, n: members.add(group=all_groups[a], numbers=[NUMBERS[n]], by=SYSTEM),
        "remove": lambda a, _b, n: members.remove(
            group=all_groups[a], person_id=people.person_for(NUMBERS[n]).pk, by=SYSTEM
        ),
        "come": lambda _a, _b, n: people.provision(person=people.person_for(NUMBERS[n])),
        "link": lambda a, b, _n: hierarchy.link(parent=all_groups[a], child=all_groups[b], by=SYSTEM),
        "unlink": lambda a, b, _n: hierarchy.unlink(parent=all_groups[a], child=all_groups[b], by=SYSTEM),
        "create": create,
        "recount": lambda _a, _b, _n: hierarchy.recount(),
    }


STEP = st.tuples(
    st.sampled_from(["add", "remove", "come", "link", "link", "unlink", "create", "recount"]),
    st.integers(0, GROUPS - 1),
    st.integers(0, GROUPS - 1),
    st.integers(0, len(NUMBERS) - 1),
)


@given(steps=st.lists(STEP, max_size=14))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_what_is_read_is_what_counting_by_hand_gives(db: None, steps: list[Any]) -> None:
    with transaction.atomic():
        organisation = make_organisation("Contoso")
        all_groups = [make_group(f"Group {number}", organisation=organisation) for number in range(GROUPS)]
        hierarchy.recount()
        can = acts(all_groups)
        for name, a, b, n in steps:
            with suppress(RuleBroken, NotFound):  # a circle, a member who is none
                can[name](a, b, n)
            assert read() == by_hand()
        hierarchy.recount()
        assert not GroupChange.objects.exists()
        assert out_of_date() == set()
        assert read() == by_hand()
        transaction.set_rollback(True)


@pytest.fixture
def family(group: Group, organisation: Organisation) -> dict[str, Group]:
    """Night Shift over Below, and Beside; all of them counted."""
    below = make_group("Below", organisation=organisation, under=group)
    beside = make_group("Beside", organisation=organisation)
    hierarchy.recount()
    return {"Night Shift": group, "Below": below, "Beside": beside}


def test_what_is_kept_is_read_in_one_statement(family: dict[str, Group], django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert len(read()) == 3


def test_a_change_makes_the_group_and_those_above_it_be_counted_afresh(family: dict[str, Group]) -> None:
    members.add(group=family["Below"], numbers=NUMBERS[:1], by=SYSTEM)
    assert out_of_date() == {"Below", "Night Shift"}
    assert read()["Night Shift"] == Tally(3, 1, 4, 2, 4)
    tasks.recount()
    assert out_of_date() == set()
    assert GroupCount.objects.get(group=family["Night Shift"]).total == 4


def test_tabs_and_lists_take_what_is_kept_and_show_at_once_what_has_changed(
    family: dict[str, Group], organisation_admin: User
) -> None:
    group = family["Night Shift"]
    GroupCount.objects.filter(group=group).update(level=1)  # wrong, to see that it is read

    def shown() -> list[int]:
        listed = {one.name: one.member_count for one in queries.group_page(organisation_admin).items}
        return [queries.get_counts(group).members, listed["Night Shift"]]

    assert shown() == [1, 1]
    members.add(group=family["Below"], numbers=NUMBERS[:1], by=SYSTEM)
    assert shown() == [1, 1], "what stands under it is another matter"
    members.add(group=group, numbers=NUMBERS[:1], by=SYSTEM)
    assert shown() == [4, 4]
    hierarchy.recount()
    assert shown() == [4, 4]
    GroupCount.objects.filter(group=group).delete()
    assert shown() == [4, 4]


def test_nothing_is_noted_when_nothing_has_changed(family: dict[str, Group], member: User) -> None:
    group = family["Night Shift"]
    members.add(group=group, numbers=[person_of(member).number], by=SYSTEM)
    members.set_role(group=group, person_id=person_of(member).pk, role=members.Role.ADMIN, by=SYSTEM)
    hierarchy.link(parent=group, child=family["Below"], by=SYSTEM)
    people.provision(person=person_of(member))
    with pytest.raises(NotFound):
        hierarchy.unlink(parent=group, child=family["Beside"], by=SYSTEM)
    assert not GroupChange.objects.exists()


def test_more_notes_than_are_taken_at_once_are_all_answered(
    family: dict[str, Group], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hierarchy, "AT_ONCE", 2)
    for number in NUMBERS:
        members.add(group=family["Beside"], numbers=[number], by=SYSTEM)
    GroupCount.objects.filter(group=family["Below"]).delete()
    hierarchy.recount()
    assert out_of_date() == set()
    assert read()["Beside"].total == len(NUMBERS)


def test_a_removed_group_counts_for_nobody(family: dict[str, Group]) -> None:
    members.add(group=family["Below"], numbers=NUMBERS[:2], by=SYSTEM)
    Group.objects.filter(pk=family["Below"].pk).update(removed_at=family["Below"].created_at)
    hierarchy.recount()
    assert tally_ids([family["Below"].pk]) == {family["Below"].pk: Tally()}
    assert read()["Night Shift"].total == 3


def test_the_command_repairs_what_was_written_around_the_console(family: dict[str, Group]) -> None:
    said = io.StringIO()
    call_command("recount_groups", stdout=said)
    assert "All counts were right" in said.getvalue()
    Membership.objects.create(group=family["Below"], person=make_person("Imran Sheikh"))
    assert read() != by_hand()
    call_command("recount_groups", stdout=said)
    assert "Repaired the counts of 2 groups" in said.getvalue()
    assert read() == by_hand()


def test_whoever_was_overtaken_keeps_nothing(family: dict[str, Group], monkeypatch: pytest.MonkeyPatch) -> None:
    members.add(group=family["Below"], numbers=NUMBERS[:1], by=SYSTEM)
    counted = tally_ids

    def slowly(keys: Any) -> dict[Any, Tally]:
        result = counted(keys)
        monkeypatch.setattr(hierarchy, "tally_ids", counted)
        members.add(group=family["Below"], numbers=NUMBERS[1:2], by=SYSTEM)
        hierarchy.recount()  # somebody else, who was faster and knows more
        return result

    monkeypatch.setattr(hierarchy, "tally_ids", slowly)
    assert hierarchy.recount() == 0
    assert read() == by_hand()
    assert out_of_date() == set()


@pytest.mark.django_db(transaction=True)
def test_members_who_come_while_others_count_are_counted() -> None:
    organisation = make_organisation("Contoso")
    root = make_group("Root", organisation=organisation)
    leaves = [make_group(f"Leaf {number}", organisation=organisation, under=root) for number in range(3)]
    hierarchy.recount()

    def come_and_go(leaf: Group, first: int) -> None:
        for number in range(first, first + 8):
            members.add(group=leaf, numbers=[f"+9199300{number % 12:05}"], by=SYSTEM)

    def count() -> None:
        for _time in range(6):
            hierarchy.recount()

    together(*(partial(come_and_go, leaf, 4 * place) for place, leaf in enumerate(leaves)), count, count)
    assert read() == by_hand()
    hierarchy.recount()
    assert out_of_date() == set()
    assert read() == by_hand()
