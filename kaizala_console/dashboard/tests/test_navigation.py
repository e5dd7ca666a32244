"""Search from anywhere leads to pages and acts by their names, in either language, and to none that is not there."""

from __future__ import annotations

import pytest
from django.utils import translation

from accounts.models import User
from kaizala_console.dashboard.navigation import find_targets

pytestmark = pytest.mark.django_db
EVERYTHING = 1_000


def titles(user: User, text: str, most: int = EVERYTHING) -> list[str]:
    return [str(target.title) for target in find_targets(user, text, most=most)]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("add conn", "Add Connector"),
        ("  NEW program ", "Add Connector"),
        ("2fa", "Authenticator app"),
        ("logout", "Sign out"),
        ("sessions", "Sessions"),
        ("claim", "Handoffs"),
        ("approve", "Requests from developers"),
        ("why 401", "Inspect a token"),
        ("migrate", "Move an old program in ten minutes"),
    ],
)
def test_a_page_is_found_by_its_name_and_by_what_people_call_it(developer: User, text: str, title: str) -> None:
    assert title in titles(developer, text)


def test_who_reads_hindi_finds_a_page_by_either_name(developer: User) -> None:
    with translation.override("hi"):
        hindi = translation.gettext("Add Connector")
        assert hindi in titles(developer, hindi)
        assert hindi in titles(developer, "add connector")


@pytest.mark.parametrize("text", ["usage of the organisation", "import people", "organisation policy", "archive"])
def test_pages_of_organisation_admins_are_found_by_them_alone(
    developer: User, organisation_admin: User, text: str
) -> None:
    assert titles(organisation_admin, text)
    assert titles(developer, text) == []


def test_the_operators_pages_are_found_by_operators_alone(developer: User, operator: User) -> None:
    assert "The operators’ pages" in titles(operator, "operators")
    assert "The operators’ pages" not in titles(developer, "operators")
