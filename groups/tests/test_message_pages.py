"""The "Messages & Actions" tab: what was said and posted, and the forms to write and post more."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import make_person
from connectors.models import Bot, Connector
from connectors.tests.html_forms import form_to, forms_of, text_of
from groups.models import Action, Group, Message, Reaction
from groups.services import actions, messages, responses
from groups.tests.cards import POLL, SURVEY, make_media
from groups.tests.conftest import Browser
from groups.tests.factories import Program, make_group, person_of
from groups.tests.pages import count_statements, everything
from kaizala_console.lib import clock
from kaizala_console.lib.phone_numbers import mask

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(member: User, browser_of: Browser) -> Client:
    """Everybody in a plain group writes."""
    return browser_of(member)


def tab_of(group: Group) -> str:
    return reverse("groups:messages", args=[group.pk])


def write(client: Client, group: Group, text: str, **options: Any) -> Any:
    return form_to(client.get(tab_of(group)), tab_of(group)).send(client, {"message": text}, **options)


def test_what_is_sent_stands_on_top_with_its_writer(client: Client, group: Group, member: User) -> None:
    write(client, group, "First")
    told = text_of(write(client, group, "Rain tomorrow ☔\r\n\r\n  Stay in.", follow=True))
    newest = Message.objects.latest("sent_at")
    assert (newest.text, newest.person) == ("Rain tomorrow ☔\n\n  Stay in.", person_of(member))
    assert told.index("Rain tomorrow") < told.index("First")
    write(client, group, "\r\n".join(["x" * 39] * 100))  # a line's end counts once
    assert len(Message.objects.latest("sent_at").text) == 3999


def test_it_says_through_which_connector_and_to_whom(
    client: Client, group: Group, public: Group, group_admin: User, connector: Connector, browser_of: Browser
) -> None:
    messages.post(group=group, text="Shift", person=person_of(group_admin), by=group_admin, connector=connector)
    assert "by the connector “Shift Planner”" in text_of(client.get(tab_of(group)))
    messages.post(group=public, text="At nine", person=person_of(group_admin), by=group_admin, to_all_subscribers=True)
    assert "to all subscribers" in text_of(browser_of(group_admin).get(tab_of(public))).lower()
    assert "At nine" not in text_of(client.get(tab_of(public)))


def test_what_a_bot_posts_stands_under_its_name(
    client: Client, group: Group, member: User, connector: Connector
) -> None:
    bot = Bot.objects.create(connector=connector, name="Rota <b>")
    messages.post(group=group, text="Rota is out", person=person_of(member), connector=connector, bot=bot, by=member)
    words = text_of(client.get(tab_of(group)))
    assert "Rota <b> bot of Shift Planner" in words
    assert "by the connector" not in words
    assert "Meera Nair" not in words.partition("Messages & Actions")[2]


def test_somebody_without_a_name_is_called_by_the_masked_number(
    client: Client, group: Group, group_admin: User
) -> None:
    nameless = make_person("", number="+919876543210")
    messages.post(group=group, text="Hello", person=nameless, by=group_admin)
    told = text_of(client.get(tab_of(group)))
    assert mask(nameless.number) in told
    assert nameless.number not in told
    assert str(nameless.pk) not in told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Enter a message."),
        (" \r\n\t ", "Enter a message."),
        ("x" * 4001, "at most 4000 characters"),
        ("nul \0", "Null characters are not allowed"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_kept(client: Client, group: Group, text: str, says: str) -> None:
    before = everything()
    page = write(client, group, text)
    assert page.status_code == 400
    assert says in text_of(page)
    assert form_to(page, tab_of(group)).fields["message"][0].strip() == text.strip()
    assert everything() == before


def test_a_double_click_sends_once_and_other_words_places_or_people_again(
    client: Client, group: Group, member: User, group_admin: User, browser_of: Browser
) -> None:
    other = make_group("Other", organisation=group.organisation, members=[member])
    form = form_to(client.get(tab_of(group)), tab_of(group))
    for _click in range(2):
        form.send(client, {"message": "Once"})
    assert Message.objects.count() == 1
    form.send(client, {"message": "Second"})
    form.send(client, {"message": "Once"}, to=tab_of(other))
    form.send(browser_of(group_admin), {"message": "Once"})
    assert Message.objects.count() == 4


def test_in_a_managed_public_group_only_admins_write_and_post(
    client: Client, public: Group, group_admin: User, browser_of: Browser
) -> None:
    posting = [reverse(f"groups:{name}", args=[public.pk]) for name in ("messages", "poll_post", "announcement_post")]
    assert not set(posting) & {form.action for form in forms_of(client.get(tab_of(public)))}
    before = everything()
    typed = {"message": "x", "question": "Tea?", "choices": "Yes\nNo", "closes": "24", "title": "Drill", "text": "Nine"}
    assert [client.post(url, typed).status_code for url in posting] == [403, 403, 403]
    assert everything() == before
    write(browser_of(group_admin), public, "Open from nine")
    assert Message.objects.get().text == "Open from nine"


def test_more_than_a_page_goes_on_by_key(client: Client, group: Group, member: User) -> None:
    for number in range(55):
        messages.post(group=group, text=f"Message {number:02}", person=person_of(member), by=member)
    first = client.get(tab_of(group))
    assert "Message 54" in text_of(first)
    assert "Message 04" not in text_of(first)
    older = first.content.decode().split('rel="next" href="')[1].split('"')[0]
    assert "Message 04" in text_of(client.get(older))
    assert client.get(tab_of(group), {"cursor": "forged"})["Location"] == tab_of(group)


def test_cards_and_messages_stand_in_one_line_of_time_and_say_how_they_stand(
    client: Client, group: Group, group_admin: User, member: User, connector: Connector, browser_of: Browser
) -> None:
    admin = person_of(group_admin)
    job = {"title": "Check the fridge", "assignedTo": [person_of(member).number]}
    actions.post(group=group, action_type="Job", body=job, person=admin, by=group_admin)
    poll = actions.post(group=group, action_type="Poll", body=POLL, person=admin, by=group_admin, connector=connector)
    messages.post(group=group, text="After the poll", person=admin, by=group_admin)
    words = text_of(client.get(tab_of(group)))
    assert words.index("After the poll") < words.index("Poll Tea?") < words.index("0 of 1 done")
    assert "by the connector “Shift Planner”" in words
    assert "0 of 3 answered" in words
    assert "Answer Tea?" in words
    assert "Answer Check the fridge" in words
    assert "Answer Check the fridge" not in text_of(browser_of(group_admin).get(tab_of(group))), "it is not theirs"
    responses.give(action=poll, body={"choice": "No"}, person=person_of(member))
    for kind, comment in (("Like", ""), ("Comment", "Yes!")):
        Reaction.objects.create(
            group=group,
            reference_id=poll.pk,
            reaction_type=kind,
            comment=comment,
            person=admin,
            modified_at=clock.now(),
        )
    words = text_of(client.get(tab_of(group)))
    assert "1 of 3 answered" in words
    assert "1 like 1 comment" in words
    assert "You answered" in words
    assert "Answer Tea?" not in words


def test_fifty_mixed_rows_cost_what_two_cost(
    client: Client, group: Group, program: Program, group_admin: User, connector: Connector
) -> None:
    admin = person_of(group_admin)

    def fill(number: int) -> None:
        for n in range(number):
            messages.post(group=group, text=f"Hi {n}", person=make_person(), by=group_admin, connector=connector)
            kind, body = (("Poll", POLL), ("Survey", {**SURVEY, "isAnonymous": True}))[n % 2]
            actions.post(group=group, action_type=kind, body=body, person=admin, by=group_admin)
            picture = {"mediaResource": make_media(program), "caption": "Here"}
            Action.objects.create(group=group, person=make_person(), kind="Image", title="Here", body=picture)

    fill(2)
    few = count_statements(client, tab_of(group))
    fill(16)
    assert count_statements(client, tab_of(group)) == few


def post_poll(client: Client, group: Group, **typed: Any) -> Any:
    where = reverse("groups:poll_post", args=[group.pk])
    fields = {"question": "Tea?", "choices": "Yes\r\nNo\r\n\r\nLater", "closes": "24", **typed}
    return form_to(client.get(tab_of(group)), where).send(client, fields)


def test_a_member_posts_a_poll_and_an_announcement(client: Client, group: Group, member: User) -> None:
    assert post_poll(client, group, only_me="on").status_code == 302
    poll = Action.objects.get()
    assert poll.body == {"question": "Tea?", "choices": [{"title": title} for title in ("Yes", "No", "Later")]}
    assert (poll.person, poll.is_sender_only, poll.kind) == (person_of(member), True, "Poll")
    assert poll.expires_at is not None
    assert (poll.expires_at - poll.sent_at).total_seconds() == 24 * 3600
    where = reverse("groups:announcement_post", args=[group.pk])
    form = form_to(client.get(tab_of(group)), where)
    for _ in range(2):  # a double click
        form.send(client, {"title": "Drill", "text": "At nine"})
    assert Action.objects.get(kind="Announcement").body["message"] == "At nine"
    assert Action.objects.count() == 2


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"question": " "}, "Enter a question."),
        ({"question": "x" * 501}, "at most 500 characters"),
        ({"choices": "Yes"}, "Enter at least two choices, one per line."),
        ({"choices": "Yes\nNo\nYes"}, "“Yes” appears twice."),
        ({"choices": "\n".join(map(str, range(11)))}, "A poll can have at most 10 choices, not 11."),
        ({"choices": f"Yes\n{'x' * 501}"}, "is too long"),
        ({"closes": "9999"}, "Select a valid choice."),
    ],
)
def test_what_is_no_poll_is_refused_at_its_field_and_kept(
    client: Client, group: Group, typed: dict[str, str], says: str
) -> None:
    before = everything()
    page = post_poll(client, group, **typed)
    assert page.status_code == 400
    assert says in text_of(page)
    assert 'id="new-poll" open' in page.content.decode()
    kept = form_to(page, reverse("groups:poll_post", args=[group.pk])).fields
    assert kept["question"] == [typed.get("question", "Tea?")]
    assert everything() == before


WRITTEN = "Roster: https://rota.example.com/week?a=1&b=2, please. <b>Now</b> javascript:alert(1)"
SHOWN = (
    'Roster: <a href="https://rota.example.com/week?a=1&amp;b=2" rel="nofollow">'
    "https://rota.example.com/week?a=1&amp;b=2</a>, please. &lt;b&gt;Now&lt;/b&gt; javascript:alert(1)"
)


def test_an_address_in_a_message_a_comment_and_a_card_is_a_link_and_nothing_else_is(
    client: Client, group: Group, group_admin: User
) -> None:
    admin = person_of(group_admin)
    said = messages.post(group=group, text=WRITTEN, person=admin, by=group_admin)
    body = {"title": "New vests", "message": WRITTEN}
    card = actions.post(group=group, action_type="Announcement", body=body, person=admin, by=group_admin)
    Reaction.objects.create(
        group=group,
        reference_id=said.pk,
        person=admin,
        reaction_type="Comment",
        comment=WRITTEN,
        modified_at=clock.now(),
    )
    assert SHOWN in client.get(tab_of(group)).content.decode()
    for name, key, times in (("reactions", said.pk, 2), ("action", card.pk, 1)):
        assert client.get(reverse(f"groups:{name}", args=[group.pk, key])).content.decode().count(SHOWN) == times
