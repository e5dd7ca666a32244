"""What is kept of a group's place in the tree: whether it stands below another one."""

from __future__ import annotations

import io
import random
from contextlib import suppress
from functools import partial

import pytest
from django.core.management import call_command

from accounts.audit.record import SYSTEM
from accounts.models import Organisation, User
from accounts.tests.factories import make_organisation, make_user
from groups.models import Group, GroupLink
from groups.models.group import is_below_another
from groups.queries import hierarchy as tree_queries
from groups.services import groups as group_service
from groups.services import hierarchy, members, policies
from groups.tests.bulk import done, uploaded_mapping
from groups.tests.factories import make_group, person_of
from groups.tests.threads import together
from kaizala_console.lib.errors import NotFound, RuleBroken

pytestmark = pytest.mark.django_db


def below() -> set[str]:
    return set(Group.objects.filter(stands_below=True).values_list("name", flat=True))


def are_right() -> bool:
    wrong = Group.objects.filter(stands_below=True).exclude(is_below_another())
    return not (wrong | Group.objects.filter(is_below_another(), stands_below=False)).exists()


def tops(user: User) -> list[str]:
    return [group.name for group in tree_queries.top_page(user).items]


@pytest.fixture
def family(organisation: Organisation, group_admin: User) -> dict[str, Group]:
    return {name: make_group(name, organisation=organisation, admins=[group_admin]) for name in ("A", "B", "C", "D")}


def test_a_group_stands_below_as_long_as_one_is_above_it(family: dict[str, Group]) -> None:
    a, b, c, d = family.values()
    hierarchy.link(parent=a, child=c, by=SYSTEM)
    hierarchy.attach(parent=b, children=[c, d], by=SYSTEM)
    assert below() == {"C", "D"}
    hierarchy.unlink(parent=a, child=c, by=SYSTEM)
    assert below() == {"C", "D"}
    hierarchy.unlink(parent=b, child=c, by=SYSTEM)
    assert below() == {"D"}


def test_what_is_under_a_removed_group_stands_below_no_more(family: dict[str, Group], group_admin: User) -> None:
    a, b, c, d = family.values()
    hierarchy.attach(parent=a, children=[b, c], by=SYSTEM)
    hierarchy.attach(parent=b, children=[c, d], by=SYSTEM)
    policies.remove(group=b, by=group_admin)
    assert below() == {"C"}


def test_a_new_sub_group_stands_below(family: dict[str, Group], organisation: Organisation, group_admin: User) -> None:
    admin = person_of(group_admin)
    group_service.create(name="E", organisation=organisation, admin=admin, by=group_admin, parent=family["A"])
    assert below() == {"E"}


def test_a_file_of_parents_keeps_it_right(
    family: dict[str, Group], organisation: Organisation, organisation_admin: User
) -> None:
    a, b, _c, d = family.values()
    hierarchy.attach(parent=a, children=[b, d], by=SYSTEM)
    header = "Group ID,Group name,Parent group ID,Parent group name,Action\n"
    text = f"{header},C,,A,add\n,C,,B,add\n,D,,A,remove\n,B,,A,remove\n,B,,D,add\n"
    done(uploaded_mapping(organisation, organisation_admin, text))
    assert below() == {"B", "C"}
    assert are_right()


def test_private_groups_stand_below_private_ones(db: None) -> None:
    hierarchy.link(parent=make_group("Cricket"), child=make_group("Umpires"), by=SYSTEM)
    assert below() == {"Umpires"}


def test_whatever_is_linked_and_taken_away_it_stays_right(family: dict[str, Group], group_admin: User) -> None:
    dice = random.Random(11)  # noqa: S311 (a shape, not a secret)
    groups = [*family.values(), *(make_group(f"G{n}", organisation=family["A"].organisation) for n in range(4))]
    for _step in range(60):
        parent, child = dice.sample(groups, 2)
        act = dice.choice((hierarchy.link, hierarchy.link, hierarchy.unlink))
        with suppress(RuleBroken, NotFound):
            act(parent=parent, child=child, by=SYSTEM)
        assert are_right()
    policies.remove(group=family["A"], by=group_admin)
    assert are_right()


def test_the_command_repairs_what_was_linked_around_the_console(family: dict[str, Group]) -> None:
    a, b, c, _d = family.values()
    hierarchy.link(parent=a, child=b, by=SYSTEM)
    GroupLink.objects.all().delete()
    GroupLink.objects.create(parent=b, child=c)
    said = io.StringIO()
    call_command("recount_groups", stdout=said)
    assert "Repaired where 2 groups stand in the tree." in said.getvalue()
    assert below() == {"C"}
    assert hierarchy.repair() == 0


