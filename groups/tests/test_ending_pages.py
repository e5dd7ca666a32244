"""Access to the organisation's groups that ends soon: the next on the usage page of the organisation, all on a page."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.audit.record import SYSTEM
from accounts.models import Organisation, User
from connectors.models import RefreshToken
from connectors.services import grants as grant_service
from connectors.services import refresh_tokens
from connectors.tests import factories as connector_factories
from connectors.tests.html_forms import text_of
from connectors.tests.logos import with_logo
from groups.models import Group
from groups.services import connectors
from groups.tests.conftest import Browser
from groups.tests.factories import let_act_for, make_connector, make_group
from groups.tests.pages import count_statements
from kaizala_console.lib import bounded, clock

pytestmark = pytest.mark.django_db
USAGE = "/console/organisation/usage/"
DAY = dt.timedelta(days=1)


@pytest.fixture
def client(organisation_admin: User, browser_of: Browser) -> Client:
    return browser_of(organisation_admin)


def everything_that_ends() -> str:
    return reverse("groups:ending")


def access(group: Group, owner: User, name: str, days: float | None) -> RefreshToken:
    """A connector in the group, whose access ends in so many days (365 when None)."""
    admin = owner.organisation.users.filter(is_organisation_admin=True).earliest("pk")
    ends_at = None if days is None else clock.now() + days * DAY
    granted = connectors.add_connector(
        group=group, connector_id=make_connector(owner, name=name).pk, ends_at=ends_at, by=admin
    )
    return granted.grant.refresh_tokens.get()


def told(client: Client) -> list[str]:
    """The lines of the panel on the usage page."""
    html = client.get(USAGE).content.decode()
    panel = html.partition('<ul class="usage-ending stacked">')[2].partition("</ul>")[0]
    return [" ".join(re.sub(r"<[^>]+>", " ", line).split()) for line in panel.split("<li>")[1:]]


def test_the_usage_page_names_what_ends_within_90_days_and_the_list_leads_there(
    client: Client, group: Group, developer: User
) -> None:
    access(group, developer, "Late", 89)
    token = access(group, developer, "Soon", 5)
    access(group, developer, "After", 91)
    access(group, developer, "Year", None)
    lines = [line.partition(" Ends ")[0] for line in told(client)]
    assert lines == ["Soon in “Night Shift”", "Late in “Night Shift”"]
    tab = reverse("groups:connectors", args=[group.pk])
    assert f'href="{tab}"' in client.get(USAGE).content.decode()
    page = client.get(everything_that_ends()).content.decode()
    for url in (reverse("groups:grant", args=[group.pk, token.grant_id]), tab):
        assert f'href="{url}"' in page


def old(token: RefreshToken, days: float, *, used: bool = True) -> RefreshToken:
    """A token of long ago, whose own end comes in so many days: its grant has no end date."""
    RefreshToken.objects.filter(pk=token.pk).update(
        issued_at=clock.now() - 360 * DAY,
        expires_at=clock.now() + days * DAY,
        first_used_at=clock.now() - 300 * DAY if used else None,
    )
    token.refresh_from_db()
    return token


@pytest.mark.parametrize("used", [True, False])
def test_the_tab_of_the_group_says_so_too_of_a_token_whose_grant_has_no_end_until_its_successor_is_used(
    client: Client, group: Group, developer: User, member: User, browser_of: Browser, used: bool
) -> None:
    token = old(access(group, developer, "Planner", None), 5.5, used=used)
    old(access(group, developer, "Weather", None), 91)
    tab = reverse("groups:connectors", args=[group.pk])
    assert len(told(client)) == 1
    assert text_of(client.get(tab)).count("Ends in") == 1
    assert "refresh token" not in text_of(browser_of(member).get(tab))
    assert refresh_tokens.get_or_create_successor(token=token, by=SYSTEM, at=clock.now()) is not None
    assert "Ends in 6 days refresh token" in text_of(client.get(tab))
    assert len(told(client)) == 1
    connector_factories.used(token.grant)
    assert "Ends in" not in text_of(client.get(tab))
    assert told(client) == []


def test_of_more_than_five_the_others_are_on_a_page_that_goes_on_by_key(
    client: Client, group: Group, developer: User
) -> None:
    for n in range(60):
        access(group, developer, f"Planner {n:02}", 10 + n)
    assert len(told(client)) == 5
    assert f'href="{everything_that_ends()}"' in client.get(USAGE).content.decode()
    first = client.get(everything_that_ends())
    assert "Planner 49" in text_of(first)
    assert "Planner 50" not in text_of(first)
    (older,) = (part.split('"')[0] for part in first.content.decode().split('href="')[1:] if "cursor=" in part)
    second = text_of(client.get(older))
    assert "Planner 59" in second
    assert "Planner 49" not in second
    assert client.get(everything_that_ends(), {"cursor": "forged"})["Location"] == everything_that_ends()


@pytest.fixture(params=["a few groups", "very many groups"])
def _many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, compiled_anew: None) -> None:
    """Of more groups than are counted, it is looked for in another way."""
    if request.param == "very many groups":
        monkeypatch.setattr(bounded, "MOST", 0)


@pytest.mark.usefixtures("_many")
def test_in_very_many_groups_the_same_is_found(client: Client, organisation: Organisation, developer: User) -> None:
    for n in range(7):
        access(make_group(f"Crew {n}", organisation=organisation), developer, f"Planner {n}", 80 - n)
    lines = [line.partition(" Ends ")[0] for line in told(client)]
    assert lines == [f"Planner {n} in “Crew {n}”" for n in range(6, 1, -1)]
    page = client.get(everything_that_ends()).content.decode()
    assert re.findall(r"Planner \d</a>", page) == [f"Planner {n}</a>" for n in range(6, -1, -1)]


@pytest.mark.usefixtures("_many")
def test_neither_private_groups_nor_those_of_others_nor_user_tokens_are_named(
    client: Client, organisation_admin: User, developer: User, group_admin: User, outsider: User, member: User
) -> None:
    private = make_group("Cricket", admins=[group_admin])
    mine = make_group("Chess", admins=[organisation_admin])
    theirs = make_group("Theirs", organisation=outsider.organisation, admins=[outsider])
    for place, by in ((private, group_admin), (mine, organisation_admin)):
        connector = make_connector(developer, name=f"In {place.name}")
        connectors.add_connector(group=place, connector_id=connector.pk, ends_at=clock.now() + DAY, by=by)
    elsewhere = make_connector(outsider, name="Elsewhere")
    connectors.add_connector(group=theirs, connector_id=elsewhere.pk, ends_at=clock.now() + DAY, by=outsider)
    let_act_for(make_connector(developer, name="Acting"), member, ends_at=clock.now() + DAY)
    assert told(client) == []
    page = text_of(client.get(everything_that_ends()))
    assert not any(name in page for name in ("Cricket", "Chess", "Theirs", "Elsewhere", "Acting"))


def test_what_does_not_work_any_more_is_not_about_to_end(
    client: Client, organisation_admin: User, group: Group, developer: User
) -> None:
    removed, paused, revoked = (access(group, developer, name, 5) for name in ("Removed", "Paused", "Revoked"))
    connectors.remove_connector(grant=removed.grant, group=group, by=organisation_admin)
    grant_service.suspend(grant=paused.grant, by=organisation_admin)
    RefreshToken.objects.filter(pk=revoked.pk).update(revoked_at=clock.now())
    assert told(client) == []


def test_a_token_and_its_successor_that_an_end_date_cuts_are_one_access(
    client: Client, group: Group, developer: User
) -> None:
    token = access(group, developer, "Planner", 20)
    RefreshToken.objects.filter(pk=token.pk).update(first_used_at=clock.now())
    RefreshToken.objects.create(
        grant=token.grant,
        connector=token.connector,
        predecessor=token,
        public_part="b" * 20,
        pepper_id="p",
        digest="d",
        expires_at=token.expires_at,
    )
    assert len(told(client)) == 1


def test_an_admin_of_another_organisation_sees_their_own_list_alone(
    group: Group, developer: User, organisation_admin: User, outsider: User, browser_of: Browser
) -> None:
    access(group, developer, "Planner", 5)
    assert "Planner" not in text_of(browser_of(outsider).get(everything_that_ends()))


def test_more_that_ends_costs_no_more_queries(
    client: Client, organisation: Organisation, group: Group, developer: User
) -> None:
    access(group, developer, "First", 3)
    few = count_statements(client, USAGE, everything_that_ends())
    for n in range(6):
        crew = make_group(f"Crew {n}", organisation=organisation)
        with_logo(access(crew, developer, f"Planner {n}", 5 + n).connector)
    assert count_statements(client, USAGE, everything_that_ends()) == few
