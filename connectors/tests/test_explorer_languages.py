"""The API explorer in other languages: its words are the OpenAPI document's, which stays English for programs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from connectors.description import get_description, get_translated_description
from kaizala_console.api import openapi_translation

HINDI = {"Accept-Language": "hi"}
SENTENCE = re.compile(r"(?:\b[a-z]+\b +){4,}[a-z]+\b", re.IGNORECASE)  # five English words in a row


@pytest.mark.once
def test_the_viewer_reads_in_the_readers_language(browser_of: Callable[..., Client], developer: User) -> None:
    shown = browser_of(developer).get("/console/api/openapi.json", headers=HINDI).json()
    for item in shown["paths"].values():
        for operation in item.values():
            words = re.sub(r"`[^`]*`", "", f"{operation['summary']} {operation['description']}")
            assert not SENTENCE.findall(words), operation["operationId"]


@pytest.mark.once
def test_programs_get_the_document_in_english(client: Client, db: None) -> None:
    asked = client.get("/v1/openapi.json", headers=HINDI).json()
    assert asked == get_description().document
    assert get_translated_description("hi") != asked
    assert get_translated_description("en") is get_description().document


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
    changed = openapi_translation.translate_document(document, "<{}>".format)
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
    assert openapi_translation.list_texts(document)[:3] == ["All of them.", "Read", "One."]
