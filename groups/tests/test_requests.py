"""A group's admin answers a developer's request."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.utils import translation

from accounts.models import AuditEvent, User
from connectors.models import AccessRequest, Connector, Grant, RequestState
from connectors.permissions import Permission
from connectors.services import access_requests as asking
from connectors.services import permissions
from connectors.services.access_requests import new_once
from groups.access import get_target
from groups.models import Group
from groups.services import access_requests, connectors
from groups.tests import factories
from groups.tests.threads import together
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

pytestmark = pytest.mark.django_db
POST, READ = Permission.TEXT_MESSAGE, Permission.GROUP_MEMBER_LIST


@pytest.fixture
def ask(connector: Connector, developer: User) -> Callable[..., AccessRequest]:
    """The developer asks to post messages and to read members; by link unless a group is named."""

    def ask(group: Group | None = None, **options: Any) -> AccessRequest:
        target = get_target(group) if group else ""
        return asking.ask(
            connector=connector,
            by=developer,
            **{"permissions": [POST, READ], "once": new_once(), "target": target, **options},
        )

    return ask


def state_of(request: AccessRequest) -> RequestState:
    return AccessRequest.objects.get(pk=request.pk).state


@pytest.mark.parametrize("named", [True, False], ids=["a named group", "a link"])
def test_an_admin_gives_some_of_it_and_nothing_else(
    ask: Callable[..., AccessRequest], group: Group, group_admin: User, named: bool
) -> None:
    request = ask(group if named else None)
    approve = partial(access_requests.approve, request=request, group=group, by=group_admin)
    with pytest.raises(RuleBroken):
        approve(permissions=[POST, Permission.TENANT_DATA])
    assert state_of(request) is RequestState.WAITING
    granted = approve(permissions=[POST])
    assert granted.grant.permissions == {POST}
    assert granted.grant.group_grant.group == group
    request.refresh_from_db()
    assert (request.state, request.grant, request.given) == (RequestState.APPROVED, granted.grant, frozenset({POST}))
    assert (request.target, request.target_name, request.decided_by) == (get_target(group), group.name, group_admin)


def test_the_developer_gets_a_receipt_in_their_own_language_and_the_token_sealed(
    ask: Callable[..., AccessRequest],
    group: Group,
    group_admin: User,
    developer: User,
    outbox: list[EmailMessage],
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True), translation.override("hi"):
        access_requests.approve(request=ask(group), group=group, by=group_admin, permissions=[POST])
    receipt = next(mail for mail in outbox if "approved your request" in mail.subject)
    assert receipt.to == [developer.email]
    assert "Approved: Text Message" in receipt.body
    assert "Not approved: Group Member List" in receipt.body
    assert any("ready to claim" in mail.subject for mail in outbox)


def test_the_admins_of_a_named_group_get_a_mail_and_nobody_elsewhere_does(
    ask: Callable[..., AccessRequest],
    group: Group,
    group_admin: User,
    outsider: User,
    outbox: list[EmailMessage],
    django_capture_on_commit_callbacks: Any,
) -> None:
    theirs = factories.make_group("Fabrikam night", organisation=outsider.organisation, admins=[outsider])
    with django_capture_on_commit_callbacks(execute=True):
        asked = ask(group)
        ask(theirs)
        ask()
    assert [(mail.to, mail.subject) for mail in outbox] == [
        ([group_admin.email], "A request for Shift Planner needs your answer")
    ]
    assert f"/console/requests/{asked.pk}/" in outbox[0].body


def test_an_admin_of_many_groups_gets_one_mail_about_more_permissions(
    connector: Connector,
    developer: User,
    group_admin: User,
    outbox: list[EmailMessage],
    django_capture_on_commit_callbacks: Any,
) -> None:
    for name in ("Night", "Day", "Weekend"):
        there = factories.make_group(name, organisation=developer.organisation, admins=[group_admin])
        connectors.add_connector(group=there, connector_id=connector.pk, by=group_admin, permissions=[POST])
    permissions.change(connector=connector, permissions=[POST], by=developer)
    with django_capture_on_commit_callbacks(execute=True):
        permissions.change(connector=connector, permissions=[POST, READ], by=developer)
    assert [mail.subject for mail in outbox] == ["3 requests for Shift Planner need your answer"]
    assert "/console/groups/requests/" in outbox[0].body


def test_an_admin_gives_none_and_the_developer_is_told(
    ask: Callable[..., AccessRequest],
    group: Group,
    group_admin: User,
    outbox: list[EmailMessage],
    django_capture_on_commit_callbacks: Any,
) -> None:
    request = ask()
    with django_capture_on_commit_callbacks(execute=True):
        access_requests.refuse(request=request, group=group, by=group_admin)
    assert state_of(request) is RequestState.REFUSED
    assert not Grant.objects.exists()
    assert outbox[0].subject == f"{group_admin.name} refused your request for {request.connector.name}"
    assert group.name in outbox[0].body


def test_the_second_answer_is_told_who_gave_the_first(
    ask: Callable[..., AccessRequest], group: Group, group_admin: User, organisation_admin: User
) -> None:
    request = ask(group)
    access_requests.approve(request=request, group=group, by=group_admin, permissions=[POST])
    for answer in (
        lambda: access_requests.approve(request=request, group=group, by=organisation_admin, permissions=[POST]),
        lambda: access_requests.refuse(request=request, group=group, by=organisation_admin),
    ):
        with pytest.raises(Conflict, match=f"{group_admin.name} approved this request"):
            answer()
    assert Grant.objects.count() == 1


@pytest.mark.parametrize("who", ["developer", "member", "stranger", "outsider"])
@pytest.mark.parametrize("named", [True, False], ids=["a named group", "a link"])
def test_who_is_no_admin_of_the_group_answers_nothing(
    ask: Callable[..., AccessRequest], group: Group, who: str, named: bool, request: pytest.FixtureRequest
) -> None:
    user, asked = request.getfixturevalue(who), ask(group if named else None)
    before = AuditEvent.objects.count()
    for answer in (partial(access_requests.approve, permissions=[POST]), access_requests.refuse):
        with pytest.raises(NotFound):
            answer(request=asked, group=group, by=user)
    assert state_of(asked) is RequestState.WAITING
    assert not Grant.objects.exists()
    assert AuditEvent.objects.count() == before


def test_a_request_for_one_group_is_not_answered_for_another(
    ask: Callable[..., AccessRequest], group: Group, group_admin: User
) -> None:
    other = factories.make_group("Day Shift", admins=[group_admin])
    asked = ask(group)
    for answer in (partial(access_requests.approve, permissions=[POST]), access_requests.refuse):
        with pytest.raises(NotFound):
            answer(request=asked, group=other, by=group_admin)
    assert state_of(asked) is RequestState.WAITING


def test_an_admin_of_another_organisation_is_not_reached_by_naming_their_group(
    ask: Callable[..., AccessRequest], outsider: User
) -> None:
    theirs = factories.make_group("Fabrikam night", organisation=outsider.organisation, admins=[outsider])
    asked = ask(theirs)
    with pytest.raises(NotFound):
        access_requests.approve(request=asked, group=theirs, by=outsider, permissions=[POST])
    assert not AuditEvent.objects.filter(group_id=theirs.pk).exists()


def test_adding_the_connector_by_hand_answers_what_was_asked(
    ask: Callable[..., AccessRequest], connector: Connector, group: Group, group_admin: User
) -> None:
    named, link = ask(group), ask()
    granted = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin)
    named.refresh_from_db()
    assert (named.state, named.grant) == (RequestState.APPROVED, granted.grant)
    assert state_of(link) is RequestState.WAITING


def test_a_group_that_has_it_already_leaves_the_link_waiting(
    ask: Callable[..., AccessRequest], connector: Connector, group: Group, group_admin: User
) -> None:
    connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin)
    link = ask()
    with pytest.raises(Conflict):
        access_requests.approve(request=link, group=group, by=group_admin, permissions=[POST])
    assert state_of(link) is RequestState.WAITING


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("named", [True, False], ids=["a named group", "a link"])
def test_of_two_admins_at_once_one_answers(
    ask: Callable[..., AccessRequest], group: Group, group_admin: User, organisation_admin: User, named: bool
) -> None:
    other = group if named else factories.make_group("Day Shift", organisation=group.organisation)
    for _round in range(5):
        asked = ask(group if named else None)
        results = together(
            partial(access_requests.approve, request=asked, group=group, by=group_admin, permissions=[POST]),
            partial(
                access_requests.approve, request=asked, group=other, by=organisation_admin, permissions=[POST, READ]
            ),
            partial(access_requests.refuse, request=asked, group=other, by=organisation_admin),
        )
        assert [type(result) for result in results].count(Conflict) == 2, results
        assert state_of(asked) in (RequestState.APPROVED, RequestState.REFUSED)
        there = list(Grant.objects.present())
        assert len(there) == (1 if state_of(asked) is RequestState.APPROVED else 0)
        for grant in there:
            connectors.remove_connector(group=grant.group_grant.group, grant=grant, by=organisation_admin)
