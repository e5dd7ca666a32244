"""The "Users" tab: who is there, adding by phone number, roles, removing, several at once, and subscribers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import AuditEvent, Organisation, Person, User
from accounts.tests.factories import make_person
from connectors.tests.html_forms import count_queries, form_to, text_of
from groups.models import Group, Membership, Subscription
from groups.services import members
from groups.tests.conftest import Browser
from groups.tests.factories import make_group, make_public_group, person_of
from groups.tests.pages import everything
from groups.views.forms import NumbersField
from kaizala_console.tests.looking import findings

pytestmark = pytest.mark.django_db


def users_of(group: Group, **query: str) -> str:
    return reverse("groups:details", args=[group.pk]) + (f"?{urlencode(query)}" if query else "")


def subscribers_of(group: Group) -> str:
    return users_of(group, show="subscribers")


def adding_to(group: Group) -> str:
    return reverse("groups:users_add", args=[group.pk])


def add(client: Client, group: Group, numbers: str, **options: Any) -> Any:
    return form_to(client.get(users_of(group)), adding_to(group)).send(client, {"numbers": numbers}, **options)


def removing(group: Group, person: Person) -> str:
    return reverse("groups:user_remove", args=[group.pk, person.pk])


def unsubscribing(group: Group, person: Person) -> str:
    return reverse("groups:subscriber_remove", args=[group.pk, person.pk])


def next_page(client: Client, page: Any) -> Any:
    (older,) = re.findall(r'href="([^"]*cursor=[^"]*)"', page.content.decode())
    return client.get(unescape(older))


@pytest.fixture
def hotel() -> Person:
    return make_person("Hotel Sagar", "+919820000041")


@pytest.fixture
def public(organisation: Organisation, group_admin: User, member: User, hotel: Person) -> Group:
    """A managed public group with two users and a subscriber."""
    return make_public_group(organisation=organisation, admins=[group_admin], members=[member], subscribers=[hotel])


@dataclass(frozen=True)
class Listed:
    """The users of the public group, or its subscribers: two lists that are used in the same way."""

    page: str
    adding: str
    removing: str
    there: Person
    rows: Any
    tag: str

    def add(self, client: Client, numbers: str, **options: Any) -> Any:
        return form_to(client.get(self.page), self.adding).send(client, {"numbers": numbers}, **options)

    def numbers(self) -> set[str]:
        return set(self.rows.values_list("person__number", flat=True))


@pytest.fixture(params=["users", "subscribers"])
def listed(request: pytest.FixtureRequest, public: Group, member: User, hotel: Person) -> Listed:
    if request.param == "users":
        person, there = person_of(member), Membership.objects.filter(group=public)
        return Listed(users_of(public), adding_to(public), removing(public, person), person, there, "group:member")
    adding = reverse("groups:subscribers_add", args=[public.pk])
    rows = Subscription.objects.filter(group=public)
    return Listed(subscribers_of(public), adding, unsubscribing(public, hotel), hotel, rows, "group:subscribers")


def role(client: Client, group: Group, person: Person, role: str) -> Any:
    return client.post(reverse("groups:user_role", args=[group.pk, person.pk]), {"role": role}, follow=True)


def roles_in(group: Group) -> dict[str, str]:
    return dict(Membership.objects.filter(group=group).values_list("person__names__name", "role"))


def test_it_lists_everybody_with_role_and_whether_they_are_registered(
    client: Client, group: Group, member: User, newcomer: Person
) -> None:
    page = client.get(users_of(group))
    told = text_of(page)
    assert told.index("Arjun Mehta") < told.index("Meera Nair") < told.index("Lakshmi Iyer")
    assert told.count("Not registered") == 2, "the filter, and one person"
    assert newcomer.number not in told
    assert f'href="{reverse("groups:person", args=[newcomer.pk])}"' in page.content.decode()


def fill(listed: Listed, group: Group, count: int) -> None:
    for number in range(count):
        listed.rows.create(group=group, person=make_person(f"Person {number}"))


def test_more_than_a_page_goes_on_by_key_also_after_a_form_with_errors(
    client: Client, public: Group, listed: Listed
) -> None:
    fill(listed, public, 60)
    wrong = listed.add(client, "nonsense")
    assert wrong.status_code == 400
    for page in (client.get(listed.page), wrong):
        second = text_of(next_page(client, page))
        assert "Person 59" in second
        assert "Person 5 " not in second
    forged = f"{listed.page}{'&' if '?' in listed.page else '?'}cursor=forged"
    assert client.get(forged)["Location"] == listed.page


def test_the_good_are_added_once_and_the_others_come_back_named(client: Client, listed: Listed) -> None:
    page = listed.add(client, f"12, +91 99300 00001;\r\n{listed.there.number}, tomorrow")
    assert page.status_code == 400
    assert "12: " in text_of(page)
    assert form_to(page, listed.adding).fields["numbers"] == ["12, tomorrow"]
    answer = listed.add(client, "+919930000001", follow=True)
    assert answer.redirect_chain == [(listed.page, 302)]
    assert {"+919930000001", listed.there.number} <= listed.numbers()
    assert AuditEvent.objects.filter(tag=f"{listed.tag}:added").count() == 1


def test_500_numbers_are_not_too_many_and_cost_no_more_queries_each(
    client: Client, listed: Listed, django_assert_max_num_queries: Any
) -> None:
    before = listed.rows.count()
    # SQLite takes 999 values in a statement, so what is written goes in some portions.
    with django_assert_max_num_queries(90):
        listed.add(client, ",".join(f"+9199300{number:05d}" for number in range(500)))
    assert listed.rows.count() == before + 500


@pytest.mark.parametrize("numbers", [" , ;\r\n,", ",".join(f"+9199300{number:05d}" for number in range(501))])
def test_no_number_and_too_many_at_once_are_refused_and_kept(client: Client, group: Group, numbers: str) -> None:
    before = everything()
    page = add(client, group, numbers)
    assert page.status_code == 400
    assert form_to(page, adding_to(group)).fields["numbers"] == [numbers]
    assert everything() == before


def test_a_member_is_promoted_and_demoted_each_once(client: Client, group: Group, member: User) -> None:
    for made in ("Admin", "Member"):
        for _click in range(2):
            role(client, group, person_of(member), made)
        assert roles_in(group)["Meera Nair"] == made
    assert AuditEvent.objects.filter(tag="group:member:changed").count() == 2


@pytest.mark.parametrize("forged", ["", "admin", "Admin\0"])
def test_a_role_that_is_none_changes_nothing(client: Client, group: Group, member: User, forged: str) -> None:
    before = everything()
    role(client, group, person_of(member), forged)
    assert everything() == before


def test_who_demotes_themselves_goes_on_as_a_member(
    client: Client, group: Group, group_admin: User, member: User
) -> None:
    role(client, group, person_of(member), "Admin")
    page = role(client, group, person_of(group_admin), "Member")
    assert page.status_code == 200
    assert "You are a member." in text_of(page)
    assert adding_to(group) not in page.content.decode()


def test_removing_asks_first_and_a_second_click_says_that_it_is_done(client: Client, listed: Listed) -> None:
    assert f'href="{listed.removing}"' in client.get(listed.page).content.decode()
    form = form_to(client.get(listed.removing), listed.removing)
    assert listed.there.number in listed.numbers()
    done = form.send(client, follow=True)
    assert done.redirect_chain == [(listed.page, 302)]
    assert listed.there.name in text_of(done)
    assert listed.there.number not in listed.numbers()
    assert "This person is no longer" in text_of(form.send(client, follow=True))
    assert AuditEvent.objects.filter(tag=f"{listed.tag}:removed").count() == 1


def test_the_last_admin_is_neither_demoted_nor_removed_and_is_told_so_before(
    client: Client, group: Group, group_admin: User
) -> None:
    me = person_of(group_admin)
    url, before = removing(group, me), everything()
    page = client.get(url)
    assert "Arjun Mehta is the last admin of this group." in text_of(page)
    assert f'action="{url}"' not in page.content.decode()
    assert "The last admin of a group cannot be removed" in text_of(client.post(url, follow=True))
    assert "The last admin of a group cannot be demoted" in text_of(role(client, group, me, "Member"))
    assert everything() == before


def test_who_removes_themselves_is_led_to_their_list(
    client: Client, group: Group, group_admin: User, member: User
) -> None:
    role(client, group, person_of(member), "Admin")
    answer = client.post(removing(group, person_of(group_admin)))
    assert answer["Location"] == reverse("groups:list")
    assert client.get(users_of(group)).status_code == 404


def test_a_longer_list_costs_no_more_queries(client: Client, public: Group, listed: Listed) -> None:
    few = count_queries(client, listed.page)
    fill(listed, public, 40)
    assert count_queries(client, listed.page) == few


@pytest.fixture
def crew(group: Group) -> list[Person]:
    """Three more people in the group, of whom nobody has signed in."""
    people = [make_person(f"Crew {n}") for n in range(3)]
    Membership.objects.bulk_create(Membership(group=group, person=person) for person in people)
    return people


def several(group: Group, people: list[Person], act: str, **query: str) -> str:
    chosen = [("person", str(person.pk)) for person in people]
    return f"{reverse('groups:users_several', args=[group.pk])}?{urlencode([*query.items(), *chosen, ('act', act)])}"


def named(page: Any) -> list[str]:
    """Who is in the list."""
    rows = re.findall(r'<th scope="row">.*?</th>', page.content.decode(), flags=re.DOTALL)
    return [
        name for name in ("Arjun Mehta", "Meera Nair", "Lakshmi Iyer", "Crew 0") if any(name in row for row in rows)
    ]


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


@pytest.mark.postgresql
def test_the_list_is_sorted_by_name_page_by_page(client: Client, group: Group) -> None:
    people = [make_person(f"Zoya {n:02}") for n in reversed(range(55))]
    Membership.objects.bulk_create(Membership(group=group, person=person) for person in people)

    def names(page: Any) -> list[str]:
        return re.findall(r">(Zoya \d\d|Arjun Mehta|Lakshmi Iyer)</a>", page.content.decode())

    first = client.get(users_of(group, sort="name"))
    whole = names(first) + names(next_page(client, first))
    assert whole == sorted(whole)
    assert len(whole) == 57
    assert names(client.get(users_of(group, sort="name", q="0 zoya"))) == [name for name in whole if "0" in name]
    assert names(client.get(users_of(group)))[0] == "Arjun Mehta"


def test_after_an_act_one_is_where_one_was(client: Client, group: Group, crew: list[Person]) -> None:
    place = users_of(group, q="crew", only="not-registered")
    html = unescape(client.get(place).content.decode())
    (role,) = re.findall(rf'action="(/[^"]*{crew[0].pk}/role/[^"]*)"', html)
    (leave,) = re.findall(rf'href="(/[^"]*{crew[1].pk}/remove/[^"]*)"', html)
    assert client.post(role, {"role": "Admin"})["Location"] == place
    asked = client.get(leave)
    assert f'href="{place}"' in unescape(asked.content.decode())
    assert form_to(asked, leave).send(client)["Location"] == place


def test_a_page_whose_people_are_all_removed_leads_to_the_first(client: Client, group: Group) -> None:
    people = [make_person(f"Many {n}") for n in range(50)]
    Membership.objects.bulk_create(Membership(group=group, person=person) for person in people)
    second = next_page(client, client.get(users_of(group)))
    shown = [person for person in people if f"/{person.pk}/" in second.content.decode()]
    Membership.objects.filter(person__in=shown).delete()
    address = second.wsgi_request.get_full_path()
    assert client.get(address)["Location"] == users_of(group)


def test_several_are_removed_after_one_look(client: Client, group: Group, member: User, crew: list[Person]) -> None:
    url = several(group, crew, "remove", q="crew")
    page = client.get(url)
    assert "Crew 2" in text_of(page)
    assert len(roles_in(group)) == 6
    done = form_to(page, url).send(client, follow=True)
    assert done.redirect_chain == [(users_of(group, q="crew"), 302)]
    assert set(roles_in(group)) == {"Arjun Mehta", "Meera Nair", "Lakshmi Iyer"}
    assert AuditEvent.objects.filter(tag="group:member:removed", group_id=group.pk).count() == 3


def test_several_are_made_admins_and_members_again(client: Client, group: Group, crew: list[Person]) -> None:
    for act, made in (("admin", "Admin"), ("member", "Member")):
        url = several(group, crew[:2], act)
        form = form_to(client.get(url), url)
        for _click in range(2):
            form.send(client)
        assert [roles_in(group)[f"Crew {n}"] for n in range(3)] == [made, made, "Member"]
    assert AuditEvent.objects.filter(tag="group:member:changed").count() == 4


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


def test_who_has_left_is_not_removed_once_more(group: Group, group_admin: User, crew: list[Person]) -> None:
    keys = [person.pk for person in crew]
    assert [one.person for one in members.remove_several(group=group, person_ids=keys, by=group_admin)] == crew
    assert members.remove_several(group=group, person_ids=keys, by=group_admin) == []


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


@pytest.mark.parametrize(
    ("pasted", "read"),
    [
        ("+919930000001,+919930000002;+919930000003\r\n+919930000004", 4),
        ("+91 99300 00001\t+91 99300 00002", 2),
        ("Asha Patil\t+91 99300 00001\r\nRavi Kale\t+91 99300 00002", 2),
        ("+91 99300 00001 +91 99300 00002", 2),
        ("+919930000001، +919930000002，+919930000003、+919930000004", 4),
        ("Asha Patil <+919930000001>", 1),
        ("\u202a+91 99300 00001\u202c", 1),
        ("Asha\tRavi", 1),
        (" , ;\n", 0),
    ],
)
def test_a_list_is_read_as_it_was_copied(pasted: str, read: int) -> None:
    assert len(NumbersField(required=False).clean(pasted)) == read


@pytest.mark.parametrize("door", ["users_add", "subscribers_add", "sub_groups", "create"])
def test_a_number_without_country_code_comes_back_with_the_readers_own_to_be_checked(
    client: Client, group: Group, group_admin: User, door: str
) -> None:
    there = make_public_group(organisation=group.organisation, admins=[group_admin])
    url = reverse(f"groups:{door}", args=[] if door == "create" else [there.pk])
    page = {"users_add": users_of(there), "subscribers_add": users_of(there, show="subscribers")}.get(door, url)
    before = everything()
    typed = {"numbers": "098765 43210, 12, 1112223333", **({"name": "Gate"} if page == url else {})}
    again = form_to(client.get(page), url).send(client, typed)
    told = text_of(again)
    assert "098765 43210: We added the country code: +91 98765 43210. Check and submit." in told
    assert "12: Please begin with + and the country code" in told
    assert "1112223333: Please begin with + and the country code" in told, "no number of this country"
    assert everything() == before
    form = form_to(again, url)
    assert form.fields["numbers"] == ["+91 98765 43210, 12, 1112223333"]
    form.send(client, {"numbers": "+91 98765 43210"})
    assert Person.objects.filter(number="+919876543210").exists()


def test_the_tab_leads_admins_to_them_and_they_are_listed(
    client: Client, public: Group, group: Group, hotel: Person
) -> None:
    assert f'href="{subscribers_of(public)}"' in client.get(users_of(public)).content.decode()
    page = client.get(subscribers_of(public))
    assert "Hotel Sagar" in text_of(page)
    assert "Meera Nair" not in text_of(page).split("Subscribers of Notices")[1]  # a member, no subscriber
    assert hotel.number not in page.content.decode()
    assert "show=subscribers" not in client.get(users_of(group)).content.decode()
    assert "Users of" in text_of(client.get(subscribers_of(group)))


def test_members_and_strangers_do_not_see_them(
    public: Group, member: User, stranger: User, outsider: User, browser_of: Browser
) -> None:
    browser = browser_of(member)
    assert "show=subscribers" not in browser.get(users_of(public)).content.decode()
    assert "Hotel Sagar" not in text_of(browser.get(subscribers_of(public)))
    for who in (stranger, outsider):
        assert browser_of(who).get(subscribers_of(public)).status_code == 404


def test_to_a_plain_group_nobody_is_added(client: Client, group: Group) -> None:
    before = everything()
    url = reverse("groups:subscribers_add", args=[group.pk])
    answer = client.post(url, {"numbers": "+919930000001"}, follow=True)
    assert answer.redirect_chain == [(users_of(group), 302)]
    assert "Only a managed public group (ConnectGroup) has subscribers." in text_of(answer)
    assert everything() == before


def test_who_is_a_user_alone_is_no_subscriber_and_who_is_both_stays_a_user(
    client: Client, public: Group, group: Group, member: User, hotel: Person
) -> None:
    person, before = person_of(member), everything()
    for where, who in ((public, person), (group, person), (group, hotel)):
        for send in (client.get, client.post):
            assert "This person is no longer a subscriber." in text_of(send(unsubscribing(where, who), follow=True))
    assert everything() == before
    Subscription.objects.create(group=public, person=person)
    client.post(unsubscribing(public, person))
    assert not public.subscriptions.filter(person=person).exists()
    assert public.memberships.filter(person=person).exists()


def test_after_a_removal_the_list_of_subscribers_is_where_it_was(client: Client, public: Group) -> None:
    nameless = make_person("", "+919930000041")
    Subscription.objects.create(group=public, person=nameless)
    place, url = f"{subscribers_of(public)}&q=99300", f"{unsubscribing(public, nameless)}?q=99300"
    assert f'href="{url}"' in client.get(place).content.decode()
    asked = client.get(url)
    assert f'href="{place}"' in unescape(asked.content.decode())
    assert "••" not in text_of(asked), "the number stands there for the name, and not once more"
    assert form_to(asked, url).send(client)["Location"] == place
