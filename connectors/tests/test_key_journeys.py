"""A key pair made in the browser: the private half becomes a file and is never sent; key pages are for everybody."""

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
from django.urls import reverse
from playwright.sync_api import Page, Request, expect

from accounts.models import User
from connectors.models import Connector, ConnectorKey
from connectors.tests import factories
from connectors.tests.keys import x25519
from connectors.views import one_time_secrets

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

OpenPage = Callable[..., Page]


@pytest.fixture(autouse=True)
def _address(settings: Any, live_server: Any) -> None:
    settings.CONSOLE_BASE_URL = live_server.url


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


def test_pressed_twice_the_second_pair_counts(open_page: OpenPage, developer: User, connector: Connector) -> None:
    page = open_page(user=developer)
    _file, first = made_key(page, connector)
    with page.expect_download():
        page.get_by_role("button", name="Create key").click()
    shown = page.locator("[data-make-key-fingerprint]")
    expect(shown).not_to_have_text(first)
    second = shown.inner_text()
    page.get_by_role("button", name="Register key").click()
    expect(page.locator("dd", has_text=second)).to_be_visible()


def test_without_scripts_a_key_is_pasted(open_page: OpenPage, developer: User, connector: Connector) -> None:
    pair = x25519()
    page = open_page(user=developer, scripts=False)
    page.goto(reverse("connectors:key_add", args=[connector.pk]))
    expect(page.get_by_role("button", name="Create key")).to_be_hidden()
    page.get_by_label("Public key").fill(pair.public_pem)
    page.get_by_role("button", name="Register key").click()
    expect(page.locator("dd", has_text=pair.fingerprint)).to_be_visible()
