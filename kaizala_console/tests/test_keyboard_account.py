"""By keyboard alone: one's numbers, what one is told and decides, what was done, the help, and the way out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts import queries, sandbox
from accounts.models import Organisation, User
from accounts.tests.factories import make_organisation, make_user
from connectors.models import Connector
from connectors.services import connectors
from connectors.tests.factories import make_connector
from kaizala_console.tests.browser import session_of
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]
TypistOf = Callable[..., Typist]


@pytest.fixture
def devika(db: None) -> User:
    """An account of the sandbox's identity page, with a phone number."""
    identity, organisation = sandbox.BY_KEY["developer"], make_organisation(entra_tenant_id=sandbox.TENANT_ID)
    user = make_user(identity.name, organisation, email=identity.email)
    User.objects.filter(pk=user.pk).update(subject=identity.subject)
    return user


def test_a_further_number_is_added_after_signing_in_again_made_primary_and_removed(
    typist: TypistOf, devika: User, settings: Any
) -> None:
    """With a wrong PIN and no try left: that is said where the keys are."""
    settings.PIN_COOLDOWN_SECONDS, settings.PIN_TRIES = 0, 1
    person = typist(devika)
    page = person.page
    session = session_of(page)
    session["signed_in_at"] = {**session["signed_in_at"], "at": session["signed_in_at"]["at"] - 7200}  # two hours ago
    session.save()
    person.visit(reverse("accounts:settings"))
    person.link("Add a Phone Number")
    person.skip()
    person.button("Sign in again with Office365")
    person.press(page.get_by_role("button", name=re.compile(devika.name)))
    expect(page.get_by_text("This locks your credentials for a while.")).to_be_visible()
    person.skip()
    person.choose("Country", "India")
    person.write("Number", "98765 43210")
    person.button("Generate PIN")
    person.reach(page.locator("input[name=pin]"))
    page.keyboard.type(str((int(person.pin_of("+919876543210")) + 1) % 10**6).zfill(6))
    person.key("Enter")
    person.arrive()
    expect(page.get_by_role("alert")).to_be_focused()
    person.button("Send a new PIN")
    person.enter_the_pin("+919876543210")
    expect(page.get_by_text(" verified.")).to_be_visible()

    person.visit(reverse("accounts:settings"))
    person.button(r"Make primary \+91 98765 43210", "Space")
    assert [phone.person.number for phone in queries.held_phones(devika) if phone.is_primary] == ["+919876543210"]
    person.skip()
    person.link("Remove +91 98765 43210")
    person.skip()
    person.button("Remove this number")
    expect(page.get_by_text("+91 98765 43210", exact=True)).to_have_count(0)
    assert len(queries.held_phones(devika)) == 1


def test_mails_are_chosen_a_rule_is_set_and_all_other_browsers_are_signed_out(
    typist: TypistOf, organisation_admin: User, organisation: Organisation
) -> None:
    person, other = typist(organisation_admin), typist(organisation_admin)
    page = person.page
    person.visit(reverse("accounts:settings"))
    person.press(page.get_by_role("group", name="Send me mail about").get_by_role("checkbox").first, "Space")
    person.press(page.locator("#mails").get_by_role("button", name="Save"))
    person.arrive()
    expect(page.get_by_text("Saved.")).to_be_visible()
    organisation_admin.refresh_from_db()
    assert len(organisation_admin.muted_mail) == 1
    person.visit(reverse("accounts:organisation"))
    person.tick("Group admins can view a refresh token once")
    person.button("Save")
    expect(page.get_by_text("Saved for all of")).to_be_visible()
    before = organisation.admins_may_see_tokens
    organisation.refresh_from_db()
    assert organisation.admins_may_see_tokens is not before
    person.visit(reverse("accounts:sessions"))
    person.button("Sign out everywhere else", "Space")
    expect(page.get_by_role("main").get_by_role("list").get_by_role("button")).to_have_count(0)
    other.page.goto(reverse("accounts:settings"))
    expect(other.page.get_by_role("button", name="Sign in with Office365")).to_be_visible()


def test_what_was_done_is_filtered_exported_and_looked_at(typist: TypistOf, developer: User) -> None:
    connector = make_connector(developer, "Depot Planner")
    connectors.suspend(connector=connector, by=developer)
    connectors.resume(connector=connector, by=developer)
    person = typist(developer)
    page = person.page
    person.visit(reverse("activity"))
    person.choose("What", "Connectors")
    person.unfold("More filters")
    person.reach(person.field("From"))
    page.keyboard.type("01012026")
    person.tick("Only my actions")
    person.key("Enter")  # from the last field: the button stands before what was folded away
    person.arrive()
    events = page.get_by_role("list", name="Activity").get_by_role("listitem")
    expect(events).to_have_count(2)
    person.skip()
    person.press(page.get_by_role("link", name="Only my actions Remove this filter"))
    expect(page.get_by_role("link", name="Only my actions")).to_have_count(0)
    person.skip()
    with page.expect_download() as export:
        person.press(page.get_by_role("button", name="Export as CSV"), "Space")
    assert export.value.path().read_text().count("connector:") == 2
    person.press(events.first.get_by_role("link"), back=True)
    expect(page.get_by_role("heading", name="Event")).to_be_visible()


def test_help_is_searched_and_brings_the_first_steps_back_before_one_signs_out(
    typist: TypistOf, developer: User
) -> None:
    person = typist(developer)
    page = person.page
    person.visit(reverse("home"))
    person.button("Dismiss")
    person.visit(reverse("help"))
    person.write("Search help", "signature")
    person.key("Enter")
    person.arrive()
    expect(page.locator(".help-card").first).to_be_visible()
    person.skip()
    person.press(page.locator(".help-card").first.get_by_role("link"))
    person.skip()
    person.link("All help pages")
    person.skip()
    person.button("Show them on Home", "Space")
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    person.press(page.get_by_role("button", name="Sign out"))
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    person.skip()
    person.link("Sign in again")
    expect(page.get_by_role("button", name="Sign in with Office365")).to_be_visible()
    assert not Connector.objects.exists()
