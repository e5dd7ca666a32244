"""The API explorer in a browser: it fits, it is accessible, and "Try it" calls the API of this very console."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from connectors.permissions import PERMISSIONS
from groups.models import Group, Message
from groups.tests.factories import Program, let_in, make_connector, make_group
from kaizala_console.tests.browser import assert_accessible

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
LOOKS = [{"width": 1280}, {"width": 360, "dark": True}]


@pytest.fixture
def group(group_admin: User) -> Group:
    return make_group(organisation=group_admin.organisation, admins=[group_admin])


@pytest.fixture
def program(developer: User, group: Group, group_admin: User) -> Program:
    return let_in(make_connector(developer, permissions=PERMISSIONS), group, group_admin)


@pytest.mark.capability
def test_a_developer_finds_an_operation_and_tries_it(
    open_page: Callable[..., Page], developer: User, program: Program, group: Group
) -> None:
    page = open_page(user=developer)
    page.goto("/console/api/?q=text+message")
    page.locator("#operations").get_by_role("link", name="Post a text message").click()
    page.get_by_role("button", name="Send POST").click()
    expect(page.locator("[data-try-answer]")).to_contain_text("Fill in first: groupId")
    page.get_by_label("groupId").fill(str(group.pk))
    page.get_by_role("button", name="Send POST").click()
    expect(page.locator("[data-try-status]")).to_have_text("401")
    page.get_by_label("accessToken").fill(program.access_token)
    page.get_by_role("button", name="Send POST").click()
    expect(page.locator("[data-try-status]")).to_have_text("200")
    message = Message.objects.get()
    expect(page.locator("[data-try-text]")).to_contain_text(str(message.pk))
    assert_accessible(page)
    # The token is in no address, and nothing is left of it in the browser.
    assert program.access_token not in page.url
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert program.access_token not in kept
    page.goto("/console/api/")
    page.go_back()
    expect(page.get_by_label("accessToken")).to_have_value("")


def test_without_scripts_there_is_a_line_for_the_shell(open_page: Callable[..., Page], developer: User) -> None:
    page = open_page(user=developer, scripts=False)
    page.goto("/console/api/postMessage/?in=java")
    expect(page.locator("#try-curl")).to_contain_text("curl ")
    expect(page.locator("[data-try]")).to_be_hidden()
