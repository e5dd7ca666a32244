"""Phone numbers as people have them at hand: from a spreadsheet, from their contacts, and without a country code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.tests.html_forms import form_to, text_of
from groups.models import Group, Membership
from groups.tests.factories import make_public_group
from groups.views.forms import NumbersField

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


def numbers_in(group: Group) -> set[str]:
    return set(Membership.objects.filter(group=group).values_list("person__number", flat=True))


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


DOORS = {"add": "groups:users_add", "sub_group": "groups:sub_groups", "create": "groups:create"}


@pytest.mark.parametrize("door", DOORS)
def test_a_number_without_country_code_comes_back_with_the_readers_own_to_be_checked(
    client: Client, group: Group, door: str
) -> None:
    ids = [] if door == "create" else [group.pk]
    url = reverse(DOORS[door], args=ids)
    page = reverse("groups:details", args=ids) if door == "add" else url
    before = Membership.objects.count()
    typed = {"numbers": "098765 43210, 12, 1112223333", **({} if door == "add" else {"name": "Gate"})}
    again = form_to(client.get(page), url).send(client, typed)
    told = text_of(again)
    assert "098765 43210: We added the country code: +91 98765 43210. Check and submit." in told
    assert "12: Please begin with + and the country code" in told
    assert "1112223333: Please begin with + and the country code" in told, "no number of this country"
    assert Membership.objects.count() == before
    form = form_to(again, url)
    assert form.fields["numbers"] == ["+91 98765 43210, 12, 1112223333"]
    form.send(client, {"numbers": "+91 98765 43210"})
    assert "+919876543210" in set(Membership.objects.values_list("person__number", flat=True))


def test_of_several_the_good_are_added_and_the_others_wait_for_a_look(client: Client, group: Group) -> None:
    url = reverse("groups:users_add", args=[group.pk])
    page = form_to(client.get(reverse("groups:details", args=[group.pk])), url)
    again = page.send(client, {"numbers": "+919930000001, 98765 43210"})
    assert "1 person added." in text_of(again)
    assert form_to(again, url).fields["numbers"] == ["+91 98765 43210"]
    form_to(again, url).send(client)
    assert {"+919930000001", "+919876543210"} <= numbers_in(group)


def test_subscribers_are_asked_for_in_the_same_way(group_admin: User, client: Client, group: Group) -> None:
    public: Any = make_public_group(organisation=group.organisation, admins=[group_admin])
    url = reverse("groups:subscribers_add", args=[public.pk])
    page = client.get(reverse("groups:details", args=[public.pk]) + "?show=subscribers")
    again = form_to(page, url).send(client, {"numbers": "98765 43210"})
    assert "We added the country code: +91 98765 43210." in text_of(again)
    form_to(again, url).send(client)
    assert public.subscriptions.get().person.number == "+919876543210"
