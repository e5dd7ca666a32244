"""Where the history of one thing is shown, there is a way to search, filter and export it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.models import Connector
from connectors.tests.html_forms import text_of
from groups.models import Group
from groups.services import connectors
from groups.tests.factories import make_group

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
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
