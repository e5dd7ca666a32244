"""The "Users" tab: adding by phone number, roles, removing; never the last admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Person, User
from accounts.tests.factories import make_person
from connectors.tests.html_forms import form_to, text_of
from groups.models import Group, Membership
from groups.tests.factories import make_group, person_of
from groups.tests.pages import everything

pytestmark = pytest.mark.django_db

Browser = Callable[..., Client]


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


def users_of(group: Group) -> str:
    return reverse("groups:details", args=[group.pk])


def adding_to(group: Group) -> str:
    return reverse("groups:users_add", args=[group.pk])


def add(client: Client, group: Group, numbers: str, **options: Any) -> Any:
    return form_to(client.get(users_of(group)), adding_to(group)).send(client, {"numbers": numbers}, **options)


def role(client: Client, group: Group, person: Person, role: str) -> Any:
    return client.post(reverse("groups:user_role", args=[group.pk, person.pk]), {"role": role}, follow=True)


def removing(group: Group, person: Person) -> str:
    return reverse("groups:user_remove", args=[group.pk, person.pk])


def roles_in(group: Group) -> dict[str, str]:
    return dict(Membership.objects.filter(group=group).values_list("person__names__name", "role"))


# Who is there ---------------------------------------------------------------------------------------------------------


def test_it_lists_everybody_with_role_and_whether_they_are_registered(
    client: Client, group: Group, member: User, newcomer: Person
) -> None:
    told = text_of(client.get(users_of(group)))
    assert told.index("Arjun Mehta") < told.index("Meera Nair") < told.index("Lakshmi Iyer")
    assert told.count("Not registered") == 2, "the filter, and one person"
    assert newcomer.number not in told


def test_everybody_who_is_listed_leads_to_a_page_that_the_reader_may_open(
    group: Group, member: User, newcomer: Person, browser_of: Browser
) -> None:
    browser = browser_of(member)
    html = browser.get(users_of(group)).content.decode()
    for person in Person.objects.filter(memberships__group=group):
        url = reverse("groups:person", args=[person.pk])
        assert f'href="{url}"' in html
        assert browser.get(url).status_code == 200


@pytest.mark.parametrize("words", ["lakshmi", "IYER", "number"])
def test_search_finds_by_a_part_of_the_name_or_the_number(
    client: Client, group: Group, newcomer: Person, words: str
) -> None:
    q = newcomer.number[-8:] if words == "number" else words
    told = text_of(client.get(users_of(group), {"q": q}))
    assert "Lakshmi Iyer" in told
    assert "Meera Nair" not in told
    assert f"Search: {q}" in told


def test_more_than_a_page_goes_on_by_key_also_after_a_form_with_errors(client: Client, group: Group) -> None:
    Membership.objects.bulk_create(
        Membership(group=group, person=make_person(f"Person {number}")) for number in range(60)
    )
    page = add(client, group, "nonsense")
    assert page.status_code == 400
    older = [part.split('"')[0] for part in page.content.decode().split('href="')[1:] if "cursor=" in part]
    assert len(older) == 1
    second = client.get(older[0])
    assert second.status_code == 200
    assert "Person 59" in text_of(second)
    assert "Arjun Mehta" not in text_of(second).split("Users of")[1]


# Adding ---------------------------------------------------------------------------------------------------------------


def test_everybody_is_added_whose_number_can_be_one(client: Client, group: Group, newcomer: Person) -> None:
    answer = add(client, group, f"+91 98765 43210, {newcomer.number};\r\n+919930000001", follow=True)
    assert "2 people added. " in text_of(answer)
    assert "1 person was already in the group." in text_of(answer)
    assert Membership.objects.filter(group=group).count() == 5
    assert AuditEvent.objects.filter(tag="group:member:added", group_id=group.pk).count() == 2


def test_the_good_are_added_and_the_others_are_named_one_by_one(client: Client, group: Group) -> None:
    page = add(client, group, "12, +919930000001, tomorrow")
    assert page.status_code == 400
    told = text_of(page)
    assert "1 person added." in told
    assert "12: " in told
    assert "tomorrow: " in told
    assert form_to(page, adding_to(group)).fields["numbers"] == ["12, tomorrow"]
    assert Membership.objects.filter(group=group, person__number="+919930000001").exists()


@pytest.mark.parametrize("numbers", ["", "  ", " , ;\r\n,"])
def test_without_a_number_it_asks_for_one(client: Client, group: Group, numbers: str) -> None:
    before = everything()
    page = add(client, group, numbers)
    assert "Enter at least one phone number." in text_of(page)
    assert everything() == before


def test_too_many_at_once_are_refused_and_kept(client: Client, group: Group) -> None:
    numbers = ",".join(f"+9199300{number:05d}" for number in range(501))
    page = add(client, group, numbers)
    assert "At most 500 numbers at once, not" in text_of(page)
    assert form_to(page, adding_to(group)).fields["numbers"] == [numbers]
    assert Membership.objects.filter(group=group).count() == 3


def test_500_numbers_are_not_too_many_and_cost_no_more_queries_each(
    client: Client, group: Group, django_assert_max_num_queries: Any
) -> None:
    # SQLite takes 999 values in a statement, so what is written goes in some portions.
    with django_assert_max_num_queries(90):
        add(client, group, ",".join(f"+9199300{number:05d}" for number in range(500)))
    assert Membership.objects.filter(group=group).count() == 503


def test_a_double_click_adds_nobody_twice(client: Client, group: Group) -> None:
    for _ in range(2):
        answer = add(client, group, "+919930000001", follow=True)
    assert "1 person was already in the group." in text_of(answer)
    assert Membership.objects.filter(group=group).count() == 4
    assert AuditEvent.objects.filter(tag="group:member:added").count() == 1


# Roles ----------------------------------------------------------------------------------------------------------------


def test_a_member_is_promoted_and_demoted(client: Client, group: Group, member: User) -> None:
    assert "Meera Nair is now an admin." in text_of(role(client, group, person_of(member), "Admin"))
    assert "Meera Nair is now a member." in text_of(role(client, group, person_of(member), "Member"))
    assert roles_in(group)["Meera Nair"] == "Member"
    assert AuditEvent.objects.filter(tag="group:member:changed").count() == 2


def test_a_double_click_changes_a_role_once(client: Client, group: Group, member: User) -> None:
    for _ in range(2):
        role(client, group, person_of(member), "Admin")
    assert AuditEvent.objects.filter(tag="group:member:changed").count() == 1


@pytest.mark.parametrize("forged", ["", "Owner", "admin", "Admin\0"])
def test_a_role_that_is_none_changes_nothing(client: Client, group: Group, member: User, forged: str) -> None:
    before = everything()
    assert "Choose “Make admin” or “Make member”." in text_of(role(client, group, person_of(member), forged))
    assert everything() == before


def test_the_last_admin_stays_an_admin(client: Client, group: Group, group_admin: User) -> None:
    before = everything()
    told = text_of(role(client, group, person_of(group_admin), "Member"))
    assert "The last admin of a group cannot be demoted" in told
    assert everything() == before


def test_who_demotes_themselves_goes_on_as_a_member(
    client: Client, group: Group, group_admin: User, member: User
) -> None:
    role(client, group, person_of(member), "Admin")
    page = role(client, group, person_of(group_admin), "Member")
    assert page.status_code == 200
    assert "You are a member." in text_of(page)
    assert adding_to(group) not in page.content.decode()


# Removing -------------------------------------------------------------------------------------------------------------


def test_removing_asks_first_and_tells_what_happens(client: Client, group: Group, member: User) -> None:
    url = removing(group, person_of(member))
    page = client.get(url)
    assert "They lose access to the group at once." in text_of(page)
    assert "Meera Nair" in roles_in(group)
    done = form_to(page, url).send(client, follow=True)
    assert "Meera Nair removed from the group." in text_of(done)
    assert "Meera Nair" not in roles_in(group)
    assert AuditEvent.objects.get(tag="group:member:removed").group_id == group.pk


def test_a_double_click_removes_once_and_says_so(client: Client, group: Group, member: User) -> None:
    form = form_to(client.get(removing(group, person_of(member))), removing(group, person_of(member)))
    form.send(client)
    client.get(users_of(group))
    again = form.send(client, follow=True)
    assert "This person is no longer in the group." in text_of(again)
    assert AuditEvent.objects.filter(tag="group:member:removed").count() == 1


def test_the_last_admin_is_not_removed_and_is_told_so_before(client: Client, group: Group, group_admin: User) -> None:
    url = removing(group, person_of(group_admin))
    page = client.get(url)
    assert "Arjun Mehta is the last admin of this group." in text_of(page)
    assert f'action="{url}"' not in page.content.decode()
    before = everything()
    told = text_of(client.post(url, follow=True))
    assert "The last admin of a group cannot be removed" in told
    assert everything() == before


def test_who_removes_themselves_is_led_to_their_list(
    client: Client, group: Group, group_admin: User, member: User
) -> None:
    role(client, group, person_of(member), "Admin")
    answer = client.post(removing(group, person_of(group_admin)))
    assert answer["Location"] == reverse("groups:list")
    page = client.get(answer["Location"])
    assert "Arjun Mehta removed from the group." in text_of(page)
    assert client.get(users_of(group)).status_code == 404


def test_a_member_of_another_group_is_not_removed_through_this_one(
    client: Client, group: Group, stranger: User, group_admin: User
) -> None:
    other = make_group("Other", organisation=group.organisation, admins=[group_admin], members=[stranger])
    client.post(removing(group, person_of(stranger)))
    assert "Sunil Verma" in roles_in(other)


def test_a_longer_list_costs_no_more_queries(client: Client, group: Group, django_assert_max_num_queries: Any) -> None:
    def cost() -> int:
        with django_assert_max_num_queries(30) as seen:
            client.get(users_of(group))
        return len(seen.captured_queries)

    few = cost()
    Membership.objects.bulk_create(Membership(group=group, person=make_person(f"P {n}")) for n in range(40))
    assert cost() == few
