"""A connector's permissions change: less applies at once, after a look at what stops; more waits for an admin."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import AuditEvent, User
from accounts.tests.factories import make_user
from connectors import authentication, policies
from connectors.models import AccessRequest, Connector, Grant, RequestState
from connectors.permissions import Permission, get_permissions
from connectors.services import access_requests, connectors, grants, permissions
from connectors.tests import factories
from connectors.tests.factories import COMMON, Program, exchange, person_of
from connectors.tests.html_forms import Page, form_to, text_of
from connectors.tests.webhook_cast import make_webhook
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

pytestmark = pytest.mark.django_db

POLLS, MEDIA = Permission.ACTION_AND_RESPONSES, Permission.MEDIA


def change(connector: Connector, wanted: Any, **options: Any) -> permissions.Changed:
    return permissions.change(connector=connector, permissions=wanted, **{"by": connector.owner, **options})


def pending() -> AccessRequest:
    return AccessRequest.objects.waiting().select_related("grant", "connector").get()


def test_more_is_asked_of_each_grant_and_the_old_grant_goes_on(program: Program) -> None:
    token = exchange(program).access_token
    changed = change(program.connector, COMMON | {POLLS}, reason="For the weekly poll.")
    assert (changed.added, changed.requests_made, changed.grants_cut) == (frozenset({POLLS}), 1, 0)
    assert get_permissions(authentication.get_access_context(token).scopes) == COMMON
    assert pending().permissions == {POLLS}
    assert (pending().grant, pending().reason) == (program.grant, "For the weekly poll.")


def test_an_admin_gives_some_of_it_and_running_tokens_may_at_once(program: Program, group_admin: User) -> None:
    token = exchange(program).access_token
    change(program.connector, COMMON | {POLLS, MEDIA})
    request = pending()
    with pytest.raises(RuleBroken):
        access_requests.approve_more(request=request, by=group_admin, permissions=[POLLS, Permission.TENANT_DATA])
    access_requests.approve_more(request=request, by=group_admin, permissions=[POLLS])
    assert get_permissions(authentication.get_access_context(token).scopes) == COMMON | {POLLS}
    request.refresh_from_db()
    told = (request.state, request.given, request.decided_by)
    assert told == (RequestState.APPROVED, frozenset({POLLS}), group_admin)
    with pytest.raises(Conflict, match="approved"):
        access_requests.approve_more(request=request, by=group_admin, permissions=[MEDIA])
    assert get_permissions(authentication.get_access_context(token).scopes) == COMMON | {POLLS}


def test_an_admin_gives_none_of_it(program: Program, group_admin: User) -> None:
    change(program.connector, COMMON | {POLLS})
    assert access_requests.refuse(request=pending(), by=group_admin).state is RequestState.REFUSED
    program.grant.refresh_from_db()
    assert program.grant.permissions == COMMON


@pytest.mark.parametrize("verb", ["deactivate", "suspend"])
def test_a_stopped_connector_is_given_no_more(program: Program, group_admin: User, developer: User, verb: str) -> None:
    change(program.connector, COMMON | {POLLS})
    getattr(connectors, verb)(connector=program.connector, by=developer)
    with pytest.raises(RuleBroken) as refused:
        access_requests.approve_more(request=pending(), by=group_admin, permissions=[POLLS])
    assert refused.value.code == "connector_not_grantable"
    program.grant.refresh_from_db()
    assert program.grant.permissions == COMMON
    back = {"deactivate": connectors.reactivate, "suspend": connectors.resume}[verb]
    back(connector=program.connector, by=developer)
    access_requests.approve_more(request=pending(), by=group_admin, permissions=[POLLS])


@pytest.mark.parametrize("who", ["developer", "stranger", "outsider"])
def test_who_does_not_administer_the_grant_answers_nothing(
    program: Program, who: str, request: pytest.FixtureRequest, everything: Callable[[], Any]
) -> None:
    change(program.connector, COMMON | {POLLS})
    user, asked, before = request.getfixturevalue(who), pending(), everything()
    with pytest.raises(NotFound):
        access_requests.approve_more(request=asked, by=user, permissions=[POLLS])
    with pytest.raises(NotFound):
        access_requests.refuse(request=asked, by=user)
    assert everything() == before


def test_less_applies_at_once_and_does_not_come_back_by_itself(program: Program, group_admin: User) -> None:
    token = exchange(program).access_token
    changed = change(program.connector, COMMON - {Permission.TEXT_MESSAGE})
    assert (changed.removed, changed.grants_cut, changed.requests_made) == (frozenset({Permission.TEXT_MESSAGE}), 1, 0)
    assert Permission.TEXT_MESSAGE not in get_permissions(authentication.get_access_context(token).scopes)
    change(program.connector, COMMON)
    assert Permission.TEXT_MESSAGE not in get_permissions(authentication.get_access_context(token).scopes)
    access_requests.approve_more(request=pending(), by=group_admin, permissions=[Permission.TEXT_MESSAGE])
    assert get_permissions(authentication.get_access_context(token).scopes) == COMMON


def test_what_waits_grows_and_shrinks_with_the_connector(program: Program) -> None:
    change(program.connector, COMMON | {POLLS})
    change(program.connector, COMMON | {POLLS, MEDIA})
    assert pending().permissions == {POLLS, MEDIA}
    change(program.connector, COMMON | {MEDIA})
    assert pending().permissions == {MEDIA}
    change(program.connector, COMMON)
    assert [request.state for request in AccessRequest.objects.all()] == [RequestState.WITHDRAWN]
    access_requests.ask(
        connector=program.connector, by=program.connector.owner, permissions=COMMON, once=access_requests.new_once()
    )
    change(program.connector, [Permission.TEXT_MESSAGE])
    assert pending().permissions == {Permission.TEXT_MESSAGE}, "a request for access shrinks as well"


def test_grants_that_ended_are_not_asked_and_wait_no_more(connector: Connector, group_admin: User) -> None:
    grants.revoke(grant=factories.let_in(connector, group_admin).grant, by=group_admin)
    granted = factories.let_in(connector, group_admin)
    assert change(connector, COMMON | {POLLS}).requests_made == 1
    request = pending()
    grants.revoke(grant=granted.grant, by=group_admin)
    request.refresh_from_db()
    assert request.state is RequestState.WITHDRAWN
    with pytest.raises(Conflict):
        access_requests.approve_more(request=request, by=group_admin, permissions=[POLLS])


def test_what_acts_for_admins_or_by_pin_is_not_asked(
    connector: Connector, member: User, organisation_admin: User
) -> None:
    options: dict[str, Any] = {"kind": Grant.Kind.USER, "target_name": "A person"}
    of_admin, of_member, by_pin = (
        grants.grant(
            connector=connector, person=person_of(user), target=f"person:{person_of(user).pk}", by=user, **options
        ).grant
        for user in (organisation_admin, member, make_user("Nisha Patel", connector.organisation))
    )
    Grant.objects.filter(pk=by_pin.pk).update(granted_by=None)
    assert change(connector, COMMON | {POLLS}).requests_made == 1
    request = pending()
    assert request.grant == of_member
    for grant in (of_admin, by_pin):
        grant.refresh_from_db()
        request.grant = grant
        assert not policies.can_answer(organisation_admin, request)


def test_the_same_permissions_again_change_nothing(program: Program, everything: Callable[[], Any]) -> None:
    before, audited = everything(), AuditEvent.objects.count()
    changed = change(program.connector, COMMON)
    assert (changed.grants_cut, changed.requests_made) == (0, 0)
    assert (everything(), AuditEvent.objects.count()) == (before, audited)


def test_a_connector_keeps_at_least_one_permission(connector: Connector) -> None:
    with pytest.raises(RuleBroken):
        change(connector, [])


def test_the_trail_tells_the_change_the_request_and_the_answer(program: Program, group_admin: User) -> None:
    change(program.connector, (COMMON | {POLLS}) - {Permission.GROUP_INFORMATION})
    access_requests.approve_more(request=pending(), by=group_admin, permissions=[POLLS])
    tags = list(AuditEvent.objects.order_by("pk").values_list("tag", flat=True))[-5:]
    assert tags == [
        "connector:permissions:changed",
        "grant:permissions:changed",
        "request:access:made",
        "grant:permissions:changed",
        "request:access:approved",
    ]


Browser = Callable[..., Client]
MEMBERS = "GET v1/groups/<group_id>/members"
SPELLED = "GET /v1/groups/{groupId}/members"
LESS = ["groupinfo", "textmessage"]


def page_of(connector: Connector) -> str:
    return f"/console/connectors/{connector.pk}/permissions/"


def preview(owner: Client, connector: Connector, *chosen: str) -> Page:
    form = form_to(owner.get(page_of(connector)), page_of(connector))
    return form.send(owner, {"permissions": list(chosen), "reason": "For polls."})


def test_the_change_is_made_after_the_preview_and_asks_the_group(program: Program, owner: Client) -> None:
    url = page_of(program.connector)
    form = form_to(preview(owner, program.connector, "groupinfo", "groupmember", "action"), url)
    assert Connector.objects.get().permissions == COMMON, "looking changes nothing"
    page = form.send(owner, {"sure": "1", "typed": "Shift Planner"}, follow=True)
    assert "1 group must approve the added permissions." in text_of(page)
    program.connector.refresh_from_db()
    assert POLLS in program.connector.permissions
    assert Permission.TEXT_MESSAGE not in program.connector.permissions
    assert pending().permissions == {POLLS}
    assert (pending().reason, pending().grant) == ("For polls.", program.grant)
    assert "Nothing changed" in text_of(form.send(owner, {"sure": "1"}, follow=True))
    assert AccessRequest.objects.count() == 1


def test_back_from_the_preview_keeps_what_was_ticked(program: Program, owner: Client) -> None:
    url = page_of(program.connector)
    form = form_to(preview(owner, program.connector, "textmessage", "action"), url)
    back = form_to(form.send(owner, {"back": "1"}), url)
    assert back.fields["permissions"] == ["textmessage", "action"]
    assert back.fields["reason"] == ["For polls."]


@pytest.mark.parametrize("chosen", [[], ["everything"]])
def test_no_permission_and_an_unknown_one_are_refused(program: Program, owner: Client, chosen: list[str]) -> None:
    assert preview(owner, program.connector, *chosen).status_code == 400
    assert Connector.objects.get().permissions == COMMON


def used(program: Program, *, calls: int, ago: dt.timedelta, scope: str = "groupmember.read") -> None:
    factories.make_use(program.grant, MEMBERS, at=clock.now() - ago, calls=calls, scope=scope)


def has_now(program: Program) -> frozenset[Permission]:
    return Grant.objects.get(pk=program.grant.pk).permissions


def test_what_will_stop_is_counted_before_anything_does(program: Program, group_admin: User, owner: Client) -> None:
    factories.let_in(program.connector, group_admin, permissions=["textmessage"], target_name="Loses nothing")
    used(program, calls=5, ago=dt.timedelta(hours=1))
    used(program, calls=7, ago=dt.timedelta(days=3))
    used(program, calls=9, ago=dt.timedelta(days=20))
    text = text_of(preview(owner, program.connector, *LESS))
    for fact in (
        "access that loses permissions 1",
        "groups 1",
        "live refresh tokens that lose permissions 1",
        "calls of the last 24 hours that would have failed 5",
        "calls of the last 7 days that would have failed 12",
        "calls of the last 30 days that would have failed 21",
        f"{SPELLED} 5 12 21",
    ):
        assert fact in text
    assert has_now(program) == COMMON, "looking takes nothing away"


def test_webhooks_that_end_are_counted_with_their_hosts(program: Program, owner: Client) -> None:
    for row in (program.connector, program.grant):
        row.permissions = COMMON | {Permission.OUTGOING_WEBHOOKS}
        row.save(update_fields=["permissions"])
    make_webhook(program.grant, "https://hooks.example.com/in?key=of-theirs", uuid4())
    without = text_of(preview(owner, program.connector, *LESS, "groupmember"))
    assert "active webhooks 1" in without
    assert "Webhooks that stop" in without
    assert "hooks.example.com" in without
    assert "of-theirs" not in without
    kept = text_of(preview(owner, program.connector, *LESS, "webhook"))
    assert "active webhooks 0" in kept
    assert "hooks.example.com" not in kept


@pytest.mark.parametrize("typed", [None, "Shift Planner 2"])
def test_without_its_name_nothing_is_taken_away(program: Program, owner: Client, typed: str | None) -> None:
    form: dict[str, Any] = {"permissions": LESS, "reason": "Too much", "sure": "1"}
    page = owner.post(page_of(program.connector), form if typed is None else {**form, "typed": typed})
    assert page.status_code == 400
    assert "What will stop" in text_of(page), "the figures stay beside the question"
    again = form_to(page, page_of(program.connector))
    assert again.fields["permissions"] == LESS
    assert again.fields["reason"] == ["Too much"]
    assert has_now(program) == Connector.objects.get().permissions == COMMON


def test_with_its_name_the_next_call_is_refused(program: Program, owner: Client) -> None:
    token = Client().get("/v1/accessToken", headers=program.headers()).json()["accessToken"]
    form = form_to(preview(owner, program.connector, "textmessage"), page_of(program.connector))
    assert form.send(owner, {"typed": " shift  planner ", "sure": "1"}).status_code == 302
    assert has_now(program) == {Permission.TEXT_MESSAGE}
    assert Client().get("/v1/groups", headers={"accessToken": token}).status_code == 403


def test_who_only_adds_types_nothing(program: Program, owner: Client) -> None:
    page = preview(owner, program.connector, *sorted(COMMON), "media")
    form = form_to(page, page_of(program.connector))
    assert "What will stop" not in text_of(page)
    assert "typed" not in form.fields
    assert form.send(owner, {"sure": "1"}).status_code == 302
    assert Permission.MEDIA in Connector.objects.get().permissions
    assert has_now(program) == COMMON
