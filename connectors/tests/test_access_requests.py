"""Requests for access, and what becomes of them when nobody says yes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction

from accounts.models import AuditEvent, Notice, User
from connectors.models import AccessRequest, Connector, RequestState
from connectors.permissions import Permission
from connectors.services import access_requests, connectors, grants
from connectors.services.access_requests import new_once
from connectors.tests import factories
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken, TooSoon

pytestmark = pytest.mark.django_db

POST = [Permission.TEXT_MESSAGE]


def ask(connector: Connector, **options: Any) -> AccessRequest:
    """What the developer asks: to post messages, of whoever gets the link, unless said otherwise."""
    return access_requests.ask(
        connector=connector, **{"by": connector.owner, "permissions": POST, "once": new_once(), **options}
    )


def some_group() -> str:
    return f"group:{ids.new_id()}"


def test_asking_makes_one_request_alone(connector: Connector, developer: User, everything: Callable[[], Any]) -> None:
    before = everything()
    request = ask(connector, reason="  Tells each shift\r\nwhere it works. ")
    after = everything()
    assert [name for name in after if after[name] != before[name]] == ["AccessRequest"]
    assert (request.state, request.by_link, request.target) == (RequestState.WAITING, True, "")
    assert request.reason == "Tells each shift\nwhere it works."
    assert request.permissions == {Permission.TEXT_MESSAGE}
    assert AuditEvent.objects.get(tag="request:access:made").actor_id == str(developer.pk)


def test_one_form_sent_twice_is_one_request(connector: Connector) -> None:
    once = new_once()
    assert ask(connector, once=once) == ask(connector, once=once, permissions=[Permission.GROUP_INFORMATION])
    for nonsense in ("", "x" * 65, "not a name"):
        with pytest.raises(RuleBroken):
            ask(connector, once=nonsense)
    assert AccessRequest.objects.count() == 1


@pytest.mark.parametrize("who", ["stranger", "group_admin", "outsider", "organisation_admin"])
def test_only_owners_ask_and_withdraw(
    connector: Connector, who: str, request: pytest.FixtureRequest, everything: Callable[[], Any]
) -> None:
    asked, user = ask(connector), request.getfixturevalue(who)
    before = everything()
    with pytest.raises(NotFound):
        ask(connector, by=user)
    with pytest.raises(NotFound):
        access_requests.withdraw(request=asked, by=user)
    assert everything() == before


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"permissions": []}, "permissions"),
        ({"permissions": ["everything"]}, "permissions"),
        ({"permissions": [Permission.TENANT_DATA]}, "permissions"),
        ({"reason": "x" * 501}, "reason"),
        ({"ends_at": dt.datetime(2001, 1, 1, tzinfo=dt.UTC)}, "end_date"),
    ],
)
def test_a_wrong_field_is_named(connector: Connector, options: dict[str, Any], field: str) -> None:
    with pytest.raises(RuleBroken) as refusal:
        ask(connector, **options)
    assert refusal.value.field == field
    assert not AccessRequest.objects.exists()


@pytest.mark.parametrize("verb", ["deactivate", "suspend"])
def test_a_connector_that_takes_no_groups_asks_for_none(connector: Connector, developer: User, verb: str) -> None:
    getattr(connectors, verb)(connector=connector, by=developer)
    with pytest.raises(RuleBroken):
        ask(connector)


def test_one_group_is_asked_once_at_a_time(connector: Connector, developer: User) -> None:
    target = some_group()
    first = ask(connector, target=target)
    with pytest.raises(Conflict) as refusal:
        ask(connector, target=target)
    assert refusal.value.code == "already_asked"
    access_requests.withdraw(request=first, by=developer)
    assert ask(connector, target=target).state is RequestState.WAITING


def test_the_database_refuses_a_second_waiting_request_for_a_group(connector: Connector) -> None:
    first = ask(connector, target=some_group())
    with pytest.raises(IntegrityError, match=r"one_waiting_request_a_target|connector_id"), transaction.atomic():
        AccessRequest.objects.create(
            connector=connector,
            kind="access",
            target=first.target,
            permissions=POST,
            made_by=first.made_by,
            expires_at=first.expires_at,
        )


def test_a_group_that_has_the_connector_is_not_asked(connector: Connector, group_admin: User) -> None:
    granted = factories.let_in(connector, group_admin)
    with pytest.raises(grants.AlreadyGranted):
        ask(connector, target=granted.grant.target)


def test_a_hundred_may_wait_and_no_more(connector: Connector) -> None:
    for _number in range(access_requests.MOST_WAITING):
        ask(connector)
    with pytest.raises(RuleBroken) as refusal:
        ask(connector)
    assert refusal.value.code == "too_many_waiting"


def test_so_many_are_sent_in_a_day_and_no_more(
    connector: Connector, developer: User, monkeypatch: pytest.MonkeyPatch, travel: Callable[..., Any]
) -> None:
    monkeypatch.setattr(access_requests, "MOST_A_DAY", 3)
    for _number in range(3):
        access_requests.withdraw(request=ask(connector), by=developer)
    with pytest.raises(TooSoon):
        ask(connector)
    travel(days=1, seconds=1)
    ask(connector)


def test_a_request_can_be_answered_for_fourteen_days_but_not_after_what_it_asks_for_ends(connector: Connector) -> None:
    now = clock.now()
    soon = now + dt.timedelta(days=2)
    assert dt.timedelta(days=13, hours=23) < ask(connector).expires_at - now < dt.timedelta(days=14, hours=1)
    assert ask(connector, ends_at=soon).expires_at == soon


def test_an_owner_withdraws_once(connector: Connector, developer: User) -> None:
    request = ask(connector)
    assert access_requests.withdraw(request=request, by=developer).state is RequestState.WITHDRAWN
    with pytest.raises(Conflict, match="withdrawn"):
        access_requests.withdraw(request=request, by=developer)
    assert AuditEvent.objects.filter(tag="request:access:withdrawn").count() == 1


def test_what_nobody_answers_expires_and_the_owner_is_told_once(
    connector: Connector,
    developer: User,
    travel: Callable[..., Any],
    outbox: list[EmailMessage],
    django_capture_on_commit_callbacks: Any,
) -> None:
    asked = [ask(connector), ask(connector), ask(connector, target=some_group())]
    travel(days=14, minutes=1)
    with django_capture_on_commit_callbacks(execute=True):
        assert access_requests.expire_overdue() == 3
        assert access_requests.expire_overdue() == 0
    for request in asked:
        request.refresh_from_db()
        assert request.expired_at
    assert AuditEvent.objects.filter(tag="request:access:expired").count() == 3
    assert [notice.user for notice in Notice.objects.all()] == [developer]
    assert outbox[0].subject == f"3 requests for {connector.name} expired"


def test_an_overdue_one_does_not_stand_in_the_way(
    connector: Connector, developer: User, travel: Callable[..., Any]
) -> None:
    target = some_group()
    old = ask(connector, target=target)
    travel(days=15)
    with pytest.raises(Conflict, match="expired"):
        access_requests.withdraw(request=old, by=developer)
    assert ask(connector, target=target).state is RequestState.WAITING
    old.refresh_from_db()
    assert old.expired_at


def test_deleting_a_connector_ends_what_it_asked(connector: Connector, developer: User) -> None:
    request = ask(connector)
    connectors.delete(connector=connector, by=developer)
    request.refresh_from_db()
    assert request.state is RequestState.WITHDRAWN


def test_without_its_audit_row_nothing_is_asked(connector: Connector, no_audit: Callable[[], None]) -> None:
    no_audit()
    with pytest.raises(Exception, match="audit"), transaction.atomic():
        ask(connector)
    assert not AccessRequest.objects.exists()
