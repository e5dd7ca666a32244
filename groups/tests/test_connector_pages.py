"""The "Connectors" tab of a group: searching for a connector, what it could do, adding it, who has access, and bots."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent, Notice, User
from connectors.models import Bot, Connector, Grant, Handoff
from connectors.permissions import PERMISSIONS
from connectors.services import bots, connectors, permissions, usage
from connectors.services import grants as connector_grants
from connectors.tests.html_forms import HtmlForm, form_to, text_of
from groups.access import get_target
from groups.models import Group, GroupBot, GroupGrant
from groups.queries import groups
from groups.services import bots as group_bots
from groups.services import connectors as grants
from groups.services import messages
from groups.tests.conftest import Browser
from groups.tests.factories import Program, make_connector, make_group, person_of
from groups.tests.pages import count_statements, everything
from groups.views.forms import MOST_CHOICES
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import NotAllowed, NotFound

pytestmark = pytest.mark.django_db


def tab_of(group: Group) -> str:
    return reverse("groups:connectors", args=[group.pk])


def adding_to(group: Group) -> str:
    return reverse("groups:connector_add", args=[group.pk])


def form_on(client: Client, group: Group) -> HtmlForm:
    return form_to(client.get(tab_of(group)), adding_to(group))


def add(client: Client, group: Group, connector: Connector, end_date: str = "", **options: Any) -> Any:
    return form_on(client, group).send(client, {"connector": str(connector.pk), "end_date": end_date}, **options)


def offered_on(page: Any) -> list[str]:
    select = page.content.decode().split('name="connector"')[1].split("</select>")[0]
    return [part.split("<")[0] for part in select.split("<option")[2:] for part in [part.split(">", 1)[1]]]


# Choosing ------------------------------------------------------------------------------------------------------------


def test_the_drop_down_offers_what_may_be_added_with_its_owner(
    client: Client, group: Group, connector: Connector, developer: User, outsider: User, group_admin: User
) -> None:
    for name in ("Deactivated", "Suspended", "Deleted", "Here"):
        make_connector(developer, name=name)
    make_connector(outsider, name="Foreign")
    named = {row.name: row for row in Connector.objects.all()}
    connectors.deactivate(connector=named["Deactivated"], by=developer)
    connectors.suspend(connector=named["Suspended"], by=developer)
    connectors.delete(connector=named["Deleted"], by=developer)
    add(client, group, named["Here"])
    assert offered_on(client.get(tab_of(group))) == ["Shift Planner · Devika Rao"]
    grants.remove_connector(group=group, grant=Grant.objects.get(), by=group_admin)
    assert offered_on(client.get(tab_of(group))) == ["Here · Devika Rao", "Shift Planner · Devika Rao"]


def test_without_scripts_a_button_shows_what_the_chosen_one_could_do_and_adds_nothing(
    group: Group, developer: User, group_admin: User, browser_of: Browser
) -> None:
    connector = make_connector(developer, name="Weather", description="Warns of <b>rain</b>.")
    client = browser_of(group_admin, confirmed=False)  # looking asks nobody whether it is them
    chosen = {"connector": str(connector.pk), "end_date": "2030-01-02"}
    answer = form_on(client, group).send(client, {**chosen, "look": "1"})
    assert answer["Location"].startswith(tab_of(group))
    page = client.get(answer["Location"])
    told = text_of(page)
    assert "Permissions of “Weather” in this group" in told
    assert "Send media" in told
    assert "Warns of <b>rain</b>." in told
    fields = form_to(page, adding_to(group)).fields
    assert {name: fields[name] for name in chosen} == {name: [value] for name, value in chosen.items()}
    assert not Grant.objects.exists()


@pytest.mark.parametrize("chosen", ["", "x", "foreign", "missing", "x" * 100_000, "\0"])
def test_looking_at_what_cannot_be_chosen_shows_nothing(
    client: Client, group: Group, connector: Connector, outsider: User, chosen: str
) -> None:
    chosen = {"foreign": str(make_connector(outsider).pk), "missing": str(ids.new_id())}.get(chosen, chosen)
    answer = form_on(client, group).send(client, {"connector": chosen, "look": "1"})
    assert len(answer["Location"]) < 300
    page = client.get(answer["Location"])
    assert page.status_code == 200
    assert "Choose a connector to see its permissions." in text_of(page)


# Adding ---------------------------------------------------------------------------------------------------------------


def test_adding_seals_the_token_and_tells_the_developer(
    client: Client, group: Group, connector: Connector, group_admin: User, developer: User
) -> None:
    answer = add(client, group, connector)
    grant = Grant.objects.get()
    assert answer["Location"] == reverse("groups:grant", args=[group.pk, grant.pk])
    assert (grant.connector, grant.granted_by, grant.ends_at) == (connector, group_admin, None)
    assert Handoff.objects.get().sealed
    assert Notice.objects.get().user == developer
    told = text_of(client.get(answer["Location"]))
    assert "“Shift Planner” added. We notified Devika Rao, who can claim the refresh token." in told
    event = AuditEvent.objects.get(tag="grant:access:granted")
    assert (event.group_id, event.connector_id, event.actor_id) == (group.pk, connector.pk, str(group_admin.pk))


@pytest.mark.parametrize("days", [0, 30])
def test_the_access_ends_at_the_end_of_the_chosen_day(
    client: Client, group: Group, connector: Connector, travel: Callable[..., dt.datetime], days: int
) -> None:
    day = timezone.localdate(travel(seconds=0)) + dt.timedelta(days=days)  # midnight waits
    add(client, group, connector, day.isoformat())
    ends_at = Grant.objects.get().ends_at
    assert ends_at is not None
    midnight = dt.datetime.combine(day + dt.timedelta(days=1), dt.time.min)
    assert timezone.localtime(ends_at) == timezone.make_aware(midnight)


@pytest.mark.parametrize(
    ("end_date", "says"),
    [
        ("yesterday", "This day has passed."),
        ("0001-01-01", "This day has passed."),
        ("9999-12-31", "within the next hundred years"),
        ("2030-02-30", "Enter a date"),
        ("2030-01-01\0", "Enter a date"),
    ],
)
def test_an_end_date_that_is_none_is_refused_and_the_choice_is_kept(
    client: Client, group: Group, connector: Connector, end_date: str, says: str
) -> None:
    if end_date == "yesterday":
        end_date = (timezone.localdate(clock.now()) - dt.timedelta(days=1)).isoformat()
    page = add(client, group, connector, end_date)
    assert page.status_code == 400
    assert says in text_of(page)
    assert form_to(page, adding_to(group)).fields["connector"] == [str(connector.pk)]
    assert "Permissions of “Shift Planner” in this group" in text_of(page)
    assert not Grant.objects.exists()


@pytest.mark.parametrize("chosen", ["deactivate", "suspend", "delete", "foreign", "missing", "x", "\0", ""])
def test_what_cannot_be_added_any_more_or_never_could_is_refused_like_what_is_not_there(
    client: Client, group: Group, connector: Connector, developer: User, outsider: User, chosen: str
) -> None:
    form = form_on(client, group)
    if hasattr(connectors, chosen):
        getattr(connectors, chosen)(connector=connector, by=developer)
        chosen = str(connector.pk)
    chosen = {"foreign": str(make_connector(outsider).pk), "missing": str(ids.new_id())}.get(chosen, chosen)
    make_connector(developer, name="Another")
    before = everything()
    page = form.send(client, {"connector": chosen, "end_date": "2030-01-02"})
    assert page.status_code == 400
    assert ("This connector can no longer be added." in text_of(page)) == bool(chosen)
    assert form_to(page, adding_to(group)).fields["end_date"] == ["2030-01-02"]
    assert everything() == before


def test_a_connector_that_another_admin_added_meanwhile_is_there(
    client: Client, group: Group, connector: Connector, organisation_admin: User
) -> None:
    form = form_on(client, group)
    granted = grants.add_connector(group=group, connector_id=connector.pk, by=organisation_admin)
    answer = form.send(client, {"connector": str(connector.pk)})
    assert answer["Location"] == reverse("groups:grant", args=[group.pk, granted.grant.pk])
    assert "” already has access to “Night Shift”." in text_of(client.get(answer["Location"]))
    assert Grant.objects.count() == 1


def test_a_member_sees_what_acts_here_and_nothing_of_its_token(
    client: Client, group: Group, connector: Connector, member: User, group_admin: User, browser_of: Browser
) -> None:
    add(client, group, connector)
    connector_grants.suspend(grant=Grant.objects.get(), by=group_admin)
    admins, members = (text_of(browser.get(tab_of(group))) for browser in (client, browser_of(member)))
    assert "Suspended" in admins
    assert "Waiting" in admins
    assert "Shift Planner" in members
    assert "Post messages" in members
    for hidden in ("Handoff", "Waiting", "Last used", "Add Connector", "Arjun Mehta"):
        assert hidden not in members.split("Connectors of Night Shift")[1]


def test_a_connector_of_a_group_above_is_not_listed_as_one_of_this_group(
    client: Client, group: Group, connector: Connector, group_admin: User
) -> None:
    below = make_group("Gate", organisation=group.organisation, admins=[group_admin], under=group)
    add(client, group, connector)
    assert "No connectors yet" in text_of(client.get(tab_of(below)))


def test_the_list_draws_the_last_days_of_each_connector_for_admins_alone(
    client: Client, group: Group, connector: Connector, member: User, browser_of: Browser
) -> None:
    add(client, group, connector)
    assert "in 14 days" not in client.get(tab_of(group)).content.decode()
    for _time in range(2):
        usage.count(Grant.objects.get().pk, "GET v1/groups/<group_id>/members", status=200, at=clock.now())
    usage.flush()
    assert "2 calls in 14 days" in client.get(tab_of(group)).content.decode()
    assert "in 14 days" not in browser_of(member).get(tab_of(group)).content.decode()


def test_more_grants_and_more_connectors_cost_no_more_queries(
    client: Client, group: Group, group_admin: User, developer: User
) -> None:
    def grow(number: int) -> None:
        for name in range(number):
            here = make_connector(developer, name=f"Here {number} {name}")
            made = grants.add_connector(group=group, connector_id=here.pk, by=group_admin).grant
            usage.count(made.pk, "GET v1/groups/<group_id>/members", status=200, at=clock.now())
            make_connector(developer, name=f"To add {number} {name}")
        usage.flush()

    grow(1)
    few = count_statements(client, tab_of(group))
    grow(9)
    assert count_statements(client, tab_of(group)) == few


def test_a_connector_that_asks_for_more_than_was_shown_is_shown_anew(
    client: Client, group: Group, connector: Connector, developer: User
) -> None:
    permissions.change(connector=connector, permissions=["textmessage"], by=developer)
    form = form_to(client.get(f"{tab_of(group)}?connector={connector.pk}"), adding_to(group))
    permissions.change(connector=connector, permissions=PERMISSIONS, by=developer)
    page = form.send(client, {"end_date": "2030-01-02"})
    assert page.status_code == 400
    assert "Upload and send pictures, documents, audio and video" in text_of(page)
    assert not Grant.objects.exists()
    again = form_to(page, adding_to(group))
    assert again.fields["end_date"] == ["2030-01-02"]
    assert again.send(client).status_code == 302
    assert Grant.objects.get().permissions == frozenset(PERMISSIONS)


def test_what_was_shown_of_another_connector_counts_for_nothing(
    client: Client, group: Group, connector: Connector, developer: User
) -> None:
    another = make_connector(developer, name="Another")
    form = form_to(client.get(f"{tab_of(group)}?connector={another.pk}"), adding_to(group))
    assert form.send(client, {"connector": str(connector.pk)}).status_code == 302
    assert Grant.objects.get().connector == connector


MANY = 120  # as many as the fixture `many` makes


def test_the_first_are_offered_and_words_and_ids_find_the_others(
    client: Client, group: Group, many: list[Connector]
) -> None:
    page = client.get(tab_of(group))
    assert len(offered_on(page)) == MOST_CHOICES
    assert f"Showing {MOST_CHOICES} of {MANY}." in text_of(page)
    assert b'name="find"' in page.content
    page = client.get(tab_of(group), {"find": str(many[77].pk)})
    assert [name.partition(" ·")[0] for name in offered_on(page)] == ["Planner 077"]
    for words in ("nothing", "x" * 5000):
        assert "No connector matches" in text_of(client.get(tab_of(group), {"find": words}))
    assert client.get(tab_of(group), {"find": "\0"}).status_code == 200


@pytest.mark.parametrize("words", ["Planner 11", "devika", "a", "R 07", "nothing", "AR", "Arjun", "zz", "%", ""])
def test_a_part_of_either_name_finds(group: Group, group_admin: User, many: list[Connector], words: str) -> None:
    make_connector(group_admin, name="Devika's own")
    make_connector(group_admin, name="AAA")
    offered = groups.list_addable_connectors(group, group_admin)
    expected = [one for one in offered if words.lower() in one.name.lower() or words.lower() in one.owner.name.lower()]
    assert list(groups.search_connectors(offered, words)) == expected


def test_one_of_the_others_stays_chosen_whatever_is_searched_and_can_be_added(
    client: Client, group: Group, many: list[Connector]
) -> None:
    page = client.get(tab_of(group), {"find": "Planner 00", "connector": str(many[110].pk)})
    assert page.content.decode().count("· Devika Rao</option>") == 11
    assert "Permissions of “Planner 110” in this group" in text_of(page)
    form_to(page, adding_to(group)).send(client)
    assert Grant.objects.get().connector == many[110]


def test_those_that_have_access_are_shown_fifty_at_a_time(
    client: Client, group: Group, group_admin: User, many: list[Connector]
) -> None:
    grants = Grant.objects.bulk_create(
        Grant(
            connector=connector,
            kind=Grant.Kind.GROUP,
            target=get_target(group),
            target_name=group.name,
            person=person_of(group_admin),
            granted_by=group_admin,
            permissions=connector.permissions,
        )
        for connector in many[:60]
    )
    GroupGrant.objects.bulk_create(GroupGrant(grant=grant, group=group) for grant in grants)
    first = client.get(tab_of(group))
    second = client.get(first.context["older"])
    shown = [[row["grant"].pk for row in page.context["rows"]] for page in (first, second)]
    assert [len(rows) for rows in shown] == [50, 10]
    assert {*shown[0], *shown[1]} == {grant.pk for grant in grants}
    assert client.get(tab_of(group), {"cursor": "nonsense"})["Location"] == tab_of(group)


@pytest.fixture
def bot(program: Program, developer: User) -> Bot:
    return bots.create(connector=program.connector, name="Rota", picture_url="", by=developer)


def put_in(client: Client, group: Group, bot: Bot) -> str:
    return text_of(client.post(reverse("groups:bot_add", args=[group.pk]), {"bot": str(bot.pk)}, follow=True))


def test_an_admin_puts_one_in_and_takes_it_out_with_both_in_the_trail(
    group: Group, bot: Bot, client: Client, member: User, browser_of: Browser
) -> None:
    members = browser_of(member)
    assert 'id="bots"' not in members.get(tab_of(group)).content.decode()
    for _click in range(2):
        assert "“Rota” can now post in this group." in put_in(client, group, bot)
    assert GroupBot.objects.get().bot == bot
    url = reverse("groups:bot_remove", args=[group.pk, bot.pk])
    page = members.get(tab_of(group))
    assert "Rota Shift Planner" in text_of(page)
    assert url not in page.content.decode()
    assert client.get(url).status_code == 200
    client.post(url)
    for again in (client.post, client.get):
        assert "This bot is no longer in the group." in text_of(again(url, follow=True))
    assert not GroupBot.objects.exists()
    events = AuditEvent.objects.filter(tag__startswith="group:bot:").order_by("id")
    assert [(event.tag, event.actor_kind, event.group_id, event.connector_id) for event in events] == [
        (f"group:bot:{what}", "user", group.pk, bot.connector_id) for what in ("added", "removed")
    ]


def test_only_bots_of_connectors_with_access_are_offered_and_taken(
    group: Group, bot: Bot, developer: User, client: Client
) -> None:
    other = make_connector(developer, name="Elsewhere", permissions=PERMISSIONS)
    foreign = bots.create(connector=other, name="Foreign", picture_url="", by=developer)
    gone = bots.create(connector=bot.connector, name="Gone", picture_url="", by=developer)
    bots.remove(connector=bot.connector, bot_id=gone.pk, by=developer)
    offered = text_of(client.get(tab_of(group)))
    assert "Rota, of Shift Planner" in offered
    assert "Foreign" not in offered
    for sent in (str(foreign.pk), str(gone.pk), str(ids.new_id()), "", "no id", "\x00"):
        answer = client.post(reverse("groups:bot_add", args=[group.pk]), {"bot": sent}, follow=True)
        assert "This bot can’t be added. Choose another one." in text_of(answer)
    assert not GroupBot.objects.exists()


def test_access_to_a_group_above_is_access(
    group: Group, bot: Bot, group_admin: User, client: Client, organisation: Any
) -> None:
    below = make_group("Gate", organisation=organisation, admins=[group_admin], under=group)
    assert "Rota, of Shift Planner" in text_of(client.get(tab_of(below)))
    assert "“Rota” can now post in this group." in put_in(client, below, bot)


def test_when_the_connector_is_removed_its_bots_are_not_offered_but_can_be_taken_out(
    group: Group, program: Program, bot: Bot, group_admin: User, client: Client
) -> None:
    group_bots.add(group=group, bot_ids=[bot.pk], by=group_admin)
    spare = bots.create(connector=bot.connector, name="Spare", picture_url="", by=bot.connector.owner)
    grants.remove_connector(group=group, grant=program.grant, by=group_admin)
    assert "Spare" not in text_of(client.get(tab_of(group)))
    assert "This bot can’t be added. Choose another one." in put_in(client, group, spare)
    client.post(reverse("groups:bot_remove", args=[group.pk, bot.pk]))
    assert not GroupBot.objects.exists()


@pytest.mark.parametrize(
    ("who", "refusal"), [("member", NotAllowed), ("stranger", NotFound), ("developer", NotFound)], indirect=["who"]
)
def test_the_service_itself_asks_for_an_admin_of_the_group(
    group: Group, bot: Bot, who: User, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        group_bots.add(group=group, bot_ids=[bot.pk], by=who)
    GroupBot.objects.create(group=group, bot=bot)
    with pytest.raises(refusal):
        group_bots.remove(group=group, bot_id=bot.pk, by=who)
    assert GroupBot.objects.count() == 1


def test_more_bots_cost_no_more_statements(group: Group, bot: Bot, group_admin: User, client: Client) -> None:
    group_bots.add(group=group, bot_ids=[bot.pk], by=group_admin)
    Bot.objects.create(connector=bot.connector, name="Spare")
    few = count_statements(client, tab_of(group))
    more = [Bot.objects.create(connector=bot.connector, name=f"{n}") for n in range(6)]
    group_bots.add(group=group, bot_ids=[one.pk for one in more[:3]], by=group_admin)
    assert count_statements(client, tab_of(group)) == few


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
