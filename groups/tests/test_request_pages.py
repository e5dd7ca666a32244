"""The pages on which who runs a group answers a developer's request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.models import AccessRequest, Connector, Grant, RequestState
from connectors.permissions import Permission
from connectors.services import access_requests as asking
from connectors.tests.html_forms import form_to, text_of
from groups.access import get_target
from groups.models import Group
from groups.services import access_requests
from groups.tests import factories
from groups.tests.pages import everything, sign_in_is_asked
from kaizala_console.dashboard.pending_actions import list_pending_actions

pytestmark = pytest.mark.django_db

Browser = Callable[..., Client]
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
def ask(connector: Connector, developer: User) -> Callable[..., AccessRequest]:
    def ask(group: Group | None = None, **options: Any) -> AccessRequest:
        target = get_target(group) if group else ""
        return asking.ask(
            connector=connector,
            by=developer,
            target=target,
            **{"permissions": [POST, READ], "once": asking.new_once(), "reason": "Tells shifts.", **options},
        )

    return ask


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
    home = client.get(reverse("home"))
    assert "Devika Rao asks you to add “Shift Planner” to “Night Shift”." in text_of(home)
    for page in (
        home,
        client.get(reverse("groups:connectors", args=[group.pk])),
        client.get(reverse("groups:requests")),
    ):
        assert address("request", named) in page.content.decode()


def test_a_member_and_an_outsider_find_nothing(
    named: AccessRequest, group: Group, member: User, outsider: User, browser_of: Browser
) -> None:
    for user in (member, outsider):
        client = browser_of(user)
        assert address("request", named) not in client.get(reverse("groups:requests")).content.decode()
        assert not [action for action in list_pending_actions(user) if action.key == "groups"]
    page = browser_of(member).get(reverse("groups:connectors", args=[group.pk]))
    assert address("request", named) not in page.content.decode()


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
    words = text_of(browser_of(group_admin).get(address("request", named)))
    for sentence in (
        "Devika Rao",
        "Tells shifts.",
        "Post messages",
        "Read, add, change and remove members and subscribers",
    ):
        assert sentence in words
    assert "Send media" in words.partition("It still cannot")[2]


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


def test_a_link_is_answered_for_the_group_that_the_admin_chooses(
    link: AccessRequest, group: Group, group_admin: User, browser_of: Browser
) -> None:
    client = browser_of(group_admin)
    assert "Choose the group first." in text_of(answer_of(client, link))
    answer_of(client, link, group=str(group.pk))
    assert Grant.objects.get().target == get_target(group)


def test_a_link_is_not_answered_for_a_group_of_others(
    link: AccessRequest, group: Group, group_admin: User, stranger: User, browser_of: Browser
) -> None:
    theirs = factories.make_group("Theirs", organisation=group.organisation, admins=[stranger], members=[group_admin])
    client, before = browser_of(group_admin), everything()
    for act in (answer_of, refuse):
        assert act(client, link, group=str(theirs.pk)).status_code == 400
        assert act(client, link, group="nothing").status_code == 400
    assert everything() == before


def test_refusing_needs_no_tick_and_tells_the_developer(
    named: AccessRequest, group_admin: User, browser_of: Browser
) -> None:
    page = refuse(browser_of(group_admin), named, permissions=[])
    assert "Refused. We notified Devika Rao." in text_of(page)
    named.refresh_from_db()
    assert named.state is RequestState.REFUSED
    assert not Grant.objects.exists()


def test_refusing_a_link_says_for_which_group(
    link: AccessRequest, group: Group, group_admin: User, browser_of: Browser
) -> None:
    client = browser_of(group_admin)
    assert "Choose the group first." in text_of(refuse(client, link, permissions=[]))
    refuse(client, link, group=str(group.pk))
    link.refresh_from_db()
    assert (link.state, link.target_name) == (RequestState.REFUSED, group.name)


def test_approving_nothing_is_asked_back(named: AccessRequest, group_admin: User, browser_of: Browser) -> None:
    page = answer_of(browser_of(group_admin), named, permissions=[])
    assert "Select permissions, or press “Refuse”." in text_of(page)
    assert not Grant.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [{"permissions": ["tenant"]}, {"permissions": ["media"]}, {"permissions": ["\0"]}, {"end_date": "soon"}],
)
def test_what_was_not_asked_or_is_no_date_is_refused(
    named: AccessRequest, group_admin: User, browser_of: Browser, changes: dict[str, Any]
) -> None:
    assert answer_of(browser_of(group_admin), named, **changes).status_code == 400
    assert not Grant.objects.exists()


def test_a_double_click_grants_once(named: AccessRequest, group_admin: User, browser_of: Browser) -> None:
    client = browser_of(group_admin)
    form = form_to(client.get(address("request", named)), address("request_approve", named))
    form.send(client)
    again = form.send(client, follow=True)
    assert "Arjun Mehta approved this request on" in text_of(again)
    assert Grant.objects.count() == 1


def test_who_comes_second_is_told_who_was_first(
    named: AccessRequest, group: Group, group_admin: User, organisation_admin: User, browser_of: Browser
) -> None:
    late = browser_of(organisation_admin)
    form = form_to(late.get(address("request", named)), address("request_approve", named))
    access_requests.approve(request=named, group=group, by=group_admin, permissions=[POST])
    assert "Arjun Mehta approved this request on" in text_of(form.send(late, follow=True))
    assert Grant.objects.get().permissions == {POST}


def _next_of(answer: Any) -> str:
    return parse_qs(urlsplit(answer["Location"]).query)["next"][0]


@pytest.mark.parametrize("who", ["member", "stranger", "outsider", "operator"])
def test_a_request_to_a_group_of_others_is_the_same_as_none(
    named: AccessRequest, who: str, request: pytest.FixtureRequest, browser_of: Browser
) -> None:
    client, before = browser_of(request.getfixturevalue(who)), everything()
    nothing = AccessRequest(pk=factories.unknown_id())
    for asked in (named, nothing):
        assert client.get(address("request", asked)).status_code == 404
        for name in ("request_approve", "request_refuse"):
            assert client.post(address(name, asked), {"permissions": ["textmessage"]}).status_code == 404
    assert everything() == before


def test_who_is_signed_out_signs_in_and_comes_back(named: AccessRequest) -> None:
    assert sign_in_is_asked(Client().get(address("request", named)))
    assert sign_in_is_asked(Client().post(address("request_approve", named), {"permissions": ["textmessage"]}))


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
    ask: Callable[..., AccessRequest], group: Group, group_admin: User, member: User, browser_of: Browser
) -> None:
    asked = ask(group)
    shown = browser_of(group_admin).get(reverse("handoffs"))
    assert "A request needs your answer" in text_of(shown)
    assert "You’re all caught up" not in text_of(shown)
    assert f'href="{address("request", asked)}"' in shown.content.decode()
    earlier = browser_of(group_admin).get(reverse("handoffs"), {"show": "earlier"})
    assert "A request needs your answer" not in text_of(earlier)
    assert "A request needs your answer" not in text_of(browser_of(member).get(reverse("handoffs")))
