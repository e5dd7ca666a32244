""" "Create group" and "Create sub-group": what bad input gets, twice is once, and nothing typed is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Person, User
from accounts.services import reauthentication
from connectors.tests.html_forms import HtmlForm, form_to, text_of
from groups.models import Group, GroupLink, Membership
from groups.tests.factories import make_group, person_of
from groups.tests.pages import sign_in_is_asked

pytestmark = pytest.mark.django_db

CREATE = "/console/groups/create/"
TYPED = {
    "name": "Safety",
    "numbers": "+91 98765 43210; +919930000001\r\n+91 98765 43210",
    "welcome_message": "Welcome!\r\nRead the rules.",
}

Browser = Callable[..., Client]


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


def form_on(client: Client, url: str = CREATE) -> HtmlForm:
    return form_to(client.get(url), url)


def sub_groups_of(group: Group) -> str:
    return reverse("groups:sub_groups", args=[group.pk])


def come_back(client: Client, user: User, answer: Any) -> Any:
    """Signs in again and goes on to where the sign-in leads."""
    assert sign_in_is_asked(answer)
    client.force_login(user)
    session = client.session
    reauthentication.remember_confirmation(session, user)
    session.save()
    from urllib.parse import parse_qs, urlsplit

    return client.get(parse_qs(urlsplit(answer["Location"]).query)["next"][0])


# The way through -----------------------------------------------------------------------------------------------------


def test_its_maker_is_the_admin_and_the_numbers_are_its_members(client: Client, group_admin: User) -> None:
    answer = form_on(client).send(client, TYPED)
    group = Group.objects.get()
    assert answer["Location"] == reverse("groups:details", args=[group.pk])
    assert (group.name, group.group_type, group.organisation) == ("Safety", "Group", group_admin.organisation)
    assert group.welcome_message == "Welcome!\nRead the rules."
    roles = dict(Membership.objects.values_list("person__number", "role"))
    admin = person_of(group_admin).number
    assert roles == {admin: "Admin", "+919876543210": "Member", "+919930000001": "Member"}
    page = client.get(answer["Location"])
    assert "“Safety” created. You are its admin." in text_of(page)
    assert AuditEvent.objects.get(tag="group:account:created").actor_name == group_admin.name
    assert AuditEvent.objects.filter(tag="group:member:added", group_id=group.pk).count() == 2


def test_a_private_group_belongs_to_no_organisation(client: Client) -> None:
    form_on(client).send(client, {**TYPED, "is_private": "on"})
    assert Group.objects.get().organisation is None
    assert not AuditEvent.objects.filter(group_id=Group.objects.get().pk, organisation__isnull=False).exists()


def test_a_managed_public_group_is_made_by_an_organisation_admin(organisation_admin: User, browser_of: Browser) -> None:
    client = browser_of(organisation_admin)
    form_on(client).send(client, {**TYPED, "group_type": "ConnectGroup"})
    assert Group.objects.get().group_type == "ConnectGroup"


def test_nobody_else_makes_one_by_a_forged_field(client: Client) -> None:
    form = form_on(client)
    assert "group_type" not in form.fields
    form.send(client, {**TYPED, "group_type": "ConnectGroup"})
    assert Group.objects.get().group_type == "Group"


def test_a_sub_group_stands_under_its_group(client: Client, group: Group, group_admin: User) -> None:
    url = sub_groups_of(group)
    answer = form_on(client, url).send(client, {"name": "Gate", "numbers": "+919930000001"})
    assert answer["Location"] == url
    made = GroupLink.objects.get(parent=group).child
    assert (made.name, made.organisation) == ("Gate", group.organisation)
    assert Membership.objects.get(group=made, role="Admin").person == person_of(group_admin)
    assert "Gate" in text_of(client.get(url))
    assert AuditEvent.objects.filter(tag="group:subgroup:linked").count() == 1


def test_an_organisation_admin_makes_sub_groups_too(
    group: Group, organisation_admin: User, browser_of: Browser
) -> None:
    client = browser_of(organisation_admin)
    form_on(client, sub_groups_of(group)).send(client, {"name": "Gate"})
    assert Membership.objects.get(group__name="Gate").person == person_of(organisation_admin)


# What bad input gets --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "", "Enter a name for the group."),
        ("name", " \t\r\n ", "Enter a name for the group."),
        ("name", "n" * 121, "at most 120 characters"),
        ("name", "nul\0", "Null characters are not allowed"),
        ("welcome_message", "w" * 501, "at most 500 characters"),
        ("numbers", ",".join(["+919930000001"] * 501), "At most 500 numbers at once, not"),
    ],
)
def test_it_says_what_is_wrong_and_keeps_the_rest(client: Client, field: str, value: str, says: str) -> None:
    page = form_on(client).send(client, {**TYPED, field: value})
    assert page.status_code == 400
    assert says in text_of(page)
    again = form_to(page, CREATE)
    assert all(again.fields[name] == [typed] for name, typed in TYPED.items() if name != field)
    assert not Group.objects.exists()


def test_numbers_that_cannot_be_one_are_named_one_by_one_and_nothing_is_made_yet(client: Client) -> None:
    page = form_on(client).send(client, {**TYPED, "numbers": "12, +919930000001, tomorrow, +1 23"})
    assert page.status_code == 400
    told = text_of(page)
    for number in ("12: ", "tomorrow: ", "+1 23: "):
        assert number in told
    assert "+919930000001: " not in told
    assert not Group.objects.exists()
    assert not Person.objects.filter(number="+919930000001").exists()


def test_a_sub_group_asks_for_a_name_and_keeps_the_numbers(client: Client, group: Group) -> None:
    url = sub_groups_of(group)
    page = form_on(client, url).send(client, {"name": "", "numbers": "+919930000001"})
    assert "Enter a name for the sub-group." in text_of(page)
    assert form_to(page, url).fields["numbers"] == ["+919930000001"]
    assert '<details class="adder" open>' in page.content.decode()
    assert not GroupLink.objects.exists()


def test_a_sub_group_names_the_numbers_that_cannot_be_one(client: Client, group: Group) -> None:
    page = form_on(client, sub_groups_of(group)).send(client, {"name": "Gate", "numbers": "12, +919930000001"})
    assert "12: " in text_of(page)
    assert not GroupLink.objects.exists()


def test_markup_in_a_name_is_text(client: Client) -> None:
    form_on(client).send(client, {**TYPED, "name": '<b>"bold"</b>'})
    page = client.get(reverse("groups:list"))
    assert '<b>"bold"' not in page.content.decode()
    assert '<b>"bold"</b>' in text_of(page)


# Twice ---------------------------------------------------------------------------------------------------------------


def test_a_double_click_makes_one_group(client: Client) -> None:
    form = form_on(client)
    answers = [form.send(client, TYPED) for _ in range(2)]
    assert Group.objects.count() == 1
    assert answers[0]["Location"] == answers[1]["Location"]
    assert AuditEvent.objects.filter(tag="group:account:created").count() == 1
    assert Membership.objects.count() == 3


def test_a_double_click_makes_one_sub_group(client: Client, group: Group) -> None:
    form = form_on(client, sub_groups_of(group))
    for _ in range(2):
        form.send(client, {"name": "Gate", "numbers": "+919930000001"})
    assert Group.objects.filter(name="Gate").count() == 1
    assert GroupLink.objects.count() == 1


def test_whoever_goes_back_and_changes_the_name_makes_another_group(client: Client) -> None:
    form = form_on(client)
    form.send(client, TYPED)
    form.send(client, {**TYPED, "name": "Safety, second floor"})
    assert sorted(Group.objects.values_list("name", flat=True)) == ["Safety", "Safety, second floor"]


def test_the_form_of_one_group_makes_a_sub_group_of_another(client: Client, group: Group, group_admin: User) -> None:
    other = make_group("Other", organisation=group.organisation, admins=[group_admin])
    form = form_on(client, sub_groups_of(group))
    form.send(client, {"name": "Gate"})
    form.send(client, {"name": "Gate"}, to=sub_groups_of(other))
    assert {link.parent for link in GroupLink.objects.all()} == {group, other}


def test_somebody_elses_form_key_makes_a_group_of_ones_own(client: Client, stranger: User, browser_of: Browser) -> None:
    form = form_on(client)
    form.send(client, TYPED)
    theirs = form.send(browser_of(stranger), TYPED)
    assert Group.objects.count() == 2
    assert browser_of(stranger).get(theirs["Location"]).status_code == 200


def test_a_form_key_that_is_none_still_makes_the_group(client: Client) -> None:
    form = form_on(client)
    for key in ("", "short", "é" * 40, "k" * 4000):
        form.send(client, {**TYPED, "name": f"Key {len(key)}", "idempotency_key": key})
    assert Group.objects.count() == 4


# A lost session -------------------------------------------------------------------------------------------------------
