"""A page that is older than what it shows: another tab, the Back button, or a colleague was there in between."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from accounts.tests.factories import make_person
from connectors.tests.html_forms import form_to, text_of
from groups.models import Group
from groups.services import connectors, groups
from groups.tests.factories import Program
from groups.tests.pages import everything

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


def grant_page(program: Program, group: Group, below: str = "") -> str:
    return reverse(f"groups:grant{below}", args=[group.pk, program.grant.pk])


@pytest.mark.parametrize("below", ["", "_show", "_regenerate", "_suspend", "_resume", "_end_date", "_remove"])
def test_what_was_a_connector_here_leads_to_those_that_are(
    client: Client, group: Group, group_admin: User, program: Program, below: str
) -> None:
    connectors.remove_connector(group=group, grant=program.grant, by=group_admin)
    url, before = grant_page(program, group, below), everything()
    answers = [client.get(url, follow=True)] + ([client.post(url, {}, follow=True)] if below else [])
    for answer in answers:
        assert answer.redirect_chain[-1][0] == reverse("groups:connectors", args=[group.pk])
        assert "“Shift Planner” was already removed." in text_of(answer)
    assert everything() == before


def test_a_member_learns_nothing_of_a_removed_connector(
    browser_of: Browser, group: Group, group_admin: User, member: User, program: Program
) -> None:
    connectors.remove_connector(group=group, grant=program.grant, by=group_admin)
    assert browser_of(member).get(grant_page(program, group)).status_code == 403


@pytest.mark.parametrize("who", ["group_admin", "organisation_admin"])
def test_a_group_is_deleted_once_by_a_double_click(
    group: Group, who: str, request: pytest.FixtureRequest, browser_of: Browser
) -> None:
    client, url = browser_of(request.getfixturevalue(who)), reverse("groups:group_remove", args=[group.pk])
    form = form_to(client.get(url), url)
    for _click in range(2):
        answer = form.send(client, {"typed": group.name}, follow=True)
        assert answer.redirect_chain == [(reverse("groups:list"), 302)]
    assert "“Night Shift” is already deleted." in text_of(answer)
    assert AuditEvent.objects.filter(tag="group:account:removed").count() == 1


@pytest.mark.parametrize("who", ["member", "stranger", "outsider"])
def test_a_group_that_was_deleted_is_nothing_to_those_who_did_not_run_it(
    group: Group, group_admin: User, who: str, request: pytest.FixtureRequest, browser_of: Browser
) -> None:
    groups.remove(group=group, by=group_admin)
    url = reverse("groups:group_remove", args=[group.pk])
    assert browser_of(request.getfixturevalue(who)).post(url, {"typed": "Night Shift"}).status_code == 404


def test_what_was_noted_of_somebody_who_is_gone_leads_to_the_directory(
    organisation_admin: User, browser_of: Browser
) -> None:
    url = reverse("groups:person_attributes", args=[make_person("Ravi Kale").pk])
    answer = browser_of(organisation_admin).post(url, {}, follow=True)
    assert answer.redirect_chain == [(reverse("groups:directory"), 302)]
    assert "This person is in none of the organisation’s groups." in text_of(answer)
