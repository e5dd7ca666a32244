"""A connector in a group, as an admin sees and changes it: its token, end, state, webhooks, permissions and logo."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors.models import AccessRequest, Connector, Grant, RefreshToken
from connectors.permissions import Permission
from connectors.services import bots, connectors, handoffs, permissions, refresh_tokens
from connectors.services import grants as connector_grants
from connectors.services.grants import Granted
from connectors.tests.html_forms import HtmlForm, form_to, text_of
from connectors.tests.logos import put as put_logo
from connectors.tests.webhook_history import quiet
from connectors.webhooks import management
from groups.models import Group
from groups.services import bots as group_bots
from groups.services import connectors as grants
from groups.tests.conftest import Browser
from groups.tests.factories import Program, ask_for_access, let_act_for, let_in, make_connector, make_group
from groups.tests.pages import KEY, count_statements, everything
from kaizala_console.lib import clock
from kaizala_console.lib.tests.picture_files import png

pytestmark = pytest.mark.django_db
TOKEN = re.compile(r"kzrt_[0-9A-Za-z]{65}")


@pytest.fixture
def url(group: Group, granted: Granted) -> str:
    return reverse("groups:grant", args=[group.pk, granted.grant.pk])


def form_on(client: Client, url: str) -> HtmlForm:
    return form_to(client.get(url), url)


def test_the_page_never_has_the_token_and_a_refused_one_can_be_made_anew(
    client: Client, granted: Granted, url: str, developer: User
) -> None:
    page = client.get(url)
    assert f"{url}show/" in page.content.decode()
    assert refresh_tokens.unseal(granted.handoff) not in page.content.decode()
    assert not TOKEN.search(page.content.decode())
    handoffs.refuse(handoff=granted.handoff, by=developer)
    page = client.get(url)
    assert f"{url}show/" not in page.content.decode()
    assert f"{url}regenerate/" in page.content.decode()


@pytest.mark.parametrize(
    ("why", "says"),
    [("connector", "The developer suspended this connector"), ("grant", "is suspended"), ("end", "has ended")],
)
def test_what_cannot_work_says_why_and_offers_only_to_remove_it(
    client: Client, granted: Granted, url: str, group_admin: User, developer: User, why: str, says: str
) -> None:
    if why == "connector":
        connectors.suspend(connector=granted.grant.connector, by=developer)
    elif why == "grant":
        connector_grants.suspend(grant=granted.grant, by=group_admin)
    else:
        past = granted.grant.granted_at - dt.timedelta(days=1)
        Grant.objects.filter(pk=granted.grant.pk).update(granted_at=past - dt.timedelta(days=1), ends_at=past)
    page = client.get(url)
    assert says in text_of(page)
    offered = [verb for verb in ("show", "regenerate", "remove") if f"{url}{verb}/" in page.content.decode()]
    assert offered == ["remove"]


def test_regenerating_ends_the_old_token_and_hands_over_a_new_one_once(client: Client, url: str) -> None:
    form = form_on(client, f"{url}regenerate/")
    assert RefreshToken.objects.count() == 1
    for _click in range(2):
        answer = form.send(client, follow=True)
    assert "The token was already regenerated." in text_of(answer)
    old, new = RefreshToken.objects.order_by("issued_at")
    assert old.revoked_at is not None
    assert new.revoked_at is None
    assert AuditEvent.objects.filter(tag="grant:token:regenerated").count() == 1


def test_what_the_worker_hands_over_meanwhile_does_not_keep_the_old_token_alive(
    client: Client, granted: Granted, url: str, developer: User, travel: Callable[..., dt.datetime]
) -> None:
    handoffs.claim(handoff=granted.handoff, by=developer, idempotency_key=KEY, address=None)
    RefreshToken.objects.update(issued_at=clock.now() - dt.timedelta(days=330))
    form = form_on(client, f"{url}regenerate/")
    travel(minutes=1)
    RefreshToken.objects.update(expires_at=clock.now() + dt.timedelta(days=35))
    assert refresh_tokens.rotate_due() == 1
    assert "The old one is revoked, and we notified the developer." in text_of(form.send(client, follow=True))
    assert RefreshToken.objects.filter(revoked_at__isnull=True).count() == 1
    assert "The token was already regenerated." in text_of(form.send(client, follow=True))
    assert RefreshToken.objects.count() == 3


@pytest.mark.parametrize("forged", ["x", "\0", "00000000-0000-0000-0000-000000000000"])
def test_a_forged_handoff_regenerates_nothing(client: Client, url: str, forged: str) -> None:
    before = everything()
    form_on(client, f"{url}regenerate/").send(client, {"handoff": forged})
    assert everything() == before


def test_a_suspended_connector_gets_no_new_token_and_says_why(
    client: Client, granted: Granted, url: str, developer: User
) -> None:
    form = form_on(client, f"{url}regenerate/")
    connectors.suspend(connector=granted.grant.connector, by=developer)
    answer = form.send(client, follow=True)
    assert "“Shift Planner” is suspended. Resume it first." in text_of(answer)
    assert RefreshToken.objects.count() == 1


def test_removing_asks_for_the_name_and_ends_the_access_once(client: Client, url: str, group: Group) -> None:
    form = form_on(client, f"{url}remove/")
    for typed in ("", "Shift", "Shift Planner 2", "shift\0planner"):
        assert form.send(client, {"typed": typed}).status_code == 400
    assert Grant.objects.get().revoked_at is None
    for _click in range(2):
        answer = form.send(client, {"typed": " shift  planner "}, follow=True)
    assert "“Shift Planner” was already removed." in text_of(answer)
    assert answer.redirect_chain[-1][0] == reverse("groups:connectors", args=[group.pk])
    assert Grant.objects.get().revoked_at is not None
    assert AuditEvent.objects.filter(tag="grant:access:revoked").count() == 1


def day(days: int) -> str:
    return (clock.now() + dt.timedelta(days=days)).date().isoformat()


def end_of(granted: Granted) -> dt.datetime | None:
    return Grant.objects.get(pk=granted.grant.pk).ends_at


def test_the_end_is_set_moved_and_taken_away(
    client: Client, granted: Granted, url: str, group_admin: User, browser_of: Browser, travel: Callable[..., object]
) -> None:
    end_page = f"{url}end-date/"
    assert end_page in client.get(url).content.decode()
    form = form_on(client, end_page)
    assert form.fields["end_date"] == [""]
    for never in ("2020-01-01", "soon"):
        assert form.send(client, {"end_date": never}).status_code == 400
    form.send(client, {"end_date": day(2)})
    again = form_on(client, end_page)
    assert again.fields["end_date"] == [day(2)]
    again.send(client)
    assert AuditEvent.objects.filter(tag="grant:end:changed").count() == 1, "the same day changes nothing"
    again.send(client, {"end_date": day(5)})
    travel(days=4)
    again.send(browser_of(group_admin), {"end_date": ""})
    assert end_of(granted) is None


def test_what_has_ended_is_not_offered_another_end(
    browser_of: Browser, granted: Granted, url: str, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    browser_of(group_admin).post(f"{url}end-date/", {"end_date": day(0)})
    ended = end_of(granted)
    travel(days=2)
    client = browser_of(group_admin)
    assert f"{url}end-date/" not in client.get(url).content.decode()
    client.post(f"{url}end-date/", {"end_date": day(9)})
    assert end_of(granted) == ended


def test_suspended_it_is_refused_here_and_not_elsewhere_until_it_is_resumed(
    client: Client, connector: Connector, program: Program, group: Group, group_admin: User
) -> None:
    elsewhere = make_group("Elsewhere", organisation=group.organisation, admins=[group_admin])
    there = let_in(connector, elsewhere, group_admin)
    page = reverse("groups:grant", args=[group.pk, program.grant.pk])
    for verb, here in (("suspend", 401), ("resume", 200)):
        client.get(f"{page}{verb}/")
        for _click in range(2):
            answer = client.post(f"{page}{verb}/")
            assert (answer.status_code, answer["Location"]) == (302, page)
        assert program.get("/v1/groups").status_code == here
        assert there.get("/v1/groups").status_code == 200
    tags = AuditEvent.objects.filter(tag__regex="access:(suspended|resumed)", group_id=group.pk)
    assert sorted(tags.values_list("tag", flat=True)) == ["grant:access:resumed", "grant:access:suspended"]


@pytest.mark.parametrize("verb", ["suspend", "remove", "regenerate"])
def test_the_groups_in_which_it_stops_are_counted_down_the_hierarchy(
    verb: str, client: Client, url: str, group: Group, group_admin: User
) -> None:
    assert " groups 1 " in text_of(client.get(f"{url}{verb}/"))
    below = make_group("Gate", organisation=group.organisation, under=group)
    make_group("Gate, north", organisation=group.organisation, under=below)
    make_group("Elsewhere", organisation=group.organisation, admins=[group_admin])
    assert " groups 3 " in text_of(client.get(f"{url}{verb}/"))


@pytest.fixture
def listening(group: Group, connector: Connector, group_admin: User) -> Program:
    """A program with three webhooks on two hosts, and a fourth that is paused."""
    connector.permissions = [*connector.permissions, "webhook"]
    connector.save()
    program = let_in(connector, group, group_admin)
    for url in (
        "https://hooks.example.com/a?key=their-key",
        "https://hooks.example.com/b",
        "https://stock.example.org/",
    ):
        quiet(program.grant, url)
    management.pause(webhook=quiet(program.grant, "https://paused.example.net/"), by=connector.owner)
    return program


def page_for(group: Group, program: Program, name: str = "grant") -> str:
    return reverse(f"groups:{name}", args=[group.pk, program.grant.pk])


def test_an_admin_sees_where_what_happens_is_sent(
    listening: Program, client: Client, group: Group, group_admin: User
) -> None:
    page = client.get(page_for(group, listening))
    assert "hooks.example.com 2 webhooks stock.example.org" in text_of(page)
    for hidden in ("their-key", "/a?", "paused.example.net", "their-token-J7Q2K9"):
        assert hidden not in page.content.decode()
    connector_grants.suspend(grant=listening.grant, by=group_admin)
    assert "webhooks" not in text_of(client.get(page_for(group, listening)))


@pytest.mark.parametrize(
    ("name", "stops"), [("grant_remove", True), ("grant_suspend", True), ("grant_regenerate", False)]
)
def test_what_will_stop_names_them(listening: Program, client: Client, group: Group, name: str, stops: bool) -> None:
    text = text_of(client.get(page_for(group, listening, name)))
    assert ("active webhooks 3" in text) == stops
    assert ("hooks.example.com 2 webhooks stock.example.org" in text) == stops


def test_more_webhooks_cost_no_more_queries(listening: Program, client: Client, group: Group) -> None:
    few = count_statements(client, page_for(group, listening))
    for n in range(12):
        quiet(listening.grant, f"https://h{n}.example.com/")
    assert count_statements(client, page_for(group, listening)) == few
    assert "And 4 more hosts." in text_of(client.get(page_for(group, listening)))


@pytest.mark.parametrize("below", ["", "_show", "_regenerate", "_suspend", "_resume", "_end_date", "_remove"])
def test_what_was_a_connector_here_leads_to_those_that_are(
    client: Client, group: Group, group_admin: User, program: Program, below: str
) -> None:
    grants.remove_connector(group=group, grant=program.grant, by=group_admin)
    url, before = page_for(group, program, f"grant{below}"), everything()
    answers = [client.get(url, follow=True)] + ([client.post(url, {}, follow=True)] if below else [])
    for answer in answers:
        assert answer.redirect_chain[-1][0] == reverse("groups:connectors", args=[group.pk])
        assert "“Shift Planner” was already removed." in text_of(answer)
    assert everything() == before


def test_a_member_learns_nothing_of_a_removed_connector(
    browser_of: Browser, group: Group, group_admin: User, member: User, program: Program
) -> None:
    grants.remove_connector(group=group, grant=program.grant, by=group_admin)
    assert browser_of(member).get(page_for(group, program)).status_code == 403


# More permissions -----------------------------------------------------------------------------------------------------

POST, READ = Permission.TEXT_MESSAGE, Permission.GROUP_MEMBER_LIST


@pytest.fixture
def asking(developer: User) -> Connector:
    """It asks for two of the nine."""
    return make_connector(developer, name="Shift Planner", permissions={POST, READ})


def approving(client: Client, asked: AccessRequest) -> HtmlForm:
    """The form of the request's page that approves it."""
    page = client.get(reverse("groups:request", args=[asked.pk]))
    return form_to(page, reverse("groups:request_approve", args=[asked.pk]))


