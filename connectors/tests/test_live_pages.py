"""Pages that move on while they are open: what a poll is answered, what it costs, and whom it tells nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
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
PAGES = [("handoffs", "inbox-now"), ("home", "home-now")]


# What is read to know who asks: the session and the account.
WHO_ASKS = 2


def following(page: Any) -> tuple[str, dict[str, str]]:
    """Where the page asks whether it has changed, and with which headers; ("", {}) when it asks no more."""
    found = re.findall(r'hx-get="([^"]*)" hx-headers="([^"]*)"', page.content.decode())
    assert len(found) < 2, found
    return (unescape(found[0][0]), json.loads(unescape(found[0][1]))) if found else ("", {})


def poll(client: Client, asks: tuple[str, dict[str, str]]) -> Any:
    path, headers = asks
    assert path
    return client.get(path, headers={"HX-Request": "true", **headers})


def first_exchange(handoff: Handoff) -> None:
    used = {"first_used_at": clock.now(), "first_used_from": "192.0.2.7"}
    assert RefreshToken.objects.filter(pk=handoff.refresh_token_id, first_used_at=None).update(**used) == 1


@pytest.fixture
def url(program: Program) -> str:
    return reverse("connectors:handoff", args=[program.handoff.pk])


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


def test_while_nothing_changes_a_poll_costs_one_query_and_leaves_no_trace(client: Client, url: str) -> None:
    address = following(client.get(url))
    before = AuditEvent.objects.count()
    with CaptureQueriesContext(connection) as asked:
        answer = poll(client, address)
    assert (answer.status_code, answer.content) == (304, b"")
    assert len(asked) <= WHO_ASKS + 1, [query["sql"][:120] for query in asked]
    poll(client, (url, {"If-None-Match": '"another"'}))
    assert AuditEvent.objects.count() == before


def test_the_line_moves_on_when_it_is_claimed_and_when_it_works_and_then_asks_no_more(
    client: Client, url: str, program: Program
) -> None:
    elsewhere = following(client.get(url))
    under_the_token = following(client.post(f"{url}claim/", {"idempotency_key": "k" * 32}))
    assert under_the_token[0] == url
    claimed = poll(client, elsewhere)
    assert claimed.status_code == 200
    assert 'data-says="Claimed: Devika Rao"' in claimed.content.decode()
    asking = (following(claimed), under_the_token)
    assert [poll(client, address).status_code for address in asking] == [304, 304]
    first_exchange(program.handoff)
    for address in asking:
        works = poll(client, address)
        assert "from 192.0.2.7" in text_of(works)
        assert following(works)[0] == ""


def test_what_one_has_seen_tells_another_nothing(
    client: Client, url: str, stranger: User, browser_of: Browser, program: Program
) -> None:
    address = following(client.get(url))
    other = browser_of(stranger)
    assert poll(other, address).status_code == 404
    assert poll(other, (url, {"If-None-Match": "*"})).status_code == 404


def test_who_is_signed_out_meanwhile_is_not_led_away_from_what_they_read(client: Client, url: str) -> None:
    address = following(client.get(url))
    client.logout()
    answer = poll(client, address)
    assert answer.status_code == 286
    assert answer.headers["HX-Reswap"] == "none"
    assert "HX-Redirect" not in answer.headers
    assert client.get(address[0]).status_code == 302  # a person who opens the address is asked to sign in


def test_what_is_to_be_said_to_a_person_waits_for_a_page_that_they_open(
    client: Client, url: str, developer: User, program: Program
) -> None:
    address = following(client.get(url))
    assert client.post(reverse("connectors:handoff_refuse", args=[program.handoff.pk])).status_code == 302
    assert poll(client, address).status_code == 200
    assert "Refused. The token is deleted, and we notified" in text_of(client.get(url))


@pytest.mark.parametrize(("page", "part"), PAGES)
def test_an_open_page_shows_a_refresh_token_that_has_arrived_and_goes_on_asking(
    developer: User, connector: Connector, group_admin: User, browser_of: Browser, page: str, part: str
) -> None:
    client = browser_of(developer)
    address = following(client.get(reverse(page)))
    assert poll(client, address).status_code == 304
    handoff = let_in(connector, group_admin, target_name="Sales").handoff
    answer = poll(client, address)
    assert answer.status_code == 200
    changed = answer.content.decode().partition(f'id="{part}"')[2]
    assert "Sales" in changed
    assert reverse("connectors:handoff", args=[handoff.pk]) in changed or reverse("handoffs") in changed
    assert poll(client, following(answer)).status_code == 304


def test_what_is_gone_from_the_inbox_goes_from_an_open_page(client: Client, developer: User, program: Program) -> None:
    address = following(client.get(reverse("handoffs")))
    handoffs.refuse(handoff=program.handoff, by=developer)
    assert f"handoff-{program.handoff.pk}" not in poll(client, address).content.decode()


def test_another_persons_refresh_token_changes_nothing(
    group_admin: User, connector: Connector, stranger: User, browser_of: Browser
) -> None:
    client = browser_of(stranger)
    addresses = [following(client.get(reverse(page))) for page, _part in PAGES]
    let_in(connector, group_admin)
    assert [poll(client, address).status_code for address in addresses] == [304, 304]


def test_an_etag_is_one_readers_alone(developer: User, stranger: User, browser_of: Browser) -> None:
    """Of the same empty inbox: a 304 confirms nothing about what another sees."""
    tags = [following(browser_of(one).get(reverse("handoffs")))[1] for one in (developer, stranger)]
    assert tags[0] != tags[1]
