"""Pages that move on by themselves, in a real browser: never under somebody's hands, and not where nobody looks."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import User
from connectors.models import Connector
from connectors.permissions import Permission
from connectors.services import access_requests as asking
from connectors.services import handoffs
from groups.access import target_of
from groups.models import Group
from groups.services import connectors
from kaizala_console.tests.browser import assert_accessible, assert_fits

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
OpenPage = Callable[..., Page]
# What coming back to the tab does: it asks at once.
ASK = "document.dispatchEvent(new Event('seenagain'))"
LOOK_AWAY = "hidden => Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden})"


def ask(page: Page) -> None:
    """Has the page ask, and waits for the answer."""
    with page.expect_response(lambda response: "seen=" in response.url) as answered:
        page.evaluate(ASK)
    answered.value.finished()
    page.wait_for_timeout(100)


def test_the_line_moves_on_but_not_under_the_hands_of_somebody_nor_in_a_tab_that_nobody_sees(
    open_page: OpenPage, group: Group, connector: Connector, group_admin: User, developer: User
) -> None:
    handoff = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin).handoff
    page = open_page(user=developer)
    page.goto(reverse("connectors:handoff", args=[handoff.pk]))
    opened = page.get_by_role("listitem").filter(has_text="Opened")
    refuse = page.get_by_role("link", name="Refuse")
    handoffs.claim(handoff=handoff, by=developer, idempotency_key="k" * 32, address=None)

    page.evaluate(LOOK_AWAY, True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "seen=" in request.url else None)
    page.evaluate(ASK)
    page.wait_for_timeout(300)
    assert asked == []

    refuse.focus()  # before it may ask by itself
    page.evaluate(LOOK_AWAY, False)
    ask(page)
    expect(refuse).to_be_focused()
    expect(opened).not_to_contain_text("done")

    page.evaluate("document.activeElement.blur()")
    ask(page)
    expect(opened).to_contain_text("done")
    expect(page.locator("#live-words")).to_have_text("Opened: Devika Rao")
    expect(page.get_by_role("button", name="Claim")).to_have_count(0)
    expect(page.locator("#handoff-head")).to_contain_text("Opened")
    assert page.title().startswith(f"Handoff for {group.name}")


def test_a_request_that_arrives_touches_no_form_and_is_said_once(
    open_page: OpenPage, group: Group, connector: Connector, group_admin: User, developer: User
) -> None:
    page = open_page(user=group_admin, width=360)
    page.goto(reverse("groups:connectors", args=[group.pk]))
    end_date = page.get_by_label("End date")
    end_date.fill("2090-01-31")
    asked = asking.ask(
        connector=connector, by=developer, permissions=[Permission.TEXT_MESSAGE],
        once=asking.new_once(), target=target_of(group),
    )  # fmt: skip
    ask(page)
    news = page.get_by_role("status").filter(has_text="asks to be let in")
    expect(news).to_be_in_viewport()
    expect(end_date).to_have_value("2090-01-31")
    expect(end_date).to_be_focused()
    assert_accessible(page)
    assert_fits(page)
    page.evaluate(ASK)  # it has said so, and asks no more
    page.wait_for_timeout(300)
    expect(page.locator(".arrival")).to_have_count(1)
    news.get_by_role("link", name="Look at the request").click()
    expect(page).to_have_url(re.compile(str(asked.pk)))
