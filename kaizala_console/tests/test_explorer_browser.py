"""The API explorer in a browser: it fits, it is accessible, and "Try it out" calls the API of this very console."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from accounts.models import User
from groups.models import Group, Message
from groups.tests.factories import Program
from kaizala_console.lib.tests.cast import OpenPage
from kaizala_console.tests.browser import assert_accessible

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
LOOKS = [{"width": 1280}, {"width": 360, "dark": True}]
STATUS = ".live-responses-table .response-col_status >> nth=1"


@pytest.mark.capability
@pytest.mark.parametrize("look", LOOKS)
def test_a_developer_finds_an_operation_and_tries_it(
    open_page: OpenPage, developer: User, program: Program, group: Group, look: dict[str, Any]
) -> None:
    page = open_page(user=developer, **look)
    calls: list[dict[str, str]] = []
    page.on("request", lambda asked: calls.append(asked.all_headers()) if "/messages" in asked.url else None)
    page.goto("/console/api/")
    page.locator(".opblock").first.wait_for(timeout=30_000)
    page.get_by_label("Filter operations").fill("postMessage text")
    expect(page.locator(".opblock")).to_have_count(1)
    page.locator(".opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_placeholder("groupId").fill(str(group.pk))
    page.get_by_label("Body").fill('{"message": "The night shift starts at 22:00."}')
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(STATUS)).to_contain_text("401")

    page.get_by_role("button", name="Authorize").first.click()
    token = page.get_by_label("Value:").first
    expect(token).to_have_attribute("type", "password")
    expect(token).to_have_attribute("autocomplete", "off")
    assert_accessible(page)
    token.fill(program.access_token)
    token.press("Enter")
    page.get_by_role("button", name="Close").last.click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(STATUS)).to_contain_text("200")
    message = Message.objects.get()
    expect(page.locator(".live-responses-table")).to_contain_text(str(message.pk))
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= look["width"]

    # The call carries the token and no session; the token is in no address, and nothing is left of it in the browser.
    assert calls[-1]["accesstoken"] == program.access_token
    assert "cookie" not in calls[-1]
    assert program.access_token not in page.url
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert program.access_token not in kept
    page.goto("/console/connectors/")
    page.go_back()
    expect(page.locator(".opblock").first).to_be_visible()
    assert program.access_token not in page.content()


def test_a_link_opens_its_operation(open_page: OpenPage, developer: User) -> None:
    page = open_page(user=developer)
    page.goto("/console/api/#updateWebhook")
    page.locator(".opblock").first.wait_for(timeout=30_000)
    expect(page.locator(".opblock-body")).to_have_count(1)
    expect(page.get_by_role("button", name="Try it out")).to_be_in_viewport()
