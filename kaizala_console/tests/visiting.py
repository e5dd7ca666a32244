"""Opens every page in a browser, as whom it is for, and looks at what holds for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.test import Client
from playwright.sync_api import Page

from accounts.models import AuthenticatorApp
from accounts.tests.authenticator import code_of
from kaizala_console.lib.tests.cast import BrowserOf, OpenPage
from kaizala_console.tests.browser import DRAWN
from kaizala_console.tests.every_page import NOBODY, OPERATOR, Visit
from kaizala_console.tests.whole_world import World

LOOKS = {
    "wide": {"width": 1280, "dark": False},
    "wide-dark": {"width": 1280, "dark": True},
    "narrow": {"width": 360, "dark": False},
    "narrow-dark": {"width": 360, "dark": True},
}
# Kept from the first paint on; shifts that answer a key or a click do not count (the metric's own definition).
WATCH_SHIFTS = """
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    window.shifts = (window.shifts || 0) + entry.value;
    for (const source of entry.sources || []) {
      const node = source.node && (source.node.nodeType === 1 ? source.node : source.node.parentElement);
      (window.shifted = window.shifted || []).push(node ? `${node.tagName.toLowerCase()}.${node.className}` : "?");
    }
  }
}).observe({ type: "layout-shift", buffered: true });
"""
FORM = """([address, fields]) => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = address;
  const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
  for (const [name, value] of [["csrfmiddlewaretoken", token], ...fields]) {
    const field = document.createElement("input");
    field.type = "hidden"; field.name = name; field.value = value;
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}"""
WRITTEN_INTO_THE_PAGE = """() => [
  ...[...document.querySelectorAll("script:not([src]):not([type='application/json'])")].map(() => "a script"),
  ...[...document.querySelectorAll("style")].map((style) => `a style: ${style.textContent.slice(0, 60)}`),
  ...[...document.querySelectorAll("body *")].flatMap((element) =>
    [...element.attributes].filter(({ name }) => /^on[a-z]+$/.test(name)).map(({ name }) => `an ${name}`)),
]"""

# What is filled with a colour, by its first word: the same act on each of several cards is one.
FIRST_ACTS = r"""() => {
  const ground = getComputedStyle(document.body).backgroundColor;
  const filled = [...document.querySelectorAll("main .btn:is(.btn-primary, .btn-danger-final):not(:disabled)")].filter(
    (button) => button.checkVisibility() && getComputedStyle(button).backgroundColor !== ground);
  return [...new Set(filled.map((button) => button.innerText.trim().split(/\s/)[0]))];
}"""


@dataclass
class Visitors:
    """One browser, in which one visitor after the other is signed in: to the console each is a new one."""

    world: World
    open_page: OpenPage
    browser_of: BrowserOf
    look: dict[str, Any]
    base: str
    scripts: tuple[str, ...] = (WATCH_SHIFTS,)  # run in every page before its own
    language: str = ""  # what the browser asks for, unless it is said here
    page: Page | None = None
    sessions: dict[tuple[str, bool], str] = field(default_factory=dict)
    now: tuple[str, bool] | None = None

    def page_of(self, who: str, *, confirmed: bool = True) -> Page:
        """The page of a visitor, signed in."""
        if self.page is None:
            self.page = self.open_page(**self.look)
            for script in self.scripts:
                self.page.add_init_script(script)
        if self.now != (who, confirmed):
            self.now = (who, confirmed)
            self.page.context.clear_cookies()
            if self.language:
                self.page.context.add_cookies(
                    [{"name": settings.LANGUAGE_COOKIE_NAME, "value": self.language, "url": self.base}]
                )
            if who != NOBODY:
                value = self.session_of(who, confirmed)
                self.page.context.add_cookies(
                    [{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": self.base}]
                )
        return self.page

    def session_of(self, who: str, confirmed: bool) -> str:
        """The session in which a visitor is signed in."""
        if (who, confirmed) not in self.sessions:
            client = signed_in(self.browser_of, self.world, who, confirmed=confirmed)
            self.sessions[who, confirmed] = client.cookies[settings.SESSION_COOKIE_NAME].value
        return self.sessions[who, confirmed]

    def open(self, visit: Visit, widths: tuple[int, ...] = ()) -> Page:
        """The page of a visit, as it stands when nothing moves any more; of one of the `widths`, if any are given."""
        page, address = self.page_of(visit.who, confirmed=visit.confirmed), visit.address(self.world)
        now = page.viewport_size
        if now and widths and now["width"] not in widths:
            page.set_viewport_size({"width": widths[0], "height": now["height"]})
        if visit.form is None:
            answer = page.goto(address)
            assert answer is not None
            status = answer.status
        else:
            page.goto("/console/settings/" if visit.who else "/accounts/login/")
            pairs = [
                (name, one)
                for name, value in visit.fields(self.world).items()
                for one in (value if isinstance(value, list) else [value])
            ]
            with page.expect_navigation() as moved:
                page.evaluate(FORM, [address, pairs])
            status = moved.value.status if moved.value else 0
        assert status == visit.status, f"{status} at {page.url}"
        steady(page)
        return page


def steady(page: Page) -> None:
    """When it is drawn, and what moves it has been seen by `WATCH_SHIFTS`."""
    page.evaluate(DRAWN)
    page.evaluate("() => new Promise((done) => setTimeout(done, 30))")


def signed_in(browser_of: BrowserOf, world: World, who: str, *, confirmed: bool = True) -> Client:
    """The browser of somebody of the world; a confirmed operator has passed the second factor."""
    if who == NOBODY:
        return Client()
    client = browser_of(world.users[who], confirmed=confirmed, recent=confirmed)
    if who == OPERATOR and confirmed:
        device = AuthenticatorApp.objects.get(user=world.users[who])
        assert client.post("/operators/second-factor/", {"pin": code_of(device)}).status_code == 302
    return client


def faults_of(page: Page) -> list[str]:
    """What is wrong with any page: no language, no or two titles, two first acts, a shift, something inline."""
    facts = page.evaluate(
        """() => ({
          lang: document.documentElement.lang, title: document.title.trim(),
          h1: [...document.querySelectorAll("h1")].map((title) => title.innerText.trim()),
          shifts: window.shifts || 0, shifted: window.shifted || [],
          djangos: !!document.querySelector("link[href*='/admin/css/']"),
        })"""
    )
    found = [f"there is {what} in the page" for what in page.evaluate(WRITTEN_INTO_THE_PAGE)]
    if len(first := page.evaluate(FIRST_ACTS)) > 1:
        found.append(f"several acts look like the first one: {first}")
    if not facts["lang"]:
        found.append("no language")
    if facts["title"].startswith("·") or not facts["title"]:
        found.append("no title for the tab")
    if len(facts["h1"]) != 1 or not facts["h1"][0]:
        found.append(f"titles: {facts['h1']}")
    # Django's own pages for operators are moved by Django's own scripts, when these come late (the list beside them).
    if facts["shifts"] >= 0.02 and not facts["djangos"]:
        found.append(f"it shifts by {facts['shifts']:.3f}: {facts['shifted'][:6]}")
    return found
