"""The API explorer: a program to begin with, and what its viewer is given. Nothing that is tried comes by."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from connectors.description import get_description
from connectors.models import Connector
from connectors.views import explorer

Browser = Callable[..., Client]
INDEX = "/console/api/"
DOCUMENT = f"{INDEX}openapi.json"


@pytest.fixture
def browser(browser_of: Browser, developer: User) -> Client:
    return browser_of(developer)


def text(answer: Any) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())))


@pytest.mark.parametrize("language", [program.key for program in explorer.list_programs()])
def test_the_quick_start_comes_in_six_languages(browser: Client, language: str) -> None:
    shown = text(browser.get(INDEX, {"in": language}))
    assert "REFRESH_TOKEN" in shown
    assert "Hello from my program" in shown


def test_without_scripts_there_is_the_document_and_help(browser: Client) -> None:
    shown = browser.get(INDEX).content.decode()
    without_scripts = shown[shown.index("<noscript>") : shown.index("</noscript>")]
    assert 'href="/v1/openapi.json"' in without_scripts
    assert 'href="/console/help/"' in without_scripts


def test_the_page_keeps_the_strict_policy(browser: Client) -> None:
    policy = browser.get(INDEX).headers["Content-Security-Policy"]
    assert policy == browser.get("/console/connectors/").headers["Content-Security-Policy"]
    assert "unsafe" not in policy


def test_the_viewer_gets_the_document_for_the_host_that_it_is_on(browser: Client) -> None:
    shown = browser.get(DOCUMENT).json()
    assert shown["paths"] == get_description().document["paths"]
    assert settings.CONSOLE_BASE_URL not in str({**shown, "paths": {}})
    assert set(get_description().document["components"]["securitySchemes"]) - set(
        shown["components"]["securitySchemes"]
    ) == {"oauth"}


def test_the_document_that_programs_get_stays_as_it_is(browser: Client) -> None:
    browser.get(DOCUMENT)
    assert browser.get("/v1/openapi.json").json()["servers"] == [
        {"url": settings.CONSOLE_BASE_URL, "description": "This console"}
    ]


def test_opened_for_a_connector_its_id_is_filled_in(browser: Client, connector: Connector) -> None:
    answer = browser.get(INDEX, {"connector": str(connector.pk)})
    assert str(connector.pk) in answer.context["program"].text
    assert "CONNECTOR_ID" not in answer.context["program"].text


def test_not_for_a_connector_of_another_organisation(browser_of: Browser, outsider: User, connector: Connector) -> None:
    answer = browser_of(outsider).get(INDEX, {"connector": str(connector.pk)})
    assert "CONNECTOR_ID" in answer.context["program"].text


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
