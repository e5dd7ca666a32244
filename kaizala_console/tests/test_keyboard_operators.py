"""By keyboard alone: an operator's second factor, and an act on what the list shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import AuthenticatorApp, User
from accounts.tests.authenticator import code_of
from connectors.tests.factories import make_connector
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]


def test_an_operator_passes_the_second_factor_and_suspends_a_connector(
    typist: Callable[..., Typist], operator: User, developer: User
) -> None:
    app = AuthenticatorApp.objects.create(user=operator, name="app", confirmed=True)
    connector = make_connector(developer, "Shift Planner")
    person = typist(operator)
    page = person.page
    person.visit(reverse("operators:index"))
    code = page.locator("input[name=pin]")
    person.reach(code)
    page.keyboard.type("12")
    person.key("Enter")
    person.arrive()
    expect(code).to_be_focused()
    page.keyboard.type(code_of(app))
    person.key("Enter")
    expect(code).to_have_count(0)
    page.goto(reverse("operators:connectors_connector_changelist"))
    person.press(page.get_by_role("link", name="Skip to main content"))
    person.press(page.get_by_role("row").filter(has_text="Shift Planner").get_by_role("checkbox"), "Space", back=True)
    person.reach(page.get_by_label("Action:"), back=True)
    page.keyboard.type("Suspend")
    person.press(page.get_by_role("button", name="Go", exact=True))
    person.arrive()
    person.reach(page.get_by_label("Reason"))
    page.keyboard.type("A report")
    person.press(page.get_by_role("button", name="Suspend"))
    person.arrive()
    expect(page.get_by_role("cell", name="suspended")).to_be_visible()
    connector.refresh_from_db()
    assert connector.suspended_at
