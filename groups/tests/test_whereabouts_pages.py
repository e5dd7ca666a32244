"""From the page of an event one comes to what it is about, as long as that is there and one may open it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors.models import Connector
from groups.models import Group
from groups.services import connectors, members
from groups.tests.factories import person_of
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


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


def test_who_was_removed_leads_to_the_person_while_one_sees_them(
    group: Group, member: User, group_admin: User, organisation_admin: User, browser_of: Browser
) -> None:
    members.set_role(group=group, person_id=person_of(member).pk, role=members.Role.ADMIN, by=group_admin)
    person_page = reverse("groups:person", args=[person_of(member).pk])
    group_page = reverse("groups:details", args=[group.pk])
    client = browser_of(group_admin)
    assert leads(client, event("group:member:changed")) == [person_page, group_page]
    members.remove(group=group, person_id=person_of(member).pk, by=group_admin)
    assert leads(client, event("group:member:changed")) == [group_page]


def test_a_group_that_is_gone_is_led_to_by_nothing(
    group: Group, group_admin: User, organisation_admin: User, member: User, browser_of: Browser
) -> None:
    members.set_role(group=group, person_id=person_of(member).pk, role=members.Role.ADMIN, by=group_admin)
    Group.objects.filter(pk=group.pk).update(removed_at=clock.now())
    led_to = leads(browser_of(organisation_admin), event("group:member:changed"))
    assert led_to == [reverse("groups:person", args=[person_of(member).pk])]
