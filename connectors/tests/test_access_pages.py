"""Who comes through which door: every page, for who is signed out, a stranger, another organisation, a forged id."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver, reverse

from accounts.models import User
from connectors.models import ConnectorSecret
from connectors.services import access_requests, bots
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import Page, text_of
from connectors.tests.keys import registered, x25519
from connectors.tests.webhook_history import happened, quiet
from kaizala_console.lib import ids
from kaizala_console.tests.at_each import at_each

pytestmark = [pytest.mark.django_db, pytest.mark.once]  # whom a door lets in is decided above the database

Browser = Callable[..., Client]
Everything = Callable[[], dict[str, list[Any]]]

ANYBODY = ("list", "create", "create_permissions", "handoffs", "acting", "explorer", "explorer_document")
OF_THE_ORGANISATION = ("details", "user_token")
OF_BOTH_SIDES = ("handoff", "handoff_reissue")
OF_OWNERS = (
    "change",
    "logo",
    "logo_remove",
    "owners",
    "owner_remove",
    "owner_transfer",
    "sign_in",
    "credentials",
    "secret_add",
    "secret_end_date",
    "secret_revoke",
    "keys",
    "key_add",
    "key_remove",
    "groups",
    "cached_token",
    "cached_token_stop",
    "usage",
    "usage_export",
    "compatibility",
    "bots",
    "bot_add",
    "bot_change",
    "bot_remove",
    "activity",
    "change_state",
    "permissions",
    "requests",
    "request_send",
    "request",
    "request_withdraw",
    "connector_download",
    "connector_done",
    "secret_download",
    "secret_done",
    "handoff_claim",
    "handoff_refuse",
    "handoff_download",
    "handoff_done",
    "webhooks",
    "webhook_handoffs",
    "webhook",
    "webhook_delivery",
    "webhook_redeliver",
    "webhook_redeliver_failed",
    "webhook_replay",
    "webhook_settings",
    "webhook_state",
    "webhook_secret",
    "webhook_secret_rotate",
    "webhook_secret_download",
    "webhook_secret_done",
)
# Named by ids of their own, or for everybody: test_oauth, test_user_token_pages, test_user_token_requests,
# test_leak_doors, test_logo_pages, test_inspector and test_usage_pages walk through their doors.
ELSEWHERE = (
    "authorize",
    "consent",
    "user_token_request",
    "acting_end",
    "leak_report",
    "leak",
    "leak_revoke",
    "leak_restore",
    "logo_file",
    "inspector",
    "organisation_usage",
    "organisation_usage_export",
)
ALL = (*ANYBODY, *OF_THE_ORGANISATION, *OF_BOTH_SIDES, *OF_OWNERS)
SHOW_ONLY = (
    *("credentials", "keys", "groups", "usage", "usage_export"),
    *("compatibility", "activity", "handoff", "requests", "request", "bots"),
    *("webhooks", "webhook", "webhook_delivery", "webhook_settings"),
)
GETS_NOTHING = (
    "logo_remove",
    "cached_token_stop",
    "request_withdraw",
    "secret_add",
    "connector_download",
    "connector_done",
    "secret_download",
    "secret_done",
    "handoff_download",
    "handoff_done",
    "webhook_redeliver",
    "webhook_redeliver_failed",
    "webhook_secret",
    "webhook_secret_rotate",
    "webhook_secret_download",
    "webhook_secret_done",
)


class Addresses:
    """The address of every page, for the program's connector, and for one that is not there."""

    def __init__(self, program: Program) -> None:
        webhook = quiet(program.grant)
        self.ids = {
            "connector_id": program.connector.pk,
            "user_id": program.connector.owner_id,
            "secret_id": ConnectorSecret.objects.get(connector=program.connector).pk,
            "handoff_id": program.handoff.pk,
            "key_id": registered(program.connector, x25519()).pk,
            "grant_id": program.grant.pk,
            "verb": "suspend",
            "webhook_id": webhook.pk,
            "delivery_id": happened(webhook).pk,
            "bot_id": bots.create(
                connector=program.connector, name="Rota", picture_url="", by=program.connector.owner
            ).pk,
            "request_id": access_requests.ask(
                connector=program.connector,
                by=program.connector.owner,
                permissions=program.connector.permissions,
                once=access_requests.new_once(),
            ).pk,
        }

    def of(self, name: str, **changed: Any) -> str:
        if name == "handoffs":  # the inbox shows things from all apps: it stands in kaizala_console/urls.py
            return reverse(name)
        known: dict[str, Any] = {**self.ids, **changed}
        pattern: Any = get_resolver().namespace_dict["connectors"][1].reverse_dict[name]
        return reverse(f"connectors:{name}", kwargs={key: known[key] for key in pattern[0][0][1]})

    def missing(self, name: str) -> str:
        return self.of(name, connector_id=ids.new_id(), handoff_id=ids.new_id(), webhook_id=ids.new_id())


