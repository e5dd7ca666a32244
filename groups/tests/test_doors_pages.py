"""Who comes through which door: every page of groups, for everybody there is, and with forged ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Organisation, User
from accounts.tests.factories import make_user
from connectors.models import Connector
from connectors.services import bots
from connectors.tests.html_forms import text_of
from groups.models import Group, Membership, PersonAttribute
from groups.services import actions, connectors
from groups.services import bots as group_bots
from groups.tests.bulk import checked, uploaded
from groups.tests.cards import POLL
from groups.tests.conftest import Browser
from groups.tests.factories import ask_for_access, make_connector, make_group, person_of
from groups.tests.pages import (
    ALL,
    ANYBODY,
    FORMS_ALONE,
    NO_FORMS,
    OF_ADMINS,
    OF_MEMBERS,
    OF_ORGANISATION_ADMINS,
    Addresses,
    everything,
    names_of_all_pages,
    send,
    sign_in_is_asked,
    without_ids,
)
from kaizala_console.tests.at_each import at_each

pytestmark = [pytest.mark.django_db, pytest.mark.once]  # whom a door lets in is decided above the database
OF_ONE_GROUP = (*OF_MEMBERS, *OF_ADMINS)


@pytest.fixture
def addresses(group: Group, connector: Connector, group_admin: User, member: User, developer: User) -> Addresses:
    """The group with a connector in it, and another connector whose developer asks for access."""
    another = make_connector(developer, name="Another")
    granted = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin)
    found = Addresses(group, granted.grant, person_of(member), ask_for_access(another, group))
    gate = make_group("Gate", organisation=group.organisation, admins=[group_admin], under=group)
    poll = actions.post(group=group, action_type="Poll", body=POLL, person=person_of(group_admin), by=group_admin)
    found.ids |= {"sub_group_id": gate.pk, "action_id": poll.pk, "reference_id": poll.pk}
    bot = bots.create(connector=connector, name="Rota", picture_url="", by=developer)
    group_bots.add(group=group, bot_ids=[bot.pk], by=group_admin)
    found.ids["bot_id"] = bot.pk
    attribute = PersonAttribute.objects.create(organisation=developer.organisation, name="Department")
    found.ids["attribute_id"] = attribute.pk
    found.ids["job_id"] = checked(uploaded(group, group_admin, "Phone number\n+91 98765 43210\nnobody\n")).pk
    return found


def test_these_are_all_the_pages() -> None:
    assert set(ALL) - {"search"} == names_of_all_pages()


def test_who_is_signed_out_signs_in_first_and_nothing_happens(addresses: Addresses) -> None:
    def at(name: str) -> None:
        before, url = everything(), addresses.of(name)
        if name not in FORMS_ALONE:
            assert sign_in_is_asked(Client().get(url))
        if name not in NO_FORMS:
            assert sign_in_is_asked(send(Client(), url))
        assert everything() == before

    at_each(ALL, at)


def test_who_has_no_verified_phone_adds_one_first_and_nothing_happens(
    addresses: Addresses, organisation: Organisation, browser_of: Browser
) -> None:
    nisha = make_user("Nisha Patel", organisation, number=None)

    def at(name: str) -> None:
        newcomer, before, url = browser_of(nisha, confirmed=False), everything(), addresses.of(name)
        if name in ("grant_show_download", "grant_show_done"):
            assert send(newcomer, url).status_code == 404
            return
        answers = [newcomer.get(url)] if name not in FORMS_ALONE else []
        answers += [send(newcomer, url)] if name not in NO_FORMS else []
        for answer in answers:
            assert answer["Location"].startswith(f"{reverse('home')}?next=")
        assert "Add a phone number first" in text_of(newcomer.get(reverse("home")))
        assert everything() == before

    at_each(ALL, at)


@pytest.mark.parametrize("who", ["stranger", "developer", "outsider", "operator"], indirect=True)
def test_what_is_not_yours_is_the_same_as_what_is_not_there(
    addresses: Addresses, who: User, browser_of: Browser
) -> None:

    def at(name: str) -> None:
        client, before = browser_of(who), everything()
        urls = (addresses.of(name), addresses.missing(name))
        for act, refused in ((client.get, name in FORMS_ALONE), (lambda url: send(client, url), name in NO_FORMS)):
            answers = [act(url) for url in urls]
            if name == "grant_show" and act == client.get:
                answers = [client.get(answer["Location"]) for answer in answers]
            assert [answer.status_code for answer in answers] == [405 if refused else 404] * 2
            assert without_ids(answers[0]) == without_ids(answers[1])
            assert "Night Shift" not in answers[0].content.decode()
        assert everything() == before

    at_each(OF_ONE_GROUP, at)


def test_a_member_is_told_that_only_an_admin_may_and_nothing_changes(
    addresses: Addresses, member: User, browser_of: Browser
) -> None:
    def at(name: str) -> None:
        client, before, url = browser_of(member), everything(), addresses.of(name)
        answers = [] if name in FORMS_ALONE else [client.get(url, follow=True)]
        answers += [send(client, url)] if name not in NO_FORMS else []
        assert answers
        for answer in answers:
            assert answer.status_code == 403
            assert "Only an admin of this group may do this." in text_of(answer)
        assert everything() == before

    at_each(OF_ADMINS, at)
    before = everything()
    assert send(browser_of(member), addresses.of("sub_groups")).status_code == 403
    assert everything() == before


def test_a_member_sees_the_group_and_no_button_of_an_admin(
    addresses: Addresses, member: User, browser_of: Browser
) -> None:
    def at(name: str) -> None:
        page = browser_of(member).get(addresses.of(name))
        assert page.status_code == 200
        assert "You are a member." in text_of(page)
        for url in (addresses.of(hidden) for hidden in OF_ADMINS):
            assert f'"{url}"' not in page.content.decode()

    at_each([name for name in OF_MEMBERS if name not in FORMS_ALONE], at)


@pytest.mark.parametrize("who", ["group_admin", "organisation_admin"], indirect=True)
def test_an_admin_of_the_group_or_of_the_organisation_sees_every_page(
    addresses: Addresses, who: User, group_admin: User, browser_of: Browser
) -> None:

    def at(name: str) -> None:
        page = browser_of(who).get(addresses.of(name), follow=True)
        if name == "archive_columns":  # of another kind of file (test_archive_pages.py)
            assert page.status_code == 404
            return
        if name in OF_ORGANISATION_ADMINS and who == group_admin:
            assert page.status_code == 403
            return
        assert page.status_code == 200
        assert "private" in page["Cache-Control"]

    at_each([name for name in ALL if name not in FORMS_ALONE], at)


@pytest.mark.parametrize("who", ["member", "group_admin", "developer", "stranger", "operator"], indirect=True)
def test_what_is_for_admins_of_the_organisation_is_closed_to_everybody_else(
    addresses: Addresses, who: User, browser_of: Browser
) -> None:

    def at(name: str) -> None:
        client, before, url = browser_of(who), everything(), addresses.of(name)
        answers = [] if name in FORMS_ALONE else [client.get(url)]
        answers += [] if name in NO_FORMS else [send(client, url)]
        assert {answer.status_code for answer in answers} == {403}
        assert everything() == before

    at_each(set(OF_ORGANISATION_ADMINS) - {"archive_columns"}, at)  # which is of another kind of file


@pytest.mark.parametrize("name", ANYBODY)
@pytest.mark.parametrize("who", ["stranger", "outsider"], indirect=True)
def test_everybody_with_a_phone_has_lists_of_their_own_and_may_make_a_group(
    addresses: Addresses, name: str, who: User, browser_of: Browser
) -> None:
    page = browser_of(who).get(addresses.of(name))
    assert page.status_code == 200
    assert "Night Shift" not in page.content.decode()
    assert "Meera Nair" not in text_of(page).replace("Sunil Verma", "")


def test_an_organisation_admin_sees_no_private_group(
    group_admin: User, organisation_admin: User, browser_of: Browser
) -> None:
    private = make_group("Cricket", admins=[group_admin])
    client = browser_of(organisation_admin)
    assert client.get(reverse("groups:details", args=[private.pk])).status_code == 404
    assert "Cricket" not in text_of(client.get(reverse("groups:list")))


def test_a_grant_is_found_under_its_own_group_alone(
    addresses: Addresses, group: Group, group_admin: User, browser_of: Browser
) -> None:
    other = make_group("Other", organisation=group.organisation, admins=[group_admin])

    def at(name: str) -> None:
        client, url, before = browser_of(group_admin), addresses.of(name, group_id=other.pk), everything()
        if name not in FORMS_ALONE:
            assert client.get(url, follow=True).status_code == 404
        if name not in NO_FORMS:
            assert send(client, url).status_code == 404
        assert everything() == before

    at_each([name for name in OF_ADMINS if name.startswith("grant")], at)


@pytest.mark.parametrize("name", ["user_role", "user_remove"])
def test_who_is_not_in_the_group_is_not_found_in_it(
    addresses: Addresses, name: str, group_admin: User, stranger: User, browser_of: Browser
) -> None:
    client, before = browser_of(group_admin), everything()
    url = addresses.of(name, person_id=person_of(stranger).pk)
    for answer in [client.post(url, {"role": "Admin"}, follow=True)] + (
        [client.get(url, follow=True)] if name == "user_remove" else []
    ):
        assert "This person is no longer in the group." in text_of(answer)
        assert "Sunil Verma" not in text_of(answer)
    assert everything() == before


@pytest.mark.parametrize("path", ["not-an-id", "00000000", "%00", "..%2f..", "1' or '1'='1", "create'"])
def test_what_is_no_id_is_a_404(group_admin: User, group: Group, browser_of: Browser, path: str) -> None:
    client = browser_of(group_admin)
    inside = f"/console/groups/{group.pk}"
    for url in (f"/console/groups/{path}/", f"{inside}/connectors/{path}/", f"{inside}/users/{path}/remove/"):
        assert client.get(url).status_code == 404


def test_a_form_from_elsewhere_does_nothing(addresses: Addresses, group_admin: User, browser_of: Browser) -> None:
    client = browser_of(group_admin)
    client.handler.enforce_csrf_checks = True
    before = everything()
    for name in set(ALL) - set(NO_FORMS):
        assert send(client, addresses.of(name)).status_code == 403
    assert everything() == before


def test_who_was_an_admin_until_a_moment_ago_is_a_member_now(
    addresses: Addresses, group: Group, group_admin: User, browser_of: Browser
) -> None:
    client = browser_of(group_admin)
    assert client.get(addresses.of("grant")).status_code == 200
    Membership.objects.filter(group=group, person=person_of(group_admin)).update(role="Member")
    assert client.get(addresses.of("grant")).status_code == 403
    assert send(client, addresses.of("grant_show")).status_code == 403


def test_a_removed_group_is_gone_for_its_admins_too(
    addresses: Addresses, group: Group, group_admin: User, browser_of: Browser, travel: Callable[..., Any]
) -> None:
    Group.objects.filter(pk=group.pk).update(removed_at=travel(minutes=1))
    client = browser_of(group_admin)
    for name in set(OF_ONE_GROUP) - set(FORMS_ALONE):
        assert client.get(addresses.of(name), follow=True).status_code == 404
