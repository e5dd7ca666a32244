"""Pages that move on while they are open: what a poll is answered, what it costs, and whom it tells nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors.models import Connector, Handoff, RefreshToken
from connectors.services import handoffs
from connectors.tests.factories import Program, let_in
from connectors.tests.html_forms import text_of
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db

Browser = Callable[..., Client]
# What is read to know who asks: the session and the account.
WHO_ASKS = 2


def asked_at(page: Any) -> str:
    """Where the page asks whether it has changed; empty when it asks no more."""
    found = re.findall(r'hx-get="([^"]*seen=[^"]*)"', page.content.decode())
    assert len(found) < 2, found
    return found[0].replace("&amp;", "&") if found else ""


def poll(client: Client, address: str) -> Any:
    assert address
    return client.get(address, headers={"HX-Request": "true"})


def first_exchange(handoff: Handoff) -> None:
    used = {"first_used_at": clock.now(), "first_used_from": "192.0.2.7"}
    assert RefreshToken.objects.filter(pk=handoff.refresh_token_id, first_used_at=None).update(**used) == 1


@pytest.fixture
def url(program: Program) -> str:
    return reverse("connectors:handoff", args=[program.handoff.pk])


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


def test_while_nothing_changes_a_poll_is_answered_nothing_and_costs_one_query(client: Client, url: str) -> None:
    address = asked_at(client.get(url))
    with CaptureQueriesContext(
        connection,
    ) as asked:
        answer = poll(client, address)
    assert (answer.status_code, answer.content) == (204, b"")
    assert len(asked) <= WHO_ASKS + 1, [query["sql"][:120] for query in asked]


def test_the_line_moves_on_when_it_is_claimed_and_when_it_works_and_then_asks_no_more(
    client: Client, url: str, program: Program, developer: User
) -> None:
    address = asked_at(client.get(url))
    handoffs.claim(handoff=program.handoff, by=developer, idempotency_key="k" * 32, address=None)
    claimed = poll(client, address)
    assert claimed.status_code == 200
    assert 'data-says="Opened: Devika Rao"' in claimed.content.decode()
    address = asked_at(claimed)
    assert poll(client, address).status_code == 204
    first_exchange(program.handoff)
    works = poll(client, address)
    assert "from 192.0.2.7" in text_of(works)
    assert asked_at(works) == ""


def test_a_line_that_stopped_asks_no_more(client: Client, url: str, program: Program, developer: User) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    assert asked_at(client.get(url)) == ""


def test_a_poll_leaves_no_trace_in_the_audit_trail(client: Client, url: str) -> None:
    address = asked_at(client.get(url))
    before = AuditEvent.objects.count()
    poll(client, address)
    poll(client, f"{url}?seen=")
    assert AuditEvent.objects.count() == before


def test_what_one_has_seen_tells_another_nothing(
    client: Client, url: str, stranger: User, browser_of: Browser, program: Program
) -> None:
    address = asked_at(client.get(url))
    other = browser_of(stranger)
    assert poll(other, address).status_code == 404
    assert poll(other, f"{url}?seen=").status_code == 404
    assert poll(other, f"{url}?seen=000000000000").status_code == 404


def test_who_is_signed_out_meanwhile_is_not_led_away_from_what_they_read(client: Client, url: str) -> None:
    address = asked_at(client.get(url))
    client.logout()
    answer = poll(client, address)
    assert answer.status_code == 286
    assert answer.headers["HX-Reswap"] == "none"
    assert "HX-Redirect" not in answer.headers
    assert client.get(address).status_code == 302  # a person who opens the address is asked to sign in


def test_what_is_to_be_said_to_a_person_waits_for_a_page_that_they_open(
    client: Client, url: str, developer: User, program: Program
) -> None:
    address = asked_at(client.get(url))
    assert client.post(reverse("connectors:handoff_refuse", args=[program.handoff.pk])).status_code == 302
    assert poll(client, address).status_code == 200
    assert "Refused. The sealed token is wiped" in text_of(client.get(url))


def test_under_a_claimed_token_the_line_waits_for_the_first_exchange(
    client: Client, url: str, program: Program
) -> None:
    claimed = client.post(f"{url}claim/", {"idempotency_key": "k" * 32})
    address = asked_at(claimed)
    assert address.startswith(f"{url}?seen=")
    assert poll(client, address).status_code == 204
    first_exchange(program.handoff)
    assert 'id="handoff-line" data-says="Works: from 192.0.2.7"' in poll(client, address).content.decode()


# The inbox and Home --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["connectors:handoffs", "accounts:home"])
def test_an_open_page_says_that_a_refresh_token_has_arrived_and_then_asks_no_more(
    developer: User, connector: Connector, group_admin: User, browser_of: Browser, page: str
) -> None:
    client = browser_of(developer)
    address = asked_at(client.get(reverse(page)))
    assert poll(client, address).status_code == 204
    handoff = let_in(connector, group_admin, target_name="Sales").handoff
    answer = poll(client, address)
    assert answer.status_code == 286
    assert "A refresh token for “Sales” has arrived." in text_of(answer)
    assert f'href="{reverse("connectors:handoff", args=[handoff.pk])}"' in answer.content.decode()
    assert "<form" not in answer.content.decode()


@pytest.mark.parametrize("page", ["connectors:handoffs", "accounts:home"])
def test_while_nothing_arrives_asking_costs_a_statement_an_app_and_one_for_whose_it_is(
    developer: User, connector: Connector, group_admin: User, browser_of: Browser, page: str
) -> None:
    for number in range(3):
        let_in(connector, group_admin, target_name=f"Group {number}")
    client = browser_of(developer)
    address = asked_at(client.get(reverse(page)))
    with CaptureQueriesContext(connection) as asked:
        assert poll(client, address).status_code == 204
    apps = 1 if page == "connectors:handoffs" else 2
    assert len(asked) <= WHO_ASKS + apps + 1, [query["sql"][:120] for query in asked]


def test_home_says_that_the_first_exchange_has_worked(client: Client, developer: User, program: Program) -> None:
    handoffs.claim(handoff=program.handoff, by=developer, idempotency_key="k" * 32, address=None)
    address = asked_at(client.get(reverse("accounts:home")))
    first_exchange(program.handoff)
    assert "“Shift Planner” works in “Night shift”" in text_of(poll(client, address))


def test_what_is_gone_from_the_inbox_is_said_too(client: Client, developer: User, program: Program) -> None:
    address = asked_at(client.get(reverse("connectors:handoffs")))
    handoffs.refuse(handoff=program.handoff, by=developer)
    assert "Something here has changed meanwhile." in text_of(poll(client, address))


def test_another_persons_refresh_token_is_nobodys_news(
    group_admin: User, connector: Connector, stranger: User, browser_of: Browser
) -> None:
    client = browser_of(stranger)
    addresses = [asked_at(client.get(reverse(page))) for page in ("connectors:handoffs", "accounts:home")]
    let_in(connector, group_admin)
    assert [poll(client, address).status_code for address in addresses] == [204, 204]


def test_what_has_ended_does_not_ask(client: Client) -> None:
    assert asked_at(client.get(reverse("connectors:handoffs") + "?show=earlier")) == ""
