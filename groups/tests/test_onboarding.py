"""A group admin's onboarding steps: each is ticked by what is in the database."""

from __future__ import annotations

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import Organisation, User
from connectors.models import Connector, RefreshToken
from groups.models import Group
from groups.services import connectors
from groups.tests.factories import make_connector, make_group
from kaizala_console.dashboard.onboarding import group_admin_path
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db


def test_who_runs_one_group_is_led_straight_to_its_connectors(group_admin: User, group: Group) -> None:
    path = group_admin_path(group_admin)
    assert (path.fits, path.done_count) == (True, 2)
    assert path.next_step is not None
    assert [link.href for link in path.next_step.links] == [reverse("groups:connectors", args=[group.pk])]


def test_who_runs_several_chooses_among_them(group_admin: User, group: Group, organisation: Organisation) -> None:
    more = [make_group(f"Depot {number}", organisation=organisation, admins=[group_admin]) for number in range(3)]
    path = group_admin_path(group_admin)
    assert path.next_step is not None
    named = [reverse("groups:connectors", args=[one.pk]) for one in more]
    assert [link.href for link in path.next_step.links] == [*named, reverse("groups:list")]


def test_a_member_has_not_begun_it(member: User, group: Group) -> None:
    assert not group_admin_path(member).fits


def test_it_is_done_when_the_program_works(
    group_admin: User, group: Group, connector: Connector, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    granted = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin)
    path = group_admin_path(group_admin)
    assert path.done_count == 3
    assert path.next_step is not None
    page = reverse("groups:grant", args=[group.pk, granted.grant.pk])
    assert [link.href for link in path.next_step.links] == [page]
    RefreshToken.objects.filter(grant=granted.grant).update(first_used_at=clock.now())
    with django_assert_num_queries(2):
        path = group_admin_path(group_admin)
    assert (path.next_step, path.finished_at is not None) == (None, True)


def test_who_has_let_in_very_many_is_told_by_the_first_of_them(
    group_admin: User, group: Group, developer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groups.queries.groups.FIRST_GRANTS", 2)
    made = [
        connectors.add_connector(
            group=group, connector_id=make_connector(developer, name=name).pk, by=group_admin
        ).grant
        for name in ("One", "Two", "Three")
    ]
    RefreshToken.objects.filter(grant=made[2]).update(first_used_at=clock.now())
    assert group_admin_path(group_admin).finished_at is None
    RefreshToken.objects.filter(grant=made[1]).update(first_used_at=clock.now())
    assert group_admin_path(group_admin).finished_at is not None
