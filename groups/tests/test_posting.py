"""Posting and answering: each is its own record, so it costs a few statements and leaves no audit event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors.models import Connector, UsageHour
from connectors.services import usage
from connectors.tests.html_forms import form_to
from groups.models import Group, Message, Response
from groups.tests.cards import POLL, action_path, posted
from groups.tests.conftest import Wire
from groups.tests.factories import Program, let_act_for


def test_what_programs_post_is_no_audit_event_and_usage_counts_it(
    wire: Wire, program: Program, group: Group, connector: Connector, member: User
) -> None:
    of_member = let_act_for(connector, member)
    before = AuditEvent.objects.count()
    assert wire.post(f"/v1/groups/{group.pk}/messages", '{"message": "x"}', program).status_code == 200
    poll = posted(wire, program, group, "Poll", POLL)
    for choice in ("Yes", "No"):
        body = f'{{"actionBody": {{"choice": "{choice}"}}}}'
        assert wire.post(f"{action_path(poll)}/responses", body, of_member).status_code == 200
    assert AuditEvent.objects.count() == before
    usage.flush()
    counted = UsageHour.objects.filter(grant__isnull=False, operation__startswith="POST")
    assert dict(counted.values_list("operation", "calls")) == {
        "POST v1/groups/<group_id>/messages": 1,
        "POST v1/groups/<group_id>/actions": 1,
        "POST v1/groups/<group_id>/actions/<action_id>/responses": 2,
    }


def test_what_people_post_is_no_audit_event(
    wire: Wire, program: Program, group: Group, member: User, browser_of: Callable[..., Client]
) -> None:
    browser, page = browser_of(member), reverse("groups:messages", args=[group.pk])
    poll = posted(wire, program, group, "Poll", POLL)
    before = AuditEvent.objects.count()
    form_to(browser.get(page), page).send(browser, {"message": "x"})
    card = reverse("groups:action", args=[group.pk, poll.pk])
    for choice in ("0", "1"):
        form_to(browser.get(card), card).send(browser, {"answer": choice})
    assert (Message.objects.count(), Response.objects.get().body) == (1, {"choice": 1})
    assert AuditEvent.objects.count() == before


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_message_takes_six_statements(
    wire: Wire, program: Program, group: Group, django_assert_max_num_queries: Any
) -> None:
    """The token, the group, the webhooks, and the message itself in its transaction."""
    wire.post(f"/v1/groups/{group.pk}/messages", '{"message": "x"}', program)
    with django_assert_max_num_queries(6):
        wire.post(f"/v1/groups/{group.pk}/messages", '{"message": "x"}', program)
