"""Subscribers of a managed public group in the file of its users: the role `Subscriber`."""

from __future__ import annotations

import pytest

from accounts.models import AuditEvent, Organisation, PersonName, User
from accounts.tests.factories import make_person
from groups.models import Group, Membership, Subscription
from groups.queries import bulk
from groups.tests.bulk import checked, done, told, uploaded
from groups.tests.factories import make_group
from kaizala_console.lib.spreadsheets import csv_lines

pytestmark = pytest.mark.django_db
HEADER = "Phone number,Name,Role,Action\n"
ASHA, BALA = "+919876543210", "+919876543211"


@pytest.fixture
def public(organisation: Organisation, group_admin: User) -> Group:
    return make_group("Notices", organisation=organisation, admins=[group_admin], group_type=Group.Type.CONNECT)


def following(group: Group) -> set[str]:
    return set(Subscription.objects.filter(group=group).values_list("person__number", flat=True))


@pytest.mark.postgresql
def test_lines_add_subscribers_and_take_them_off_and_once_more_changes_nothing(
    public: Group, group_admin: User
) -> None:
    text = HEADER + f"{ASHA},Asha,Subscriber,\n{BALA},Bala,subscriber,add\n"
    job = done(uploaded(public, group_admin, text))
    assert (job.state, job.counts["added"]) == ("done", 2)
    assert following(public) == {ASHA, BALA}
    assert PersonName.objects.get(person__number=ASHA).name == "Asha"
    assert Membership.objects.filter(group=public).count() == 1
    assert AuditEvent.objects.filter(tag="group:subscribers:added", group_id=public.pk).count() == 1
    again = done(uploaded(public, group_admin, text))
    assert (again.counts.get("added", 0), again.counts["unchanged"]) == (0, 2)
    left = done(uploaded(public, group_admin, HEADER + f"{ASHA},,Subscriber,remove\n"))
    assert left.counts["removed"] == 1
    assert following(public) == {BALA}


def test_a_name_that_is_there_stays(public: Group, group_admin: User) -> None:
    make_person("Asha Rao", ASHA)
    done(uploaded(public, group_admin, HEADER + f"{ASHA},Somebody else,Subscriber,\n"))
    assert PersonName.objects.get(person__number=ASHA).name == "Asha Rao"


def test_somebody_may_be_a_member_and_a_subscriber_but_each_once(public: Group, group_admin: User) -> None:
    text = HEADER + f"{ASHA},,Member,\n{ASHA},,Subscriber,\n{ASHA},,Subscriber,\n"
    job = done(uploaded(public, group_admin, text))
    assert list(told(job)) == [4]
    assert "already in line 3" in told(job)[4][1]
    assert following(public) == {ASHA}
    assert Membership.objects.filter(group=public, person__number=ASHA, role="Member").exists()


def test_a_plain_group_has_none_and_the_line_says_so(group: Group, group_admin: User) -> None:
    job = checked(uploaded(group, group_admin, HEADER + f"{ASHA},,Subscriber,\n"))
    assert "Only a managed public group has subscribers" in told(job)[2][1]
    assert not Subscription.objects.exists()


def test_the_export_can_be_uploaded_again_as_it_is(public: Group, group_admin: User) -> None:
    done(uploaded(public, group_admin, HEADER + f"{ASHA},Asha,Subscriber,\n{BALA},Bala,Member,\n"))
    text = "".join(csv_lines(bulk.user_rows(public)))
    assert f'{ASHA}","Asha","Subscriber"' in text
    job = done(uploaded(public, group_admin, text))
    assert (job.bad_lines, job.counts["unchanged"]) == (0, 3)
    assert following(public) == {ASHA}
