""" "Show it to me once", for one person and some minutes; and tokens that an admin must not see."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Session, User
from connectors.models import Connector, Handoff, OneTimeSecret
from connectors.services import handoffs, refresh_tokens
from connectors.services.grants import Granted
from connectors.tests import factories
from connectors.tests.html_forms import form_to, forms_of, text_of
from connectors.tests.keys import Pair, registered, x25519
from groups.models import Group
from groups.services import connectors
from groups.tests.conftest import Browser
from groups.tests.pages import KEY, everything, step_up_is_asked

pytestmark = pytest.mark.django_db


# The dot ends the head of what is sealed: without it, each CSRF token that happens to have "eyJ" in it would be one.
TOKEN = re.compile(r"kzrt_[0-9A-Za-z]{65}|eyJ[0-9A-Za-z_-]{40,}\.")


def press_show(client: Client, url: str) -> Any:
    return form_to(client.get(url), f"{url}show/").send(client)


@pytest.fixture
def url(group: Group, granted: Granted) -> str:
    return reverse("groups:grant", args=[group.pk, granted.grant.pk])


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


def test_a_double_click_or_a_reload_shows_the_same_token_and_another_form_none(
    client: Client, granted: Granted, url: str
) -> None:
    form, second = (form_to(client.get(url), f"{url}show/") for _ in range(2))
    pages = [form.send(client) for _ in range(3)]
    assert {token_on(page) for page in pages} == {refresh_tokens.unseal(granted.handoff)}
    assert all("no-store" in page["Cache-Control"] for page in pages)
    assert AuditEvent.objects.filter(tag="handoff:token:revealed").count() == 1
    refused = second.send(client)
    assert refused.status_code == 409
    assert not TOKEN.search(refused.content.decode())


def test_neither_a_get_nor_a_wrong_form_key_shows_anything(client: Client, granted: Granted, url: str) -> None:
    assert client.get(f"{url}show/")["Location"] == url
    for button in ("show/download/", "show/done/"):
        assert client.get(f"{url}{button}").status_code == 405
    for idempotency_key in ("", "é" * 40, "k" * 4000):
        page = client.post(f"{url}show/", {"idempotency_key": idempotency_key})
        assert page.status_code == 409
        assert not TOKEN.search(page.content.decode())
    assert Handoff.objects.get().revealed_at is None


def test_another_admin_sees_nothing_even_with_the_form_key_of_the_first(
    client: Client, granted: Granted, url: str, organisation_admin: User, browser_of: Browser
) -> None:
    form, other = form_to(client.get(url), f"{url}show/"), browser_of(organisation_admin)
    assert f"{url}show/" not in other.get(url).content.decode()
    answer = other.post(f"{url}show/", {"idempotency_key": KEY})
    assert answer.status_code == 403
    assert "Only Arjun Mehta, who added the connector, can view this token." in text_of(answer)
    assert not TOKEN.search(answer.content.decode())
    form.send(client)
    for button in ("show/", "show/download/", "show/done/"):
        answer = form.send(other, {"kind": "env", "stored": "1"}, to=f"{url}{button}")
        assert not TOKEN.search(answer.content.decode())
    assert OneTimeSecret.objects.count() == 1


def test_the_file_says_the_same_and_done_wipes_it_and_leads_back(client: Client, granted: Granted, url: str) -> None:
    page = press_show(client, url)
    file = form_to(page, f"{url}show/download/").send(client, {"kind": "env"})
    assert token_on(page) in file.content.decode()
    assert "no-store" in file["Cache-Control"]
    done = form_to(page, f"{url}show/done/")
    answers = [done.send(client, {"stored": "1"}) for _click in range(2)]
    assert [answer["Location"] for answer in answers] == [url, url]
    assert not OneTimeSecret.objects.exists()


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


@pytest.fixture
def pair() -> Pair:
    return x25519()


def add(group: Group, connector: Connector, by: User) -> tuple[Granted, str]:
    granted = connectors.add_connector(group=group, connector_id=connector.pk, by=by)
    return granted, reverse("groups:grant", args=[group.pk, granted.grant.pk])


def forbid(organisation_admin: User, browser_of: Browser) -> None:
    """The organisation's admin clears the box in Settings."""
    browser_of(organisation_admin).post(reverse("accounts:organisation_policy"), {"form": "policy"})
    organisation_admin.organisation.refresh_from_db()
    assert organisation_admin.organisation.admins_may_see_tokens is False


