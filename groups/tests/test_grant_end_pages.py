"""A group's admin sets until when a connector may act here, moves it, and takes it away."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import AuditEvent, User
from connectors.models import Connector, Grant
from connectors.tests.html_forms import form_to, text_of
from groups.models import Group
from groups.tests.conftest import Wire
from groups.tests.factories import Program, let_in
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.fixture
def granted(connector: Connector, group: Group, group_admin: User) -> Program:
    return let_in(connector, group, group_admin)


def page_of(granted: Program) -> str:
    group_id = granted.grant.target.partition(":")[2]
    return f"/console/groups/{group_id}/connectors/{granted.grant.pk}/"


def end_page_of(granted: Program) -> str:
    return f"{page_of(granted)}end-date/"


def day(days: int) -> str:
    return (clock.now() + dt.timedelta(days=days)).date().isoformat()


def end_of(granted: Program) -> dt.datetime | None:
    return Grant.objects.get(pk=granted.grant.pk).ends_at


def test_it_is_set_moved_and_taken_away(
    browser_of: Browser, granted: Program, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    client, url = browser_of(group_admin), end_page_of(granted)
    assert url in client.get(page_of(granted)).content.decode()
    form = form_to(client.get(url), url)
    assert form.fields["end_date"] == [""]
    told = form.send(client, {"end_date": day(2)}, follow=True)
    assert "has access until" in text_of(told)
    assert "Change end date" in text_of(told)

    again = form_to(client.get(url), url)
    assert again.fields["end_date"] == [day(2)]
    again.send(client)
    assert AuditEvent.objects.filter(tag="grant:end:changed").count() == 1, "the same day changes nothing"
    again.send(client, {"end_date": day(5)})
    travel(days=4)
    none = form_to(browser_of(group_admin).get(url), url).send(browser_of(group_admin), {"end_date": ""}, follow=True)
    assert "has access without an end date." in text_of(none)
    assert end_of(granted) is None


def test_an_access_token_that_was_given_before_ends_with_it(
    wire: Wire, browser_of: Browser, granted: Program, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    assert wire.get("/v1/groups", granted).status_code == 200
    form_to(browser_of(group_admin).get(end_page_of(granted)), end_page_of(granted)).send(
        browser_of(group_admin), {"end_date": day(0)}
    )
    ends_at = end_of(granted)
    assert ends_at is not None
    travel(seconds=(ends_at - clock.now()).total_seconds() + 1)
    assert wire.get("/v1/groups", granted).status_code == 401


@pytest.mark.parametrize("typed", ["2020-01-01", "soon", "9999-12-31"])
def test_a_day_that_cannot_be_is_refused_beside_its_field(
    browser_of: Browser, granted: Program, group_admin: User, typed: str
) -> None:
    answer = browser_of(group_admin).post(end_page_of(granted), {"end_date": typed})
    assert answer.status_code == 400
    assert "field-error" in answer.content.decode()
    assert end_of(granted) is None


def test_a_get_changes_nothing_and_a_stale_confirmation_asks_first(
    browser_of: Browser, granted: Program, group_admin: User
) -> None:
    assert browser_of(group_admin).get(end_page_of(granted)).status_code == 200
    asked = browser_of(group_admin, confirmed=False).post(end_page_of(granted), {"end_date": day(3)})
    assert asked["Location"].startswith("/console/confirm/")
    assert end_of(granted) is None


def test_what_has_ended_is_not_offered_another_end(
    browser_of: Browser, granted: Program, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    browser_of(group_admin).post(end_page_of(granted), {"end_date": day(0)})
    ended = end_of(granted)
    travel(days=2)
    client = browser_of(group_admin)
    assert end_page_of(granted) not in client.get(page_of(granted)).content.decode()
    answer = client.post(end_page_of(granted), {"end_date": day(9)})
    assert ". Remove it, then add the connector again." in text_of(answer)
    assert end_of(granted) == ended


@pytest.mark.parametrize("who", ["member", "stranger", "outsider", "developer"])
def test_nobody_else_sets_it(browser_of: Browser, granted: Program, who: str, request: pytest.FixtureRequest) -> None:
    client = browser_of(request.getfixturevalue(who))
    assert client.get(end_page_of(granted)).status_code in (403, 404)
    assert client.post(end_page_of(granted), {"end_date": day(3)}).status_code in (403, 404)
    assert end_of(granted) is None
