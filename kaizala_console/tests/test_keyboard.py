"""By keyboard alone: every page from its first stop to its last, and what needs more than Tab, Enter and Space."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import AuthenticatorApp, User
from accounts.tests.authenticator import code_of
from connectors.models import Connector, RefreshToken
from connectors.permissions import PERMISSIONS
from connectors.services import connectors
from connectors.tests.factories import make_connector
from groups.models import Group, Response
from groups.services import actions
from groups.tests.cards import POLL
from groups.tests.factories import person_of
from kaizala_console.lib.tests.cast import BrowserOf, OpenPage
from kaizala_console.tests.every_page import PAGES
from kaizala_console.tests.open_doors import OPEN
from kaizala_console.tests.test_confirming_doors import CONFIRMING
from kaizala_console.tests.typist import Typist
from kaizala_console.tests.visiting import Visitors
from kaizala_console.tests.whole_world import World

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]
TypistOf = Callable[..., Typist]
CONNECTOR = "Shift Planner"


@pytest.fixture
def connector(developer: User) -> Connector:
    """The developer's."""
    return make_connector(developer, CONNECTOR, permissions=PERMISSIONS)


# With scripts the page makes the file itself; "Done" waits for "I have stored it", as in the first journey.
SHOWN_ONCE = re.compile("_(download|done)$")
PUT_AWAY = "onboarding_restore"  # there once the first steps are dismissed


@pytest.mark.timeout(1200)
def test_tab_comes_to_all_that_can_be_used_and_to_every_form_and_one_sees_where_it_is(
    whole_world: World, open_page: OpenPage, browser_of: BrowserOf, live_server: Any, settings: Any
) -> None:
    """The operators' pages are Django's, and the API explorer Swagger's: they have journeys below."""
    settings.PIN_COOLDOWN_SECONDS = 0
    look = {"width": 1280, "reduced_motion": "reduce"}
    visitors = Visitors(whole_world, open_page, browser_of, look, live_server.url)
    wrong: list[str] = []
    doors: set[str] = set()
    for visit in (visit for section, several in PAGES.items() if section != "operators" for visit in several):
        if visit.name != "connectors:explorer":
            walker = Typist(visitors.open(visit), lambda _number: "")
            wrong += [f"{visit}: {what}" for what in walker.walk() + walker.faults]
            doors |= walker.doors
    assert wrong == [], "\n".join(wrong)
    not_seen = (set(CONFIRMING) | set(OPEN)) - doors - {PUT_AWAY}
    assert sorted(name for name in not_seen if not SHOWN_ONCE.search(name)) == []


@pytest.mark.capability
def test_a_connector_is_registered_granted_and_claimed(typist: TypistOf) -> None:
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


def test_an_operator_passes_the_second_factor_and_suspends_a_connector(
    typist: TypistOf, operator: User, developer: User
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


@pytest.mark.parametrize("with_tls", [True, False])
def test_what_is_copied_leaves_the_focus_where_it_is(
    typist: TypistOf, connector: Connector, developer: User, with_tls: bool
) -> None:
    """Browsers have no `navigator.clipboard` where the console is served without TLS."""
    owner = typist(developer)
    page = owner.page
    if not with_tls:
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    owner.visit(reverse("connectors:details", args=[connector.pk]))
    owner.press(page.get_by_role("button", name="Copy Connector ID"), "Space")
    expect(page.get_by_role("button", name="Copied Connector ID")).to_be_focused()


def test_a_poll_is_answered_exported_and_liked_and_an_answer_that_is_missing_leads_to_its_choices(
    typist: TypistOf, group: Group, group_admin: User
) -> None:
    poll = actions.post(group=group, action_type="Poll", body=POLL, person=person_of(group_admin), by=group_admin)
    admin = typist(group_admin)
    page = admin.page
    admin.visit(reverse("groups:action", args=[group.pk, poll.pk]))
    admin.button("Send answer")
    expect(page.get_by_role("alert")).to_be_focused()
    admin.press(page.get_by_role("alert").get_by_role("link"))
    expect(page.get_by_role("main").get_by_role("group")).to_be_focused()
    assert admin.is_seen()
    admin.press(page.get_by_role("radio").first, "ArrowDown")
    admin.button("Send answer")
    assert Response.objects.get().body == {"choice": 1}
    admin.skip()
    with page.expect_download() as export:
        admin.press(page.get_by_role("button", name="Export answers"), "Space")
    assert "No" in export.value.path().read_text()
    admin.button("Like", "Space")
    expect(page.get_by_text("You like this", exact=True)).to_be_visible()


def test_a_list_is_filtered_and_shown_whole_again(typist: TypistOf, connector: Connector, developer: User) -> None:
    """What is chosen keeps the focus when the list is swapped."""
    connectors.suspend(connector=make_connector(developer, "Roster"), by=developer)
    person = typist(developer)
    page = person.page
    person.visit(reverse("connectors:list"))
    state = page.locator("select[name=state]")
    person.reach(state)
    page.keyboard.type("Suspended")
    expect(page.locator("#connector-list tbody tr")).to_have_count(1)
    expect(state).to_be_focused()
    person.press(page.get_by_role("link", name="Remove this filter"))
    expect(page.locator("#connector-list tbody tr")).to_have_count(2)
    person.skip()
    person.write("Search by name or connector ID", "nothing like it")
    person.key("Enter")
    person.skip()
    person.link("Clear filters")
    expect(page.locator("#connector-list tbody tr")).to_have_count(2)


@pytest.mark.parametrize("width", [1280, 360])
def test_a_slash_searches_and_what_is_found_is_opened(
    typist: TypistOf, group: Group, group_admin: User, width: int
) -> None:
    """On a narrow screen, whose menu is closed, it leads to the page that searches."""
    person = typist(group_admin, width=width)
    page = person.page
    page.goto(reverse("home"))
    person.key("/")
    field = person.field("Search from anywhere" if width == 1280 else "Search everything")
    if width == 360:
        page.wait_for_url("**/search/")
        person.key("/")
    expect(field).to_be_focused()
    page.keyboard.type("night")
    person.key("Enter")
    page.wait_for_url("**q=night")
    person.skip()
    person.link("Night Shift")
    expect(page.get_by_role("heading", name="Night Shift")).to_be_visible()


def test_single_keys_lead_on_and_are_switched_off_and_on_again(typist: TypistOf, group_admin: User) -> None:
    """Who speaks to the machine, or hits keys by chance, can do without them (WCAG 2.1.4)."""
    person = typist(group_admin)
    page = person.page
    page.goto(reverse("groups:list"))
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    for is_on in (False, True):
        person.press(page.get_by_role("button", name="Keyboard shortcuts"), back=True)
        person.press(sheet.get_by_role("checkbox", name="Use these keys"), "Space")
        person.key("Escape")
        page.reload()
        page.keyboard.press("?")
        expect(sheet).to_be_visible(visible=is_on)
    person.press(sheet.get_by_role("button", name="Close"), "Space")
    expect(sheet).to_be_hidden()
    person.key("g")
    person.key("c")
    page.wait_for_url("**/console/connectors/")
