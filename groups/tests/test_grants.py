"""Letting a connector into a group, as its admin or on a developer's request, and showing it out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.utils import translation

from accounts.models import AuditEvent, Organisation, User
from accounts.tests.factories import make_user
from connectors import policies
from connectors.models import AccessRequest, Connector, Grant, RequestState
from connectors.permissions import Permission
from connectors.services import grants as connector_grants
from connectors.services import permissions
from groups.access import administers, get_target
from groups.models import Group, Membership
from groups.services import access_requests
from groups.services import connectors as grants
from groups.tests.factories import let_in, make_connector, make_group, person_of
from groups.tests.threads import together
from kaizala_console.lib import ids
from kaizala_console.lib.errors import Conflict, ConsoleError, NotAllowed, NotFound, RuleBroken


def add(group: Group, connector: Connector, by: User) -> Grant:
    return grants.add_connector(group=group, connector_id=connector.pk, by=by).grant


@pytest.mark.parametrize("who", ["member", "stranger", "outsider", "developer"], indirect=True)
def test_only_an_admin_of_the_group_adds_and_removes_a_connector(
    who: User, group: Group, connector: Connector, group_admin: User
) -> None:
    with pytest.raises(NotAllowed):
        add(group, connector, who)
    assert not Grant.objects.exists()
    grant = add(group, connector, group_admin)
    with pytest.raises(NotFound):
        grants.remove_connector(group=group, grant=grant, by=who)
    grant.refresh_from_db()
    assert grant.revoked_at is None


def test_an_organisation_admin_adds_one_to_any_group_of_the_organisation_but_not_without_a_phone(
    group: Group, connector: Connector, organisation: Organisation, organisation_admin: User
) -> None:
    with pytest.raises(NotAllowed):
        add(group, connector, make_user("Farah", organisation, number=None, is_organisation_admin=True))
    assert add(group, connector, organisation_admin).person == person_of(organisation_admin)


def test_a_connector_of_another_organisation_is_the_same_as_none(
    group: Group, group_admin: User, outsider: User
) -> None:
    told = set()
    for key in (make_connector(outsider).pk, ids.new_id()):
        with pytest.raises(NotFound) as error:
            grants.add_connector(group=group, connector_id=key, by=group_admin)
        told.add(str(error.value))
    assert len(told) == 1


def test_a_grant_of_another_group_is_not_removed_through_this_one(
    group: Group, connector: Connector, group_admin: User
) -> None:
    other = make_group("Other", organisation=group.organisation, admins=[group_admin])
    grant = let_in(connector, other, group_admin).grant
    with pytest.raises(NotFound):
        grants.remove_connector(group=group, grant=grant, by=group_admin)
    grant.refresh_from_db()
    assert grant.revoked_at is None


def test_who_administers_a_grant_follows_the_group_at_this_moment(
    group: Group, connector: Connector, group_admin: User, member: User, organisation_admin: User
) -> None:
    grant = add(group, connector, group_admin)
    assert policies.can_administer(group_admin, grant)
    assert policies.can_administer(organisation_admin, grant)
    assert not policies.can_administer(member, grant)
    Membership.objects.filter(group=group, person=person_of(member)).update(role="Admin")
    Membership.objects.filter(group=group, person=person_of(group_admin)).delete()
    assert policies.can_administer(member, grant)
    assert not policies.can_administer(group_admin, grant)
    with pytest.raises(ConsoleError):
        connector_grants.revoke(grant=grant, by=group_admin)


@pytest.mark.parametrize("target", ["", "group:", "group:x", "person:{}", "{}", "group:{}x"])
def test_a_target_that_names_no_group_is_administered_by_nobody(group: Group, group_admin: User, target: str) -> None:
    assert administers(group_admin, get_target(group))
    assert not administers(group_admin, target.format(group.pk))


POST, READ = Permission.TEXT_MESSAGE, Permission.GROUP_MEMBER_LIST


def state_of(request: AccessRequest) -> RequestState:
    return AccessRequest.objects.get(pk=request.pk).state


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
    theirs = make_group("Fabrikam night", organisation=outsider.organisation, admins=[outsider])
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
        there = make_group(name, organisation=developer.organisation, admins=[group_admin])
        grants.add_connector(group=there, connector_id=connector.pk, by=group_admin, permissions=[POST])
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


def test_what_was_not_asked_for_is_not_given(
    ask: Callable[..., AccessRequest], group: Group, group_admin: User
) -> None:
    asked = ask(group)
    with pytest.raises(RuleBroken):
        access_requests.approve(request=asked, group=group, by=group_admin, permissions=[POST, Permission.TENANT_DATA])
    assert state_of(asked) is RequestState.WAITING


@pytest.mark.parametrize("who", ["developer", "member", "stranger", "outsider"], indirect=True)
@pytest.mark.parametrize("named", [True, False], ids=["a named group", "a link"])
def test_who_is_no_admin_of_the_group_answers_nothing(
    ask: Callable[..., AccessRequest], group: Group, who: User, named: bool
) -> None:
    asked = ask(group if named else None)
    before = AuditEvent.objects.count()
    for answer in (partial(access_requests.approve, permissions=[POST]), access_requests.refuse):
        with pytest.raises(NotFound):
            answer(request=asked, group=group, by=who)
    assert state_of(asked) is RequestState.WAITING
    assert not Grant.objects.exists()
    assert AuditEvent.objects.count() == before


def test_a_request_for_one_group_is_not_answered_for_another(
    ask: Callable[..., AccessRequest], group: Group, group_admin: User
) -> None:
    other = make_group("Day Shift", admins=[group_admin])
    asked = ask(group)
    for answer in (partial(access_requests.approve, permissions=[POST]), access_requests.refuse):
        with pytest.raises(NotFound):
            answer(request=asked, group=other, by=group_admin)
    assert state_of(asked) is RequestState.WAITING


def test_an_admin_of_another_organisation_is_not_reached_by_naming_their_group(
    ask: Callable[..., AccessRequest], outsider: User
) -> None:
    theirs = make_group("Fabrikam night", organisation=outsider.organisation, admins=[outsider])
    asked = ask(theirs)
    with pytest.raises(NotFound):
        access_requests.approve(request=asked, group=theirs, by=outsider, permissions=[POST])
    assert not AuditEvent.objects.filter(group_id=theirs.pk).exists()


def test_adding_the_connector_by_hand_answers_what_was_asked(
    ask: Callable[..., AccessRequest], connector: Connector, group: Group, group_admin: User
) -> None:
    named, link = ask(group), ask()
    granted = grants.add_connector(group=group, connector_id=connector.pk, by=group_admin)
    named.refresh_from_db()
    assert (named.state, named.grant) == (RequestState.APPROVED, granted.grant)
    assert state_of(link) is RequestState.WAITING


def test_a_group_that_has_it_already_leaves_the_link_waiting(
    ask: Callable[..., AccessRequest], connector: Connector, group: Group, group_admin: User
) -> None:
    grants.add_connector(group=group, connector_id=connector.pk, by=group_admin)
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
    other = group if named else make_group("Day Shift", organisation=group.organisation)
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
            grants.remove_connector(group=grant.group_grant.group, grant=grant, by=organisation_admin)
