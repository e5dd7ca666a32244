"""The bots of a group, on its Connectors tab, and what the connector's own tab says of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors.models import Bot, Connector
from connectors.permissions import PERMISSIONS
from connectors.services import bots
from connectors.tests.html_forms import text_of
from groups.models import Group, GroupBot
from groups.services import bots as group_bots
from groups.services import connectors, messages
from groups.tests.factories import Program, make_connector, make_group, person_of
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotAllowed, NotFound

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.fixture
def bot(program: Program, developer: User) -> Bot:
    return bots.create(connector=program.connector, name="Rota", picture_url="", by=developer)


@pytest.fixture
def foreign(developer: User) -> Bot:
    """Of a connector that has no access to the group."""
    other = make_connector(developer, name="Elsewhere", permissions=PERMISSIONS)
    return bots.create(connector=other, name="Foreign", picture_url="", by=developer)


def tab(group: Group) -> str:
    return reverse("groups:connectors", args=[group.pk])


def put_in(client: Client, group: Group, bot: Bot) -> str:
    return text_of(client.post(reverse("groups:bot_add", args=[group.pk]), {"bot": str(bot.pk)}, follow=True))


def test_an_admin_puts_one_in_and_takes_it_out_with_both_in_the_trail(
    group: Group, bot: Bot, group_admin: User, member: User, browser_of: Browser
) -> None:
    client = browser_of(group_admin)
    assert "Rota, of Shift Planner" in text_of(client.get(tab(group)))
    for _click in range(2):
        assert "“Rota” can now post in this group." in put_in(client, group, bot)
    assert GroupBot.objects.get().bot == bot
    assert "Rota Shift Planner" in text_of(browser_of(member).get(tab(group)))
    url = reverse("groups:bot_remove", args=[group.pk, bot.pk])
    assert url not in browser_of(member).get(tab(group)).content.decode()
    assert "It can’t post in “Night Shift” any longer. Its posts stay, and so does the access of “" in text_of(
        client.get(url)
    )
    assert "removed." in text_of(client.post(url, follow=True))
    for again in (client.post, client.get):
        assert "This bot is no longer in the group." in text_of(again(url, follow=True))
    assert not GroupBot.objects.exists()
    events = AuditEvent.objects.filter(tag__startswith="group:bot:").order_by("id")
    assert [(event.tag, event.actor_kind, event.group_id, event.connector_id) for event in events] == [
        (f"group:bot:{what}", "user", group.pk, bot.connector_id) for what in ("added", "removed")
    ]


def test_without_bots_an_admin_reads_where_they_come_from_and_a_member_nothing(
    group: Group, program: Program, group_admin: User, member: User, browser_of: Browser
) -> None:
    assert "No bots yet." in text_of(browser_of(group_admin).get(tab(group)))
    assert 'id="bots"' not in browser_of(member).get(tab(group)).content.decode()


def test_only_bots_of_connectors_with_access_are_offered_and_taken(
    group: Group, bot: Bot, foreign: Bot, group_admin: User, browser_of: Browser
) -> None:
    client = browser_of(group_admin)
    assert "Foreign" not in text_of(client.get(tab(group)))
    gone = bots.create(connector=bot.connector, name="Gone", picture_url="", by=bot.connector.owner)
    bots.remove(connector=bot.connector, bot_id=gone.pk, by=bot.connector.owner)
    for refused in (foreign, gone, Bot(pk=ids.new_id())):
        assert "This bot can’t be added. Choose another one." in put_in(client, group, refused)
    for sent in ("", "no id", "\x00"):
        answer = client.post(reverse("groups:bot_add", args=[group.pk]), {"bot": sent}, follow=True)
        assert "This bot can’t be added. Choose another one." in text_of(answer)
    assert not GroupBot.objects.exists()


def test_access_to_a_group_above_is_access(
    group: Group, bot: Bot, group_admin: User, browser_of: Browser, organisation: Any
) -> None:
    below = make_group("Gate", organisation=organisation, admins=[group_admin], under=group)
    client = browser_of(group_admin)
    assert "Rota, of Shift Planner" in text_of(client.get(tab(below)))
    assert "“Rota” can now post in this group." in put_in(client, below, bot)


def test_when_the_connector_is_removed_its_bots_are_not_offered_but_can_be_taken_out(
    group: Group, program: Program, bot: Bot, group_admin: User, browser_of: Browser
) -> None:
    group_bots.add(group=group, bot_ids=[bot.pk], by=group_admin)
    spare = bots.create(connector=bot.connector, name="Spare", picture_url="", by=bot.connector.owner)
    connectors.remove_connector(group=group, grant=program.grant, by=group_admin)
    client = browser_of(group_admin)
    assert "Spare" not in text_of(client.get(tab(group)))
    assert "This bot can’t be added. Choose another one." in put_in(client, group, spare)
    client.post(reverse("groups:bot_remove", args=[group.pk, bot.pk]))
    assert not GroupBot.objects.exists()


@pytest.mark.parametrize(("who", "refusal"), [("member", NotAllowed), ("stranger", NotFound), ("developer", NotFound)])
def test_the_service_itself_asks_for_an_admin_of_the_group(
    group: Group, bot: Bot, who: str, refusal: type[Exception], request: pytest.FixtureRequest
) -> None:
    by = request.getfixturevalue(who)
    with pytest.raises(refusal):
        group_bots.add(group=group, bot_ids=[bot.pk], by=by)
    GroupBot.objects.create(group=group, bot=bot)
    with pytest.raises(refusal):
        group_bots.remove(group=group, bot_id=bot.pk, by=by)
    assert GroupBot.objects.count() == 1


def test_more_bots_cost_no_more_statements(
    group: Group, bot: Bot, group_admin: User, browser_of: Browser, django_assert_max_num_queries: Any
) -> None:
    client, costs = browser_of(group_admin), []
    group_bots.add(group=group, bot_ids=[bot.pk], by=group_admin)
    Bot.objects.create(connector=bot.connector, name="Spare")
    for _times in range(2):
        with django_assert_max_num_queries(60) as seen:
            client.get(tab(group))
        costs.append(len(seen))
        more = [Bot.objects.create(connector=bot.connector, name=f"{n}") for n in range(6)]
        group_bots.add(group=group, bot_ids=[one.pk for one in more[:3]], by=group_admin)
    assert costs[0] == costs[1]


def test_the_connectors_tab_says_where_a_bot_stands_and_what_it_posted_last_in_few_statements(
    group: Group, bot: Bot, connector: Connector, group_admin: User, developer: User, browser_of: Browser, travel: Any
) -> None:
    group_bots.add(group=group, bot_ids=[bot.pk], by=group_admin)
    person = person_of(group_admin)
    for hours in (1, 2):
        travel(hours=hours)
        messages.post(group=group, text=f"after {hours}", person=person, by=group_admin, connector=connector, bot=bot)
    client = browser_of(developer)
    page = text_of(client.get(reverse("connectors:bots", args=[connector.pk])))
    assert f"in Night Shift, with the role of {person}" in page
    stops = text_of(client.get(reverse("connectors:bot_remove", args=[connector.pk, bot.pk])))
    assert "groups it is in 1 Night Shift" in stops
    assert "posts in the last 24 hours 2" in stops


def test_what_a_bot_posted_says_its_name_and_whose_it_is(
    group: Group, bot: Bot, connector: Connector, group_admin: User, member: User, browser_of: Browser
) -> None:
    messages.post(
        group=group, text="Hello", person=person_of(group_admin), by=group_admin, connector=connector, bot=bot
    )
    page = text_of(browser_of(member).get(reverse("groups:messages", args=[group.pk])))
    assert "Rota bot of Shift Planner" in page
