"""An authenticator app without scripts, on a narrow screen: from the PIN to a code that confirms, and away again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts import queries
from accounts.models import AuthenticatorApp, User
from accounts.services import reauthentication
from accounts.tests.authenticator import code_of, wrong_code
from kaizala_console.tests.browser import assert_fits

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


@pytest.mark.capability
def test_without_scripts_an_app_is_set_up_confirms_and_is_removed(
    developer: User, open_page: Callable[..., Page], phones: Any
) -> None:
    page = open_page(user=developer, confirmed=False, width=360, scripts=False)
    page.goto("/console/settings/")
    assert_fits(page)
    page.get_by_role("link", name="Set up an authenticator app").click()
    page.get_by_role("button", name="Generate PIN").click()
    expect(page.get_by_role("button", name="Confirm")).to_be_visible()
    page.get_by_label("PIN").fill(phones.pin(queries.held_phones(developer)[0].person.number))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("img", name="QR code of the key below")).to_be_visible()
    assert_fits(page)
    device = AuthenticatorApp.objects.get()
    page.get_by_label("Code", exact=True).fill(wrong_code(device))
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_text("Wait for the next one and try again.")).to_be_visible()
    expect(page.get_by_role("img", name="QR code of the key below")).to_be_visible()
    assert_fits(page)
    AuthenticatorApp.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
    page.get_by_label("Code", exact=True).fill(code_of(device))
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_text("Authenticator app set up. You now confirm with its codes.")).to_be_visible()

    device.refresh_from_db()  # who entered the code a moment late is expected to be late again

    other = open_page(user=developer, confirmed=False, width=360, scripts=False)
    other.goto("/console/settings/authenticator-app/remove/")
    assert_fits(other)
    other.get_by_role("button", name="Remove this app").click()
    expect(other.get_by_text("Use the code from your authenticator app.")).to_be_visible()
    assert_fits(other)
    other.get_by_label("Code", exact=True).fill(code_of(device, steps=1))  # the one before was used
    other.get_by_role("button", name="Confirm").click()
    expect(other.get_by_text("Authenticator app removed. You now confirm with a PIN by SMS.")).to_be_visible()
    assert not reauthentication.uses_totp(developer)
