""" "Add Connector": two screens that keep nothing between them, and the secret that is shown once."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.audit.events import EventType
from accounts.models import AuditEvent, Session, User
from connectors import token_format
from connectors.models import Connector, ConnectorSecret, OneTimeSecret
from connectors.tests.add_connector import (
    DETAILS,
    FIRST,
    PERMITTED,
    SECOND,
    SECRET,
    created_by,
    second_screen,
    secret_on,
)
from connectors.tests.html_forms import form_to, forms_of, text_of
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db

Browser = Callable[..., Client]


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


# The way through ---------------------------------------------------------------------------------------------------


def test_two_screens_make_a_connector_and_show_its_id_and_secret_once(client: Client, developer: User) -> None:
    page = created_by(client)
    connector = Connector.objects.get()
    assert page.status_code == 200
    assert (connector.name, connector.owner, connector.organisation) == (
        "Shift Planner",
        developer,
        developer.organisation,
    )
    assert connector.description == "Posts shifts.\nEvery morning."
    assert connector.redirect_urls == ["https://shifts.example/a", "https://shifts.example/b"]
    assert {str(permission) for permission in connector.permissions} == set(PERMITTED)
    assert str(connector.pk) in page.content.decode()
    parsed = token_format.parse(token_format.CredentialKind.SECRET, secret_on(page))
    stored = connector.secrets.get()
    assert parsed is not None
    assert parsed.matches(stored.pepper_id, stored.digest)
    assert "You will not see this again." in text_of(page)


def test_nothing_is_stored_before_the_last_button_is_pressed(client: Client) -> None:
    before = client.session.items()
    second_screen(client)
    assert not Connector.objects.exists()
    assert client.session.items() == before


def test_back_keeps_everything_that_was_typed_and_ticked(client: Client) -> None:
    second = form_to(second_screen(client), SECOND)
    first = form_to(second.send(client, {"permissions": PERMITTED, "back": "1"}, to=FIRST), FIRST)
    assert {name: first.fields[name][0] for name in DETAILS} == DETAILS
    again = form_to(first.send(client), SECOND)
    assert again.fields["permissions"] == PERMITTED
    assert again.fields["idempotency_key"] == second.fields["idempotency_key"]


def test_the_second_screen_opened_without_the_first_leads_there(client: Client) -> None:
    assert client.get(SECOND)["Location"] == FIRST
    assert "Give the connector a name." in text_of(client.post(SECOND, {"permissions": PERMITTED}))
    assert not Connector.objects.exists()


# What bad input gets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "", "Give the connector a name."),
        ("name", " \t\r\n ", "Give the connector a name."),
        ("name", "n" * 81, "characters, at most 80."),
        ("description", "d" * 501, "characters, at most 500."),
        ("home_page", "shifts", "must be a web address"),
        ("home_page", "javascript:alert(1)", "must be a web address"),
        ("redirect_urls", "http://shifts.example/a", "can’t be a redirect URL. Enter a full https address without #."),
        (
            "redirect_urls",
            "https://shifts.example/a#top",
            "can’t be a redirect URL. Enter a full https address without #.",
        ),
        ("redirect_urls", "\n".join(f"https://shifts.example/{n}" for n in range(11)), "at most 10"),
    ],
)
def test_the_first_screen_says_what_is_wrong_and_keeps_the_rest(
    client: Client, field: str, value: str, says: str
) -> None:
    page = second_screen(client, **{field: value})
    assert says in text_of(page)
    form = form_to(page, FIRST)
    assert all(form.fields[name][0] == typed for name, typed in DETAILS.items() if name != field)
    assert not Connector.objects.exists()


@pytest.mark.parametrize("name", ["Shift Planner", "shift planner", "  Shift   Planner "])
def test_a_name_that_the_owner_has_given_before_is_refused_on_the_first_screen(client: Client, name: str) -> None:
    created_by(client)
    page = second_screen(client, name=name)
    assert "You already have a connector named" in text_of(page)
    assert form_to(page, FIRST)


def test_a_name_taken_while_permissions_were_chosen_leads_back_to_the_first_screen(client: Client) -> None:
    slow = form_to(second_screen(client), SECOND)
    created_by(client)
    page = slow.send(client, {"permissions": PERMITTED})
    assert "You already have a connector named" in text_of(page)
    assert form_to(page, FIRST).fields["permissions"] == PERMITTED
    assert Connector.objects.count() == 1


def test_two_people_may_use_one_name(client: Client, stranger: User, browser_of: Browser) -> None:
    created_by(client)
    created_by(browser_of(stranger))
    assert Connector.objects.filter(name="Shift Planner").count() == 2


@pytest.mark.parametrize(("chosen", "says"), [([], "Choose at least one permission"), (["root"], "not a permission")])
def test_no_permission_and_an_unknown_one_are_refused(client: Client, chosen: list[str], says: str) -> None:
    second = form_to(second_screen(client), SECOND)
    page = second.send(client, {"permissions": chosen})
    assert says in text_of(page)
    assert form_to(page, SECOND).fields["name"] == [DETAILS["name"]]
    assert not Connector.objects.exists()


def test_hidden_fields_that_were_tampered_with_are_checked_again(client: Client) -> None:
    second = form_to(second_screen(client), SECOND)
    page = second.send(client, {"permissions": PERMITTED, "home_page": "javascript:alert(1)"})
    assert "must be a web address" in text_of(page)
    assert not Connector.objects.exists()


def test_markup_in_a_name_is_text(client: Client) -> None:
    page = created_by(client, name='<b>"bold"</b>')
    assert '<b>"bold"' not in page.content.decode()
    assert "“&lt;b&gt;&quot;bold&quot;&lt;/b&gt;” created" in page.content.decode()


# The end date of the first secret -------------------------------------------------------------------------------------


def test_the_first_secret_may_have_an_end_date_which_is_shown(client: Client) -> None:
    chosen = timezone.localdate(clock.now()) + dt.timedelta(days=20)
    page = created_by(client, end_date=chosen.isoformat())
    assert "The secret ends in 2" in text_of(page)
    secret = ConnectorSecret.objects.get()
    assert secret.expires_at == dt.datetime.combine(chosen + dt.timedelta(days=1), dt.time.min, dt.UTC)
    assert "Next secret to end Ends in 2" in text_of(client.get(f"/console/connectors/{secret.connector_id}/"))
    assert "Ends in 2" in text_of(client.get(f"/console/connectors/{secret.connector_id}/credentials/"))
    assert secret.expires_at.isoformat() in str(AuditEvent.objects.get(tag=EventType.SECRET_CREATED).after)


def test_the_end_date_goes_back_and_forth_between_the_screens(client: Client) -> None:
    second = form_to(second_screen(client, end_date="2040-02-03"), SECOND)
    assert second.fields["end_date"] == ["2040-02-03"]
    first = form_to(second.send(client, {"permissions": PERMITTED, "back": "1"}, to=FIRST), FIRST)
    assert first.fields["end_date"] == ["2040-02-03"]
    assert form_to(first.send(client), SECOND).fields["end_date"] == ["2040-02-03"]


@pytest.mark.parametrize("chosen", ["2020-01-01", "tomorrow", "9999-12-31", "2030-13-01\0"])
def test_an_end_date_that_cannot_be_is_refused_on_the_first_screen(client: Client, chosen: str) -> None:
    page = second_screen(client, end_date=chosen)
    assert b"id_end_date_error" in page.content
    assert form_to(page, FIRST).fields["end_date"] == [chosen]
    assert not Connector.objects.exists()


def test_an_end_date_tampered_with_on_the_second_screen_leads_back_to_the_first(client: Client) -> None:
    second = form_to(second_screen(client), SECOND)
    page = second.send(client, {"permissions": PERMITTED, "end_date": "2020-01-01"})
    assert b"id_end_date_error" in page.content
    assert form_to(page, FIRST).fields["permissions"] == PERMITTED
    assert not Connector.objects.exists()


# The secret stays where it is shown ----------------------------------------------------------------------------------


def test_the_secret_is_in_no_address_session_log_or_column(
    client: Client, caplog: pytest.LogCaptureFixture, everything: Callable[[], dict[str, list[Any]]]
) -> None:
    caplog.set_level(logging.DEBUG)
    page = created_by(client)
    secret = secret_on(page)
    idempotency_key = next(
        form.fields["idempotency_key"][0] for form in forms_of(page) if "idempotency_key" in form.fields
    )
    for told in (secret, idempotency_key):
        assert told not in page.headers.get("Location", "")
        assert told not in page.wsgi_request.get_full_path()
        assert told not in caplog.text
        assert told not in str(dict(client.session))
        assert told not in str([session.get_decoded() for session in Session.objects.all()])
        assert told not in str(everything())
        assert told not in str(list(AuditEvent.objects.values()))
    assert "no-store" in page["Cache-Control"]


def test_every_answer_that_shows_a_secret_forbids_storing_it(client: Client) -> None:
    second = form_to(second_screen(client), SECOND)
    page = second.send(client, {"permissions": PERMITTED})
    again = second.send(client, {"permissions": PERMITTED})
    connector = Connector.objects.get()
    unticked = form_to(page, f"/console/connectors/{connector.pk}/secret/done/").send(client)
    for response in (page, again, unticked):
        assert SECRET.search(response.content.decode())
        assert "no-store" in response["Cache-Control"]
    assert OneTimeSecret.objects.exists()


def test_back_asks_nothing_about_what_was_typed(client: Client) -> None:
    second = form_to(second_screen(client), SECOND)
    page = second.send(client, {"name": "", "back": "1"}, to=FIRST)
    assert "Something needs your attention" not in text_of(page)
