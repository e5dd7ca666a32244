"""The token inspector in a browser: readable and accessible, with and without findings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from connectors.tests.factories import Program
from kaizala_console.tests.looking import findings

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


@pytest.mark.capability
def test_a_developer_sees_why_a_call_would_be_refused(
    open_page: Callable[..., Page], program: Program, developer: User
) -> None:
    page = open_page(user=developer, width=360)
    page.goto("/console/connectors/inspector/")
    page.get_by_label("Token").fill(program.refresh_token)
    call = page.get_by_role("combobox", name="Would this call work?")
    call.fill("/v1/users/me")
    call.press("Enter")
    page.get_by_role("button", name="Inspect").click()
    expect(page.get_by_role("heading", name="It works")).to_be_visible()
    expect(page.get_by_role("heading", name="GET /v1/users/me would be refused")).to_be_visible()
    expect(page.get_by_label("Token")).to_have_value("")
    assert findings(page) == []
