"""The API explorer in other languages: its words are the OpenAPI document's, which stays English for programs."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from connectors.description import description, description_in
from kaizala_console.api import openapi_texts

INDEX = "/console/api/"
HINDI = {"Accept-Language": "hi"}
KINDS = ("authorize", "exchange", "listGroups", "postAction", "createWebhook", "uploadMedia")
SENTENCE = re.compile(r"(?:\b[a-z]+\b +){4,}[a-z]+\b", re.IGNORECASE)  # five English words in a row


@pytest.fixture
def browser(browser_of: Callable[..., Client], developer: User) -> Client:
    return browser_of(developer)


def spoken(answer: Any) -> str:
    """What a page says, without what programs say: code, samples, names."""
    page = answer.content.decode()
    page = page[page.index("<main") : page.index("</main>")]
    page = re.sub(r"(?s)<(code|pre|textarea|script|noscript)\b.*?</\1>", " ", page)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " | ", page)))


@pytest.mark.once
def test_every_operation_reads_in_the_readers_language(browser: Client) -> None:
    # A page of each kind: all bodies and answers are rows of the same few templates.
    for operation_id in ("", *(f"{each}/" for each in KINDS)):
        page = spoken(browser.get(f"{INDEX}{operation_id}", headers=HINDI))
        assert not SENTENCE.findall(page), operation_id


@pytest.mark.once
def test_a_search_finds_words_of_either_language(browser: Client) -> None:
    for words in ("Add members", "सदस्य जोड़ें"):
        answer = browser.get(INDEX, {"q": words}, headers=HINDI)
        assert f'href="{INDEX}addMembers/"' in answer.content.decode(), words


@pytest.mark.once
def test_programs_get_the_document_in_english(client: Client, db: None) -> None:
    asked = client.get("/v1/openapi.json", headers=HINDI).json()
    assert asked == description().document
    assert description_in("hi") != asked
    assert description_in("en") is description().document


@pytest.mark.once
def test_only_words_change_and_names_and_values_stay() -> None:
    document = {
        "tags": [{"name": "Groups", "description": "All of them."}],
        "paths": {
            "/summary": {
                "get": {
                    "summary": "Read",
                    "description": "One.\n\nNeeds the permission **Text** (scope `text.read`).",
                    "tags": ["Groups"],
                    "x-permission": "Text",
                }
            }
        },
        "components": {
            "schemas": {
                "description": {
                    "properties": {
                        "description": {"description": "A name. Also read as `n`, `d`.", "default": "summary"}
                    },
                    "example": {"description": "kept"},
                }
            }
        },
    }
    changed = openapi_texts.translated(document, "<{}>".format)
    assert changed["paths"]["/summary"]["get"] == {
        "summary": "<Read>",
        "description": "<One.>\n\n<Needs the permission **<Text>** (scope `text.read`).>",
        "tags": ["<Groups>"],
        "x-permission": "<Text>",
    }
    assert changed["tags"] == [{"name": "<Groups>", "description": "<All of them.>"}]
    assert changed["components"]["schemas"]["description"] == {
        "properties": {"description": {"description": "<A name.> <Also read as `n`, `d`.>", "default": "summary"}},
        "example": {"description": "kept"},
    }
    assert openapi_texts.texts(document)[:3] == ["All of them.", "Read", "One."]
