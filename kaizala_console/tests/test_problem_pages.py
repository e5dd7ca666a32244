"""What every page gets around it: headers, a request id, and a page for what went wrong; and allauth's own pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path

from accounts.models import User
from accounts.views.decorators import signed_in
from kaizala_console.lib.errors import (
    Conflict,
    GatewayDown,
    NotAllowed,
    NotFound,
    RuleBroken,
    TooSoon,
)

ERRORS: dict[str, Exception] = {
    "rule": RuleBroken("A name has 1 to 60 characters."),
    "right": NotAllowed("Only its owner may do this."),
    "nothing": NotFound(),
    "late": Conflict("Asha claimed it at 14:05."),
    "often": TooSoon("Wait 20 seconds.", retry_after=20),
    "down": GatewayDown("The mail server does not answer."),
    "refused": PermissionDenied(),
    "suspect": SuspiciousOperation("a secret detail"),
    "broken": RuntimeError("a secret detail"),
}


@pytest.fixture
def group_id() -> str:
    return "00000000-0000-4000-8000-000000000000"


def fails(_request: HttpRequest, how: str) -> HttpResponse:
    raise ERRORS[how]


@signed_in
def form(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.POST.urlencode() or "empty")


urlpatterns = [
    path("console/test/fails/<str:how>/", fails),
    path("console/test/form/", form),
    path("", include("kaizala_console.urls")),
]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]
SAME_ORIGIN = {"Origin": "http://testserver", "Referer": "http://testserver/console/test/form/?tab=2"}


@pytest.mark.parametrize(
    ("how", "status", "told"),
    [
        ("rule", 400, "A name has 1 to 60 characters."),
        ("right", 403, "Only its owner may do this."),
        ("late", 409, "Asha claimed it at 14:05."),
        ("often", 429, "Wait 20 seconds."),
        ("down", 503, "The mail server does not answer."),
        ("refused", 403, "You don’t have access"),
        ("suspect", 400, "could not read this request"),
        ("broken", 500, "Something went wrong on our side"),
    ],
)
def test_what_is_raised_becomes_a_page_that_says_it_with_a_way_on(how: str, status: int, told: str) -> None:
    answer = Client(raise_request_exception=False).get(f"/console/test/fails/{how}/")
    page = answer.content.decode()
    assert answer.status_code == status
    assert told in page
    assert "Go to Home" in page
    assert "a secret detail" not in page
    if how in ("rule", "right", "late", "often", "down"):
        assert "no-store" in answer.headers["Cache-Control"]
        assert answer.headers["X-Request-ID"] in page


def test_not_yours_is_the_very_page_of_not_there(client: Client) -> None:
    not_yours, not_there = client.get("/console/test/fails/nothing/"), client.get("/console/nowhere/")
    assert not_yours.status_code == not_there.status_code == 404

    def without_tokens(answer: Any) -> str:
        return re.sub(r"\b[A-Za-z0-9]{64}\b", "", answer.content.decode())

    assert without_tokens(not_yours) == without_tokens(not_there)


def test_every_page_carries_the_headers_that_protect_it(client: Client) -> None:
    headers = client.get("/accounts/login/").headers
    policy = headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


def test_an_address_that_only_takes_a_form_leads_to_the_page_around_it(client: Client, group_id: str) -> None:
    for address, page in (
        (f"/console/groups/{group_id}/users/add/", f"/console/groups/{group_id}/"),
        (f"/console/connectors/{group_id}/credentials/add/", f"/console/connectors/{group_id}/credentials/"),
        ("/console/settings/sessions/7/end/", "/console/settings/sessions/"),
    ):
        answer = client.get(address)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
        assert "Open the page with the form to see the current state." in answer.content.decode()
        assert f'href="{page}"' in answer.content.decode()


# A form whose cookie is gone


def strict(user: User) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return client


def test_a_form_from_here_with_a_lost_cookie_waits_for_a_press(member: User) -> None:
    client = strict(member)
    answer = client.post("/console/test/form/", {"name": "Night shift"}, headers=SAME_ORIGIN)
    assert answer.status_code == 403
    way_on = answer.context["href"]
    page = client.get(way_on)
    form = {"pending_form": page.context["pending"].id, "csrfmiddlewaretoken": client.cookies["csrf"].value}
    assert client.post(way_on, form, follow=True).content == b"name=Night+shift"
    assert "Night" not in str(dict(client.session))


def test_without_a_session_the_kept_form_leads_through_the_sign_in(db: None) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/console/test/form/", {"name": "Night shift"}, headers=SAME_ORIGIN)
    assert answer.context["href"].startswith("/accounts/login/?next=%2Fconsole%2Fconfirm%2F%3Fpending%3D")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Referer": "http://testserver/console/test/form/"},
        {"Origin": "null"},
        {},
        {**SAME_ORIGIN, "Sec-Fetch-Site": "cross-site"},
        {**SAME_ORIGIN, "Sec-Fetch-Site": "same-site"},
    ],
)
def test_words_that_another_site_sent_are_not_kept(member: User, headers: dict[str, str]) -> None:
    client = strict(member)
    answer = client.post("/console/test/form/", {"name": "Planted"}, headers=headers)
    assert answer.status_code == 403
    assert "This form did not come from this site" in answer.content.decode()
    assert "pending_forms" not in client.session


def test_a_sign_in_page_that_was_open_for_too_long_is_simply_opened_again(db: None) -> None:
    client = Client(enforce_csrf_checks=True)
    headers = {"Origin": "http://testserver", "Referer": "http://testserver/accounts/login/?next=/console/"}
    answer = client.post("/accounts/dummy/login/", {}, headers=headers)
    assert answer.status_code == 403
    assert 'href="/accounts/login/?next=/console/"' in answer.content.decode()


def test_a_script_that_asks_there_gets_no_page(client: Client) -> None:
    assert not client.get("/console/settings/mail/", headers={"HX-Request": "true"}).content
    assert not client.delete("/console/settings/mail/").content
