"""Search from anywhere leads to pages and acts by their names, in either language, and to none that is not there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import translation

from accounts import places
from accounts.models import User

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
SEARCH = "/console/search/"
EVERYTHING = 1_000


def titles(user: User, text: str, most: int = EVERYTHING) -> list[str]:
    return [str(place.title) for place in places.found(user, text, most=most)]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("add conn", "Add Connector"),
        ("  NEW program ", "Add Connector"),
        ("2fa", "Authenticator app"),
        ("logout", "Sign out"),
        ("sessions", "Where you are signed in"),
        ("claim", "Handoffs"),
        ("approve", "Requests of developers"),
        ("why 401", "Inspect a token"),
        ("migrate", "Move an old program in ten minutes"),
    ],
)
def test_a_page_is_found_by_its_name_and_by_what_people_call_it(developer: User, text: str, title: str) -> None:
    assert title in titles(developer, text)


def test_what_is_called_so_stands_before_what_only_has_to_do_with_it(developer: User) -> None:
    assert titles(developer, "handoffs")[0] == "Handoffs"
    assert titles(developer, "token")[0] == "Inspect a token"


@pytest.mark.parametrize("text", ["", " ", "a", "xyzzy", "onnector", "add xyzzy", "\0", "%"])
def test_a_letter_and_the_middle_of_a_word_find_none(developer: User, text: str) -> None:
    assert titles(developer, text) == []


def test_no_more_come_than_are_asked_for(developer: User) -> None:
    assert len(titles(developer, "se", most=3)) == 3


def test_who_reads_hindi_finds_a_page_by_either_name(developer: User) -> None:
    with translation.override("hi"):
        hindi = translation.gettext("Add Connector")
        assert hindi in titles(developer, hindi)
        assert hindi in titles(developer, "add connector")


@pytest.mark.parametrize("text", ["usage of the organisation", "people by file", "organisation policy", "archive"])
def test_pages_of_organisation_admins_are_found_by_them_alone(
    developer: User, organisation_admin: User, text: str
) -> None:
    assert titles(organisation_admin, text)
    assert titles(developer, text) == []


def test_the_operators_pages_are_found_by_operators_alone(developer: User, operator: User) -> None:
    assert "The operators’ pages" in titles(operator, "operators")
    assert "The operators’ pages" not in titles(developer, "operators")


@pytest.mark.parametrize("who", ["developer", "organisation_admin", "operator"])
def test_every_place_is_there(who: str, browser_of: Browser, request: pytest.FixtureRequest) -> None:
    user = request.getfixturevalue(who)
    client = browser_of(user)
    for place in places._of(user):
        bare, _hash, mark = place.href.partition("#")
        answer = client.get(bare)
        assert answer.status_code == 200 or bare == "/operators/", place.title
        assert not mark or f'id="{mark}"' in answer.content.decode(), place.title


def test_the_page_of_the_search_leads_there(developer: User, browser_of: Browser) -> None:
    html = browser_of(developer).get(SEARCH, {"q": "add connector"}).content.decode()
    assert 'href="/console/connectors/add/"' in html.partition('id="found-places"')[2]
    assert "Nothing matches" not in html
