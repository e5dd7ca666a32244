"""The page of an action: what it says, who sees what was answered, the file of answers, and answering."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Person, User
from accounts.tests.factories import make_person
from connectors.tests.html_forms import HtmlForm, form_to, forms_of, text_of
from groups.media import storage
from groups.models import Action, Group, MediaFile, Membership, Response
from groups.services import actions, responses
from groups.tests.cards import ANSWERS, MEETING, POLL, SURVEY, make_media
from groups.tests.conftest import Browser
from groups.tests.factories import Program, make_group, make_public_group, person_of
from groups.tests.pages import count_statements, everything

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(member: User, browser_of: Browser) -> Client:
    return browser_of(member)


@pytest.fixture
def post(group: Group, group_admin: User) -> Callable[..., Action]:
    """`post("Poll", POLL)`: a card of the group's admin."""

    def post(kind: str, body: dict[str, Any], *, to: Group | None = None, **more: Any) -> Action:
        return actions.post(
            group=to or group, action_type=kind, body=body, person=person_of(group_admin), by=group_admin, **more
        )

    return post


Post = Callable[..., Action]


def page_of(action: Action) -> str:
    return reverse("groups:action", args=[action.group_id, action.pk])


def export_of(action: Action) -> str:
    return reverse("groups:action_export", args=[action.group_id, action.pk])


def answer_form(client: Client, action: Action) -> HtmlForm:
    return form_to(client.get(page_of(action)), page_of(action))


def answer(action: Action, who: User | Person, body: dict[str, Any]) -> Response:
    return responses.give(action=action, body=body, person=person_of(who))


def test_answers_are_shown_in_sum_and_with_the_names_of_who_answered(
    client: Client, post: Post, group_admin: User, member: User
) -> None:
    poll = post("Poll", POLL)
    missing = {"title": "Missing?", "type": "MultiOption", "options": ["Gloves", "Masks"]}
    survey = post("Survey", {"title": "Beds", "questions": [{"title": "How many?", "type": "Numeric"}, missing]})
    for who, choice, answers in ((group_admin, "Yes", [10, ["Gloves"]]), (member, "No", [20, ["Gloves", "Masks"]])):
        answer(poll, who, {"choice": choice})
        answer(survey, who, {"answers": answers})
    words = text_of(client.get(page_of(poll)))
    assert "2 of 3 answered" in words
    assert "Yes 1 50 % No your answer 1 50 % Later 0 0 %" in words
    assert "Arjun Mehta" in words.partition("Answers")[2]
    words = text_of(client.get(page_of(survey)))
    assert "Lowest 10 Mean 15 Highest 20" in words
    assert "10 to 12 1 50 %" in words
    assert "Gloves your answer 2 100 %" in words
    assert "Masks your answer 1 50 %" in words


def test_a_meeting_shows_when_and_where(client: Client, post: Post) -> None:
    meeting = post("LetsMeet", {**MEETING, "place": {"lt": 12.97, "lg": 77.59, "n": "Ward 3"}})
    words = text_of(client.get(page_of(meeting)))
    assert "Ward 3 (12.97, 77.59)" in words
    assert "30 minutes" in words


def test_pictures_are_shown_by_a_signed_address_of_this_host_and_other_files_are_links(
    client: Client, group: Group, group_admin: User, program: Program
) -> None:
    album = Action.objects.create(
        group=group,
        person=person_of(group_admin),
        kind="Album",
        title="Ward",
        body={"mediaResource": make_media(program, "Album", "a.jpg", "b.jpg"), "caption": "Ward"},
    )
    for url in (page_of(album), reverse("groups:messages", args=[group.pk])):
        html = client.get(url).content.decode()
        assert html.count('<img src="/media/') == 2
        assert 'alt="a.jpg"' in html
    document = make_media(program, "Document", "rota.pdf")
    album.body["mediaResource"] = document
    album.save()
    MediaFile.objects.filter(resource__pk=document).update(content_type="application/pdf")
    html = client.get(page_of(album)).content.decode()
    assert '<img src="/media/' not in html
    assert " download>" in html
    assert "rota.pdf" in html


