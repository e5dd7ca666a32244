"""Every act on rights: not there for others, undone without an audit row, held back while credentials are locked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client

from accounts.audit.events import EventType
from accounts.models import User
from accounts.services import credential_hold
from accounts.tests.pages import words
from connectors.models import Connector, LeakReport
from connectors.permissions import Permission
from connectors.services import (
    access_requests,
    bots,
    connectors,
    grants,
    handoffs,
    leak_reports,
    oauth,
    owners,
    permissions,
    public_keys,
    secrets,
    token_cache,
    user_tokens,
)
from connectors.services.one_time_secrets import new_form_key
from connectors.tests.factories import Program, let_in, make_connector, make_secret, person_of
from connectors.tests.keys import p256, registered, x25519
from connectors.tests.logos import put as put_logo
from connectors.tests.webhook_history import happened, quiet
from connectors.webhooks import management
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotFound, RuleBroken
from kaizala_console.lib.tests.picture_files import png
from kaizala_console.tests.at_each import at_each

pytestmark = pytest.mark.django_db
Everything = Callable[[], Any]
PERMISSIONS = ["textmessage"]
NEW_ADDRESS = ["https://planner.example/new"]


class Rights:
    """The developer's program, and one of everything that an act may be about."""

    def __init__(self, program: Program) -> None:
        self.program, self.connector = program, program.connector
        self.grant, self.handoff = program.grant, program.handoff
        owner, admin = self.connector.owner, program.grant.granted_by
        assert admin is not None
        self.colleague = admin.email
        self.other, self.suspended = make_connector(owner), make_connector(owner)
        connectors.suspend(connector=self.suspended, by=owner)
        self.suspended_grant = let_in(self.connector, admin).grant
        grants.suspend(grant=self.suspended_grant, by=admin)
        self.secret = self.connector.secrets.get()
        self.key = registered(self.connector, x25519())
        self.bot = bots.create(connector=self.connector, name="Rota", picture_url="", by=owner)
        self.request = ask(self.connector, owner)
        leak_reports.report(text=make_secret(self.other)[1], address="192.0.2.9")
        self.report = LeakReport.objects.get()
        token_cache.enable(grant=self.grant, by=owner, secret=program.secret, refresh_token=program.refresh_token)
        put_logo(self.connector)
        for row in (self.connector, self.grant):
            row.permissions = row.permissions | {Permission.OUTGOING_WEBHOOKS}
            row.save(update_fields=["permissions"])
        self.webhook = quiet(self.grant)
        self.paused_webhook = quiet(self.grant, inactive_because="paused", inactive_at=clock.now())
        self.failed = happened(self.webhook, state="failed", tries=6)


def ask(connector: Connector, by: User) -> Any:
    return access_requests.ask(
        connector=connector, by=by, permissions=PERMISSIONS, once=access_requests.new_once(), reason="Tells shifts."
    )


def claim(rights: Rights, by: User, key: str = "") -> str:
    return handoffs.claim(handoff=rights.handoff, by=by, idempotency_key=key or new_form_key(), address=None)


