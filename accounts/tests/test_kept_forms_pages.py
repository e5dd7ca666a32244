"""What is typed survives a lost session and a missing confirmation; nothing is done by the return itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path, reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from accounts.pages import kept_forms
from accounts.pages.decorators import freshly_confirmed, kept_form, safe_path, signed_in, with_phone
from accounts.services import confirmations

done: list[str] = []


@require_http_methods(["GET", "POST"])
@freshly_confirmed(press="Create", sensitive=["webhook_key"])
def create(request: HttpRequest) -> HttpResponse:
    """A form that shows what was kept."""
    if request.method == "POST":
        done.append(request.POST["name"])
        return HttpResponse("done")
    kept = kept_form(request)
    said = [str(message) for message in get_messages(request)]
    return HttpResponse(f"{kept.urlencode() if kept else 'empty'}|{said}")


@require_POST
@with_phone(form_at="form", press="Claim")
def claim(request: HttpRequest, thing: int) -> HttpResponse:
    """A button whose form stands on another page."""
    done.append(f"claimed {thing}")
    return HttpResponse("done")


@signed_in
def page(request: HttpRequest, thing: int) -> HttpResponse:
    """The page with that button."""
    return HttpResponse(f"page {thing} {[str(message) for message in get_messages(request)]}")


@freshly_confirmed(on_get=True)
def guarded(request: HttpRequest) -> HttpResponse:
    """Behind a confirmation as a whole."""
    return HttpResponse("inside")


urlpatterns = [
    path("console/test/create/", create),
    path("console/test/page/<int:thing>/", page, name="form"),
    path("console/test/page/<int:thing>/claim/", claim),
    path("console/test/guarded/", guarded),
    path("", include("kaizala_console.urls")),
]

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]
CREATE = "/console/test/create/"
NO_SECRET = {"name": "Night shift & days", "scope": ["a", "b"], "form_key": "3f9a", "secret": ""}
TYPED = {"name": "Night shift & days", "scope": ["a", "b"], "pin": "123456", "secret": "s", "webhook_key": "k"}


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    done.clear()


def next_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["next"][0]


def confirm(client: Client, user: User) -> None:
    session = client.session
    confirmations.remember(session, user)
    session.save()


def sign_in(client: Client, next_path: str, key: str = "member") -> str:
    """Goes the whole way of the sandbox and returns where one lands."""
    begin = client.post(reverse("dummy_login"), {"next": next_path, "process": "login"}, follow=True)
    identities = begin.request["PATH_INFO"] + "?" + begin.request["QUERY_STRING"]
    return client.post(identities, {"identity": key}).headers["Location"]


def test_a_form_sent_without_a_session_is_kept_through_the_sign_in(client: Client) -> None:
    answer = client.post(CREATE, TYPED)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/?next=")
    landing = sign_in(client, next_of(answer.headers["Location"]))
    assert landing.startswith(f"{CREATE}?kept=")
    # A member of the sandbox has no phone yet: the page itself only asks for one.
    assert client.get(landing).status_code == 302
    assert done == []


def test_the_landing_shows_what_was_typed_and_what_to_press(member: User, browser_of: Callable[..., Client]) -> None:
    client = browser_of(member, confirmed=False)
    landing = next_of(client.post(CREATE, NO_SECRET).headers["Location"])
    confirm(client, member)
    shown = client.get(landing).content.decode()
    assert "name=Night+shift+%26+days&scope=a&scope=b" in shown
    assert "Thank you, that was you. Nothing was lost: check the form and press “Create” again." in shown
    assert done == []


def test_the_landing_says_what_was_not_kept_on_purpose(member: User, browser_of: Callable[..., Client]) -> None:
    client = browser_of(member, confirmed=False)
    landing = next_of(client.post(CREATE, TYPED).headers["Location"])
    confirm(client, member)
    shown = client.get(landing).content.decode()
    assert "name=Night+shift+%26+days&scope=a&scope=b" in shown
    assert "What may be a secret is not kept: enter it again, and press “Create”." in shown
    assert "Nothing was lost" not in shown


def test_secrets_and_pins_are_never_kept(member: User, browser_of: Callable[..., Client]) -> None:
    client = browser_of(member, confirmed=False)
    client.post(CREATE, TYPED)
    kept = str(client.session[kept_forms.SESSION_KEY])
    assert "123456" not in kept
    assert "secret" not in kept
    assert "webhook_key" not in kept


def test_a_fresh_visit_shows_an_empty_form_though_something_is_kept(
    member: User, browser_of: Callable[..., Client]
) -> None:
    client = browser_of(member, confirmed=False)
    client.post(CREATE, TYPED)
    assert client.get(CREATE).content.decode() == "empty|[]"


def test_what_is_kept_shows_only_on_the_page_that_it_belongs_to(
    member: User, browser_of: Callable[..., Client]
) -> None:
    client = browser_of(member, confirmed=False)
    landing = next_of(client.post(CREATE, TYPED).headers["Location"])
    elsewhere = client.get(f"/console/test/page/1/?{urlsplit(landing).query}").content.decode()
    assert elsewhere == "page 1 []"


def test_sending_the_form_at_last_forgets_what_was_kept(member: User, browser_of: Callable[..., Client]) -> None:
    client = browser_of(member, confirmed=False)
    landing = next_of(client.post(CREATE, TYPED).headers["Location"])
    confirm(client, member)
    assert client.post(landing, TYPED).content == b"done"
    assert done == ["Night shift & days"]
    assert client.session[kept_forms.SESSION_KEY] == []


def test_a_button_on_another_page_leads_back_to_that_page(client: Client) -> None:
    answer = client.post("/console/test/page/7/claim/")
    assert next_of(answer.headers["Location"]).startswith("/console/test/page/7/?kept=")
    assert done == []


def test_what_was_typed_is_forgotten_after_an_hour(
    member: User, browser_of: Callable[..., Client], travel: Callable[..., dt.datetime]
) -> None:
    client = browser_of(member, confirmed=False)
    landing = next_of(client.post(CREATE, TYPED).headers["Location"])
    travel(minutes=61)
    assert client.get(landing).content.decode() == "empty|[]"


def test_only_the_last_three_forms_are_kept(member: User, browser_of: Callable[..., Client]) -> None:
    client = browser_of(member, confirmed=False)
    for number in range(5):
        client.post(CREATE, {"name": f"form {number}"})
    kept = [form["fields"] for form in client.session[kept_forms.SESSION_KEY]]
    assert kept == ["name=form+2", "name=form+3", "name=form+4"]


def test_a_form_that_is_too_large_is_not_kept_and_says_so(member: User, browser_of: Callable[..., Client]) -> None:
    client = browser_of(member, confirmed=False)
    landing = next_of(client.post(CREATE, {"name": "x" * 30_000}).headers["Location"])
    shown = client.get(landing).content.decode()
    assert shown.startswith("empty|")
    assert "please fill it in again" in shown


def test_a_get_without_a_session_leads_back_with_its_query(client: Client) -> None:
    answer = client.get("/console/test/page/3/?q=a%26b")
    assert next_of(answer.headers["Location"]) == "/console/test/page/3/?q=a%26b"


def test_a_fragment_asked_for_without_a_session_reloads_the_whole_page(client: Client) -> None:
    answer = client.get(
        "/console/test/page/3/",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/console/groups/?q=x"},
    )
    assert answer.status_code == 204
    assert next_of(answer.headers["HX-Redirect"]) == "/console/groups/?q=x"


def test_a_fragment_that_claims_to_stand_on_another_site_leads_home(client: Client) -> None:
    answer = client.get(
        "/console/test/page/3/", headers={"HX-Request": "true", "HX-Current-URL": "https://evil.example/"}
    )
    assert next_of(answer.headers["HX-Redirect"]) == "/"


def test_a_confirmation_of_a_quarter_of_an_hour_ago_is_asked_for_again(
    member: User, browser_of: Callable[..., Client], travel: Callable[..., dt.datetime]
) -> None:
    client = browser_of(member)
    travel(minutes=14, seconds=50)
    assert client.post(CREATE, {"name": "in time"}).content == b"done"
    travel(seconds=20)
    answer = client.post(CREATE, {"name": "too late"})
    assert answer.headers["Location"].startswith("/console/confirm/?next=")
    assert done == ["in time"]


def test_a_page_behind_a_confirmation_asks_before_it_shows_anything(
    member: User, browser_of: Callable[..., Client]
) -> None:
    answer = browser_of(member, confirmed=False).get("/console/test/guarded/")
    assert answer.headers["Location"] == "/console/confirm/?next=%2Fconsole%2Ftest%2Fguarded%2F"
    assert browser_of(member).get("/console/test/guarded/").content == b"inside"


def test_pages_are_not_stored_by_caches_that_people_share(member: User, browser_of: Callable[..., Client]) -> None:
    cache = browser_of(member).get("/console/test/page/1/").headers["Cache-Control"]
    assert "private" in cache


@pytest.mark.parametrize(
    "candidate",
    ["", "https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "console/", "/" * 2000,
     "/ok\nSet-Cookie: a=b", "http:///evil.example", None],
)  # fmt: skip
def test_only_a_path_of_the_console_is_a_way_on(candidate: str | None) -> None:
    assert safe_path(candidate, "/fallback") == "/fallback"


@pytest.mark.parametrize("candidate", ["/", "/console/", "/console/groups/?q=a%20b&page=2#top"])
def test_a_path_of_the_console_is_a_way_on(candidate: str) -> None:
    assert safe_path(candidate, "/fallback") == candidate
