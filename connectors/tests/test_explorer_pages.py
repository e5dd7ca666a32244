"""The API explorer: a program to begin with, and what its viewer is given. Nothing that is tried comes by."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from connectors.models import Connector
from connectors.services.api_description import get_description, get_translated_description
from kaizala_console.api import openapi_translation

Browser = Callable[..., Client]
INDEX = "/console/api/"
DOCUMENT = f"{INDEX}openapi.json"
HINDI = {"Accept-Language": "hi"}
SENTENCE = re.compile(r"(?:\b[a-z]+\b +){4,}[a-z]+\b", re.IGNORECASE)  # five English words in a row


def test_the_page_keeps_the_strict_policy(owner: Client) -> None:
    policy = owner.get(INDEX).headers["Content-Security-Policy"]
    assert policy == owner.get("/console/connectors/").headers["Content-Security-Policy"]
    assert "unsafe" not in policy


def test_the_viewer_gets_the_document_for_the_host_that_it_is_on_and_programs_get_their_own(owner: Client) -> None:
    shown, whole = owner.get(DOCUMENT).json(), get_description().document
    assert shown["paths"] == whole["paths"]
    assert settings.CONSOLE_BASE_URL not in str({**shown, "paths": {}})
    schemes = [set(document["components"]["securitySchemes"]) for document in (whole, shown)]
    assert schemes[0] - schemes[1] == {"oauth"}
    servers = owner.get("/v1/openapi.json").json()["servers"]
    assert [server["url"] for server in servers] == [settings.CONSOLE_BASE_URL]


def test_opened_for_a_connector_its_id_is_filled_in_but_not_for_another_organisation(
    owner: Client, browser_of: Browser, outsider: User, connector: Connector
) -> None:
    answers = [client.get(INDEX, {"connector": str(connector.pk)}) for client in (owner, browser_of(outsider))]
    mine, foreign = (answer.context["program"].text for answer in answers)
    assert str(connector.pk) in mine
    assert "CONNECTOR_ID" not in mine
    assert "CONNECTOR_ID" in foreign


@pytest.mark.once
def test_the_viewer_reads_in_the_readers_language(owner: Client) -> None:
    shown = owner.get(DOCUMENT, headers=HINDI).json()
    for item in shown["paths"].values():
        for operation in item.values():
            words = re.sub(r"`[^`]*`", "", f"{operation['summary']} {operation['description']}")
            assert not SENTENCE.findall(words), operation["operationId"]


@pytest.mark.once
def test_only_words_are_translated_and_names_and_values_stay() -> None:
    needs = "Needs the permission **{}** (scope `text.read`)."
    document = {
        "tags": [{"name": "Groups"}],
        "paths": {"/summary": {"get": {"tags": ["Groups"], "description": "One.\n\n" + needs.format("Text")}}},
        "properties": {"description": {"description": "A name. Also read as `n`, `d`.", "default": "summary"}},
        "example": {"description": "kept"},
    }
    changed = openapi_translation.translate_document(document, "<{}>".format)
    description = "<One.>\n\n<" + needs.format("<Text>") + ">"
    assert changed == {
        "tags": [{"name": "<Groups>"}],
        "paths": {"/summary": {"get": {"tags": ["<Groups>"], "description": description}}},
        "properties": {"description": {"description": "<A name.> <Also read as `n`, `d`.>", "default": "summary"}},
        "example": {"description": "kept"},
    }
    assert {"One.", "Groups", "Text"} <= set(openapi_translation.list_texts(document))


@pytest.mark.once
def test_programs_get_the_document_in_english(client: Client, db: None) -> None:
    asked = client.get("/v1/openapi.json", headers=HINDI).json()
    assert asked == get_description().document
    assert get_translated_description("hi") != asked
    assert get_translated_description("en") is get_description().document


@pytest.mark.once
def test_links_to_an_operation_lead_to_one_that_is_there() -> None:
    operations = {
        each["operationId"] for item in get_description().document["paths"].values() for each in item.values()
    }
    linked = [
        found
        for path in (settings.BASE_DIR / "templates").rglob("*.html")
        for found in re.findall(r"connectors:explorer' %}#(\w+)", path.read_text(encoding="utf-8"))
    ]
    assert len(linked) > 2
    assert set(linked) <= operations
