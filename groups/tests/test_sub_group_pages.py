"""Sub-groups: attaching a group that is there already, detaching it, and the tree of groups."""

from __future__ import annotations

import re
from functools import partial
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.audit.record import SYSTEM
from accounts.models import AuditEvent, Organisation, User
from accounts.tests.factories import make_organisation
from connectors.models import Connector
from connectors.tests.html_forms import count_queries, text_of
from groups.models import Group, GroupLink
from groups.queries import hierarchy
from groups.services import hierarchy as service
from groups.tests.conftest import Browser
from groups.tests.factories import let_in, make_connector, make_group
from groups.tests.pages import everything, titles_of
from kaizala_console.lib import bounded, ids

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(organisation: Organisation, group_admin: User) -> Group:
    return make_group("Office", organisation=organisation, admins=[group_admin])


def at(name: str, group: Group, *more: Group) -> str:
    return reverse(f"groups:{name}", args=[group.pk, *(one.pk for one in more)])


def test_the_tab_leads_to_the_groups_that_may_stand_here_and_to_no_others(
    client: Client, group: Group, office: Group, organisation: Organisation, group_admin: User, outsider: User
) -> None:
    above = make_group("Above", organisation=organisation, admins=[group_admin])
    top = make_group("Top", organisation=organisation, admins=[group_admin])
    GroupLink.objects.create(parent=above, child=group)
    GroupLink.objects.create(parent=top, child=above)
    make_group("There already", organisation=organisation, admins=[group_admin], under=group)
    make_group("A member", organisation=organisation, members=[group_admin])
    make_group("Private", admins=[group_admin])
    make_group("Foreign", organisation=outsider.organisation, admins=[group_admin])
    assert at("sub_group_find", group) in client.get(at("sub_groups", group)).content.decode()
    page = client.get(at("sub_group_find", group))
    assert titles_of(page) == ["Office"]
    assert at("sub_group_attach", group, office) in page.content.decode()