def test_more_permissions_are_told_as_a_difference_and_given_in_part(
    asking: Connector, developer: User, group: Group, group_admin: User, client: Client
) -> None:
    granted = grants.add_connector(group=group, connector_id=asking.pk, by=group_admin, permissions=[POST])
    polls, likes = Permission.ACTION_AND_RESPONSES, Permission.REACTIONS
    permissions.change(connector=asking, permissions=asking.permissions | {polls, likes}, by=developer)
    asked = AccessRequest.objects.get()
    assert reverse("groups:request", args=[asked.pk]) in client.get(reverse("home")).content.decode()
    words = text_of(client.get(reverse("groups:request", args=[asked.pk])))
    assert "Post messages" in words.partition("Current permissions")[2].partition("Requested permissions")[0]
    assert "Create and read likes and comments" in words.partition("Added permissions")[2]
    approving(client, asked).send(client, {"permissions": ["reaction"]})
    granted.grant.refresh_from_db()
    assert granted.grant.permissions == {POST, likes}


def test_who_a_connector_acts_for_decides_whether_it_may_do_more(
    asking: Connector, developer: User, member: User, client: Client, browser_of: Browser
) -> None:
    grant = let_act_for(asking, member).grant
    likes = Permission.REACTIONS
    permissions.change(connector=asking, permissions=asking.permissions | {likes}, by=developer)
    asked = AccessRequest.objects.get()
    assert client.get(reverse("groups:request", args=[asked.pk])).status_code == 404
    members = browser_of(member)
    assert reverse("groups:request", args=[asked.pk]) in members.get(reverse("home")).content.decode()
    approving(members, asked).send(members)
    grant.refresh_from_db()
    assert likes in grant.permissions


