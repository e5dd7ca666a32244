"""The same form sent several times at the same moment, on PostgreSQL with real threads: nothing is doubled."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Notice, User
from accounts.tests.factories import make_person
from connectors.models import Connector, Grant, Handoff, RefreshToken
from connectors.services.grants import Granted
from connectors.tests.html_forms import HtmlForm, form_to
from groups.models import Group, GroupLink, Membership, Message
from groups.tests.factories import person_of
from groups.tests.threads import together

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

TIMES = 3  # the pool has four connections, and the test holds one
TOKEN = re.compile(r"kzrt_[0-9A-Za-z]{65}")


@pytest.fixture
def clients(group_admin: User, browser_of: Callable[..., Client]) -> list[Client]:
    """One person's impatient clicks."""
    return [browser_of(group_admin) for _ in range(TIMES)]


def form_on(clients: list[Client], page: str, action: str = "") -> HtmlForm:
    return form_to(clients[0].get(page), action or page)


def all_at_once(clients: list[Client], form: HtmlForm, **fields: str) -> list[Any]:
    answers = together(*(partial(form.send, client, fields) for client in clients))
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert {answer.status_code for answer in answers} <= {200, 302}
    return answers


def happened(tag: str) -> int:
    return AuditEvent.objects.filter(tag=tag).count()


def test_one_group_is_made(clients: list[Client]) -> None:
    url = reverse("groups:create")
    answers = all_at_once(clients, form_on(clients, url), name="Safety", numbers="+919930000001")
    assert {answer["Location"] for answer in answers} == {reverse("groups:details", args=[Group.objects.get().pk])}
    assert (Membership.objects.count(), happened("group:account:created")) == (2, 1)


def test_one_sub_group_is_made(clients: list[Client], group: Group) -> None:
    all_at_once(clients, form_on(clients, reverse("groups:sub_groups", args=[group.pk])), name="Gate")
    assert (Group.objects.filter(name="Gate").count(), GroupLink.objects.count()) == (1, 1)
    assert happened("group:subgroup:linked") == 1


def test_one_message_is_sent(clients: list[Client], group: Group) -> None:
    all_at_once(clients, form_on(clients, reverse("groups:messages", args=[group.pk])), message="Once")
    assert Message.objects.count() == 1


def test_everybody_is_added_once(clients: list[Client], group: Group) -> None:
    page, action = (reverse(f"groups:{name}", args=[group.pk]) for name in ("details", "users_add"))
    people = [make_person(), make_person()]  # known already: nobody waits for anybody while they are made
    all_at_once(clients, form_on(clients, page, action), numbers=", ".join(person.number for person in people))
    assert Membership.objects.filter(group=group).count() == 5
    assert happened("group:member:added") == 2


def test_one_person_is_removed(clients: list[Client], group: Group, member: User) -> None:
    url = reverse("groups:user_remove", args=[group.pk, person_of(member).pk])
    all_at_once(clients, form_on(clients, url))
    assert Membership.objects.filter(group=group).count() == 2
    assert happened("group:member:removed") == 1


def test_one_connector_is_added(clients: list[Client], group: Group, connector: Connector) -> None:
    page, action = (reverse(f"groups:{name}", args=[group.pk]) for name in ("connectors", "connector_add"))
    answers = all_at_once(clients, form_on(clients, page, action), connector=str(connector.pk))
    assert {answer["Location"] for answer in answers} == {
        reverse("groups:grant", args=[group.pk, Grant.objects.get().pk])
    }
    assert (RefreshToken.objects.count(), Handoff.objects.count(), Notice.objects.count()) == (1, 1, 1)
    assert happened("grant:access:granted") == 1


def test_the_same_token_is_shown_and_told_once(clients: list[Client], group: Group, granted: Granted) -> None:
    url = reverse("groups:grant", args=[group.pk, granted.grant.pk])
    answers = all_at_once(clients, form_on(clients, url, f"{url}show/"))
    assert {answer.status_code for answer in answers} == {200}
    assert len({token for answer in answers for token in TOKEN.findall(answer.content.decode())}) == 1
    assert happened("handoff:token:revealed") == 1
    done = form_to(answers[0], f"{url}show/done/")
    assert {answer["Location"] for answer in all_at_once(clients, done, stored="1")} == {url}


def test_one_new_token_is_made(clients: list[Client], group: Group, granted: Granted) -> None:
    url = reverse("groups:grant_regenerate", args=[group.pk, granted.grant.pk])
    all_at_once(clients, form_on(clients, url))
    assert (RefreshToken.objects.count(), Handoff.objects.count()) == (2, 2)
    assert RefreshToken.objects.filter(revoked_at__isnull=True).count() == 1
    assert happened("grant:token:regenerated") == 1


def test_one_access_is_removed(clients: list[Client], group: Group, granted: Granted) -> None:
    url = reverse("groups:grant_remove", args=[group.pk, granted.grant.pk])
    all_at_once(clients, form_on(clients, url), typed="Shift Planner")
    assert Grant.objects.get().revoked_at is not None
    assert happened("grant:access:revoked") == 1
