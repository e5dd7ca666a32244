"""The pages of connectors in a real browser: what scripts add, what goes without them, and who can use them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Dialog, Page, Request, expect

from accounts.models import User
from connectors.models import Connector, ConnectorKey
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.views import one_time_secrets
from kaizala_console.tests.looking import findings

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


def made_key(page: Page, connector: Connector) -> tuple[Path, str]:
    """Presses "Make a key"; the file that the browser saved, and the fingerprint that it shows."""
    page.goto(reverse("connectors:key_add", args=[connector.pk]))
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Create key").click()
    expect(page.get_by_text("Created and filled in below. The private key is only in your downloads")).to_be_visible()
    assert waiting.value.suggested_filename == "shift-planner-private-key.json"
    return Path(waiting.value.path()), page.locator("[data-make-key-fingerprint]").inner_text()


@pytest.mark.capability
def test_a_key_made_in_the_browser_opens_what_is_sealed_and_its_private_half_never_leaves_it(
    open_page: OpenPage, developer: User, group_admin: User, connector: Connector, live_server: Any, tmp_path: Path
) -> None:
    page = open_page(user=developer)
    sent: list[str] = []

    def watch(request: Request) -> None:
        sent.append(f"{request.url} {request.post_data_buffer!r} {request.headers}")

    page.on("request", watch)
    file, fingerprint = made_key(page, connector)
    private = json.loads(file.read_text())
    page.get_by_role("button", name="Register key").click()
    expect(page.locator("dd", has_text=fingerprint)).to_be_visible()
    key = ConnectorKey.objects.get()
    assert key.fingerprint == fingerprint == private["kid"]
    assert key.jwk == {name: private[name] for name in ("kty", "crv", "x", "y")}
    assert [text for text in sent if "keys/add" in text]
    assert not [text for text in sent if private["d"] in text]
    assert private["d"] not in page.content()

    _secret, secret = factories.make_secret(connector)
    factories.let_in(connector, group_admin)
    headers = {"applicationId": str(connector.pk), "applicationSecret": secret}
    answer = requests.post(f"{live_server.url}/v1/handoffs/claim", headers=headers, timeout=10).json()
    (tmp_path / "private-key.pem").write_text(file.read_text())
    shell = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "SEALED_REFRESH_TOKEN": answer["sealedRefreshToken"],
    }
    script = f'{one_time_secrets.get_open_command()}\nprintf %s "$REFRESH_TOKEN"'
    opened = subprocess.run(["sh", "-c", script], cwd=tmp_path, env=shell, capture_output=True, text=True, check=True)
    headers["refreshToken"] = opened.stdout
    assert requests.get(f"{live_server.url}/v1/accessToken", headers=headers, timeout=10).status_code == 200


@pytest.mark.capability
def test_a_developer_sees_why_a_call_would_be_refused(
    open_page: Callable[..., Page], program: Program, developer: User
) -> None:
    page = open_page(user=developer, width=360)
    page.goto("/console/connectors/inspector/")
    page.get_by_label("Token").fill(program.refresh_token)
    call = page.get_by_role("combobox", name="Would this call work?")
    call.fill("/v1/users/me")
    call.press("Enter")
    page.get_by_role("button", name="Inspect").click()
    expect(page.get_by_role("heading", name="It works")).to_be_visible()
    expect(page.get_by_role("heading", name="GET /v1/users/me would be refused")).to_be_visible()
    expect(page.get_by_label("Token")).to_have_value("")
    assert findings(page) == []


@pytest.mark.capability
def test_a_passer_by_reports_and_the_owner_restores_without_scripts(
    program: Program, developer: User, open_page: Callable[..., Page]
) -> None:
    passer_by = open_page(scripts=False)
    passer_by.goto("/console/report-leak/")
    passer_by.get_by_label("The credential, or the text that contains it").fill(f"TOKEN={program.refresh_token}")
    passer_by.get_by_role("button", name="Report").click()
    expect(passer_by.get_by_role("heading", name="Thank you")).to_be_visible()

    headers: dict[str, Any] = program.headers()
    assert Client().get("/v1/accessToken", headers=headers).status_code == 401
    owner = open_page(user=developer, scripts=False)
    owner.goto("/console/")
    owner.get_by_role("link", name="Answer", exact=True).click()
    owner.get_by_role("button", name="Restore").click()
    expect(owner.get_by_text("Restored. It works again.")).to_be_visible()
    assert Client().get("/v1/accessToken", headers=headers).status_code == 200
