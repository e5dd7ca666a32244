"""The subscribers of a managed public group: its admins read who they are on its "Users" tab, add and remove them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Organisation, Person, User
from accounts.tests.factories import make_person
from connectors.tests.html_forms import form_to, text_of
from groups.models import Group, Subscription
from groups.tests.factories import make_public_group, person_of
from groups.tests.pages import everything

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.fixture
def hotel() -> Person:
    return make_person("Hotel Sagar", "+919820000041")


@pytest.fixture
def public(organisation: Organisation, group_admin: User, member: User, hotel: Person) -> Group:
    return make_public_group(organisation=organisation, admins=[group_admin], members=[member], subscribers=[hotel])


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


def users_of(group: Group) -> str:
    return reverse("groups:details", args=[group.pk])


def subscribers_of(group: Group) -> str:
    return f"{users_of(group)}?show=subscribers"


def adding_to(group: Group) -> str:
    return reverse("groups:subscribers_add", args=[group.pk])


def removing(group: Group, person: Person) -> str:
    return reverse("groups:subscriber_remove", args=[group.pk, person.pk])


def add(client: Client, group: Group, numbers: str, **options: Any) -> Any:
    return form_to(client.get(subscribers_of(group)), adding_to(group)).send(client, {"numbers": numbers}, **options)


def followers(group: Group) -> set[str]:
    return set(Subscription.objects.filter(group=group).values_list("person__number", flat=True))


# Who they are ---------------------------------------------------------------------------------------------------------


def test_the_tab_leads_admins_to_them_and_they_are_listed(client: Client, public: Group, hotel: Person) -> None:
    assert f'href="{subscribers_of(public)}"' in client.get(users_of(public)).content.decode()
    page = client.get(subscribers_of(public))
    assert "Subscribers of Notices" in text_of(page)
    assert "Hotel Sagar" in text_of(page)
    assert "Meera Nair" not in text_of(page).split("Subscribers of Notices")[1]  # a member, no subscriber
    assert hotel.number not in page.content.decode()


def test_members_and_strangers_do_not_see_them(
    public: Group, member: User, stranger: User, outsider: User, browser_of: Browser
) -> None:
    browser = browser_of(member)
    assert "show=subscribers" not in browser.get(users_of(public)).content.decode()
    assert "Hotel Sagar" not in text_of(browser.get(subscribers_of(public)))
    for who in (stranger, outsider):
        assert browser_of(who).get(subscribers_of(public)).status_code == 404


def test_more_than_a_page_goes_on_by_key_and_a_forged_mark_to_the_first(client: Client, public: Group) -> None:
    Subscription.objects.bulk_create(
        Subscription(group=public, person=make_person(f"Follower {number}")) for number in range(60)
    )
    first = client.get(subscribers_of(public))
    (older,) = (part.split('"')[0] for part in first.content.decode().split('href="')[1:] if "cursor=" in part)
    second = text_of(client.get(older.replace("&amp;", "&")))
    assert "Follower 59" in second
    assert "Hotel Sagar" not in second
    forged = client.get(users_of(public), {"show": "subscribers", "cursor": "forged"})
    assert forged["Location"] == subscribers_of(public)


# Adding ---------------------------------------------------------------------------------------------------------------


def test_everybody_is_added_whose_number_can_be_one(client: Client, public: Group, hotel: Person) -> None:
    answer = add(client, public, f"+91 98765 43210, {hotel.number};\r\n+919930000001", follow=True)
    told = text_of(answer)
    assert "2 subscribers added." in told
    assert "1 person was already a subscriber." in told
    assert answer.redirect_chain == [(subscribers_of(public), 302)]
    assert followers(public) == {"+919876543210", hotel.number, "+919930000001"}
    assert AuditEvent.objects.get(tag="group:subscribers:added").after["count"] == 2
    assert public.memberships.count() == 2


def test_the_good_are_added_and_the_others_are_named_one_by_one(client: Client, public: Group) -> None:
    page = add(client, public, "12, +919930000001, tomorrow")
    assert page.status_code == 400
    told = text_of(page)
    assert "1 subscriber added." in told
    assert "12: " in told
    assert "tomorrow: " in told
    assert form_to(page, adding_to(public)).fields["numbers"] == ["12, tomorrow"]
    assert "Subscribers of Notices" in told
    assert "+919930000001" in followers(public)


def test_a_double_click_adds_nobody_twice(client: Client, public: Group) -> None:
    for _ in range(2):
        answer = add(client, public, "+919930000001", follow=True)
    assert "1 person was already a subscriber." in text_of(answer)
    assert AuditEvent.objects.filter(tag="group:subscribers:added").count() == 1


def test_many_numbers_cost_no_more_queries_each(
    client: Client, public: Group, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(60):
        add(client, public, ",".join(f"+9199300{number:05d}" for number in range(500)))
    assert public.subscriptions.count() == 501


def test_to_a_plain_group_nobody_is_added(client: Client, group: Group) -> None:
    before = everything()
    answer = client.post(adding_to(group), {"numbers": "+919930000001"}, follow=True)
    assert answer.redirect_chain == [(users_of(group), 302)]
    assert "Only a managed public group (ConnectGroup) has subscribers." in text_of(answer)
    assert everything() == before


# Removing -------------------------------------------------------------------------------------------------------------


def test_removing_asks_first_and_tells_what_happens(client: Client, public: Group, hotel: Person) -> None:
    url = removing(public, hotel)
    assert f'href="{url}"' in client.get(subscribers_of(public)).content.decode()
    page = client.get(url)
    assert "They no longer get posts for subscribers." in text_of(page)
    assert followers(public) == {hotel.number}
    done = form_to(page, url).send(client, follow=True)
    assert done.redirect_chain == [(subscribers_of(public), 302)]
    assert "Hotel Sagar is no longer a subscriber." in text_of(done)
    assert followers(public) == set()
    assert AuditEvent.objects.get(tag="group:subscribers:removed").group_id == public.pk


def test_a_double_click_removes_once_and_says_so(client: Client, public: Group, hotel: Person) -> None:
    form = form_to(client.get(removing(public, hotel)), removing(public, hotel))
    form.send(client)
    client.get(subscribers_of(public))
    assert "This person is no longer a subscriber." in text_of(form.send(client, follow=True))
    assert AuditEvent.objects.filter(tag="group:subscribers:removed").count() == 1


def test_who_is_a_user_too_stays_one(client: Client, public: Group, member: User) -> None:
    Subscription.objects.create(group=public, person=person_of(member))
    client.post(removing(public, person_of(member)))
    assert not public.subscriptions.filter(person=person_of(member)).exists()
    assert public.memberships.filter(person=person_of(member)).exists()


def test_after_a_removal_the_list_is_where_it_was(client: Client, public: Group) -> None:
    nameless = make_person("", "+919930000041")
    Subscription.objects.create(group=public, person=nameless)
    place = f"{subscribers_of(public)}&q=99300"
    page = client.get(place)
    url = f"{removing(public, nameless)}?q=99300"
    assert f'href="{url}"' in page.content.decode()
    asked = client.get(url)
    assert f'href="{place.replace("&", "&amp;")}"' in asked.content.decode()
    assert "••" not in text_of(asked), "the number stands there for the name, and not once more"
    assert form_to(asked, url).send(client)["Location"] == place


def test_who_is_no_subscriber_is_not_found_among_them(
    client: Client, public: Group, group: Group, member: User, hotel: Person
) -> None:
    before = everything()
    for where, who in ((public, person_of(member)), (group, person_of(member)), (group, hotel)):
        for send in (client.get, client.post):
            assert "This person is no longer a subscriber." in text_of(send(removing(where, who), follow=True))
    assert everything() == before


def test_a_longer_list_costs_no_more_queries(client: Client, public: Group, django_assert_max_num_queries: Any) -> None:
    def cost() -> int:
        with django_assert_max_num_queries(30) as seen:
            client.get(subscribers_of(public))
        return len(seen.captured_queries)

    few = cost()
    Subscription.objects.bulk_create(Subscription(group=public, person=make_person(f"P {n}")) for n in range(40))
    assert cost() == few


# In a browser ---------------------------------------------------------------------------------------------------------


def test_a_plain_group_has_none_and_does_not_offer_them(client: Client, group: Group) -> None:
    assert "show=subscribers" not in client.get(users_of(group)).content.decode()
    assert "Users of" in text_of(client.get(subscribers_of(group)))


def test_after_a_form_with_errors_the_list_goes_on_among_the_subscribers(client: Client, public: Group) -> None:
    Subscription.objects.bulk_create(
        Subscription(group=public, person=make_person(f"Follower {number}")) for number in range(60)
    )
    page = add(client, public, "nonsense")
    (older,) = (part.split('"')[0] for part in page.content.decode().split('href="')[1:] if "cursor=" in part)
    assert "Follower 59" in text_of(client.get(older.replace("&amp;", "&")))
