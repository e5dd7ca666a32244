"""By keyboard alone: the ways through the console, and what one sets for oneself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import AuthenticatorApp, Organisation, User
from accounts.tests.authenticator import code_of
from connectors.models import Connector
from connectors.services import connectors
from connectors.tests.factories import make_connector
from groups.models import Group
from groups.tests.factories import make_group
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]
TypistOf = Callable[..., Typist]


@pytest.fixture
def depot(organisation: Organisation, group_admin: User, member: User) -> Group:
    """A group with one admin and one member."""
    return make_group("Depot North", organisation=organisation, admins=[group_admin], members=[member])


@pytest.fixture
def two_connectors(developer: User) -> list[Connector]:
    """One is live, and one suspended."""
    live, suspended = make_connector(developer, "Depot Planner"), make_connector(developer, "Roster")
    connectors.suspend(connector=suspended, by=developer)
    return [live, suspended]


@pytest.mark.parametrize("width", [1280, 360])
def test_a_slash_searches_and_what_is_found_is_opened(
    typist: TypistOf, depot: Group, group_admin: User, width: int
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
    page.keyboard.type("depot")
    person.key("Enter")
    page.wait_for_url("**q=depot")
    person.skip()
    person.link("Depot North")
    expect(page.get_by_role("heading", name="Depot North")).to_be_visible()


def test_the_list_of_keys_is_shown_and_gives_the_focus_back(typist: TypistOf, group_admin: User) -> None:
    person = typist(group_admin)
    page = person.page
    page.goto(reverse("groups:list"))
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    opener = page.get_by_role("link", name="Create group").first
    person.reach(opener)
    person.key("?")
    expect(sheet).to_be_visible()
    person.reach(sheet.get_by_role("link", name="Help pages"))
    person.key("Escape")
    expect(sheet).to_be_hidden()
    expect(opener).to_be_focused()
    person.key("?")
    person.press(sheet.get_by_role("button", name="Close"), "Space")
    expect(sheet).to_be_hidden()
    expect(opener).to_be_focused()
    for letter, address in (("c", "connectors"), ("s", "settings")):
        person.key("g")
        person.key(letter)
        page.wait_for_url(f"**/console/{address}/")


def test_the_menu_of_a_narrow_screen_opens_leads_on_and_closes(
    typist: TypistOf, depot: Group, group_admin: User
) -> None:
    person = typist(group_admin, width=360, height=740)
    page = person.page
    page.goto(reverse("groups:list"))
    menu, main = page.get_by_role("button", name="Menu", exact=True), page.get_by_role("navigation", name="Main")
    person.press(menu, "Space")
    expect(main.get_by_role("link", name="Groups")).to_be_focused()
    person.press(page.get_by_role("button", name="Dark"), "Space")
    expect(page.locator("html[data-theme=dark]")).to_have_count(1)
    person.key("Escape")
    expect(main).to_be_hidden()
    expect(menu).to_be_focused()
    person.press(menu)
    person.press(page.get_by_role("link", name="Close the menu"), back=True)
    expect(main).to_be_hidden()
    expect(menu).to_be_focused()
    person.press(menu)
    person.open("Activity")
    expect(page.get_by_role("heading", name="Activity", level=1)).to_be_visible()
    expect(main).to_be_hidden()


def test_single_keys_are_switched_off_and_on_again(typist: TypistOf, group_admin: User) -> None:
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


@pytest.mark.parametrize("width", [1280, 360])
def test_every_tab_of_a_group_is_gone_to(typist: TypistOf, depot: Group, group_admin: User, width: int) -> None:
    person = typist(group_admin, width=width)
    page = person.page
    page.goto(reverse("groups:details", args=[depot.pk]))
    tabs = page.get_by_role("navigation", name="Parts of this group")
    for number in range(1, tabs.get_by_role("link").count()):
        person.skip()
        tab = tabs.get_by_role("link").nth(number)
        address = tab.get_attribute("href")
        person.press(tab)
        page.wait_for_url(f"**{address}")
        expect(tabs.locator("[aria-current=page]")).to_have_attribute("href", str(address))


def test_a_list_is_filtered_and_shown_whole_again(
    typist: TypistOf, two_connectors: list[Connector], developer: User
) -> None:
    """What is chosen keeps the focus when the list is swapped."""
    person = typist(developer)
    page = person.page
    page.goto(reverse("connectors:list"))
    person.skip()
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


def test_another_browser_is_signed_out_and_a_language_chosen(
    typist: TypistOf, group_admin: User, organisation: Organisation
) -> None:
    person, other = typist(group_admin), typist(group_admin)
    page = person.page
    page.goto(reverse("accounts:settings"))
    person.skip()
    person.link("View sessions")
    page.wait_for_url("**/sessions/")
    person.skip()
    person.press(page.get_by_role("main").get_by_role("listitem").get_by_role("button", name="Sign out"), "Space")
    expect(page.get_by_role("button", name="Sign out everywhere else")).to_have_count(0)
    other.page.goto(reverse("accounts:settings"))
    expect(other.page.get_by_role("button", name="Sign in with Office365")).to_be_visible()
    person.open("Settings")
    page.wait_for_url("**/settings/")
    person.skip()
    person.press(person.field("Language"), "ArrowDown")
    person.key("ArrowDown")
    person.press(page.locator("#language").get_by_role("button", name="Save"))
    expect(page.locator("html[lang=hi]")).to_be_visible()


def test_an_authenticator_app_is_set_up(typist: TypistOf, operator: User) -> None:
    person = typist(operator)
    page = person.page
    page.goto(reverse("accounts:settings"))
    person.skip()
    person.link("Open the operators’ pages")
    expect(page.get_by_role("heading", name="Set up your authenticator app")).to_be_visible()
    code = page.get_by_label("Code")
    person.skip()
    person.reach(code)
    page.keyboard.type(code_of(AuthenticatorApp.objects.get(user=operator)))
    person.key("Enter")
    expect(page.get_by_role("heading", name="Set up your authenticator app")).to_have_count(0)
    assert AuthenticatorApp.objects.get(user=operator).confirmed
