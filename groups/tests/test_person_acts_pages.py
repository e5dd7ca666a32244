"""From a person's page, who runs a group takes them out of it; and whom an admin may want to ask can be reached."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.models import Connector
from connectors.services import access_requests as asking
from connectors.tests.html_forms import form_to, text_of
from groups.access import get_target
from groups.models import Group, Membership
from groups.services import connectors
from groups.tests.factories import make_group, person_of

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


def at(user: User) -> str:
    return reverse("groups:person", args=[person_of(user).pk])


def removing(group: Group, user: User) -> str:
    return f"{reverse('groups:user_remove', args=[group.pk, person_of(user).pk])}?from=person"


def test_a_person_is_taken_out_of_a_group_from_their_page_and_one_comes_back_to_it(
    group: Group, group_admin: User, member: User, stranger: User, browser_of: Browser
) -> None:
    client = browser_of(group_admin)
    seen_only = make_group("Alpha", organisation=group.organisation, admins=[stranger], members=[group_admin, member])
    html = client.get(at(member)).content.decode()
    assert f'href="{removing(group, member)}"' in html
    assert str(reverse("groups:user_remove", args=[seen_only.pk, person_of(member).pk])) not in html
    asked = client.get(removing(group, member))
    assert f'href="{at(member)}"' in asked.content.decode()
    done = form_to(asked, removing(group, member)).send(client, follow=True)
    assert done.redirect_chain == [(at(member), 302)]
    assert "Meera Nair removed from the group." in text_of(done)
    assert not Membership.objects.filter(group=group, person=person_of(member)).exists()


def test_out_of_the_last_group_one_comes_to_the_directory(
    group: Group, group_admin: User, member: User, browser_of: Browser
) -> None:
    client = browser_of(group_admin)
    form = form_to(client.get(removing(group, member)), removing(group, member))
    done = form.send(client, follow=True)
    assert done.redirect_chain == [(reverse("groups:directory"), 302)]
    assert "Meera Nair removed from the group." in text_of(done)


def test_a_colleague_who_runs_nothing_is_offered_nothing(
    group: Group, group_admin: User, member: User, browser_of: Browser
) -> None:
    assert "/remove/" not in browser_of(member).get(at(group_admin)).content.decode()


def test_a_number_that_may_be_read_can_be_called(
    group: Group, organisation_admin: User, member: User, browser_of: Browser
) -> None:
    call = f'href="tel:{person_of(member).number}"'
    assert call in browser_of(organisation_admin).get(at(member)).content.decode()
    masked = browser_of(member).get(reverse("groups:details", args=[group.pk])).content.decode()
    assert "tel:" not in masked


def test_an_admin_can_write_to_the_developer_before_they_decide_and_afterwards(
    group: Group, connector: Connector, developer: User, group_admin: User, browser_of: Browser
) -> None:
    write = f'href="mailto:{developer.email}"'
    permissions = connector.permissions
    asked = asking.ask(
        connector=connector, by=developer, permissions=permissions, once=asking.new_once(), target=get_target(group)
    )
    client = browser_of(group_admin)
    assert write in client.get(reverse("groups:request", args=[asked.pk])).content.decode()
    grant = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin).grant
    assert write in client.get(reverse("groups:grant", args=[group.pk, grant.pk])).content.decode()
