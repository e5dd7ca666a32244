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
from connectors.models import Connector
from connectors.services import connectors, grants, handoffs, public_keys, secrets, user_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tests.factories import Program, let_in, make_connector, make_secret, person_of
from connectors.tests.keys import registered, x25519
from kaizala_console.lib.errors import NotFound, RuleBroken

Everything = Callable[[], Any]
NAME, PERMISSIONS = "Canteen Bot", ["textmessage"]


def lock(user: User) -> User:
    credential_hold.start(user=user, number="+919876543210", by=user)
    return user


def refused(*acts: Callable[[], Any]) -> None:
    for act in acts:
        with pytest.raises(RuleBroken) as caught:
            act()
        assert caught.value.code == "cooling_off"


def claim(program: Program, by: User, key: str = "") -> str:
    return handoffs.claim(handoff=program.handoff, by=by, idempotency_key=key or new_form_key(), address="192.0.2.7")


ACTS: dict[str, Callable[[Program, User], Any]] = {
    "create": lambda program, by: connectors.create(owner=by, name="Another", permissions=PERMISSIONS, by=by),
    "add a secret": lambda program, by: secrets.add(connector=program.connector, by=by),
    "register a key": lambda program, by: public_keys.register(connector=program.connector, by=by, public_key="any"),
    "grant": lambda program, by: let_in(make_connector(by), by),
    "claim": claim,
    "reissue": lambda program, by: handoffs.reissue(handoff=program.handoff, by=by),
    "user token": lambda program, by: user_tokens.generate(connector=program.connector, person=person_of(by), by=by),
    "user token by OAuth": lambda program, by: user_tokens.let_act(
        connector=program.connector,
        person=person_of(by),
        user=by,
        scopes=None,
        by=by,
        tag=EventType.USER_TOKEN_BY_OAUTH,
        address=None,
    ),
    "regenerate": lambda program, by: grants.regenerate(grant=program.grant, by=by),
    "reveal": lambda program, by: handoffs.reveal(handoff=program.handoff, by=by, idempotency_key=new_form_key()),
}
OF_ADMINS = ("regenerate", "reveal", "reissue")


@pytest.mark.parametrize("act", [act for act in ACTS if act not in ("regenerate", "reveal")])
def test_a_developer_gets_no_credential(act: str, program: Program, developer: User, everything: Everything) -> None:
    lock(developer)
    before = everything()
    refused(lambda: ACTS[act](program, developer))
    after = everything()
    for name in ("RefreshToken", "ConnectorSecret", "ConnectorKey", "Handoff"):
        assert after[name] == before[name]


@pytest.mark.parametrize("act", OF_ADMINS)
def test_an_admin_gets_no_credential(act: str, program: Program, group_admin: User, everything: Everything) -> None:
    lock(group_admin)
    before = everything()
    refused(lambda: ACTS[act](program, group_admin))
    assert everything() == before


@pytest.mark.parametrize("act", ["add a secret", "claim", *OF_ADMINS])
def test_a_stranger_learns_nothing(act: str, program: Program, stranger: User) -> None:
    lock(stranger)
    with pytest.raises(NotFound):
        ACTS[act](program, stranger)


def test_a_developer_who_cools_off_sends_nobodys_sign_in_codes_elsewhere(
    program: Program, developer: User, browser_of: Callable[..., Client]
) -> None:
    old = ["https://planner.example/back", "https://planner.example/old"]
    connectors.update(connector=program.connector, redirect_urls=old, by=developer)
    lock(developer)
    new = [*old, "https://other.example/"]
    refused(lambda: connectors.update(connector=program.connector, redirect_urls=new, by=developer))
    form = {"name": program.connector.name, "redirect_urls": "https://other.example/"}
    page = browser_of(developer).post(f"/console/connectors/{program.connector.pk}/change/", form)
    assert "because a phone number changed" in words(page)
    assert Connector.objects.get().redirect_urls == old
    connectors.update(connector=program.connector, redirect_urls=old[:1], description="Tells shifts.", by=developer)
    assert Connector.objects.get().redirect_urls == old[:1], "taking one away stays possible"


def test_nobody_who_cools_off_makes_refused_tokens_work_again(
    program: Program, developer: User, group_admin: User, everything: Everything
) -> None:
    grants.suspend(grant=program.grant, by=group_admin)
    connectors.suspend(connector=program.connector, by=developer)
    lock(developer), lock(group_admin)
    before = everything()
    refused(
        lambda: grants.resume(grant=program.grant, by=group_admin),
        lambda: connectors.resume(connector=program.connector, by=developer),
    )
    assert everything() == before


def test_an_organisation_admin_who_cools_off_neither_asks_for_a_user_token_nor_confirms_one(
    connector: Connector, organisation_admin: User, second_admin: User, everything: Everything
) -> None:
    request = user_tokens.ask(connector=connector, person=person_of(organisation_admin), by=organisation_admin)
    lock(second_admin)
    before = everything()
    refused(
        lambda: user_tokens.confirm(request=request, by=second_admin),
        lambda: user_tokens.ask(connector=connector, person=person_of(second_admin), by=second_admin),
    )
    assert everything() == before


def test_what_was_on_the_screen_before_is_not_shown_again(program: Program, developer: User) -> None:
    key = new_form_key()
    claim(program, developer, key)
    lock(developer)
    refused(lambda: claim(program, developer, key))


def test_everything_that_takes_rights_away_stays_possible(program: Program, developer: User, group_admin: User) -> None:
    key = registered(program.connector, x25519())
    lock(developer), lock(group_admin)
    secret, _text = make_secret(program.connector, 2)
    secrets.revoke(secret=secret, by=developer)
    public_keys.remove(key=key, by=developer)
    handoffs.refuse(handoff=program.handoff, by=developer)
    assert grants.suspend(grant=program.grant, by=group_admin).suspended_at
    assert grants.revoke(grant=program.grant, by=group_admin).revoked_at
    assert connectors.suspend(connector=program.connector, by=developer).suspended_at
    connectors.delete(connector=program.connector, by=developer)


def test_programs_go_on_and_claim_by_themselves(program: Program, developer: User) -> None:
    lock(developer)
    claimed = handoffs.claim_by_program(
        connector_id=str(program.connector.pk), secret=program.secret, handoff_id=None, retry_key="", address=None
    )
    assert claimed.text == program.refresh_token


def test_once_it_is_over_everything_works_again(program: Program, developer: User, travel: Callable[..., Any]) -> None:
    lock(developer)
    travel(hours=24)
    assert claim(program, developer)


def test_the_pages_say_why_and_until_when(program: Program, developer: User, browser_of: Callable[..., Client]) -> None:
    browser, key = browser_of(lock(developer)), {"idempotency_key": new_form_key()}
    for path, form in (
        (f"/console/handoffs/{program.handoff.pk}/claim/", key),
        (f"/console/connectors/{program.connector.pk}/credentials/add/", key),
        ("/console/connectors/add/permissions/", {"name": NAME, "permissions": PERMISSIONS, "create": "1", **key}),
    ):
        assert "Your credentials are locked until" in words(browser.post(path, form, follow=True)), path
    assert not Connector.objects.filter(name=NAME).exists()
    assert program.connector.secrets.count() == 1
