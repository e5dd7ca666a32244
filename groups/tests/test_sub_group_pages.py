"""Attaching a group that is there already, and detaching it, in the console."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Organisation, User
from connectors.models import Connector
from connectors.tests.html_forms import text_of
from groups.models import Group, GroupLink
from groups.tests.factories import let_in, make_connector, make_group
from groups.tests.pages import everything, titles_of

Browser = Callable[..., Client]


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


@pytest.fixture
def office(organisation: Organisation, group_admin: User) -> Group:
    return make_group("Office", organisation=organisation, admins=[group_admin])


def at(name: str, group: Group, *more: Group) -> str:
    return reverse(f"groups:{name}", args=[group.pk, *(one.pk for one in more)])


def test_the_tab_leads_to_the_groups_that_may_stand_here(client: Client, group: Group, office: Group) -> None:
    assert at("sub_group_find", group) in client.get(at("sub_groups", group)).content.decode()
    page = client.get(at("sub_group_find", group))
    assert titles_of(page) == ["Office"]
    assert at("sub_group_attach", group, office) in page.content.decode()


def test_what_cannot_stand_here_is_not_offered(
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
    assert titles_of(client.get(at("sub_group_find", group))) == ["Office"]


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


def test_a_group_is_attached_after_a_page_that_says_what_that_means(
    client: Client, group: Group, office: Group
) -> None:
    url = at("sub_group_attach", group, office)
    page = client.get(url)
    assert "” and its parent groups get access to “Office” and its sub-groups." in text_of(page)
    assert not GroupLink.objects.exists()
    answer = client.post(url, follow=True)
    assert "“Office” attached." in text_of(answer)
    assert GroupLink.objects.get().child == office
    assert "is already attached." in text_of(client.post(url, follow=True))
    assert AuditEvent.objects.filter(tag="group:subgroup:linked").count() == 1


def test_a_circle_is_refused_in_words(client: Client, group: Group, office: Group) -> None:
    GroupLink.objects.create(parent=office, child=group)
    assert "its own sub-group" in text_of(client.post(at("sub_group_attach", group, office), follow=True))
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


def test_a_group_is_detached_after_a_page_that_says_what_that_means(
    client: Client, group: Group, office: Group
) -> None:
    GroupLink.objects.create(parent=group, child=office)
    url = at("sub_group_detach", group, office)
    assert url in client.get(at("sub_groups", group)).content.decode()
    assert "lose access to “Office”" in text_of(client.get(url))
    assert GroupLink.objects.exists()
    assert "detached." in text_of(client.post(url, follow=True))
    assert not GroupLink.objects.exists()
    assert Group.objects.present().filter(pk=office.pk).exists()
    assert "This group is no longer attached here." in text_of(client.post(url, follow=True))


def test_a_member_sees_no_way_to_change_the_tree(
    group: Group, office: Group, member: User, browser_of: Browser
) -> None:
    GroupLink.objects.create(parent=group, child=office)
    page = browser_of(member).get(at("sub_groups", group)).content.decode()
    assert "Office" in page
    assert at("sub_group_detach", group, office) not in page
    assert at("sub_group_find", group) not in page


def rows_of(page: Any) -> dict[str, str]:
    """The rows of the table by the name of the group, as HTML."""
    rows = page.content.decode().partition("<tbody>")[2].partition("</tbody>")[0].split("<tr>")[1:]
    return {re.sub(r"<[^>]+>", " ", row.partition("</th>")[0]).split()[0]: row for row in rows}


@pytest.mark.parametrize("who", ["member", "group_admin"])
def test_what_one_may_not_open_says_so_and_every_link_leads_somewhere(
    group: Group,
    group_admin: User,
    member: User,
    developer: User,
    who: str,
    request: pytest.FixtureRequest,
    browser_of: Browser,
) -> None:
    """Neither who is in the group above nor who runs it is in a group below by that."""
    reader = request.getfixturevalue(who)
    theirs = make_group("Theirs", organisation=group.organisation, admins=[developer], under=group)
    make_group("Gate", organisation=group.organisation, admins=[developer], members=[reader], under=group)
    above = make_group("Above", organisation=group.organisation, admins=[developer])
    GroupLink.objects.create(parent=above, child=group)
    client = browser_of(reader)
    page = client.get(at("sub_groups", group))
    rows = rows_of(page)
    assert "You are not in this group." in rows["Theirs"]
    assert "You are not in this group." not in rows["Gate"]
    assert "Parent groups Above (you are not in it)." in text_of(page)
    html = page.content.decode()
    assert not [one for one in (theirs, above) if f'"{at("details", one)}"' in html]
    links = re.findall(r'href="([^"]+)"', "".join(rows.values()))
    assert len(links) == (3 if who == "group_admin" else 1)
    for url in (*links, *re.findall(r'class="list-toggle[^"]*"><a href="([^"]+)"', html)):
        assert client.get(unescape(url)).status_code == 200


def test_an_admin_of_the_organisation_opens_all_of_them(
    group: Group, developer: User, organisation_admin: User, browser_of: Browser
) -> None:
    theirs = make_group("Theirs", organisation=group.organisation, admins=[developer], under=group)
    page = browser_of(organisation_admin).get(at("sub_groups", group))
    assert f'href="{at("details", theirs)}"' in page.content.decode()
    assert "You are not in this group." not in text_of(page)
