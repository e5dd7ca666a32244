"""Help inside the console: every page is there, leads on, is found by a word, and names only what there is."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from kaizala_console.help import PAGES

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.mark.parametrize("slug", PAGES)
def test_every_page_is_there_and_leads_on(slug: str, member: User, browser_of: Browser) -> None:
    client = browser_of(member)
    page = client.get(f"/console/help/{slug}/")
    assert page.status_code == 200
    leads = set(re.findall(r'href="(/console/[^"#?]*)"', page.content.decode()))
    assert {f"/console/help/{name}/" for name in PAGES[slug].follows} <= leads
    assert slug not in PAGES[slug].follows
    assert [url for url in leads if client.get(url).status_code != 200] == []


@pytest.mark.parametrize(
    ("q", "found"), [("429", {"limits"}), ("Verify SIGNATURE", {"webhooks"}), ("xyzzy", set()), ("\0'; --", set())]
)
def test_a_word_finds_its_pages(member: User, browser_of: Browser, q: str, found: set[str]) -> None:
    html = browser_of(member).get("/console/help/", {"q": q}).content.decode()
    assert set(re.findall(r"/console/help/([a-z-]+)/", html)) == found
    assert ("No matches" in html) == (not found)


@pytest.mark.parametrize("path", ["nothing", "index", "page", "..%2f..", "1"])
def test_another_page_is_not_there(member: User, browser_of: Browser, path: str) -> None:
    assert browser_of(member).get(f"/console/help/{path}/").status_code == 404


@pytest.mark.parametrize("path", ["", "tokens/"])
def test_who_is_signed_out_signs_in_first(path: str) -> None:
    assert Client().get(f"/console/help/{path}")["Location"].startswith("/accounts/login/?next=")
