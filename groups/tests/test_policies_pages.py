"""The "Policies" tab, and "Delete this group"."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors.tests.html_forms import form_to, text_of
from groups.models import Group
from groups.tests.factories import Program, make_group
from groups.tests.pages import everything

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


def policies_of(group: Group) -> str:
    return reverse("groups:policies", args=[group.pk])


def rules_of(group: Group) -> str:
    return reverse("groups:policies_rules", args=[group.pk])


def removing(group: Group) -> str:
    return reverse("groups:group_remove", args=[group.pk])


def test_an_admin_changes_what_the_group_says_of_itself(client: Client, group: Group) -> None:
    form = form_to(client.get(policies_of(group)), policies_of(group))
    page = form.send(client, {"name": "Day Shift", "long_description": "One\r\nTwo"}, follow=True)
    assert "Saved." in text_of(page)
    group.refresh_from_db()
    assert (group.name, group.long_description) == ("Day Shift", "One\nTwo")


def test_what_somebody_else_changed_meanwhile_stays(client: Client, group: Group) -> None:
    form = form_to(client.get(policies_of(group)), policies_of(group))
    Group.objects.filter(pk=group.pk).update(welcome_message="From somebody else")
    form.send(client, {"name": "Day Shift"})
    group.refresh_from_db()
    assert (group.name, group.welcome_message) == ("Day Shift", "From somebody else")


def test_a_mistake_comes_back_at_its_field_and_keeps_what_was_typed_and_what_was_seen(
    client: Client, group: Group
) -> None:
    form = form_to(client.get(policies_of(group)), policies_of(group))
    Group.objects.filter(pk=group.pk).update(welcome_message="From somebody else")
    page = form.send(client, {"name": "Day Shift", "image_url": "nowhere"})
    assert page.status_code == 400
    assert "begins with https://" in text_of(page)
    form_to(page, policies_of(group)).send(client, {"image_url": ""})
    group.refresh_from_db()
    assert (group.name, group.welcome_message) == ("Day Shift", "From somebody else")


def test_an_admin_decides_who_posts_and_who_sees_whom(client: Client, group: Group) -> None:
    form = form_to(client.get(policies_of(group)), rules_of(group))
    assert form.fields["post"] == ["everybody"]
    form.send(client, {"post": "admins"})
    form.send(client, {"members": "admins"})
    group.refresh_from_db()
    assert (group.only_admins_post, group.members_see_members) == (True, False)
    again = form_to(client.get(policies_of(group)), rules_of(group))
    assert (again.fields["post"], again.fields["members"]) == (["admins"], ["admins"])


@pytest.mark.parametrize("forged", ["", "nobody", "admins\0"])
def test_a_rule_that_is_none_changes_nothing(client: Client, group: Group, forged: str) -> None:
    before = everything()
    assert client.post(rules_of(group), {"post": forged, "members": forged}).status_code == 400
    assert everything() == before


def test_members_read_the_policies_and_change_none(group: Group, member: User, browser_of: Browser) -> None:
    client, before = browser_of(member), everything()
    page = client.get(policies_of(group))
    assert "Everyone in the group" in text_of(page)
    assert f'action="{policies_of(group)}"' not in page.content.decode()
    assert client.post(policies_of(group), {"name": "Mine"}).status_code == 403
    assert everything() == before


def test_a_managed_public_group_has_no_choice_of_who_posts(client: Client, group: Group) -> None:
    Group.objects.filter(pk=group.pk).update(group_type="ConnectGroup")
    page = client.get(policies_of(group))
    assert "the admins alone speak" in text_of(page)
    form_to(page, rules_of(group)).send(client, {"members": "admins", "post": "admins"})
    group.refresh_from_db()
    assert (group.only_admins_post, group.members_see_members) == (False, False)


def test_removing_shows_what_stops_and_asks_for_the_name(client: Client, group: Group, program: Program) -> None:
    make_group("Gate", organisation=group.organisation, under=group)
    page = client.get(removing(group))
    told = " ".join(text_of(page).split())
    assert "people who leave it 3" in told
    assert "live refresh tokens 1" in told
    assert "detached from it 1" in told
    form, before = form_to(page, removing(group)), everything()
    assert "Type the name exactly" in text_of(form.send(client, {"typed": "Day Shift"}))
    assert everything() == before
    done = form.send(client, {"typed": "night shift"}, follow=True)
    assert "“Night Shift” deleted." in text_of(done)
    assert client.get(policies_of(group)).status_code == 404
    assert AuditEvent.objects.filter(tag="group:account:removed").count() == 1


@pytest.mark.parametrize(("called", "typed"), [("Depot  North", "Depot North"), ("Meera's Team", "Meera’s Team")])
def test_a_name_that_a_program_chose_can_be_typed_on_any_keyboard(
    client: Client, group: Group, called: str, typed: str
) -> None:
    Group.objects.filter(pk=group.pk).update(name=called)
    form_to(client.get(removing(group)), removing(group)).send(client, {"typed": typed})
    assert not Group.objects.filter(pk=group.pk, removed_at=None).exists()


def test_a_member_finds_no_line_to_write_in_a_quiet_group(group: Group, member: User, browser_of: Browser) -> None:
    Group.objects.filter(pk=group.pk).update(only_admins_post=True)
    client, url = browser_of(member), reverse("groups:messages", args=[group.pk])
    assert 'name="message"' not in client.get(url).content.decode()
    before = everything()
    answer = client.post(url, {"message": "Hello"})
    assert answer.status_code == 403
    assert "Only the admins of this group post" in text_of(answer)
    assert everything() == before


def test_the_group_id_that_programs_send_can_be_copied_by_everybody_in_the_group(
    client: Client, group: Group, member: User, browser_of: Browser
) -> None:
    for browser in (client, browser_of(member)):
        page = browser.get(policies_of(group)).content.decode()
        assert f'id="group-id" value="{group.pk}" readonly' in page
        assert 'data-copy="#group-id"' in page
