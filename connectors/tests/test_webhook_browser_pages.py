"""The pages of webhooks in a browser: wide, narrow, dark, without scripts, and while the log follows along."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import User
from connectors.models import Webhook
from connectors.tests.factories import Program
from connectors.tests.webhook_history import eventful, happened, quiet
from connectors.webhooks import publish
from connectors.webhooks.events import WebhookEventType
from kaizala_console.lib import clock
from kaizala_console.tests.browser import assert_accessible

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
OpenPage = Callable[..., Page]


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker looks at the queue: these addresses are nobody's."""
    monkeypatch.setattr(publish, "notify_worker", lambda: None)


def at(name: str, webhook: Webhook, *more: Any) -> str:
    return reverse(f"connectors:{name}", args=[webhook.connector_id, webhook.pk, *more])


@pytest.mark.capability
def test_the_log_follows_along_and_the_focus_stays(told_program: Program, developer: User, open_page: OpenPage) -> None:
    webhook = quiet(told_program.grant)
    waits = happened(webhook)
    page = open_page(user=developer)
    page.clock.install()
    page.goto(at("webhook", webhook))
    link = page.locator(f"#delivery-{waits.pk}")
    link.focus()
    webhook.deliveries.filter(pk=waits.pk).update(state="delivered", next_attempt_at=None, finished_at=clock.now())
    happened(webhook, WebhookEventType.MEMBER_ADDED)
    page.clock.run_for(4_500)
    expect(page.get_by_role("row", name="MemberAdded")).to_be_visible()
    expect(page.get_by_role("row", name="TextMessageCreated").get_by_text("Delivered")).to_be_visible()
    expect(link).to_be_focused()
    assert_accessible(page)
    page.get_by_role("link", name="Pause").click()
    expect(page.get_by_role("link", name="Go live")).to_be_visible()
    happened(webhook, WebhookEventType.MEMBER_REMOVED)
    page.clock.run_for(9_000)
    expect(page.get_by_role("row", name="MemberRemoved")).to_have_count(0)


def test_filters_change_the_list_and_the_address(told_program: Program, developer: User, open_page: OpenPage) -> None:
    webhook = eventful(told_program.grant)
    page = open_page(user=developer)
    page.goto(at("webhook", webhook))
    page.get_by_label("State", exact=True).select_option("failed")
    expect(page.locator("#deliveries tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile("state=failed"))
    page.get_by_role("link", name="State: Failed").click()
    expect(page.locator("#deliveries tbody tr")).to_have_count(7)


@pytest.mark.capability
def test_everything_goes_without_scripts(told_program: Program, developer: User, open_page: OpenPage) -> None:
    webhook = eventful(told_program.grant)
    page = open_page(user=developer, scripts=False)
    page.goto(reverse("connectors:details", args=[webhook.connector_id]))
    page.get_by_role("link", name="Webhooks 1").click()
    page.get_by_role("link", name="hooks.example.com").click()
    expect(page.get_by_role("link", name="Refresh")).to_be_visible()
    page.get_by_label("Event", exact=True).select_option("PollResponse")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_role("row", name="PollResponse")).to_have_count(1)
    page.get_by_role("link", name="Clear all").click()
    page.get_by_role("button", name="Redeliver 1 failed").click()
    expect(page.get_by_text("1 delivery queued.")).to_be_visible()
    page.get_by_role("link", name="Replay from").click()
    page.get_by_label("From", exact=True).fill("2020-01-01T00:00")
    page.get_by_role("button", name="Count deliveries").click()
    page.get_by_role("button", name="Replay 4 deliveries").click()
    expect(page.get_by_text("4 deliveries queued.")).to_be_visible()
    page.get_by_role("link", name="Settings", exact=True).last.click()
    page.get_by_role("button", name="Show signing secret").click()
    assert page.get_by_label("Signing secret").input_value().startswith("whsec_")


def test_who_was_away_confirms_and_comes_back_to_the_button(
    told_program: Program, developer: User, open_page: OpenPage
) -> None:
    webhook = quiet(told_program.grant)
    page = open_page(user=developer, confirmed=False)
    page.goto(at("webhook_settings", webhook))
    page.get_by_role("button", name="Show signing secret").click()
    expect(page).to_have_url(re.compile(r"^[^?]*/console/confirm/(\?|$)"))
    webhook.refresh_from_db()
    assert webhook.secret_shown_at is None
