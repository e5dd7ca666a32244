"""Pages that follow along, in a browser: the focus stays, nothing typed is lost, and no hidden tab asks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, Response, expect

from accounts.models import User
from connectors.models import Connector
from connectors.permissions import Permission
from connectors.services import access_requests as asking
from connectors.services import handoffs
from groups.access import get_target
from groups.models import Group
from groups.services import connectors
from kaizala_console.tests.browser import assert_accessible, assert_fits

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
OpenPage = Callable[..., Page]
# What coming back to the tab does: it asks at once.
ASK = "document.dispatchEvent(new Event('seenagain'))"
LOOK_AWAY = "hidden => Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden})"


def is_poll(response: Response) -> bool:
    return "if-none-match" in response.request.headers


def ask(page: Page) -> int:
    """Has the page ask, waits for the answer, and returns its status."""
    with page.expect_response(is_poll) as answered:
        page.evaluate(ASK)
    answered.value.finished()
    page.wait_for_timeout(100)
    return answered.value.status


def test_the_line_follows_along_with_the_focus_where_it_is_and_not_in_a_tab_that_nobody_sees(
    open_page: OpenPage, group: Group, connector: Connector, group_admin: User, developer: User
) -> None:
    handoff = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin).handoff
    url = reverse("groups:grant", args=[group.pk, handoff.grant_id])
    page = open_page(user=group_admin)
    page.goto(url)
    opened = page.get_by_role("listitem").filter(has_text="Claimed")
    assert ask(page) == 304
    expect(opened).to_contain_text("Claimed")
    handoffs.claim(handoff=handoff, by=developer, idempotency_key="k" * 32, address=None)

    page.evaluate(LOOK_AWAY, True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "if-none-match" in request.headers else None)
    page.evaluate(ASK)
    page.wait_for_timeout(300)
    assert asked == []

    remove = page.get_by_role("link", name="Remove")
    remove.focus()
    page.evaluate(LOOK_AWAY, False)
    assert ask(page) == 200
    expect(opened).to_contain_text("done")
    expect(remove).to_be_focused()
    expect(page.locator("#live-words")).to_have_text("Claimed: Devika Rao")


def test_the_focus_in_a_part_that_changes_stays_or_the_part_has_it(
    open_page: OpenPage, group: Group, connector: Connector, group_admin: User, developer: User
) -> None:
    handoff = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin).handoff
    page = open_page(user=developer)
    page.goto(reverse("connectors:handoff", args=[handoff.pk]))
    page.get_by_role("link", name="Refuse").focus()
    handoffs.claim(handoff=handoff, by=developer, idempotency_key="k" * 32, address=None)
    assert ask(page) == 200
    expect(page.get_by_role("button", name="Claim")).to_have_count(0)
    expect(page.locator("#handoff-head")).to_contain_text("Claimed")
    assert page.evaluate("document.querySelector('#handoff-now').contains(document.activeElement)")
    assert page.title().startswith(f"Handoff for {group.name}")


def test_a_request_that_arrives_touches_no_form(
    open_page: OpenPage, group: Group, connector: Connector, group_admin: User, developer: User
) -> None:
    page = open_page(user=group_admin, width=360)
    page.goto(reverse("groups:connectors", args=[group.pk]))
    end_date = page.get_by_label("End date")
    end_date.fill("2090-01-31")
    asked = asking.ask(
        connector=connector, by=developer, permissions=[Permission.TEXT_MESSAGE],
        once=asking.new_once(), target=get_target(group),
    )  # fmt: skip
    assert ask(page) == 200
    expect(page.locator(f"#asked-now a[href$='{asked.pk}/']").first).to_be_visible()
    expect(end_date).to_have_value("2090-01-31")
    expect(end_date).to_be_focused()
    assert_accessible(page)
    assert_fits(page)
    assert ask(page) == 304
