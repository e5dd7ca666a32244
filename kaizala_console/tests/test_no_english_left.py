"""A page that is read in Hindi has no English left in it, but for names and what programs call things.

test_languages.py looks at the sources: whether each text can be translated, and is. This looks at the pages, where a
text that never went through the catalogues shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db import models
from django.test import Client

from groups.tests.test_archive_pages import FILE
from kaizala_console.lib.tests.cast import BrowserOf
from kaizala_console.tests.every_page import PAGES, Visit
from kaizala_console.tests.visiting import signed_in
from kaizala_console.tests.whole_world import World

# What Django's admin writes into its pages as it is: the words of its icons, and values as the database has them.
AS_IT_IS = {"Search", "True", "False", "system", "finder", "Somebody", "who", "found", "it"}
SILENT = {"script", "style", "svg", "template", "code", "pre", "kbd", "samp", "textarea"}
SPOKEN = ("title", "placeholder", "aria-label", "alt")
WORD = re.compile(r"[A-Za-z][A-Za-z'’]*[a-z][A-Za-z'’]*")
HINDI = re.compile(r"[\u0900-\u097f]")
# What programs call things: calls, addresses, mail addresses, files, headers, types of events, ids, times as UTC.
CALLED = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?:GET|POST|PUT|DELETE) /\S*|\bhttps?://\S+|\S+@\S+|\b[\w-]+\.[a-z]{2,4}\b|\b[a-z]+(?:[A-Z][a-z]+)+\b"
    r"|\b(?:[A-Z][a-z]+){2,}\b|\b[A-Z][a-z]+(?:-[A-Z][a-z]+)+\b|\b\w*\d\w*\b|\b\w+(?:[:_]\w+)+\b|\b\w+…"
)
# What is called so in every language.
PRODUCTS = "Kaizala|Console|Office|Microsoft|Chrome|Firefox|Windows|Linux|Java|Python|curl"
NAMES = frozenset([*PRODUCTS.split("|"), "English", "Server", "Throttled", "testserver"])
HEADINGS = "Key A quite long header xx"  # of a file of the whole world, read back to who uploaded it


@dataclass
class Reader(HTMLParser):
    """What is said on a page: texts, and what a screen reader says instead of them."""

    said: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        row = dict(attrs)
        if tag in SILENT or row.get("translate") == "no" or tag in self.silent[-1:]:
            self.silent.append(tag)
        if not self.silent:
            self.said += [text for name in SPOKEN if (text := row.get(name))]

    def handle_endtag(self, tag: str) -> None:
        if self.silent and self.silent[-1] == tag:
            self.silent.pop()

    def handle_data(self, data: str) -> None:
        if not self.silent and data.strip():
            self.said.append(" ".join(data.split()))


def words_of_people() -> set[str]:
    """Every word that somebody has written into the console: names, texts, answers, files."""
    found: set[str] = set()
    for model in apps.get_models():
        if model._meta.app_label not in {"accounts", "connectors", "groups"} or model.__name__ == "AuditEvent":
            continue
        for name in [one.name for one in model._meta.concrete_fields if _is_written(one)]:
            for value in model._default_manager.values_list(name, flat=True):
                found |= set(WORD.findall(" ".join(_texts(value))))
    return found


def _is_written(one: models.Field[Any, Any]) -> bool:
    return isinstance(one, models.CharField | models.TextField | models.JSONField) and not one.choices


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _all(value.values())
    elif isinstance(value, list):
        yield from _all(value)


def _all(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        yield from _texts(value)


@cache
def words_of_the_catalogue() -> frozenset[str]:
    """The English words that the translator left standing in the Hindi: "Retry-After", "JSON Lines"."""
    catalogue = (Path(settings.BASE_DIR) / "locale" / "hi" / "LC_MESSAGES" / "django.po").read_text("utf-8")
    hindi = re.findall(r'^msgstr(?:\[\d\])? ((?:".*"\n)+)', catalogue, flags=re.MULTILINE)
    return frozenset(WORD.findall(" ".join(hindi)))


def english_in(html: str, known: set[str]) -> list[str]:
    """What is said on the page and has words of no known kind. A Hindi sentence may have those of the catalogue."""
    reader = Reader()
    reader.feed(html)
    return [text for text in reader.said if set(WORD.findall(CALLED.sub(" ", text))) - known - _fit(text)]


def _fit(text: str) -> frozenset[str]:
    return NAMES | words_of_the_catalogue() if HINDI.search(text) else NAMES


def _opened(visit: Visit, world: World, client: Client) -> str:
    address = visit.address(world)
    answer = client.get(address, follow=True) if visit.form is None else client.post(address, visit.fields(world))
    assert answer.status_code == visit.status, visit
    return answer.content.decode()


def words_without_hindi_in_djangos_admin() -> set[str]:
    """The words of the texts that Django's admin has in English and leaves untranslated in its Hindi."""
    folder = Path(admin.__file__).parent / "locale"
    english, hindi = (
        read_po(BytesIO((folder / language / "LC_MESSAGES" / "django.po").read_bytes()), locale=language)
        for language in ("en", "hi")
    )
    translated = {message.id for message in hindi if message.id and message.string and not message.fuzzy}
    texts = [message.id for message in english if message.id and message.id not in translated]
    said = " ".join(text if isinstance(text, str) else " ".join(text) for text in texts)
    return AS_IT_IS | set(WORD.findall(said))


@pytest.mark.once
@pytest.mark.long
@pytest.mark.django_db
@pytest.mark.parametrize("section", list(PAGES))
def test_a_page_in_hindi_has_no_english_left(section: str, whole_world: World, browser_of: BrowserOf) -> None:
    known, left = words_of_people() | set(WORD.findall(FILE + HEADINGS)), []
    gaps = words_without_hindi_in_djangos_admin() if section == "operators" else set()
    clients: dict[tuple[str, bool], Client] = {}  # an operator's code is good for one sign-in
    for visit in PAGES[section]:
        who = visit.who, visit.confirmed
        client = clients.get(who) or signed_in(browser_of, whole_world, visit.who, confirmed=visit.confirmed)
        if section == "operators":
            clients[who] = client
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = "hi"
        left += [
            f"{visit}: {text}"
            for text in english_in(
                _opened(visit, whole_world, client),
                known | set(WORD.findall(visit.query)) | (gaps if str(visit).startswith("operators-") else set()),
            )
        ]
    assert left == [], "\n".join(left)
