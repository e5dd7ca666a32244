"""Groups in a real browser: actions, uploads, a drop-down, and pages that follow along without losing anything."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect
from playwright.sync_api import Response as Answered

from accounts.models import Organisation, User
from connectors.models import Connector
from connectors.services import handoffs
from groups.media import storage
from groups.models import Action, BulkJob, Group, MediaFile, Response
from groups.services import connectors
from groups.tests.bulk import uploaded, worked_at
from groups.tests.cards import make_media
from groups.tests.factories import Program, ask_for_access, make_group, person_of
from groups.tests.media_files import PNG
from groups.tests.test_connector_pages import many, tab_of
from kaizala_console.tests.browser import assert_accessible, assert_fits
from kaizala_console.tests.looking import findings

__all__ = ["many"]
pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
OpenPage = Callable[..., Page]


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
@pytest.mark.capability
def test_a_poll_is_posted_answered_and_changed(open_page: OpenPage, group: Group, member: User, scripts: bool) -> None:
    page = open_page(user=member, width=360, scripts=scripts)
    page.goto(reverse("groups:messages", args=[group.pk]))
    expect(page.get_by_label("Question")).to_be_hidden()
    page.locator("summary").filter(has_text="New poll").click()
    page.get_by_label("Question").fill("Tea?")
    page.get_by_label("Choices").fill("Yes\nNo")
    page.get_by_role("button", name="Post poll").click()
    expect(page.get_by_text("Posted.")).to_be_visible()
    page.get_by_role("link", name="Answer Tea?").click()
    page.get_by_label("Yes").check()
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_text("Answer sent.")).to_be_visible()
    page.locator("summary").filter(has_text="Change your answer").click()
    page.get_by_label("No", exact=True).check()
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Answer changed.")).to_be_visible()
    expect(page.get_by_role("row", name="No your answer 1 100 %")).to_be_visible()
    assert Response.objects.get().body == {"choice": 1}


@pytest.mark.capability
def test_the_page_of_an_upload_moves_on_by_itself_until_it_is_done(
    open_page: OpenPage, organisation: Organisation, group_admin: User
) -> None:
    group = make_group(organisation=organisation, admins=[group_admin])
    job = uploaded(group, group_admin, "Phone number\n+91 98765 43210\nnobody\n9.18E+11\n")
    BulkJob.objects.filter(pk=job.pk).update(checked_at=None, total_lines=3, checked_lines=0, bad_lines=0)
    job.lines.all().delete()
    page = open_page(user=group_admin)
    page.goto(reverse("groups:bulk_job", args=[job.pk]))
    expect(page.get_by_text("Checking people.csv")).to_be_visible()
    worked_at(job)
    expect(page.get_by_role("button", name="Import")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("The spreadsheet rounded this number. Format the column as text first.")).to_be_visible()
    assert page.locator("[hx-trigger]").count() == 0


# What coming back to the tab does: it asks at once.
ASK = "document.dispatchEvent(new Event('seenagain'))"
LOOK_AWAY = "hidden => Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden})"


def is_poll(response: Answered) -> bool:
    return "if-none-match" in response.request.headers


def ask(page: Page) -> int:
    """Has the page ask, waits for the answer, and returns its status."""
    with page.expect_response(is_poll) as answered:
        page.evaluate(ASK)
    answered.value.finished()
    page.wait_for_timeout(100)
    return answered.value.status


def test_the_line_follows_along_with_the_focus_where_it_is_and_not_in_a_tab_that_nobody_sees(
    open_page: OpenPage, group: Group, connector: Connector, group_admin: User, developer: User
) -> None:
    handoff = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin).handoff
    url = reverse("groups:grant", args=[group.pk, handoff.grant_id])
    page = open_page(user=group_admin)
    page.goto(url)
    opened = page.get_by_role("listitem").filter(has_text="Claimed")
    assert ask(page) == 304
    expect(opened).to_contain_text("Claimed")
    handoffs.claim(handoff=handoff, by=developer, idempotency_key="k" * 32, address=None)

    page.evaluate(LOOK_AWAY, True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "if-none-match" in request.headers else None)
    page.evaluate(ASK)
    page.wait_for_timeout(300)
    assert asked == []

    remove = page.get_by_role("link", name="Remove")
    remove.focus()
    page.evaluate(LOOK_AWAY, False)
    assert ask(page) == 200
    expect(opened).to_contain_text("done")
    expect(remove).to_be_focused()
    expect(page.locator("#live-words")).to_have_text("Claimed: Devika Rao")


def test_the_focus_in_a_part_that_changes_stays_or_the_part_has_it(
    open_page: OpenPage, group: Group, connector: Connector, group_admin: User, developer: User
) -> None:
    handoff = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin).handoff
    page = open_page(user=developer)
    page.goto(reverse("connectors:handoff", args=[handoff.pk]))
    page.get_by_role("link", name="Refuse").focus()
    handoffs.claim(handoff=handoff, by=developer, idempotency_key="k" * 32, address=None)
    assert ask(page) == 200
    expect(page.get_by_role("button", name="Claim")).to_have_count(0)
    expect(page.locator("#handoff-head")).to_contain_text("Claimed")
    assert page.evaluate("document.querySelector('#handoff-now').contains(document.activeElement)")
    assert page.title().startswith(f"Handoff for {group.name}")


def test_a_request_that_arrives_touches_no_form(
    open_page: OpenPage, group: Group, connector: Connector, group_admin: User
) -> None:
    page = open_page(user=group_admin, width=360)
    page.goto(reverse("groups:connectors", args=[group.pk]))
    end_date = page.get_by_label("End date")
    end_date.fill("2090-01-31")
    asked = ask_for_access(connector, group)
    assert ask(page) == 200
    expect(page.locator(f"#asked-now a[href$='{asked.pk}/']").first).to_be_visible()
    expect(end_date).to_have_value("2090-01-31")
    expect(end_date).to_be_focused()
    assert_accessible(page)
    assert_fits(page)
    assert ask(page) == 304


def test_the_drop_down_follows_the_words(
    group: Group, many: list[Connector], group_admin: User, open_page: Callable[..., Page]
) -> None:
    page = open_page(user=group_admin, width=360)
    page.goto(tab_of(group))
    page.get_by_label("Search for a connector").last.fill("Planner 117")
    expect(page.get_by_text("Showing 1 of 120.")).to_be_visible()
    assert page.locator("#connector-choices").count() == 1
    page.wait_for_function("!document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")
    page.get_by_label("Connector", exact=True).select_option(label="Planner 117 · Devika Rao")
    expect(page.get_by_text("Permissions of “Planner 117” in this group")).to_be_visible()
    assert findings(page, frame=False) == []


def test_pictures_are_there_in_spite_of_the_policy_of_the_page(
    open_page: OpenPage, group: Group, program: Program, member: User
) -> None:
    body = {"mediaResource": make_media(program, "Album", *(f"{number}.png" for number in range(6))), "caption": "Ward"}
    album = Action.objects.create(group=group, person=person_of(member), kind="Album", title="Ward", body=body)
    for file in MediaFile.objects.all():
        storage.save(file.key, io.BytesIO(PNG))
    MediaFile.objects.update(content_type="image/png", size=len(PNG))
    page = open_page(user=member)
    page.goto(reverse("groups:action", args=[group.pk, album.pk]))
    page.get_by_role("img", name="5.png").scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    widths = page.locator(".thumbnail img").evaluate_all("(all) => all.map((one) => one.naturalWidth)")
    assert widths == [1] * 6