# The top of the tree, which goes by it --------------------------------------------------------------------------------


def test_an_admin_of_the_organisation_finds_at_the_top_what_was_taken_from_under_a_group(
    family: dict[str, Group], organisation_admin: User
) -> None:
    a, b, c, d = family.values()
    hierarchy.attach(parent=a, children=[b, c, d], by=SYSTEM)
    assert tops(organisation_admin) == ["A"]
    hierarchy.unlink(parent=a, child=c, by=SYSTEM)
    assert tops(organisation_admin) == ["A", "C"]


@pytest.mark.parametrize("is_private", [True, False])
def test_of_groups_elsewhere_an_admin_of_the_organisation_sees_the_highest_they_are_in(
    is_private: bool, family: dict[str, Group], organisation_admin: User
) -> None:
    """These stand below groups of which the admin is told nothing."""
    elsewhere = None if is_private else make_organisation("Fabrikam")
    hidden, seen, lower = (
        make_group(name, organisation=elsewhere, members=[organisation_admin] if name != "Hidden" else [])
        for name in ("Hidden", "Seen", "Seen too")
    )
    hierarchy.link(parent=hidden, child=seen, by=SYSTEM)
    hierarchy.link(parent=seen, child=lower, by=SYSTEM)
    assert tops(organisation_admin) == ["A", "B", "C", "D", "Seen"]


def test_who_is_in_very_many_groups_elsewhere_sees_all_of_them(
    organisation_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = make_group("Hidden")
    for number in range(4):
        seen = make_group(f"Seen {number}", members=[organisation_admin])
        hierarchy.link(parent=hidden, child=seen, by=SYSTEM)
    few = tops(organisation_admin)
    monkeypatch.setattr(tree_queries, "FEW", 2)
    assert tops(organisation_admin) == few == [f"Seen {number}" for number in range(4)]


# At the same moment ---------------------------------------------------------------------------------------------------


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_taken_from_under_both_parents_at_once_it_stands_below_none(transactional_db: None) -> None:
    organisation = make_organisation("Contoso")
    for _attempt in range(5):
        a, b, c = (make_group(name, organisation=organisation) for name in "ABC")
        for parent in (a, b):
            hierarchy.link(parent=parent, child=c, by=SYSTEM)
        made = together(*(partial(hierarchy.unlink, parent=parent, child=c, by=SYSTEM) for parent in (a, b)))
        assert made == [None, None]
        assert below() == set()
        Group.objects.all().delete()


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_linked_and_taken_away_at_once_it_is_right(transactional_db: None) -> None:
    organisation = make_organisation("Contoso")
    for _attempt in range(5):
        a, b, c = (make_group(name, organisation=organisation) for name in "ABC")
        hierarchy.link(parent=a, child=c, by=SYSTEM)
        made = together(
            partial(hierarchy.unlink, parent=a, child=c, by=SYSTEM),
            partial(hierarchy.link, parent=b, child=c, by=SYSTEM),
            hierarchy.repair,
        )
        assert not [each for each in made if isinstance(each, Exception)], made
        assert below() == {"C"}
        Group.objects.all().delete()


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_groups_and_people_may_be_removed_at_the_same_moment(transactional_db: None) -> None:
    """Both hold several groups: whoever took them in another order would wait for the other for ever."""
    organisation = make_organisation("Contoso")
    boss, leaver = make_user("Farah Khan", organisation, is_organisation_admin=True), make_user("Imran", organisation)
    for _attempt in range(5):
        lower = [make_group(f"G{n}", organisation=organisation, admins=[boss], members=[leaver]) for n in range(6)]
        parent = make_group("Top", organisation=organisation, admins=[boss], members=[leaver])
        other = make_group("Other", organisation=organisation, admins=[boss])
        hierarchy.attach(parent=parent, children=lower[::-1], by=SYSTEM)
        made = together(
            partial(policies.remove, group=parent, by=boss),
            partial(members.remove_everywhere, person=person_of(leaver), by=boss),
            partial(hierarchy.attach, parent=other, children=lower[::-1], by=SYSTEM),
        )
        assert not [each for each in made if isinstance(each, Exception)], made
        assert below() == {group.name for group in lower}
        Group.objects.all().delete()
