"""A form that was sent before its sender confirmed is carried out afterwards: once, and for its sender alone."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path, reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import SandboxSms, SmsMessage, User
from accounts.services import reauthentication
from accounts.tests import pins
from accounts.views import pending_forms
from accounts.views.decorators import (
    reauthentication_required,
    require_reauthentication,
    safe_path,
    signed_in,
    with_phone,
)
from kaizala_console.lib.tests.cast import BrowserOf, Travel

done: list[str] = []


@require_http_methods(["GET", "POST"])
@with_phone(button_label="Create")
def create(request: HttpRequest) -> HttpResponse:
    """A form that can be wrong."""
    if request.method == "POST" and request.POST.get("name"):
        require_reauthentication(request)
        done.append("&".join(f"{name}={request.POST.getlist(name)}" for name in sorted(request.POST)))
        return HttpResponse("done")
    return HttpResponse("name it", status=400 if request.method == "POST" else 200)


@require_POST
@reauthentication_required(button_label="Claim")
def claim(request: HttpRequest, thing: int) -> HttpResponse:
    """A button on another page."""
    done.append(f"claimed {thing}")
    return HttpResponse("done")


@require_POST
@reauthentication_required(button_label="Export", is_download=True)
def export(request: HttpRequest) -> HttpResponse:
    """A file."""
    done.append("exported")
    return HttpResponse("a,b")


@require_POST
@signed_in(button_label="Save")
def save(request: HttpRequest) -> HttpResponse:
    """Asks for no confirmation."""
    done.append(f"saved {request.POST['name']}")
    return HttpResponse("done")


@reauthentication_required(on_get=True)
def guarded(request: HttpRequest) -> HttpResponse:
    """Behind a confirmation as a whole."""
    return HttpResponse("inside")


urlpatterns = [
    path("console/test/create/", create),
    path("console/test/claim/<int:thing>/", claim),
    path("console/test/export/", export),
    path("console/test/save/", save),
    path("console/test/guarded/", guarded),
    path("", include("kaizala_console.urls")),
]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]
CREATE = "/console/test/create/"
TYPED = {"name": "Night shift & days", "scope": ["a", "b"], "secret": "hush-hush-hush"}
CREATED = "name=['Night shift & days']&scope=['a', 'b']&secret=['hush-hush-hush']"
HERE = {"Referer": "http://testserver/console/test/page/?q=1"}


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    done.clear()


@pytest.fixture
def browser(member: User, browser_of: BrowserOf) -> Client:
    """Signed in, not confirmed."""
    return browser_of(member, confirmed=False)


def sent() -> int:
    return SmsMessage.objects.count()


def confirm(browser: Client, address: str) -> HttpResponse:
    """Types the PIN on the page at `address`, and goes where the answer leads."""
    fields = hidden_fields(browser, address)
    return browser.post(address, {"pin": newest_pin(), **fields}, follow=True)  # type: ignore[return-value]


def hidden_fields(browser: Client, address: str) -> dict[str, str]:
    page = browser.get(address)
    pending = page.context["pending"]
    return {"pending_form": pending.id, "pending_page": page.context["back"]} if pending else {}


def test_a_form_is_carried_out_by_itself_after_the_pin_which_was_sent_by_itself(browser: Client) -> None:
    assert browser.post(CREATE, {"name": ""}).status_code == 400, "a wrong form shows its error and asks for nothing"
    address = browser.post(CREATE, TYPED)["Location"]
    assert (done, sent()) == ([], 0)
    stored = str(browser.session[pending_forms.SESSION_KEY])
    assert not [typed for typed in ("hush", "Night") if typed in stored], "nothing of it is readable in the session"
    answer = confirm(browser, address)
    assert (answer.content, answer.request["PATH_INFO"]) == (b"done", CREATE)  # type: ignore[attr-defined]
    assert (done, sent()) == ([CREATED], 1)


@pytest.mark.parametrize("key", [{}, {pending_forms.IDEMPOTENCY_KEY: "k" * 32}])
def test_a_pending_form_is_used_once_but_answered_again_when_it_has_an_idempotency_key(
    browser: Client, key: dict[str, str]
) -> None:
    address = browser.post(CREATE, {**TYPED, **key}, headers=HERE)["Location"]
    fields = hidden_fields(browser, address)
    browser.post(address, {"pin": newest_pin(), **fields}, follow=True)
    again = browser.post(CREATE, {"pin": "123456", **fields})
    if key:
        assert again.content == b"done"
    else:
        assert again["Location"] == browser.post(address, fields)["Location"] == "/console/test/page/?q=1"
        assert len(done) == 1


def test_opening_or_reloading_the_page_sends_no_second_pin_and_does_nothing(
    browser: Client, member: User, browser_of: BrowserOf, travel: Travel
) -> None:
    address = browser.post("/console/test/claim/7/")["Location"]
    assert [browser.get(address).status_code for _ in range(3)] == [200] * 3
    travel(minutes=5)
    browser.get(address)
    assert sent() == 1
    remember(browser, member)  # in another tab
    shown = browser.get(address).content.decode()
    assert done == []
    assert "Claim" in shown
    assert browser.post(address, hidden_fields(browser, address), follow=True).content == b"done"
    assert done == ["claimed 7"]


def test_a_pin_that_could_not_be_sent_is_said_so(
    member: User, browser_of: BrowserOf, settings: pytest.FixtureRequest
) -> None:
    settings.PIN_PER_ACCOUNT_PER_DAY = 0  # type: ignore[attr-defined]
    browser = browser_of(member, confirmed=False)
    shown = browser.get(browser.post(CREATE, TYPED)["Location"]).content.decode()
    assert "Too many PINs were asked for" in shown
    assert 'name="pin"' not in shown


def test_it_lasts_as_long_as_its_pin_and_a_new_pin_prolongs_it(
    browser: Client, member: User, browser_of: BrowserOf, travel: Travel
) -> None:
    address = browser.post(CREATE, TYPED)["Location"]
    browser.get(address)
    travel(minutes=9)
    browser.post(address, {"act": "send"})
    travel(minutes=9)
    confirm(browser, address)
    assert done == [CREATED]
    late = browser_of(member, confirmed=False)
    address = late.post(CREATE, TYPED, headers=HERE)["Location"]
    fields = hidden_fields(late, address)
    travel(minutes=11)
    late.post(address, {"act": "send"})
    assert late.post(address, {"pin": newest_pin(), **fields})["Location"] == "/console/test/page/?q=1"
    assert done == [CREATED]


def test_it_is_dropped_on_sign_out_and_belongs_to_its_account_session_and_path(
    member: User, developer: User, browser_of: BrowserOf
) -> None:
    browser, other = browser_of(member, confirmed=False), browser_of(member)
    fields = hidden_fields(browser, browser.post(CREATE, TYPED)["Location"])
    remember(browser, member)
    assert other.post(CREATE, fields).status_code == 302
    assert browser.post("/console/test/claim/7/", fields).status_code == 302
    kept = browser.session[pending_forms.SESSION_KEY]
    planted = browser_of(developer)
    session = planted.session
    session[pending_forms.SESSION_KEY] = kept
    session.save()
    assert planted.post(CREATE, fields).status_code == 302
    browser.post(reverse("account_logout"))
    browser.force_login(member)
    remember(browser, member)
    assert browser.post(CREATE, fields).status_code == 302
    assert done == []


def test_another_site_can_neither_plant_one_nor_carry_it_out(browser: Client, member: User) -> None:
    fields = hidden_fields(browser, browser.post(CREATE, TYPED)["Location"])
    remember(browser, member)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    before = len(browser.session[pending_forms.SESSION_KEY])
    elsewhere = {"Origin": "https://evil.example"}
    assert strict.post(CREATE, fields, headers=elsewhere).status_code == 403
    assert strict.post(CREATE, TYPED, headers=elsewhere).status_code == 403
    assert strict.get(CREATE, fields).status_code == 200
    assert len(browser.session[pending_forms.SESSION_KEY]) == before
    assert done == []


def test_a_file_and_a_download_lead_back_to_their_page(browser: Client) -> None:
    form = {"name": "x", "file": SimpleUploadedFile("a.txt", b"a")}
    address = browser.post(CREATE, form, headers=HERE)["Location"]
    assert parse_qs(urlsplit(address).query) == {"next": ["/console/test/page/?q=1"]}
    assert browser.session.get(pending_forms.SESSION_KEY) is None
    address = browser.post("/console/test/export/", headers=HERE)["Location"]
    fields = hidden_fields(browser, address)
    answer = browser.post(address, {"pin": newest_pin(), **fields})
    assert (answer["Location"], done) == ("/console/test/page/?q=1", [])
    assert browser.post("/console/test/export/").content == b"a,b"


def test_a_form_that_was_sent_signed_out_waits_for_its_button(client: Client) -> None:
    door = client.post("/console/test/save/", {"name": "x"})["Location"]
    assert door.startswith("/accounts/login/?next=")
    begin = client.post(reverse("dummy_login"), {"next": next_of(door), "process": "login"}, follow=True)
    landing = client.post(begin.request["PATH_INFO"] + "?" + begin.request["QUERY_STRING"], {"identity": "member"})[
        "Location"
    ]
    fields = hidden_fields(client, landing)
    assert done == []
    assert client.post(landing, fields, follow=True).content == b"done"
    assert done == ["saved x"]


def test_a_page_behind_a_confirmation_asks_before_it_shows_anything(browser: Client) -> None:
    address = browser.get("/console/test/guarded/").headers["Location"]
    assert address == "/console/confirm/?next=%2Fconsole%2Ftest%2Fguarded%2F"
    for link in (address, "/console/confirm/?pending=x"):
        assert 'value="send"' in browser.get(link).content.decode()
    assert sent() == 0, "a link from elsewhere sends no PIN"
    browser.post(address, {"act": "send"})
    assert confirm(browser, address).content == b"inside"


def test_a_fragment_asked_for_without_a_session_reloads_the_whole_page(client: Client) -> None:
    def next_at(url: str) -> str:
        answer = client.get("/console/test/create/", headers={"HX-Request": "true", "HX-Current-URL": url})
        assert answer.status_code == 204
        return next_of(answer.headers["HX-Redirect"])

    assert next_at("http://testserver/console/groups/?q=x") == "/console/groups/?q=x"
    assert next_at("https://evil.example/") == "/"


@pytest.mark.parametrize(
    "candidate",
    ["", "https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "console/", "/" * 2000,
     "/ok\nSet-Cookie: a=b", "http:///evil.example", None],
)  # fmt: skip
def test_only_a_path_of_the_console_is_a_way_on(candidate: str | None) -> None:
    assert safe_path(candidate, "/fallback") == "/fallback"


def newest_pin() -> str:
    pins.work()
    found = re.search(r"\b\d{6}\b", SandboxSms.objects.latest("id").text)
    assert found is not None
    return found.group()


def remember(browser: Client, user: User) -> None:
    session = browser.session
    reauthentication.remember_confirmation(session, user)
    session.save()


def next_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["next"][0]
