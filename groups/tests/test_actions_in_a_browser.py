"""Cards in a real browser: the timeline, a card's page, answering and posting, with scripts and without."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.tests.factories import make_person
from groups.media import storage
from groups.models import Action, Group, MediaFile, Membership, Response
from groups.services import actions, responses
from groups.tests.cards import ANSWERS, MEETING, POLL, SURVEY, make_media
from groups.tests.factories import Program, person_of
from groups.tests.media_files import PNG

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

OpenPage = Callable[..., Page]
LONG = "A title that goes on and on until everybody has understood what it is about, " * 6
ARABIC = "ما الذي ينقصنا في هذه الوردية الليلية"


@pytest.fixture
def cards(group: Group, group_admin: User, member: User, program: Program) -> list[Action]:
    """A card of each sort that looks different, long and right-to-left texts among them."""

    def post(kind: str, body: dict[str, Any]) -> Action:
        return actions.post(group=group, action_type=kind, body=body, person=person_of(group_admin), by=group_admin)

    poll = post("Poll", {**POLL, "question": ARABIC, "choices": ["شاي", "x" * 400, "No"]})
    survey = post("Survey", {**SURVEY, "title": LONG.strip()})
    anonymous = post("Survey", {**SURVEY, "isAnonymous": True, "isSenderOnly": True})
    job = post("Job", {"title": "Check the fridge", "assignedTo": [person_of(member).number]})
    meeting = post("LetsMeet", {**MEETING, "agenda": ARABIC})
    for number in range(3):
        person = make_person(("محمد الأحمد", "", "Bartholomew Featherstonehaugh-Cholmondeley the Third")[number])
        Membership.objects.create(group=group, person=person)
        responses.give(action=poll, body={"choice": number}, person=person)
        answers = ["y" * 300, *ANSWERS[1:]]
        for card in (survey, anonymous):
            responses.give(action=card, body={"answers": answers}, person=person)
    resource = make_media(program, "Album", *(f"{number}.png" for number in range(6)))
    for file in MediaFile.objects.all():
        storage.save(file.key, io.BytesIO(PNG))
    MediaFile.objects.update(content_type="image/png", size=len(PNG))
    album = Action.objects.create(
        group=group,
        person=person_of(member),
        kind="Album",
        title="Ward",
        body={"mediaResource": resource, "caption": "Ward"},
    )
    return [poll, survey, anonymous, job, meeting, album]


def page_of(action: Action) -> str:
    return reverse("groups:action", args=[action.group_id, action.pk])


def tab_of(group: Group) -> str:
    return reverse("groups:messages", args=[group.pk])


def test_pictures_are_there_in_spite_of_the_policy_of_the_page(
    open_page: OpenPage, cards: list[Action], member: User
) -> None:
    page = open_page(user=member)
    page.goto(page_of(cards[-1]))
    page.get_by_role("img", name="5.png").scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    widths = page.locator(".thumbnail img").evaluate_all("(all) => all.map((one) => one.naturalWidth)")
    assert widths == [1] * 6


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
@pytest.mark.capability
def test_a_poll_is_posted_answered_and_changed(open_page: OpenPage, group: Group, member: User, scripts: bool) -> None:
    page = open_page(user=member, width=360, scripts=scripts)
    page.goto(tab_of(group))
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
