"""Help inside the console: every page is there, leads on, and is found by a word; and what pages show first fits."""

from __future__ import annotations

import re

import pytest

from accounts import sandbox
from accounts.models import User
from accounts.tests.factories import make_user
from kaizala_console.help import PAGES
from kaizala_console.lib.tests.cast import BrowserOf

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("slug", PAGES)
def test_every_page_is_there_and_leads_on(slug: str, member: User, browser_of: BrowserOf) -> None:
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
def test_a_word_finds_its_pages(member: User, browser_of: BrowserOf, q: str, found: set[str]) -> None:
    html = browser_of(member).get("/console/help/", {"q": q}).content.decode()
    assert set(re.findall(r"/console/help/([a-z-]+)/", html)) == found
    assert ("No matches" in html) == (not found)


def test_the_sandbox_fills_in_the_number_of_its_own_people_alone(developer: User, browser_of: BrowserOf) -> None:
    identity = sandbox.BY_KEY["developer"]
    known = make_user(identity.name, developer.organisation, number=None)
    assert identity.number not in browser_of(known).get("/console/phones/add/").content.decode()
    User.objects.filter(pk=known.pk).update(subject=identity.subject)
    known.refresh_from_db()
    assert identity.number in browser_of(known).get("/console/phones/add/").content.decode()
