"""The "Connectors" tab of a group: the drop-down, what the chosen one could do, "Add Connector"."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent, Notice, User
from connectors.models import Connector, Grant, Handoff, RefreshToken
from connectors.services import connectors, usage
from connectors.services import grants as connector_grants
from connectors.tests.html_forms import HtmlForm, form_to, text_of
from groups.models import Group
from groups.services import connectors as grants
from groups.tests.factories import make_connector, make_group
from groups.tests.pages import everything
from kaizala_console.lib import clock, ids

pytestmark = pytest.mark.django_db

Browser = Callable[..., Client]


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


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
    client: Client, group: Group, connector: Connector, developer: User, outsider: User
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


def test_the_chosen_one_is_shown_with_what_it_could_and_could_not_do(
    client: Client, group: Group, developer: User
) -> None:
    connector = make_connector(developer, name="Weather", description="Warns of <b>rain</b>.")
    page = client.get(tab_of(group), {"connector": str(connector.pk), "end_date": "2030-01-02"})
    told = text_of(page)
    assert "Permissions of “Weather” in this group" in told
    assert "Post messages" in told
    assert "Send media" in told
    assert "Warns of <b>rain</b>." in told
    assert form_to(page, adding_to(group)).fields["end_date"] == ["2030-01-02"]
    assert form_to(page, adding_to(group)).fields["connector"] == [str(connector.pk)]


def test_without_scripts_a_button_shows_it_and_adds_nothing(client: Client, group: Group, connector: Connector) -> None:
    form = form_on(client, group)
    answer = form.send(client, {"connector": str(connector.pk), "end_date": "2030-01-02", "look": "1"})
    page = client.get(answer["Location"])
    assert "Permissions of “Shift Planner” in this group" in text_of(page)
    assert form_to(page, adding_to(group)).fields["end_date"] == ["2030-01-02"]
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


def test_the_access_ends_at_the_end_of_the_chosen_day(client: Client, group: Group, connector: Connector) -> None:
    day = timezone.localdate(clock.now()) + dt.timedelta(days=30)
    add(client, group, connector, day.isoformat())
    ends_at = Grant.objects.get().ends_at
    assert ends_at is not None
    assert timezone.localtime(ends_at) == timezone.make_aware(
        dt.datetime.combine(day + dt.timedelta(days=1), dt.time.min)
    )


def test_today_is_a_day_on_which_it_can_end(
    client: Client, group: Group, connector: Connector, travel: Callable[..., dt.datetime]
) -> None:
    add(client, group, connector, timezone.localdate(travel(seconds=0)).isoformat())  # midnight waits
    assert Grant.objects.filter(ends_at__gt=clock.now()).exists()


@pytest.mark.parametrize(
    ("end_date", "says"),
    [
        ("yesterday", "This day has passed."),
        ("1999-12-31", "This day has passed."),
        ("0001-01-01", "This day has passed."),
        ("9999-12-31", "within the next hundred years"),
        ("99999-01-01", "Enter a date"),
        ("2030-02-30", "Enter a date"),
        ("soon", "Enter a date"),
        ("' OR 1=1", "Enter a date"),
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


def test_without_a_choice_it_asks_for_one(client: Client, group: Group, connector: Connector) -> None:
    page = form_on(client, group).send(client, {"end_date": "2030-01-02"})
    assert "Choose a connector first." in text_of(page)
    assert form_to(page, adding_to(group)).fields["end_date"] == ["2030-01-02"]


@pytest.mark.parametrize("meanwhile", ["deactivate", "suspend", "delete"])
def test_a_connector_that_its_owner_took_back_meanwhile_is_not_added(
    client: Client, group: Group, connector: Connector, developer: User, meanwhile: str
) -> None:
    form = form_on(client, group)
    make_connector(developer, name="Another")
    getattr(connectors, meanwhile)(connector=connector, by=developer)
    page = form.send(client, {"connector": str(connector.pk), "end_date": "2030-01-02"})
    assert page.status_code == 400
    assert "This connector can no longer be added. Choose another one." in text_of(page)
    assert form_to(page, adding_to(group)).fields["end_date"] == ["2030-01-02"]
    assert not Grant.objects.exists()


@pytest.mark.parametrize("forged", ["foreign", "missing", "x", "\0", "' OR 1=1"])
def test_a_connector_of_others_is_refused_like_one_that_is_not_there(
    client: Client, group: Group, connector: Connector, outsider: User, forged: str
) -> None:
    chosen = {"foreign": str(make_connector(outsider).pk), "missing": str(ids.new_id())}.get(forged, forged)
    before = everything()
    page = form_on(client, group).send(client, {"connector": chosen})
    assert page.status_code == 400
    assert "This connector can no longer be added. Choose another one." in text_of(page)
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


def test_a_double_click_adds_once(client: Client, group: Group, connector: Connector) -> None:
    form = form_on(client, group)
    answers = [form.send(client, {"connector": str(connector.pk)}) for _ in range(2)]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert (Grant.objects.count(), RefreshToken.objects.count(), Handoff.objects.count()) == (1, 1, 1)
    assert Notice.objects.count() == 1
    assert AuditEvent.objects.filter(tag="grant:access:granted").count() == 1


# A lost session, an old confirmation ---------------------------------------------------------------------------------


def test_looking_asks_nobody_whether_it_is_them(
    group: Group, connector: Connector, group_admin: User, browser_of: Browser
) -> None:
    answer = form_on(browser_of(group_admin, confirmed=False), group).send(
        browser_of(group_admin, confirmed=False), {"connector": str(connector.pk), "look": "1"}
    )
    assert answer["Location"].startswith(tab_of(group))


# Who has access ------------------------------------------------------------------------------------------------------


def test_each_grant_says_its_state_its_permissions_and_how_far_its_token_is(
    client: Client, group: Group, connector: Connector, group_admin: User, developer: User
) -> None:
    add(client, group, connector, "2090-01-02")
    suspended = make_connector(developer, name="Asleep")
    add(client, group, suspended)
    connector_grants.suspend(grant=Grant.objects.get(connector=suspended), by=group_admin)
    told = text_of(client.get(tab_of(group)))
    assert "Live" in told
    assert "Suspended" in told
    assert "9 permissions of Shift Planner" in told
    assert "3 permissions of Asleep" in told
    assert told.count("Waiting") == 2
    assert "not yet" in told


def test_a_member_sees_what_acts_here_and_nothing_of_its_token(
    client: Client, group: Group, connector: Connector, member: User, browser_of: Browser
) -> None:
    add(client, group, connector)
    told = text_of(browser_of(member).get(tab_of(group)))
    assert "Shift Planner" in told
    assert "Post messages" in told
    for hidden in ("Handoff", "Waiting", "Last used", "Add Connector", "Arjun Mehta"):
        assert hidden not in told.split("Connectors of Night Shift")[1]


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
    client: Client, group: Group, group_admin: User, developer: User, django_assert_max_num_queries: Any
) -> None:
    def cost() -> int:
        with django_assert_max_num_queries(40) as seen:
            client.get(tab_of(group))
        return len(seen.captured_queries)

    def grow(number: int) -> None:
        for name in range(number):
            here = make_connector(developer, name=f"Here {number} {name}")
            made = grants.add_connector(group=group, connector_id=here.pk, by=group_admin).grant
            usage.count(made.pk, "GET v1/groups/<group_id>/members", status=200, at=clock.now())
            make_connector(developer, name=f"To add {number} {name}")
        usage.flush()

    grow(1)
    few = cost()
    grow(9)
    assert cost() == few
