"""What Home and Activity offer to who runs groups, whose history they read, and what stops when they act."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.audit import queries
from accounts.models import AuditEvent, Notice, Organisation, User
from accounts.services import users
from connectors.models import Connector, Orphan, RefreshToken
from connectors.services import grants as rights
from connectors.services import leak_reports, usage
from connectors.tests.html_forms import text_of
from groups import access
from groups.models import Group, Membership
from groups.queries import groups as group_queries
from groups.queries.groups import ASKED_ONE_BY_ONE
from groups.services import connectors, members
from groups.tasks import watch_orphans
from groups.tests.conftest import Browser
from groups.tests.factories import let_in, make_group, person_of
from kaizala_console.dashboard.activity import audit_scope
from kaizala_console.dashboard.onboarding import group_admin_path, list_own_groups
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
HOME = "/console/"

TITLE = "Add a connector to your group"


def put_away(user: User) -> None:
    """The first steps, which newcomers are shown instead."""
    User.objects.filter(pk=user.pk).update(first_steps_put_away_at=clock.now())


@pytest.mark.parametrize("who", ["group_admin", "member", "stranger", "developer", "organisation_admin"], indirect=True)
def test_home_leads_who_runs_a_group_straight_to_its_connectors_and_nobody_else(
    group: Group, group_admin: User, who: User, browser_of: Browser
) -> None:
    put_away(who)
    page = browser_of(who).get(HOME)
    straight = f'href="{reverse("groups:connectors", args=[group.pk])}"' in page.content.decode()
    assert (straight, TITLE in text_of(page)) == (who == group_admin,) * 2
    assert ("Add a program to your group" in text_of(page)) == (who != group_admin)
    Group.objects.update(removed_at=clock.now())
    assert list_own_groups(who) == []


def test_only_an_admin_reads_what_others_did_in_the_group_and_the_organisation_not_in_a_private_one(
    group: Group, group_admin: User, organisation_admin: User, member: User, stranger: User
) -> None:
    members.add(group=group, numbers=["+919930000001"], by=organisation_admin)
    private = make_group("Cricket", admins=[group_admin, stranger])
    members.add(group=private, numbers=["+919930000001"], by=stranger)

    def seen(reader: User) -> int:
        count = len(queries.get_page(audit_scope(reader), size=10).events)
        assert queries.visible_to(audit_scope(reader)).count() == count
        return count

    assert [seen(reader) for reader in (group_admin, member, stranger, organisation_admin)] == [2, 0, 1, 1]
    Membership.objects.filter(person=person_of(group_admin)).update(role="Member")
    assert seen(group_admin) == 0


def test_many_groups_are_asked_about_together(
    organisation: Organisation, group_admin: User, organisation_admin: User
) -> None:
    for number in range(ASKED_ONE_BY_ONE + 1):
        group = make_group(f"Group {number}", organisation=organisation, admins=[group_admin])
        members.add(group=group, numbers=["+919930000001"], by=organisation_admin)
        assert len(group_queries.audit_scope(group_admin)) == (number + 1 if number < ASKED_ONE_BY_ONE else 1)
    assert len(queries.get_page(audit_scope(group_admin), size=50).events) == ASKED_ONE_BY_ONE + 1


def next_links(user: User) -> list[str]:
    step = group_admin_path(user).next_step
    return [link.href for link in step.links] if step else []


def test_who_runs_groups_is_led_to_the_connectors_of_one_of_them(
    group_admin: User, group: Group, organisation: Organisation
) -> None:
    path = group_admin_path(group_admin)
    assert (path.fits, path.done_count) == (True, 2)
    assert next_links(group_admin) == [reverse("groups:connectors", args=[group.pk])]
    more = [make_group(f"Depot {number}", organisation=organisation, admins=[group_admin]) for number in range(3)]
    named = [reverse("groups:connectors", args=[one.pk]) for one in more]
    assert next_links(group_admin) == [*named, reverse("groups:list")]


def test_it_is_done_when_the_program_works(
    group_admin: User, group: Group, connector: Connector, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    granted = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin)
    assert group_admin_path(group_admin).done_count == 3
    assert next_links(group_admin) == [reverse("groups:grant", args=[group.pk, granted.grant.pk])]
    RefreshToken.objects.filter(grant=granted.grant).update(first_used_at=clock.now())
    with django_assert_num_queries(2):
        path = group_admin_path(group_admin)
    assert (path.next_step, path.finished_at is not None) == (None, True)


ACTIVITY = "/console/activity/"


def led_to(client: Client, page: str, query: str) -> str:
    """What is read where the page leads for more of its history."""
    address = f"{ACTIVITY}?{query}"
    assert f'href="{address.replace("&", "&amp;")}"' in client.get(page).content.decode()
    return text_of(client.get(address))


def test_from_each_history_one_comes_to_the_same_with_filters(
    group: Group, connector: Connector, group_admin: User, developer: User, browser_of: Browser
) -> None:
    grant = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin).grant
    other = make_group("Elsewhere", organisation=group.organisation, admins=[group_admin])
    connectors.add_connector(group=other, connector_id=connector.pk, by=group_admin)
    admin, owner = browser_of(group_admin), browser_of(developer)
    of_group = led_to(admin, reverse("groups:activity", args=[group.pk]), f"group={group.pk}")
    of_grant = led_to(
        admin, reverse("groups:grant", args=[group.pk, grant.pk]), f"connector={connector.pk}&group={group.pk}"
    )
    of_connector = led_to(owner, reverse("connectors:activity", args=[connector.pk]), f"connector={connector.pk}")
    for told in (of_group, of_grant):
        assert "to “Night Shift”" in told
        assert "to “Elsewhere”" not in told
    assert "to “Elsewhere”" in of_connector


def event(tag: str) -> AuditEvent:
    return AuditEvent.objects.filter(tag=tag).latest("pk")


def leads(client: Client, found: AuditEvent) -> list[str]:
    """Where the page of an event leads, but for the histories and the frame; each can be opened."""
    answer = client.get(reverse("activity_event", args=[found.pk]))
    html = answer.content.decode().partition("<main")[2]
    links = re.findall(r'<li><a href="(/console/(?!activity/)[^"]+)">', html)
    assert [link for link in links if client.get(link).status_code != 200] == []
    return links


def test_a_grant_leads_to_itself_to_its_connector_and_to_its_group(
    group: Group, connector: Connector, group_admin: User, developer: User, browser_of: Browser
) -> None:
    grant = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin).grant
    handoff = grant.handoffs.get()
    connector_page = reverse("connectors:details", args=[connector.pk])
    group_page = reverse("groups:details", args=[group.pk])
    grant_page = reverse("groups:grant", args=[group.pk, grant.pk])
    admin, owner = browser_of(group_admin), browser_of(developer)
    assert leads(admin, event("grant:access:granted")) == [grant_page, group_page, connector_page]
    assert leads(owner, event("grant:access:granted")) == [connector_page]
    handoff_page = reverse("connectors:handoff", args=[handoff.pk])
    assert leads(owner, event("handoff:token:sealed")) == [handoff_page, connector_page]


def test_an_event_leads_to_a_person_and_to_a_group_as_long_as_they_are_there(
    group: Group, member: User, group_admin: User, organisation_admin: User, browser_of: Browser
) -> None:
    members.set_role(group=group, person_id=person_of(member).pk, role=members.Role.ADMIN, by=group_admin)
    person_page = reverse("groups:person", args=[person_of(member).pk])
    group_page = reverse("groups:details", args=[group.pk])
    client, boss = browser_of(group_admin), browser_of(organisation_admin)
    assert leads(client, event("group:member:changed")) == [person_page, group_page]
    Group.objects.filter(pk=group.pk).update(removed_at=clock.now())
    assert leads(boss, event("group:member:changed")) == [person_page]
    Group.objects.filter(pk=group.pk).update(removed_at=None)
    members.remove(group=group, person_id=person_of(member).pk, by=group_admin)
    assert leads(client, event("group:member:changed")) == [group_page]


@pytest.mark.parametrize("act", ["remove", "regenerate"])
def test_the_calls_of_this_group_are_told_and_those_of_others_are_not(
    group: Group, connector: Connector, group_admin: User, browser_of: Callable[..., Client], act: str
) -> None:
    program = let_in(connector, group, group_admin)
    other = let_in(connector, make_group("Day Shift", admins=[group_admin]), group_admin)
    for token, times in ((program.access_token, 2), (other.access_token, 5)):
        for _ in range(times):
            assert Client().get("/v1/groups", headers={"accessToken": token}).status_code == 200
    usage.flush()
    url = reverse("groups:grant", args=[group.pk, program.grant.pk])
    text = text_of(browser_of(group_admin).get(f"{url}{act}/"))
    assert "GET /v1/groups 2 2" in text
    assert "GET /v1/accessToken 1 1" in text
    assert "calls in the last 24 hours 3 calls in the last 7 days 3" in text


def test_an_admin_sees_that_a_token_was_reported_as_leaked(
    group: Group, connector: Connector, group_admin: User, browser_of: Callable[..., Client]
) -> None:
    program = let_in(connector, group, group_admin)
    url = reverse("groups:grant", args=[group.pk, program.grant.pk])
    client = browser_of(group_admin)
    assert "reported as leaked" not in text_of(client.get(url))
    leak_reports.report(text=program.access_token, address="192.0.2.1")
    assert "A token was reported as leaked." in text_of(client.get(url))
    rights.regenerate(grant=program.grant, by=group_admin)
    assert "reported as leaked" not in text_of(client.get(url))


@pytest.mark.postgresql
def test_a_group_whose_admins_are_gone_is_told_once_until_another_looks_after_it(
    group: Group, group_admin: User, connector: Connector, operator: User, organisation_admin: User
) -> None:
    make_group("Quiet", organisation=group.organisation, admins=[group_admin])  # without a connector no concern
    connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin)
    watch_orphans()
    assert not Orphan.objects.exists()
    users.deactivate(user=group_admin, by=operator)
    watch_orphans()
    watch_orphans()
    told = Notice.objects.filter(template="connectors/orphan_group")
    assert sorted(notice.user.name for notice in told) == ["Farah Khan", "Omar Dsouza"]
    users.activate(user=group_admin, by=operator)
    assert connectors.watch() == 0
    assert Orphan.objects.get().settled_at is not None


def test_the_admins_who_are_told_are_those_with_open_accounts(
    group: Group, group_admin: User, member: User, operator: User
) -> None:
    target = access.get_target(group)
    assert access.administrators(target) == [group_admin]
    users.deactivate(user=group_admin, by=operator)
    assert access.administrators(target) == []
    assert access.administrators("group:nothing") == access.administrators(f"person:{member.pk}") == []
