"""The gallery shows every component in every state that it can be in: nothing, on its way, wrong, long, right to left.

The samples say themselves what they show (`data-shows="job-bar:error"`); this looks whether it is so. That the samples
look right, in either direction, is seen by test_gallery.py.
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.test import Client

from kaizala_console.gallery import ARABIC, LONG

COMPONENTS = Path(__file__).resolve().parent.parent.parent / "templates" / "components"

EMPTY, LOADING, ERROR, LONG_TEXT, RTL = "empty", "loading", "error", "long", "rtl"
WORDS = {LONG_TEXT, RTL}
STATES: dict[str, set[str]] = {
    "avatar": {EMPTY},
    "banner": WORDS,
    "bar-chart": {EMPTY, *WORDS},
    "breadcrumb": WORDS,
    "button": WORDS,
    "can-cannot": {EMPTY, *WORDS},
    "code-block": {LONG_TEXT},  # code runs from left to right
    "copy-field": {LONG_TEXT},  # and so does a credential
    "dialog": WORDS,
    "empty-state": {EMPTY, *WORDS},
    "error-summary": {ERROR, LONG_TEXT},
    "fact": WORDS,
    "facts": WORDS,
    "field": {EMPTY, ERROR, LONG_TEXT},
    "filters": WORDS,
    "form": {EMPTY, ERROR},
    "handoff-line": {LOADING, ERROR, *WORDS},
    "job-bar": {EMPTY, LOADING, ERROR, *WORDS},
    "mail-link": WORDS,
    "message": {ERROR, *WORDS},
    "page-header": WORDS,
    "pagination": {LONG_TEXT},
    "panel": {EMPTY, LOADING, *WORDS},
    "person-chip": WORDS,
    "phone-field": {EMPTY, ERROR},
    "pill": WORDS,
    "pin-field": {EMPTY, ERROR},
    "search-box": {EMPTY, *WORDS},
    "skeleton": {LOADING},
    "step-line": WORDS,
    "table": {LOADING, ERROR, *WORDS},  # an empty list shows an empty state in its place
    "tabs": {EMPTY, *WORDS},
    "timeline": WORDS,
    "what-will-stop": {EMPTY, *WORDS},
}
WITHOUT: dict[str, str] = {
    **dict.fromkeys(("icon", "logo", "theme-choice"), "a drawing, always the same"),
    **dict.fromkeys(("time", "days-left"), "a moment, in words of the console"),
    **dict.fromkeys(
        ("usage-chart", "spark-line"), "numbers; without any, an empty state or a word stands in its place"
    ),
    "connector-logo": "a picture beside a name",
    "messages": "a frame around messages",
    "secret-once": "stands once on a page: two would not know whose secret is stored",
}
# What a state looks like, in the markup of its sample.
SIGNS = {
    LOADING: ("skeleton-line", "job-bar-waiting", "is-now"),
    ERROR: ("field-error", "error-summary", "message-error", "job-bar-failed", "is-failed", "pill-refused"),
    LONG_TEXT: (LONG, "Waiting for the answer of a second admin"),
    RTL: (ARABIC,),
}
VOID = {"input", "img", "br", "hr", "link", "meta", "source", "col"}


class Samples(HTMLParser):
    """The samples of a page: what each says that it shows, and its markup."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, list[str] | None]] = []
        self.markup: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        shows = dict(attrs).get("data-shows")
        names = shows.split() if shows else None
        for name in names or ():
            self.markup.setdefault(name, "")
        if tag not in VOID:
            self.open.append((tag, names))
        self._add(" ".join([tag, *(value or "" for _name, value in attrs)]))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        self._add(data)

    def _add(self, words: str) -> None:
        for _tag, names in self.open:
            for name in names or ():
                self.markup[name] += f" {words}"


@pytest.fixture
def samples(client: Client, db: None) -> dict[str, str]:
    reader = Samples()
    reader.feed(client.get("/gallery/").content.decode())
    return reader.markup


def test_every_component_has_its_states_or_a_reason_to_have_none() -> None:
    names = {path.stem.replace("_", "-") for path in COMPONENTS.glob("*.html")}
    assert names == set(STATES) | set(WITHOUT)
    assert not set(STATES) & set(WITHOUT)


def test_every_state_has_a_sample(samples: dict[str, str]) -> None:
    wanted = {f"{component}:{state}" for component, states in STATES.items() for state in states}
    assert wanted - set(samples) == set(), "the gallery shows no such sample"
    assert set(samples) - wanted == set(), "a sample of a state that nobody asks for"


def test_a_sample_shows_the_state_that_it_names(samples: dict[str, str]) -> None:
    mute = [
        name
        for name, markup in samples.items()
        if (signs := SIGNS.get(name.split(":")[1])) and not any(sign in markup for sign in signs)
    ]
    assert mute == []


def test_the_samples_turn_round_with_the_page(client: Client, db: None, samples: dict[str, str]) -> None:
    page = client.get("/gallery/?dir=rtl").content.decode()
    reader = Samples()
    reader.feed(page)
    assert 'dir="rtl"' in page.split(">", 2)[1]
    assert set(reader.markup) == set(samples)
