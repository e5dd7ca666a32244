"""The onboarding steps on Home: until they are done, or put away; brought back from the help pages."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import AuditEvent, Organisation, User
from accounts.tests import factories
from accounts.tests.pages import words
from kaizala_console.dashboard import onboarding
from kaizala_console.dashboard.links import Link
from kaizala_console.dashboard.onboarding import OnboardingPath, OnboardingStep
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db

HOME, AWAY, BACK, HELP = (
    "/console/",
    "/console/first-steps/put-away/",
    "/console/first-steps/bring-back/",
    "/console/help/",
)
Browser = Callable[..., Client]
TO_DO = OnboardingStep("Second", "Do this.", links=(Link("Go on", "/console/connectors/add/"),))


def path(
    *, fits: bool = True, done: bool = False, finished_at: dt.datetime | None = None, title: str = "Way"
) -> OnboardingPath:
    second = OnboardingStep("Second", "", done=True) if done else TO_DO
    steps = (OnboardingStep("First", "", done=True), second)
    return OnboardingPath(title, steps, "connectors", fits, finished_at, for_all=title == "Developer")


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`paths(path, …)`: one or two, instead of what is found."""

    def paths(*given: OnboardingPath) -> None:
        monkeypatch.setattr(onboarding, "group_admin_path", lambda _user: given[0])
        monkeypatch.setattr(onboarding, "developer_path", lambda _user: given[-1])

    return paths


def steps_on(client: Client) -> str:
    found = re.search(r'<ol class="first-steps".*?</ol>', client.get(HOME).content.decode(), flags=re.S)
    return found.group() if found else ""


def test_the_step_that_is_next_has_the_only_button(
    member: User, browser_of: Browser, paths: Callable[..., None]
) -> None:
    paths(path())
    page = browser_of(member).get(HOME).content.decode()
    assert 'aria-label="First steps: 1 of 2 done"' in page
    assert page.count("btn-primary") == 1
    assert 'href="/console/connectors/add/"' in steps_on(browser_of(member))
    assert "Connect a program to a group" not in page  # what Home offers besides would be a second beginning


def test_when_one_is_done_the_other_follows_and_then_none(member: User, paths: Callable[..., None]) -> None:
    old = clock.now() - dt.timedelta(days=30)
    paths(path(done=True, finished_at=old), path(title="Admin"))
    assert onboarding.get_path(member) == path(title="Admin")
    paths(path(done=True, finished_at=old), path(done=True, finished_at=old))
    assert onboarding.get_path(member) is None


def test_put_away_stays_away_on_every_device_until_it_is_brought_back(
    member: User, browser_of: Browser, paths: Callable[..., None]
) -> None:
    paths(path())
    client, other = browser_of(member), browser_of(member)
    assert BACK not in client.get(HELP).content.decode()
    before = AuditEvent.objects.count()
    assert "in Help" in words(client.post(AWAY, follow=True))
    assert client.post(AWAY).status_code == 302
    assert steps_on(client) == steps_on(other) == ""
    assert f'action="{BACK}"' in other.get(HELP).content.decode()
    assert other.post(BACK)["Location"] == HOME
    assert steps_on(client)
    assert AuditEvent.objects.count() == before


def test_putting_away_is_ones_own(
    member: User, stranger: User, browser_of: Browser, paths: Callable[..., None]
) -> None:
    paths(path())
    browser_of(member).post(AWAY)
    assert steps_on(browser_of(stranger))
    browser_of(stranger).post(BACK)
    assert steps_on(browser_of(member)) == ""


@pytest.mark.parametrize("door", [AWAY, BACK])
def test_the_doors_take_a_form_of_who_is_signed_in(
    door: str, client: Client, member: User, browser_of: Browser
) -> None:
    assert browser_of(member).get(door).status_code == 405
    assert client.post(door)["Location"].startswith("/accounts/login/?next=")


def test_before_a_phone_is_verified_they_do_not_distract(
    organisation: Organisation, browser_of: Browser, paths: Callable[..., None]
) -> None:
    paths(path())
    newcomer = factories.make_user("Nisha Patel", organisation, number=None)
    client = browser_of(newcomer, confirmed=False)
    assert steps_on(client) == ""
    assert client.get(HOME).content.decode().count("btn-primary") == 1
