"""The tree of groups in a real browser: branches unfold where they stand, and without scripts they are pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from accounts.models import Organisation, User
from groups.models import Group, GroupLink
from groups.tests.factories import make_group
from kaizala_console.tests.browser import assert_accessible, assert_fits
from kaizala_console.tests.looking import findings

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

OpenPage = Callable[..., Page]
TREE = "/console/groups/?view=tree"
LONG = "A group whose name goes on until it reaches the 120 characters that a name may have, and no single one more"


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
