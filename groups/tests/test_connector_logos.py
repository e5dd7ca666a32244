"""The logo of a connector, where admins of groups decide about it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from connectors.models import Connector
from connectors.services import access_requests, bots
from connectors.tests.logos import put
from groups import access
from groups.models import Group
from groups.services import bots as group_bots
from groups.services import connectors
from groups.tests import factories
from groups.tests.factories import Program
from kaizala_console.lib import clock
from kaizala_console.lib.tests.picture_files import png

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
        target=access.get_target(factories.make_group("Day", organisation=group.organisation, admins=[group_admin])),
    )
    for url in (
        reverse("groups:connectors", args=[group.pk]),
        reverse("groups:grant", args=[group.pk, program.grant.pk]),
        reverse("groups:request", args=[asked.pk]),
    ):
        assert img(connector) in client.get(url).content.decode(), url


def test_a_list_of_grants_with_logos_asks_no_more(
    program: Program, group: Group, developer: User, group_admin: User, browser_of: Browser
) -> None:
    several = [
        program.connector,
        *(factories.make_connector(developer, name=f"Number {number}") for number in range(3)),
    ]
    for connector in several[1:]:
        connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin)
    url, client = reverse("groups:connectors", args=[group.pk]), browser_of(group_admin)
    client.get(url)  # what is asked once only
    with CaptureQueriesContext(connection) as without:
        client.get(url)
    for number, connector in enumerate(several):
        put(connector, content=png(shade=number))
    with CaptureQueriesContext(connection) as with_logos:
        page = client.get(url).content.decode()
    assert [connector for connector in several if img(connector) not in page] == []
    assert len(with_logos) == len(without)


def rows_of(place: str, group: Group, developer: User, group_admin: User) -> tuple[str, list[Connector]]:
    """A page that lists several connectors in one way, and these."""
    several = [factories.make_connector(developer, name=f"Number {number}") for number in range(4)]
    for connector in several:
        if place == "bots":
            connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin)
            bot = bots.create(connector=connector, name=f"Of {connector.name}", picture_url="", by=developer)
            group_bots.add(group=group, bot_ids=[bot.pk], by=group_admin)
            # Of its two rows in the tab, that of its bot alone is left.
            connector.grants.update(revoked_at=clock.now())
        elif place != "search":
            access_requests.ask(
                connector=connector,
                by=developer,
                permissions=connector.permissions,
                once=access_requests.new_once(),
                target=access.get_target(group),
            )
    tab = reverse("groups:connectors", args=[group.pk])
    pages = {"requests": reverse("groups:requests"), "search": f"{reverse('search')}?q=Number"}
    return pages.get(place, tab), several


@pytest.mark.parametrize("place", ["requests", "requests of the group", "bots", "search"])
def test_every_row_about_a_connector_shows_it_and_asks_no_more(
    group: Group, developer: User, group_admin: User, browser_of: Browser, place: str
) -> None:
    url, several = rows_of(place, group, developer, group_admin)
    client = browser_of(group_admin)
    assert "avatar-logo" not in client.get(url).content.decode()
    with CaptureQueriesContext(connection) as without:
        client.get(url)
    for number, connector in enumerate(several):
        put(connector, content=png(shade=number))
    with CaptureQueriesContext(connection) as with_logos:
        page = client.get(url).content.decode()
    assert [connector.name for connector in several if img(connector) not in page] == []
    assert len(with_logos) == len(without)
