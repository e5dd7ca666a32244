"""By keyboard alone: every page from its first stop to its last, and what needs more than Tab, Enter and Space."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import AuthenticatorApp, Organisation, User
from accounts.services import reauthentication
from accounts.tests.authenticator import code_of
from accounts.tests.factories import verify
from connectors.models import Connector, Grant, RefreshToken
from connectors.permissions import PERMISSIONS
from connectors.services import connectors
from connectors.tests.factories import make_connector
from groups.models import Group, Message, Response
from groups.services import actions
from groups.tests.cards import POLL
from groups.tests.factories import let_in, make_group, person_of
from kaizala_console.lib.tests.picture_files import WEBP
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
def group(organisation: Organisation, group_admin: User, member: User) -> Group:
    """With one admin and one member."""
    return make_group("Night Shift", organisation=organisation, admins=[group_admin], members=[member])


@pytest.fixture
def connector(developer: User) -> Connector:
    """The developer's."""
    return make_connector(developer, CONNECTOR, permissions=PERMISSIONS)


# With scripts the page makes the file itself; "Done" waits for "I have stored it", as in the first journey.
SHOWN_ONCE = re.compile("_(download|done)$")
PUT_AWAY = "onboarding_restore"  # there once the first steps are dismissed, as in the second journey


@pytest.mark.timeout(1200)
def test_tab_comes_to_all_that_can_be_used_and_to_every_form_and_one_sees_where_it_is(
    whole_world: World,
    open_page: Callable[..., Page],
    browser_of: Callable[..., Client],
    live_server: Any,
    settings: Any,
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


def test_the_first_visit_leads_to_home_and_its_first_steps(typist: TypistOf) -> None:
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
    developer.visit(reverse("help"))
    developer.button("Show them on Home")
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()


def test_a_person_says_without_a_mouse_with_which_number_a_program_may_act(
    typist: TypistOf, developer: User, member: User, live_server: Any
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


def test_an_authenticator_app_is_set_up_confirms_and_is_removed(typist: TypistOf, developer: User) -> None:
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


def test_a_connector_is_deleted_by_its_name_and_a_wrong_one_leads_to_the_field(
    typist: TypistOf, connector: Connector, developer: User
) -> None:
    owner = typist(developer)
    page = owner.page
    owner.visit(reverse("connectors:details", args=[connector.pk]))
    owner.link(f"Delete {CONNECTOR}")
    owner.skip()
    owner.write("Name of the connector", "Shift Painter")
    owner.key("Enter")
    expect(page.get_by_role("alert")).to_be_focused()
    owner.press(page.get_by_role("alert").get_by_role("link"))
    expect(owner.field("Name of the connector")).to_be_focused()
    owner.write("Name of the connector", CONNECTOR)
    owner.button("Delete")
    page.wait_for_url("**/console/connectors/")
    assert Connector.objects.get().deleted_at is not None


def test_a_logo_is_refused_put_and_removed(
    typist: TypistOf, connector: Connector, developer: User, tmp_path: Path
) -> None:
    """What is no picture leads to its field; what is one is shown by the browser, in a place kept for it."""
    owner = typist(developer)
    page = owner.page

    def choose(name: str, content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        with page.expect_file_chooser() as chooser:
            owner.press(owner.field("Picture"))
        chooser.value.set_files(tmp_path / name)
        owner.button("Save logo")

    owner.visit(reverse("connectors:logo", args=[connector.pk]))
    choose("forged.png", b"<svg onload='alert(1)'/>")
    expect(page.get_by_role("alert")).to_be_focused()
    owner.press(page.get_by_role("alert").get_by_role("link"))
    expect(owner.field("Picture")).to_be_focused()
    choose("logo.webp", WEBP)
    shown = page.locator("h1 .avatar-logo img")
    expect(shown).to_be_visible()
    page.wait_for_function("() => document.querySelector('h1 .avatar-logo img').complete", timeout=10_000)
    assert shown.evaluate("img => [img.naturalWidth, img.naturalHeight]") == [40, 33]
    assert shown.evaluate("img => [img.width, img.height]") == [48, 48]
    owner.visit(reverse("connectors:logo", args=[connector.pk]))
    owner.button("Remove logo", "Space")
    expect(page.locator(".avatar-logo")).to_have_count(0)


def test_an_operation_is_found_and_tried(
    typist: TypistOf, connector: Connector, group: Group, developer: User, group_admin: User
) -> None:
    person, program = typist(developer), let_in(connector, group, group_admin)
    page = person.page
    person.visit(reverse("connectors:explorer"))
    page.locator(".opblock").first.wait_for(timeout=30_000)
    person.press(page.get_by_role("button", name="Authorize"))
    person.reach(page.get_by_label("Value:").first)
    page.keyboard.type(program.access_token)
    person.key("Enter")
    person.press(page.get_by_role("button", name="Close").last)
    person.write("Filter operations", "postMessage text")
    person.press(page.locator(".opblock-summary-control"))
    person.press(page.get_by_role("button", name="Try it out"))
    person.reach(page.get_by_placeholder("groupId"))
    page.keyboard.type(str(group.pk))
    person.press(page.get_by_role("button", name="Execute"))
    expect(page.locator(".live-responses-table .response-col_status").nth(1)).to_contain_text("200")
    assert str(Message.objects.get().pk) in page.locator(".live-responses-table").inner_text()


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


def test_one_of_many_connectors_is_found(typist: TypistOf, group: Group, developer: User, group_admin: User) -> None:
    """By letters, or arrow by arrow; Escape goes back to what was chosen before."""
    for number in range(1, 10):
        make_connector(developer, f"Planner {number}")
    admin = typist(group_admin)
    page = admin.page
    page.goto(reverse("groups:connectors", args=[group.pk]))
    admin.skip()
    box = page.get_by_role("combobox", name="Connector")
    admin.reach(box)
    page.keyboard.type("planner")
    admin.key("ArrowDown")
    expect(page.get_by_role("option").nth(1)).to_have_class("is-active")
    admin.key("Enter")
    expect(page.get_by_role("heading", name="Permissions of “Planner 2” in this group")).to_be_visible()
    admin.reach(box)
    page.keyboard.press("Control+A")
    page.keyboard.type("planner 8")
    expect(page.get_by_role("option")).to_have_count(1)
    admin.key("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(box).to_have_value(re.compile("Planner 2"))
    expect(box).to_be_focused()
    admin.button("Add Connector")
    expect(page.get_by_text("“Planner 2” added.")).to_be_visible()


def test_a_group_is_made_gets_a_sub_group_and_rules(
    typist: TypistOf, organisation: Organisation, group_admin: User
) -> None:
    make_group("Office", organisation=organisation, admins=[group_admin])
    admin = typist(group_admin)
    page = admin.page
    admin.visit(reverse("groups:create"))
    admin.button("Create group")
    expect(page.get_by_role("alert")).to_be_focused()
    admin.write("Name", "Depot")
    admin.key("Enter")
    admin.arrive()
    depot = Group.objects.get(name="Depot")
    admin.visit(reverse("groups:sub_groups", args=[depot.pk]))
    admin.link("Attach an existing group")
    admin.skip()
    admin.write("Search by name or ID", "off")
    admin.key("Enter")
    admin.skip()
    admin.link("Attach Office")
    admin.skip()
    admin.button("Attach", "Space")
    assert depot.child_links.get().child.name == "Office"

    admin.visit(reverse("groups:policies", args=[depot.pk]))
    for question in ("Who can post", "Who can see members"):
        choices = page.get_by_role("group", name=question).get_by_role("radio")
        admin.press(choices.first, "ArrowDown")
        expect(choices.last).to_be_checked()
    admin.button("Save rules", "Space")
    depot.refresh_from_db()
    assert depot.only_admins_post


def test_a_branch_is_unfolded_folded_and_followed_down(
    typist: TypistOf, group: Group, organisation: Organisation, group_admin: User
) -> None:
    gate = make_group("Gate", organisation=organisation, admins=[group_admin], under=group)
    lamp = make_group("Lamp", organisation=organisation, admins=[group_admin], under=gate)
    one = typist(group_admin)
    page = one.page
    one.visit("/console/groups/?view=tree")
    first, second = (page.get_by_role("button", name=f"Sub-groups of {name}") for name in ("Night Shift", "Gate"))
    one.press(first, "Space")
    expect(first).to_have_attribute("aria-expanded", "true")
    expect(first).to_be_focused()
    one.key("Space")
    expect(second).to_be_hidden()
    one.key("Enter")
    expect(second).to_be_visible()
    expect(first).to_be_focused()
    one.press(second, "Enter")
    expect(second).to_have_attribute("aria-expanded", "true")
    expect(second).to_be_focused()
    one.link("Lamp")
    expect(page).to_have_url(re.compile(str(lamp.pk)))


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


def test_a_file_is_uploaded_checked_and_gone_on_with(
    typist: TypistOf, group: Group, group_admin: User, tmp_path: Path
) -> None:
    """The file is chosen in the system's own window, which is not the page's."""
    people = tmp_path / "people.csv"
    people.write_text("Phone number,Name\n+91 98200 00071,Asha\nnobody,somebody\n", encoding="utf-8")
    admin = typist(group_admin)
    page = admin.page
    page.goto(reverse("groups:details", args=[group.pk]))
    admin.skip()
    admin.link("Bulk Upload Users")
    expect(admin.field("CSV file")).to_be_visible()
    admin.skip()
    admin.button("Upload and check")
    expect(page.get_by_role("alert")).to_be_focused()
    with page.expect_file_chooser() as chooser:
        admin.press(admin.field("CSV file"))
    chooser.value.set_files(people)
    admin.button("Upload and check")
    expect(page.get_by_role("heading", name="Lines with problems")).to_be_visible()
    admin.skip()
    admin.button("Import")
    expect(page.get_by_role("heading", name="Result")).to_be_visible()
    assert group.memberships.count() == 3


def test_several_people_are_ticked_and_removed(typist: TypistOf, group: Group, group_admin: User, member: User) -> None:
    admin = typist(group_admin)
    page = admin.page
    page.goto(reverse("groups:details", args=[group.pk]))
    admin.skip()
    admin.press(page.get_by_label("All on this page"), "Space")
    admin.press(page.get_by_label("Select Arjun Mehta"), "Space")
    admin.press(page.get_by_role("button", name="Remove", exact=True), back=True)
    expect(page.get_by_text("What this means")).to_be_visible()
    admin.skip()
    admin.button("Remove")
    expect(page.get_by_text("1 person removed from the group.")).to_be_visible()
    assert group.memberships.count() == 1


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
    typist: TypistOf, group: Group, group_admin: User
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
