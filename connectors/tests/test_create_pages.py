""" "Add Connector": two screens that keep nothing between them, and the secret that is shown once."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit.events import EventType
from accounts.models import AuditEvent, User
from accounts.services import reauthentication
from accounts.tests import factories as accounts_factories
from connectors import token_format
from connectors.models import Connector, ConnectorSecret, OneTimeSecret
from connectors.tests.html_forms import HtmlForm, Page, form_to, text_of
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
FIRST = "/console/connectors/add/"
SECOND = "/console/connectors/add/permissions/"
SECRET = re.compile(r"kzcs_[0-9A-Za-z]{65}")
DETAILS = {
    "name": "Shift Planner",
    "description": "Posts shifts.\r\nEvery morning.",
    "home_page": "https://shifts.example",
    "redirect_urls": "https://shifts.example/a\r\nhttps://shifts.example/b",
}
PERMITTED = ["textmessage", "media"]


def second_screen(client: Client, **changes: str) -> Page:
    """The page after "Continue"."""
    return form_to(client.get(FIRST), FIRST).send(client, {**DETAILS, **changes})


def second_form(client: Client, **changes: str) -> HtmlForm:
    return form_to(second_screen(client, **changes), SECOND)


def created_by(client: Client, **changes: str) -> Page:
    """The page after "Create Connector"."""
    return second_form(client, **changes).send(client, {"permissions": PERMITTED})


def secret_on(page: Page) -> str:
    found = SECRET.findall(page.content.decode())
    assert found, text_of(page)
    return str(found[0])


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


def test_two_screens_make_a_connector_and_show_its_id_and_secret_once(client: Client, developer: User) -> None:
    page = created_by(client)
    connector = Connector.objects.get()
    assert (connector.name, connector.owner) == ("Shift Planner", developer)
    assert connector.description == "Posts shifts.\nEvery morning."
    assert connector.redirect_urls == ["https://shifts.example/a", "https://shifts.example/b"]
    assert {str(permission) for permission in connector.permissions} == set(PERMITTED)
    assert str(connector.pk) in page.content.decode()
    parsed = token_format.parse(token_format.CredentialKind.SECRET, secret_on(page))
    stored = connector.secrets.get()
    assert parsed is not None
    assert parsed.matches(stored.pepper_id, stored.digest)


def test_nothing_is_stored_before_the_last_button_is_pressed(client: Client) -> None:
    before = client.session.items()
    second_screen(client)
    assert not Connector.objects.exists()
    assert client.session.items() == before


def test_back_keeps_everything_that_was_typed_and_ticked(client: Client) -> None:
    second = second_form(client, end_date="2040-02-03")
    first = form_to(second.send(client, {"permissions": PERMITTED, "back": "1"}, to=FIRST), FIRST)
    typed = {**DETAILS, "end_date": "2040-02-03"}
    assert {name: first.fields[name][0] for name in typed} == typed
    again = form_to(first.send(client), SECOND)
    assert again.fields["permissions"] == PERMITTED
    for name in ("idempotency_key", "end_date"):
        assert again.fields[name] == second.fields[name]


def test_back_asks_nothing_about_what_was_typed(client: Client) -> None:
    page = second_form(client).send(client, {"name": "", "back": "1"}, to=FIRST)
    assert "Something needs your attention" not in text_of(page)


def test_the_second_screen_opened_without_the_first_leads_there(client: Client) -> None:
    assert client.get(SECOND)["Location"] == FIRST
    assert form_to(client.post(SECOND, {"permissions": PERMITTED}), FIRST)
    assert not Connector.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " \t\r\n "),
        ("home_page", "javascript:alert(1)"),
        ("redirect_urls", "https://shifts.example/a#top"),
        ("end_date", "2020-01-01"),
        ("end_date", "2030-13-01\0"),
    ],
)
def test_the_first_screen_names_what_is_wrong_and_keeps_the_rest(client: Client, field: str, value: str) -> None:
    page = second_screen(client, **{field: value})
    assert f"id_{field}_error" in page.content.decode()
    form = form_to(page, FIRST)
    assert all(form.fields[name][0] == typed for name, typed in DETAILS.items() if name != field)
    assert not Connector.objects.exists()


def test_a_name_that_the_owner_has_given_before_is_refused_on_the_first_screen(client: Client) -> None:
    created_by(client)
    page = second_screen(client, name="  shift   planner ")
    assert "You already have a connector named" in text_of(page)
    assert form_to(page, FIRST)


def test_a_name_taken_while_permissions_were_chosen_leads_back_to_the_first_screen(client: Client) -> None:
    slow = second_form(client)
    created_by(client)
    page = slow.send(client, {"permissions": PERMITTED})
    assert "You already have a connector named" in text_of(page)
    assert form_to(page, FIRST).fields["permissions"] == PERMITTED
    assert Connector.objects.count() == 1


@pytest.mark.parametrize(("chosen", "says"), [([], "Choose at least one permission"), (["root"], "not a permission")])
def test_no_permission_and_an_unknown_one_are_refused_before_a_pin_is_asked_for(
    developer: User, browser_of: Browser, chosen: list[str], says: str
) -> None:
    client = browser_of(developer, confirmed=False)
    page = second_form(client).send(client, {"permissions": chosen})
    assert says in text_of(page)
    assert form_to(page, SECOND).fields["name"] == [DETAILS["name"]]
    assert not Connector.objects.exists()


@pytest.mark.parametrize(("field", "value"), [("home_page", "javascript:alert(1)"), ("end_date", "2020-01-01")])
def test_hidden_fields_that_were_tampered_with_are_checked_again(client: Client, field: str, value: str) -> None:
    page = second_form(client).send(client, {"permissions": PERMITTED, field: value})
    assert f"id_{field}_error" in page.content.decode()
    assert form_to(page, FIRST).fields["permissions"] == PERMITTED
    assert not Connector.objects.exists()


def test_markup_in_a_name_is_text(client: Client) -> None:
    page = created_by(client, name='<b>"bold"</b>').content.decode()
    assert '<b>"bold"' not in page
    assert "&lt;b&gt;&quot;bold&quot;&lt;/b&gt;" in page


def test_the_first_secret_may_have_an_end_date_which_is_shown(client: Client) -> None:
    chosen = timezone.localdate(clock.now()) + dt.timedelta(days=20)
    page = created_by(client, end_date=chosen.isoformat())
    assert "The secret ends in 2" in text_of(page)
    secret = ConnectorSecret.objects.get()
    assert secret.expires_at == dt.datetime.combine(chosen + dt.timedelta(days=1), dt.time.min, dt.UTC)
    for tab in ("", "credentials/"):
        assert "Ends in 2" in text_of(client.get(f"/console/connectors/{secret.connector_id}/{tab}"))
    assert secret.expires_at.isoformat() in str(AuditEvent.objects.get(tag=EventType.SECRET_CREATED).after)


def test_every_answer_that_shows_a_secret_forbids_storing_it(client: Client) -> None:
    second = second_form(client)
    page, again = (second.send(client, {"permissions": PERMITTED}) for _ in range(2))
    connector = Connector.objects.get()
    unticked = form_to(page, f"/console/connectors/{connector.pk}/secret/done/").send(client)
    for response in (page, again, unticked):
        assert SECRET.search(response.content.decode())
        assert "no-store" in response["Cache-Control"]
    assert OneTimeSecret.objects.exists()


def test_a_double_click_on_create_makes_one_connector_and_shows_the_same_secret(client: Client) -> None:
    second = second_form(client)
    pages = [second.send(client, {"permissions": PERMITTED}) for _ in range(2)]
    assert secret_on(pages[0]) == secret_on(pages[1])
    assert Connector.objects.count() == 1
    assert AuditEvent.objects.filter(tag="connector:account:created").count() == 1


def test_a_reload_shows_the_secret_again_even_when_the_confirmation_has_aged(
    client: Client, travel: Callable[..., Any], settings: Any
) -> None:
    settings.SHOWN_SECRET_SECONDS = settings.STEP_UP_SECONDS + 120
    second = second_form(client)
    shown = secret_on(second.send(client, {"permissions": PERMITTED}))
    travel(seconds=settings.STEP_UP_SECONDS + 60)
    assert secret_on(second.send(client, {"permissions": PERMITTED})) == shown


def test_creating_asks_for_a_confirmation_and_is_then_done_by_itself(developer: User, browser_of: Browser) -> None:
    client = browser_of(developer, confirmed=False)
    second = second_form(client)
    confirm = second.send(client, {"permissions": PERMITTED})["Location"]
    assert confirm.startswith(reverse("accounts:confirm"))
    assert not Connector.objects.exists()
    assert second.fields["idempotency_key"][0] not in json.dumps(dict(client.session))
    form = {"pending_form": client.get(confirm).context["pending"].id}
    session = client.session
    reauthentication.remember_confirmation(session, developer)
    session.save()
    shown = secret_on(client.post(confirm, form, follow=True))
    assert secret_on(client.post(SECOND, form)) == shown, "the answer may have been lost"
    assert Connector.objects.count() == 1


def test_without_a_verified_phone_one_adds_it_first(developer: User, browser_of: Browser) -> None:
    newcomer = accounts_factories.make_user("Nadia Haddad", developer.organisation, number=None)
    client = browser_of(newcomer, confirmed=False)
    for answer in (client.get(FIRST), client.post(SECOND, DETAILS)):
        assert answer["Location"].startswith(reverse("home"))


def test_a_form_from_elsewhere_creates_nothing(developer: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(developer)
    assert client.post(SECOND, {**DETAILS, "permissions": PERMITTED}).status_code == 403
    assert not Connector.objects.exists()
