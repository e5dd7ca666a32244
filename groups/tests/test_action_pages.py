"""The page of a card: what it says and what was answered, for everybody as they may see it."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from accounts.tests.factories import make_person
from connectors.tests.html_forms import form_to, forms_of, text_of
from groups.media import storage
from groups.models import Action, Group, MediaFile, Membership, Response, Subscription
from groups.services import actions
from groups.tests.card_pages import Browser, Post, answer, answer_form, client, export_of, page_of, post
from groups.tests.cards import ANSWERS, MEETING, POLL, SURVEY, make_media
from groups.tests.factories import Program, make_group, person_of
from groups.tests.pages import everything, step_up_is_asked

__all__ = ["client", "post"]
pytestmark = pytest.mark.django_db


# ---------------------------------------------------------------- What it says


def test_a_poll_shows_its_bars_as_a_table_with_shares_and_names(
    client: Client, post: Post, group_admin: User, member: User
) -> None:
    poll = post("Poll", POLL)
    answer(poll, group_admin, {"choice": "Yes"})
    answer(poll, member, {"choice": "No"})
    words = text_of(client.get(page_of(poll)))
    assert "2 of 3 answered" in words
    assert "Yes 1 50 % No your answer 1 50 % Later 0 0 %" in words
    assert "Arjun Mehta" in words.partition("Answers")[2]


def test_numbers_show_the_lowest_the_mean_the_highest_and_five_ranges(
    client: Client, post: Post, group_admin: User, member: User
) -> None:
    survey = post("Survey", {"title": "Beds", "questions": [{"title": "How many?", "type": "Numeric"}]})
    answer(survey, group_admin, {"answers": [10]})
    answer(survey, member, {"answers": [20]})
    words = text_of(client.get(page_of(survey)))
    assert "Lowest 10 Mean 15 Highest 20" in words
    assert "10 to 12 1 50 %" in words
    assert "18 to 20 1 50 %" in words


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


# ---------------------------------------------------------------- Who sees it


def test_what_went_to_chosen_subscribers_is_for_them_and_for_admins(
    group_admin: User, member: User, stranger: User, post: Post, browser_of: Browser
) -> None:
    public = make_group(
        "Notices",
        organisation=group_admin.organisation,
        admins=[group_admin],
        members=[member],
        group_type=Group.Type.CONNECT,
    )
    for who in (member, stranger):
        Subscription.objects.create(group=public, person=person_of(who))
    card = post("Poll", POLL, to=public, subscribers=[person_of(stranger).number])
    before = everything()
    assert browser_of(member).get(page_of(card)).status_code == 404
    assert browser_of(member).post(page_of(card), {"answer": "0"}).status_code == 404
    assert browser_of(stranger).get(page_of(card)).status_code == 404  # a subscriber is not in the group
    assert browser_of(group_admin).get(page_of(card)).status_code == 200
    assert browser_of(member).post(export_of(card)).status_code == 404
    assert everything() == before
    Membership.objects.create(group=public, person=person_of(stranger), role="Member")
    chosen = browser_of(stranger)
    assert "to chosen subscribers" in text_of(chosen.get(page_of(card)))
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
        words = text_of(browser.get(page_of(poll)))
        assert "Only the sender sees the answers." in words
        assert "Wei Chen" not in words
        assert "0 people answered" not in words
        row = text_of(browser.get(reverse("groups:messages", args=[poll.group_id]))).partition("Tea?")[2]
        assert "only the sender sees the answers" in row
        assert " of 3 answered" not in row
        assert not [form for form in forms_of(browser.get(page_of(poll))) if form.action == export_of(poll)]
    assert browser_of(organisation_admin).post(export_of(poll)).status_code == 403
    assert "Wei Chen" in text_of(browser_of(group_admin).get(page_of(poll)))


def test_an_anonymous_survey_names_nobody_and_no_moment(
    client: Client, post: Post, member: User, group_admin: User, browser_of: Browser
) -> None:
    survey = post("Survey", {**SURVEY, "isAnonymous": True})
    answer(survey, member, {"answers": ANSWERS})
    page = browser_of(group_admin).get(page_of(survey))
    shown = text_of(page).partition("1 of 3 answered")[2]
    assert "Anonymous" in shown
    assert "Ward 3 (12.97, 77.59)" in shown
    assert "Meera Nair" not in shown
    assert "now" not in shown.partition("Anonymous")[2].partition("Details")[0]
    assert str(Response.objects.get().pk) not in page.content.decode()
    assert "You answered" in text_of(client.get(page_of(survey)))


def test_answers_to_questions_that_a_package_keeps_to_itself_are_shown_by_their_number(
    client: Client, post: Post, member: User, group_admin: User, browser_of: Browser
) -> None:
    order = post("com.contoso.orders", {"title": "Order 7"})
    assert "This action is answered by programs." in text_of(client.get(page_of(order)))
    answer(order, member, {"answers": ["Taken", 4.5, ["a", "b"], {"lt": 1, "lg": 2, "n": "Pune"}, None]})
    answer(order, group_admin, {"answers": ["Seen"]})
    for who in (client, browser_of(group_admin)):
        words = text_of(who.get(page_of(order)))
        assert "Order 7" in words
    assert "1 Taken 2 4.5 3 a, b 4 Pune (1, 2)" in words
    admin = browser_of(group_admin)
    lines = lines_of(form_to(admin.get(page_of(order)), export_of(order)).send(admin))
    assert sorted(line[5:] for line in lines[1:]) == [["Seen"], ["Taken", "4.5", "a; b", "Pune (1, 2)", ""]]


def test_a_survey_that_programs_fill_in_unasked_has_nothing_to_type(client: Client, post: Post) -> None:
    question = {"title": "ResponseTime", "type": "DateTime", "isInvisible": True}
    words = text_of(client.get(page_of(post("Survey", {"title": "Clock", "questions": [question]}))))
    assert "Send answer" not in words
    assert "This action is answered by programs." in words


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
    assert step_up_is_asked(browser_of(group_admin, confirmed=False).post(export_of(survey)))
    admin = browser_of(group_admin)
    sent = form_to(admin.get(page_of(survey)), export_of(survey)).send(admin)
    assert sent["Content-Disposition"].startswith('attachment; filename="answers-survey-')
    head, line = lines_of(sent)
    assert head[:3] == ["answered at", "name", "number"]
    assert line[1] == "Meera Nair"
    assert line[5:10] == ["'=cmd()|A0", "Night", "; ".join(ANSWERS[2]), "12", "Ward 3 (12.97, 77.59)"]
    event = AuditEvent.objects.get(tag="group:responses:exported")
    assert (event.subject_id, event.group_id) == (str(survey.pk), survey.group_id)


def test_the_file_of_an_anonymous_card_names_nobody(
    post: Post, member: User, group_admin: User, browser_of: Browser
) -> None:
    survey = post("Survey", {**SURVEY, "isAnonymous": True})
    answer(survey, member, {"answers": ANSWERS, "responseName": "Meera Nair"})
    head, line = lines_of(browser_of(group_admin).post(export_of(survey)))
    assert head == [question["title"] for question in SURVEY["questions"]]
    assert "Meera Nair" not in line
    assert person_of(member).number not in "".join(line)


def test_a_member_takes_out_only_the_answers_to_an_own_card(
    client: Client, group: Group, member: User, post: Post
) -> None:
    assert client.post(export_of(post("Poll", POLL))).status_code == 403
    own = actions.post(group=group, action_type="Poll", body=POLL, person=person_of(member), by=member)
    answer(own, member, {"choice": "Yes"})
    assert lines_of(client.post(export_of(own)))[1][3] == "Yes"


# ---------------------------------------------------------------- Many


def test_more_answers_cost_no_more_queries_and_go_on_by_key(
    client: Client, post: Post, django_assert_max_num_queries: Any
) -> None:
    poll = post("Poll", POLL)

    def cost() -> int:
        with django_assert_max_num_queries(35) as seen:
            client.get(page_of(poll))
        return len(seen.captured_queries)

    answer(poll, make_person("P00"), {"choice": 0})
    few = cost()
    for number in range(1, 52):
        answer(poll, make_person(f"P{number:02}"), {"choice": 0})
    assert cost() == few
    first = client.get(page_of(poll))
    assert "P51" in text_of(first)
    assert "P01" not in text_of(first)
    older = first.content.decode().split('rel="next" href="')[1].split('"')[0]
    assert "P01" in text_of(client.get(older))
    assert client.get(page_of(poll), {"cursor": "forged"})["Location"] == page_of(poll)
