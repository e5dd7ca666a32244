"""Likes and comments in the console: read where a message or a card stands, and given there by who sees it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import make_person
from connectors.models import Bot, Connector
from connectors.tests.html_forms import count_queries, form_to, text_of
from groups import access
from groups.models import Action, Group, Message, Reaction
from groups.services import actions, messages, reactions
from groups.tests.cards import POLL
from groups.tests.conftest import Browser
from groups.tests.factories import make_public_group, person_of
from groups.tests.pages import everything
from kaizala_console.lib import ids

pytestmark = pytest.mark.django_db


@pytest.fixture
def said(group: Group, group_admin: User) -> Message:
    return messages.post(group=group, text="Rain tomorrow", person=person_of(group_admin), by=group_admin)


@pytest.fixture
def card(group: Group, group_admin: User) -> Action:
    return actions.post(group=group, action_type="Poll", body=POLL, person=person_of(group_admin), by=group_admin)


@pytest.fixture
def client(member: User, browser_of: Browser) -> Client:
    return browser_of(member)


def page_of(of: Message | Action) -> str:
    return reverse("groups:reactions", args=[of.group_id, of.pk])


def like_of(of: Message | Action) -> str:
    return reverse("groups:like", args=[of.group_id, of.pk])


def card_of(card: Action) -> str:
    return reverse("groups:action", args=[card.group_id, card.pk])


def comment_on(of: Message | Action, text: str, by: User) -> Reaction:
    group = access.require_member(by, of.group_id)
    return reactions.react(group=group, reference_id=of.pk, kind="Comment", comment=text, by=by, person=person_of(by))


def test_the_way_from_a_message_to_its_comments_and_back(client: Client, said: Message, member: User) -> None:
    tab = client.get(reverse("groups:messages", args=[said.group_id]))
    assert f'href="{page_of(said)}"' in tab.content.decode()
    assert "Like or comment" in text_of(tab)
    page = client.get(page_of(said))
    assert "Rain tomorrow" in text_of(page)
    assert "No comments yet." in text_of(page)
    sent = form_to(page, page_of(said)).send(client, {"comment": "I bring\r\numbrellas <b>"})
    assert sent["Location"] == f"{page_of(said)}#reactions"
    made = Reaction.objects.get()
    assert (made.comment, made.person, made.connector, made.bot) == (
        "I bring\numbrellas <b>",
        person_of(member),
        None,
        None,
    )
    page = client.get(page_of(said))
    assert "umbrellas &lt;b&gt;" in page.content.decode()
    assert "1 comment" in text_of(client.get(reverse("groups:messages", args=[said.group_id])))


def test_a_card_shows_its_comments_with_who_wrote_them_and_takes_more(
    client: Client, card: Action, group_admin: User, connector: Connector, member: User
) -> None:
    comment_on(card, "From the admin", group_admin)
    bot = Bot.objects.create(connector=connector, name="Weather Bot")
    Reaction.objects.create(
        group=card.group, reference_id=card.pk, reaction_type="Comment", comment="Sun", bot=bot, connector=connector,
        person=person_of(group_admin),
    )  # fmt: skip
    page = client.get(card_of(card))
    told = text_of(page)
    assert "From the admin" in told
    assert "Weather Bot" in told
    assert told.index("Sun") < told.index("From the admin"), "newest first"
    sent = form_to(page, page_of(card)).send(client, {"comment": "Mine"})
    assert sent["Location"] == f"{card_of(card)}#reactions"
    assert "Mine" in text_of(client.get(card_of(card)))


def test_a_like_is_given_once_and_named_and_many_are_counted(client: Client, card: Action, member: User) -> None:
    form = form_to(client.get(card_of(card)), like_of(card))
    assert form.send(client)["Location"] == f"{card_of(card)}#reactions"
    form.send(client)
    assert Reaction.objects.get().person == person_of(member)
    page = client.get(card_of(card))
    assert f"Liked by {person_of(member)}" in text_of(page)
    assert like_of(card) not in page.content.decode()
    for number in range(7):
        person = make_person(f"Person {number}")
        Reaction.objects.create(group=card.group, reference_id=card.pk, reaction_type="Like", person=person)
    assert "and 3 others" in text_of(client.get(card_of(card)))


@pytest.mark.parametrize("text", ["  \n", "x" * 1001])
def test_what_is_no_comment_is_refused_and_stays_in_the_form(client: Client, said: Message, text: str) -> None:
    answer = form_to(client.get(page_of(said)), page_of(said)).send(client, {"comment": text})
    assert answer.status_code == 400
    assert text.strip() in answer.content.decode()
    assert not Reaction.objects.exists()


def test_a_double_click_is_one_comment_and_the_same_words_again_are_another(client: Client, said: Message) -> None:
    form = form_to(client.get(page_of(said)), page_of(said))
    for _click in range(2):
        form.send(client, {"comment": "Yes"})
    assert Reaction.objects.count() == 1
    form_to(client.get(page_of(said)), page_of(said)).send(client, {"comment": "Yes"})
    assert Reaction.objects.count() == 2


def test_all_comments_are_read_on_by_key(client: Client, card: Action, group_admin: User) -> None:
    for number in range(53):
        comment_on(card, f"Comment-{number:03}", group_admin)
    told = text_of(client.get(card_of(card)))
    assert "Comment-052" in told
    assert "Comment-042" not in told
    assert "All 53 comments" in told
    first = client.get(page_of(card))
    assert "Comment-003" in text_of(first)
    assert "Comment-002" not in text_of(first)
    second = client.get(first.context["older"])
    assert "Comment-002" in text_of(second)
    assert "Comment-003" not in text_of(second)
    assert client.get(page_of(card), {"cursor": "x"})["Location"] == page_of(card)


def test_nobody_reads_or_gives_any_where_they_do_not_see_what_it_is_about(
    group_admin: User, member: User, stranger: User, browser_of: Browser, said: Message
) -> None:
    people: dict[str, Any] = {"admins": [group_admin], "members": [member]}
    public = make_public_group(organisation=group_admin.organisation, **people)
    hidden = messages.post(
        group=public, text="For subscribers", person=person_of(group_admin), by=group_admin, to_all_subscribers=True
    )
    elsewhere = reverse("groups:reactions", args=[public.pk, said.pk])
    before = everything()
    doors: list[tuple[User, str]] = [
        (stranger, page_of(said)),
        (stranger, like_of(said)),
        (member, page_of(hidden)),
        (member, like_of(hidden)),
        (member, elsewhere),
        (member, reverse("groups:reactions", args=[public.pk, ids.new_id()])),
    ]
    for who, url in doors:
        browser = browser_of(who)
        answers: list[Any] = [browser.post(url, {"comment": "I was here", "idempotency_key": "k" * 32})]
        answers += [] if url.endswith("/like/") else [browser.get(url)]
        assert [answer.status_code for answer in answers] == [404] * len(answers), url
        assert all("For subscribers" not in text_of(answer) for answer in answers)
    assert everything() == before


def test_more_comments_cost_no_more_queries(client: Client, card: Action, group_admin: User) -> None:
    comment_on(card, "One", group_admin)
    few = [count_queries(client, url) for url in (card_of(card), page_of(card))]
    for number in range(9):
        comment_on(card, f"More {number}", group_admin)
    assert [count_queries(client, url) for url in (card_of(card), page_of(card))] == few
