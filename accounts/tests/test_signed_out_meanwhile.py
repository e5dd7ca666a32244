"""Who is signed out while a page of their account is open signs in, and is back at its form with what they chose."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.pages import words

pytestmark = pytest.mark.django_db
SETTINGS, SESSIONS = "/console/settings/", "/console/settings/sessions/"


def back_at(user: User, address: str, fields: dict[str, Any]) -> tuple[str, Any]:
    """Sends the form without a session and signs in: where that leads, and the page there."""
    client = Client()
    sent_to = client.post(address, fields)
    back = parse_qs(urlsplit(sent_to["Location"]).query)["next"][0]
    client.force_login(user)
    return urlsplit(back).path, client.get(back)


@pytest.mark.parametrize(
    ("address", "page", "button"),
    [
        (f"{SETTINGS}mail/", SETTINGS, "Save the choice"),
        (f"{SETTINGS}language/", SETTINGS, "Save the language"),
        (f"{SESSIONS}end-others/", SESSIONS, "Sign out everywhere else"),
        (f"{SESSIONS}7/end/", SESSIONS, "Sign out"),
    ],
)
def test_they_are_back_at_a_page_that_opens_and_says_what_to_press(
    member: User, address: str, page: str, button: str
) -> None:
    path, answer = back_at(member, address, {"form": "mail"} if "mail" in address else {})
    assert (path, answer.status_code) == (page, 200)
    assert f"“{button}”" in words(answer)


def test_the_mails_that_they_had_chosen_are_ticked(organisation_admin: User) -> None:
    _path, answer = back_at(organisation_admin, f"{SETTINGS}mail/", {"form": "mail", "wanted": ["handoffs"]})
    assert answer.context["mail_form"]["wanted"].value() == ["handoffs"]
    assert not answer.context["policy_form"].is_bound, "that is another form of the same page"


def test_mails_that_they_had_all_cleared_stay_cleared(member: User) -> None:
    _path, answer = back_at(member, f"{SETTINGS}mail/", {"form": "mail"})
    assert answer.context["mail_form"]["wanted"].value() == []


def test_the_language_that_they_had_chosen_is_chosen(member: User) -> None:
    _path, answer = back_at(member, f"{SETTINGS}language/", {"language": "hi"})
    assert answer.context["language_form"]["language"].value() == "hi"
    assert answer.context["mail_form"]["wanted"].value()
