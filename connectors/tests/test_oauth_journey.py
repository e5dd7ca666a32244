"""Signing in to a program in a real browser: to another site and back, with scripts and without."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import Browser, Page

from accounts.models import User
from connectors.models import Connector
from connectors.services import user_tokens
from connectors.tests.factories import person_of
from kaizala_console.tests.browser import assert_accessible, assert_fits

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


class _Program(BaseHTTPRequestHandler):
    """The program's page that people are sent back to."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>Shift Planner</title><h1>Welcome back</h1>")

    def log_message(self, *_arguments: Any) -> None:
        """Says nothing."""


@pytest.fixture
def callback() -> Iterator[str]:
    """The redirect URL of a program at an origin of its own."""
    # With threads: a browser opens connections in stock, and whoever serves one after the other waits for the first.
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Program)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/callback"
    server.shutdown()
    server.server_close()


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


@pytest.mark.parametrize(("width", "dark"), [(360, True)])  # the wide and light look is that of test_every_page
def test_the_pages_of_user_tokens_are_accessible_and_fit(
    open_page: Callable[..., Page],
    live_server: Any,
    connector: Connector,
    developer: User,
    member: User,
    organisation_admin: User,
    second_admin: User,
    width: int,
    dark: bool,
) -> None:
    Connector.objects.update(redirect_urls=["https://planner.example/back"])
    asked = {"client_id": str(connector.pk), "redirect_uri": "https://planner.example/back"}
    page = open_page(user=member, width=width, dark=dark)

    def look(at: Page) -> None:
        assert_accessible(at)
        assert_fits(at)

    page.goto(reverse("connectors:user_token", args=[connector.pk]))
    look(page)
    page.get_by_role("button", name="Generate user token").click()
    look(page)
    page.goto(reverse("connectors:user_token", args=[connector.pk]))
    look(page)
    page.goto(f"/api/oauth/authorize?{urlencode(asked)}")
    look(page)
    page.goto(f"/api/oauth/authorize?{urlencode(asked | {'redirect_uri': 'x'})}")
    look(page)
    page.goto(reverse("connectors:acting"))
    look(page)
    page.get_by_role("link", name="End it").click()
    look(page)
    page.get_by_label("Name of the connector").fill("Shift Planner")
    page.get_by_role("button", name="End it").click()
    look(page)
    request = user_tokens.ask(connector=connector, person=person_of(organisation_admin), by=organisation_admin)
    second = open_page(user=second_admin, width=width, dark=dark)
    second.goto(reverse("connectors:user_token_request", args=[request.pk]))
    look(second)
    second.get_by_role("button", name="Confirm").click()
    look(second)
    owner = open_page(user=developer, width=width, dark=dark)
    owner.goto(reverse("connectors:sign_in", args=[connector.pk]))
    look(owner)