def shows(client: Client, url: str) -> list[Any]:
    return [form for form in forms_of(client.get(url)) if form.action == f"{url}show/"]


def test_the_admin_reads_the_fingerprint_and_is_offered_no_look(
    client: Client, group: Group, connector: Connector, group_admin: User, pair: Pair
) -> None:
    registered(connector, pair)
    _granted, url = add(group, connector, group_admin)
    text = text_of(client.get(url))
    assert f"fingerprint {pair.fingerprint}" in text
    assert "We notified" in text
    assert not shows(client, url)


def test_a_forged_look_shows_nothing_and_changes_nothing(
    client: Client, group: Group, connector: Connector, group_admin: User, pair: Pair
) -> None:
    registered(connector, pair)
    granted, url = add(group, connector, group_admin)
    assert TOKEN.match(refresh_tokens.unseal(granted.handoff)), "it would be known on the page"
    before = everything()
    page = client.post(f"{url}show/", {"idempotency_key": KEY})
    assert page.status_code == 409
    assert "This token is sealed to the connector’s own key." in text_of(page)
    for button in ("show/download/", "show/done/"):
        assert client.post(f"{url}{button}", {"idempotency_key": KEY, "kind": "env"})["Location"] == url
    assert not TOKEN.search(page.content.decode())
    assert everything() == before


def test_regenerated_after_the_key_was_registered_it_is_sealed_to_it(
    client: Client, group: Group, connector: Connector, group_admin: User, pair: Pair
) -> None:
    _granted, url = add(group, connector, group_admin)
    assert shows(client, url)
    registered(connector, pair)
    form_to(client.get(f"{url}regenerate/"), f"{url}regenerate/").send(client)
    assert not shows(client, url)
    assert pair.opens(refresh_tokens.unseal(Handoff.objects.waiting().get())).startswith("kzrt_")


@pytest.mark.parametrize("way", ["page", "program", "sealed"])
def test_where_the_organisation_forbids_it_the_developer_still_gets_the_token(
    client: Client,
    group: Group,
    connector: Connector,
    group_admin: User,
    developer: User,
    organisation_admin: User,
    browser_of: Browser,
    pair: Pair,
    way: str,
) -> None:
    forbid(organisation_admin, browser_of)
    if way == "sealed":
        registered(connector, pair)
    _secret, secret = factories.make_secret(connector)
    granted, url = add(group, connector, group_admin)
    assert not shows(client, url)
    assert client.post(f"{url}show/", {"idempotency_key": KEY}).status_code == 409
    assert Handoff.objects.get().revealed_at is None
    headers = {"applicationId": str(connector.pk), "applicationSecret": secret}
    if way == "program":
        token = (
            Client()
            .post("/v1/handoffs/claim", b"", content_type="application/json", headers=headers)
            .json()["refreshToken"]
        )
    else:
        token = handoffs.claim(handoff=granted.handoff, by=developer, idempotency_key=KEY, address=None)
        token = pair.opens(token) if way == "sealed" else token
    headers["refreshToken"] = token
    assert Client().get("/v1/accessToken", headers=headers).status_code == 200
    assert Handoff.objects.get().sealed is None


def test_what_stands_on_a_screen_when_it_is_forbidden_cannot_be_downloaded_any_more(
    client: Client, group: Group, connector: Connector, group_admin: User, organisation_admin: User, browser_of: Browser
) -> None:
    _granted, url = add(group, connector, group_admin)
    page = shows(client, url)[0].send(client)
    assert TOKEN.search(page.content.decode())
    forbid(organisation_admin, browser_of)
    idempotency_key = form_to(page, f"{url}show/done/").fields["idempotency_key"][0]
    answers = [
        client.post(f"{url}show/", {"idempotency_key": idempotency_key}),
        client.post(f"{url}show/download/", {"idempotency_key": idempotency_key, "kind": "env"}),
    ]
    assert not [answer for answer in answers if TOKEN.search(answer.content.decode())]
