"""The list of groups, a group's sub-groups and history, and the directory of people."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Organisation, User
from accounts.tests.factories import make_person
from connectors.tests.factories import make_connector
from connectors.tests.html_forms import text_of
from groups.models import Group, Membership
from groups.services import groups, members
from groups.tests.factories import make_group, person_of
from groups.tests.pages import titles_of
from kaizala_console.lib import clock, ids

pytestmark = pytest.mark.django_db

LIST = "/console/groups/"
DIRECTORY = "/console/directory/"

Browser = Callable[..., Client]
Cost = Callable[[Client, str], int]


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


@pytest.fixture
def cost(django_assert_max_num_queries: Any) -> Cost:
    """`cost(client, url)`: how many statements a page takes."""

    def cost(client: Client, url: str) -> int:
        with django_assert_max_num_queries(30) as seen:
            assert client.get(url).status_code == 200
        return len(seen.captured_queries)

    return cost


def people_on(page: Any) -> list[str]:
    return re.findall(r'<span class="person-words"><(?:span|a href="[^"]*")>([^<]+)</', page.content.decode())


# Which groups ---------------------------------------------------------------------------------------------------------


def test_who_is_in_many_groups_sees_those_that_they_run(
    client: Client, group: Group, group_admin: User, stranger: User, organisation: Organisation
) -> None:
    make_group("Alpha", organisation=organisation, admins=[stranger], members=[group_admin])
    assert titles_of(client.get(LIST)) == ["Alpha", "Night Shift"]
    page = client.get(LIST, {"only": "run"})
    assert titles_of(page) == ["Night Shift"]
    assert f'href="{LIST}"' in page.content.decode().partition('class="filters')[2]
    assert titles_of(client.get(LIST, {"only": "forged"})) == ["Alpha", "Night Shift"]


def test_an_organisation_admin_is_told_what_the_list_is_and_finds_their_own_in_it(
    group: Group, organisation_admin: User, organisation: Organisation, browser_of: Browser
) -> None:
    client = browser_of(organisation_admin)
    assert "All groups in your organisation, and your private groups." in text_of(client.get(LIST))
    empty = client.get(LIST, {"only": "run"})
    assert "You don’t manage any group." in text_of(empty)
    make_group("Alpha", organisation=organisation, admins=[organisation_admin])
    assert titles_of(client.get(LIST, {"only": "run"})) == ["Alpha"]


def test_who_comes_from_a_connector_chooses_a_group_and_finds_it_chosen_there(
    client: Client, group: Group, group_admin: User, stranger: User, developer: User, organisation: Organisation
) -> None:
    connector = make_connector(developer, "Rota & Co")
    make_group("Alpha", organisation=organisation, admins=[stranger], members=[group_admin])
    details = client.get(reverse("connectors:details", args=[connector.pk])).content.decode()
    choosing = f"{LIST}?let_in={connector.pk}"
    assert f'href="{choosing}"' in details
    page = client.get(choosing)
    assert titles_of(page) == ["Night Shift"]
    assert "Choose a group for “Rota &amp; Co”. You’ll see its permissions first." in page.content.decode()
    there = f"{reverse('groups:connectors', args=[group.pk])}?connector={connector.pk}"
    assert f'href="{there}"' in page.content.decode()
    assert f'value="{connector.pk}" selected' in client.get(there).content.decode()
    assert f'name="let_in" value="{connector.pk}"' in page.content.decode()


@pytest.mark.parametrize("written", ["", "x", "01900000-0000-7000-8000-000000000000"])
def test_a_connector_that_is_none_or_not_live_changes_nothing_in_the_list(
    client: Client, group: Group, developer: User, outsider: User, written: str
) -> None:
    theirs = make_connector(outsider, "Theirs")
    gone = make_connector(developer, "Gone", suspended_at=clock.now())
    for key in (written, str(theirs.pk), str(gone.pk)):
        page = client.get(LIST, {"let_in": key})
        assert "Choose a group" not in text_of(page)
        assert f'href="{reverse("groups:details", args=[group.pk])}"' in page.content.decode()


# Groups ---------------------------------------------------------------------------------------------------------------


def test_it_lists_ones_own_groups_by_name_with_role_and_counts(
    client: Client, group: Group, group_admin: User, stranger: User, organisation: Organisation
) -> None:
    make_group("Alpha", organisation=organisation, admins=[stranger], members=[group_admin])
    make_group("Not mine", organisation=organisation, admins=[stranger])
    make_group("Zulu", admins=[group_admin], under=None)
    page = client.get(LIST)
    assert titles_of(page) == ["Alpha", "Night Shift", "Zulu"]
    assert "Group, private" in text_of(page)
    rows = text_of(page).split("Your groups")[1]
    assert rows.count("Member") == 1
    assert rows.count("Admin") == 2


def test_an_organisation_admin_lists_all_groups_of_the_organisation(
    group: Group, organisation: Organisation, outsider: User, organisation_admin: User, browser_of: Browser
) -> None:
    make_group("Foreign", organisation=outsider.organisation)
    make_group("Nobody's", organisation=organisation)
    assert titles_of(browser_of(organisation_admin).get(LIST)) == ["Night Shift", "Nobody&#x27;s"]


@pytest.mark.parametrize("wanted", ["night", "SHIFT", "id"])
def test_search_finds_a_part_of_the_name_or_a_whole_id(
    client: Client, group: Group, group_admin: User, wanted: str
) -> None:
    make_group("Other", admins=[group_admin])
    q = str(group.pk) if wanted == "id" else wanted
    assert titles_of(client.get(LIST, {"q": q})) == ["Night Shift"]


def test_a_group_of_others_is_not_found_by_its_id(client: Client, organisation: Organisation) -> None:
    hidden = make_group("Hidden", organisation=organisation)
    for key in (hidden.pk, ids.new_id()):
        assert "No matches" in text_of(client.get(LIST, {"q": str(key)}))


def test_more_than_a_page_goes_on_by_key_in_both_directions(client: Client, group_admin: User) -> None:
    for number in range(53):
        make_group(f"Group {number:02}", admins=[group_admin])
    first = client.get(LIST)
    assert len(titles_of(first)) == 50
    second = client.get(first.content.decode().split('rel="next" href="')[1].split('"')[0])
    assert titles_of(second) == ["Group 50", "Group 51", "Group 52"]
    newer = second.content.decode().split('rel="prev" href="')[1].split('"')[0].replace("&amp;", "&")
    assert titles_of(client.get(newer)) == titles_of(first)


@pytest.mark.parametrize("url", [LIST, DIRECTORY])
def test_a_forged_page_mark_leads_to_the_first_page(client: Client, group: Group, url: str) -> None:
    assert client.get(url, {"cursor": "forged", "q": "a"})["Location"] == f"{url}?q=a"


def test_a_longer_list_costs_no_more_queries(client: Client, group_admin: User, cost: Cost) -> None:
    make_group("First", admins=[group_admin])
    few = cost(client, LIST)
    for number in range(20):
        make_group(f"Group {number}", admins=[group_admin])
    assert cost(client, LIST) == few


# Sub-groups -----------------------------------------------------------------------------------------------------------


def test_sub_groups_and_the_groups_above_are_links_for_who_may_open_them(
    client: Client, group: Group, group_admin: User, organisation: Organisation
) -> None:
    make_group("Gate", organisation=organisation, admins=[group_admin], under=group)
    make_group("Closed", organisation=organisation, under=group)
    url = reverse("groups:sub_groups", args=[group.pk])
    page = client.get(url)
    assert titles_of(page) == ["Gate"]
    assert "Closed" in text_of(page)
    below = Group.objects.get(name="Gate")
    above = client.get(reverse("groups:sub_groups", args=[below.pk]))
    assert f'<a href="{reverse("groups:details", args=[group.pk])}">Night Shift</a>' in above.content.decode()
    assert "Parent groups" in text_of(above)


def test_more_sub_groups_cost_no_more_queries(
    client: Client, group: Group, group_admin: User, organisation: Organisation, cost: Cost
) -> None:
    url = reverse("groups:sub_groups", args=[group.pk])
    make_group("Gate", organisation=organisation, admins=[group_admin], under=group)
    few = cost(client, url)
    for number in range(20):
        make_group(f"Gate {number}", organisation=organisation, under=group)
    assert cost(client, url) == few


# History --------------------------------------------------------------------------------------------------------------


def test_the_history_tells_admins_what_everybody_did_here(
    client: Client, group: Group, organisation_admin: User, newcomer: Any
) -> None:
    members.set_role(group=group, person_id=newcomer.pk, role=Membership.Role.ADMIN, by=organisation_admin)
    other = make_group("Other", admins=[])
    members.add(group=other, numbers=["+919930000001"], by=organisation_admin)
    told = text_of(client.get(reverse("groups:activity", args=[group.pk])))
    assert "Farah Khan" in told
    assert "Lakshmi Iyer" in told
    assert "Other" not in told


def test_a_new_group_has_no_history_to_tell(client: Client, group: Group) -> None:
    assert "No activity yet" in text_of(client.get(reverse("groups:activity", args=[group.pk])))


def test_a_longer_history_costs_no_more_queries(client: Client, group: Group, group_admin: User, cost: Cost) -> None:
    url = reverse("groups:activity", args=[group.pk])
    members.add(group=group, numbers=["+919930000001"], by=group_admin)
    few = cost(client, url)
    members.add(group=group, numbers=[f"+9199300001{number:02}" for number in range(60)], by=group_admin)
    assert cost(client, url) == few
    assert "cursor=" in client.get(url).content.decode()


# People ---------------------------------------------------------------------------------------------------------------


def test_the_directory_lists_everybody_in_ones_groups_once(
    client: Client, group: Group, group_admin: User, member: User, stranger: User, organisation: Organisation
) -> None:
    make_group("Second", organisation=organisation, admins=[group_admin], members=[member])
    make_group("Not mine", organisation=organisation, admins=[stranger])
    page = client.get(DIRECTORY)
    assert people_on(page) == ["Arjun Mehta", "Lakshmi Iyer", "Meera Nair"]
    assert "Sunil Verma" not in text_of(page)


@pytest.mark.parametrize("q", ["meera", "NAIR", "number"])
def test_the_directory_finds_by_a_part_of_the_name_or_the_number(
    client: Client, group: Group, member: User, q: str
) -> None:
    words = person_of(member).number[-8:] if q == "number" else q
    assert people_on(client.get(DIRECTORY, {"q": words})) == ["Meera Nair"]


@pytest.mark.parametrize("q", ["nobody", "%", "nobody\0", "x" * 5000])
def test_the_directory_says_when_nobody_matches(client: Client, group: Group, q: str) -> None:
    assert "No matches" in text_of(client.get(DIRECTORY, {"q": q}))


def test_more_people_cost_no_more_queries(client: Client, group: Group, group_admin: User, cost: Cost) -> None:
    few = cost(client, DIRECTORY)
    members.add(group=group, numbers=[f"+9199300001{number:02}" for number in range(40)], by=group_admin)
    assert cost(client, DIRECTORY) == few


def test_who_has_no_name_stands_in_the_directory_by_the_number(client: Client, group: Group, group_admin: User) -> None:
    members.add(group=group, numbers=["+919876543210"], by=group_admin)
    assert "+91 98765 43210" in people_on(client.get(DIRECTORY))


def test_who_shares_no_group_sees_nobody(group: Group, stranger: User, browser_of: Browser) -> None:
    make_person("Alone")
    assert "No people yet" in text_of(browser_of(stranger).get(DIRECTORY))


def test_a_group_made_here_is_listed_at_once(client: Client, group_admin: User) -> None:
    groups.create(name="New", organisation=None, admin=person_of(group_admin), by=group_admin)
    assert titles_of(client.get(LIST)) == ["New"]
