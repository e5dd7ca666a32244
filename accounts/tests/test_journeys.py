"""In a browser: a phone number changes, and an authenticator app comes and goes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts import queries, sandbox
from accounts.models import AuthenticatorApp, Organisation, User
from accounts.services import reauthentication
from accounts.tests import factories, pins
from accounts.tests.authenticator import code_of, wrong_code
from kaizala_console.lib.tests.cast import OpenPage
from kaizala_console.tests.browser import assert_fits, session_of

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def devika(db: None) -> User:
    """An account of the sandbox's identity page, with a phone number."""
    organisation = Organisation.objects.create(name="Contoso Logistics", entra_tenant_id=sandbox.TENANT_ID)
    identity = sandbox.BY_KEY["developer"]
    user = User.objects.create_user(
        subject=identity.subject, organisation=organisation, name=identity.name, email=identity.email
    )
    factories.verify(user)
    return user


@pytest.mark.capability
def test_a_further_number_without_scripts(devika: User, open_page: OpenPage, phones: Any, settings: Any) -> None:
    settings.PIN_COOLDOWN_SECONDS = 0
    settings.SIGN_IN_AGAIN_SECONDS = 60
    page = open_page(user=devika, scripts=False)
    page.goto("/console/settings/")
    session = session_of(page)
    session["signed_in_at"] = {**session["signed_in_at"], "at": session["signed_in_at"]["at"] - 7200}  # two hours ago
    session.save()
    page.get_by_role("link", name="Add a Phone Number").click()
    expect(page.get_by_role("heading", name="Sign in again")).to_be_visible()
    page.get_by_role("button", name="Sign in again with Office365").click()
    page.get_by_role("button", name=re.compile(devika.name)).click()
    expect(page.get_by_text("This locks your credentials for a while.")).to_be_visible()
    page.get_by_label("Number", exact=True).fill("+91 98765 43210")
    page.get_by_role("button", name="Generate PIN").click()
    expect(page.get_by_role("button", name="Verify")).to_be_visible()
    page.get_by_role("textbox").last.fill(phones.pin("+919876543210"))
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("Your credentials are locked, because a phone number changed.")).to_be_visible()
    first = queries.held_phones(devika)[0].person.number
    assert "ending in 210 was added to your account" in phones.texts(first)[0]


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.capability
def test_a_form_is_carried_out_after_the_pin_that_came_by_itself(
    devika: User, open_page: OpenPage, phones: Any, scripts: bool
) -> None:
    page = open_page(user=devika, scripts=scripts)
    page.goto(reverse("connectors:create"))
    session = session_of(page)
    del session["confirmed"]
    session.save()
    page.get_by_label("Name", exact=True).fill("Canteen")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Create Connector").click()
    expect(page.get_by_text("Choose at least one permission").first).to_be_visible()
    page.get_by_role("checkbox", name=re.compile("Text Message")).check()
    page.get_by_role("button", name="Create Connector").click()
    expect(page.locator("input[name=pin]")).to_be_visible()
    pins.work()
    page.reload()
    number = devika.verified_phones.get().person.number
    page.locator("input[name=pin]").fill(phones.pin(number))
    page.get_by_role("button", name="Confirm", exact=True).click()
    expect(page.get_by_text("Store it now").or_(page.get_by_label("I have stored it"))).to_be_visible()
    assert page.url.endswith(reverse("connectors:create_permissions"))
    assert len(phones.texts(number)) == 1


@pytest.mark.capability
def test_without_scripts_an_app_is_set_up_confirms_and_is_removed(
    developer: User, open_page: OpenPage, phones: Any
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
