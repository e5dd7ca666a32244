"""By keyboard alone: what a developer's program needs: the explorer, the inspector, its webhooks, bots and usage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import User
from connectors.models import Bot, Connector, Webhook
from connectors.permissions import PERMISSIONS
from connectors.tests.webhook_history import eventful
from connectors.webhooks import publish
from groups.models import Group, Message
from groups.tests.factories import Program, let_in, make_connector, make_group
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]
TypistOf = Callable[..., Typist]


@pytest.fixture
def group(group_admin: User) -> Group:
    """With one admin."""
    return make_group(organisation=group_admin.organisation, admins=[group_admin])


@pytest.fixture
def program(developer: User, group: Group, group_admin: User) -> Program:
    """The developer's, at work in the group; it may do everything."""
    return let_in(make_connector(developer, name="Shift Planner", permissions=PERMISSIONS), group, group_admin)


def at(name: str, connector: Connector, *more: Any) -> str:
    return reverse(f"connectors:{name}", args=[connector.pk, *more])


def test_an_operation_is_found_and_tried_and_a_token_inspected(
    typist: TypistOf, program: Program, group: Group, developer: User
) -> None:
    person = typist(developer)
    page = person.page
    person.visit(reverse("connectors:explorer"))
    page.locator(".opblock").first.wait_for(timeout=30_000)
    person.press(page.get_by_role("button", name="Authorize"))
    person.reach(page.get_by_label("Value:").first)
    page.keyboard.type(program.access_token)
    person.key("Enter")
    person.press(page.get_by_role("button", name="Close").last)
    person.write("Filter operations", "postMessage text")
    person.press(page.locator(".opblock-summary-control"))
    person.press(page.get_by_role("button", name="Try it out"))
    person.reach(page.get_by_placeholder("groupId"))
    page.keyboard.type(str(group.pk))
    person.press(page.get_by_role("button", name="Execute"))
    expect(page.locator(".live-responses-table .response-col_status").nth(1)).to_contain_text("200")
    assert str(Message.objects.get().pk) in page.locator(".live-responses-table").inner_text()

    person.visit(reverse("connectors:inspector"))
    person.button("Inspect")
    expect(page.get_by_role("alert")).to_be_focused()
    person.write("Token", program.access_token)
    person.choose("Would this call work?", "add members")
    person.write("On the group", str(group.pk))
    person.button("Inspect", "Space")
    expect(page.get_by_role("heading", name="PUT /v1/groups/<group_id>/members would work")).to_be_visible()


def test_a_webhook_is_paused_woken_replayed_given_a_new_secret_and_deleted(
    typist: TypistOf, program: Program, developer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "notify_worker", lambda: None)  # the address is nobody's
    webhook = eventful(program.grant)
    owner, connector = typist(developer), program.connector
    page = owner.page
    owner.visit(at("webhook", connector, webhook.pk))
    owner.button("Redeliver 1 failed", "Space")
    assert not webhook.deliveries.filter(state="failed").exists()
    owner.skip()
    owner.link("Replay from …")
    owner.skip()
    owner.reach(owner.field("From"))
    page.keyboard.type("12122020")
    page.keyboard.press("ArrowRight")
    page.keyboard.type("0112P")
    owner.button("Count deliveries")
    owner.skip()
    owner.button(r"Replay \d+ deliveries")
    for verb in ("Pause", "Resume"):
        owner.visit(at("webhook_settings", connector, webhook.pk))
        owner.link(verb)
        owner.skip()
        owner.button(verb)
    for act in ("Show signing secret", "Regenerate secret"):
        owner.visit(at("webhook_settings", connector, webhook.pk))
        owner.button(act)
        owner.done()
        owner.arrive()
    webhook.refresh_from_db()
    assert webhook.old_secret_until is not None
    owner.skip()
    owner.link("Delete")
    owner.skip()
    owner.write("Host of the webhook", webhook.host)
    owner.button("Delete")
    assert Webhook.objects.get().deleted_at


def test_the_address_for_handoffs_is_registered_without_a_mouse(
    typist: TypistOf, program: Program, developer: User, listens_at: str
) -> None:
    owner = typist(developer)
    owner.visit(at("webhooks", program.connector))
    owner.link("Register address")
    owner.skip()
    owner.write("Address", listens_at)
    owner.button("Register address")
    owner.arrive()
    expect(owner.page.get_by_text("Handoff events now go to")).to_be_visible()
    assert Webhook.objects.get().object_type == "Connector"


def test_what_is_copied_leaves_the_focus_where_it_is_without_the_newer_way(
    typist: TypistOf, program: Program, developer: User
) -> None:
    """Browsers have no `navigator.clipboard` where the console is served without TLS."""
    owner = typist(developer)
    page = owner.page
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    owner.visit(at("details", program.connector))
    owner.press(page.get_by_role("button", name="Copy Connector ID"), "Space")
    expect(page.get_by_role("button", name="Copied Connector ID")).to_be_focused()


def test_a_bot_is_made_renamed_and_deleted_and_the_usage_looked_at(
    typist: TypistOf, program: Program, developer: User
) -> None:
    owner, connector = typist(developer), program.connector
    page = owner.page
    owner.visit(at("bots", connector))
    owner.link("Add bot")
    owner.skip()
    owner.button("Add bot")
    expect(page.get_by_role("alert")).to_be_focused()
    owner.write("Name", "Rota")
    owner.key("Enter")
    owner.skip()
    owner.link("Edit Rota")
    owner.skip()
    owner.write("Name", "News")
    owner.button("Save")
    assert Bot.objects.get().name == "News"
    owner.skip()
    owner.link("Delete News")
    owner.skip()
    owner.write("Name of the bot", "News")
    owner.button("Delete")
    assert Bot.objects.get().removed_at
    owner.visit(at("usage", connector))
    periods = page.get_by_role("navigation", name="Period")
    owner.press(periods.get_by_role("link").last)
    owner.arrive()
    expect(periods.get_by_role("link").last).to_have_attribute("aria-current", "true")
