"""Languages that are written from right to left: the page says so, has the style sheet for it, and ours keep to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as console
from django.test import Client

from accounts.models import User

PHYSICAL = re.compile(
    r"^\s*(?:margin|padding|border)-(?:left|right)\b|^\s*(?:left|right|float|text-align): ?(?:left|right|\d)"
)
FOUR_SIDES = re.compile(r"^\s*(?:margin|padding|inset): (.+);", re.MULTILINE)
BRACKET = re.compile(r"\([^()]*\)")
SHEETS = sorted((Path(console.BASE_DIR) / "static" / "css").glob("*.css"))


@pytest.mark.once
@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/accounts/login/", "/console/", "/console/connectors/add/", "/nothing/here"])
def test_a_page_of_such_a_language_says_so(
    address: str, developer: User, browser_of: Callable[..., Client], settings: Any
) -> None:
    settings.LANGUAGES = [("en", "English"), ("ar", "Arabic")]
    client = Client() if address == "/accounts/login/" else browser_of(developer)
    page = client.get(address, headers={"accept-language": "ar"}).content.decode()
    assert re.search(r'<html lang="ar" dir="rtl"[ >]', page)
    assert "vendor/bootstrap.rtl.min.css" in page
    assert "vendor/bootstrap.min.css" not in page


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.stem)
def test_the_style_sheets_name_no_side_of_the_screen(sheet: Path) -> None:
    named = [line for line in sheet.read_text().splitlines() if PHYSICAL.search(line)]
    assert named == [], "say -inline-start and -inline-end"


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.stem)
def test_shorthands_have_the_same_on_both_sides(sheet: Path) -> None:
    four = [values for found in FOUR_SIDES.findall(sheet.read_text()) if len(values := _values(found)) == 4]
    assert [values for values in four if values[1] != values[3]] == [], "say -block and -inline"


def _values(text: str) -> list[str]:
    """Of a declaration, one by one; the spaces within brackets part none."""
    while found := BRACKET.search(text):
        text = text.replace(found.group(), found.group().translate({ord("("): "[", ord(")"): "]", ord(" "): None}))
    return text.split()
