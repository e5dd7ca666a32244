"""Tokens that an admin must not see: sealed to the connector's own key, or forbidden by the organisation."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.models import Connector, Handoff
from connectors.services import handoffs, refresh_tokens
from connectors.services.grants import Granted
from connectors.tests import factories
from connectors.tests.html_forms import form_to, forms_of, text_of
from connectors.tests.keys import Pair, registered, x25519
from groups.models import Group
from groups.services import connectors
from groups.tests.pages import KEY, everything

pytestmark = pytest.mark.django_db

# The dot ends the head of what is sealed: without it, each CSRF token that happens to have "eyJ" in it would be one.
TOKEN = re.compile(r"kzrt_[0-9A-Za-z]{65}|eyJ[0-9A-Za-z_-]{40,}\.")

Browser = Callable[..., Client]


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


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
