"""An address in what somebody wrote can be opened: in a message, a comment and the text of a card."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from groups import access
from groups.models import Action, Group, Message
from groups.services import actions, messages, reactions
from groups.tests.factories import person_of

pytestmark = pytest.mark.django_db
WRITTEN = "Roster: https://rota.example.com/week?a=1&b=2, please. <b>Now</b> javascript:alert(1)"
SHOWN = (
    'Roster: <a href="https://rota.example.com/week?a=1&amp;b=2" rel="nofollow">'
    "https://rota.example.com/week?a=1&amp;b=2</a>, please. &lt;b&gt;Now&lt;/b&gt; javascript:alert(1)"
)


@pytest.fixture
def said(group: Group, group_admin: User) -> Message:
    return messages.post(group=group, text=WRITTEN, person=person_of(group_admin), by=group_admin)


@pytest.fixture
def card(group: Group, group_admin: User) -> Action:
    body = {"title": "New vests", "message": WRITTEN}
    return actions.post(
        group=group, action_type="Announcement", body=body, person=person_of(group_admin), by=group_admin
    )


def test_an_address_in_a_message_and_a_comment_is_a_link_and_nothing_else_is(
    said: Message, group: Group, group_admin: User, member: User, browser_of: Callable[..., Client]
) -> None:
    seen = access.list_visible_groups(member).get(pk=group.pk)
    reactions.react(
        group=seen, reference_id=said.pk, kind="Comment", comment=WRITTEN, person=person_of(member), by=member
    )
    client = browser_of(member)
    assert client.get(reverse("groups:messages", args=[group.pk])).content.decode().count(SHOWN) == 1
    assert client.get(reverse("groups:reactions", args=[group.pk, said.pk])).content.decode().count(SHOWN) == 2


def test_an_address_in_a_card_is_a_link(
    card: Action, group: Group, member: User, browser_of: Callable[..., Client]
) -> None:
    assert SHOWN in browser_of(member).get(reverse("groups:action", args=[group.pk, card.pk])).content.decode()
