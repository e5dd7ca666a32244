"""Chromium for the journey tests, and the accessibility check.

Mark a test with ``journey`` and ask for ``page`` (1280 × 800, light, scripts on), ``plain_page`` (no scripts), or
``open_page`` for anything else::

    @pytest.mark.journey
    def test_a_developer_sees_the_connectors(open_page, developer):
        page = open_page(user=developer, width=360)
        page.goto("/console/connectors/")
        assert_accessible(page)

Every page is closed with a look at its faults: an error in a script, a breach of the Content-Security-Policy, an answer
of 500 and above, or a request to another host fails the test that opened it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, sync_playwright

from accounts.models.session import SessionStore
from kaizala_console.lib.tests.cast import BrowserOf, OpenPage
from kaizala_console.tests.family import killed_when_late

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

# What an answer of 4xx to a page or a script leaves in the console; tests look at such answers themselves.
_EXPECTED = "Failed to load resource"


def session_of(page: Page) -> SessionStore:
    """The session that a page's browser has open."""
    return SessionStore({each["name"]: each["value"] for each in page.context.cookies()}[settings.SESSION_COOKIE_NAME])


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for all journeys of a test process."""
    # Playwright runs an event loop in this thread, on which Django would refuse the tests' own queries.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        with killed_when_late("chrom", seconds=30):
            browser.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
    else:
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


class Faults(list[str]):
    """What went wrong in a page while a test used it."""

    def __init__(self, host: str) -> None:
        super().__init__()
        self.host = host

    def watch(self, page: Page) -> None:
        """Begin to listen."""
        page.on("pageerror", lambda error: self.append(f"script error: {error}"))
        page.on("console", self._console)
        page.on("response", self._response)
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and _EXPECTED not in message.text:
            self.append(f"console: {message.text}")

    def _response(self, response: Response) -> None:
        if response.status >= 500:
            self.append(f"{response.status} from {response.request.method} {response.url}")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https"} and address.netloc != self.host:
            self.append(f"a request to another host: {request.url}")


@pytest.fixture(scope="session")
def kept_contexts() -> dict[str, list[BrowserContext]]:
    """By their options. They are closed with the browser."""
    return {}


def emptied(context: BrowserContext, origin: str) -> None:
    """Whoever has it next is a new visitor, but for the files that it has read already."""
    for page in context.pages:
        storage = {"origin": origin, "storageTypes": "local_storage"}
        context.new_cdp_session(page).send("Storage.clearDataForOrigin", storage)
        page.close()
    context.clear_cookies()


@pytest.fixture
def open_page(
    browser: Browser, live_server: Any, browser_of: BrowserOf, kept_contexts: dict[str, list[BrowserContext]]
) -> Iterator[Callable[..., Page]]:
    """``open_page(user=None, confirmed=True, width=1280, height=800, dark=False, scripts=True, zoom=1, **context)``.

    Each page has a browser context of its own. With ``user`` it is signed in, and freshly confirmed unless
    ``confirmed=False``. ``zoom`` is the browser's: 2 halves the width that the page has, in its own pixels. With
    ``kept`` the context is one of an earlier test, emptied: the first page of a new one costs a second.
    """
    host = urlsplit(live_server.url).netloc
    contexts: list[BrowserContext] = []
    faults = Faults(host)

    def context_for(kept: bool, options: dict[str, Any]) -> BrowserContext:
        several = kept_contexts.setdefault(repr(options), []) if kept else []
        free = [context for context in several if context not in contexts]
        if not free:
            free = [browser.new_context(**options)]
            several += free
        contexts.append(free[0])
        return free[0]

    def open_page(
        *,
        user: Any = None,
        confirmed: bool = True,
        width: int = 1280,
        height: int = 800,
        dark: bool = False,
        scripts: bool = True,
        zoom: int = 1,
        kept: bool = False,
        **more: Any,
    ) -> Page:
        options = {
            "base_url": live_server.url,
            "viewport": {"width": width // zoom, "height": height // zoom},
            "device_scale_factor": zoom,
            "color_scheme": "dark" if dark else "light",
            "java_script_enabled": scripts,
            "permissions": ["clipboard-write"],  # which a Chromium with windows gives to the page in front unasked
            "locale": "en-GB",
            "timezone_id": "Asia/Kolkata",
            **more,
        }
        context = context_for(kept, options)
        context.set_default_timeout(10_000)
        if user is not None:
            cookie = browser_of(user, confirmed=confirmed).cookies[settings.SESSION_COOKIE_NAME]
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
        page = context.new_page()
        faults.watch(page)
        return page

    yield open_page
    kept = [context for several in kept_contexts.values() for context in several]
    for context in contexts:
        if context in kept:
            emptied(context, live_server.url)
        else:
            context.close()
    assert faults == [], "the pages had faults"


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A wide page in light colours with scripts, signed out."""
    return open_page()


@pytest.fixture
def plain_page(open_page: OpenPage) -> Page:
    """The same without scripts."""
    return open_page(scripts=False)


# Two frames, after which what a script has changed is drawn. A browser that draws nothing calls nobody: not for ever.
DRAWN = """() => Promise.race([
  new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
  new Promise((late) => setTimeout(late, 2000)),
])"""
# Colours that are half faded are nobody's: what moves and comes to an end is waited for.
AT_REST = """() => {
  const ends = (one) => Number.isFinite(one.effect?.getComputedTiming().endTime);
  const rest = Promise.allSettled(document.getAnimations().filter(ends).map((one) => one.finished));
  return Promise.race([rest, new Promise((late) => setTimeout(late, 3000))]);
}"""


def accessibility_findings(page: Page, within: str | None = None) -> list[str]:
    """What axe-core finds on the page as it is now: one line a finding. The page must have scripts.

    ``within`` is a CSS selector that narrows the look. axe is evaluated through the debugger, so that the page keeps
    its Content-Security-Policy.
    """
    page.wait_for_load_state()
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    page.evaluate(DRAWN)
    page.evaluate(AT_REST)
    found = page.evaluate(
        "([where, rules]) => axe.run(where || document, {runOnly: rules, resultTypes: ['violations'], preload: false})",
        [within, RULES],
    )
    return [
        f"{rule['id']}: {rule['help']} at {' '.join(map(str, node['target']))}: {_details(node)}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def _details(node: dict[str, Any]) -> str:
    messages = [check["message"] for kind in ("any", "all", "none") for check in node[kind]]
    return "; ".join(messages)


def assert_accessible(page: Page, within: str | None = None) -> None:
    """Fail with every finding of axe-core on the page as it is now."""
    findings = accessibility_findings(page, within)
    assert findings == [], "\n".join(findings)


def assert_fits(page: Page) -> None:
    """Fail when the page can be scrolled sideways: nothing may be wider than the screen (WCAG 1.4.10)."""
    page.wait_for_load_state()  # a press may have just left the page before; this one has begun, and has no elements
    wide = page.evaluate(
        """() => document.documentElement.scrollWidth > document.documentElement.clientWidth + 1
             ? [...document.querySelectorAll('body *')]
                 .filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
                 .slice(0, 5).map((e) => `${e.tagName.toLowerCase()}.${e.className}`)
             : []"""
    )
    assert wide == [], "these stick out"
