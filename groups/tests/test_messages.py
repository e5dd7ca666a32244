"""Posting messages, to members and to subscribers."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError

from accounts.models import Person, User
from connectors.models import Connector
from connectors.webhooks import publish
from groups.models import Group, Message, Subscription
from groups.services import messages
from groups.tests.factories import make_group, person_of
from kaizala_console.lib.errors import Conflict, RuleBroken


def post(group: Group, by: User, text: str = "Hello", **options: Any) -> Message:
    return messages.post(group=group, text=text, person=person_of(by), by=by, **options)


def subscribers(group: Group) -> list[Person]:
    return [row.person for row in Subscription.objects.filter(group=group).select_related("person").order_by("id")]


def test_a_message_says_who_posted_it_and_through_what(group: Group, group_admin: User, connector: Connector) -> None:
    message = post(group, group_admin, "Rain tomorrow ☔\nStay in.", connector=connector)
    kept = Message.objects.get(pk=message.pk)
    assert (kept.text, kept.person, kept.connector) == ("Rain tomorrow ☔\nStay in.", person_of(group_admin), connector)
    assert kept.audience == "members"


@pytest.mark.parametrize("text", ["", " \n\t ", "x" * 4001, "nul \x00", "half \udc00 pair"])
def test_what_is_blank_too_long_or_no_text_is_refused(group: Group, group_admin: User, text: str) -> None:
    with pytest.raises(RuleBroken) as error:
        post(group, group_admin, text)
    assert error.value.field == "message"
    assert not Message.objects.exists()


def test_a_plain_group_has_no_subscribers_to_send_to(group: Group, group_admin: User) -> None:
    with pytest.raises(RuleBroken) as error:
        post(group, group_admin, subscribers=["+919820000041"])
    assert error.value.code == "no_subscribers"
    assert not Message.objects.exists()


def test_nobody_gets_anything_when_one_of_the_chosen_is_no_subscriber(public: Group, group_admin: User) -> None:
    number = subscribers(public)[0].number
    with pytest.raises(RuleBroken) as error:
        post(public, group_admin, subscribers=[number, "+919930000077", "nonsense"])
    assert error.value.code == "not_subscribers"
    assert "+919930000077" in str(error.value)
    assert "nonsense" in str(error.value)
    assert number not in str(error.value)
    assert not Message.objects.exists()


def test_nothing_is_posted_when_its_webhooks_cannot_be_told(
    group: Group, group_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_event: Any) -> None:
        raise DatabaseError("full")

    monkeypatch.setattr(publish, "publish", full)
    with pytest.raises(DatabaseError):
        post(group, group_admin)
    assert not Message.objects.exists()


def test_4000_characters_are_not_too_long(group: Group, group_admin: User) -> None:
    assert len(post(group, group_admin, "🏏" * 4000).text) == 4000


@pytest.mark.postgresql
def test_a_message_is_posted_once_for_its_id_and_by_one_person_in_one_group(
    group: Group, group_admin: User, member: User
) -> None:
    key = uuid4()
    assert post(group, group_admin, message_id=key) == post(group, group_admin, message_id=key)
    for to, by in ((group, member), (make_group("Other", admins=[group_admin]), group_admin)):
        with pytest.raises(Conflict):
            post(to, by, "mine", message_id=key)
    assert Message.objects.get().text == "Hello"


def test_a_message_to_chosen_subscribers_reaches_those_alone_and_all_goes_before_some(
    public: Group, group_admin: User
) -> None:
    first, _second = subscribers(public)
    message = post(public, group_admin, subscribers=[first.number, first.number])
    assert message.audience == "chosen"
    assert list(message.recipients.all()) == [first]
    for named in ([], [first.number]):
        message = post(public, group_admin, to_all_subscribers=True, subscribers=named)
        assert message.audience == "subscribers"
        assert not message.recipients.exists()