Act = Callable[[Rights, User], Any]
OF_OWNERS: dict[str, Act] = {
    "rename": lambda to, by: connectors.update(connector=to.connector, by=by, name="Roster"),
    "send sign-ins elsewhere": lambda to, by: connectors.update(
        connector=to.connector, by=by, redirect_urls=NEW_ADDRESS
    ),
    "deactivate": lambda to, by: connectors.deactivate(connector=to.connector, by=by),
    "suspend": lambda to, by: connectors.suspend(connector=to.connector, by=by),
    "resume": lambda to, by: connectors.resume(connector=to.suspended, by=by),
    "delete": lambda to, by: connectors.delete(connector=to.connector, by=by),
    "add a secret": lambda to, by: secrets.add(connector=to.connector, by=by),
    "revoke a secret": lambda to, by: secrets.revoke(secret=to.secret, by=by),
    "register a key": lambda to, by: public_keys.register(connector=to.connector, by=by, public_key=p256().public_pem),
    "remove a key": lambda to, by: public_keys.remove(key=to.key, by=by),
    "claim": claim,
    "refuse": lambda to, by: handoffs.refuse(handoff=to.handoff, by=by),
    "make a bot": lambda to, by: bots.create(connector=to.connector, name="Gate", picture_url="", by=by),
    "change a bot": lambda to, by: bots.change(
        connector=to.connector, bot_id=to.bot.pk, name="Gate", picture_url=None, by=by
    ),
    "delete a bot": lambda to, by: bots.remove(connector=to.connector, bot_id=to.bot.pk, by=by),
    "ask for access": lambda to, by: ask(to.connector, by),
    "withdraw a request": lambda to, by: access_requests.withdraw(request=to.request, by=by),
    "change permissions": lambda to, by: permissions.change(connector=to.connector, permissions=PERMISSIONS, by=by),
    "require PKCE": lambda to, by: oauth.require_pkce(connector=to.connector, required=True, by=by),
    "add a co-owner": lambda to, by: owners.add(connector=to.connector, email=to.colleague, by=by),
    "hand it on": lambda to, by: owners.transfer(connector=to.connector, email=to.colleague, stay=True, by=by),
    "put a logo": lambda to, by: put_logo(to.connector, by=by, content=png(shade=9)),
    "remove a logo": lambda to, by: connectors.remove_logo(connector=to.connector, by=by),
    "end a secret": lambda to, by: secrets.move_end(
        secret=to.secret, ends_at=clock.now() + dt.timedelta(days=5), by=by
    ),
    "revoke what leaked": lambda to, by: leak_reports.revoke(report=to.report, by=by),
    "restore what leaked": lambda to, by: leak_reports.restore(report=to.report, by=by),
    "keep a token ready": lambda to, by: token_cache.enable(
        grant=to.grant, by=by, secret=to.program.secret, refresh_token=to.program.refresh_token
    ),
    "keep no token ready": lambda to, by: token_cache.disable(grant=to.grant, by=by),
    "pause a webhook": lambda to, by: management.pause(webhook=to.webhook, by=by),
    "resume a webhook": lambda to, by: management.resume(webhook=to.paused_webhook, by=by),
    "delete a webhook": lambda to, by: management.delete(webhook=to.webhook, by=by),
    "redeliver": lambda to, by: management.redeliver(delivery=to.failed, by=by),
    "redeliver what failed": lambda to, by: management.redeliver_failed(webhook=to.webhook, by=by),
    "replay": lambda to, by: management.replay(webhook=to.webhook, since=to.failed.created_at, by=by),
    "show a signing secret": lambda to, by: management.show_secret(webhook=to.webhook, by=by),
    "regenerate a signing secret": lambda to, by: management.rotate_secret(webhook=to.webhook, by=by),
}
OF_ADMINS: dict[str, Act] = {
    "reveal": lambda to, by: handoffs.reveal(handoff=to.handoff, by=by, idempotency_key=new_form_key()),
    "regenerate": lambda to, by: grants.regenerate(grant=to.grant, by=by),
    "suspend access": lambda to, by: grants.suspend(grant=to.grant, by=by),
    "resume access": lambda to, by: grants.resume(grant=to.suspended_grant, by=by),
    "move its end": lambda to, by: grants.move(grant=to.grant, ends_at=clock.now() + dt.timedelta(days=5), by=by),
    "remove access": lambda to, by: grants.revoke(grant=to.grant, by=by),
}
OF_BOTH: dict[str, Act] = {"reissue": lambda to, by: handoffs.reissue(handoff=to.handoff, by=by)}
# What anybody may do with what is their own.
OF_ANYBODY: dict[str, Act] = {
    "create": lambda _to, by: connectors.create(owner=by, name="Another", permissions=PERMISSIONS, by=by),
    "grant": lambda to, by: let_in(to.other, by),
    "user token": lambda to, by: user_tokens.generate(connector=to.connector, person=person_of(by), by=by),
    "user token by OAuth": lambda to, by: user_tokens.let_act(
        connector=to.connector,
        person=person_of(by),
        user=by,
        scopes=None,
        by=by,
        tag=EventType.USER_TOKEN_BY_OAUTH,
        address=None,
    ),
}
# What a program does by itself, whatever its developer may do at the moment.
OF_PROGRAMS: dict[str, Act] = {
    "program claims": lambda to, _by: handoffs.claim_by_program(
        connector_id=str(to.connector.pk), secret=to.program.secret, handoff_id=None, retry_key="", address=None
    ),
}
OF_OTHERS = {**OF_OWNERS, **OF_ADMINS, **OF_BOTH}
ACTS = {**OF_OTHERS, **OF_ANYBODY, **OF_PROGRAMS}
OF_OPERATORS = {"deactivate", "suspend", "resume", "delete", "revoke a secret", "remove a logo"} | {
    *("suspend access", "resume access", "remove access")
}
# Makes, shows or revives a credential.
HELD = {"send sign-ins elsewhere", "resume", "add a secret", "register a key", "claim", *OF_ANYBODY} | {
    *("reveal", "regenerate", "resume access", "reissue", "restore what leaked", "add a co-owner", "hand it on"),
    *("show a signing secret", "regenerate a signing secret"),
}


@pytest.fixture
def rights(program: Program, roles: dict[str, str]) -> Rights:
    return Rights(program)


@pytest.fixture
def rightful(developer: User, group_admin: User) -> Callable[[str], User]:
    """`rightful(act)`: who may do it."""
    return lambda act: group_admin if act in OF_ADMINS else developer


def raises(error: type[Exception], act: Callable[..., Any], *given: Any, code: str = "") -> bool:
    try:
        act(*given)
    except error as raised:
        return not code or getattr(raised, "code", "") == code
    return False


