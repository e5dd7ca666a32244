"""What Home offers to who runs groups, and whose history they may read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.audit import queries
from accounts.models import Organisation, User
from connectors.tests.html_forms import text_of
from groups.models import Group, Membership
from groups.queries import groups as group_queries
from groups.queries.groups import ASKED_ONE_BY_ONE
from groups.services import members
from groups.tests.factories import make_group, person_of
from kaizala_console.dashboard.activity import audit_scope
from kaizala_console.dashboard.onboarding import list_own_groups
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db

HOME = "/console/"
TITLE = "Add a connector to your group"

Browser = Callable[..., Client]


def put_away(user: User) -> None:
    """The first steps, which newcomers are shown instead."""
    User.objects.filter(pk=user.pk).update(first_steps_put_away_at=clock.now())


def test_home_leads_an_admin_straight_to_the_connectors_of_the_group(
    group: Group, group_admin: User, browser_of: Browser
) -> None:
    put_away(group_admin)
    page = browser_of(group_admin).get(HOME)
    assert TITLE in text_of(page)
    assert f'href="{reverse("groups:connectors", args=[group.pk])}"' in page.content.decode()
    assert "Add a program to your group" not in text_of(page)


@pytest.mark.parametrize("who", ["member", "stranger", "developer", "organisation_admin"])
def test_it_is_offered_to_nobody_else(
    group: Group, who: str, request: pytest.FixtureRequest, browser_of: Browser
) -> None:
    user: User = request.getfixturevalue(who)
    put_away(user)
    told = text_of(browser_of(user).get(HOME))
    assert TITLE not in told
    assert "Add a program to your group" in told


def test_a_removed_group_is_not_offered(group: Group, group_admin: User, travel: Callable[..., object]) -> None:
    Group.objects.update(removed_at=travel(minutes=1))
    assert list_own_groups(group_admin) == []


def test_an_admin_reads_what_others_did_in_the_group(
    group: Group, group_admin: User, organisation_admin: User, member: User, stranger: User
) -> None:
    members.add(group=group, numbers=["+919930000001"], by=organisation_admin)
    for reader, seen in ((group_admin, 1), (member, 0), (stranger, 0), (organisation_admin, 1)):
        assert len(queries.get_page(audit_scope(reader), size=10).events) == seen
        assert queries.visible_to(audit_scope(reader)).count() == seen


def test_an_admin_of_a_private_group_reads_its_history_and_the_organisation_does_not(
    group_admin: User, member: User, organisation_admin: User
) -> None:
    private = make_group("Cricket", admins=[group_admin, member])
    members.add(group=private, numbers=["+919930000001"], by=member)
    assert len(queries.get_page(audit_scope(group_admin), size=10).events) == 1
    assert queries.get_page(audit_scope(organisation_admin), size=10).events == []


def test_who_is_an_admin_no_more_reads_it_no_more(group: Group, group_admin: User, organisation_admin: User) -> None:
    members.add(group=group, numbers=["+919930000001"], by=organisation_admin)
    Membership.objects.filter(person=person_of(group_admin)).update(role="Member")
    assert queries.get_page(audit_scope(group_admin), size=10).events == []


def test_many_groups_are_asked_about_together(
    organisation: Organisation, group_admin: User, organisation_admin: User
) -> None:
    for number in range(ASKED_ONE_BY_ONE + 1):
        group = make_group(f"Group {number}", organisation=organisation, admins=[group_admin])
        members.add(group=group, numbers=["+919930000001"], by=organisation_admin)
        assert len(group_queries.audit_scope(group_admin)) == (number + 1 if number < ASKED_ONE_BY_ONE else 1)
    assert len(queries.get_page(audit_scope(group_admin), size=50).events) == ASKED_ONE_BY_ONE + 1
