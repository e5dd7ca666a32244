"""While an account cools off after a phone change, nothing here makes or shows it a credential."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.audit.events import EventType
from accounts.models import User
from accounts.services import credential_hold
from accounts.tests.pages import words
from connectors.models import Connector, RefreshToken
from connectors.services import connectors, grants, handoffs, public_keys, secrets, user_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tests.factories import Program, let_in, make_connector, make_secret, person_of
from kaizala_console.lib.errors import NotFound, RuleBroken

NUMBER = "+919876543210"
NAME, PERMISSIONS = "Canteen Bot", ["textmessage"]


def lock(user: User) -> User:
    credential_hold.start(user=user, number=NUMBER, by=user)
    return user


@pytest.mark.parametrize(
    "act",
    [
        lambda program, by: connectors.create(owner=by, name="Another", permissions=PERMISSIONS, by=by),
        lambda program, by: secrets.add(connector=program.connector, by=by),
        lambda program, by: public_keys.register(connector=program.connector, by=by, public_key="any"),
        lambda program, by: let_in(make_connector(by), by),
        lambda program, by: handoffs.claim(
            handoff=program.handoff, by=by, idempotency_key=new_form_key(), address="192.0.2.7"
        ),
        lambda program, by: handoffs.reissue(handoff=program.handoff, by=by),
        lambda program, by: user_tokens.generate(connector=program.connector, person=person_of(by), by=by),
        lambda program, by: user_tokens.let_act(
            connector=program.connector,
            person=person_of(by),
            user=by,
            scopes=None,
            by=by,
            tag=EventType.USER_TOKEN_BY_OAUTH,
            address=None,
        ),
    ],
    ids=["create", "add a secret", "register a key", "grant", "claim", "reissue", "user token", "user token by OAuth"],
)
def test_a_developer_who_cools_off_gets_no_credential(
    act: Callable[[Program, User], Any], program: Program, developer: User
) -> None:
    lock(developer)
    tokens = RefreshToken.objects.count()
    with pytest.raises(RuleBroken) as caught:
        act(program, developer)
    assert caught.value.code == "cooling_off"
    assert RefreshToken.objects.count() == tokens
    program.handoff.refresh_from_db()
    assert program.handoff.state == "waiting"


def test_a_developer_who_cools_off_sends_nobodys_sign_in_codes_elsewhere(
    program: Program, developer: User, browser_of: Callable[..., Client]
) -> None:
    old = ["https://planner.example/back", "https://planner.example/old"]
    connectors.update(connector=program.connector, redirect_urls=old, by=developer)
    lock(developer)
    with pytest.raises(RuleBroken) as caught:
        connectors.update(connector=program.connector, redirect_urls=[*old, "https://other.example/"], by=developer)
    assert caught.value.code == "cooling_off"
    form = {"name": program.connector.name, "redirect_urls": "https://other.example/"}
    page = browser_of(developer).post(f"/console/connectors/{program.connector.pk}/change/", form)
    assert "because a phone number changed" in words(page)
    assert Connector.objects.get().redirect_urls == old
    connectors.update(connector=program.connector, redirect_urls=old[:1], description="Tells shifts.", by=developer)
    assert Connector.objects.get().redirect_urls == old[:1], "taking one away stays possible"


@pytest.mark.parametrize("act", [grants.regenerate, handoffs.reveal, handoffs.reissue])
def test_an_admin_who_cools_off_gets_no_credential(
    act: Callable[..., Any], program: Program, group_admin: User, everything: Callable[[], Any]
) -> None:
    options: dict[str, Any] = {"handoff": program.handoff}
    if act is grants.regenerate:
        options = {"grant": program.grant}
    elif act is handoffs.reveal:
        options["idempotency_key"] = new_form_key()
    lock(group_admin)
    before = everything()
    with pytest.raises(RuleBroken) as caught:
        act(**options, by=group_admin)
    assert caught.value.code == "cooling_off"
    assert everything() == before


def test_nobody_who_cools_off_makes_refused_tokens_work_again(
    program: Program, developer: User, group_admin: User, everything: Callable[[], Any]
) -> None:
    grants.suspend(grant=program.grant, by=group_admin)
    connectors.suspend(connector=program.connector, by=developer)
    lock(developer), lock(group_admin)
    before = everything()
    for act in (
        lambda: grants.resume(grant=program.grant, by=group_admin),
        lambda: connectors.resume(connector=program.connector, by=developer),
    ):
        with pytest.raises(RuleBroken) as caught:
            act()
        assert caught.value.code == "cooling_off"
    assert everything() == before


def test_who_cools_off_may_still_stop_what_worries_them(program: Program, developer: User, group_admin: User) -> None:
    lock(developer), lock(group_admin)
    assert grants.suspend(grant=program.grant, by=group_admin).suspended_at
    assert connectors.suspend(connector=program.connector, by=developer).suspended_at
    assert grants.revoke(grant=program.grant, by=group_admin).revoked_at


def test_an_organisation_admin_who_cools_off_neither_asks_for_a_user_token_nor_confirms_one(
    connector: Connector, organisation_admin: User, second_admin: User, everything: Callable[[], Any]
) -> None:
    request = user_tokens.ask(connector=connector, person=person_of(organisation_admin), by=organisation_admin)
    lock(second_admin)
    before = everything()
    for act in (
        lambda: user_tokens.confirm(request=request, by=second_admin),
        lambda: user_tokens.ask(connector=connector, person=person_of(second_admin), by=second_admin),
    ):
        with pytest.raises(RuleBroken) as caught:
            act()
        assert caught.value.code == "cooling_off"
    assert everything() == before


def test_what_was_on_the_screen_before_is_not_shown_again(program: Program, developer: User) -> None:
    key = new_form_key()
    handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=key, address=None)
    lock(developer)
    with pytest.raises(RuleBroken):
        handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=key, address=None)


def test_a_stranger_who_cools_off_learns_nothing(program: Program, stranger: User) -> None:
    lock(stranger)
    for act in (
        lambda: secrets.add(connector=program.connector, by=stranger),
        lambda: handoffs.claim(handoff=program.handoff, by=stranger, idempotency_key=new_form_key(), address=None),
        lambda: handoffs.reissue(handoff=program.handoff, by=stranger),
        lambda: handoffs.reveal(handoff=program.handoff, by=stranger, idempotency_key=new_form_key()),
        lambda: grants.regenerate(grant=program.grant, by=stranger),
    ):
        with pytest.raises(NotFound):
            act()


def test_everything_that_takes_rights_away_stays_possible(program: Program, developer: User, group_admin: User) -> None:
    lock(developer)
    lock(group_admin)
    secret, _text = make_secret(program.connector, 2)
    secrets.revoke(secret=secret, by=developer)
    grants.suspend(grant=program.grant, by=group_admin)
    handoffs.refuse(handoff=program.handoff, by=developer)
    grants.revoke(grant=program.grant, by=group_admin)
    connectors.suspend(connector=program.connector, by=developer)
    connectors.delete(connector=program.connector, by=developer)


def test_programs_go_on_and_claim_by_themselves(program: Program, developer: User) -> None:
    lock(developer)
    claimed = handoffs.claim_by_program(
        connector_id=str(program.connector.pk),
        secret=program.secret,
        handoff_id=None,
        retry_key="",
        address="192.0.2.7",
    )
    assert claimed.text == program.refresh_token


def test_once_it_is_over_everything_works_again(program: Program, developer: User, travel: Callable[..., Any]) -> None:
    lock(developer)
    travel(hours=24)
    assert handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=new_form_key(), address=None)


def test_the_pages_say_why_and_until_when(program: Program, developer: User, browser_of: Callable[..., Client]) -> None:
    browser = browser_of(lock(developer))
    for path, form in (
        (f"/console/handoffs/{program.handoff.pk}/claim/", {"idempotency_key": new_form_key()}),
        (f"/console/connectors/{program.connector.pk}/credentials/add/", {"idempotency_key": new_form_key()}),
        (
            "/console/connectors/add/permissions/",
            {"name": NAME, "permissions": PERMISSIONS, "idempotency_key": new_form_key(), "create": "1"},
        ),
    ):
        answer = browser.post(path, form, follow=True)
        assert answer.status_code < 500
        assert "Your credentials are locked until" in words(answer), path
    assert not Connector.objects.filter(name=NAME).exists()
    assert program.connector.secrets.count() == 1
