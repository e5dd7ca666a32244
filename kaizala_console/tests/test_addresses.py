"""No credential stays in an address: histories, logs and the next page's address bar would keep it."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlencode

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.pages import words
from connectors import token_format
from connectors.token_format import CredentialKind
from kaizala_console.lib import clock, ids
from kaizala_console.lib.tests.cast import BrowserOf, OpenPage
from kaizala_console.tests.browser import assert_accessible

SEARCH = "/console/search/"
TAKEN_OUT = "We removed it, but browsers and servers log addresses: replace it if it is in use."


def access_token() -> str:
    return token_format.mint_access_token(
        refresh_token_id=7, grant_id=ids.new_id(), generation=0, expires_at=clock.now()
    )


TOKENS = {
    "secret": lambda: token_format.generate(CredentialKind.SECRET).token,
    "refresh token": lambda: token_format.generate(CredentialKind.REFRESH).token,
    "access token": access_token,
    "cut short": lambda: token_format.generate(CredentialKind.REFRESH).token[:40],
    "one letter missing": lambda: token_format.generate(CredentialKind.SECRET).token[:-1],
    "among words": lambda: f"what is  {token_format.generate(CredentialKind.REFRESH).token} for?",
    "in a header": lambda: f"Bearer:{access_token()}",
}


@pytest.mark.parametrize("form", TOKENS)
def test_a_credential_in_the_search_is_taken_out_of_the_address(form: str, member: User, browser_of: BrowserOf) -> None:
    browser, text = browser_of(member), TOKENS[form]()
    answer = browser.get(SEARCH, {"q": text})
    assert (answer.status_code, answer.headers["Location"]) == (302, SEARCH)
    page = browser.get(SEARCH)
    assert TAKEN_OUT in words(page)
    assert "Inspect a token" in words(page)
    assert text not in page.content.decode()


@pytest.mark.parametrize(
    "path", ["/console/connectors/", "/console/groups/", "/console/directory/", "/console/activity/", "/console/help/"]
)
def test_the_other_filters_of_a_list_stay(path: str, member: User, browser_of: BrowserOf) -> None:
    token = token_format.generate(CredentialKind.SECRET).token
    answer = browser_of(member).get(path, {"show": "all", "q": token, "empty": "", "sort": "a b&c"})
    assert answer.headers["Location"] == f"{path}?show=all&empty=&sort=a+b%26c"


def test_the_way_to_the_sign_in_does_not_carry_it_on(client: Client, db: None) -> None:
    token = token_format.generate(CredentialKind.REFRESH).token
    assert token not in client.get(SEARCH, {"q": token}).headers["Location"]
    behind = quote(f"{SEARCH}?{urlencode({'q': token})}", safe="")
    answer = client.get(f"/accounts/login/?next={behind}&process=login")
    assert answer.headers["Location"] == "/accounts/login/?process=login"
    answer = client.get(f"/accounts/login/?next={quote(behind, safe='')}")
    assert answer.headers["Location"] == "/accounts/login/"


@pytest.mark.parametrize(("path", "to"), [("//other.example/x", "/%2Fother.example/x"), ("/a%3Fb%23c/", "/a%3Fb%23c/")])
def test_nobody_is_led_elsewhere(path: str, to: str, client: Client, db: None) -> None:
    query = urlencode({"q": token_format.generate(CredentialKind.REFRESH).token})
    answer = client.generic("GET", "/", QUERY_STRING=query, PATH_INFO=unquote(path))
    assert (answer.status_code, answer.headers["Location"]) == (302, to)


@pytest.mark.parametrize("text", ["kzrt_", "kzrt_4pQ1aaaaaaaaaaaa", "xkzrt_" + "a" * 65, "kzrt " + "a" * 65, "%", "ü"])
def test_what_is_no_credential_is_searched_for(text: str, member: User, browser_of: BrowserOf) -> None:
    assert browser_of(member).get(SEARCH, {"q": text}).status_code == 200


def test_an_answer_to_a_form_is_left_alone(member: User, browser_of: BrowserOf) -> None:
    token = token_format.generate(CredentialKind.SECRET).token
    assert browser_of(member).post(f"/console/connectors/inspector/?q={token}", {"token": token}).status_code == 200


@pytest.mark.journey
@pytest.mark.parametrize("at", ["/console/", "/console/connectors/", "/console/api/"])
@pytest.mark.capability
def test_with_scripts_it_does_not_even_leave_the_field(open_page: OpenPage, member: User, at: str) -> None:
    token = token_format.generate(CredentialKind.REFRESH).token
    page = open_page(user=member)
    page.goto(at)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    field = page.locator("#content input[type=search], #search-anywhere").last
    field.fill(token)
    field.press("Enter")
    page.wait_for_timeout(600)  # longer than a list that follows the typing waits
    assert not [url for url in asked if token in url]
    assert page.url.endswith(at)
    assert "Inspect a token" in field.evaluate("field => field.validationMessage")
    assert_accessible(page)
    field.fill("depot")
    field.press("Enter")
    page.wait_for_url("**q=depot**")
