"""What the typist of the keyboard journeys notices: a focus that is not seen, one that is lost, a form forgotten."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route

from kaizala_console.tests.keyboard_journeys import WALKS, WITHOUT_SCRIPTS
from kaizala_console.tests.open_doors import OPEN
from kaizala_console.tests.test_confirming_doors import CONFIRMING
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.long]
HERE = Path(__file__).parent


@pytest.fixture
def hands(page: Page) -> Typist:
    """On a page with three buttons; the second goes away when it is pressed."""
    page.set_content(
        "<main><button>One</button><button id=two>Two</button><button>Three</button></main>"
        "<script>two.onclick = () => two.remove()</script>"
    )
    return Typist(page, str)


def walk(hands: Typist, style: str = "") -> list[str]:
    """From the first button to the last, under a style."""
    if style:
        hands.page.add_style_tag(content=style)
    hands.reach(hands.page.get_by_role("button", name="Three"))
    return hands.faults


def test_every_door_is_walked_to_by_a_test_that_is_there() -> None:
    """`pytest -k` its name; the test itself fails when it does not send the form."""
    walked = [door for doors in WALKS.values() for door in doors]
    assert len(walked) == len(set(walked))
    assert set(walked) | WITHOUT_SCRIPTS == set(CONFIRMING) | set(OPEN)
    there = "".join(path.read_text() for path in HERE.glob("test_keyboard*.py"))
    assert set(WALKS) <= set(re.findall(r"^def (test_\w+)", there, re.MULTILINE))


@pytest.mark.journey
def test_it_finds_nothing_where_each_stop_is_seen(hands: Typist) -> None:
    assert walk(hands) == []


@pytest.mark.journey
def test_it_notices_a_stop_without_a_ring(hands: Typist) -> None:
    faults = walk(hands, "#two { outline: none }")
    assert "one does not see the focus at <button id=" in faults[0]


@pytest.mark.journey
def test_it_notices_a_stop_that_looks_the_same_without_the_focus(hands: Typist) -> None:
    (fault,) = walk(hands, "#two { outline: 2px solid red !important }")
    assert "it looks the same without the focus: <button id=" in fault


@pytest.mark.journey
def test_it_notices_when_what_was_pressed_is_gone_and_the_focus_with_it(hands: Typist) -> None:
    hands.press(hands.page.get_by_role("button", name="Two"))
    hands.reach(hands.page.get_by_role("button", name="Three"))
    assert [fault.split(": ")[1] for fault in hands.faults] == ["the focus is lost"]


@pytest.mark.journey
def test_it_says_what_is_out_of_reach(hands: Typist) -> None:
    hands.page.locator("#two").evaluate("button => { button.tabIndex = -1; }")
    with pytest.raises(AssertionError, match="out of reach"):
        hands.reach(hands.page.get_by_role("button", name="Two"))


@pytest.mark.journey
@pytest.mark.parametrize("wanted", ["button", "link"])
def test_it_waits_for_the_page_that_comes_late(page: Page, wanted: str) -> None:
    """Else it would look for "is it you?" on the page before."""

    def answer(route: Route) -> None:
        if route.request.url.endswith("/there/"):
            time.sleep(0.3)
        words = "<main><form action=/there/><button>Go</button></form><a href=/there/>Go</a></main>"
        route.fulfill(body=words, content_type="text/html")

    page.route("**/*", answer)
    page.goto("/here/")
    getattr(Typist(page, str), wanted)("Go")
    assert page.url.rstrip("?").endswith("/there/")


@pytest.mark.journey
def test_it_does_not_wait_where_no_other_page_comes(hands: Typist) -> None:
    began = time.monotonic()
    hands.button("One")
    assert time.monotonic() - began < 5
