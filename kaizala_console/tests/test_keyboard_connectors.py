"""By keyboard alone: what an owner does with a connector that exists, up to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import User
from connectors.models import CachedToken, Connector
from connectors.permissions import PERMISSIONS
from connectors.tests.factories import Program, make_connector, make_program
from connectors.tests.webhook_history import eventful
from connectors.webhooks import publish
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]
TypistOf = Callable[..., Typist]


@pytest.fixture(autouse=True)
def _address(settings: Any, live_server: Any) -> None:
    settings.CONSOLE_BASE_URL = settings.TOKEN_SERVICE_URL = live_server.url


@pytest.fixture
def program(developer: User, group_admin: User) -> Program:
    """The developer's program, let into a group; it may do everything."""
    return make_program(make_connector(developer, "Shift Planner", permissions=PERMISSIONS), group_admin)


def at(name: str, connector: Connector, *more: Any) -> str:
    return reverse(f"connectors:{name}", args=[connector.pk, *more])


def test_a_connector_is_deactivated_suspended_resumed_and_deleted_without_a_mouse(
    typist: TypistOf, program: Program, developer: User
) -> None:
    """What cannot be undone takes its name, typed; a name that is wrong leads to where it is said."""
    owner = typist(developer)
    page = owner.page
    page.goto(at("details", program.connector))
    owner.skip()
    owner.link("Deactivate Shift Planner")
    page.wait_for_url("**/deactivate/")
    owner.skip()
    owner.button("Deactivate", "Space")
    expect(page.get_by_text("Deactivated: no more groups can add it. Live tokens keep working.")).to_be_visible()
    owner.skip()
    owner.link("Suspend Shift Planner")
    page.wait_for_url("**/suspend/")
    owner.skip()
    owner.write("Name of the connector", "shift planner")
    owner.button("Suspend")
    expect(page.get_by_text("Suspended: every token is refused.", exact=True)).to_be_visible()
    owner.skip()
    owner.link("Resume Shift Planner")
    page.wait_for_url("**/resume/")
    owner.skip()
    owner.button("Resume")
    expect(page.get_by_role("link", name="Suspend Shift Planner")).to_be_visible()
    owner.skip()
    owner.link("Delete Shift Planner")
    page.wait_for_url("**/delete/")
    owner.skip()
    owner.write("Name of the connector", "Shift Painter")
    owner.key("Enter")
    expect(page.get_by_role("alert")).to_be_focused()
    owner.press(page.get_by_role("alert").get_by_role("link"))
    expect(owner.field("Name of the connector")).to_be_focused()
    owner.write("Name of the connector", "Shift Planner")
    owner.button("Delete")
    page.wait_for_url("**/console/connectors/")
    assert Connector.objects.get().deleted_at is not None


def test_a_key_is_made_and_registered_without_a_mouse(typist: TypistOf, program: Program, developer: User) -> None:
    owner = typist(developer)
    page = owner.page
    page.goto(at("keys", program.connector))
    owner.skip()
    owner.press(page.get_by_role("main").get_by_role("link", name="Register").first)
    page.wait_for_url("**/keys/add/")
    owner.skip()
    with page.expect_download():
        owner.button("Create key", "Space")
    expect(page.get_by_text("Created and filled in below. The private key is only in your downloads")).to_be_visible()
    fingerprint = page.locator("[data-make-key-fingerprint]").inner_text()
    owner.button("Register key")
    expect(page.locator("dd", has_text=fingerprint)).to_be_visible()


def test_an_access_token_is_kept_ready_and_stopped_without_a_mouse(
    typist: TypistOf, program: Program, developer: User
) -> None:
    owner = typist(developer)
    page = owner.page
    page.goto(at("groups", program.connector))
    owner.skip()
    owner.link("Access token for Night shift")
    expect(page.get_by_role("heading", name="Access token for")).to_be_visible()
    owner.skip()
    owner.write("Connector secret", program.secret)
    owner.write("Refresh token", program.refresh_token)
    owner.key("Enter")
    expect(page.get_by_text("The console now keeps an access token ready.")).to_be_visible()
    owner.skip()
    owner.button("Stop", "Space")
    expect(page.get_by_text("Stopped. The stored credentials and tokens are deleted.")).to_be_visible()
    assert not CachedToken.objects.exists()


def test_a_delivery_is_found_and_sent_again_without_a_mouse(
    typist: TypistOf, program: Program, developer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the filter, which swaps the list and keeps the place."""
    monkeypatch.setattr(publish, "notify_worker", lambda: None)  # the address is nobody's
    webhook = eventful(program.grant)
    owner = typist(developer)
    page = owner.page
    page.goto(at("webhooks", program.connector))
    owner.skip()
    owner.press(page.get_by_role("main").get_by_role("table").get_by_role("link"))
    page.wait_for_url(f"**/{webhook.pk}/")
    owner.skip()
    state = page.locator("select[name=state]")
    owner.reach(state)
    page.keyboard.type("Failed")
    page.wait_for_url("**state=failed**")
    expect(page.locator("#deliveries tbody tr")).to_have_count(1)
    expect(state).to_be_focused()
    owner.press(page.locator("#deliveries tbody").get_by_role("link"))
    expect(page.get_by_role("heading", name="Tries")).to_be_visible()
    owner.skip()
    owner.press(page.locator("details.webhook-answer summary").nth(1))
    expect(page.locator("details.webhook-answer[open]")).to_have_count(2)
    owner.press(page.get_by_role("button", name="Redeliver"), "Space", back=True)
    page.wait_for_load_state()
    expect(page.get_by_role("button", name="Redeliver")).to_have_count(0)
    assert not webhook.deliveries.filter(state="failed").exists()
