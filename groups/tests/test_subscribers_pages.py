"""The subscribers of a managed public group: its admins read who they are on its "Users" tab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Organisation, Person, User
from accounts.tests.factories import make_person
from connectors.tests.html_forms import text_of
from groups.models import Group, Subscription
from groups.tests.factories import make_group, person_of
from kaizala_console.tests.browser import assert_accessible
from kaizala_console.tests.looking import findings

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.fixture
def hotel() -> Person:
    return make_person("Hotel Sagar", "+919820000041")


@pytest.fixture
def public(organisation: Organisation, group_admin: User, member: User, hotel: Person) -> Group:
    made = make_group(
        "Notices",
        organisation=organisation,
        admins=[group_admin],
        members=[member],
        group_type=Group.Type.CONNECT,
    )
    Subscription.objects.create(group=made, person=hotel)
    return made


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


def users_of(group: Group) -> str:
    return reverse("groups:details", args=[group.pk])


def subscribers_of(group: Group) -> str:
    return f"{users_of(group)}?show=subscribers"


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


def test_a_plain_group_has_none_and_does_not_offer_them(client: Client, group: Group) -> None:
    assert "show=subscribers" not in client.get(users_of(group)).content.decode()
    assert "Users of" in text_of(client.get(subscribers_of(group)))


@pytest.mark.parametrize("words", ["sagar", "20000041", "zzz", "%", "\0nobody", "x" * 5000])
def test_search_finds_by_a_part_of_the_name_or_the_number(
    client: Client, public: Group, group_admin: User, words: str
) -> None:
    Subscription.objects.create(group=public, person=person_of(group_admin))
    told = text_of(client.get(users_of(public), {"show": "subscribers", "q": words}))
    assert ("Hotel Sagar" in told) is (words in ("sagar", "20000041"))
    assert ("Nobody matches" in told) is (words not in ("sagar", "20000041"))


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


def test_nobody_yet_says_how_they_come(client: Client, public: Group) -> None:
    Subscription.objects.all().delete()
    page = client.get(subscribers_of(public))
    assert "Nobody follows this group yet" in text_of(page)
    assert f'href="{reverse("groups:bulk", args=[public.pk])}"' in page.content.decode()


@pytest.mark.journey
def test_the_page_is_fit_to_be_seen_and_searched_by_keys(
    open_page: Callable[..., Any], public: Group, group_admin: User
) -> None:
    page = open_page(user=group_admin, width=360)
    page.goto(users_of(public))
    page.get_by_role("link", name="Subscribers").press("Enter")
    page.get_by_role("heading", name="Subscribers").wait_for()
    assert findings(page) == []
    assert_accessible(page)
    page.get_by_role("searchbox", name="Search by name or number").fill("sagar")
    page.keyboard.press("Enter")
    page.wait_for_url("**show=subscribers&q=sagar")
    assert page.get_by_text("Hotel Sagar").is_visible()
