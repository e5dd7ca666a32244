"""Organisation: what its admins decide for all, and the ways to what is theirs alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from accounts.tests import pins
from accounts.tests.pages import words
from kaizala_console.dashboard.navigation import find_targets

PAGE = "/console/organisation/"
POLICY = f"{PAGE}policy/"
OTHERS = ("member", "group_admin", "developer", "operator", "stranger")
# Of the organisation's admins alone; what each was before the page came.
PAGES = {
    "connectors:organisation_usage": "/console/usage/",
    "groups:ending": "/console/groups/ending/",
    "groups:attributes": "/console/directory/attributes/",
    "groups:people_upload": "/console/directory/file/",
    "groups:mapping": "/console/groups/parents/",
    "groups:archive": "/console/archive/",
}


def test_an_admin_has_one_page_with_the_policy_and_ways_to_all_that_is_theirs(
    organisation_admin: User, browser_of: Callable[..., Client]
) -> None:
    browser = browser_of(organisation_admin)
    page = browser.get(PAGE)
    assert "Group admins can view a refresh token once" in words(page)
    for name in PAGES:
        assert f'href="{reverse(name)}"' in page.content.decode()
        assert f'href="{PAGE}"' in browser.get(reverse(name)).content.decode()
    assert "Group admins can view a refresh token once" not in words(browser.get("/console/settings/"))


@pytest.mark.django_db
@pytest.mark.parametrize("who", OTHERS)
def test_to_everybody_else_it_is_refused_and_named_nowhere(
    who: str, request: pytest.FixtureRequest, browser_of: Callable[..., Client]
) -> None:
    user: Any = request.getfixturevalue(who)
    browser = browser_of(user)
    for url in (PAGE, *(reverse(name) for name in PAGES)):
        answer = browser.get(url)
        assert answer.status_code == 403
        assert "Only an organisation admin can do this." in words(answer)
    assert PAGE not in browser.get("/console/").content.decode()
    assert PAGE not in {target.href for target in find_targets(user, "organisation", most=100)}


def test_without_a_session_it_leads_to_the_sign_in(client: Client, db: None) -> None:
    for answer in (client.get(PAGE), client.post(POLICY, {})):
        assert answer.headers["Location"].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("name", PAGES)
def test_an_old_address_leads_to_the_new_one(name: str, client: Client) -> None:
    answer = client.get(f"{PAGES[name]}?cursor=1")
    assert (answer.status_code, answer.headers["Location"]) == (301, f"{reverse(name)}?cursor=1")


def test_an_admin_changes_the_policy_and_the_trail_tells(
    organisation_admin: User, browser_of: Callable[..., Client]
) -> None:
    browser = browser_of(organisation_admin)
    for _click in range(2):
        assert "Saved for all of" in words(browser.post(POLICY, {}, follow=True))
    organisation_admin.organisation.refresh_from_db()
    assert organisation_admin.organisation.admins_may_see_tokens is False
    event = AuditEvent.objects.get(tag="organisation:settings:changed")
    assert (event.before, event.after) == ({"admins_may_see_tokens": True}, {"admins_may_see_tokens": False})
    browser.post(POLICY, {"admins_may_see_tokens": "on"})
    organisation_admin.organisation.refresh_from_db()
    assert organisation_admin.organisation.admins_may_see_tokens is True


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["member", "stranger", "operator"])
def test_nobody_else_changes_the_policy(
    who: str, request: pytest.FixtureRequest, browser_of: Callable[..., Client]
) -> None:
    user: Any = request.getfixturevalue(who)
    answer = browser_of(user).post(POLICY, {})
    assert answer.status_code == 403
    assert "Only an organisation admin can do this." in words(answer)
    user.organisation.refresh_from_db()
    assert user.organisation.admins_may_see_tokens is True


def test_an_admin_of_another_organisation_changes_only_theirs(
    outsider: User, organisation_admin: User, browser_of: Callable[..., Client]
) -> None:
    browser_of(outsider).post(POLICY, {})
    organisation_admin.organisation.refresh_from_db()
    assert organisation_admin.organisation.admins_may_see_tokens is True


def test_the_policy_asks_for_a_confirmation_and_is_then_saved_by_itself(
    organisation_admin: User, browser_of: Callable[..., Client], phones: Any
) -> None:
    browser = browser_of(organisation_admin, confirmed=False)
    confirm = browser.post(POLICY, {"form": "policy"}).headers["Location"]
    form = {"pending_form": browser.get(confirm).context["pending"].id}
    pins.work()
    number = organisation_admin.verified_phones.get().person.number
    saved = browser.post(confirm, {"pin": phones.pin(number), **form}, follow=True)
    assert saved.request["PATH_INFO"] == PAGE
    organisation_admin.organisation.refresh_from_db()
    assert organisation_admin.organisation.admins_may_see_tokens is False
