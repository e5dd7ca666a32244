"""The pages of leaked credentials and of what will stop, in a browser: wide, narrow, dark, and without scripts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.models import User
from connectors.models import ConnectorSecret, LeakReport
from connectors.services import leak_reports, usage
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.test_usage_queries import DAY, HOUR, MEMBERS, used
from kaizala_console.lib import clock
from kaizala_console.tests.browser import assert_accessible, assert_fits

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
PICTURES = os.environ.get("CONSOLE_TEST_PICTURES")


def look(page: Page, name: str) -> None:
    """Everything that is asked of a page; with CONSOLE_TEST_PICTURES set, a picture of it goes into that folder."""
    assert_accessible(page)
    assert_fits(page)
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


@pytest.mark.parametrize(("width", "dark"), [(360, True)])  # the wide and light look is that of test_every_page
def test_the_pages_are_accessible_and_fit(
    program: Program, developer: User, open_page: Callable[..., Page], width: int, dark: bool
) -> None:
    used(program, MEMBERS, calls=5, ago=HOUR, scope="groupmember.read")
    used(program, "POST v1/groups/<group_id>/messages", calls=1204, ago=3 * DAY, scope="textmessage.write")
    factories.make_secret(program.connector, 2)
    usage.secret_used(ConnectorSecret.objects.get(slot=1).pk, at=clock.now())
    usage.flush()
    leak_reports.report(text=program.secret, where="https://paste.example/" + "a" * 150, address="192.0.2.1")
    one = f"/console/connectors/{program.connector.pk}/"
    report = LeakReport.objects.get()
    entrance = open_page(width=width, dark=dark)
    entrance.goto("/accounts/login/")
    look(entrance, f"sign-in-{width}{'-dark' if dark else ''}")
    page = open_page(user=developer, width=width, dark=dark)
    for path, name in (
        (f"{one}credentials/", "credentials"),
        (f"{one}leaks/{report.pk}/", "leak"),
        (f"{one}state/suspend/", "suspend"),
        (f"{one}credentials/{ConnectorSecret.objects.get(slot=2).pk}/revoke/", "revoke"),
        ("/console/report-leak/", "report"),
        ("/console/report-leak/?thanks=1", "thanks"),
        ("/console/", "home"),
    ):
        page.goto(path)
        look(page, f"{name}-{width}{'-dark' if dark else ''}")


@pytest.mark.capability
def test_a_passer_by_reports_and_the_owner_restores_without_scripts(
    program: Program, developer: User, open_page: Callable[..., Page]
) -> None:
    passer_by = open_page(scripts=False)
    passer_by.goto("/console/report-leak/")
    passer_by.get_by_label("The credential, or the text that it stands in").fill(f"TOKEN={program.refresh_token}")
    passer_by.get_by_role("button", name="Report").click()
    expect(passer_by.get_by_role("heading", name="Thank you")).to_be_visible()

    headers: dict[str, Any] = program.headers()
    assert Client().get("/v1/accessToken", headers=headers).status_code == 401
    owner = open_page(user=developer, scripts=False)
    owner.goto("/console/")
    owner.get_by_role("link", name="Answer").click()
    owner.get_by_role("button", name="Restore").click()
    expect(owner.get_by_text("It is restored")).to_be_visible()
    assert Client().get("/v1/accessToken", headers=headers).status_code == 200