def test_the_policy_of_the_page_names_the_bucket_to_which_pictures_lead(
    client: Client, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll = post("Poll", POLL)
    pages = (page_of(poll), reverse("groups:messages", args=[poll.group_id]))
    for url in pages:
        assert "img-src 'self' data:;" in f"{client.get(url)['Content-Security-Policy']};"
    monkeypatch.setattr(storage, "origin", lambda: "https://media.example.org")
    for url in pages:
        policy = f"{client.get(url)['Content-Security-Policy']};"  # django-csp's order changes from run to run
        assert "img-src 'self' data: https://media.example.org;" in policy


def test_markup_in_a_card_is_text(client: Client, post: Post) -> None:
    nasty = "<script>alert(1)</script>"
    survey = post(
        "Survey", {"title": nasty, "questions": [{"title": nasty, "type": "SingleOption", "options": [nasty]}]}
    )
    answer(survey, survey.person, {"answers": [nasty]})
    assert nasty not in client.get(page_of(survey)).content.decode()


def test_what_went_to_chosen_subscribers_is_for_them_and_for_admins(
    group_admin: User, member: User, stranger: User, post: Post, browser_of: Browser
) -> None:
    public = make_public_group(
        organisation=group_admin.organisation, admins=[group_admin], members=[member], subscribers=[member, stranger]
    )
    card = post("Poll", POLL, to=public, subscribers=[person_of(stranger).number])
    before = everything()
    for who in (member, stranger):  # a subscriber is not in the group
        assert browser_of(who).get(page_of(card)).status_code == 404
        assert browser_of(who).post(page_of(card), {"answer": "0"}).status_code == 404
        assert browser_of(who).post(export_of(card)).status_code == 404
    assert browser_of(group_admin).get(page_of(card)).status_code == 200
    assert everything() == before
    Membership.objects.create(group=public, person=person_of(stranger), role="Member")
    chosen = browser_of(stranger)
    answer_form(chosen, card).send(chosen, {"answer": "1"})
    assert Response.objects.get().person == person_of(stranger)


def test_a_card_is_found_under_its_own_group_alone(client: Client, post: Post, member: User) -> None:
    poll = post("Poll", POLL)
    other = make_group("Other", organisation=poll.group.organisation, members=[member])
    assert client.get(reverse("groups:action", args=[other.pk, poll.pk])).status_code == 404


def test_only_the_sender_sees_the_answers_of_such_a_card(
    client: Client, post: Post, group_admin: User, member: User, organisation_admin: User, browser_of: Browser
) -> None:
    poll = post("Poll", {**POLL, "isSenderOnly": True})
    answer(poll, make_person("Wei Chen"), {"choice": "Later"})
    answer(poll, member, {"choice": "No"})
    for browser in (client, browser_of(organisation_admin)):
        page = browser.get(page_of(poll))
        assert "Wei Chen" not in text_of(page)
        assert export_of(poll) not in [form.action for form in forms_of(page)]
        row = text_of(browser.get(reverse("groups:messages", args=[poll.group_id]))).partition("Tea?")[2]
        assert " of 3 answered" not in text_of(page) + row
    assert browser_of(organisation_admin).post(export_of(poll)).status_code == 403
    assert "Wei Chen" in text_of(browser_of(group_admin).get(page_of(poll)))


def test_an_anonymous_survey_names_nobody_and_no_moment_nor_does_its_file(
    client: Client, post: Post, member: User, group_admin: User, browser_of: Browser
) -> None:
    survey = post("Survey", {**SURVEY, "isAnonymous": True})
    answer(survey, member, {"answers": ANSWERS, "responseName": "Meera Nair"})
    admin = browser_of(group_admin)
    page = admin.get(page_of(survey))
    shown = text_of(page).partition("1 of 3 answered")[2]
    assert "Ward 3 (12.97, 77.59)" in shown
    assert "Meera Nair" not in shown
    assert "now" not in shown.partition("Anonymous")[2].partition("Details")[0]
    assert str(Response.objects.get().pk) not in page.content.decode()
    head, line = lines_of(admin.post(export_of(survey)))
    assert head == [question["title"] for question in SURVEY["questions"]]
    assert not {"Meera Nair", person_of(member).number} & set(line)
    assert "You answered" in text_of(client.get(page_of(survey)))


def test_answers_to_questions_that_a_package_keeps_to_itself_are_shown_by_their_number(
    client: Client, post: Post, member: User, group_admin: User, browser_of: Browser
) -> None:
    order = post("com.contoso.orders", {"title": "Order 7"})
    assert "This action is answered by programs." in text_of(client.get(page_of(order)))
    answer(order, member, {"answers": ["Taken", 4.5, ["a", "b"], {"lt": 1, "lg": 2, "n": "Pune"}, None]})
    answer(order, group_admin, {"answers": ["Seen"]})
    admin = browser_of(group_admin)
    assert "1 Taken 2 4.5 3 a, b 4 Pune (1, 2)" in text_of(admin.get(page_of(order)))
    lines = lines_of(form_to(admin.get(page_of(order)), export_of(order)).send(admin))
    assert sorted(line[5:] for line in lines[1:]) == [["Seen"], ["Taken", "4.5", "a; b", "Pune (1, 2)", ""]]


# ---------------------------------------------------------------- The file


def lines_of(answer: Any) -> list[list[str]]:
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def test_the_answers_can_be_taken_out_by_an_admin_and_nothing_in_them_runs(
    post: Post, member: User, group_admin: User, browser_of: Browser
) -> None:
    survey = post("Survey", SURVEY)
    answer(survey, member, {"answers": ["=cmd()|A0", *ANSWERS[1:]]})
    admin = browser_of(group_admin)
    sent = form_to(admin.get(page_of(survey)), export_of(survey)).send(admin)
    assert sent["Content-Disposition"].startswith('attachment; filename="answers-survey-')
    head, line = lines_of(sent)
    assert head[:3] == ["answered at", "name", "number"]
    assert line[1] == "Meera Nair"
    assert line[5:10] == ["'=cmd()|A0", "Night", "; ".join(ANSWERS[2]), "12", "Ward 3 (12.97, 77.59)"]
    event = AuditEvent.objects.get(tag="group:responses:exported")
    assert (event.subject_id, event.group_id) == (str(survey.pk), survey.group_id)


def test_a_member_takes_out_only_the_answers_to_an_own_card(
    client: Client, group: Group, member: User, post: Post
) -> None:
    assert client.post(export_of(post("Poll", POLL))).status_code == 403
    own = actions.post(group=group, action_type="Poll", body=POLL, person=person_of(member), by=member)
    answer(own, member, {"choice": "Yes"})
    assert lines_of(client.post(export_of(own)))[1][3] == "Yes"


def test_more_answers_cost_no_more_queries_and_go_on_by_key(client: Client, post: Post) -> None:
    poll = post("Poll", POLL)
    answer(poll, make_person("P00"), {"choice": 0})
    few = count_statements(client, page_of(poll))
    for number in range(1, 52):
        answer(poll, make_person(f"P{number:02}"), {"choice": 0})
    assert count_statements(client, page_of(poll)) == few
    first = client.get(page_of(poll))
    assert "P51" in text_of(first)
    assert "P01" not in text_of(first)
    older = first.content.decode().split('rel="next" href="')[1].split('"')[0]
    assert "P01" in text_of(client.get(older))
    assert client.get(page_of(poll), {"cursor": "forged"})["Location"] == page_of(poll)


@pytest.mark.parametrize(
    ("kind", "body", "choice", "kept"),
    [("Poll", POLL, "2", {"choice": 2}), ("LetsMeet", MEETING, "0", {"choice": 0})],
)
def test_a_member_answers_and_changes_the_answer(
    client: Client, post: Post, member: User, kind: str, body: dict[str, Any], choice: str, kept: dict[str, Any]
) -> None:
    card = post(kind, body)
    assert client.post(page_of(card), {"answer": "7"}).status_code == 400
    answer_form(client, card).send(client, {"answer": choice})
    assert (Response.objects.get().body, Response.objects.get().person) == (kept, person_of(member))
    form = answer_form(client, card)
    assert form.fields["answer"] == [choice]
    form.send(client, {"answer": "1"})
    assert Response.objects.get().body == {"choice": 1}


def test_only_an_assignee_says_that_a_job_is_done(
    client: Client, post: Post, member: User, group_admin: User, browser_of: Browser
) -> None:
    job = post("Job", {"title": "Check the fridge", "assignedTo": [person_of(member).number]})
    admin = browser_of(group_admin)
    before = everything()
    assert page_of(job) not in [form.action for form in forms_of(admin.get(page_of(job)))]
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
        ({"answer_3": "1e300"}, "too large"),
        ({"answer_1": "Evening"}, "Choose one of the answers."),
        ({"answer_4_latitude": "12"}, "both latitude and longitude"),
        ({"answer_4_latitude": "91", "answer_4_longitude": "0"}, "from −90 to 90"),
        ({"answer_4_name": "Ward 3"}, "Enter latitude and longitude."),
        ({"answer_5": "soon"}, "Enter a date and a time"),
        ({"answer_0": "nul \0"}, "Null characters"),
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


def test_a_closed_card_takes_nothing_and_says_since_when(
    client: Client, post: Post, travel: Callable[..., Any]
) -> None:
    poll = post("Poll", {**POLL, "expiryInHours": 1})
    form = answer_form(client, poll)
    travel(hours=2)
    before = everything()
    assert form.send(client, {"answer": "0"}).status_code == 400
    assert "This action closed" in text_of(client.get(page_of(poll)))
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
