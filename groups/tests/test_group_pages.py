"""The list of groups, the directory and a group's history; "Create group" and "Create sub-group"."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Organisation, Person, User
from accounts.tests.factories import make_person
from connectors.tests.factories import make_connector
from connectors.tests.html_forms import HtmlForm, form_to, text_of
from groups.models import Group, GroupLink, Membership
from groups.services import members
from groups.tests.conftest import Browser
from groups.tests.factories import make_group, person_of
from groups.tests.pages import count_statements, titles_of
from kaizala_console.lib import clock, ids

pytestmark = pytest.mark.django_db
LIST = "/console/groups/"
DIRECTORY = "/console/directory/"


def people_on(page: Any) -> list[str]:
    return re.findall(r'<span class="person-words"><(?:span|a href="[^"]*")>([^<]+)</', page.content.decode())


def test_who_is_in_many_groups_sees_those_that_they_run(
    client: Client, group: Group, group_admin: User, stranger: User, organisation_admin: User, browser_of: Browser
) -> None:
    organisation = group.organisation
    make_group("Alpha", organisation=organisation, admins=[stranger], members=[group_admin])
    make_group("Foreign", admins=[stranger])
    admins = browser_of(organisation_admin)
    assert titles_of(client.get(LIST)) == titles_of(admins.get(LIST)) == ["Alpha", "Night Shift"]
    assert titles_of(client.get(LIST, {"only": "run"})) == ["Night Shift"]
    assert titles_of(client.get(LIST, {"only": "forged"})) == ["Alpha", "Night Shift"]
    assert titles_of(admins.get(LIST, {"only": "run"})) == []
    make_group("Own", organisation=organisation, admins=[organisation_admin])
    assert titles_of(admins.get(LIST, {"only": "run"})) == ["Own"]


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


@pytest.mark.postgresql
def test_it_lists_ones_own_groups_by_name_with_role_and_counts(
    client: Client, group: Group, group_admin: User, stranger: User, organisation: Organisation
) -> None:
    make_group("Alpha", organisation=organisation, admins=[stranger], members=[group_admin])
    make_group("Not mine", organisation=organisation, admins=[stranger])
    make_group("Zulu", admins=[group_admin])
    page = client.get(LIST)
    assert titles_of(page) == ["Alpha", "Night Shift", "Zulu"]
    assert "Group, private" in text_of(page)
    rows = text_of(page).split("Your groups")[1]
    assert (rows.count("Member"), rows.count("Admin")) == (1, 2)
    assert (
        titles_of(client.get(LIST, {"q": str(group.pk)}))
        == titles_of(client.get(LIST, {"q": "SHIFT"}))
        == ["Night Shift"]
    )


def test_a_group_of_others_is_not_found_by_its_id(client: Client, organisation: Organisation) -> None:
    hidden = make_group("Hidden", organisation=organisation)
    for key in (hidden.pk, ids.new_id()):
        assert "No matches" in text_of(client.get(LIST, {"q": str(key)}))


@pytest.mark.postgresql
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


@pytest.mark.parametrize("name", ["list", "directory", "sub_groups", "activity"])
def test_longer_lists_cost_no_more_queries(client: Client, group: Group, group_admin: User, name: str) -> None:
    url = reverse(f"groups:{name}", args=[group.pk] if name in ("sub_groups", "activity") else [])
    make_group("Gate", organisation=group.organisation, admins=[group_admin], under=group)
    members.add(group=group, numbers=["+919930000001"], by=group_admin)
    few = count_statements(client, url)
    for number in range(20):
        make_group(f"Gate {number}", organisation=group.organisation, admins=[group_admin], under=group)
    members.add(group=group, numbers=[f"+9199300001{number:02}" for number in range(60)], by=group_admin)
    assert count_statements(client, url) == few


# Sub-groups -----------------------------------------------------------------------------------------------------------


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


def test_the_directory_lists_everybody_in_ones_groups_once(
    client: Client, group: Group, group_admin: User, member: User, stranger: User, organisation: Organisation
) -> None:
    make_group("Second", organisation=organisation, admins=[group_admin], members=[member])
    make_group("Not mine", organisation=organisation, admins=[stranger])
    assert people_on(client.get(DIRECTORY)) == ["Arjun Mehta", "Lakshmi Iyer", "Meera Nair"]
    members.add(group=group, numbers=["+919876543210"], by=group_admin)
    assert "+91 98765 43210" in people_on(client.get(DIRECTORY)), "who has no name stands there by the number"


def test_who_shares_no_group_sees_nobody(group: Group, stranger: User, browser_of: Browser) -> None:
    make_person("Alone")
    assert "No people yet" in text_of(browser_of(stranger).get(DIRECTORY))


CREATE = "/console/groups/create/"
TYPED = {
    "name": "Safety",
    "numbers": "+91 98765 43210; +919930000001\r\n+91 98765 43210",
    "welcome_message": "Welcome!\r\nRead the rules.",
}


def form_on(client: Client, url: str = CREATE) -> HtmlForm:
    return form_to(client.get(url), url)


def sub_groups_of(group: Group) -> str:
    return reverse("groups:sub_groups", args=[group.pk])


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


@pytest.mark.parametrize(
    ("who", "kind"), [("organisation_admin", "ConnectGroup"), ("group_admin", "Group")], indirect=["who"]
)
def test_a_managed_public_group_is_made_by_an_organisation_admin_alone(
    who: User, kind: str, browser_of: Browser
) -> None:
    client = browser_of(who)
    form_on(client).send(client, {**TYPED, "group_type": "ConnectGroup"})
    assert Group.objects.get().group_type == kind


def test_a_sub_group_stands_under_its_group(client: Client, group: Group, group_admin: User) -> None:
    url = sub_groups_of(group)
    answer = form_on(client, url).send(client, {"name": "Gate", "numbers": "+919930000001"})
    assert answer["Location"] == url
    made = GroupLink.objects.get(parent=group).child
    assert (made.name, made.organisation) == ("Gate", group.organisation)
    assert Membership.objects.get(group=made, role="Admin").person == person_of(group_admin)
    assert "Gate" in text_of(client.get(url))
    assert AuditEvent.objects.filter(tag="group:subgroup:linked").count() == 1


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", " \t\r\n ", "Enter a name for the group."),
        ("name", "n" * 121, "at most 120 characters"),
        ("name", "nul\0", "Null characters"),
        ("welcome_message", "w" * 501, "at most 500 characters"),
        ("numbers", ",".join(["+919930000001"] * 501), "At most 500 numbers at once"),
        ("numbers", "12, +919930000001, tomorrow", "tomorrow: "),
    ],
)
def test_it_says_what_is_wrong_and_keeps_the_rest(client: Client, field: str, value: str, says: str) -> None:
    page = form_on(client).send(client, {**TYPED, field: value})
    assert page.status_code == 400
    assert says in text_of(page)
    again = form_to(page, CREATE)
    assert all(again.fields[name] == [typed] for name, typed in TYPED.items() if name != field)
    assert not Group.objects.exists()
    assert not Person.objects.filter(number="+919930000001").exists()


def test_a_sub_group_says_what_is_wrong_and_keeps_the_rest(client: Client, group: Group) -> None:
    url = sub_groups_of(group)
    for typed, says in (
        ({"name": "", "numbers": "+919930000001"}, "Enter a name for the sub-group."),
        ({"name": "Gate", "numbers": "12, +919930000001"}, "12: "),
    ):
        page = form_on(client, url).send(client, typed)
        assert says in text_of(page)
        assert form_to(page, url).fields["numbers"] == [typed["numbers"]]
    assert '<details class="adder" open>' in page.content.decode()
    assert not GroupLink.objects.exists()


def test_markup_in_a_name_is_text(client: Client) -> None:
    form_on(client).send(client, {**TYPED, "name": '<b>"bold"</b>'})
    page = client.get(reverse("groups:list"))
    assert '<b>"bold"' not in page.content.decode()
    assert '<b>"bold"</b>' in text_of(page)


def test_a_double_click_makes_one_group_and_any_other_form_another(
    client: Client, stranger: User, browser_of: Browser
) -> None:
    form = form_on(client)
    answers = [form.send(client, TYPED) for _ in range(2)]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert Group.objects.count() == AuditEvent.objects.filter(tag="group:account:created").count() == 1
    assert Membership.objects.count() == 3
    form.send(client, {**TYPED, "name": "Safety, second floor"})  # whoever goes back and changes it
    theirs = form.send(browser_of(stranger), TYPED)
    assert browser_of(stranger).get(theirs["Location"]).status_code == 200
    for key in ("", "short", "é" * 40, "k" * 4000):
        form.send(client, {**TYPED, "name": f"Key {len(key)}", "idempotency_key": key})
    assert Group.objects.count() == 7
