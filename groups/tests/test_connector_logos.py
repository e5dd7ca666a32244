"""The logo of a connector, where admins of groups decide about it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.models import Connector
from connectors.services import access_requests
from connectors.tests.logos import put
from groups import access
from groups.models import Group
from groups.tests import factories
from groups.tests.factories import Program

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


def img(connector: Connector) -> str:
    """As the browser gets it: beside the name, so without words of its own, and with a place kept for it."""
    url = reverse("connectors:logo_file", args=[connector.pk, connector.logo_sha256])
    return f'<img src="{url}" alt="" width='


def test_it_stands_in_the_list_on_the_page_of_the_grant_and_at_the_request(
    program: Program, group: Group, developer: User, group_admin: User, browser_of: Browser
) -> None:
    connector, client = program.connector, browser_of(group_admin)
    put(connector)
    asked = access_requests.ask(
        connector=connector,
        by=developer,
        permissions=connector.permissions,
        once=access_requests.new_once(),
        target=access.target_of(factories.make_group("Day", organisation=group.organisation, admins=[group_admin])),
    )
    for url in (
        reverse("groups:connectors", args=[group.pk]),
        reverse("groups:grant", args=[group.pk, program.grant.pk]),
        reverse("groups:request", args=[asked.pk]),
    ):
        assert img(connector) in client.get(url).content.decode(), url
