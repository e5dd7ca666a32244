"""Parent groups by file, for admins of the organisation: by ID or name, never in a circle."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from accounts.models import AuditEvent, Organisation, User
from groups.models import Group, GroupChange, GroupLink
from groups.services import hierarchy, webhooks
from groups.services.bulk import jobs
from groups.tests.bulk import checked, done, told, uploaded_mapping, worked_at
from groups.tests.conftest import Browser
from groups.tests.factories import make_group
from groups.tests.pages import everything

pytestmark = pytest.mark.django_db
HEADER = "Group ID,Group name,Parent group ID,Parent group name,Action\n"


@pytest.fixture
def groups(organisation: Organisation) -> dict[str, Group]:
    return {name: make_group(name, organisation=organisation) for name in ("All", "North", "South", "Depot")}


def by_name(*pairs: str) -> str:
    """`"North<All"` puts North under All, `"-North<All"` takes it away."""
    lines = [(pair.lstrip("-").split("<"), "remove" if pair.startswith("-") else "") for pair in pairs]
    return HEADER + "".join(f",{child},,{parent},{action}\n" for (child, parent), action in lines)


def links() -> set[str]:
    return {f"{child}<{parent}" for child, parent in GroupLink.objects.values_list("child__name", "parent__name")}


def test_groups_are_put_under_others_and_taken_away(
    organisation: Organisation, organisation_admin: User, groups: dict[str, Group]
) -> None:
    text = by_name("North<All", "South<All", "Depot<North")
    text += f"{groups['Depot'].pk}@1,whatever,{groups['South'].pk},,add\n"
    for counts in ({"linked": 4}, {"unchanged": 4}):
        assert done(uploaded_mapping(organisation, organisation_admin, text)).counts == counts
    assert links() == {"North<All", "South<All", "Depot<North", "Depot<South"}
    leaving = uploaded_mapping(organisation, organisation_admin, by_name("-Depot<North", "-North<South"))
    assert checked(leaving).removing == 2
    jobs.go_on(job=leaving, by=organisation_admin)
    assert worked_at(leaving).counts == {"unlinked": 1, "unchanged": 1}
    assert "Depot<North" not in links()
    [event] = AuditEvent.objects.filter(tag="group:subgroups:changed", subject_id=str(leaving.pk))
    assert event.after["unlinked"][0][1::2] == ["Depot", "North"]
    assert GroupChange.objects.filter(group=groups["North"]).exists()


@pytest.mark.postgresql
def test_the_check_names_what_is_not_there_what_is_ambiguous_and_what_closes_a_circle(
    organisation: Organisation, organisation_admin: User, groups: dict[str, Group], outsider: User
) -> None:
    make_group("North", organisation=organisation)
    foreign = make_group("Foreign", organisation=outsider.organisation)
    hierarchy.link(parent=groups["All"], child=groups["South"], by=organisation_admin)
    text = by_name("North<All", "Nowhere<All", "Foreign<All", "Depot<South", "All<Depot", "All<All")
    text += f"{foreign.pk},,,All,\nnot-an-id,,,All,\n"
    job = checked(uploaded_mapping(organisation, organisation_admin, text))
    reasons = {line: reason for line, (_kind, reason) in told(job).items()}
    assert sorted(reasons) == [2, 3, 4, 6, 7, 8, 9]
    assert "2 groups are called" in reasons[2]
    assert "no group called “Nowhere”" in reasons[3]
    assert "no group called “Foreign”" in reasons[4]
    assert "stands above “Depot” already" in reasons[6]
    assert "its own sub-group" in reasons[7]
    assert "no group with the ID" in reasons[8]
    assert links() == {"South<All"}


@pytest.mark.postgresql
def test_a_circle_that_others_have_closed_meanwhile_is_refused_by_the_run(
    organisation: Organisation, organisation_admin: User, groups: dict[str, Group]
) -> None:
    job = checked(uploaded_mapping(organisation, organisation_admin, by_name("North<All", "South<All", "Gone<All")))
    hierarchy.link(parent=groups["North"], child=groups["Depot"], by=organisation_admin)
    hierarchy.link(parent=groups["Depot"], child=groups["All"], by=organisation_admin)
    jobs.go_on(job=job, by=organisation_admin)
    assert worked_at(job).counts == {"linked": 1, "refused": 1}
    assert told(job)[2][0] == "refused"
    assert "North<All" not in links()


@pytest.mark.postgresql
def test_across_chunks_no_circle_is_closed_either(
    organisation: Organisation, organisation_admin: User, groups: dict[str, Group], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "DONE_AT_ONCE", 1)
    monkeypatch.setattr(jobs, "CHECKED_AT_ONCE", 1)
    text = by_name("North<All", "Depot<North", "All<Depot", "-Depot<North", "All<Depot")
    job = done(uploaded_mapping(organisation, organisation_admin, text))
    assert list(told(job)) == [4]
    assert links() == {"North<All", "All<Depot"}


@pytest.mark.postgresql
def test_not_more_levels_than_a_hierarchy_may_have(
    organisation: Organisation, organisation_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "DONE_AT_ONCE", 7)
    for number in range(33):
        make_group(f"G{number}", organisation=organisation)
    upper = by_name(*[f"G{n + 1}<G{n}" for n in range(14)])
    done(uploaded_mapping(organisation, organisation_admin, upper))
    lower = by_name(*[f"G{n + 1}<G{n}" for n in range(15, 30)], "G15<G14", "G31<G30", "G15<G13")
    job = done(uploaded_mapping(organisation, organisation_admin, lower))
    assert list(told(job)) == [17, 19], "G0 to G30, and G0 to G13 with G15 to G31, would be 31"
    assert "More than 30" in told(job)[17][1]
    assert {"G30<G29", "G31<G30"} <= links()


def test_webhooks_on_a_group_hear_of_its_sub_groups(
    organisation: Organisation, organisation_admin: User, groups: dict[str, Group], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(webhooks, "publish_group_added", lambda *, parent, **_more: heard.append(parent.name))
    monkeypatch.setattr(webhooks, "list_groups_with_webhooks", lambda groups: {groups[0]})
    done(uploaded_mapping(organisation, organisation_admin, by_name("North<All", "Depot<North")))
    assert len(heard) == 1


def test_who_is_no_admin_of_the_organisation_any_more_gets_no_further(
    organisation: Organisation, organisation_admin: User, groups: dict[str, Group]
) -> None:
    job = checked(uploaded_mapping(organisation, organisation_admin, by_name("North<All")))
    jobs.go_on(job=job, by=organisation_admin)
    User.objects.filter(pk=organisation_admin.pk).update(is_organisation_admin=False)
    assert worked_at(job).state == "failed"
    assert links() == set()


def test_an_export_takes_out_the_own_organisation_and_can_be_uploaded_again(
    browser_of: Browser, organisation: Organisation, organisation_admin: User, groups: dict[str, Group], outsider: User
) -> None:
    done(uploaded_mapping(organisation, organisation_admin, by_name("North<All", "Depot<North")))
    theirs = make_group("Theirs", organisation=outsider.organisation)
    make_group("Theirs too", organisation=outsider.organisation, under=theirs)
    answer: Any = browser_of(organisation_admin).post(reverse("groups:mapping_export"))
    text = answer.getvalue().decode()
    assert "North" in text
    assert "Theirs" not in text
    assert AuditEvent.objects.filter(tag="organisation:subgroups:exported").count() == 1
    assert done(uploaded_mapping(organisation, organisation_admin, text)).counts == {"unchanged": 2}


@pytest.mark.parametrize("who", ["group_admin", "operator", "outsider"], indirect=True)
def test_nobody_but_admins_of_the_organisation_sees_such_a_file(
    who: User, browser_of: Browser, organisation: Organisation, organisation_admin: User, outsider: User
) -> None:
    job = checked(uploaded_mapping(organisation, organisation_admin, by_name("North<All")))
    client, before = browser_of(who), everything()
    refusal = 404 if who == outsider else 403
    for name in ("bulk_job", "bulk_file", "bulk_log", "bulk_problems"):
        assert client.get(reverse(f"groups:{name}", args=[job.pk])).status_code == refusal
    for name in ("bulk_go", "bulk_cancel"):
        assert client.post(reverse(f"groups:{name}", args=[job.pk])).status_code == refusal
    assert "parents.csv" not in client.get(reverse("groups:mapping")).content.decode()
    assert everything() == before
