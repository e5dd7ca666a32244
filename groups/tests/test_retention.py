"""What was posted longer ago than `MESSAGE_DAYS` is deleted; the rest of `manage.py prune`."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from connectors.models import UsageDay
from connectors.services import usage
from groups.models import Action, Group, Message, Reaction, Response
from groups.services import messages
from groups.tests.cards import POLL, posted, respond
from groups.tests.factories import Program
from groups.tests.test_platform_reactions import react

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


def post_all(program: Program, group: Group) -> tuple[Message, Action]:
    """A message and a poll, with a like of each and a response."""
    answer = program.post(f"/v1/groups/{group.pk}/messages", {"message": "Hello"})
    message, action = Message.objects.get(pk=answer.json()["referenceId"]), posted(program, group, "Poll", POLL)
    assert respond(program, action, {"choice": "Yes"}).status_code == 200
    react(program, message)
    react(program, action)
    return message, action


def test_messages_and_actions_are_deleted_with_all_that_belongs_to_them(
    program: Program, group: Group, settings: Settings, travel: Callable[..., Any]
) -> None:
    settings.MESSAGE_DAYS = 30
    post_all(program, group)
    open_still = posted(program, group, "Poll", {**POLL, "expiryInHours": 24 * 60})
    assert messages.prune() == 0
    travel(days=31)
    message = Message.objects.create(group=group, person=open_still.person, text="Young")
    assert messages.prune() == 2
    assert list(Message.objects.all()) == [message]
    assert list(Action.objects.all()) == [open_still]
    assert not Response.objects.exists()
    assert not Reaction.objects.exists()


def test_what_was_posted_is_kept_for_ever_unless_said_otherwise(
    program: Program, group: Group, travel: Callable[..., Any]
) -> None:
    post_all(program, group)
    travel(days=3650)
    assert messages.prune() == 0
    assert Message.objects.count() == 1


def test_the_command_counts_first_and_deletes_then(
    program: Program, group: Group, settings: Settings, travel: Callable[..., Any]
) -> None:
    settings.MESSAGE_DAYS = 30
    post_all(program, group)
    usage.flush()
    travel(days=settings.USAGE_DAYS + 2)
    assert "Would delete 2 messages and actions (MESSAGE_DAYS)." in prune(dry_run=True)
    assert (Message.objects.count(), UsageDay.objects.exists()) == (1, True)
    assert "Deleted 2 messages and actions (MESSAGE_DAYS)." in prune()
    assert (Message.objects.count(), UsageDay.objects.exists()) == (0, False)


def prune(**options: Any) -> str:
    out = StringIO()
    call_command("prune", stdout=out, **options)
    return out.getvalue()
