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
from connectors.models import Connector, ConnectorSecret
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


def test_two_screens_make_a_connector_and_show_its_id_and_secret(owner: Client, developer: User) -> None:
    session = owner.session.items()
    second = second_form(owner)
    assert owner.session.items() == session
    assert not Connector.objects.exists()
    page = second.send(owner, {"permissions": PERMITTED})
    connector = Connector.objects.get()
    assert (connector.name, connector.owner) == ("Shift Planner", developer)
    assert connector.organisation == developer.organisation
    assert connector.description == "Posts shifts.\nEvery morning."
    assert connector.redirect_urls == ["https://shifts.example/a", "https://shifts.example/b"]
    assert {str(permission) for permission in connector.permissions} == set(PERMITTED)
    assert str(connector.pk) in page.content.decode()
    parsed = token_format.parse(token_format.CredentialKind.SECRET, secret_on(page))
    stored = connector.secrets.get()
    assert parsed is not None
    assert parsed.matches(stored.pepper_id, stored.digest)
    events = AuditEvent.objects.filter(connector_id=connector.pk).order_by("id")
    assert [event.tag for event in events] == ["connector:account:created", "connector:secret:created"]
    assert events[0].after["permissions"] == PERMITTED
    assert secret_on(page)[21:] not in str(list(events.values()))


def test_back_keeps_everything_that_was_typed_and_ticked(owner: Client) -> None:
    second = second_form(owner, end_date="2040-02-03")
    first = form_to(second.send(owner, {"permissions": PERMITTED, "back": "1"}, to=FIRST), FIRST)
    typed = {**DETAILS, "end_date": "2040-02-03"}
    assert {name: first.fields[name][0] for name in typed} == typed
    again = form_to(first.send(owner), SECOND)
    assert again.fields["permissions"] == PERMITTED
    for name in ("idempotency_key", "end_date"):
        assert again.fields[name] == second.fields[name]


def test_the_second_screen_opened_without_the_first_leads_there(owner: Client) -> None:
    assert owner.get(SECOND)["Location"] == FIRST
    assert form_to(owner.post(SECOND, {"permissions": PERMITTED}), FIRST)
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
def test_the_first_screen_names_what_is_wrong_and_keeps_the_rest(owner: Client, field: str, value: str) -> None:
    page = second_screen(owner, **{field: value})
    assert f"id_{field}_error" in page.content.decode()
    form = form_to(page, FIRST)
    assert all(form.fields[name][0] == typed for name, typed in DETAILS.items() if name != field)
    assert not Connector.objects.exists()


def test_a_name_that_the_owner_has_given_before_is_refused_on_the_first_screen_even_when_it_was_taken_since(
    owner: Client,
) -> None:
    slow = second_form(owner)
    created_by(owner)
    for page in (second_screen(owner, name="  shift   planner "), slow.send(owner, {"permissions": PERMITTED})):
        assert "You already have a connector named" in text_of(page)
        kept = form_to(page, FIRST)
    assert kept.fields["permissions"] == PERMITTED
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
def test_hidden_fields_that_were_tampered_with_are_checked_again(owner: Client, field: str, value: str) -> None:
    page = second_form(owner).send(owner, {"permissions": PERMITTED, field: value})
    assert f"id_{field}_error" in page.content.decode()
    assert form_to(page, FIRST).fields["permissions"] == PERMITTED
    assert not Connector.objects.exists()


def test_the_first_secret_may_have_an_end_date_which_is_shown(owner: Client) -> None:
    chosen = timezone.localdate(clock.now()) + dt.timedelta(days=20)
    page = created_by(owner, end_date=chosen.isoformat())
    assert "The secret ends in 2" in text_of(page)
    secret = ConnectorSecret.objects.get()
    assert secret.expires_at == dt.datetime.combine(chosen + dt.timedelta(days=1), dt.time.min, dt.UTC)
    for tab in ("", "credentials/"):
        assert "Ends in 2" in text_of(owner.get(f"/console/connectors/{secret.connector_id}/{tab}"))
    assert secret.expires_at.isoformat() in str(AuditEvent.objects.get(tag=EventType.SECRET_CREATED).after)


def test_a_double_click_on_create_makes_one_connector_and_shows_the_same_secret_until_it_is_stored(
    owner: Client,
) -> None:
    second = second_form(owner)
    pages = [second.send(owner, {"permissions": PERMITTED}) for _ in range(2)]
    done = form_to(pages[0], f"/console/connectors/{Connector.objects.get().pk}/secret/done/")
    pages.append(done.send(owner))  # without the tick
    for page in pages:
        assert secret_on(page) == secret_on(pages[0])
        assert "no-store" in page["Cache-Control"]
    done.send(owner, {"stored": "1"})
    late = second.send(owner, {"permissions": PERMITTED})
    assert not SECRET.search(late.content.decode())
    assert Connector.objects.count() == ConnectorSecret.objects.count() == 1
    assert AuditEvent.objects.filter(tag="connector:account:created").count() == 1


def test_a_reload_shows_the_secret_again_even_when_the_confirmation_has_aged(
    owner: Client, travel: Callable[..., Any], settings: Any
) -> None:
    settings.SHOWN_SECRET_SECONDS = settings.STEP_UP_SECONDS + 120
    second = second_form(owner)
    shown = secret_on(second.send(owner, {"permissions": PERMITTED}))
    travel(seconds=settings.STEP_UP_SECONDS + 60)
    assert secret_on(second.send(owner, {"permissions": PERMITTED})) == shown


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
