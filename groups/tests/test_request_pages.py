"""The pages on which who runs a group answers a developer's request, and several in one go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse
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
from groups.tests.conftest import Browser
from groups.tests.pages import everything
from kaizala_console.lib import clock
from kaizala_console.tests.looking import findings

pytestmark = pytest.mark.django_db

POST, READ = Permission.TEXT_MESSAGE, Permission.GROUP_MEMBER_LIST


def address(name: str, asked: AccessRequest) -> str:
    return reverse(f"groups:{name}", args=[asked.pk])


def answer_of(client: Client, asked: AccessRequest, **changes: Any) -> Any:
    """Opens the request and presses "Approve what is ticked"; the answer after the redirect."""
    page = client.get(address("request", asked))
    return form_to(page, address("request_approve", asked)).send(client, changes, follow=True)


def refuse(client: Client, asked: AccessRequest, **changes: Any) -> Any:
    """Opens the request and presses "Refuse"."""
    form = form_to(client.get(address("request", asked)), address("request_approve", asked))
    return form.send(client, changes, to=address("request_refuse", asked), follow=True)


@pytest.fixture
def connector(developer: User) -> Connector:
    """It asks for four of the nine."""
    wanted = {POST, READ, Permission.GROUP_INFORMATION, Permission.MEDIA}
    return factories.make_connector(developer, name="Shift Planner", permissions=wanted)


@pytest.fixture
def named(ask: Callable[..., AccessRequest], group: Group) -> AccessRequest:
    return ask(group)


@pytest.fixture
def link(ask: Callable[..., AccessRequest], group: Group) -> AccessRequest:
    return ask()


def test_an_admin_finds_the_request_on_home_in_the_group_and_in_the_list(
    named: AccessRequest, group: Group, group_admin: User, browser_of: Browser
) -> None:
    client = browser_of(group_admin)
    for page in (reverse("home"), reverse("groups:connectors", args=[group.pk]), reverse("groups:requests")):
        assert address("request", named) in client.get(page).content.decode()


def test_an_organisation_admin_finds_what_waits_for_groups_without_an_admin(
    ask: Callable[..., AccessRequest], organisation_admin: User, browser_of: Browser
) -> None:
    orphan = factories.make_group("Nobody's", organisation=organisation_admin.organisation)
    asked = ask(orphan)
    page = browser_of(organisation_admin).get(reverse("groups:requests"))
    assert address("request", asked) in page.content.decode()


def test_the_page_says_who_asks_why_and_what_would_still_be_impossible(
    named: AccessRequest, group_admin: User, browser_of: Browser
) -> None:
    possible, _, impossible = text_of(browser_of(group_admin).get(address("request", named))).partition(
        "It still cannot"
    )
    assert {word for word in ("Devika Rao", "Tells shifts.", "Post messages") if word not in possible} == set()
    assert "Send media" in impossible


def test_opening_a_link_changes_nothing(link: AccessRequest, group_admin: User, browser_of: Browser) -> None:
    client, before = browser_of(group_admin), everything()
    for _time in range(2):
        assert client.get(address("request", link)).status_code == 200
        assert client.head(address("request", link)).status_code == 200
    for name in ("request_approve", "request_refuse"):
        assert client.get(address(name, link)).status_code == 405
    assert everything() == before


def test_an_admin_unticks_one_sets_an_end_date_and_approves(
    named: AccessRequest, group: Group, group_admin: User, browser_of: Browser
) -> None:
    page = answer_of(browser_of(group_admin), named, permissions=["textmessage"], end_date="2090-01-31")
    grant = Grant.objects.get()
    assert page.redirect_chain[-1][0] == reverse("groups:grant", args=[group.pk, grant.pk])
    assert "Approved. We notified Devika Rao, who can claim the refresh token." in text_of(page)
    assert grant.permissions == {POST}
    assert grant.ends_at is not None
    assert grant.ends_at.year == 2090


@pytest.mark.parametrize(("act", "state"), [(answer_of, RequestState.APPROVED), (refuse, RequestState.REFUSED)])
def test_a_link_is_answered_for_the_group_that_the_admin_chooses(
    link: AccessRequest,
    group: Group,
    group_admin: User,
    browser_of: Browser,
    act: Callable[..., Any],
    state: RequestState,
) -> None:
    client = browser_of(group_admin)
    assert "Choose the group first." in text_of(act(client, link))
    act(client, link, group=str(group.pk))
    link.refresh_from_db()
    assert (link.state, link.target_name) == (state, group.name)


def test_a_link_is_not_answered_for_a_group_of_others(
    link: AccessRequest, group: Group, group_admin: User, stranger: User, browser_of: Browser
) -> None:
    theirs = factories.make_group("Theirs", organisation=group.organisation, admins=[stranger], members=[group_admin])
    client, before = browser_of(group_admin), everything()
    for act in (answer_of, refuse):
        assert act(client, link, group=str(theirs.pk)).status_code == 400
        assert act(client, link, group="nothing").status_code == 400
    assert everything() == before


def test_approving_needs_a_tick_and_refusing_none(named: AccessRequest, group_admin: User, browser_of: Browser) -> None:
    client = browser_of(group_admin)
    assert answer_of(client, named, permissions=[]).status_code == 400
    assert states([named]) == [RequestState.WAITING]
    refuse(client, named, permissions=[])
    assert states([named]) == [RequestState.REFUSED]
    assert not Grant.objects.exists()


@pytest.mark.parametrize("changes", [{"permissions": ["media"]}, {"permissions": ["\0"]}, {"end_date": "soon"}])
def test_what_was_not_asked_or_is_no_date_is_refused(
    named: AccessRequest, group_admin: User, browser_of: Browser, changes: dict[str, Any]
) -> None:
    assert answer_of(browser_of(group_admin), named, **changes).status_code == 400
    assert not Grant.objects.exists()


def test_who_comes_second_and_a_double_click_are_told_who_was_first(
    named: AccessRequest, group_admin: User, organisation_admin: User, browser_of: Browser
) -> None:
    first, late = browser_of(group_admin), browser_of(organisation_admin)
    form, again = (
        form_to(client.get(address("request", named)), address("request_approve", named)) for client in (first, late)
    )
    form.send(first)
    for answer in (form.send(first, follow=True), again.send(late, follow=True)):
        assert "Arjun Mehta approved this request on" in text_of(answer)
    assert Grant.objects.count() == 1


@pytest.mark.parametrize("who", ["member", "stranger", "outsider", "operator"], indirect=True)
def test_a_request_to_a_group_of_others_is_the_same_as_none(
    named: AccessRequest, group: Group, who: User, browser_of: Browser
) -> None:
    client, before = browser_of(who), everything()
    for page in (reverse("home"), reverse("groups:requests"), reverse("groups:connectors", args=[group.pk])):
        assert address("request", named) not in client.get(page).content.decode()
    for asked in (named, AccessRequest(pk=factories.unknown_id())):
        assert client.get(address("request", asked)).status_code == 404
        for name in ("request_approve", "request_refuse"):
            assert client.post(address(name, asked), {"permissions": ["textmessage"]}).status_code == 404
    assert everything() == before


def test_a_link_in_the_hands_of_a_colleague_without_a_group_is_to_be_passed_on(
    link: AccessRequest, stranger: User, outsider: User, browser_of: Browser
) -> None:
    client = browser_of(stranger)
    page = client.get(address("request", link))
    assert "You manage no group it could be added to." in text_of(page)
    assert address("request_approve", link) not in page.content.decode()
    assert client.post(address("request_approve", link), {"permissions": ["textmessage"]}).status_code == 400
    assert browser_of(outsider).get(address("request", link)).status_code == 404
    assert not Grant.objects.exists()


def test_an_answered_link_does_not_say_for_which_group_to_who_only_has_the_link(
    link: AccessRequest, group: Group, group_admin: User, stranger: User, browser_of: Browser
) -> None:
    access_requests.approve(request=link, group=group, by=group_admin, permissions=[POST])
    page = browser_of(stranger).get(address("request", link))
    assert "Arjun Mehta approved this request on" in text_of(page)
    assert group.name not in page.content.decode()
    assert str(group.pk) not in page.content.decode()


def test_who_runs_many_groups_searches_them(
    link: AccessRequest, group: Group, organisation_admin: User, browser_of: Browser
) -> None:
    for number in range(55):
        factories.make_group(f"Depot {number:02}", organisation=group.organisation)
    client = browser_of(organisation_admin)
    page = client.get(address("request", link))
    assert "Search your groups" in text_of(page)
    assert "Night Shift" not in page.content.decode()
    found = client.get(address("request", link), {"q": "night"})
    assert "Night Shift" in found.content.decode()
    form_to(found, address("request_approve", link)).send(client, {"group": str(group.pk)})
    assert Grant.objects.get().target == get_target(group)


def test_the_list_costs_the_same_however_many_wait(
    ask: Callable[..., AccessRequest],
    group: Group,
    group_admin: User,
    browser_of: Browser,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(12):
        ask(factories.make_group(f"Depot {number}", organisation=group.organisation, admins=[group_admin]))
    client = browser_of(group_admin)
    with django_assert_max_num_queries(16):
        page = client.get(reverse("groups:requests"))
    assert page.content.decode().count('data-label="Asks for"') == 12


def test_a_request_stands_in_the_inbox_of_who_may_answer_and_of_nobody_else(
    named: AccessRequest, group_admin: User, member: User, browser_of: Browser
) -> None:
    link = f'href="{address("request", named)}"'
    assert link in browser_of(group_admin).get(reverse("handoffs")).content.decode()
    assert link not in browser_of(group_admin).get(reverse("handoffs"), {"show": "earlier"}).content.decode()
    assert link not in browser_of(member).get(reverse("handoffs")).content.decode()


URL = "/console/groups/requests/several/"

REQUESTS = "/console/groups/requests/"


@pytest.fixture
def connectors(developer: User) -> list[Connector]:
    return [factories.make_connector(developer, name=f"Rota {n}", permissions={POST, READ}) for n in range(3)]


@pytest.fixture
def asked(connectors: list[Connector], developer: User, group: Group) -> list[AccessRequest]:
    return [ask_for(connector, developer, group) for connector in connectors]


def ask_for(connector: Connector, by: User, group: Group, **more: Any) -> AccessRequest:
    wanted = {"permissions": [POST], "once": asking.new_once(), **more}
    return asking.ask(connector=connector, by=by, target=get_target(group), **wanted)


def several_at(asked: list[AccessRequest], act: str) -> str:
    return f"{URL}?{urlencode([*(('request', str(one.pk)) for one in asked), ('act', act)])}"


def answer_several(client: Client, asked: list[AccessRequest], act: str) -> Any:
    return form_to(client.get(several_at(asked, act)), URL).send(client, follow=True)


def states(asked: list[AccessRequest]) -> list[RequestState]:
    return [AccessRequest.objects.get(pk=one.pk).state for one in asked]


def test_several_are_approved_as_asked_after_one_look_and_others_refused(
    client: Client, asked: list[AccessRequest], connectors: list[Connector]
) -> None:
    before = everything()
    page = client.get(several_at(asked[:2], "approve"))
    assert "Text Message" in text_of(page)
    assert everything() == before
    done = form_to(page, URL).send(client, follow=True)
    assert done.redirect_chain == [(REQUESTS, 302)]
    assert states(asked) == [RequestState.APPROVED, RequestState.APPROVED, RequestState.WAITING]
    assert [grant.permissions for grant in Grant.objects.all()] == [{POST}, {POST}]
    assert Handoff.objects.waiting().count() == 2
    answer_several(client, asked[2:], "refuse")
    assert states(asked[2:]) == [RequestState.REFUSED]
    assert Grant.objects.count() == 2


def test_each_ends_when_it_asked_to(client: Client, connectors: list[Connector], developer: User, group: Group) -> None:
    ends = clock.now().replace(microsecond=0) + dt.timedelta(days=365)
    one = ask_for(connectors[0], developer, group, ends_at=ends)
    answer_several(client, [one], "approve")
    assert Grant.objects.get().ends_at == ends


def test_more_permissions_are_given_to_the_grant_that_there_is(
    client: Client, connectors: list[Connector], developer: User, group: Group, group_admin: User
) -> None:
    connector = connectors[0]
    granted = access_requests.approve(
        request=ask_for(connector, developer, group), group=group, by=group_admin, permissions=[POST]
    )
    permissions.change(connector=connector, permissions={POST, READ, Permission.MEDIA}, by=developer)
    more = AccessRequest.objects.get(kind=AccessRequest.Kind.MORE)
    answer_several(client, [more], "approve")
    granted.grant.refresh_from_db()
    assert granted.grant.permissions == {POST} | more.permissions


def test_one_that_cannot_be_approved_is_told_and_does_not_keep_the_others_back(
    client: Client, asked: list[AccessRequest], connectors: list[Connector], developer: User
) -> None:
    form = form_to(client.get(several_at(asked, "approve")), URL)
    connector_service.deactivate(connector=connectors[1], by=developer)
    told = text_of(form.send(client, follow=True))
    assert "2 requests approved." in told
    assert "“Rota 1” in “Night Shift” was not answered:" in told
    assert states(asked) == [RequestState.APPROVED, RequestState.WAITING, RequestState.APPROVED]


def test_what_was_changed_since_it_was_shown_is_not_given(client: Client, asked: list[AccessRequest]) -> None:
    form = form_to(client.get(several_at(asked[:1], "approve")), URL)
    AccessRequest.objects.filter(pk=asked[0].pk).update(permissions=asked[0].permissions | {READ})
    assert "The developer changed this request. Check it again." in text_of(form.send(client, follow=True))
    assert states(asked[:1]) == [RequestState.WAITING]


def test_a_double_click_answers_once_and_says_so(client: Client, asked: list[AccessRequest]) -> None:
    form = form_to(client.get(several_at(asked, "approve")), URL)
    form.send(client)
    client.get(REQUESTS)
    assert "These requests are no longer waiting." in text_of(form.send(client, follow=True))
    assert Grant.objects.count() == 3


@pytest.mark.parametrize("who", ["stranger", "developer", "outsider", "member"], indirect=True)
def test_who_does_not_run_the_group_answers_nothing(asked: list[AccessRequest], who: User, browser_of: Browser) -> None:
    client, before = browser_of(who), everything()
    for act in ("approve", "refuse"):
        assert client.get(several_at(asked, act))["Location"] == REQUESTS
        sent = {"act": act, "request": [str(one.pk) for one in asked]}
        assert client.post(URL, sent)["Location"] == REQUESTS
    assert everything() == before


@pytest.mark.parametrize("query", ["", "act=approve", "act=forged&request={key}", "act=refuse&request=x"])
def test_nothing_ticked_or_no_act_says_what_to_do(client: Client, asked: list[AccessRequest], query: str) -> None:
    page = client.get(f"{URL}?{query.format(key=asked[0].pk)}", follow=True)
    assert page.redirect_chain == [(REQUESTS, 302)]


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.capability
def test_all_are_ticked_and_approved_in_a_browser(
    open_page: Callable[..., Page], asked: list[AccessRequest], group_admin: User, scripts: bool
) -> None:
    page = open_page(user=group_admin, width=360, scripts=scripts)
    page.goto(REQUESTS)
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
