"""By keyboard alone: an authenticator app is set up, asked for, and removed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import AuthenticatorApp, User
from accounts.services import reauthentication
from accounts.tests.authenticator import code_of
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]


def test_an_authenticator_app_is_set_up_confirms_and_is_removed(typist: Callable[..., Typist], developer: User) -> None:
    person = typist(developer)
    page = person.page
    person.visit(reverse("accounts:settings"))
    person.link("Set up an authenticator app")
    if "/confirm/" in page.url:
        person.skip()
        person.button("Generate PIN")
        person.enter_the_pin()
    expect(page.get_by_role("img", name="QR code of the key below")).to_be_visible()
    code = page.locator("input[name=pin]")
    person.skip()
    person.reach(code)
    page.keyboard.type("12")
    person.key("Enter")
    person.arrive()
    expect(code).to_be_focused()
    page.keyboard.type(code_of(AuthenticatorApp.objects.get()))
    person.key("Enter")
    expect(page.get_by_text("Authenticator app set up. You now confirm with its codes.")).to_be_visible()
    assert reauthentication.uses_totp(developer)
    person.skip()
    person.link("Remove your authenticator app")
    person.skip()
    person.button("Remove this app")
    expect(page.get_by_text("Authenticator app removed. You now confirm with a PIN by SMS.")).to_be_visible()
    assert not AuthenticatorApp.objects.exists()
