"""Every link and every button that somebody meets leads somewhere: each role walks from Home over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urldefrag, urljoin, urlsplit

import pytest
from django.test import Client
from django.urls import Resolver404, resolve, reverse

from kaizala_console.lib.tests.cast import BrowserOf
from kaizala_console.tests.visiting import signed_in
from kaizala_console.tests.whole_world import World

pytestmark = [pytest.mark.long, pytest.mark.once, pytest.mark.django_db]
ROLES = ("developer", "group_admin", "member", "organisation_admin", "operator", "newcomer", "stranger", "")
EACH = 2  # pages of one kind: of one address and the same names in the query
HERE = "http://testserver"


@dataclass
class Found:
    """What a page leads to, and what one can be led to in it."""

    links: list[str] = field(default_factory=list)
    forms: list[tuple[str, str]] = field(default_factory=list)  # method, address
    marks: set[str] = field(default_factory=set)


class Reader(HTMLParser):
    """Reads links, forms, buttons with addresses of their own, and ids."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = Found()
        self._method = "get"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        row = {name: value or "" for name, value in attrs}
        if row.get("id"):
            self.found.marks.add(row["id"])
        if tag == "a" and "href" in row and "download" not in row:
            self.found.links.append(row["href"])
        elif tag == "form":
            self._method = row.get("method", "get").lower()
            self.found.forms.append((self._method, row.get("action", "")))
        elif tag in {"button", "input"} and "formaction" in row:
            self.found.forms.append((row.get("formmethod", self._method).lower(), row["formaction"]))
        self.found.links += [row[name] for name in ("hx-get", "data-search-page") if row.get(name)]
        if row.get("hx-post"):
            self.found.forms.append(("post", row["hx-post"]))


@dataclass
class Walk:
    """One role's walk. `dead` are the ends that nobody should be led to."""

    client: Client
    pages: dict[str, Found | None] = field(default_factory=dict)  # by path and query; None: no page (a file)
    at: dict[str, str] = field(default_factory=dict)  # where an address led in the end
    kinds: dict[tuple[str, tuple[str, ...]], int] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)

    def begin(self, start: str) -> None:
        """Goes on until everything of every kind has been seen."""
        waiting = [(start, "the beginning")]
        while waiting:
            address, came_from = waiting.pop(0)
            waiting += self._follow(address, came_from)

    def _follow(self, address: str, came_from: str) -> Iterator[tuple[str, str]]:
        bare, mark = urldefrag(address)
        if not self._is_ours(bare):
            return
        if bare not in self.pages and not mark and self._seen_enough(bare):
            return
        if bare not in self.pages:
            self.pages[bare] = self._open(bare, came_from)
            yield from self._onwards(bare)
        page = self.pages[bare]
        if mark and page is not None and mark not in page.marks | self._opened_by_script(bare):
            self.dead.append(f"{came_from} → {address}: there is no #{mark} there")

    def _onwards(self, bare: str) -> Iterator[tuple[str, str]]:
        page = self.pages[bare]
        if page is None:
            return
        for method, action in page.forms:
            target = urljoin(HERE + self.at.get(bare, bare), action)
            if method == "get":
                yield target.removeprefix(HERE), bare
            elif self._is_ours(target.removeprefix(HERE)) and not self._resolves(target):
                self.dead.append(f"{bare}: a form to {action}, which is no address of ours")
        for link in page.links:
            if urlsplit(link).scheme not in {"mailto", "tel", "data", "blob"}:
                yield urljoin(HERE + self.at.get(bare, bare), link).removeprefix(HERE), bare

    def _open(self, bare: str, came_from: str) -> Found | None:
        answer = self.client.get(bare, follow=True)
        self.at[bare] = answer.redirect_chain[-1][0] if answer.redirect_chain else bare
        if answer.status_code >= 400:
            self.dead.append(f"{came_from} → {bare}: {answer.status_code}")
            return None
        if not answer.get("Content-Type", "").startswith("text/html") or answer.streaming:
            return None
        reader = Reader()
        reader.feed(answer.content.decode())
        return reader.found

    def _seen_enough(self, bare: str) -> bool:
        parts = urlsplit(bare)
        names = {name for name, _value in parse_qsl(parts.query)}
        if bare.startswith("/operators/"):  # Django's own tables, which all filter and sort alike
            names = set()
        kind = (self._resolves(bare), tuple(sorted(names)))
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        return self.kinds[kind] > EACH

    def _opened_by_script(self, bare: str) -> set[str]:
        """What a link can open there besides the ids: in the API explorer, an operation of its document."""
        if bare != reverse("connectors:explorer"):
            return {"top", "content"}
        document = self.client.get(reverse("connectors:explorer_document")).json()
        return {call["operationId"] for path in document["paths"].values() for call in path.values()}

    @staticmethod
    def _is_ours(bare: str) -> bool:
        return bare.startswith("/") and not bare.startswith(("//", "/static/"))

    @staticmethod
    def _resolves(address: str) -> str:
        try:
            return resolve(urlsplit(address).path).route or "/"
        except Resolver404:
            return ""


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role or "signed out")
def test_no_link_leads_to_a_dead_end_and_every_form_to_an_address(
    role: str, whole_world: World, browser_of: BrowserOf
) -> None:
    client = signed_in(browser_of, whole_world, role)
    client.raise_request_exception = False
    walk = Walk(client)
    walk.begin("/console/" if role else "/accounts/login/")
    if role == "operator":
        walk.begin("/operators/")
    assert walk.dead == [], "\n".join(walk.dead)
    assert len(walk.pages) > (20 if role not in {"", "newcomer"} else 2), sorted(walk.pages)
