"""What has nobody left who looks after it is told once, to those who can do something about it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import AuditEvent, Notice, User, VerifiedPhone
from accounts.services import notifications, users
from connectors.models import Connector, Orphan
from connectors.services import connectors, grants, owners
from connectors.tasks import watch_orphans
from connectors.tests import factories
from connectors.tests.factories import Program
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db


def told() -> set[tuple[str, str]]:
    return set(Notice.objects.filter(template__startswith="connectors/orphan").values_list("user__name", "template"))


def take_over(user: User, by: User) -> None:
    """The number of `user` is held by another account now."""
    phone = VerifiedPhone.objects.active().get(user=user)
    VerifiedPhone.objects.filter(pk=phone.pk).update(released_at=clock.now(), is_primary=False)
    VerifiedPhone.objects.create(user=by, person=phone.person)


@pytest.fixture
def abandoned(connector: Connector, developer: User, operator: User, organisation_admin: User, outsider: User) -> None:
    """The developer's account was deactivated."""
    users.deactivate(user=developer, by=operator)


@pytest.mark.postgresql
def test_a_connector_whose_owner_is_gone_is_told_once(abandoned: None, connector: Connector) -> None:
    watch_orphans()
    watch_orphans()
    assert told() == {("Omar Dsouza", "connectors/orphan_connector"), ("Farah Khan", "connectors/orphan_connector")}
    assert Notice.objects.filter(template="connectors/orphan_connector").count() == 2
    event = AuditEvent.objects.get(tag="grant:orphan:found")
    assert (event.actor_kind, event.connector_id, event.after["name"]) == ("system", connector.pk, "Shift Planner")


def test_the_mail_names_it(abandoned: None) -> None:
    watch_orphans()
    subject, body = notifications.render(Notice.objects.filter(template="connectors/orphan_connector")[0])
    assert subject == "A connector has no active owner"
    assert "- Shift Planner" in body


def test_the_link_in_the_mail_leads_to_a_list_that_has_it(
    abandoned: None, connector: Connector, organisation_admin: User, browser_of: Callable[..., Client]
) -> None:
    watch_orphans()
    notice = Notice.objects.get(template="connectors/orphan_connector", user=organisation_admin)
    (address,) = re.findall(rf"{re.escape(settings.CONSOLE_BASE_URL)}(\S+)", notifications.render(notice)[1])
    assert str(connector.pk) in browser_of(organisation_admin).get(address).content.decode()


@pytest.mark.postgresql
def test_many_at_once_are_one_mail(developer: User, operator: User) -> None:
    for number in range(60):
        factories.make_connector(developer, f"Planner {number:02}")
    users.deactivate(user=developer, by=operator)
    assert owners.find_orphans() == 60
    (notice,) = Notice.objects.filter(template="connectors/orphan_connector")
    subject, body = notifications.render(notice)
    assert subject == "60 connectors have no active owner"
    assert "and 10 more" in body


def test_a_co_owner_looks_after_it_and_a_deactivated_one_does_not(
    connector: Connector, developer: User, member: User, operator: User
) -> None:
    connector.co_owners.add(member)
    users.deactivate(user=developer, by=operator)
    assert owners.find_orphans() == 0
    users.deactivate(user=member, by=operator)
    assert owners.find_orphans() == 1


@pytest.mark.postgresql
def test_what_was_settled_and_comes_again_is_told_again(abandoned: None, developer: User, operator: User) -> None:
    assert owners.find_orphans() == 1
    users.activate(user=developer, by=operator)
    assert owners.find_orphans() == 0
    assert Orphan.objects.get().settled_at is not None
    users.deactivate(user=developer, by=operator)
    assert owners.find_orphans() == 1
    assert Orphan.objects.count() == 2


def test_a_deleted_connector_is_nobodys_concern(abandoned: None, connector: Connector, operator: User) -> None:
    connectors.delete(connector=connector, by=operator)
    assert owners.find_orphans() == 0


@pytest.mark.postgresql
def test_access_in_the_name_of_a_number_that_changed_hands_is_told(
    program: Program, group_admin: User, stranger: User, operator: User
) -> None:
    assert owners.find_orphans() == 0
    take_over(group_admin, stranger)
    assert owners.find_orphans() == 1
    assert told() == {("Omar Dsouza", "connectors/orphan_phone")}
    orphan = Orphan.objects.get()
    assert (orphan.kind, orphan.name) == ("phone", "Shift Planner → Night shift")
    grants.revoke(grant=program.grant, by=group_admin)
    assert owners.find_orphans() == 0
    orphan.refresh_from_db()
    assert orphan.settled_at is not None
