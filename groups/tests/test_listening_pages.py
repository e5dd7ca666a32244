"""What group admins see of webhooks: how many listen, to which hosts they send, and that they stop with the access."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from connectors.models import Connector
from connectors.services import grants as rights
from connectors.tests.html_forms import text_of
from connectors.tests.webhook_history import quiet
from connectors.webhooks import management
from groups.models import Group
from groups.tests.factories import Program, let_in

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.fixture
def listening(group: Group, connector: Connector, group_admin: User) -> Program:
    """A program with three webhooks on two hosts, and a fourth that is paused."""
    connector.permissions = [*connector.permissions, "webhook"]
    connector.save()
    program = let_in(connector, group, group_admin)
    for url in (
        "https://hooks.example.com/a?key=their-key",
        "https://hooks.example.com/b",
        "https://stock.example.org/",
    ):
        quiet(program.grant, url)
    management.pause(webhook=quiet(program.grant, "https://paused.example.net/"), by=connector.owner)
    return program


def page_of(group: Group, program: Program, name: str = "grant") -> str:
    return reverse(f"groups:{name}", args=[group.pk, program.grant.pk])


def test_an_admin_sees_where_what_happens_is_sent(
    listening: Program, group: Group, group_admin: User, browser_of: Browser
) -> None:
    page = browser_of(group_admin).get(page_of(group, listening))
    assert "3 webhooks" in text_of(page)
    assert "hooks.example.com 2 webhooks stock.example.org" in text_of(page)
    for hidden in ("their-key", "/a?", "paused.example.net", "their-token-J7Q2K9"):
        assert hidden not in page.content.decode()


@pytest.mark.parametrize("name", ["grant_remove", "grant_suspend"])
def test_what_will_stop_names_them(
    listening: Program, group: Group, group_admin: User, browser_of: Browser, name: str
) -> None:
    text = text_of(browser_of(group_admin).get(page_of(group, listening, name)))
    assert "active webhooks 3" in text
    assert "Webhooks that stop" in text
    assert "are not delivered later. hooks.example.com 2 webhooks stock.example.org" in text


def test_a_new_token_stops_no_webhook(listening: Program, group: Group, group_admin: User, browser_of: Browser) -> None:
    client = browser_of(group_admin)
    assert "webhook" not in text_of(client.get(page_of(group, listening, "grant_regenerate")))
    client.post(page_of(group, listening, "grant_regenerate"))
    assert "3 webhooks" in text_of(client.get(page_of(group, listening)))


def test_a_suspended_access_tells_nobody(
    listening: Program, group: Group, group_admin: User, browser_of: Browser
) -> None:
    rights.suspend(grant=listening.grant, by=group_admin)
    assert "webhooks" not in text_of(browser_of(group_admin).get(page_of(group, listening)))


def test_without_webhooks_nothing_is_said_of_them(
    group: Group, connector: Connector, group_admin: User, browser_of: Browser
) -> None:
    program = let_in(connector, group, group_admin)
    assert "webhooks" not in text_of(browser_of(group_admin).get(page_of(group, program)))


def test_more_webhooks_cost_no_more_queries(
    listening: Program,
    group: Group,
    group_admin: User,
    browser_of: Browser,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    client = browser_of(group_admin)

    def cost() -> int:
        with django_assert_max_num_queries(40) as seen:
            assert client.get(page_of(group, listening)).status_code == 200
        return len(seen.captured_queries)

    few = cost()
    for n in range(12):
        quiet(listening.grant, f"https://h{n}.example.com/")
    assert cost() == few
    assert "And 4 more hosts." in text_of(client.get(page_of(group, listening)))
