"""By keyboard alone: the first visit; registering, granting and claiming; and what a program asks of a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.management import call_command
from playwright.sync_api import expect

from accounts.models import User
from accounts.tests.factories import verify
from connectors.models import Grant, RefreshToken
from connectors.tests.factories import make_connector
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]

CONNECTOR = "Shift Planner"


@pytest.mark.capability
def test_a_connector_is_registered_granted_and_claimed_without_a_mouse(typist: Callable[[str], Typist]) -> None:
    call_command("demo", first_run=True, verbosity=0)
    developer, admin = typist("developer"), typist("group-admin")

    page = developer.page
    developer.come()
    developer.open("Connectors")
    page.wait_for_url("**/connectors/")
    developer.skip()
    developer.link("Add Connector")
    page.wait_for_url("**/connectors/add/")
    developer.skip()
    developer.write("Name", CONNECTOR)
    developer.button("Continue")
    expect(page.get_by_label("Text Message", exact=True)).to_be_visible()
    developer.skip()
    developer.tick("Text Message")
    developer.button("Create Connector")
    expect(page.get_by_label("Connector secret", exact=True)).to_be_visible()
    developer.done()
    expect(page.get_by_role("heading", name=CONNECTOR)).to_be_visible()

    page = admin.page
    admin.come()
    admin.open("Groups")
    page.wait_for_url("**/groups/")
    admin.skip()
    admin.press(page.get_by_role("row").filter(has_text="Admin").get_by_role("link"))
    expect(page.get_by_role("navigation", name="Parts of this group")).to_be_visible()
    admin.skip()
    admin.link("Connectors")
    page.wait_for_url("**/connectors/")
    admin.skip()
    admin.choose("Connector", CONNECTOR)
    admin.button("Add Connector")
    expect(page.get_by_role("list", name="Handoff progress")).to_be_visible()

    page = developer.page
    developer.open("Handoffs")
    developer.button("Claim")
    expect(page.get_by_label("Refresh token", exact=True)).to_be_visible()
    developer.done()
    assert RefreshToken.objects.count() == 1


def test_the_first_visit_leads_to_home_and_its_first_steps_without_a_mouse(typist: Callable[[str], Typist]) -> None:
    """With a number that is none, and a PIN that is wrong: what is wrong is where the keys are."""
    call_command("demo", first_run=True, verbosity=0)
    developer = typist("developer")
    page = developer.page
    developer.sign_in()
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    developer.write("Number", "12")
    developer.key("Enter")
    expect(page.get_by_role("alert")).to_be_focused()
    assert developer.identity is not None
    developer.write("Number", developer.identity.number)
    developer.key("Enter")
    expect(page.get_by_role("heading", name="Enter the PIN")).to_be_visible()
    pin = page.locator("input[name=pin]")
    developer.reach(pin)
    page.keyboard.type(str((int(developer.pin_of(developer.identity.number)) + 1) % 10**6).zfill(6))
    developer.key("Enter")
    expect(page.get_by_text("This is not the PIN")).to_be_visible()
    expect(pin).to_be_focused()
    developer.enter_the_pin()
    expect(page.get_by_text("verified.")).to_be_visible()

    developer.skip()
    developer.link("How this works")
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Home")
    developer.open("Home")
    developer.skip()
    developer.button("Dismiss", "Space")
    expect(page.get_by_role("heading", name="First steps")).to_have_count(0)
    expect(page.get_by_role("heading", name="Recent activity")).to_be_visible()


def test_a_person_says_without_a_mouse_with_which_number_a_program_may_act(
    typist: Callable[..., Typist], developer: User, member: User, live_server: Any
) -> None:
    back = f"{live_server.url}/console/help/"
    connector = make_connector(developer, CONNECTOR, redirect_urls=[back])
    verify(member, is_primary=False)
    person = typist(member)
    asked = {"client_id": str(connector.pk), "redirect_uri": back, "state": "s p"}
    for button in ("Don’t allow", "Allow"):
        person.page.goto(f"/api/Oauth/Authorize?{urlencode(asked)}")
        expect(person.page.get_by_role("heading", name="act for you?")).to_be_visible()
        if button == "Allow":
            person.reach(person.page.get_by_role("radio").first)
            person.key("ArrowDown")
            expect(person.page.get_by_role("radio").nth(1)).to_be_focused()
            expect(person.page.get_by_role("radio").nth(1)).to_be_checked()
        person.button(button, "Space")
        person.page.wait_for_url(f"{back}?**")
        assert Grant.objects.exists() is False  # the program has not traded its code yet
        assert ("code=" in person.page.url) is (button == "Allow")
