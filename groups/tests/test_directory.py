"""What an organisation notes of its people, and removing somebody everywhere; also with races."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from accounts.models import AuditEvent, Organisation, Person, User
from connectors.models import Connector, Grant, WebhookEvent
from connectors.tests.webhook_cast import make_webhook
from groups.models import Group, GroupChange, Membership, PersonAttribute, PersonAttributeValue, Subscription
from groups.services import directory, members
from groups.tests.factories import Program, let_act_for, make_connector, make_group, person_of
from groups.tests.pages import everything
from groups.tests.threads import together
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotAllowed, NotFound, RuleBroken

pytestmark = pytest.mark.django_db


# Attributes -----------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_there_are_at_most_thirty_and_none_without_a_name(organisation_admin: User) -> None:
    for number in range(30):
        directory.add_attribute(name=f"A{number}", by=organisation_admin)
    before = everything()
    for name in ("One more", "", " ", "x" * 61, "a\0"):
        with pytest.raises(RuleBroken):
            directory.add_attribute(name=name, by=organisation_admin)
    assert directory.add_attribute(name="a7", by=organisation_admin).name == "A7"
    assert everything() == before


@pytest.mark.parametrize("name", ["Name", "phone  number", "PHONE NUMBER"])
def test_no_attribute_is_called_as_what_the_file_of_people_has_beside_attributes(
    organisation_admin: User, name: str
) -> None:
    made = directory.add_attribute(name="Department", by=organisation_admin)
    with pytest.raises(RuleBroken, match="The import file has a column with this name"):
        directory.add_attribute(name=name, by=organisation_admin)
    with pytest.raises(RuleBroken, match="The import file has a column with this name"):
        directory.change_attribute(attribute=made, name=name, by=organisation_admin)
    assert [one.name for one in PersonAttribute.objects.all()] == ["Department"]


def test_the_trail_names_attributes_and_never_what_they_say(
    group: Group, member: User, organisation_admin: User
) -> None:
    attribute = directory.add_attribute(name="Department", by=organisation_admin)
    values = {attribute.pk: "A secret crew"}
    assert directory.set_values(person=person_of(member), values=values, by=organisation_admin) == ["Department"]
    assert directory.set_values(person=person_of(member), values=values, by=organisation_admin) == []
    assert directory.set_values(person=person_of(member), values={attribute.pk: " "}, by=organisation_admin)
    assert not PersonAttributeValue.objects.exists()
    events = AuditEvent.objects.filter(tag="person:attributes:changed")
    assert [event.after for event in events] == [{"attributes": "Department"}] * 2
    assert "secret" not in repr(list(AuditEvent.objects.values_list()))


def test_nobody_else_notes_anything(
    group: Group, group_admin: User, member: User, outsider: User, organisation_admin: User
) -> None:
    attribute = directory.add_attribute(name="Department", by=organisation_admin)
    before = everything()
    for who, key, by, refusal in (
        (member, attribute.pk, group_admin, NotAllowed),
        (member, attribute.pk, outsider, NotFound),
        (outsider, attribute.pk, organisation_admin, NotFound),
        (member, ids.new_id(), organisation_admin, NotFound),
    ):
        with pytest.raises(refusal):
            directory.set_values(person=person_of(who), values={key: "x"}, by=by)
    with pytest.raises(NotFound):
        directory.change_attribute(attribute=attribute, by=outsider, name="Mine")
    for act in (partial(directory.add_attribute, name="Mine"), directory.note_export):
        with pytest.raises(NotAllowed):
            act(by=group_admin)
    assert everything() == before


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_no_more_than_thirty_are_made_and_none_twice(
    organisation_admin: User, second_admin: User
) -> None:
    for number in range(28):
        directory.add_attribute(name=f"A{number}", by=organisation_admin)
    together(
        *(
            lambda name=name, by=by: directory.add_attribute(name=name, by=by)
            for name in ("X", "x", "Y", "Z")
            for by in (organisation_admin, second_admin)
        )
    )
    names = [name.lower() for name in PersonAttribute.objects.values_list("name", flat=True)]
    assert len(names) == len(set(names)) == 30


# Remove everywhere ----------------------------------------------------------------------------------------------------


@pytest.fixture
def everywhere(
    group: Group, group_admin: User, member: User, organisation: Organisation, connector: Connector
) -> Program:
    """The member in two groups of the organisation, a subscription, a private group, and what acts for them."""
    make_group("Gate", organisation=organisation, admins=[group_admin, member])
    news = make_group("News", organisation=organisation, admins=[group_admin], group_type="ConnectGroup")
    Subscription.objects.create(group=news, person=person_of(member))
    make_group("Cricket", admins=[member])
    return let_act_for(connector, member)


@pytest.mark.postgresql
def test_a_person_leaves_all_the_organisations_groups_and_no_other(
    everywhere: Program, program: Program, group: Group, member: User, organisation_admin: User, outsider: User
) -> None:
    theirs = make_group("Theirs", organisation=outsider.organisation, admins=[outsider], members=[member])
    foreign = Grant.objects.create(
        connector=make_connector(outsider, name="Foreign"),
        kind=Grant.Kind.USER,
        target=f"person:{person_of(member).pk}",
        target_name="Meera Nair",
        person=person_of(member),
        permissions=[],
    )
    attribute = directory.add_attribute(name="Department", by=organisation_admin)
    directory.set_values(person=person_of(member), values={attribute.pk: "Crew"}, by=organisation_admin)
    make_webhook(program.grant, "https://hooks.example/hook", group.pk)
    done = members.remove_everywhere(person=person_of(member), by=organisation_admin)
    assert (done.groups, done.subscriptions, done.tokens) == (2, 1, 1)
    left = Membership.objects.filter(person=person_of(member)).values_list("group__name", flat=True)
    assert set(left) == {"Cricket", theirs.name}
    assert not Subscription.objects.exists()
    assert not PersonAttributeValue.objects.exists()
    assert Grant.objects.get(pk=everywhere.grant.pk).revoked_at is not None
    assert Grant.objects.get(pk=foreign.pk).revoked_at is None
    assert WebhookEvent.objects.get().event_type == "MemberRemoved"
    assert GroupChange.objects.count() == 2
    assert AuditEvent.objects.filter(tag="group:member:removed", person_id=person_of(member).pk).count() == 2
    assert AuditEvent.objects.get(tag="organisation:person:removed").after["groups"] == 2


def test_only_admins_of_the_organisation_remove_somebody_everywhere_and_nobody_who_runs_a_group_alone(
    everywhere: Program, member: User, group_admin: User, organisation_admin: User, outsider: User
) -> None:
    before = everything()
    for who, by, refusal in (
        (member, group_admin, NotAllowed),
        (member, outsider, NotFound),
        (group_admin, organisation_admin, RuleBroken),
    ):
        with pytest.raises(refusal) as broken:
            members.remove_everywhere(person=person_of(who), by=by)
    assert getattr(broken.value, "code", "") == "last_admin"
    assert everything() == before


@pytest.mark.postgresql
def test_many_groups_cost_two_statements_each(
    group: Group, newcomer: Person, organisation_admin: User, django_assert_max_num_queries: Any
) -> None:
    groups = Group.objects.bulk_create(Group(name=f"G {n}", organisation=group.organisation) for n in range(100))
    Membership.objects.bulk_create(Membership(group=one, person=newcomer) for one in groups)
    with django_assert_max_num_queries(2 * 101 + 40):  # an audit row each
        assert members.remove_everywhere(person=newcomer, by=organisation_admin).groups == 101


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_of_two_admins_removed_at_once_one_stays(
    organisation: Organisation, group_admin: User, member: User, organisation_admin: User, second_admin: User
) -> None:
    for number in range(5):
        one = make_group(f"Shift {number}", organisation=organisation, admins=[group_admin, member])
        together(
            lambda: members.remove_everywhere(person=person_of(group_admin), by=organisation_admin),
            lambda: members.remove_everywhere(person=person_of(member), by=second_admin),
            lambda one=one: members.remove(  # type: ignore[misc]
                group=one, person_id=person_of(member).pk, by=organisation_admin
            ),
        )
        assert Membership.objects.admins().filter(group=one).exists()
        Group.objects.all().delete()
