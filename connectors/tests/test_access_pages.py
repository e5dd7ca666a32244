"""Who comes to which page: every page, for strangers, another organisation, an id of something else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver, reverse

from accounts.models import User
from connectors.models import ConnectorSecret
from connectors.permissions import PERMISSIONS
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
    *("change", "logo", "logo_remove", "change_state", "permissions", "sign_in"),
    *("owners", "owner_remove", "owner_transfer", "activity", "compatibility", "usage", "usage_export", "groups"),
    *("credentials", "secret_add", "secret_end_date", "secret_revoke", "secret_download", "secret_done"),
    *("keys", "key_add", "key_remove", "connector_download", "connector_done"),
    *("cached_token", "cached_token_stop", "bots", "bot_add", "bot_change", "bot_remove"),
    *("requests", "request_send", "request", "request_withdraw"),
    *("handoff_claim", "handoff_refuse", "handoff_download", "handoff_done"),
    *("webhooks", "webhook_handoffs", "webhook", "webhook_delivery", "webhook_redeliver", "webhook_redeliver_failed"),
    *("webhook_replay", "webhook_settings", "webhook_state"),
    *("webhook_secret", "webhook_secret_rotate", "webhook_secret_download", "webhook_secret_done"),
)
# Named by ids of their own, or for everybody: the modules of their noun walk through these.
ELSEWHERE = (
    *("authorize", "consent", "user_token_request", "acting_end", "leak_report", "leak", "leak_revoke", "leak_restore"),
    *("logo_file", "inspector", "organisation_usage", "organisation_usage_export"),
)
ALL = (*ANYBODY, *OF_THE_ORGANISATION, *OF_BOTH_SIDES, *OF_OWNERS)


class Addresses:
    """The address of every page, for the program's connector, and for one that is not there."""

    def __init__(self, program: Program) -> None:
        connector, webhook = program.connector, quiet(program.grant)
        owner = connector.owner
        self.ids = {
            "connector_id": connector.pk,
            "user_id": connector.owner_id,
            "secret_id": ConnectorSecret.objects.get(connector=connector).pk,
            "handoff_id": program.handoff.pk,
            "key_id": registered(connector, x25519()).pk,
            "grant_id": program.grant.pk,
            "verb": "suspend",
            "webhook_id": webhook.pk,
            "delivery_id": happened(webhook).pk,
            "bot_id": bots.create(connector=connector, name="Rota", picture_url="", by=owner).pk,
            "request_id": access_requests.ask(
                connector=connector, by=owner, permissions=connector.permissions, once=access_requests.new_once()
            ).pk,
        }

    def names_in(self, name: str) -> set[str]:
        """The ids that the address names."""
        pattern: Any = get_resolver().namespace_dict["connectors"][1].reverse_dict[name]
        return set(pattern[0][0][1])

    def of(self, name: str, **changed: Any) -> str:
        if name == "handoffs":  # the inbox shows things from all apps: it stands in kaizala_console/urls.py
            return reverse(name)
        known: dict[str, Any] = {**self.ids, **changed}
        return reverse(f"connectors:{name}", kwargs={key: known[key] for key in self.names_in(name)})

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


@pytest.mark.parametrize("who", ["stranger", "organisation_admin", "outsider", "operator", "group_admin"])
def test_what_is_not_yours_is_the_same_as_what_is_not_there(
    addresses: Addresses, who: str, request: pytest.FixtureRequest, browser_of: Browser, everything: Everything
) -> None:
    user = request.getfixturevalue(who)

    def at(name: str) -> None:
        client, before = browser_of(user), everything()
        for send in (Client.get, post):
            answers = [send(client, url) for url in (addresses.of(name), addresses.missing(name))]
            statuses = [answer.status_code for answer in answers]
            if send is Client.get and name == "handoff_claim":
                assert statuses == [302, 302]  # to the handoff's page, which says 404
                continue
            assert statuses in ([404, 404], [405, 405])
            assert without_ids(answers[0]) == without_ids(answers[1])
        assert everything() == before

    at_each([*OF_OWNERS, *(OF_BOTH_SIDES if who != "group_admin" else ())], at)


def test_what_is_of_one_connector_is_not_found_under_another_of_the_same_owner(
    addresses: Addresses, developer: User, browser_of: Browser, everything: Everything
) -> None:
    other = factories.make_connector(developer, "Other", permissions=PERMISSIONS)
    own_ids = {"secret_id", "key_id", "bot_id", "request_id", "webhook_id", "delivery_id"}

    def at(name: str) -> None:
        client, url, before = browser_of(developer), addresses.of(name, connector_id=other.pk), everything()
        assert {client.get(url).status_code, post(client, url).status_code} <= {404, 405}
        assert everything() == before

    at_each([name for name in OF_OWNERS if own_ids & addresses.names_in(name)], at)


def test_an_outsider_sees_nothing_of_the_organisation(
    addresses: Addresses, outsider: User, browser_of: Browser
) -> None:
    for name in OF_THE_ORGANISATION:
        page = browser_of(outsider).get(addresses.of(name), follow=True)
        assert page.status_code == 404
        assert "Shift Planner" not in page.content.decode()


def test_an_unknown_verb_is_not_there(addresses: Addresses, developer: User, browser_of: Browser) -> None:
    client, url = browser_of(developer), addresses.of("change_state", verb="explode")
    assert client.get(url).status_code == post(client, url).status_code == 404


@pytest.mark.parametrize("name", ["list", "handoffs", "requests", "groups", "activity", "webhooks", "webhook"])
def test_a_forged_page_mark_leads_to_the_first_page_of_the_search(
    addresses: Addresses, name: str, developer: User, browser_of: Browser
) -> None:
    url = addresses.of(name)
    assert browser_of(developer).get(f"{url}?q=a&cursor=forged")["Location"] == f"{url}?q=a"


def test_no_page_but_that_of_the_moment_shows_a_credential(
    addresses: Addresses, program: Program, developer: User, browser_of: Browser
) -> None:
    def at(name: str) -> None:
        page = browser_of(developer).get(addresses.of(name))
        assert page.status_code == 200
        assert program.secret not in page.content.decode()
        assert program.refresh_token not in page.content.decode()
        assert "private" in page["Cache-Control"]

    at_each(["details", "credentials", "groups", "activity", "handoff", "list", "handoffs"], at)


def without_ids(response: Page) -> str:
    return re.sub(r"[0-9a-f-]{36}|\b[0-9a-f]{32}\b", "", text_of(response))
