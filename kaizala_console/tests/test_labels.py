"""Buttons, titles and tabs are written as sentences are; the labels of the old portal stay as its people know them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
OF_THE_PORTAL = {
    "Add a Phone Number",
    "Add Connector",
    "Create Connector",
    "All Connectors",
    "My Connectors",  # the other choice of the same list
    "Bulk Upload Users",
    "Sub-Groups",
    "Messages & Actions",
}
NAMES = {"Home", "Lines", "Kaizala", "Python", "Hindi", "English", "Console"}  # "JSON Lines", the page "Home"
WORDS = r"""{%\s*(?:translate\s+(?P<quote>["'])(?P<word>.*?)(?P=quote)|blocktranslate\b[^%]*%}(?P<block>.*?){%)"""
SHOWN = (
    r"<(c-button|button|h1|h2|h3)\b.*?</\1>",
    r"""<summary class="btn.*?</summary>""",
    r"""\s(?:title|done_label)="[^"]*\"""",
    r"{%\s*block title\s*%}.*?{%\s*endblock\s*%}",
)
IN_PYTHON = r"""(?:press=|^[A-Z_, ]+ = |"(?:label|act|title|word)": |[(,] ?\()(?:_|gettext_lazy)\("(.*?)"\)"""


def labels() -> Iterator[tuple[str, str]]:
    """Every label that has words of its own, and the file it stands in."""
    for path in sorted((ROOT / "templates").rglob("*.html")):
        source = path.read_text("utf-8")
        for pattern in SHOWN:
            for piece in re.finditer(pattern, source, re.DOTALL):
                for said in re.finditer(WORDS, piece[0], re.DOTALL):
                    yield said["word"] or said["block"] or "", str(path.relative_to(ROOT))
    for package in ("accounts", "connectors", "groups", "kaizala_console"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if not {"tests", "migrations"} & set(path.parts):
                for said in re.finditer(IN_PYTHON, path.read_text("utf-8"), re.MULTILINE):
                    yield said[1], str(path.relative_to(ROOT))


def shouted(label: str) -> list[str]:
    """The words of a label that begin with a capital and are neither first, nor names, nor in quotes."""
    rest = re.sub(r"“[^”]*”|{{.*?}}", "", label)
    for known in sorted(OF_THE_PORTAL, key=len, reverse=True):
        rest = rest.replace(known, "")
    words = [word for part in re.split(r"[.:?!…]\s+", rest) for word in part.split()[1:]]
    return [word for word in (re.sub(r"\W+$", "", each) for each in words) if word not in NAMES and _is_capital(word)]


def _is_capital(word: str) -> bool:
    return re.fullmatch(r"[A-Z][a-z]+(-[A-Z][a-z]+)*", word) is not None


@pytest.mark.once
def test_labels_begin_with_a_capital_and_go_on_without() -> None:
    found = list(labels())
    assert len(found) > 300, "the search for labels finds next to nothing"
    assert {(label, path) for label, path in found if shouted(label)} == set()


@pytest.mark.parametrize("label", ["Put Away", "Add Sub-Group", "Send “A” to the Admin"])
def test_a_label_in_capitals_is_found(label: str) -> None:
    assert shouted(label)
