"""Several requests that wait are answered in one go, each as it was asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.models import User
from connectors.models import AccessRequest, Connector, Grant, Handoff, RequestState
from connectors.permissions import Permission
from connectors.services import access_requests as asking
from connectors.services import connectors as connector_service
from connectors.services import permissions
from connectors.tests.html_forms import form_to, text_of
from groups.access import get_target
from groups.models import Group
from groups.services import access_requests
from groups.tests import factories
from groups.tests.pages import everything
from kaizala_console.lib import clock
from kaizala_console.tests.looking import findings

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
URL = "/console/groups/requests/several/"
LIST = "/console/groups/requests/"
POST, READ = Permission.TEXT_MESSAGE, Permission.GROUP_MEMBER_LIST


@pytest.fixture
def connectors(developer: User) -> list[Connector]:
    return [factories.make_connector(developer, name=f"Rota {n}", permissions={POST, READ}) for n in range(3)]


@pytest.fixture
def asked(connectors: list[Connector], developer: User, group: Group) -> list[AccessRequest]:
    return [ask(connector, developer, group) for connector in connectors]


def ask(connector: Connector, by: User, group: Group, **more: Any) -> AccessRequest:
    wanted = {"permissions": [POST], "once": asking.new_once(), **more}
    return asking.ask(connector=connector, by=by, target=get_target(group), **wanted)


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


def address(asked: list[AccessRequest], act: str) -> str:
    return f"{URL}?{urlencode([*(('request', str(one.pk)) for one in asked), ('act', act)])}"


def answer(client: Client, asked: list[AccessRequest], act: str) -> Any:
    return form_to(client.get(address(asked, act)), URL).send(client, follow=True)


def states(asked: list[AccessRequest]) -> list[RequestState]:
    return [AccessRequest.objects.get(pk=one.pk).state for one in asked]


def test_several_are_approved_as_asked_after_one_look(
    client: Client, asked: list[AccessRequest], connectors: list[Connector]
) -> None:
    before = everything()
    page = client.get(address(asked[:2], "approve"))
    assert "Approve 2 requests" in text_of(page)
    assert "Text Message" in text_of(page)
    assert everything() == before
    done = form_to(page, URL).send(client, follow=True)
    assert done.redirect_chain == [(LIST, 302)]
    assert "2 requests approved." in text_of(done)
    assert states(asked) == [RequestState.APPROVED, RequestState.APPROVED, RequestState.WAITING]
    assert [grant.permissions for grant in Grant.objects.all()] == [{POST}, {POST}]
    assert Handoff.objects.waiting().count() == 2


def test_each_ends_when_it_asked_to(client: Client, connectors: list[Connector], developer: User, group: Group) -> None:
    ends = clock.now().replace(microsecond=0) + dt.timedelta(days=365)
    one = ask(connectors[0], developer, group, ends_at=ends)
    answer(client, [one], "approve")
    assert Grant.objects.get().ends_at == ends


def test_more_permissions_are_given_to_the_grant_that_there_is(
    client: Client, connectors: list[Connector], developer: User, group: Group, group_admin: User
) -> None:
    connector = connectors[0]
    granted = access_requests.approve(
        request=ask(connector, developer, group), group=group, by=group_admin, permissions=[POST]
    )
    permissions.change(connector=connector, permissions={POST, READ, Permission.MEDIA}, by=developer)
    more = AccessRequest.objects.get(kind=AccessRequest.Kind.MORE)
    answer(client, [more], "approve")
    granted.grant.refresh_from_db()
    assert granted.grant.permissions == {POST} | more.permissions


def test_several_are_refused(client: Client, asked: list[AccessRequest]) -> None:
    assert "3 requests refused." in text_of(answer(client, asked, "refuse"))
    assert set(states(asked)) == {RequestState.REFUSED}
    assert not Grant.objects.exists()


def test_one_that_cannot_be_approved_is_told_and_does_not_keep_the_others_back(
    client: Client, asked: list[AccessRequest], connectors: list[Connector], developer: User
) -> None:
    form = form_to(client.get(address(asked, "approve")), URL)
    connector_service.deactivate(connector=connectors[1], by=developer)
    told = text_of(form.send(client, follow=True))
    assert "2 requests approved." in told
    assert "“Rota 1” in “Night Shift” was not answered:" in told
    assert states(asked) == [RequestState.APPROVED, RequestState.WAITING, RequestState.APPROVED]


def test_what_was_changed_since_it_was_shown_is_not_given(client: Client, asked: list[AccessRequest]) -> None:
    form = form_to(client.get(address(asked[:1], "approve")), URL)
    AccessRequest.objects.filter(pk=asked[0].pk).update(permissions=asked[0].permissions | {READ})
    assert "The developer changed this request. Check it again." in text_of(form.send(client, follow=True))
    assert states(asked[:1]) == [RequestState.WAITING]


def test_a_double_click_answers_once_and_says_so(client: Client, asked: list[AccessRequest]) -> None:
    form = form_to(client.get(address(asked, "approve")), URL)
    form.send(client)
    client.get(LIST)
    assert "These requests are no longer waiting." in text_of(form.send(client, follow=True))
    assert Grant.objects.count() == 3


@pytest.mark.parametrize("who", ["stranger", "developer", "outsider", "member"])
@pytest.mark.parametrize("act", ["approve", "refuse"])
def test_who_does_not_run_the_group_answers_nothing(
    asked: list[AccessRequest], who: str, act: str, request: pytest.FixtureRequest, browser_of: Browser
) -> None:
    client, before = browser_of(request.getfixturevalue(who)), everything()
    assert client.get(address(asked, act))["Location"] == LIST
    sent = {"act": act, "request": [str(one.pk) for one in asked]}
    assert client.post(URL, sent)["Location"] == LIST
    assert everything() == before


@pytest.mark.parametrize("query", ["", "act=approve", "act=forged&request={key}", "act=refuse&request=x"])
def test_nothing_ticked_or_no_act_says_what_to_do(client: Client, asked: list[AccessRequest], query: str) -> None:
    page = client.get(f"{URL}?{query.format(key=asked[0].pk)}", follow=True)
    assert page.redirect_chain == [(LIST, 302)]


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.capability
def test_all_are_ticked_and_approved_in_a_browser(
    open_page: Callable[..., Page], asked: list[AccessRequest], group_admin: User, scripts: bool
) -> None:
    page = open_page(user=group_admin, width=360, scripts=scripts)
    page.goto(LIST)
    if scripts:
        page.get_by_label("All on this page").check()
        assert findings(page) == []
    else:
        for n in range(3):
            page.get_by_label(f"Select Rota {n} in Night Shift").check()
    page.get_by_role("button", name="Approve as requested").click()
    expect(page.get_by_role("heading", name="Approve 3 requests")).to_be_visible()
    if scripts:
        assert findings(page) == []
    page.get_by_role("button", name="Approve as requested").click()
    expect(page.get_by_text("3 requests approved.")).to_be_visible()
