""" "Generate user token" in the console, and the page where people see and end what acts for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from accounts.audit.events import EventType
from accounts.models import AuditEvent, User
from accounts.tests.factories import make_person, verify
from connectors.models import Connector, Grant, Handoff
from connectors.permissions import to_form_value
from connectors.services import connectors, user_tokens
from connectors.tests.factories import make_connector, person_of
from connectors.tests.html_forms import count_queries

BrowserOf = Callable[..., Client]


def page_of(connector: Connector) -> str:
    return reverse("connectors:user_token", args=[connector.pk])


def generate(browser: Client, connector: Connector, user: User, **other: str) -> Any:
    shown = to_form_value(Connector.objects.get(pk=connector.pk).permissions)
    return browser.post(
        page_of(connector), {"act": "generate", "person": str(person_of(user).pk), "shown": shown, **other}
    )


def test_a_colleague_finds_it_and_lets_it_act(connector: Connector, member: User, browser_of: BrowserOf) -> None:
    browser = browser_of(member)
    assert page_of(connector) in browser.get(reverse("connectors:details", args=[connector.pk])).content.decode()
    text = browser.get(page_of(connector)).content.decode()
    assert "Post messages" in text
    answer = generate(browser, connector, member)
    grant = Grant.objects.get()
    assert (grant.kind, grant.person, grant.granted_by) == ("user", person_of(member), member)
    assert grant.confirmed_by is None
    handoff = Handoff.objects.get()
    assert answer["Location"] == reverse("connectors:handoff", args=[handoff.pk])
    assert "to act for this person." in browser.get(answer["Location"]).content.decode()


def test_what_it_asks_for_meanwhile_is_shown_first(connector: Connector, member: User, browser_of: BrowserOf) -> None:
    browser = browser_of(member)
    shown = to_form_value(connector.permissions)
    assert f'name="shown" value="{shown}"' in browser.get(page_of(connector)).content.decode()
    Connector.objects.update(permissions=connector.permissions | {"tenant"})
    answer = generate(browser, connector, member, shown=shown)
    assert answer.status_code == 409
    assert "Read and change every group of the organisation" in answer.content.decode()
    assert not Grant.objects.exists()
    generate(browser, connector, member)
    assert "tenant" in Grant.objects.get().permissions


def test_pressed_twice_it_is_one_grant_and_one_token(connector: Connector, member: User, browser_of: BrowserOf) -> None:
    browser = browser_of(member)
    first, second = generate(browser, connector, member), generate(browser, connector, member)
    assert first["Location"] == second["Location"]
    assert (Grant.objects.count(), Handoff.objects.count()) == (1, 1)


def test_regenerate_pressed_twice_is_one_new_token(connector: Connector, member: User, browser_of: BrowserOf) -> None:
    browser = browser_of(member)
    generate(browser, connector, member)
    shown = browser.get(page_of(connector)).content.decode()
    instead_of = re.search(r'name="instead_of" value="([^"]+)"', shown)
    assert instead_of is not None
    form = {"act": "renew", "instead_of": instead_of.group(1)}
    first, second = (generate(browser, connector, member, **form) for _click in range(2))
    assert first["Location"] == second["Location"]
    assert Handoff.objects.count() == 2
    assert Handoff.objects.waiting().count() == 1
    assert Grant.objects.get().refresh_tokens.filter(revoked_at=None).count() == 1


def test_only_an_own_number_will_do(connector: Connector, member: User, stranger: User, browser_of: BrowserOf) -> None:
    browser = browser_of(member)
    assert generate(browser, connector, stranger).status_code == 400
    assert browser.post(page_of(connector), {"act": "generate"}).status_code == 400
    assert browser.post(page_of(connector), {"act": "generate", "person": "x"}).status_code == 400
    assert not Grant.objects.exists()


def test_who_has_two_numbers_has_a_panel_for_each(connector: Connector, member: User, browser_of: BrowserOf) -> None:
    second = verify(member, is_primary=False).person
    browser = browser_of(member)
    assert browser.get(page_of(connector)).content.decode().count('value="generate"') == 2
    generate(browser, connector, member, person=str(second.pk))
    assert Grant.objects.get().person == second


@pytest.mark.parametrize("stop", [connectors.suspend, connectors.deactivate])
def test_a_stopped_connector_is_no(
    connector: Connector, member: User, developer: User, browser_of: BrowserOf, stop: Any
) -> None:
    stop(connector=connector, by=developer)
    assert generate(browser_of(member), connector, member).status_code == 409
    assert not Grant.objects.exists()


def test_not_theirs_and_not_there_are_one_answer(connector: Connector, outsider: User, browser_of: BrowserOf) -> None:
    browser = browser_of(outsider)
    for address in (page_of(connector), reverse("connectors:user_token", args=[uuid4()])):
        assert browser.get(address).status_code == 404
        assert browser.post(address, {"act": "generate", "person": str(person_of(outsider).pk)}).status_code == 404
    assert Client().get(page_of(connector))["Location"].startswith("/accounts/login/")
    assert not Grant.objects.exists()


def let_in_by_pin(connector: Connector, user: User) -> Grant:
    return user_tokens.let_act(
        connector=connector,
        person=person_of(user),
        user=user,
        scopes=None,
        by=user,
        tag=EventType.USER_TOKEN_BY_PIN,
        address=None,
    ).grant


def end_of(grant: Grant) -> str:
    return reverse("connectors:acting_end", args=[grant.pk])


def test_everything_that_acts_for_one_is_listed_however_it_came_to_that(
    connector: Connector, developer: User, member: User, stranger: User, browser_of: BrowserOf
) -> None:
    let_in_by_pin(connector, member)
    user_tokens.generate(connector=make_connector(developer, "Canteen"), person=person_of(member), by=member)
    let_in_by_pin(make_connector(developer, "Elsewhere"), stranger)
    text = browser_of(member).get(reverse("connectors:acting")).content.decode()
    assert "Shift Planner" in text
    assert "Canteen" in text
    assert "Elsewhere" not in text
    assert person_of(member).number not in text
    assert Client().get(reverse("connectors:acting"))["Location"].startswith("/accounts/login/")
    assert reverse("connectors:acting") in browser_of(member).get(reverse("accounts:settings")).content.decode()


def test_the_list_costs_as_much_for_many_as_for_one(
    connector: Connector, developer: User, member: User, browser_of: BrowserOf
) -> None:
    browser, page = browser_of(member), reverse("connectors:acting")
    let_in_by_pin(connector, member)
    browser.get(page)
    few = count_queries(browser, page)
    for n in range(6):
        let_in_by_pin(make_connector(developer, f"Connector {n}"), member)
    assert count_queries(browser, page) == few


def test_its_name_ends_it_and_twice_is_once(connector: Connector, member: User, browser_of: BrowserOf) -> None:
    grant, browser = let_in_by_pin(connector, member), browser_of(member)
    assert browser.get(end_of(grant)).status_code == 200
    assert Grant.objects.present().exists(), "looking ends nothing"
    for _click in range(2):
        assert browser.post(end_of(grant), {"typed": "shift planner"})["Location"] == reverse("connectors:acting")
    grant.refresh_from_db()
    assert grant.revoked_at is not None
    assert not grant.refresh_tokens.filter(revoked_at=None).exists()
    assert AuditEvent.objects.filter(tag="grant:access:revoked").count() == 1


def test_somebody_elses_and_a_groups_grant_cannot_be_ended_here(
    program: Any, developer: User, member: User, stranger: User, browser_of: BrowserOf
) -> None:
    grant = let_in_by_pin(make_connector(developer, "Canteen"), member)
    addresses = [end_of(grant), end_of(program.grant), reverse("connectors:acting_end", args=[uuid4()])]
    for user in (stranger, program.grant.granted_by):
        browser = browser_of(user)
        for address in addresses:
            assert browser.get(address).status_code == browser.post(address).status_code == 404
    assert Grant.objects.present().count() == 2


def test_who_got_the_number_later_can_end_what_still_acts_with_it(
    connector: Connector, member: User, stranger: User, browser_of: BrowserOf
) -> None:
    grant = let_in_by_pin(connector, member)
    number = person_of(member).number
    member.verified_phones.update(released_at=grant.granted_at, is_primary=False)
    verify(stranger, number, is_primary=False)
    text = browser_of(stranger).get(reverse("connectors:acting")).content.decode()
    assert "not through this account" in text
    browser_of(stranger).post(end_of(grant), {"typed": "Shift Planner"})
    assert not Grant.objects.present().exists()


def test_no_list_names_who_is_not_there(connector: Connector, developer: User, browser_of: BrowserOf) -> None:
    """A grant by PIN of somebody without an account has no account that granted it."""
    person = make_person("Lakshmi Iyer")
    user_tokens.let_act(
        connector=connector,
        person=person,
        user=None,
        scopes=None,
        by=developer,
        tag=EventType.USER_TOKEN_BY_PIN,
        address=None,
    )
    browser = browser_of(developer)
    assert "by Lakshmi Iyer" in browser.get(reverse("connectors:groups", args=[connector.pk])).content.decode()
