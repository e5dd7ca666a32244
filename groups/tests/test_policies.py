"""A group's policies: what it says of itself, who posts, who sees the members, and its end; with pages and races."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Organisation, User
from connectors.models import Connector, Grant, Webhook, WebhookEvent
from connectors.tests.html_forms import form_to, text_of
from connectors.tests.webhook_cast import make_webhook
from groups import access
from groups.models import Action, Group, GroupLink, Message
from groups.queries import directory
from groups.services import connectors, groups, hierarchy, members, messages
from groups.tests.conftest import Browser, refused
from groups.tests.factories import Program, let_act_for, let_in, make_connector, make_group, person_of
from groups.tests.pages import everything
from groups.tests.threads import together
from kaizala_console.lib.errors import ConsoleError, NotAllowed, NotFound, RuleBroken

pytestmark = pytest.mark.django_db


def fresh(group: Group) -> Group:
    return Group.objects.get(pk=group.pk)


# What it says of itself -----------------------------------------------------------------------------------------------


def test_new_details_are_told_on_the_wire_and_in_the_trail(group: Group, group_admin: User, program: Program) -> None:
    groups.change_details(
        group=group, by=group_admin, name="Day Shift", welcome_message="Hello", image_url="https://img.example/d.png"
    )
    [told] = program.get(f"/v1/groups/{group.pk}").json()["groups"]
    assert (told["groupName"], told["welcomeMessage"], told["groupImageUrl"]) == (
        "Day Shift",
        "Hello",
        "https://img.example/d.png",
    )
    [event] = AuditEvent.objects.filter(tag="group:details:changed")
    assert event.before == {"name": "Night Shift"}
    assert event.after == {"changed": ["image_url", "name", "welcome_message"], "name": "Day Shift"}
    assert Grant.objects.get(pk=program.grant.pk).target_name == "Day Shift"


def test_what_stays_as_it_is_leaves_no_trace(group: Group, group_admin: User) -> None:
    before = everything()
    groups.change_details(group=group, by=group_admin, name="Night Shift", welcome_message="")
    groups.change_policies(group=group, by=group_admin, only_admins_post=False, members_see_members=True)
    assert everything() == before


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", " "),
        ("name", "x" * 121),
        ("short_description", "x" * 201),
        ("long_description", "x" * 2001),
        ("welcome_message", "a\0b"),
        ("image_url", "javascript:alert(1)"),
    ],
)
def test_what_cannot_be_kept_is_refused_at_its_field(group: Group, group_admin: User, field: str, text: str) -> None:
    before, changes = everything(), {field: text}
    with pytest.raises(RuleBroken) as broken:
        groups.change_details(group=group, by=group_admin, **changes)
    assert broken.value.field == field
    assert everything() == before


def test_a_group_is_removed_once_and_by_its_admins_alone_and_says_nothing_new_then(
    group: Group, group_admin: User, member: User
) -> None:
    before = everything()
    with pytest.raises(NotAllowed):
        groups.remove(group=group, by=member)
    assert everything() == before
    groups.remove(group=group, by=group_admin)
    for act in (
        groups.remove,
        partial(groups.change_details, name="Other"),
        partial(groups.change_policies, only_admins_post=True),
    ):
        with pytest.raises(NotFound):
            act(group=group, by=group_admin)


# Who posts ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def quiet_group(group: Group, group_admin: User) -> Group:
    """Only its admins post."""
    return groups.change_policies(group=group, by=group_admin, only_admins_post=True)


def test_only_admins_post_in_a_quiet_group(
    quiet_group: Group, group_admin: User, organisation_admin: User, member: User
) -> None:
    with pytest.raises(NotAllowed, match="Only the admins of this group post"):
        messages.post(group=quiet_group, text="Hello", person=person_of(member), by=member)
    for admin in (group_admin, organisation_admin):
        messages.post(group=quiet_group, text="Hello", person=person_of(admin), by=admin)
    assert Message.objects.count() == 2


def test_a_members_user_token_posts_nothing_in_a_quiet_group_and_a_group_token_does(
    quiet_group: Group, member: User, program: Program, connector: Connector
) -> None:
    path, theirs = f"/v1/groups/{quiet_group.pk}", let_act_for(connector, member)
    card = {"actionType": "Announcement", "actionBody": {"title": "Hi", "message": "Hello"}}
    for end, body in (("messages", {"message": "Hello"}), ("actions", card)):
        answer = theirs.post(f"{path}/{end}", body)
        assert "Only the admins of this group post" in refused(answer, 403, answer.json()["errorCode"])
        assert not Message.objects.exists()
        assert not Action.objects.exists()
    for end, body in (("messages", {"message": "Hello"}), ("actions", card)):
        assert program.post(f"{path}/{end}", body).status_code == 200


def test_who_posts_is_no_choice_in_a_managed_public_group(organisation: Organisation, group_admin: User) -> None:
    public = make_group("News", organisation=organisation, admins=[group_admin], group_type="ConnectGroup")
    with pytest.raises(RuleBroken):
        groups.change_policies(group=public, by=group_admin, only_admins_post=True)


# Who sees the members -------------------------------------------------------------------------------------------------


@pytest.fixture
def discreet(group: Group, group_admin: User) -> Group:
    """Only its admins see who is in it."""
    return groups.change_policies(group=group, by=group_admin, members_see_members=False)


def test_members_find_neither_the_list_nor_each_other(
    discreet: Group, member: User, group_admin: User, browser_of: Any
) -> None:
    url = reverse("groups:details", args=[discreet.pk])
    for address in (url, f"{url}?q=Lakshmi", f"{url}?cursor=forged"):
        page = browser_of(member).get(address).content.decode()
        assert "Only admins see the users" in page
        assert "Lakshmi Iyer" not in page
    assert "Lakshmi Iyer" in browser_of(group_admin).get(url).content.decode()
    assert "Lakshmi Iyer" not in [person.name for person in directory.list_people(member).items]
    assert "Lakshmi Iyer" in [person.name for person in directory.list_people(group_admin).items]


def test_a_members_user_token_does_not_read_the_list_and_an_admins_does(
    discreet: Group, member: User, group_admin: User, program: Program, connector: Connector
) -> None:
    path = f"/v1/groups/{discreet.pk}/members"
    answer = let_act_for(connector, member).get(path)
    assert "keep the list of its members to themselves" in refused(answer, 403, answer.json()["errorCode"])
    for token in (program, let_act_for(connector, group_admin)):
        assert len(token.get(path).json()["members"]) == 3


def test_a_members_webhook_is_not_told_who_comes_and_an_admins_is(
    discreet: Group, member: User, group_admin: User, program: Program, connector: Connector
) -> None:
    theirs = let_act_for(connector, member)
    make_webhook(theirs.grant, "https://member.example/hook", discreet.pk)
    members.add(group=discreet, numbers=["+919930000001"], by=group_admin)
    assert not WebhookEvent.objects.exists()
    make_webhook(program.grant, "https://admin.example/hook", discreet.pk)
    members.add(group=discreet, numbers=["+919930000002"], by=group_admin)
    assert WebhookEvent.objects.get().data["member"] == "+919930000002"


# Its end --------------------------------------------------------------------------------------------------------------


def test_removing_a_group_ends_its_grants_and_detaches_it(
    group: Group, group_admin: User, organisation_admin: User, program: Program, connector: Connector
) -> None:
    above = make_group("All", organisation=group.organisation, admins=[group_admin])
    below = make_group("Gate", organisation=group.organisation, admins=[group_admin], under=group)
    hierarchy.link(parent=above, child=group, by=group_admin)
    told = let_in(make_connector(group_admin, name="Watch", permissions=connector.permissions), above, group_admin)
    make_webhook(told.grant, "https://hooks.example/hook", above.pk)
    hook = make_webhook(program.grant, "https://here.example/hook", group.pk)
    assert program.get(f"/v1/groups/{group.pk}").status_code == 200
    groups.remove(group=group, by=organisation_admin)
    assert fresh(group).removed_at is not None
    assert program.get(f"/v1/groups/{group.pk}").status_code == 401
    assert Grant.objects.get(pk=program.grant.pk).revoked_at is not None
    assert not GroupLink.objects.exists()
    assert fresh(below).removed_at is None
    assert WebhookEvent.objects.get().event_type == "GroupRemoved"
    assert Webhook.objects.get(pk=hook.pk).inactive_because == "grant"
    [event] = AuditEvent.objects.filter(tag="group:account:removed")
    assert (event.before["grants_ended"], event.before["links_ended"]) == (1, 2)
    assert access.get_role(group_admin, group) is None


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_a_removal_and_a_grant_at_once_leave_no_live_grant(
    group: Group, group_admin: User, developer: User, organisation_admin: User
) -> None:
    for number in range(5):
        target = make_group(f"Group {number}", organisation=group.organisation, admins=[group_admin])
        connector = make_connector(developer, name=f"Connector {number}")

        def grant(target: Group = target, connector: Connector = connector) -> Any:
            return connectors.add_connector(group=target, connector_id=connector.pk, by=group_admin)

        def remove(target: Group = target) -> None:
            groups.remove(group=target, by=organisation_admin)

        granted, removed = together(grant, remove)
        assert removed is None
        assert not isinstance(granted, Exception) or isinstance(granted, NotFound | NotAllowed)
        assert not Grant.objects.present().filter(group_grant__group=target).exists()


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_two_admins_at_once_lose_nothing_of_each_other(
    group: Group, group_admin: User, organisation_admin: User
) -> None:
    answers = together(
        lambda: groups.change_details(group=group, by=group_admin, name="Day Shift"),
        lambda: groups.change_details(group=group, by=organisation_admin, welcome_message="Hello"),
        lambda: groups.change_policies(group=group, by=organisation_admin, only_admins_post=True),
        lambda: groups.change_policies(group=group, by=group_admin, members_see_members=False),
    )
    assert not [answer for answer in answers if isinstance(answer, ConsoleError)]
    now = fresh(group)
    assert (now.name, now.welcome_message) == ("Day Shift", "Hello")
    assert (now.only_admins_post, now.members_see_members) == (True, False)
    assert AuditEvent.objects.filter(tag="group:details:changed").count() == 4


def policies_of(group: Group) -> str:
    return reverse("groups:policies", args=[group.pk])


def rules_of(group: Group) -> str:
    return reverse("groups:policies_rules", args=[group.pk])


def removing(group: Group) -> str:
    return reverse("groups:group_remove", args=[group.pk])


def test_what_a_group_says_is_changed_and_a_mistake_keeps_what_was_typed_and_what_was_seen(
    client: Client, group: Group
) -> None:
    form = form_to(client.get(policies_of(group)), policies_of(group))
    Group.objects.filter(pk=group.pk).update(welcome_message="From somebody else")
    page = form.send(client, {"name": "Day Shift", "long_description": "One\r\nTwo", "image_url": "nowhere"})
    assert page.status_code == 400
    assert "begins with https://" in text_of(page)
    form_to(page, policies_of(group)).send(client, {"image_url": ""})
    group.refresh_from_db()
    assert (group.name, group.long_description) == ("Day Shift", "One\nTwo")
    assert group.welcome_message == "From somebody else"


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


@pytest.mark.parametrize(
    ("called", "typed"),
    [("Night Shift", "night shift"), ("Depot  North", "Depot North"), ("Meera's Team", "Meera’s Team")],
)
def test_removing_shows_what_stops_and_asks_for_the_name_as_any_keyboard_types_it(
    client: Client, group: Group, program: Program, called: str, typed: str
) -> None:
    Group.objects.filter(pk=group.pk).update(name=called)
    make_group("Gate", organisation=group.organisation, under=group)
    page = client.get(removing(group))
    for said in ("people who leave it 3", "live refresh tokens 1", "detached from it 1"):
        assert said in text_of(page)
    form, before = form_to(page, removing(group)), everything()
    assert form.send(client, {"typed": "Day Shift"}).status_code == 400
    assert everything() == before
    form.send(client, {"typed": typed})
    assert client.get(policies_of(group)).status_code == 404
    assert AuditEvent.objects.filter(tag="group:account:removed").count() == 1


@pytest.mark.parametrize("who", ["group_admin", "organisation_admin"], indirect=True)
def test_a_group_is_deleted_once_by_a_double_click(group: Group, who: User, browser_of: Browser) -> None:
    client, url = browser_of(who), removing(group)
    form = form_to(client.get(url), url)
    for _click in range(2):
        answer = form.send(client, {"typed": group.name}, follow=True)
        assert answer.redirect_chain == [(reverse("groups:list"), 302)]
    assert "“Night Shift” is already deleted." in text_of(answer)
    assert AuditEvent.objects.filter(tag="group:account:removed").count() == 1


@pytest.mark.parametrize("who", ["member", "stranger", "outsider"], indirect=True)
def test_a_group_that_was_deleted_is_nothing_to_those_who_did_not_run_it(
    group: Group, group_admin: User, who: User, browser_of: Browser
) -> None:
    groups.remove(group=group, by=group_admin)
    url = removing(group)
    assert browser_of(who).post(url, {"typed": "Night Shift"}).status_code == 404


def test_a_member_finds_no_line_to_write_in_a_quiet_group(
    quiet_group: Group, member: User, browser_of: Browser
) -> None:
    client, url = browser_of(member), reverse("groups:messages", args=[quiet_group.pk])
    assert 'name="message"' not in client.get(url).content.decode()
    before = everything()
    assert client.post(url, {"message": "Hello"}).status_code == 403
    assert everything() == before


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_two_removals_at_once_are_one(group: Group, group_admin: User, organisation_admin: User) -> None:
    answers = together(
        lambda: groups.remove(group=group, by=group_admin),
        lambda: groups.remove(group=group, by=organisation_admin),
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType", "NotFound"]
    assert AuditEvent.objects.filter(tag="group:account:removed").count() == 1