def test_a_request_that_grew_while_it_was_read_is_read_again(
    asking: Connector, developer: User, group: Group, group_admin: User, client: Client
) -> None:
    granted = grants.add_connector(group=group, connector_id=asking.pk, by=group_admin, permissions=[POST])
    polls, likes = Permission.ACTION_AND_RESPONSES, Permission.REACTIONS
    permissions.change(connector=asking, permissions=asking.permissions | {polls}, by=developer)
    form = approving(client, AccessRequest.objects.get())
    asking.refresh_from_db()
    permissions.change(connector=asking, permissions=asking.permissions | {likes}, by=developer)
    assert "The developer changed this request. Check it again." in text_of(form.send(client, follow=True))
    granted.grant.refresh_from_db()
    assert granted.grant.permissions == {POST}


def img(connector: Connector) -> str:
    """As the browser gets it: beside the name, so without words of its own, and with a place kept for it."""
    url = reverse("connectors:logo_file", args=[connector.pk, connector.logo_sha256])
    return f'<img src="{url}" alt="" width='


def lists_with(place: str, group: Group, developer: User, group_admin: User) -> tuple[str, list[Connector]]:
    """A page that lists several connectors in one way, and these."""
    several = [make_connector(developer, name=f"Number {number}") for number in range(4)]
    for connector in several:
        if place in ("grants", "bots"):
            grants.add_connector(group=group, connector_id=connector.pk, by=group_admin)
        if place == "bots":
            bot = bots.create(connector=connector, name=f"Of {connector.name}", picture_url="", by=developer)
            group_bots.add(group=group, bot_ids=[bot.pk], by=group_admin)
            # Of its two rows in the tab, that of its bot alone is left.
            connector.grants.update(revoked_at=clock.now())
        elif place.startswith("requests"):
            ask_for_access(connector, group)
    tab = reverse("groups:connectors", args=[group.pk])
    pages = {"requests": reverse("groups:requests"), "search": f"{reverse('search')}?q=Number"}
    return pages.get(place, tab), several


@pytest.mark.parametrize("place", ["grants", "requests", "requests of the group", "bots", "search"])
def test_every_row_about_a_connector_shows_it_and_asks_no_more(
    group: Group, developer: User, group_admin: User, client: Client, place: str
) -> None:
    url, several = lists_with(place, group, developer, group_admin)
    assert "avatar-logo" not in client.get(url).content.decode()
    without = count_statements(client, url)
    for number, connector in enumerate(several):
        put_logo(connector, content=png(shade=number))
    assert count_statements(client, url) == without
    page = client.get(url).content.decode()
    assert [connector.name for connector in several if img(connector) not in page] == []
