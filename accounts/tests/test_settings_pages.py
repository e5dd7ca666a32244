"""Settings: one's own facts and choices. Organisation: what its admins decide for all."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import AuditEvent, Organisation, User
from accounts.tests import factories
from accounts.tests.pages import words
from kaizala_console.dashboard.navigation import find_targets
from kaizala_console.lib.tests.cast import BrowserOf

SETTINGS = "/console/settings/"
LANGUAGE = "/console/settings/language/"
MAIL = "/console/settings/mail/"


def test_a_person_sees_their_own_profile_and_phones(member: User, browser_of: BrowserOf) -> None:
    factories.verify(member, "+919820012345", is_primary=False)
    shown = words(browser_of(member).get(SETTINGS))
    for fact in (member.name, member.email, member.organisation.name, "+91 98200 12345", "Primary", "PIN by SMS"):
        assert fact in shown


@pytest.mark.usefixtures("alone")
def test_many_phones_cost_no_more_queries_than_one(
    organisation_admin: User, browser_of: BrowserOf, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    browser = browser_of(organisation_admin)
    for last in range(8):
        factories.verify(organisation_admin, f"+91982001234{last}", is_primary=False)
    with django_assert_max_num_queries(6):
        browser.get(SETTINGS)


def test_a_person_chooses_a_language_for_all_their_devices(member: User, browser_of: BrowserOf) -> None:
    browser = browser_of(member)
    for chosen, spoken in (("hi", "hi"), ("tlh", "hi"), ("auto", "en")):
        browser.post(LANGUAGE, {"language": chosen})
        assert f'<html lang="{spoken}"' in browser.get(SETTINGS).content.decode()
        member.refresh_from_db()
        assert member.language == ("hi" if spoken == "hi" else "")


def test_a_person_chooses_what_they_get_mails_about(member: User, browser_of: BrowserOf) -> None:
    browser = browser_of(member)
    assert "Saved." in words(browser.post(MAIL, {"wanted": ["requests", "nonsense"]}, follow=True))
    member.refresh_from_db()
    assert member.muted_mail == ["handoffs", "ends", "faults"]
    boxes = re.findall(
        r'<input type="checkbox" name="wanted" value="(\w+)"[^>]* checked', browser.get(SETTINGS).content.decode()
    )
    assert boxes == ["requests"]


def test_every_cookie_is_for_the_console_alone(member: User, settings: Settings) -> None:
    """Session, CSRF, messages, and the language, set by a visitor and by somebody signed in."""
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = settings.LANGUAGE_COOKIE_SECURE = True
    visitor, browser = Client(), Client()
    browser.force_login(member)
    answers = [
        visitor.get("/accounts/login/"),
        visitor.post("/language/setlang/", {"language": "hi"}),
        browser.get("/console/settings/"),
        browser.post("/console/settings/language/", {"language": "hi"}),
    ]
    cookies = {cookie.key: cookie for answer in answers for cookie in answer.cookies.values()}
    assert {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, settings.LANGUAGE_COOKIE_NAME, "messages"} <= set(
        cookies
    )
    for cookie in cookies.values():
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax"), cookie.key


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
    organisation_admin: User, browser_of: BrowserOf
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
    who: str, request: pytest.FixtureRequest, browser_of: BrowserOf
) -> None:
    user: Any = request.getfixturevalue(who)
    browser = browser_of(user)
    for answer in (browser.post(POLICY, {}), *(browser.get(url) for url in (PAGE, *map(reverse, PAGES)))):
        assert answer.status_code == 403
        assert "Only an organisation admin can do this." in words(answer)
    assert may_see_tokens(user.organisation)
    assert PAGE not in browser.get("/console/").content.decode()
    assert PAGE not in {target.href for target in find_targets(user, "organisation", most=100)}


@pytest.mark.parametrize("name", PAGES)
def test_an_old_address_leads_to_the_new_one(name: str, client: Client) -> None:
    answer = client.get(f"{PAGES[name]}?cursor=1")
    assert (answer.status_code, answer.headers["Location"]) == (301, f"{reverse(name)}?cursor=1")


def may_see_tokens(organisation: Organisation) -> bool:
    organisation.refresh_from_db()
    return organisation.admins_may_see_tokens


def test_an_admin_changes_the_policy_of_their_organisation_and_the_trail_tells(
    organisation_admin: User, organisation: Organisation, outsider: User, browser_of: BrowserOf
) -> None:
    browser_of(outsider).post(POLICY, {})
    assert may_see_tokens(organisation)
    for _click in range(2):
        assert browser_of(organisation_admin).post(POLICY, {})["Location"] == PAGE
    assert not may_see_tokens(organisation)
    event = AuditEvent.objects.get(tag="organisation:settings:changed", organisation=organisation)
    assert (event.before, event.after) == ({"admins_may_see_tokens": True}, {"admins_may_see_tokens": False})
    browser_of(organisation_admin).post(POLICY, {"admins_may_see_tokens": "on"})
    assert may_see_tokens(organisation)
