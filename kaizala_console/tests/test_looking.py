"""The looks themselves: a page without faults has no findings, and each fault is found in the look that shows it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from kaizala_console.tests.looking import findings

pytestmark = [pytest.mark.long, pytest.mark.journey]
PAGE = """<!doctype html><html lang="en"><head><title>A page</title><meta name="viewport" content="width=device-width">
<style>body { background: #fff; color: #123; margin: 8px } [data-bs-theme=dark] body { background: #111; color: #eee }
  [data-bs-theme=dark] a { color: #9cf } %s</style></head>
<body><main><h1>A page</h1><p><a href="#there">Somewhere else</a></p>%s</main></body></html>"""
FAULTS = {
    # What is wrong: style, content, what is found.
    "pale": (".x { color: #bab }", "<p class=x>Can it be read?</p>", "narrow: color-contrast"),
    "dark on dark": (
        "[data-bs-theme=dark] .x { color: #323 }",
        "<p class=x>And now?</p>",
        "narrow, dark: color-contrast",
    ),
    "dark where there is room": (
        "@media (min-width: 900px) { [data-bs-theme=dark] .x { color: #233 } }",
        "<p class=x>And here?</p>",
        "wide, dark: color-contrast",
    ),
    "too wide": (".x { width: 400px }", "<p class=x>A long line</p>", "narrow: wider than the screen: p.x"),
    "too wide when spaced": (
        ".x { white-space: nowrap; font: 16px monospace }",
        "<p class=x>12345678901234567890123456789</p>",
        "narrow, spaced: wider than the screen",
    ),
    "on each other": (
        ".x { position: absolute; top: 9em }",
        "<p class=x>One</p><p class=x>Two</p>",
        "lies on p.x “Two”",
    ),
    "cut off": (".x { height: 10px; overflow: hidden }", "<p class=x>Half of it</p>", "text is cut off in p.x"),
    "no ring": ("a:focus { outline: none }", "", "narrow: the focus does not show on a"),
    "hidden focus": (
        ".x { position: fixed; inset: 0; background: #fff }",
        "<p class=x>In front</p>",
        "narrow: the focus is hidden: a",
    ),
    "no name": ("", "<button style='width:30px;height:30px'></button>", "narrow: button-name"),
    "no name where there is room": (
        "@media (max-width: 900px) { .x { display: none } }",
        "<button class=x style='width:30px;height:30px'></button>",
        "wide: button-name",
    ),
    "a list of Python": ("", "<p class=x>['Media', 'Reactions']</p>", "at first: not for people: “['” in p.x"),
    "escaped twice": ("", "<p class=x>Salt &amp;amp; Pepper</p>", "at first: not for people: “&amp;”"),
    "a place that nothing filled": ("", "<p class=x>Hello %(name)s</p>", "at first: not for people: “%(name)s”"),
    "small": (
        ".x { display: inline-block; width: 12px; height: 12px; overflow: clip }",
        "<button class=x aria-label=a></button><button class=x aria-label=b></button>",
        "narrow: target-size",
    ),
}


def test_a_page_without_faults_has_no_findings(open_page: Callable[..., Page]) -> None:
    page = open_page(width=360)
    page.set_content(PAGE % ("", ""))
    assert findings(page) == []


def test_each_fault_is_found_in_the_look_that_shows_it(open_page: Callable[..., Page]) -> None:
    page, missed = open_page(width=360), {}
    for name, (style, content, expected) in FAULTS.items():
        page.set_content(PAGE % (style, content))
        found = findings(page, frame=False)
        if not any(expected in one for one in found):
            missed[name] = found
    assert missed == {}


def test_the_page_is_left_as_it_was(open_page: Callable[..., Page]) -> None:
    page = open_page(width=360)
    page.set_content(PAGE % ("", ""))
    findings(page)
    assert page.viewport_size == {"width": 360, "height": 800}
    assert page.evaluate("[document.documentElement.dir || 'ltr', document.documentElement.dataset.bsTheme]") == [
        "ltr",
        "light",
    ]
