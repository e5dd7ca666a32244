"""Whoever works with the keyboard keeps their place: nothing that moves takes it away, and nothing covers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import User
from groups.models import BulkJob, Group
from groups.tests import factories
from groups.tests.bulk import uploaded
from kaizala_console.lib import clock, ids

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
OpenPage = Callable[..., Page]
FILE = "Phone number,Name\n+91 98200 00071,Asha\nnobody,somebody\n"
# The nearer half of what has the focus is the top thing there: no bar lies over it.
UNCOVERED = """() => {
  const box = document.activeElement.getBoundingClientRect();
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + 1);
  return document.activeElement.contains(top) || top.contains(document.activeElement) || top.className;
}"""


def running(group: Group, by: User) -> BulkJob:
    """An upload of two lines that a worker is at."""
    job = uploaded(group, by, FILE)
    BulkJob.objects.filter(pk=job.pk).update(
        checked_at=clock.now(),
        approved_at=clock.now(),
        finished_at=None,
        lease=ids.new_id(),
        total_lines=2,
        done_lines=0,
    )
    return job


def test_the_progress_of_an_upload_leaves_the_focus_where_it_is(open_page: OpenPage, group_admin: User) -> None:
    group = factories.make_group(admins=[group_admin])
    job = running(group, group_admin)
    page = open_page(user=group_admin)
    page.goto(reverse("groups:bulk_job", args=[job.pk]))
    page.get_by_role("button", name="Cancel").focus()
    BulkJob.objects.filter(pk=job.pk).update(done_lines=1)
    page.get_by_text("1 of 2 done").wait_for()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()


def test_when_what_had_the_focus_is_gone_the_part_has_it_in_which_it_was(
    open_page: OpenPage, group_admin: User
) -> None:
    group = factories.make_group(admins=[group_admin])
    job = running(group, group_admin)
    page = open_page(user=group_admin)
    page.goto(reverse("groups:bulk_job", args=[job.pk]))
    page.get_by_role("button", name="Cancel").focus()
    BulkJob.objects.filter(pk=job.pk).update(finished_at=clock.now())
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.locator("#job")).to_be_focused()


def test_the_menu_does_not_stay_open_over_what_has_the_focus(open_page: OpenPage, group_admin: User) -> None:
    page = open_page(user=group_admin, width=360)
    page.goto("/console/groups/")
    page.get_by_role("button", name="Menu").press("Enter")
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Menu")).to_have_attribute("aria-expanded", "false")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


@pytest.mark.parametrize("width", [1280, 360])
def test_escape_and_closing_give_the_focus_back_to_what_opened(
    width: int, open_page: OpenPage, group_admin: User
) -> None:
    page = open_page(user=group_admin, width=width)
    page.goto("/console/groups/")
    if width == 360:
        page.get_by_role("button", name="Menu").press("Enter")
    opener = page.get_by_role("button", name="Keyboard shortcuts")
    for close in ("Escape", "Enter"):
        opener.press("Enter")
        expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        page.keyboard.press(close)
        expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()
        if width == 360:  # the key closed the dialog alone, and not the menu that it lay on
            expect(page.locator("[data-menu-open]")).to_have_attribute("aria-expanded", "true")
        expect(opener).to_be_focused()


def test_the_top_bar_covers_nothing_that_has_the_focus(open_page: OpenPage, whole_world: Any) -> None:
    page = open_page(user=whole_world.group_admin, zoom=2, height=600, reduced_motion="reduce")
    page.goto(reverse("groups:details", args=[whole_world.facts["group_id"]]))
    covered = {}
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.get_by_role("link", name="Remove").last.focus()
    for _press in range(25):
        page.keyboard.press("Shift+Tab")
        if (by := page.evaluate(UNCOVERED)) is not True:
            covered[page.evaluate("document.activeElement.textContent.trim()")] = by
    assert covered == {}
