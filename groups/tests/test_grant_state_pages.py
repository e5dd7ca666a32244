"""A connector is suspended in one group, and resumed: at once, once, and by admins alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import AuditEvent, User
from connectors.models import Connector
from connectors.tests.html_forms import text_of
from groups.models import Group
from groups.tests.conftest import Wire
from groups.tests.factories import let_in, make_group

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


def test_suspended_it_is_refused_here_and_not_elsewhere_until_it_is_resumed(
    wire: Wire, browser_of: Browser, connector: Connector, group: Group, group_admin: User
) -> None:
    elsewhere = make_group("Elsewhere", organisation=group.organisation, admins=[group_admin])
    here, there = let_in(connector, group, group_admin), let_in(connector, elsewhere, group_admin)
    browser, page = browser_of(group_admin), f"/console/groups/{group.pk}/connectors/{here.grant.pk}/"
    told = text_of(browser.get(f"{page}suspend/"))
    assert "live refresh tokens 1" in " ".join(told.split())

    browser.post(f"{page}suspend/")
    assert wire.get("/v1/groups", here).status_code == 401
    assert wire.get("/v1/groups", there).status_code == 200
    assert "suspended" in text_of(browser.get(page))

    browser.post(f"{page}resume/")
    assert wire.get("/v1/groups", here).status_code == 200
    tags = AuditEvent.objects.filter(group_id=group.pk, tag__startswith="grant:access:").values_list("tag", flat=True)
    assert sorted(tags) == ["grant:access:granted", "grant:access:resumed", "grant:access:suspended"]


@pytest.mark.parametrize("verb", ["suspend", "resume"])
def test_twice_is_once(verb: str, browser_of: Browser, connector: Connector, group: Group, group_admin: User) -> None:
    granted = let_in(connector, group, group_admin)
    browser, page = browser_of(group_admin), f"/console/groups/{group.pk}/connectors/{granted.grant.pk}/"
    if verb == "resume":
        browser.post(f"{page}suspend/")
    for _click in range(2):
        answer = browser.post(f"{page}{verb}/")
        assert (answer.status_code, answer["Location"]) == (302, page)
    wanted = "suspended" if verb == "suspend" else "resumed"
    assert AuditEvent.objects.filter(tag=f"grant:access:{wanted}").count() == 1


def test_a_get_changes_nothing(browser_of: Browser, connector: Connector, group: Group, group_admin: User) -> None:
    granted = let_in(connector, group, group_admin)
    browser = browser_of(group_admin)
    for verb in ("suspend", "resume"):
        assert browser.get(f"/console/groups/{group.pk}/connectors/{granted.grant.pk}/{verb}/").status_code == 200
    granted.grant.refresh_from_db()
    assert granted.grant.suspended_at is None


@pytest.mark.parametrize("verb", ["suspend", "remove", "regenerate"])
def test_the_groups_in_which_it_stops_are_counted_down_the_hierarchy(
    verb: str, browser_of: Browser, connector: Connector, group: Group, group_admin: User
) -> None:
    granted = let_in(connector, group, group_admin)
    url = f"/console/groups/{group.pk}/connectors/{granted.grant.pk}/{verb}/"
    assert " groups 1 " in text_of(browser_of(group_admin).get(url))
    below = make_group("Gate", organisation=group.organisation, under=group)
    make_group("Gate, north", organisation=group.organisation, under=below)
    make_group("Elsewhere", organisation=group.organisation, admins=[group_admin])
    assert " groups 3 " in text_of(browser_of(group_admin).get(url))
