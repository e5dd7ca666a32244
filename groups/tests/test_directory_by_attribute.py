"""The directory narrowed to what an attribute says: a page is met near, or those whom it names are sorted."""

from __future__ import annotations

import pytest

from accounts.models import Organisation, User
from accounts.tests.factories import make_person
from groups import people_search
from groups.models import Membership, PersonAttribute, PersonAttributeValue
from groups.queries import directory
from groups.tests.factories import make_group

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("most", [1, 3, 5000])
@pytest.mark.parametrize("near", [1, 4, 6000])
def test_who_is_noted_as_something_is_listed_by_name_however_many_they_are_and_wherever_they_stand(
    organisation_admin: User, organisation: Organisation, most: int, near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = make_group(admins=[organisation_admin])
    team = PersonAttribute.objects.create(organisation=organisation, name="Team", for_colleagues=True)
    for number, name in enumerate(("Asha", "Bala", "Chitra", "Deepa", "Esha", "Farid", "Gita", "Hari", "Indu", "Zoe")):
        person = make_person(name)
        if number != 3:  # in no group: not for them to see
            Membership.objects.create(group=group, person=person)
        if number in (1, 3, 6, 7, 9):
            PersonAttributeValue.objects.create(attribute=team, person=person, text="Stores")
    monkeypatch.setattr(people_search, "MOST", most)
    monkeypatch.setattr(people_search, "NEAR", near)
    names, cursor = [], None
    for _number in range(6):
        page = directory.page(organisation_admin, attribute=team, value="stores", cursor=cursor, size=2)
        names += [person.name for person in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert names == ["Bala", "Gita", "Hari", "Zoe"]
    back = directory.page(organisation_admin, attribute=team, value="stores", cursor=page.previous_cursor, size=2)
    assert [person.name for person in back.items] == ["Bala", "Gita"]
