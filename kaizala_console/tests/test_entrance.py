"""The pages before sign-in, allauth's own pages, and the pages for what went wrong: all drawn with our components."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.template.loader import get_template
from django.test import Client, RequestFactory, override_settings
from django.urls import include, path

from accounts.models import User


def refuse(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def suspect(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation("a secret detail")


def break_down(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a secret detail")


urlpatterns = [
    path("refuse/", refuse),
    path("suspect/", suspect),
    path("break/", break_down),
    path("", include("kaizala_console.urls")),
]


def main_of(html: str) -> str:
    found = re.search(r"<main.*</main>", html, flags=re.S)
    assert found is not None
    return found.group()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/refuse/", 403, "You don’t have access"),
        ("/suspect/", 400, "could not read this request"),
        ("/break/", 500, "Something went wrong on our side"),
        ("/nothing/here", 404, "Page not found"),
    ],
)
@override_settings(ROOT_URLCONF=__name__)
def test_what_went_wrong_is_said_in_words_with_a_way_on(address: str, status: int, words: str) -> None:
    response = Client(raise_request_exception=False).get(address)
    html = response.content.decode()
    assert response.status_code == status
    assert words in html
    assert "a secret detail" not in html
    assert "Go to Home" in main_of(html)


def test_the_page_for_a_broken_server_needs_nothing_from_it() -> None:
    html = get_template("500.html").render()
    assert "Something went wrong on our side" in html
    assert "Kaizala Console" in html


@pytest.mark.parametrize(
    "name",
    [
        "account/account_inactive.html",
        "account/signup_closed.html",
        "socialaccount/authentication_error.html",
        "socialaccount/login_cancelled.html",
    ],
)
def test_each_dead_end_of_the_sign_in_has_a_way_on(rf: RequestFactory, name: str) -> None:
    html = get_template(name).render({}, rf.get("/"))
    assert html.count("<h1>") == 1
    assert 'href="/accounts/login/"' in main_of(html)
    assert "<title>" in html
    assert "<title> ·" not in html


@pytest.mark.django_db
def test_where_the_console_has_a_page_of_its_own_allauths_leads_there(
    browser_of: Callable[[User], Client], developer: User
) -> None:
    browser, theirs = browser_of(developer), "/accounts/3rdparty/"
    for answer in (browser.get(theirs), browser.post(theirs, {"account": "1"})):
        assert (answer.status_code, answer["Location"]) == (302, "/console/settings/")
    assert browser.get("/console/").status_code == 200, "nobody was signed out by it"
