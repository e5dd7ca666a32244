"""Pages speak in the zone that the reader's device has named; a file that programs read speaks in UTC."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page

from accounts.models import User
from accounts.views.time_zones import COOKIE
from connectors.models import AccessRequest, Grant
from connectors.permissions import PERMISSIONS
from connectors.services import access_requests as asking
from connectors.tests.html_forms import form_to, text_of
from connectors.tests.webhook_history import eventful
from groups.access import get_target
from groups.models import Group
from groups.tests import factories
from groups.views import responses
from kaizala_console.lib import moments
from kaizala_console.lib.tests.cast import BrowserOf

KOLKATA, BERLIN = ZoneInfo("Asia/Kolkata"), ZoneInfo("Europe/Berlin")
NOW = dt.datetime(2026, 3, 20, 20, 10, tzinfo=dt.UTC)  # 01:40 of the next day in India


def reading_in(client: Client, zone: str) -> Client:
    client.cookies[COOKIE] = zone
    return client


@pytest.fixture
def asked(developer: User, group: Group) -> AccessRequest:
    """For access until the end of a day in India."""
    connector = factories.make_connector(developer, name="Shift Planner")
    return asking.ask(
        connector=connector,
        by=developer,
        permissions=connector.permissions,
        once=asking.new_once(),
        reason="To plan.",
        target=get_target(group),
        ends_at=dt.datetime(2090, 2, 1, tzinfo=KOLKATA),
    )


@pytest.mark.django_db
def test_a_sentence_says_when_in_the_readers_zone(
    asked: AccessRequest, developer: User, group_admin: User, browser_of: BrowserOf
) -> None:
    asking.withdraw(request=asked, by=developer)
    asked.refresh_from_db()
    page = reading_in(browser_of(group_admin), "Asia%2FKolkata").get(reverse("groups:request", args=[asked.pk]))
    assert asked.withdrawn_at is not None
    with timezone.override(KOLKATA):
        assert f"This request was withdrawn on {moments.exact(asked.withdrawn_at)}." in text_of(page)
        assert moments.exact(asked.withdrawn_at).endswith(" IST")


@pytest.mark.django_db
def test_the_zone_of_a_signed_in_readers_device_is_stored_for_their_mails(
    developer: User, browser_of: BrowserOf
) -> None:
    browser = reading_in(browser_of(developer), "Asia%2FKolkata")
    for said in ("Asia%2FKolkata", "Not%2FAZone", ""):
        browser.cookies[COOKIE] = said
        browser.get("/console/help/")
        developer.refresh_from_db()
        assert developer.time_zone == "Asia/Kolkata"
    reading_in(browser, "Europe%2FRome").get("/console/help/")
    developer.refresh_from_db()
    assert developer.time_zone == "Europe/Rome"
    assert reading_in(Client(), "Asia%2FKolkata").get("/accounts/login/").status_code == 200


@pytest.mark.django_db
def test_a_replay_begins_when_the_readers_clock_says(
    group: Group, group_admin: User, developer: User, browser_of: BrowserOf, time_machine: Any
) -> None:
    time_machine.move_to(NOW, tick=False)
    connector = factories.make_connector(developer, permissions=PERMISSIONS)
    hook = eventful(factories.let_in(connector, group, group_admin).grant)
    address = reverse("connectors:webhook_replay", args=[hook.connector_id, hook.pk])
    client = reading_in(browser_of(developer), "Asia%2FKolkata")
    page = client.get(address)
    assert form_to(page, address).fields["since"] == ["2026-03-21T00:40"]
    assert "Time in India Time, now 01:40." in text_of(page)
    page = client.get(address, {"since": "2026-03-21T00:40"})
    assert "21 Mar 2026, 00:40 IST" in text_of(page)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("end_date", "ends_at"),
    [
        ("2090-01-31", dt.datetime(2090, 2, 1, tzinfo=KOLKATA)),
        ("2090-01-30", dt.datetime(2090, 1, 31, tzinfo=BERLIN)),
    ],
    ids=["left as it was asked", "another day"],
)
def test_an_admin_of_another_zone_gives_what_was_asked_to_the_moment_or_until_the_end_of_a_day_of_theirs(
    asked: AccessRequest, group_admin: User, browser_of: BrowserOf, end_date: str, ends_at: dt.datetime
) -> None:
    client = reading_in(browser_of(group_admin), "Europe%2FBerlin")
    approve = reverse("groups:request_approve", args=[asked.pk])
    form = form_to(client.get(reverse("groups:request", args=[asked.pk])), approve)
    assert form.fields["end_date"] == ["2090-01-31"]
    form.send(client, {"end_date": end_date})
    assert Grant.objects.get().ends_at == ends_at


@pytest.mark.once
@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Asia/Kolkata", "01:40 IST"),
        ("Europe/Berlin", "21:10 CET"),
        ("Asia/Dubai", "00:10 GMT+4"),
        ("Asia/Kathmandu", "01:55 GMT+5:45"),
        ("America/Sao_Paulo", "17:10 GMT-3"),
        ("UTC", "20:10 UTC"),
    ],
)
def test_a_moment_ends_with_a_word_for_its_zone(zone: str, words: str) -> None:
    with timezone.override(ZoneInfo(zone)):
        assert moments.exact(NOW).endswith(f"2026, {words}")


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_what_the_server_wrote_in_the_devices_zone_is_not_written_again(page: Page) -> None:
    exact = page.locator("time[data-moment=both]").first
    page.goto("/gallery/")
    assert (exact.get_attribute("title") or "").endswith("GMT+5:30"), "the server did not know the zone yet"
    page.goto("/gallery/")
    assert (exact.get_attribute("title") or "").endswith(" IST")


@pytest.mark.once
def test_the_day_of_an_answer_is_the_readers_in_the_file_as_on_the_page() -> None:
    midnight = dt.datetime(2026, 3, 24, tzinfo=KOLKATA)  # as a phone there sends the 24th
    assert responses.get_date(midnight, KOLKATA) == dt.date(2026, 3, 24)
    with timezone.override(KOLKATA):
        assert responses.get_date(midnight) == dt.date(2026, 3, 24)
