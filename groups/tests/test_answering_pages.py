"""Answering a card on its page: every kind, what was typed is kept, and a card that has closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from connectors.tests.html_forms import form_to, text_of
from groups.models import Response
from groups.tests.card_pages import Browser, Post, answer, answer_form, client, page_of, post
from groups.tests.cards import MEETING, POLL, SURVEY, make_media
from groups.tests.factories import Program, person_of
from groups.tests.pages import everything

__all__ = ["client", "post"]
pytestmark = pytest.mark.django_db


# ---------------------------------------------------------------- Answering


@pytest.mark.parametrize(
    ("kind", "body", "choice", "kept"),
    [("Poll", POLL, "2", {"choice": 2}), ("LetsMeet", MEETING, "0", {"choice": 0})],
)
def test_a_member_answers_and_changes_the_answer(
    client: Client, post: Post, member: User, kind: str, body: dict[str, Any], choice: str, kept: dict[str, Any]
) -> None:
    card = post(kind, body)
    done = answer_form(client, card).send(client, {"answer": choice}, follow=True)
    assert "Answer sent." in text_of(done)
    assert (Response.objects.get().body, Response.objects.get().person) == (kept, person_of(member))
    form = answer_form(client, card)
    assert form.fields["answer"] == [choice]
    done = form.send(client, {"answer": "1"}, follow=True)
    assert "Answer changed." in text_of(done)
    assert Response.objects.get().body == {"choice": 1}


def test_only_an_assignee_says_that_a_job_is_done(
    client: Client, post: Post, member: User, group_admin: User, browser_of: Browser
) -> None:
    job = post("Job", {"title": "Check the fridge", "assignedTo": [person_of(member).number]})
    admin = browser_of(group_admin)
    before = everything()
    assert "Only assignees can answer this job." in text_of(admin.get(page_of(job)))
    assert admin.post(page_of(job), {"answer": "0"}).status_code == 403
    assert everything() == before
    answer_form(client, job).send(client, {"answer": "0"})
    assert Response.objects.get().body == {"isCompleted": True}
    assert "1 of 1 did it" in text_of(client.get(page_of(job)))


def test_a_survey_has_a_field_for_each_question_and_keeps_what_it_gets(client: Client, post: Post) -> None:
    questions = [
        *SURVEY["questions"],
        {"title": "On which day?", "type": "Date"},
        {"title": "A photo?", "type": "Image"},
        {"title": "By a program", "type": "Text", "isInvisible": True},
    ]
    survey = post("Survey", {**SURVEY, "questions": questions})
    page = client.get(page_of(survey))
    assert "Only programs can send files, so you can’t answer this here." in text_of(page)
    assert "By a program optional" not in text_of(page)
    typed = {
        "answer_0": "Meera\r\nNair",
        "answer_1": "Night",
        "answer_2": ["Gloves", "Masks"],
        "answer_3": "12.5",
        "answer_4_latitude": "12.97",
        "answer_4_longitude": "77.59",
        "answer_4_name": "Ward 3",
        "answer_5": "2026-11-24T20:00",
        "answer_6": "2026-11-24",
    }
    form_to(page, page_of(survey)).send(client, typed)
    answers = Response.objects.get().body["answers"]
    assert answers[:5] == ["Meera\nNair", "Night", ["Gloves", "Masks"], 12.5, {"lt": 12.97, "lg": 77.59, "n": "Ward 3"}]
    assert answers[6:] == [1795478400000, None, None]
    again = answer_form(client, survey).fields
    for name in ("answer_1", "answer_3", "answer_5", "answer_6", "answer_4_latitude"):
        assert again[name] == [typed[name]], name
    client.cookies["zone"] = "Asia%2FKolkata"
    assert "25 Nov 2026, 01:30 IST" in text_of(client.get(page_of(survey)))
    assert answer_form(client, survey).fields["answer_5"] == ["2026-11-25T01:30"]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({}, "Answer at least one question."),
        ({"answer_3": "many"}, "Enter a number."),
        ({"answer_3": "1e300"}, "This number is too large."),
        ({"answer_1": "Evening"}, "Choose one of the answers."),
        ({"answer_4_latitude": "12"}, "Enter both latitude and longitude."),
        ({"answer_4_latitude": "91", "answer_4_longitude": "0"}, "Latitude: Degrees go from −90 to 90."),
        ({"answer_4_name": "Ward 3"}, "Enter latitude and longitude."),
        ({"answer_5": "soon"}, "Enter a date and a time, like 2030-12-31 14:05."),
        ({"answer_0": "nul \0"}, "Null characters are not allowed"),
    ],
)
def test_what_is_no_answer_is_refused_at_its_field_and_kept(
    client: Client, post: Post, typed: dict[str, str], says: str
) -> None:
    survey = post("Survey", SURVEY)
    form = answer_form(client, survey)
    before = everything()
    page = form.send(client, {"answer_0": "Meera" if typed else "", **typed})
    assert page.status_code == 400
    assert says in text_of(page)
    assert everything() == before
    if typed and "answer_0" not in typed:
        assert form_to(page, page_of(survey)).fields["answer_0"] == ["Meera"]


def test_nothing_is_chosen_and_the_form_says_so(client: Client, post: Post) -> None:
    poll = post("Poll", POLL)
    page = client.post(page_of(poll), {"answer": "7"})
    assert page.status_code == 400
    assert "Choose an answer." in text_of(page)


def test_a_closed_card_says_since_when_and_takes_nothing(
    client: Client, post: Post, travel: Callable[..., Any]
) -> None:
    poll = post("Poll", {**POLL, "expiryInHours": 1})
    form = answer_form(client, poll)
    travel(hours=2)
    before = everything()
    refused = form.send(client, {"answer": "0"})
    assert refused.status_code == 400
    words = text_of(client.get(page_of(poll)))
    assert "This action closed an hour ago" in words.replace("1 hour ago", "an hour ago")
    assert "You did not answer." in words
    assert everything() == before


def test_of_a_card_that_takes_several_each_answer_can_be_changed_and_a_double_click_gives_one(
    client: Client, post: Post
) -> None:
    survey = post("Survey", {**SURVEY, "acceptMultipleResponses": True})
    form = answer_form(client, survey)
    for _ in range(2):
        form.send(client, {"answer_0": "First"})
    assert Response.objects.count() == 1
    answer_form(client, survey).send(client, {"answer_0": "Second"})
    assert Response.objects.count() == 2
    first = Response.objects.get(is_first=True)
    page = client.get(f"{page_of(survey)}?change={first.pk}")
    changing = form_to(page, page_of(survey))
    assert changing.fields["answer_0"] == ["First"]
    changing.send(client, {"answer_0": "Changed"})
    assert sorted(response.body["answers"][0] for response in Response.objects.all()) == ["Changed", "Second"]


def test_what_a_program_answered_stays_when_a_person_changes_the_rest(
    client: Client, post: Post, member: User, program: Program
) -> None:
    survey = post(
        "Survey",
        {"title": "Ward", "questions": [{"title": "Photo", "type": "Image"}, {"title": "Words", "type": "Text"}]},
    )
    photo = make_media(program)
    given = answer(survey, member, {"answers": [None, "Old"]})
    Response.objects.filter(pk=given.pk).update(body={"answers": [photo, "Old"]})
    answer_form(client, survey).send(client, {"answer_1": "New"})
    assert Response.objects.get().body == {"answers": [photo, "New"]}
