"""Signing in to a program in a real browser: to another site and back, with scripts and without."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings

from accounts import sandbox
from accounts.models import Organisation, User
from accounts.tests.factories import make_user
from connectors.models import Connector
from connectors.tests.factories import make_connector
from connectors.tests.receiver import Receiver

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def callback(receiver: Receiver) -> str:
    """The redirect URL of a program at an origin of its own."""
    receiver.echo = "<title>Shift Planner</title><h1>Welcome back</h1>"
    return receiver.url("/callback")


def opened(browser: Browser, live_server: Any, browser_of: Callable[..., Any], user: User, *, scripts: bool) -> Page:
    """A page that may leave the console, as those of `open_page` may not."""
    context = browser.new_context(base_url=live_server.url, java_script_enabled=scripts)
    cookie = browser_of(user).cookies[settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    return context.new_page()


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize(("button", "name"), [("Allow", "code"), ("Don’t allow", "error")])
@pytest.mark.capability
def test_the_browser_comes_back_to_the_program_whatever_the_person_says(
    browser: Browser,
    live_server: Any,
    browser_of: Callable[..., Any],
    connector: Connector,
    member: User,
    callback: str,
    scripts: bool,
    button: str,
    name: str,
) -> None:
    Connector.objects.update(redirect_urls=[callback])
    page = opened(browser, live_server, browser_of, member, scripts=scripts)
    asked = {"client_id": str(connector.pk), "redirect_uri": callback, "state": "s p"}
    page.goto(f"/api/Oauth/Authorize?{urlencode(asked)}")
    page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_url(f"{callback}?**")
    assert page.get_by_role("heading").inner_text() == "Welcome back"
    answer = parse_qs(urlsplit(page.url).query)
    assert (set(answer), answer["state"]) == ({name, "state"} | ({"error_description"} & set(answer)), ["s p"])
    page.context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_person_signs_in_proves_a_number_allows_and_comes_back(
    browser: Browser, live_server: Any, callback: str, phones: Any, settings: Settings, scripts: bool
) -> None:
    """All that may lie between the program's question and its answer: no page on the way blocks the way back."""
    settings.PIN_COOLDOWN_SECONDS = 0
    organisation = Organisation.objects.create(name="Contoso Logistics", entra_tenant_id=sandbox.TENANT_ID)
    developer = make_user("Devika Rao", organisation)
    connector = make_connector(developer, "Shift Planner", redirect_urls=[callback])
    context = browser.new_context(base_url=live_server.url, java_script_enabled=scripts)
    page = context.new_page()
    blocked: list[str] = []
    page.on("console", lambda message: blocked.append(message.text) if "Content Security" in message.text else None)
    page.goto(f"/api/oauth/authorize?{urlencode({'client_id': str(connector.pk), 'redirect_uri': callback})}")
    page.get_by_role("button", name="Sign in with Office365").click()
    page.get_by_role("button", name=re.compile(sandbox.BY_KEY["member"].name)).click()
    page.get_by_label("Number", exact=True).fill("+91 98765 43210")
    page.get_by_role("button", name="Generate PIN").click()
    expect(page.get_by_role("button", name="Verify")).to_be_visible()
    page.get_by_role("textbox").last.fill(phones.pin("+919876543210"))
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("heading", name="Shift Planner")).to_be_visible()
    page.get_by_role("button", name="Allow", exact=True).click()
    if "confirm" in page.url:
        page.get_by_role("textbox").last.fill(phones.pin("+919876543210"))
        page.get_by_role("button", name="Confirm", exact=True).click()
    page.wait_for_url(f"{callback}?code=**")
    assert blocked == []
    context.close()
