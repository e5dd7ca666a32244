"""Walks through "Add Connector" as a browser does."""

from __future__ import annotations

import re

from django.test import Client

from connectors.tests.html_forms import Page, form_to, text_of

FIRST = "/console/connectors/add/"
SECOND = "/console/connectors/add/permissions/"
SECRET = re.compile(r"kzcs_[0-9A-Za-z]{65}")
DETAILS = {
    "name": "Shift Planner",
    "description": "Posts shifts.\r\nEvery morning.",
    "home_page": "https://shifts.example",
    "redirect_urls": "https://shifts.example/a\r\nhttps://shifts.example/b",
}
PERMITTED = ["textmessage", "media"]


def second_screen(client: Client, **changes: str) -> Page:
    """The page after "Continue"."""
    return form_to(client.get(FIRST), FIRST).send(client, {**DETAILS, **changes})


def created_by(client: Client, **changes: str) -> Page:
    """The page after "Create Connector"."""
    return form_to(second_screen(client, **changes), SECOND).send(client, {"permissions": PERMITTED})


def secret_on(page: Page) -> str:
    """The connector secret that the page shows."""
    found = SECRET.findall(page.content.decode())
    assert found, text_of(page)
    return str(found[0])
