"""Takes a picture of every page in every look. No test of the suite: `make screenshots` runs it.

`CONSOLE_TEST_PICTURES_LANGUAGE=hi` takes them in another language; the machine needs a font for its letters.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kaizala_console.lib.tests.cast import BrowserOf, OpenPage
from kaizala_console.tests.every_page import PAGES
from kaizala_console.tests.visiting import LOOKS, Visitors
from kaizala_console.tests.whole_world import World


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("look", list(LOOKS))
@pytest.mark.parametrize("section", list(PAGES))
def test_pictures(
    section: str, look: str, whole_world: World, open_page: OpenPage, browser_of: BrowserOf, live_server: Any
) -> None:
    folder = Path(os.environ["CONSOLE_TEST_PICTURES"]) / look
    folder.mkdir(parents=True, exist_ok=True)
    visitors = Visitors(whole_world, open_page, browser_of, LOOKS[look], live_server.url)
    visitors.language = os.environ.get("CONSOLE_TEST_PICTURES_LANGUAGE", "")
    for number, visit in enumerate(PAGES[section]):
        page = visitors.open(visit)
        page.screenshot(path=folder / f"{section}-{number:02}-{visit}.png", full_page=True, animations="disabled")
