"""Groups in a real browser: what scripts add, what goes without them, who can use it, and pages that follow along."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import Response as Answered

from accounts.models import Organisation, User
from accounts.tests.factories import make_person
from connectors.models import Bot, Connector, Grant
from connectors.services import handoffs
from groups.media import storage
from groups.models import Action, BulkJob, Group, GroupLink, MediaFile, Membership, Message, Response
from groups.services import connectors, messages
from groups.tests.bulk import uploaded, worked_at
from groups.tests.cards import make_media
from groups.tests.factories import Program, ask_for_access, make_connector, make_group, person_of
from groups.tests.media_files import PNG
from groups.tests.test_connector_pages import tab_of
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
