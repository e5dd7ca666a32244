"""Reads pages and their forms as a browser would, so that tests send what people send: hidden fields and all."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

# What the test client returns; its type is private to django-stubs.
Page = Any


@dataclass
class HtmlForm:
    """One form: where it is sent, and the fields that it sends as it stands."""

    action: str
    method: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)

    def send(self, client: Client, changes: Mapping[str, Any] | None = None, *, to: str = "", **extra: Any) -> Any:
        """Sends the form with some fields changed; `to` is the button's own address. Without the CSRF token."""
        data: dict[str, Any] = {**self.fields, **(changes or {})}
        data.pop("csrfmiddlewaretoken", None)
        return client.post(to or self.action, data, **extra)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[HtmlForm] = []
        self.open: HtmlForm | None = None
        self.textarea: str | None = None
        self.select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        row = {name: value if value is not None else "" for name, value in attrs}
        if tag == "form":
            self.open = HtmlForm(row.get("action", ""), row.get("method", "get").lower())
            self.forms.append(self.open)
        elif self.open is not None:
            self._field(tag, row)

    def _field(self, tag: str, row: dict[str, str]) -> None:
        assert self.open is not None
        name = row.get("name", "")
        if tag == "textarea" and name:
            self.textarea = name
            self.open.fields[name] = [""]
        elif tag == "select" and name:
            self.select = name
            self.open.fields[name] = []
        elif tag == "option" and self.select and (not self.open.fields[self.select] or "selected" in row):
            self.open.fields[self.select] = [row.get("value", "")]
        elif tag == "input" and name:
            ticked = row.get("type") not in ("checkbox", "radio") or "checked" in row
            if ticked:
                self.open.fields.setdefault(name, []).append(row.get("value", ""))

    def handle_data(self, data: str) -> None:
        if self.textarea and self.open is not None:
            self.open.fields[self.textarea] = [self.open.fields[self.textarea][0] + data]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.open = None
        elif tag == "textarea" and self.textarea and self.open is not None:
            # A textarea's first newline is not part of it (HTML, 13.2.6.4.7); what is sent has CRLF.
            text = self.open.fields[self.textarea][0].removeprefix("\r\n").removeprefix("\n")
            self.open.fields[self.textarea] = [text.replace("\r\n", "\n").replace("\n", "\r\n")]
            self.textarea = None
        elif tag == "select":
            self.select = None


def forms_of(response: Page) -> list[HtmlForm]:
    """Every form of the page, in order; those for browsers without scripts too."""
    reader = _Reader()
    reader.feed(response.content.decode())
    return reader.forms


def form_to(response: Page, action: str) -> HtmlForm:
    """The form that is sent to this address."""
    found = [form for form in forms_of(response) if form.action == action]
    assert found, f"no form is sent to {action}; there are {[form.action for form in forms_of(response)]}"
    return found[0]


def text_of(response: Page) -> str:
    """What the page says, without markup, spaces folded."""
    body = response.content.decode().replace("<wbr>", "")  # where a word may be broken, no space stands
    body = re.sub(r"<(script|style|head)\b.*?</\1>", " ", body, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def count_queries(client: Client, path: str) -> int:
    """How many queries a page costs."""
    with CaptureQueriesContext(connection) as seen:
        assert client.get(path).status_code == 200
    return len(seen)
