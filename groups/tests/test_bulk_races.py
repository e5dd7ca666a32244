"""Two at the same upload at the same moment: one of them does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import AuditEvent, Organisation, User
from groups.models import BulkJob, Group, GroupLink, Membership
from groups.services import members
from groups.services.bulk import jobs as bulk
from groups.tests.bulk import checked, uploaded, uploaded_mapping
from groups.tests.factories import make_group, person_of

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
Together = Callable[..., list[Any]]
MANY = "Phone number\n" + "".join(f"+9198{n:08}\n" for n in range(1200))


@pytest.fixture
def group(organisation: Organisation, group_admin: User) -> Group:
    return make_group(organisation=organisation, admins=[group_admin])


@pytest.fixture(autouse=True)
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is woken: the tests say who works."""
    monkeypatch.setattr(bulk, "after_commit", lambda *_args, **_kwargs: None)


def test_of_several_workers_one_does_it(together: Together, group: Group, group_admin: User) -> None:
    job = checked(uploaded(group, group_admin, MANY))
    bulk.go_on(job=job, by=group_admin)
    assert sorted(together(4, lambda: bulk.work(job_id=job.pk))) == [False, False, False, True]
    job.refresh_from_db()
    assert (job.state, job.counts) == ("done", {"added": 1200})
    assert Membership.objects.filter(group=group).count() == 1201
    assert AuditEvent.objects.filter(tag="bulk:job:finished").count() == 1


def test_of_going_on_and_cancelling_at_once_the_job_keeps_one_story(
    together: Together, group: Group, group_admin: User
) -> None:
    job = checked(uploaded(group, group_admin, MANY))
    turns = iter([bulk.go_on, bulk.cancel] * 2)
    acts = [next(turns) for _turn in range(4)]
    together(4, lambda: acts.pop()(job=job, by=group_admin))
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert not bulk.work(job_id=job.pk)
    assert Membership.objects.filter(group=group).count() == 1


def test_two_files_and_a_hand_at_once_leave_an_admin(
    together: Together, group: Group, group_admin: User, member: User
) -> None:
    Membership.objects.create(group=group, person=person_of(member), role="Admin")
    first = checked(uploaded(group, group_admin, f"number,action\n{person_of(group_admin).number},remove\n"))
    second = checked(uploaded(group, group_admin, f"number,action\n{person_of(member).number},remove\n"))
    for job in (first, second):
        bulk.go_on(job=job, by=group_admin)
    person = person_of(member)
    acts = [
        lambda: bulk.work(job_id=first.pk),
        lambda: bulk.work(job_id=second.pk),
        lambda: members.set_role(group=group, person_id=person.pk, role=members.Role.MEMBER, by=group_admin),
    ]
    together(3, lambda: acts.pop()())
    assert Membership.objects.admins().filter(group=group).count() == 1


def test_two_files_that_close_a_circle_together_do_not(
    together: Together, organisation: Organisation, organisation_admin: User
) -> None:
    for name in "ABCD":
        make_group(name, organisation=organisation)
    header = "Group name,Parent group name\n"
    jobs = [
        checked(uploaded_mapping(organisation, organisation_admin, header + lines))
        for lines in ("B,A\nD,C\n", "C,B\nA,D\n")
    ]
    for job in jobs:
        bulk.go_on(job=job, by=organisation_admin)
    together(2, lambda: bulk.work(job_id=jobs.pop().pk))
    links = dict(GroupLink.objects.values_list("child__name", "parent__name"))
    assert len(links) == 3, "the fourth would close it"
    assert sorted(job.counts.get("refused", 0) for job in BulkJob.objects.all()) == [0, 1]
