"""Posting and answering: all of it or nothing, once for a form, in a few statements, and no audit event."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Person, User
from connectors.models import Connector, UsageHour
from connectors.services import usage
from connectors.tests.html_forms import form_to
from connectors.webhooks import publish
from groups import access
from groups.action_types.base import ViewedAction
from groups.models import Action, Group, Membership, Message, Response
from groups.queries import actions as action_queries
from groups.queries.actions import Viewer
from groups.services import actions, messages, responses
from groups.tests.cards import ANSWERS, POLL, SURVEY, give, posted
from groups.tests.factories import Program, let_act_for, make_group, person_of
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotAllowed, RuleBroken
from kaizala_console.lib.pagination import Page


def post(group: Group, by: User, kind: str = "Poll", body: Any = POLL, **options: Any) -> Action:
    return actions.post(group=group, action_type=kind, body=body, person=person_of(by), by=by, **options)


def answer(action: Action, by: User, body: Any, **options: Any) -> Response:
    return responses.give(action=action, body=body, person=person_of(by), **options)


def write(group: Group, by: User, text: str = "Hello", **options: Any) -> Message:
    return messages.post(group=group, text=text, person=person_of(by), by=by, **options)


def full(*_target: Any, **_options: Any) -> None:
    raise DatabaseError("full")


def test_nothing_is_posted_or_answered_when_its_webhooks_cannot_be_told(
    group: Group, group_admin: User, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll = post(group, group_admin)
    for asked in ("list_interested", "publish"):
        monkeypatch.setattr(publish, asked, full)
    for act in (
        lambda: answer(poll, member, {"choice": 0}),
        lambda: post(group, group_admin),
        lambda: write(group, group_admin),
    ):
        with pytest.raises(DatabaseError):
            act()
    assert not Message.objects.exists()
    assert not Response.objects.exists()
    assert Action.objects.get().response_count == 0


def test_people_without_a_program_post_no_media(group: Group, group_admin: User) -> None:
    with pytest.raises(RuleBroken) as refused:
        post(group, group_admin, "Image", {"mediaResource": "x"})
    assert refused.value.field == "actionBody.mediaResource"
    assert not Action.objects.exists()


@pytest.mark.postgresql
def test_a_message_is_posted_once_for_its_id_and_by_one_person_in_one_group(
    group: Group, group_admin: User, member: User
) -> None:
    key = uuid4()
    assert write(group, group_admin, message_id=key) == write(group, group_admin, message_id=key)
    for to, by in ((group, member), (make_group("Other", admins=[group_admin]), group_admin)):
        with pytest.raises(Conflict):
            write(to, by, "mine", message_id=key)
    assert Message.objects.get().text == "Hello"


def test_who_may_not_change_responses_gives_the_first_alone(group: Group, group_admin: User, member: User) -> None:
    poll = post(group, group_admin)
    response = answer(poll, member, {"choice": 0}, may_update=False)
    for options in ({}, {"response_id": response.pk}):
        with pytest.raises(NotAllowed):
            answer(poll, member, {"choice": 1}, may_update=False, **options)
    assert Response.objects.get().body == {"choice": 0}


def test_where_several_are_taken_the_next_one_changes_nothing(group: Group, group_admin: User, member: User) -> None:
    survey = post(group, group_admin, "Survey", {**SURVEY, "acceptMultipleResponses": True})
    for _n in range(2):
        answer(survey, member, {"answers": ANSWERS}, may_update=False)
    assert Response.objects.count() == 2


def test_an_anonymous_responder_is_known_again_with_a_new_pepper(
    group: Group, group_admin: User, member: User, settings: Any
) -> None:
    survey = post(group, group_admin, "Survey", {**SURVEY, "isAnonymous": True})
    first = answer(survey, member, {"answers": ANSWERS})
    settings.CREDENTIAL_PEPPERS = [("new", b"n" * 32), *settings.CREDENTIAL_PEPPERS]
    assert answer(survey, member, {"answers": ["B", *ANSWERS[1:]]}).pk == first.pk
    assert Response.objects.get().body["answers"][0] == "B"


def fill(group: Group, person: Person) -> list[Any]:
    """Messages and cards in turn, several of them at the same moment; their ids, the newest first."""
    start = clock.now()
    rows: list[Any] = []
    for n in range(12):
        at = start + dt.timedelta(minutes=n // 3)
        if n % 2:
            rows.append(Message.objects.create(group=group, person=person, text=str(n), sent_at=at))
        else:
            body = {"question": str(n), "choices": [{"title": "a"}, {"title": "b"}]}
            rows.append(Action.objects.create(group=group, person=person, kind="Poll", body=body, sent_at=at))
    return [row.pk for row in sorted(rows, key=lambda row: (row.sent_at, row.pk), reverse=True)]


@pytest.mark.postgresql
def test_messages_and_cards_stand_in_one_order_both_ways(group: Group, group_admin: User) -> None:
    expected = fill(group, person_of(group_admin))
    group = access.require_member(group_admin, group.pk)
    viewer = Viewer.of(group, access.list_held_people(group_admin))

    def page(cursor: str | None = None) -> tuple[Page[Any], list[Any]]:
        found = action_queries.timeline(group, viewer, cursor=cursor, size=5)
        return found, [item.action.pk if isinstance(item, ViewedAction) else item.pk for item in found.items]

    pages = [page()]
    while pages[-1][0].next_cursor is not None:
        pages.append(page(pages[-1][0].next_cursor))
    assert [key for _page, keys in pages for key in keys] == expected
    back, keys = page(pages[-1][0].previous_cursor)
    assert keys == expected[5:10]
    assert page(back.previous_cursor)[0].previous_cursor is None


def read_timeline(user: User, group: Group) -> list[Any]:
    """What a person reads in a group."""
    found = access.require_member(user, group.pk)
    return list(action_queries.timeline(found, Viewer.of(found, access.list_held_people(user))).items)


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("group_admin", ["chosen", "subscribers", "members"]),
        ("organisation_admin", ["chosen", "subscribers", "members"]),
        ("member", ["chosen", "members"]),
        ("stranger", ["members"]),
    ],
    indirect=["who"],
)
def test_messages_to_subscribers_are_for_admins_and_for_those_they_were_sent_to(
    who: User, seen: list[str], group: Group, member: User, group_admin: User, stranger: User
) -> None:
    if who == stranger:
        Membership.objects.create(group=group, person=person_of(who))
    for audience in ("members", "subscribers", "chosen"):
        message = Message.objects.create(group=group, person=person_of(group_admin), text=audience, audience=audience)
    message.recipients.add(person_of(member))
    assert [row.text for row in read_timeline(who, group)] == seen


def test_what_programs_post_is_no_audit_event_and_usage_counts_it(
    program: Program, group: Group, connector: Connector, member: User
) -> None:
    of_member = let_act_for(connector, member)
    before = AuditEvent.objects.count()
    assert program.post(f"/v1/groups/{group.pk}/messages", {"message": "x"}).status_code == 200
    poll = posted(program, group, "Poll", POLL)
    for choice in ("Yes", "No"):
        give(of_member, poll, {"choice": choice})
    assert AuditEvent.objects.count() == before
    usage.flush()
    counted = UsageHour.objects.filter(grant__isnull=False, operation__startswith="POST")
    assert dict(counted.values_list("operation", "calls")) == {
        "POST v1/groups/<group_id>/messages": 1,
        "POST v1/groups/<group_id>/actions": 1,
        "POST v1/groups/<group_id>/actions/<action_id>/responses": 2,
    }


def test_what_people_post_is_no_audit_event(
    group: Group, group_admin: User, member: User, browser_of: Callable[..., Client]
) -> None:
    browser, page = browser_of(member), reverse("groups:messages", args=[group.pk])
    card = reverse("groups:action", args=[group.pk, post(group, group_admin).pk])
    before = AuditEvent.objects.count()
    form_to(browser.get(page), page).send(browser, {"message": "x"})
    for choice in ("0", "1"):
        form_to(browser.get(card), card).send(browser, {"answer": choice})
    assert (Message.objects.count(), Response.objects.get().body) == (1, {"choice": 1})
    assert AuditEvent.objects.count() == before


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_message_takes_six_statements(program: Program, group: Group, django_assert_max_num_queries: Any) -> None:
    """The token, the group, the webhooks, and the message itself in its transaction."""
    path = f"/v1/groups/{group.pk}/messages"
    program.post(path, {"message": "x"})
    with django_assert_max_num_queries(6):
        program.post(path, {"message": "x"})
