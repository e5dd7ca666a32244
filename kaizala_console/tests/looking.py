"""Looks at a page that is open: in four appearances, from right to left, spaced, enlarged. One load serves them all.

What a look asks is in look.js. Structure does not depend on the colours, and what axe-core says of a colour depends on
nothing but that and what lies behind: it judges each pair once in a process, and the whole page once.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, ViewportSize

from kaizala_console.tests.browser import AXE, RULES

LOOK = Path(__file__).parent / "look.js"
OF_COLOURS = ["color-contrast", "link-in-text-block"]
OF_LAYOUT = ["target-size", "scrollable-region-focusable", "td-headers-attr", "th-has-data-cells"]
WIDE, NARROW = 1280, 320  # NARROW: the smallest phone, and WIDE at 400 %
HEIGHT = 800
PATIENCE = 3  # so often is axe-core asked about a colour on which it cannot decide
_asked_about: Counter[int] = Counter()  # colours
Question = tuple[str, Any]
Step = tuple[str, list[Question], list[Question]]  # what it is called, what is done before, what is asked


def findings(
    page: Page, *, frame: bool = True, widths: tuple[int, ...] = (NARROW, WIDE), stay: bool = False
) -> list[str]:
    """Everything that is wrong with the page, which is light now.

    ``frame``: look at the menu too, which is the same on all pages of a visitor. ``stay``: begin with the width of now,
    and end as it comes, for whoever opens one page after the other; else the page is left as it was.
    """
    page.wait_for_load_state()
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    page.evaluate(LOOK.read_text())
    before = page.viewport_size
    found = _through(page, [("at first", [], [("refused", None), ("raw", None)])])
    if not stay:
        page.keyboard.press("Tab")  # whoever clicked last sees no ring where a script puts the focus
        page.evaluate("document.activeElement.blur()")
    for number, width in enumerate(sorted(widths, key=lambda width: before is None or width != before["width"])):
        if page.viewport_size != (size := ViewportSize(width=width, height=HEIGHT)):
            page.set_viewport_size(size)
        found += _through(page, _steps("wide" if width == WIDE else "narrow", frame, turned=number % 2 == 1))
    if not stay:
        _through(page, [("", [("turn", "ltr"), ("dark", False)], [])])
        page.set_viewport_size(before or size)
    return found


def _steps(width: str, frame: bool, *, turned: bool) -> list[Step]:
    """The looks of one width: from light to dark and from right to left, or, when the page is `turned`, back again."""
    straight: list[Question] = [("wide", None), ("overlapping", None), ("cut", None)]
    structure = {"tags": RULES, "colours": OF_COLOURS, "layout": OF_LAYOUT, "frame": frame}
    colours: Question = ("colours", {"rules": OF_COLOURS, "known": _known()})
    light = [(width, [("dark", False)], [*straight, ("unseen", frame), ("structure", structure), colours])]
    if width == "narrow":
        light.append((f"{width}, spaced", [("space", True)], straight))
        light.append(("", [("space", False)], []))
    dark = (f"{width}, dark", [("turn", "ltr"), ("dark", True)], [colours])
    other = (f"{width}, right to left", [("turn", "rtl")], [*straight, ("unturned", None)])
    return [other, dark, *light] if turned else [*light, dark, other]


def _known() -> list[int]:
    return [colour for colour, times in _asked_about.items() if times >= PATIENCE]


def _through(page: Page, steps: list[Step]) -> list[str]:
    answer = page.evaluate("(steps) => look.through(steps)", steps)
    _asked_about.update(answer["doubted"])
    _asked_about.update(dict.fromkeys(answer["judged"], PATIENCE))
    found: list[str] = answer["found"]
    return found
