"""The tree of groups: what stands where, who is told of it, and what a level costs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.audit.record import SYSTEM
from accounts.models import Organisation, User
from accounts.tests.factories import make_organisation
from connectors.tests.html_forms import text_of
from groups.models import Group, GroupLink
from groups.queries import hierarchy
from groups.services import hierarchy as service
from groups.tests.factories import make_group
from kaizala_console.lib import ids

pytestmark = pytest.mark.django_db

LIST = "/console/groups/"
TREE = f"{LIST}?view=tree"
Browser = Callable[..., Client]


def under(group: Group) -> str:
    return f"{TREE}&under={group.pk}"


def named_on(page: Any) -> list[str]:
    return re.findall(r'<a class="tree-name[^"]*" href="[^"]+"><bdi>([^<]+)</bdi>', page.content.decode())


def unfolding_on(page: Any) -> list[str]:
    return re.findall(r"data-unfolds.*?Sub-groups of ([^<]+)</span>", page.content.decode())


def crumbs_on(page: Any) -> list[str]:
    said = page.content.decode().split('class="crumbs"')[1].split("</nav>")[0]
    return re.findall(r'<(?:a href="[^"]*"|span aria-current="page")>([^<]+)<', said)


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


@pytest.fixture
def boss(organisation_admin: User, browser_of: Browser) -> Client:
    return browser_of(organisation_admin)


@pytest.fixture
def gate(group: Group, organisation: Organisation, group_admin: User) -> Group:
    return make_group("Gate", organisation=organisation, admins=[group_admin], under=group)


# What stands where ----------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_the_top_has_the_groups_that_stand_under_no_other(client: Client, gate: Group, group_admin: User) -> None:
    make_group("Alone", admins=[group_admin])
    make_group("Lamp", members=[group_admin], under=gate)
    page = client.get(TREE)
    assert named_on(page) == ["Alone", "Night Shift"]
    assert unfolding_on(page) == ["Night Shift"]
    assert "1 sub-group" in text_of(page)
    assert "Group, private" in text_of(page)


@pytest.mark.postgresql
def test_a_branch_has_the_level_below_with_roles_and_the_way_up(client: Client, gate: Group, group_admin: User) -> None:
    lamp = make_group("Lamp", members=[group_admin], under=gate, group_type=Group.Type.CONNECT)
    page = client.get(under(gate))
    assert named_on(page) == ["Lamp"]
    assert unfolding_on(page) == []
    assert "Member Managed public group, private 1 user" in " ".join(text_of(page).split())
    assert crumbs_on(client.get(under(lamp))) == ["Groups", "Tree", "Night Shift", "Gate", "Lamp"]


def test_a_group_under_two_stands_under_both(client: Client, group: Group, gate: Group, group_admin: User) -> None:
    second = make_group("Another", admins=[group_admin])
    GroupLink.objects.create(parent=second, child=gate)
    assert named_on(client.get(TREE)) == ["Another", "Night Shift"]
    assert named_on(client.get(under(group))) == named_on(client.get(under(second))) == ["Gate"]
    assert crumbs_on(client.get(under(gate))) == ["Groups", "Tree", "Another", "Gate"]


@pytest.mark.postgresql
def test_thirty_levels_are_unfolded_one_by_one(client: Client, group: Group, group_admin: User) -> None:
    line = [group]
    for number in range(2, 31):
        line.append(make_group(f"Level {number}", admins=[group_admin], under=line[-1]))
    for above, below in itertools.pairwise(line):
        assert named_on(client.get(under(above))) == [below.name]
    assert len(crumbs_on(client.get(under(line[-1])))) == 32


@pytest.mark.postgresql
def test_a_circle_ends(client: Client, group: Group, gate: Group, group_admin: User) -> None:
    """No service makes one."""
    top = make_group("Top", admins=[group_admin])
    GroupLink.objects.bulk_create([GroupLink(parent=top, child=group), GroupLink(parent=gate, child=group)])
    assert unfolding_on(client.get(TREE)) == ["Top"]
    assert unfolding_on(client.get(under(top))) == ["Night Shift"]
    for one in (group, gate):
        page = client.get(under(one))
        assert len(named_on(page)) == 1
        assert unfolding_on(page) == []
        assert crumbs_on(page)[-1] == one.name


# Who is told of what --------------------------------------------------------------------------------------------------


def test_who_is_in_no_group_sees_no_tree(group: Group, gate: Group, stranger: User, browser_of: Browser) -> None:
    browser = browser_of(stranger)
    page = browser.get(TREE)
    assert named_on(page) == []
    assert "No groups yet" in text_of(page)
    for key in (group.pk, gate.pk, ids.new_id(), "nonsense"):
        answer = browser.get(f"{TREE}&under={key}")
        assert answer.status_code == 404
        assert "Gate" not in text_of(answer)


def test_members_are_told_of_their_own_sub_groups_alone(
    group: Group, gate: Group, member: User, organisation: Organisation, browser_of: Browser
) -> None:
    make_group("Depot", organisation=organisation, members=[member], under=group)
    Group.objects.filter(pk=gate.pk).update(name="Gate, north")  # four letters stand in a CSRF token now and then
    browser = browser_of(member)
    top, page = browser.get(TREE), browser.get(under(group))
    assert "1 sub-group" in text_of(top)
    assert named_on(page) == ["Depot"]
    assert "Gate, north" not in page.content.decode() + top.content.decode()
    assert browser.get(under(gate)).status_code == 404


def test_who_sees_none_of_the_sub_groups_is_not_told_that_there_are_any(
    group: Group, gate: Group, member: User, browser_of: Browser
) -> None:
    browser = browser_of(member)
    assert unfolding_on(browser.get(TREE)) == []
    assert "sub-group" not in text_of(browser.get(TREE)).split("Night Shift")[1]
    assert "No sub-groups that you can see." in text_of(browser.get(under(group)))


def test_below_a_group_that_one_does_not_see_a_group_stands_at_the_top(
    group: Group, gate: Group, member: User, browser_of: Browser
) -> None:
    lamp = make_group("Lamp", members=[member], under=gate)
    browser = browser_of(member)
    assert named_on(browser.get(TREE)) == ["Lamp", "Night Shift"]
    assert crumbs_on(browser.get(under(lamp))) == ["Groups", "Tree", "Lamp"]


@pytest.mark.postgresql
def test_an_organisation_admin_sees_the_tree_of_the_organisation_and_no_other(
    group: Group, gate: Group, boss: Client, outsider: User
) -> None:
    foreign = make_group("Foreign", organisation=outsider.organisation, under=group)
    make_group("Under a foreign one", organisation=group.organisation, under=foreign)
    assert named_on(boss.get(TREE)) == ["Night Shift", "Under a foreign one"]
    assert "1 sub-group" in text_of(boss.get(TREE))
    assert named_on(boss.get(under(group))) == ["Gate"]


@pytest.mark.postgresql
def test_a_removed_group_is_in_no_branch_and_hides_nothing_below(client: Client, group: Group, gate: Group) -> None:
    Group.objects.filter(pk=group.pk).update(removed_at=group.created_at)
    assert named_on(client.get(TREE)) == ["Gate"]
    assert client.get(under(group)).status_code == 404


# Addresses ------------------------------------------------------------------------------------------------------------


def test_list_and_tree_lead_to_each_other_and_a_search_is_a_list(client: Client, group: Group) -> None:
    assert f'href="{TREE}"' in client.get(LIST).content.decode()
    assert f'href="{LIST}"' in client.get(TREE).content.decode()
    assert "Your groups" in text_of(client.get(f"{TREE}&q=night"))


def test_the_tab_of_sub_groups_leads_to_its_branch(client: Client, group: Group, gate: Group) -> None:
    page = client.get(reverse("groups:sub_groups", args=[group.pk])).content.decode()
    assert f'href="{under(group)}"'.replace("&", "&amp;") in page


@pytest.mark.postgresql
def test_the_top_goes_on_by_key_in_both_directions(client: Client, group_admin: User) -> None:
    for number in range(53):
        make_group(f"Group {number:02}", admins=[group_admin])
    first = client.get(TREE)
    assert len(named_on(first)) == 50
    older = first.content.decode().split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = client.get(older)
    assert named_on(second) == ["Group 50", "Group 51", "Group 52"]
    newer = second.content.decode().split('rel="prev" href="')[1].split('"')[0].replace("&amp;", "&")
    assert named_on(client.get(newer)) == named_on(first)


@pytest.mark.postgresql
def test_a_forged_page_mark_leads_to_the_first_page_of_the_tree(client: Client, group: Group) -> None:
    assert client.get(f"{TREE}&cursor=forged")["Location"] == TREE


@pytest.mark.postgresql
@pytest.mark.parametrize("who", ["client", "boss"])
def test_of_many_sub_groups_the_first_are_shown_and_the_tab_has_all(
    who: str, group: Group, group_admin: User, organisation: Organisation, request: pytest.FixtureRequest
) -> None:
    for number in range(52):
        make_group(f"Gate {number:02}", organisation=organisation, admins=[group_admin], under=group)
    page = request.getfixturevalue(who).get(under(group))
    assert named_on(page) == [f"Gate {number:02}" for number in range(50)]
    assert "All 52 sub-groups" in text_of(page)
    assert f'href="{reverse("groups:sub_groups", args=[group.pk])}"' in page.content.decode()


# What it costs --------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.parametrize("who", ["client", "boss"])
def test_a_larger_tree_costs_no_more_queries(
    who: str,
    group: Group,
    gate: Group,
    group_admin: User,
    organisation: Organisation,
    request: pytest.FixtureRequest,
    django_assert_max_num_queries: Any,
) -> None:
    browser = request.getfixturevalue(who)
    make_group("Lamp", organisation=organisation, admins=[group_admin], under=gate)

    def costs() -> list[int]:
        found = []
        for address in (TREE, under(group)):
            with django_assert_max_num_queries(20) as seen:
                assert browser.get(address).status_code == 200
            found.append(len(seen.captured_queries))
        return found

    few = costs()
    for number in range(20):
        below = make_group(f"Gate {number}", organisation=organisation, admins=[group_admin], under=group)
        make_group(f"Lamp {number}", organisation=organisation, admins=[group_admin], under=below)
        make_group(f"Top {number}", organisation=organisation, admins=[group_admin])
    assert costs() == few


@pytest.mark.postgresql
@pytest.mark.parametrize("who", ["group_admin", "organisation_admin"])
def test_more_than_a_count_counts_are_the_same_level(
    who: str,
    group: Group,
    group_admin: User,
    organisation: Organisation,
    request: pytest.FixtureRequest,
    django_assert_max_num_queries: Any,
) -> None:
    user = request.getfixturevalue(who)
    made = Group.objects.bulk_create(
        Group(name=f"Gate {number:04}", organisation=organisation) for number in range(1002)
    )
    GroupLink.objects.bulk_create(GroupLink(parent=group, child=one) for one in made)
    first = made[7]
    first.memberships.create(person=group.memberships.get(role="Admin").person)
    with django_assert_max_num_queries(7):
        level = hierarchy.list_level(group, user)
    if user == group_admin:
        assert ([one.name for one in level.groups], level.count, level.has_more) == (["Gate 0007"], 1, False)
    else:
        assert [one.name for one in level.groups] == [f"Gate {number:04}" for number in range(50)]
        assert level.count.is_more
        assert level.has_more


def tops(user: User) -> list[str]:
    return [group.name for group in hierarchy.top_page(user).items]


@pytest.fixture
def family(organisation: Organisation, group_admin: User) -> dict[str, Group]:
    return {name: make_group(name, organisation=organisation, admins=[group_admin]) for name in ("A", "B", "C", "D")}


@pytest.mark.postgresql
def test_an_admin_of_the_organisation_finds_at_the_top_what_was_taken_from_under_a_group(
    family: dict[str, Group], organisation_admin: User
) -> None:
    a, b, c, d = family.values()
    service.attach(parent=a, children=[b, c, d], by=SYSTEM)
    assert tops(organisation_admin) == ["A"]
    service.unlink(parent=a, child=c, by=SYSTEM)
    assert tops(organisation_admin) == ["A", "C"]


@pytest.mark.postgresql
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
    service.link(parent=hidden, child=seen, by=SYSTEM)
    service.link(parent=seen, child=lower, by=SYSTEM)
    assert tops(organisation_admin) == ["A", "B", "C", "D", "Seen"]