def test_groups_are_searched_and_paged(
    client: Client,
    group: Group,
    office: Group,
    organisation: Organisation,
    group_admin: User,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(25):
        make_group(f"Depot {number:02}", organisation=organisation, admins=[group_admin])
    with django_assert_max_num_queries(16):
        assert len(titles_of(client.get(at("sub_group_find", group)))) == 20
    assert titles_of(client.get(at("sub_group_find", group), {"q": "depot 2"})) == [f"Depot 2{n}" for n in range(5)]
    assert titles_of(client.get(at("sub_group_find", group), {"q": str(office.pk)})) == ["Office"]
    assert "No matches" in text_of(client.get(at("sub_group_find", group), {"q": "nothing like it"}))
    answer = client.get(at("sub_group_find", group), {"q": "depot", "cursor": "forged"})
    assert answer["Location"] == f"{at('sub_group_find', group)}?q=depot"


def test_a_group_is_attached_once_after_a_look_and_not_in_a_circle(client: Client, group: Group, office: Group) -> None:
    url = at("sub_group_attach", group, office)
    assert "Office" in text_of(client.get(url))
    assert not GroupLink.objects.exists()
    for said in ("“Office” attached.", "is already attached."):
        assert said in text_of(client.post(url, follow=True))
    assert GroupLink.objects.get().child == office
    assert AuditEvent.objects.filter(tag="group:subgroup:linked").count() == 1
    assert "its own sub-group" in text_of(client.post(at("sub_group_attach", office, group), follow=True))
    assert GroupLink.objects.count() == 1


def test_a_group_that_one_does_not_run_is_not_attached(
    client: Client, group: Group, organisation: Organisation, group_admin: User
) -> None:
    hidden = make_group("Hidden", organisation=organisation)
    member_of = make_group("Member of", organisation=organisation, members=[group_admin])
    before = everything()
    for other, status in ((hidden, 404), (member_of, 403)):
        url = at("sub_group_attach", group, other)
        assert [client.get(url).status_code, client.post(url).status_code] == [status, status]
    assert everything() == before


def test_attaching_and_detaching_name_the_connectors_that_it_is_about(
    client: Client, group: Group, office: Group, connector: Connector, group_admin: User, organisation: Organisation
) -> None:
    above = make_group("Region", organisation=organisation, admins=[group_admin])
    GroupLink.objects.create(parent=above, child=group)
    let_in(connector, group, group_admin)
    let_in(make_connector(group_admin, name="Canteen"), above, group_admin)
    assert "Shift Planner and 1 more" in text_of(client.get(at("sub_group_attach", group, office)))
    GroupLink.objects.create(parent=group, child=office)
    assert "Shift Planner and 1 more" in text_of(client.get(at("sub_group_detach", group, office)))
    assert "Canteen" in text_of(client.get(at("sub_group_attach", above, office)))


def test_a_group_is_detached_once_after_a_look_and_goes_on(client: Client, group: Group, office: Group) -> None:
    GroupLink.objects.create(parent=group, child=office)
    url = at("sub_group_detach", group, office)
    assert url in client.get(at("sub_groups", group)).content.decode()
    assert "Office" in text_of(client.get(url))
    assert GroupLink.objects.exists()
    for said in ("detached.", "This group is no longer attached here."):
        assert said in text_of(client.post(url, follow=True))
    assert not GroupLink.objects.exists()
    assert Group.objects.present().filter(pk=office.pk).exists()


@pytest.mark.parametrize("who", ["member", "group_admin"], indirect=True)
def test_what_one_may_not_open_says_so_and_every_link_leads_somewhere(
    group: Group, member: User, developer: User, organisation_admin: User, who: User, browser_of: Browser
) -> None:
    """Neither who is in the group above nor who runs it is in a group below by that."""
    theirs = make_group("Theirs", organisation=group.organisation, admins=[developer], under=group)
    make_group("Gate", organisation=group.organisation, admins=[developer], members=[who], under=group)
    above = make_group("Above", organisation=group.organisation, admins=[developer])
    GroupLink.objects.create(parent=above, child=group)
    client = browser_of(who)
    html = client.get(at("sub_groups", group)).content.decode()
    rows = html.partition("<tbody>")[2].partition("</tbody>")[0]
    assert rows.count("You are not in this group.") == 1
    assert not [one for one in (theirs, above) if f'"{at("details", one)}"' in html]
    links = re.findall(r'href="([^"]+)"', rows)
    assert len(links) == (3 if who != member else 1), "a member cannot change the tree"
    assert (at("sub_group_find", group) in html) == (who != member)
    for url in (*links, *re.findall(r'class="list-toggle[^"]*"><a href="([^"]+)"', html)):
        assert client.get(unescape(url)).status_code == 200
    for_all = browser_of(organisation_admin).get(at("sub_groups", group)).content.decode()
    assert f'href="{at("details", theirs)}"' in for_all
    assert "You are not in this group." not in for_all


LIST = "/console/groups/"

TREE = f"{LIST}?view=tree"


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
def test_the_deepest_of_thirty_levels_names_all_above_it(client: Client, group: Group, group_admin: User) -> None:
    line = [group]
    for number in range(2, 31):
        line.append(make_group(f"Level {number}", admins=[group_admin], under=line[-1]))
    assert named_on(client.get(under(line[-2]))) == ["Level 30"]
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


def test_members_are_told_of_their_own_sub_groups_alone_wherever_they_stand(
    group: Group, gate: Group, member: User, organisation: Organisation, browser_of: Browser
) -> None:
    Group.objects.filter(pk=gate.pk).update(name="Gate, north")  # four letters stand in a CSRF token now and then
    browser = browser_of(member)
    top, page = browser.get(TREE), browser.get(under(group))
    assert unfolding_on(top) == []
    assert "sub-group" not in text_of(top).split("Night Shift")[1]
    assert "No sub-groups that you can see." in text_of(page)
    make_group("Depot", organisation=organisation, members=[member], under=group)
    lamp = make_group("Lamp", members=[member], under=gate)
    top, page = browser.get(TREE), browser.get(under(group))
    assert "1 sub-group" in text_of(top)
    assert (named_on(top), named_on(page)) == (["Lamp", "Night Shift"], ["Depot"])
    assert "Gate, north" not in page.content.decode() + top.content.decode()
    assert browser.get(under(gate)).status_code == 404
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


def test_list_tab_and_tree_lead_to_each_other_and_a_search_is_a_list(client: Client, group: Group, gate: Group) -> None:
    assert f'href="{TREE}"' in client.get(LIST).content.decode()
    assert f'href="{LIST}"' in client.get(TREE).content.decode()
    assert "Your groups" in text_of(client.get(f"{TREE}&q=night"))
    assert f'href="{under(group)}"'.replace("&", "&amp;") in client.get(at("sub_groups", group)).content.decode()
    assert client.get(f"{TREE}&cursor=forged")["Location"] == TREE


@pytest.mark.postgresql
def test_the_top_goes_on_by_key_in_both_directions(client: Client, group_admin: User) -> None:
    for number in range(53):
        make_group(f"Group {number:02}", admins=[group_admin])

    def go(page: Any, way: str) -> Any:
        (address,) = re.findall(rf'rel="{way}" href="([^"]+)"', page.content.decode())
        return client.get(unescape(address))

    first = client.get(TREE)
    assert len(named_on(first)) == 50
    second = go(first, "next")
    assert named_on(second) == ["Group 50", "Group 51", "Group 52"]
    assert named_on(go(second, "prev")) == named_on(first)


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
    who: str, group: Group, gate: Group, group_admin: User, organisation: Organisation, request: pytest.FixtureRequest
) -> None:
    browser = request.getfixturevalue(who)
    make = partial(make_group, organisation=organisation, admins=[group_admin])
    make("Lamp", under=gate)
    few = [count_queries(browser, address) for address in (TREE, under(group))]
    for number in range(20):
        make(f"Lamp {number}", under=make(f"Gate {number}", under=group))
        make(f"Top {number}")
    assert [count_queries(browser, address) for address in (TREE, under(group))] == few


