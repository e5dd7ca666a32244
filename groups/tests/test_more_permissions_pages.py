"""The page on which more permissions are given to a connector that has access already."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.models import AccessRequest, Connector
from connectors.permissions import Permission
from connectors.services import permissions
from connectors.tests.html_forms import form_to, text_of
from groups.models import Group
from groups.services import connectors
from groups.tests import factories
from groups.tests.test_request_pages import POST, READ, address, answer_of

pytestmark = pytest.mark.django_db

Browser = Callable[..., Client]


@pytest.fixture
def connector(developer: User) -> Connector:
    """It asks for two of the nine."""
    return factories.make_connector(developer, name="Shift Planner", permissions={POST, READ})


def test_more_permissions_are_told_as_a_difference_and_given_in_part(
    connector: Connector, developer: User, group: Group, group_admin: User, browser_of: Browser
) -> None:
    granted = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin, permissions=[POST])
    polls, likes = Permission.ACTION_AND_RESPONSES, Permission.REACTIONS
    permissions.change(connector=connector, permissions=connector.permissions | {polls, likes}, by=developer)
    asked = AccessRequest.objects.get()
    client = browser_of(group_admin)
    home = text_of(client.get(reverse("home")))
    assert "“Shift Planner” asks for more permissions in “Night Shift”." in home
    words = text_of(client.get(address("request", asked)))
    assert "Post messages" in words.partition("Current permissions")[2].partition("Requested permissions")[0]
    assert "Create and read likes and comments" in words.partition("Added permissions")[2]
    answer_of(client, asked, permissions=["reaction"])
    granted.grant.refresh_from_db()
    assert granted.grant.permissions == {POST, likes}


def test_who_a_connector_acts_for_decides_whether_it_may_do_more(
    connector: Connector, developer: User, member: User, group_admin: User, browser_of: Browser
) -> None:
    grant = factories.let_act_for(connector, member).grant
    likes = Permission.REACTIONS
    permissions.change(connector=connector, permissions=connector.permissions | {likes}, by=developer)
    asked = AccessRequest.objects.get()
    assert browser_of(group_admin).get(address("request", asked)).status_code == 404
    client = browser_of(member)
    assert "“Shift Planner” acts for you and asks for more permissions." in text_of(client.get(reverse("home")))
    assert "It acts for Meera Nair" in text_of(client.get(address("request", asked)))
    answer_of(client, asked)
    grant.refresh_from_db()
    assert likes in grant.permissions


def test_a_request_that_grew_while_it_was_read_is_read_again(
    connector: Connector, developer: User, group: Group, group_admin: User, browser_of: Browser
) -> None:
    granted = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin, permissions=[POST])
    polls, likes = Permission.ACTION_AND_RESPONSES, Permission.REACTIONS
    permissions.change(connector=connector, permissions=connector.permissions | {polls}, by=developer)
    asked = AccessRequest.objects.get()
    client = browser_of(group_admin)
    form = form_to(client.get(address("request", asked)), address("request_approve", asked))
    connector.refresh_from_db()
    permissions.change(connector=connector, permissions=connector.permissions | {likes}, by=developer)
    assert "The developer changed this request. Check it again." in text_of(form.send(client, follow=True))
    granted.grant.refresh_from_db()
    assert granted.grant.permissions == {POST}
