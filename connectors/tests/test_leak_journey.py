"""A leaked credential is reported by a passer-by and restored by its owner, in a browser without scripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.models import User
from connectors.tests.factories import Program

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


@pytest.mark.capability
def test_a_passer_by_reports_and_the_owner_restores_without_scripts(
    program: Program, developer: User, open_page: Callable[..., Page]
) -> None:
    passer_by = open_page(scripts=False)
    passer_by.goto("/console/report-leak/")
    passer_by.get_by_label("The credential, or the text that contains it").fill(f"TOKEN={program.refresh_token}")
    passer_by.get_by_role("button", name="Report").click()
    expect(passer_by.get_by_role("heading", name="Thank you")).to_be_visible()

    headers: dict[str, Any] = program.headers()
    assert Client().get("/v1/accessToken", headers=headers).status_code == 401
    owner = open_page(user=developer, scripts=False)
    owner.goto("/console/")
    owner.get_by_role("link", name="Answer", exact=True).click()
    owner.get_by_role("button", name="Restore").click()
    expect(owner.get_by_text("Restored. It works again.")).to_be_visible()
    assert Client().get("/v1/accessToken", headers=headers).status_code == 200
