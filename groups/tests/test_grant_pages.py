"""One connector in one group: how far its token is, "Show it to me once", "Regenerate" and "Remove"."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors.models import Connector, Grant, RefreshToken
from connectors.services import connectors, handoffs, refresh_tokens
from connectors.services import grants as connector_grants
from connectors.services.grants import Granted
from connectors.tests.html_forms import HtmlForm, form_to, text_of
from groups.models import Group
from groups.services import connectors as grants
from groups.tests.factories import make_connector
from groups.tests.pages import KEY, everything
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db

TOKEN = re.compile(r"kzrt_[0-9A-Za-z]{65}")

Browser = Callable[..., Client]


@pytest.fixture
def client(group_admin: User, browser_of: Browser) -> Client:
    return browser_of(group_admin)


@pytest.fixture
def granted(group: Group, connector: Connector, group_admin: User) -> Granted:
    """The connector in the group, its token sealed and waiting."""
    return grants.add_connector(group=group, connector_id=connector.pk, by=group_admin)


@pytest.fixture
def url(group: Group, granted: Granted) -> str:
    return reverse("groups:grant", args=[group.pk, granted.grant.pk])


def form_on(client: Client, url: str) -> HtmlForm:
    return form_to(client.get(url), url)


# The page -------------------------------------------------------------------------------------------------------------


def test_it_shows_how_far_the_handoff_is_and_never_the_token(client: Client, granted: Granted, url: str) -> None:
    page = client.get(url)
    told = text_of(page)
    for words in ("Created", "Sealed", "Notified", "Claimed", "Works", "Arjun Mehta", "Devika Rao"):
        assert words in told
    assert refresh_tokens.unseal(granted.handoff) not in page.content.decode()
    assert not TOKEN.search(page.content.decode())


def test_a_refused_token_can_be_made_anew(client: Client, granted: Granted, url: str, developer: User) -> None:
    handoffs.refuse(handoff=granted.handoff, by=developer)
    page = client.get(url)
    assert "refused by the developer" in text_of(page)
    assert "The access continues: regenerate the token to get a new one." in text_of(page)
    assert f"{url}show/" not in page.content.decode()


@pytest.mark.parametrize("why", ["connector", "grant", "end"])
def test_what_cannot_work_says_why_and_offers_only_to_remove_it(
    client: Client, granted: Granted, url: str, group_admin: User, developer: User, why: str
) -> None:
    if why == "connector":
        connectors.suspend(connector=granted.grant.connector, by=developer)
    elif why == "grant":
        connector_grants.suspend(grant=granted.grant, by=group_admin)
    else:
        past = granted.grant.granted_at - dt.timedelta(days=1)
        Grant.objects.filter(pk=granted.grant.pk).update(granted_at=past - dt.timedelta(days=1), ends_at=past)
    page = client.get(url)
    told = text_of(page)
    assert {
        "connector": "The developer suspended this connector: every token is refused.",
        "grant": "is suspended",
        "end": "has ended",
    }[why] in told
    assert f"{url}show/" not in page.content.decode()
    assert f"{url}regenerate/" not in page.content.decode()
    assert f"{url}remove/" in page.content.decode()


# "Regenerate" ---------------------------------------------------------------------------------------------------------


def test_regenerating_ends_the_old_token_and_hands_over_a_new_one(client: Client, granted: Granted, url: str) -> None:
    page = client.get(f"{url}regenerate/")
    assert "The program stops until it has the new one." in text_of(page)
    assert RefreshToken.objects.count() == 1
    answer = form_to(page, f"{url}regenerate/").send(client, follow=True)
    assert "The old one is revoked, and we notified the developer." in text_of(answer)
    old, new = RefreshToken.objects.order_by("issued_at")
    assert old.revoked_at is not None
    assert new.revoked_at is None
    assert AuditEvent.objects.filter(tag="grant:token:regenerated").count() == 1


def test_a_double_click_regenerates_once(client: Client, granted: Granted, url: str) -> None:
    form = form_on(client, f"{url}regenerate/")
    for _ in range(2):
        answer = form.send(client, follow=True)
    assert "The token was already regenerated." in text_of(answer)
    assert RefreshToken.objects.count() == 2
    assert AuditEvent.objects.filter(tag="grant:token:regenerated").count() == 1


def test_what_the_worker_hands_over_meanwhile_does_not_keep_the_old_token_alive(
    client: Client, granted: Granted, url: str, developer: User, travel: Callable[..., dt.datetime]
) -> None:
    handoffs.claim(handoff=granted.handoff, by=developer, idempotency_key=KEY, address=None)
    RefreshToken.objects.update(issued_at=clock.now() - dt.timedelta(days=330))
    form = form_on(client, f"{url}regenerate/")
    travel(minutes=1)
    RefreshToken.objects.update(expires_at=clock.now() + dt.timedelta(days=35))
    assert refresh_tokens.rotate_due() == 1
    assert "The old one is revoked, and we notified the developer." in text_of(form.send(client, follow=True))
    assert RefreshToken.objects.filter(revoked_at__isnull=True).count() == 1
    assert "The token was already regenerated." in text_of(form.send(client, follow=True))
    assert RefreshToken.objects.count() == 3


@pytest.mark.parametrize("forged", ["x", "\0", "00000000-0000-0000-0000-000000000000"])
def test_a_forged_handoff_regenerates_nothing(client: Client, granted: Granted, url: str, forged: str) -> None:
    before = everything()
    form_on(client, f"{url}regenerate/").send(client, {"handoff": forged})
    assert everything() == before


def test_a_suspended_connector_gets_no_new_token_and_says_why(
    client: Client, granted: Granted, url: str, developer: User
) -> None:
    form = form_on(client, f"{url}regenerate/")
    connectors.suspend(connector=granted.grant.connector, by=developer)
    answer = form.send(client, follow=True)
    assert "“Shift Planner” is suspended. Resume it first." in text_of(answer)
    assert RefreshToken.objects.count() == 1


# "Remove" -------------------------------------------------------------------------------------------------------------


def test_removing_asks_for_the_name_and_ends_the_access(client: Client, granted: Granted, url: str) -> None:
    page = client.get(f"{url}remove/")
    assert "What will stop" in text_of(page)
    done = form_to(page, f"{url}remove/").send(client, {"typed": " shift  planner "}, follow=True)
    assert "“Shift Planner” removed. Its tokens are refused." in text_of(done)
    assert Grant.objects.get().revoked_at is not None
    assert AuditEvent.objects.filter(tag="grant:access:revoked").count() == 1


@pytest.mark.parametrize("typed", ["", "Shift", "Shift Planner 2", "shift\0planner"])
def test_another_name_removes_nothing(client: Client, granted: Granted, url: str, typed: str) -> None:
    page = form_on(client, f"{url}remove/").send(client, {"typed": typed})
    assert page.status_code == 400
    assert Grant.objects.get().revoked_at is None


def test_a_double_click_removes_once_and_says_so(client: Client, granted: Granted, url: str, group: Group) -> None:
    form = form_on(client, f"{url}remove/")
    for _ in range(2):
        answer = form.send(client, {"typed": "Shift Planner"}, follow=True)
    assert "“Shift Planner” was already removed." in text_of(answer)
    assert answer.redirect_chain[-1][0] == reverse("groups:connectors", args=[group.pk])
    assert AuditEvent.objects.filter(tag="grant:access:revoked").count() == 1


def test_removing_one_leaves_the_others(
    client: Client, granted: Granted, url: str, group: Group, developer: User, group_admin: User
) -> None:
    other = make_connector(developer, name="Weather")
    kept = grants.add_connector(group=group, connector_id=other.pk, by=group_admin)
    form_on(client, f"{url}remove/").send(client, {"typed": "Shift Planner"})
    kept.grant.refresh_from_db()
    assert kept.grant.revoked_at is None
