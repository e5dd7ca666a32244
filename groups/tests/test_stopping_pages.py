"""Before a connector is removed from a group, or its token regenerated: what will stop, by endpoint."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.models import Connector
from connectors.services import grants as rights
from connectors.services import leak_reports, usage
from connectors.tests.html_forms import text_of
from groups.models import Group
from groups.tests.factories import let_in, make_group

pytestmark = pytest.mark.django_db


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
