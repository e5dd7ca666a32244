""" "Show it to me once": the old portal's way to a refresh token; on one page, for one person, for some minutes."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Organisation, Session, User
from connectors.models import Connector, Handoff, OneTimeSecret
from connectors.services import grants as connector_grants
from connectors.services import handoffs, refresh_tokens
from connectors.services.grants import Granted
from connectors.tests.html_forms import form_to, forms_of, text_of
from groups.models import Group
from groups.services import connectors
from groups.tests.pages import KEY, everything, step_up_is_asked

pytestmark = pytest.mark.django_db

TOKEN = re.compile(r"kzrt_[0-9A-Za-z]{65}")

Browser = Callable[..., Client]


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


@pytest.fixture
def granted(group: Group, connector: Connector, group_admin: User) -> Granted:
    """The connector in the group, its token sealed and waiting."""
    return connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin)


@pytest.fixture
def url(group: Group, granted: Granted) -> str:
    return reverse("groups:grant", args=[group.pk, granted.grant.pk])


def press_show(client: Client, url: str) -> Any:
    return form_to(client.get(url), f"{url}show/").send(client)


def token_on(page: HttpResponse) -> str:
    found = TOKEN.findall(page.content.decode())
    assert found, text_of(page)
    return str(found[0])


def test_the_token_is_shown_once_and_can_still_be_claimed(
    client: Client, granted: Granted, url: str, developer: User
) -> None:
    page = press_show(client, url)
    assert token_on(page) == refresh_tokens.unseal(granted.handoff)
    assert "You will not see this again." in text_of(page)
    assert "no-store" in page["Cache-Control"]
    assert AuditEvent.objects.get(tag="handoff:token:revealed").group_id is not None
    again = client.get(url)
    assert "Arjun Mehta viewed the token once." in text_of(again)
    assert f"{url}show/" not in again.content.decode()
    assert handoffs.claim(handoff=granted.handoff, by=developer, idempotency_key=KEY, address=None) == token_on(page)


def test_a_double_click_or_a_reload_shows_the_same_token(client: Client, granted: Granted, url: str) -> None:
    form = form_to(client.get(url), f"{url}show/")
    pages = [form.send(client) for _ in range(3)]
    assert {token_on(page) for page in pages} == {refresh_tokens.unseal(granted.handoff)}
    assert all("no-store" in page["Cache-Control"] for page in pages)
    assert AuditEvent.objects.filter(tag="handoff:token:revealed").count() == 1


def test_another_form_shows_it_no_second_time(client: Client, granted: Granted, url: str) -> None:
    first, second = (form_to(client.get(url), f"{url}show/") for _ in range(2))
    first.send(client)
    page = second.send(client)
    assert page.status_code == 409
    assert "It is shown once." in text_of(page)
    assert not TOKEN.search(page.content.decode())


@pytest.mark.parametrize("idempotency_key", ["", "short", "é" * 40, "k" * 4000])
def test_a_wrong_form_key_shows_nothing(client: Client, granted: Granted, url: str, idempotency_key: str) -> None:
    page = client.post(f"{url}show/", {"idempotency_key": idempotency_key})
    assert page.status_code == 409
    assert not TOKEN.search(page.content.decode())
    assert Handoff.objects.get().revealed_at is None


def test_a_get_shows_nothing_and_leads_to_the_button(client: Client, granted: Granted, url: str) -> None:
    assert client.get(f"{url}show/")["Location"] == url
    for button in ("show/download/", "show/done/"):
        assert client.get(f"{url}{button}").status_code == 405
    assert Handoff.objects.get().revealed_at is None


def test_another_admin_is_told_whose_token_it_is(
    granted: Granted, url: str, organisation_admin: User, browser_of: Browser
) -> None:
    client = browser_of(organisation_admin)
    page = client.get(url)
    assert f"{url}show/" not in page.content.decode()
    answer = client.post(f"{url}show/", {"idempotency_key": KEY})
    assert answer.status_code == 403
    assert "Only Arjun Mehta, who added the connector, can view this token." in text_of(answer)
    assert not TOKEN.search(answer.content.decode())


def test_with_the_form_key_of_the_first_admin_another_sees_nothing(
    client: Client, granted: Granted, url: str, organisation_admin: User, browser_of: Browser
) -> None:
    form = form_to(client.get(url), f"{url}show/")
    form.send(client)
    other = browser_of(organisation_admin)
    for button in ("show/", "show/download/", "show/done/"):
        answer = form.send(other, {"kind": "env", "stored": "1"}, to=f"{url}{button}")
        assert not TOKEN.search(answer.content.decode())
    assert OneTimeSecret.objects.count() == 1


def test_done_wipes_it_and_a_second_click_leads_to_the_same_page(client: Client, granted: Granted, url: str) -> None:
    done = form_to(press_show(client, url), f"{url}show/done/")
    answers = [done.send(client, {"stored": "1"}) for _ in range(2)]
    assert [answer["Location"] for answer in answers] == [url, url]
    assert not OneTimeSecret.objects.exists()
    page = client.get(url)
    assert "The refresh token is not shown again. The developer can still claim it." in text_of(page)
    assert page.content.decode().count('class="message ') == 1


def test_done_without_the_tick_asks_for_it_and_loses_nothing(client: Client, granted: Granted, url: str) -> None:
    page = form_to(press_show(client, url), f"{url}show/done/").send(client)
    assert "Store it first, then select “I have stored it”." in text_of(page)
    assert token_on(page) == refresh_tokens.unseal(granted.handoff)
    assert "no-store" in page["Cache-Control"]


def test_the_file_says_the_same_and_is_stored_by_no_cache(client: Client, granted: Granted, url: str) -> None:
    page = press_show(client, url)
    form = form_to(page, f"{url}show/download/")
    env, json = (form.send(client, {"kind": kind}) for kind in ("env", "json"))
    for file in (env, json):
        assert token_on(page) in file.content.decode()
        assert "no-store" in file["Cache-Control"]
        assert "attachment" in file["Content-Disposition"]


def test_after_ten_minutes_or_a_new_token_it_is_not_shown_again(
    client: Client, granted: Granted, url: str, group_admin: User, travel: Callable[..., Any]
) -> None:
    form = form_to(client.get(url), f"{url}show/")
    form.send(client)
    travel(seconds=settings.SHOWN_SECRET_SECONDS + 1)
    page = form.send(client)
    assert not TOKEN.search(page.content.decode())
    connector_grants.regenerate(grant=granted.grant, by=group_admin)
    assert not TOKEN.search(form.send(client, {"kind": "env"}, to=f"{url}show/download/").content.decode())


def test_it_asks_whether_it_is_you_and_keeps_nothing_secret(
    granted: Granted, url: str, group_admin: User, browser_of: Browser
) -> None:
    client = browser_of(group_admin, confirmed=False)
    form = form_to(client.get(url), f"{url}show/")
    answer = form.send(client)
    assert step_up_is_asked(answer)
    assert form.fields["idempotency_key"][0] not in str(dict(client.session))
    assert form.fields["idempotency_key"][0] not in answer["Location"]
    assert Handoff.objects.get().revealed_at is None


def test_the_token_is_in_no_address_session_log_or_column(
    client: Client, granted: Granted, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    page = press_show(client, url)
    idempotency_key = next(
        form.fields["idempotency_key"][0] for form in forms_of(page) if "idempotency_key" in form.fields
    )
    for secret in (token_on(page), idempotency_key):
        assert secret not in page.wsgi_request.get_full_path()
        assert secret not in caplog.text
        assert secret not in str(dict(client.session))
        assert secret not in str([session.get_decoded() for session in Session.objects.all()])
        assert secret not in str(everything())


def test_a_token_that_the_developer_has_opened_meanwhile_is_not_shown(
    client: Client, granted: Granted, url: str, developer: User
) -> None:
    form = form_to(client.get(url), f"{url}show/")
    handoffs.claim(handoff=granted.handoff, by=developer, idempotency_key="d" * 32, address=None)
    page = form.send(client)
    assert page.status_code == 409
    assert "Devika Rao already claimed this handoff on" in text_of(page)
    assert not TOKEN.search(page.content.decode())


def test_an_organisation_that_forbids_it_shows_no_token(
    client: Client, group: Group, granted: Granted, url: str
) -> None:
    Organisation.objects.update(admins_may_see_tokens=False)
    page = client.get(url)
    assert "Your organisation does not show refresh tokens to admins." in text_of(page)
    assert f"{url}show/" not in page.content.decode()
    answer = client.post(f"{url}show/", {"idempotency_key": KEY})
    assert not TOKEN.search(answer.content.decode())
    assert "Your organisation does not show" in text_of(answer)
    assert Handoff.objects.get().revealed_at is None
