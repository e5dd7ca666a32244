"""The pages of connectors in a real browser: what scripts add, what goes without them, and who can use them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from django.urls import reverse
from playwright.sync_api import Dialog, Page, expect

from accounts.models import User
from connectors.models import ConnectorSecret
from connectors.tests.factories import Program

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

OpenPage = Callable[..., Page]


@pytest.fixture(autouse=True)
def _address(settings: Any, live_server: Any) -> None:
    settings.CONSOLE_BASE_URL = live_server.url


def choose_permissions(page: Page, name: str = "Canteen menu") -> None:
    page.goto("/console/connectors/add/")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("button", name="Create Connector")).to_be_visible()


def create(page: Page) -> None:
    choose_permissions(page)
    page.get_by_label("Text Message", exact=True).check()
    page.get_by_role("button", name="Create Connector").click()
    expect(page.get_by_text("You will not see this again.")).to_be_visible()


def claim(page: Page, program: Program) -> None:
    page.goto(reverse("connectors:handoff", args=[program.handoff.pk]))
    page.get_by_role("button", name="Claim").click()
    expect(page.get_by_text("You will not see this again.")).to_be_visible()


def leave(page: Page) -> None:
    """Closes the page as one does who has stored the credential."""
    page.get_by_label("I have stored it").check()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_the_summary_follows_the_boxes(open_page: OpenPage, developer: User, scripts: bool) -> None:
    page = open_page(user=developer, scripts=scripts)
    choose_permissions(page)
    can, cannot = page.locator(".permission-summary .is-can"), page.locator(".permission-summary .is-cannot")
    expect(can.get_by_text("nothing yet")).to_be_visible()
    expect(cannot.locator("li:visible")).to_have_count(9)
    page.get_by_label("Text Message", exact=True).check()
    expect(can.locator("li:visible")).to_have_text(["Post messages"])
    expect(cannot.get_by_text("Post messages")).to_be_hidden()
    page.get_by_label("Text Message", exact=True).uncheck()
    expect(can.get_by_text("Post messages")).to_be_hidden()
    for box in page.get_by_role("checkbox").all():
        box.check()
    expect(cannot.locator("li:visible")).to_have_text(["No restrictions"])


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_the_line_that_stands_on_the_page_answers_200_when_pasted(
    open_page: OpenPage, developer: User, program: Program, scripts: bool
) -> None:
    page = open_page(user=developer, scripts=scripts)
    claim(page, program)
    # What is seen, not what the source says: a style that folds lines would break the line.
    seen = page.locator("#try-it").inner_text()
    assert seen.count("\\\n") == 3
    command, address, *rest = shlex.split(seen.replace("\\\n", " ").replace("$CONNECTOR_SECRET", program.secret))
    headers = dict(header.split(": ", 1) for header in rest if header != "-H")
    assert command == "curl"
    assert requests.get(address, headers=headers, timeout=10).status_code == 200
    leave(page)


def downloaded(page: Page, button: str) -> tuple[str, str]:
    with page.expect_download() as waiting:
        page.locator(f"button:has-text('{button}'):visible").click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_text(encoding="utf-8")


@pytest.mark.capability
def test_the_files_made_by_the_script_are_those_made_by_the_server(open_page: OpenPage, developer: User) -> None:
    page = open_page(user=developer)
    create(page)
    scripted = {kind: downloaded(page, f"Download {kind}") for kind in (".env", "JSON")}
    idempotency_key = page.locator(".secret-once-done [name=idempotency_key]").input_value()
    secret = page.get_by_label("Connector secret").input_value()
    served = {}
    for kind, word in ((".env", "env"), ("JSON", "json")):
        answer = page.request.post(
            page.locator(".secret-once-done").get_attribute("action").replace("/done/", "/download/"),  # type: ignore[union-attr]
            form={
                "idempotency_key": idempotency_key,
                "kind": word,
                "csrfmiddlewaretoken": page.locator("[name=csrfmiddlewaretoken]").first.input_value(),
            },
        )
        served[kind] = (answer.headers["content-disposition"].split('"')[1], answer.text())
    assert scripted == served
    assert json.loads(scripted["JSON"][1])["CONNECTOR_SECRET"] == secret
    leave(page)


def test_without_scripts_the_files_come_from_the_server(open_page: OpenPage, developer: User) -> None:
    page = open_page(user=developer, scripts=False)
    create(page)
    name, text = downloaded(page, "Download .env")
    assert name == "canteen-menu.env"
    assert f'CONNECTOR_SECRET="{page.get_by_label("Connector secret").input_value()}"' in text


@pytest.mark.capability
def test_done_waits_for_the_tick_and_leaving_early_asks(open_page: OpenPage, developer: User) -> None:
    page = open_page(user=developer)
    create(page)
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    expect(page.get_by_role("button", name="Done")).to_be_disabled()
    with page.expect_event("dialog"):
        page.get_by_role("link", name="Handoffs").first.click()
    assert asked == ["beforeunload"]
    expect(page.get_by_text("You will not see this again.")).to_be_visible()
    page.get_by_label("I have stored it").check()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("heading", name="Canteen menu")).to_be_visible()
    assert asked == ["beforeunload"]


@pytest.mark.capability
def test_a_real_double_click_makes_one_connector(open_page: OpenPage, developer: User) -> None:
    page = open_page(user=developer, scripts=False)
    choose_permissions(page)
    page.get_by_label("Text Message", exact=True).check()
    page.get_by_role("button", name="Create Connector").dblclick()
    expect(page.get_by_text("You will not see this again.")).to_be_visible()
    assert ConnectorSecret.objects.count() == 1
