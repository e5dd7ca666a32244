"""The "Users" tab for who has many: whom it shows, where one is afterwards, and several people at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import AuditEvent, Person, User
from accounts.tests.factories import make_person
from connectors.tests.html_forms import form_to, text_of
from groups.models import Group, Membership
from groups.services import members
from groups.tests.factories import make_group, person_of
from groups.tests.pages import everything
from kaizala_console.lib.errors import RuleBroken
from kaizala_console.tests.looking import findings

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


@pytest.fixture
def crew(group: Group) -> list[Person]:
    """Three more people in the group, of whom nobody has signed in."""
    people = [make_person(f"Crew {n}") for n in range(3)]
    Membership.objects.bulk_create(Membership(group=group, person=person) for person in people)
    return people


def users_of(group: Group, **query: str) -> str:
    return reverse("groups:details", args=[group.pk]) + (f"?{urlencode(query)}" if query else "")


def several(group: Group, people: list[Person], act: str, **query: str) -> str:
    chosen = [("person", str(person.pk)) for person in people]
    return f"{reverse('groups:users_several', args=[group.pk])}?{urlencode([*query.items(), *chosen, ('act', act)])}"


def named(page: Any) -> list[str]:
    """Who is in the list."""
    rows = re.findall(r'<th scope="row">.*?</th>', page.content.decode(), flags=re.DOTALL)
    return [
        name for name in ("Arjun Mehta", "Meera Nair", "Lakshmi Iyer", "Crew 0") if any(name in row for row in rows)
    ]


def roles_in(group: Group) -> dict[str, str]:
    return dict(Membership.objects.filter(group=group).values_list("person__names__name", "role"))


# Whom it shows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("only", "shown"),
    [
        ("", ["Arjun Mehta", "Meera Nair", "Lakshmi Iyer", "Crew 0"]),
        ("admins", ["Arjun Mehta"]),
        ("members", ["Meera Nair", "Lakshmi Iyer", "Crew 0"]),
        ("not-registered", ["Lakshmi Iyer", "Crew 0"]),
        ("forged", ["Arjun Mehta", "Meera Nair", "Lakshmi Iyer", "Crew 0"]),
    ],
)
def test_the_list_shows_whom_one_asks_for(
    client: Client, group: Group, member: User, newcomer: Person, crew: list[Person], only: str, shown: list[str]
) -> None:
    assert named(client.get(users_of(group, only=only))) == shown


def test_the_list_is_sorted_by_name_page_by_page(client: Client, group: Group) -> None:
    people = [make_person(f"Zoya {n:02}") for n in reversed(range(55))]
    Membership.objects.bulk_create(Membership(group=group, person=person) for person in people)

    def names(page: Any) -> list[str]:
        return re.findall(r">(Zoya \d\d|Arjun Mehta|Lakshmi Iyer)</a>", page.content.decode())

    first = client.get(users_of(group, sort="name"))
    older = re.search(r'href="([^"]*cursor=[^"]*)"', first.content.decode())
    assert older is not None
    assert "sort=name" in older[1]
    whole = names(first) + names(client.get(older[1].replace("&amp;", "&")))
    assert whole == sorted(whole)
    assert len(whole) == 57
    assert names(client.get(users_of(group, sort="name", q="0 zoya"))) == [name for name in whole if "0" in name]
    assert names(client.get(users_of(group)))[0] == "Arjun Mehta"


# Where one is afterwards ----------------------------------------------------------------------------------------------


def test_after_an_act_one_is_where_one_was(client: Client, group: Group, crew: list[Person]) -> None:
    place = users_of(group, q="crew", only="not-registered")
    html = client.get(place).content.decode()
    role = re.search(rf'action="(/[^"]*{crew[0].pk}/role/[^"]*)"', html)
    leave = re.search(rf'href="(/[^"]*{crew[1].pk}/remove/[^"]*)"', html)
    assert role is not None
    assert leave is not None
    assert client.post(role[1].replace("&amp;", "&"), {"role": "Admin"})["Location"] == place
    asked = client.get(leave[1].replace("&amp;", "&"))
    assert f'href="{place.replace("&", "&amp;")}"' in asked.content.decode()
    assert form_to(asked, leave[1].replace("&amp;", "&")).send(client)["Location"] == place


def test_a_page_whose_people_are_all_removed_leads_to_the_first(client: Client, group: Group) -> None:
    people = [make_person(f"Many {n}") for n in range(50)]
    Membership.objects.bulk_create(Membership(group=group, person=person) for person in people)
    older = re.search(r'href="([^"]*cursor=[^"]*)"', client.get(users_of(group)).content.decode())
    assert older is not None
    address = older[1].replace("&amp;", "&")
    shown = [person for person in people if f"/{person.pk}/" in client.get(address).content.decode()]
    Membership.objects.filter(person__in=shown).delete()
    assert client.get(address)["Location"] == users_of(group)


# Several at once ------------------------------------------------------------------------------------------------------


def test_several_are_removed_after_one_look(client: Client, group: Group, member: User, crew: list[Person]) -> None:
    url = several(group, crew, "remove", q="crew")
    page = client.get(url)
    assert "Remove 3 people" in text_of(page)
    assert "They lose access to the group at once." in text_of(page)
    assert "Crew 2" in text_of(page)
    assert len(roles_in(group)) == 6
    done = form_to(page, url).send(client, follow=True)
    assert done.redirect_chain == [(users_of(group, q="crew"), 302)]
    assert "3 people removed from the group." in text_of(done)
    assert set(roles_in(group)) == {"Arjun Mehta", "Meera Nair", "Lakshmi Iyer"}
    assert AuditEvent.objects.filter(tag="group:member:removed", group_id=group.pk).count() == 3


@pytest.mark.parametrize(("act", "role", "says"), [("admin", "Admin", "2 people are now admins.")])
def test_several_are_made_admins(
    client: Client, group: Group, crew: list[Person], act: str, role: str, says: str
) -> None:
    url = several(group, crew[:2], act)
    assert says in text_of(form_to(client.get(url), url).send(client, follow=True))
    assert [roles_in(group)[f"Crew {n}"] for n in range(3)] == [role, role, "Member"]
    back = several(group, crew[:2], "member")
    form_to(client.get(back), back).send(client)
    assert roles_in(group)["Crew 0"] == "Member"


@pytest.mark.parametrize("act", ["remove", "member"])
def test_the_last_admin_stays_and_nobody_else_goes_either(
    client: Client, group: Group, group_admin: User, crew: list[Person], act: str
) -> None:
    url = several(group, [person_of(group_admin), *crew], act)
    form = form_to(client.get(url), url)
    before = everything()
    assert "The group would be left without an admin" in text_of(form.send(client, follow=True))
    assert everything() == before


def test_a_double_click_does_it_once_and_says_so(client: Client, group: Group, crew: list[Person]) -> None:
    url = several(group, crew, "remove")
    form = form_to(client.get(url), url)
    form.send(client)
    client.get(users_of(group))
    assert "None of these people is still in the group." in text_of(form.send(client, follow=True))
    assert AuditEvent.objects.filter(tag="group:member:removed").count() == 3


@pytest.mark.parametrize("query", ["", "act=remove", "act=forged&person={key}", "person={key}", "act=remove&person=x"])
def test_nobody_ticked_or_no_act_says_what_to_do(client: Client, group: Group, crew: list[Person], query: str) -> None:
    url = reverse("groups:users_several", args=[group.pk])
    page = client.get(f"{url}?{query.format(key=crew[0].pk)}", follow=True)
    assert page.redirect_chain == [(users_of(group), 302)]
    assert re.search("Select people|None of these people", text_of(page))


def test_people_of_another_group_are_passed_over(
    client: Client, group: Group, group_admin: User, stranger: User, crew: list[Person]
) -> None:
    other = make_group("Other", organisation=group.organisation, admins=[group_admin], members=[stranger])
    url = several(group, [person_of(stranger), crew[0]], "remove")
    page = client.get(url)
    assert "Sunil Verma" not in text_of(page)
    form_to(page, url).send(client)
    assert "Sunil Verma" in roles_in(other)


def test_the_service_tells_of_all_or_of_none(group: Group, group_admin: User, crew: list[Person]) -> None:
    keys = [person.pk for person in crew]
    assert [one.person for one in members.remove_several(group=group, person_ids=keys, by=group_admin)] == crew
    assert members.remove_several(group=group, person_ids=keys, by=group_admin) == []
    admin = person_of(group_admin).pk
    with pytest.raises(RuleBroken):
        members.set_roles(group=group, person_ids=[admin], role=members.Role.MEMBER, by=group_admin)


def test_more_people_cost_no_more_queries(
    client: Client, group: Group, crew: list[Person], django_assert_max_num_queries: Any
) -> None:
    def cost(people: list[Person]) -> int:
        url = several(group, people, "admin")
        form = form_to(client.get(url), url)
        with django_assert_max_num_queries(60) as seen:
            form.send(client)
        return len(seen.captured_queries)

    assert cost(crew[:1]) == cost(crew[1:])


def test_members_are_offered_no_boxes(group: Group, member: User, crew: list[Person], browser_of: Browser) -> None:
    html = browser_of(member).get(users_of(group)).content.decode()
    assert 'form="several"' not in html
    assert 'name="only"' in html


@pytest.mark.journey
@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.capability
def test_several_are_ticked_and_removed_in_a_browser(
    open_page: Callable[..., Page], group: Group, group_admin: User, crew: list[Person], scripts: bool
) -> None:
    page = open_page(user=group_admin, width=360, scripts=scripts)
    page.goto(users_of(group, only="not-registered"))
    if scripts:
        page.get_by_label("All on this page").check()
        page.get_by_label("Select Lakshmi Iyer").uncheck() if page.get_by_label("Select Lakshmi Iyer").count() else None
        assert findings(page) == []
    else:
        for person in crew:
            page.get_by_label(f"Select {person.name}").check()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("heading", name="Remove 3 people")).to_be_visible()
    if scripts:
        assert findings(page) == []
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("3 people removed from the group.")).to_be_visible()


@pytest.mark.journey
def test_choosing_whom_to_see_keeps_the_focus_and_the_way_back(
    open_page: Callable[..., Page], group: Group, group_admin: User, member: User, crew: list[Person]
) -> None:
    page = open_page(user=group_admin)
    page.goto(users_of(group))
    who = page.get_by_role("combobox", name="Who")
    who.focus()
    who.select_option("admins")
    expect(page.get_by_role("link", name="Crew 0")).to_have_count(0)
    expect(who).to_be_focused()
    expect(page).to_have_url(re.compile("only=admins"))
    page.get_by_role("link", name="Arjun Mehta", exact=True).click()
    page.go_back()
    expect(who).to_have_value("admins")
    expect(page.get_by_role("link", name="Crew 0")).to_have_count(0)
