"""The API explorer: everything of the document is there, and nothing that is tried comes by."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.description import description
from connectors.models import Connector
from connectors.views import samples
from connectors.views.explorer_schemas import parameter, rich, rows

Browser = Callable[..., Client]
INDEX = "/console/api/"
IDS = [each["operationId"] for item in description().document["paths"].values() for each in item.values()]


@pytest.fixture
def browser(browser_of: Browser, developer: User) -> Client:
    return browser_of(developer)


def text(answer: Any) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())))


def test_every_operation_is_listed_under_its_noun(browser: Client) -> None:
    shown = browser.get(INDEX).content.decode()
    for operation_id in IDS:
        assert f'href="{INDEX}{operation_id}/"' in shown
    for tag in description().document["tags"]:
        assert f">{tag['name']}</h2>" in shown


@pytest.mark.parametrize("operation_id", IDS)
def test_every_operation_has_a_page(browser: Client, operation_id: str) -> None:
    answer = browser.get(f"{INDEX}{operation_id}/")
    assert answer.status_code == 200
    described = next(
        each
        for item in description().document["paths"].values()
        for each in item.values()
        if each["operationId"] == operation_id
    )
    shown = text(answer)
    assert described["summary"] in shown
    for row in described.get("parameters", ()):
        assert row["name"] in shown
    for status in described["responses"]:
        assert f" {status} " in shown
    if "x-scope" in described:
        assert described["x-scope"] in shown
        assert described["x-permission"] in shown


def test_an_operation_that_is_not_there(browser: Client) -> None:
    assert browser.get(f"{INDEX}nothing/").status_code == 404


@pytest.mark.parametrize("language", [language.key for language in samples.LANGUAGES])
def test_samples_and_the_quick_start_come_in_six_languages(browser: Client, language: str) -> None:
    operation = browser.get(f"{INDEX}postMessage/", {"in": language})
    assert "The night shift starts at 22:00." in text(operation)
    assert "ACCESS_TOKEN" in text(operation)
    assert "REFRESH_TOKEN" in text(browser.get(INDEX, {"in": language}))


@pytest.mark.parametrize(
    ("search", "found", "not_found"),
    [
        ("message", "postMessage", "exchange"),
        ("textmessage.write", "postMessage", "listMembers"),
        ("GROUP member LIST", "listMembers", "exchange"),
        ("/v1/users", "readMe", "exchange"),
    ],
)
def test_search_narrows_the_list(browser: Client, search: str, found: str, not_found: str) -> None:
    listed = browser.get(INDEX, {"q": search}).content.decode().partition('id="operations"')[2]
    assert f'href="{INDEX}{found}/"' in listed
    assert f'href="{INDEX}{not_found}/"' not in listed


def test_a_search_without_a_result_says_what_to_do(browser: Client) -> None:
    shown = text(browser.get(INDEX, {"q": "<script>zebra"}))
    assert "No operation has these words" in shown
    assert "Show all operations" in shown


def test_opened_for_a_connector_its_id_is_filled_in(browser: Client, connector: Connector) -> None:
    answer = browser.get(INDEX, {"connector": str(connector.pk)})
    assert str(connector.pk) in answer.context["program"].text
    assert "CONNECTOR_ID" not in answer.context["program"].text


def test_not_for_a_connector_of_another_organisation(browser_of: Browser, outsider: User, connector: Connector) -> None:
    answer = browser_of(outsider).get(INDEX, {"connector": str(connector.pk)})
    assert "CONNECTOR_ID" in answer.context["program"].text


def test_what_is_tried_stands_in_no_form_and_has_no_name(browser: Client) -> None:
    """So no browser sends it to a page, keeps it, or puts it into an address."""
    shown = browser.get(f"{INDEX}postMessage/").content.decode()
    tried = shown[shown.index("data-try ") : shown.index("data-try-answer")]
    assert "<form" not in tried
    assert " name=" not in tried
    assert 'data-try-header="accessToken" type="password" autocomplete="off"' in tried
    assert "<noscript>" in shown


def test_reading_takes_few_queries(browser: Client, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(12):
        browser.get(reverse("connectors:explorer"))


@pytest.mark.once
def test_properties_inside_others_are_rows_of_their_own() -> None:
    place = {"type": "object", "properties": {"lat": {"type": "number", "minimum": 5, "maximum": 9}}}
    schema = {
        "properties": {
            "titles": {"type": "array", "items": {"type": "string", "enum": ["A", "B"]}},
            "places": {"type": "array", "items": {"$ref": "#/components/schemas/Place"}},
            "cursor": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}], "default": "x"},
        },
        "required": ["titles"],
    }
    found = rows(schema, {"components": {"schemas": {"Place": place}}})
    assert [(row.name, row.kind, row.required, row.choices) for row in found] == [
        ("titles", "list of text", True, ["A", "B"]),
        ("places", "list of object", False, []),
        ("places[].lat", "number", False, []),
        ("cursor", "text", False, []),
    ]
    assert str(found[2].description) == "<p>At least 5. At most 9.</p>"
    assert str(found[3].description) == "<p>At most 3 characters. Default: <code>&quot;x&quot;</code>.</p>"


@pytest.mark.once
def test_parameters_say_where_they_stand() -> None:
    row = parameter(
        {"name": "groupId", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}, {}
    )
    assert (row.where, row.kind, row.place) == ("in the path", "ID (GUID)", "path")


@pytest.mark.once
def test_descriptions_are_text_and_never_html() -> None:
    assert rich("`<b>` & **strong**\n\n1. One\n2. Two") == (
        "<p><code>&lt;b&gt;</code> &amp; <strong>strong</strong></p><ol><li>One</li><li>Two</li></ol>"
    )