@pytest.mark.parametrize(
    ("who", "theirs"),
    [
        *(("stranger", set()), ("outsider", set()), ("organisation_admin", set()), ("operator", OF_OPERATORS)),
        *(("developer", {*OF_OWNERS, *OF_BOTH}), ("group_admin", {*OF_ADMINS, *OF_BOTH})),
    ],
)
def test_what_is_not_theirs_is_not_there_and_nothing_changes(
    rights: Rights, who: str, theirs: set[str], request: pytest.FixtureRequest, everything: Everything
) -> None:
    user, before = request.getfixturevalue(who), everything()
    others = {name: act for name, act in OF_OTHERS.items() if name not in theirs}
    assert [name for name, act in others.items() if not raises(NotFound, act, rights, user)] == []
    assert everything() == before


def test_an_operator_stops_what_they_do_not_own(rights: Rights, operator: User, everything: Everything) -> None:
    def at(name: str) -> None:
        before = everything()
        OF_OTHERS[name](rights, operator)
        assert everything() != before

    at_each(OF_OPERATORS, at)


def test_without_an_audit_row_nothing_happens(
    rights: Rights, rightful: Callable[[str], User], no_audit: Callable[[], None], everything: Everything
) -> None:
    before = everything()
    no_audit()
    assert [name for name, act in ACTS.items() if not raises(DatabaseError, act, rights, rightful(name))] == []
    assert everything() == before


# After a phone change ------------------------------------------------------------------------------------------------


def lock(user: User) -> User:
    credential_hold.start(user=user, number="+919876543210", by=user)
    return user


def is_held(act: Callable[..., Any], *given: Any) -> bool:
    return raises(RuleBroken, act, *given, code="cooling_off")


def test_while_credentials_are_locked_none_is_made_shown_or_revived_and_all_else_goes_on(
    rights: Rights, rightful: Callable[[str], User], everything: Everything
) -> None:
    people = {name: rightful(name) for name in ACTS}
    lock(people["claim"]), lock(people["reveal"])

    def at(name: str) -> None:
        before = everything()
        assert is_held(ACTS[name], rights, people[name]) is (name in HELD)
        assert (everything() == before) is (name in HELD)

    at_each(ACTS, at)


def test_a_locked_admin_issues_nothing_again(rights: Rights, group_admin: User) -> None:
    lock(group_admin)
    assert is_held(OF_BOTH["reissue"], rights, group_admin)


def test_a_locked_developer_may_take_an_address_of_sign_ins_away(
    connector: Connector, developer: User, browser_of: Callable[..., Client]
) -> None:
    old = ["https://planner.example/back", "https://planner.example/old"]
    connectors.update(connector=connector, redirect_urls=old, by=developer)
    lock(developer)
    form = {"name": connector.name, "redirect_urls": "\n".join([*old, *NEW_ADDRESS])}
    page = browser_of(developer).post(f"/console/connectors/{connector.pk}/change/", form)
    assert "because a phone number changed" in words(page)
    connectors.update(connector=connector, redirect_urls=old[:1], description="Tells shifts.", by=developer)
    assert Connector.objects.get().redirect_urls == old[:1]


def test_a_locked_organisation_admin_neither_asks_for_a_user_token_nor_confirms_one(
    connector: Connector, organisation_admin: User, second_admin: User, everything: Everything
) -> None:
    request = user_tokens.ask(connector=connector, person=person_of(organisation_admin), by=organisation_admin)
    lock(second_admin)
    before = everything()
    assert is_held(lambda: user_tokens.confirm(request=request, by=second_admin))
    assert is_held(lambda: user_tokens.ask(connector=connector, person=person_of(second_admin), by=second_admin))
    assert everything() == before


def test_a_token_on_the_screen_is_not_shown_again_until_the_lock_is_over(
    rights: Rights, developer: User, travel: Callable[..., Any]
) -> None:
    key = new_form_key()
    claim(rights, developer, key)
    lock(developer)
    assert is_held(claim, rights, developer, key)
    travel(hours=24)
    assert OF_OWNERS["add a secret"](rights, developer)


def test_the_pages_say_until_when(program: Program, developer: User, browser_of: Callable[..., Client]) -> None:
    browser, key = browser_of(lock(developer)), {"idempotency_key": new_form_key()}
    for path, form in (
        (f"/console/handoffs/{program.handoff.pk}/claim/", key),
        (f"/console/connectors/{program.connector.pk}/credentials/add/", key),
        ("/console/connectors/add/permissions/", {"name": "Canteen", "permissions": PERMISSIONS, "create": "1", **key}),
    ):
        assert "Your credentials are locked until" in words(browser.post(path, form, follow=True)), path
    assert not Connector.objects.filter(name="Canteen").exists()
    assert program.connector.secrets.count() == 1
