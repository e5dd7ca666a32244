"""The pages of groups in a real browser: what scripts add, what goes without them, and who can use them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from accounts.models import Organisation, User
from accounts.tests.factories import make_person
from connectors.models import Bot, Connector, Grant
from groups.models import Group, GroupLink, Membership, Message
from groups.services import connectors, messages
from groups.tests.factories import make_connector, make_group, person_of
from kaizala_console.lib import clock
from kaizala_console.tests.browser import assert_accessible, assert_fits
from kaizala_console.tests.looking import findings

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
OpenPage = Callable[..., Page]

LONG = "A group whose name goes on until it reaches the 120 characters that a name may have, and no single one more"


def tab(group: Group, name: str) -> str:
    return reverse(f"groups:{name}", args=[group.pk])


@pytest.fixture
def depot(organisation: Organisation, group_admin: User, member: User, developer: User) -> Group:
    """A group with everything in it, and more connectors than a plain drop-down is good for."""
    group = make_group(LONG, organisation=organisation, admins=[group_admin], members=[member])
    for name in ("محمد الأحمد", "", "Bartholomew Featherstonehaugh-Cholmondeley the Third"):
        Membership.objects.create(group=group, person=make_person(name))
    make_group("مجموعة فرعية", organisation=organisation, admins=[group_admin], under=group)
    for days in (3, 20, None):
        granted = make_connector(developer, name=f"Ends in {days} days")
        ends_at = clock.now() + dt.timedelta(days=days) if days else None
        connectors.add_connector(group=group, connector_id=granted.pk, by=group_admin, ends_at=ends_at)
    for number in range(8):
        make_connector(developer, name=f"Bot {number}", description="Does something.")
    for text in ("سنبدأ غدًا في السادسة", "https://example.com/" + "x" * 200, "One\n\n  two"):
        messages.post(group=group, text=text, person=person_of(member), by=member)
    speaking = make_connector(developer, name="Rota")
    bot = Bot.objects.create(connector=speaking, name="Bartholomew Featherstonehaugh-Cholmondeley, announcer of rotas")
    messages.post(group=group, text="Hi", person=person_of(member), connector=speaking, bot=bot, by=member)
    return group


@pytest.mark.capability
def test_typing_finds_a_connector_and_shows_what_it_could_do(
    open_page: OpenPage, depot: Group, group_admin: User
) -> None:
    page = open_page(user=group_admin)
    page.goto(tab(depot, "connectors"))
    expect(page.get_by_role("button", name="Show permissions")).to_have_count(0)
    box = page.get_by_role("combobox", name="Connector")
    expect(box).to_have_attribute("placeholder", "Choose a connector")
    box.fill("bot 5")
    expect(page.get_by_role("option")).to_have_text(["Bot 5 · Devika Rao"])
    box.press("Enter")
    expect(page.get_by_role("heading", name="Permissions of “Bot 5” in this group")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Add Connector").click()
    expect(page.get_by_text("“Bot 5” added. We notified")).to_be_visible()
    assert Grant.objects.filter(connector__name="Bot 5").count() == 1


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
@pytest.mark.capability
def test_people_are_added_made_admin_and_removed(
    open_page: OpenPage, group: Group, group_admin: User, scripts: bool
) -> None:
    page = open_page(user=group_admin, scripts=scripts)
    page.goto(tab(group, "details"))
    expect(page.get_by_label("Phone numbers")).to_be_hidden()
    page.locator("summary").filter(has_text="Add users").click()
    page.get_by_label("Phone numbers").fill("12, +91 98765 43210")
    page.get_by_role("button", name="Add users").click()
    expect(page.get_by_text("1 person added.")).to_be_visible()
    expect(page.get_by_label("Phone numbers")).to_have_value("12")
    page.goto(tab(group, "details"))
    page.get_by_role("button", name="Make admin Meera Nair").click()
    expect(page.get_by_text("Meera Nair is now an admin.")).to_be_visible()
    page.get_by_role("link", name="Remove +91 98765 43210").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("+91 98765 43210 removed from the group.")).to_be_visible()


@pytest.mark.capability
def test_a_message_is_written_and_stands_on_top(open_page: OpenPage, group: Group, member: User) -> None:
    page = open_page(user=member, width=360)
    page.goto(tab(group, "messages"))
    page.get_by_label("Message").fill("Rain tomorrow\nStay in")
    page.get_by_role("button", name="Send").dblclick()
    expect(page.get_by_role("listitem").filter(has_text="Rain tomorrow")).to_be_visible()
    assert Message.objects.get().text == "Rain tomorrow\nStay in"
    assert_accessible(page)


@pytest.mark.capability
def test_a_token_is_shown_once_to_the_admin_and_gone_when_left(
    open_page: OpenPage, group: Group, connector: Connector, group_admin: User
) -> None:
    granted = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin)
    page = open_page(user=group_admin, width=360)
    page.goto(reverse("groups:grant", args=[group.pk, granted.grant.pk]))
    page.get_by_role("button", name="View once").click()
    token = page.get_by_label("Refresh token").input_value()
    assert token.startswith("kzrt_")
    assert_fits(page)
    assert_accessible(page)
    page.get_by_label("I have stored it").check()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("Arjun Mehta viewed the token once.")).to_be_visible()
    assert token not in page.content()


def test_a_message_that_is_too_long_is_counted_while_it_is_typed_and_comes_back_whole(
    open_page: OpenPage, depot: Group, member: User
) -> None:
    page = open_page(user=member, width=360)
    page.goto(tab(depot, "messages"))
    text, count = page.get_by_label("Message", exact=True), page.locator("#id_message-field .field-count")
    text.fill("Good morning")
    expect(count).to_be_hidden()
    text.fill("x" * 4_001)
    expect(count).to_have_text("4,001 / 4,000")
    expect(count).to_have_class("field-count field-count-over")
    before = Message.objects.count()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("at most 4000 characters").first).to_be_visible()
    expect(text).to_have_value("x" * 4_001)
    assert Message.objects.count() == before


TREE = "/console/groups/?view=tree"


@pytest.fixture
def line(group: Group, organisation: Organisation, group_admin: User) -> list[Group]:
    """Thirty groups below each other; the first has another one beside them, which the second parent has as well."""
    line = [group]
    for number in range(2, 31):
        name = {3: LONG, 4: "مجموعة فرعية"}.get(number, f"Level {number}")
        line.append(make_group(name, organisation=organisation, admins=[group_admin], under=line[-1]))
    shared = make_group("Shared", organisation=organisation, members=[group_admin], under=group)
    GroupLink.objects.create(parent=make_group("Another", admins=[group_admin]), child=shared)
    make_group("Leaf", organisation=organisation, admins=[group_admin], under=shared)
    return line


def toggle(within: Page | Locator, name: str) -> Locator:
    return within.get_by_role("button", name=f"Sub-groups of {name}", exact=True)


def one(page: Page, name: str) -> Locator:
    """The item of the list in which the group stands, with all that stands under it."""
    return page.locator(".tree-one").filter(has=page.get_by_role("link", name=name, exact=True))


@pytest.mark.capability
def test_a_branch_unfolds_in_its_place_keeps_the_focus_and_folds_again(
    open_page: OpenPage, line: list[Group], group_admin: User
) -> None:
    page = open_page(user=group_admin)
    page.goto(TREE)
    title = page.title()
    first = toggle(page, "Night Shift")
    expect(first).to_have_attribute("aria-expanded", "false")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "under=" in request.url else None)
    first.click()
    expect(first).to_have_attribute("aria-expanded", "true")
    expect(first).to_be_focused()
    expect(first).not_to_have_attribute("aria-busy", re.compile(""))
    expect(page.locator(".tree-level .tree-level > .tree-one > .tree-row .tree-name")).to_have_text(
        ["Level 2", "Shared"]
    )
    expect(page.get_by_role("main")).to_have_count(1)
    assert page.title() == title
    expect(page).to_have_url(re.compile(r"\?view=tree$"))
    first.click()
    expect(page.get_by_role("link", name="Level 2")).to_be_hidden()
    expect(first).to_have_attribute("aria-expanded", "false")
    first.click()
    expect(page.get_by_role("link", name="Level 2")).to_be_visible()
    assert len(asked) == 1
    assert_accessible(page)


def test_a_group_under_two_unfolds_under_both(open_page: OpenPage, line: list[Group], group_admin: User) -> None:
    page = open_page(user=group_admin)
    page.goto(TREE)
    for above in ("Night Shift", "Another"):
        toggle(page, above).click()
        toggle(one(page, above), "Shared").click()
        expect(one(page, above).get_by_role("link", name="Leaf")).to_be_visible()
    expect(page.get_by_role("link", name="Leaf")).to_have_count(2)


@pytest.mark.parametrize(("width", "direction"), [(1280, "ltr"), (360, "ltr"), (360, "rtl")])
def test_thirty_levels_fit_and_can_be_used_by_everybody(
    open_page: OpenPage, line: list[Group], group_admin: User, width: int, direction: str
) -> None:
    page = open_page(user=group_admin, width=width)
    page.goto(TREE)
    page.evaluate("direction => document.documentElement.dir = direction", direction)
    for above in line[:-1]:
        toggle(page, above.name).click()
        expect(toggle(page, above.name)).to_have_attribute("aria-expanded", "true")
    last = page.get_by_role("link", name="Level 30")
    box: Any = last.bounding_box()
    assert box["width"] >= 60
    assert box["height"] < 100
    side = "left" if direction == "ltr" else "right"
    starts = page.locator(".tree-toggle").evaluate_all(
        "(all, side) => all.map((one) => one.getBoundingClientRect()[side])", side
    )
    line_of = starts[1 : len(line) + 1]
    inwards = line_of if direction == "ltr" else [-start for start in line_of]
    assert inwards == sorted(inwards)
    assert len(set(inwards)) == len(line)
    assert_accessible(page)
    assert_fits(page)
    assert findings(page) == []


def test_without_scripts_the_same_link_leads_to_the_branch_and_the_way_up(
    open_page: OpenPage, line: list[Group], group_admin: User
) -> None:
    page = open_page(user=group_admin, scripts=False)
    page.goto(TREE)
    for name in ("Night Shift", "Level 2"):
        page.get_by_role("link", name=f"Sub-groups of {name}").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page).to_have_url(re.compile(f"view=tree&under={line[1].pk}"))
    expect(page.get_by_role("link", name=LONG, exact=True)).to_be_visible()
    page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Night Shift").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Night Shift")


def test_who_was_signed_out_meanwhile_comes_to_the_sign_in(
    open_page: OpenPage, line: list[Group], group_admin: User
) -> None:
    page = open_page(user=group_admin)
    page.goto(TREE)
    page.context.clear_cookies()
    toggle(page, "Night Shift").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