@pytest.fixture
def addresses(program: Program) -> Addresses:
    return Addresses(program)


def post(client: Client, url: str) -> Page:
    fields = {"idempotency_key": "k" * 32, "stored": "1", "kind": "env", "typed": "Shift Planner", "name": "Taken over"}
    return client.post(url, fields)


def test_these_are_all_the_pages() -> None:
    assert {*ALL, *ELSEWHERE} - {"handoffs"} == {
        name for name in get_resolver().namespace_dict["connectors"][1].reverse_dict if isinstance(name, str)
    }


def test_who_is_signed_out_signs_in_first_and_nothing_happens(addresses: Addresses, everything: Everything) -> None:
    take_no_form = (
        "list",
        "acting",
        "explorer",
        "explorer_document",
        "handoffs",
        *OF_THE_ORGANISATION,
        *SHOW_ONLY,
    )

    def at(name: str) -> None:
        before, url = everything(), addresses.of(name)
        answer = Client().get(url)
        if name not in GETS_NOTHING:
            assert answer.status_code == 302
            assert answer["Location"].startswith("/accounts/login/?next=")
        if name not in take_no_form:
            answer = post(Client(), url)
            assert answer["Location"].startswith("/accounts/login/?next=")
        assert everything() == before

    at_each(ALL, at)


@pytest.mark.parametrize("who", ["stranger", "member", "organisation_admin", "outsider"])
def test_what_is_not_yours_is_the_same_as_what_is_not_there(
    addresses: Addresses, who: str, request: pytest.FixtureRequest, browser_of: Browser, everything: Everything
) -> None:
    user = request.getfixturevalue(who)

    def at(name: str) -> None:
        client, before = browser_of(user), everything()
        for send in (Client.get, post):
            answers = [send(client, url) for url in (addresses.of(name), addresses.missing(name))]
            expected = 405 if send is Client.get and name in GETS_NOTHING else 404
            if send is Client.get and name == "handoff_claim":
                assert [answer.status_code for answer in answers] == [302, 302]  # to the handoff's page, which says 404
                continue
            if send is post and name in SHOW_ONLY:
                expected = 405
            assert [answer.status_code for answer in answers] == [expected, expected]
            assert without_ids(answers[0]) == without_ids(answers[1])
        assert everything() == before

    at_each([*OF_OWNERS, *OF_BOTH_SIDES], at)


def test_an_outsider_sees_nothing_of_the_organisation(
    addresses: Addresses, outsider: User, browser_of: Browser
) -> None:
    def at(name: str) -> None:
        page = browser_of(outsider).get(addresses.of(name), follow=True)
        assert page.status_code in (404, 405)
        assert "Shift Planner" not in page.content.decode()

    at_each([*OF_THE_ORGANISATION, *OF_OWNERS, *OF_BOTH_SIDES], at)


@pytest.mark.parametrize("name", ["handoff_claim", "handoff_refuse", "handoff_download", "handoff_done"])
def test_the_admin_who_granted_is_not_the_developer(
    addresses: Addresses, name: str, group_admin: User, browser_of: Browser, everything: Everything
) -> None:
    before = everything()
    assert post(browser_of(group_admin), addresses.of(name)).status_code == 404
    assert everything() == before


def test_a_secret_is_found_under_its_own_connector_alone(
    addresses: Addresses, developer: User, browser_of: Browser
) -> None:
    other = factories.make_connector(developer, "Other")
    url = addresses.of("secret_revoke", connector_id=other.pk)
    assert browser_of(developer).get(url).status_code == 404
    assert post(browser_of(developer), url).status_code == 404


@pytest.mark.parametrize("path", ["not-an-id", "00000000", "%00", "..%2f..", "1' or '1'='1"])
@pytest.mark.parametrize("under", ["connectors", "handoffs"])
def test_what_is_no_id_is_a_404(developer: User, browser_of: Browser, under: str, path: str) -> None:
    assert browser_of(developer).get(f"/console/{under}/{path}/").status_code == 404


def test_an_unknown_verb_is_a_404(addresses: Addresses, developer: User, browser_of: Browser) -> None:
    url = addresses.of("change_state", verb="explode")
    assert browser_of(developer).get(url).status_code == 404
    assert post(browser_of(developer), url).status_code == 404


@pytest.mark.parametrize("name", ["details", "credentials", "groups", "activity", "handoff", "list", "handoffs"])
def test_no_page_but_that_of_the_moment_shows_a_credential(
    addresses: Addresses, name: str, program: Program, developer: User, browser_of: Browser
) -> None:
    page = browser_of(developer).get(addresses.of(name))
    assert page.status_code == 200
    for credential in (program.secret, program.refresh_token):
        assert credential not in page.content.decode()
    assert "private" in page["Cache-Control"]


def without_ids(response: Page) -> str:
    return re.sub(r"[0-9a-f-]{36}|\b[0-9a-f]{32}\b", "", text_of(response))