@pytest.mark.postgresql
@pytest.mark.parametrize("who", ["group_admin", "organisation_admin"], indirect=True)
def test_more_than_a_count_counts_are_the_same_level(
    who: User, group: Group, group_admin: User, organisation: Organisation, django_assert_max_num_queries: Any
) -> None:
    made = Group.objects.bulk_create(
        Group(name=f"Gate {number:04}", organisation=organisation) for number in range(1002)
    )
    GroupLink.objects.bulk_create(GroupLink(parent=group, child=one) for one in made)
    first = made[7]
    first.memberships.create(person=group.memberships.get(role="Admin").person)
    with django_assert_max_num_queries(7):
        level = hierarchy.list_level(group, who)
    if who == group_admin:
        assert ([one.name for one in level.groups], level.count, level.has_more) == (["Gate 0007"], 1, False)
    else:
        assert [one.name for one in level.groups] == [f"Gate {number:04}" for number in range(50)]
        assert level.count.is_more
        assert level.has_more


@pytest.mark.postgresql
@pytest.mark.usefixtures("compiled_anew")
@pytest.mark.parametrize("most", [1, 1000])
def test_few_and_many_sub_groups_are_listed_the_same(
    client: Client, group: Group, organisation: Organisation, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(bounded, "MOST", most)
    for name in ("Stores", "Depot", "Yard"):
        make_group(name, organisation=organisation, under=group)
    make_group("Elsewhere", organisation=organisation)
    rows = client.get(at("sub_groups", group)).content.decode().partition("<tbody>")[2]
    assert list(dict.fromkeys(re.findall("Stores|Depot|Yard|Elsewhere", rows))) == ["Depot", "Stores", "Yard"]


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
