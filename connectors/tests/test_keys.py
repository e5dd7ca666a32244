"""A connector's public key: registered, replaced, removed; and what is sealed to it, for every way of taking it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from pytest_django import Settings

from accounts.models import AuditEvent, Notice, Organisation, User
from connectors.models import Connector, ConnectorKey, Handoff
from connectors.services import grants, handoffs, public_keys, refresh_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.factories import Program, let_in
from connectors.tests.keys import Pair, p256, registered, x25519
from connectors.tests.test_claims import KEY, claim, ended, nothing
from connectors.tests.test_successors import exchange
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound

Everything = Callable[[], Any]


@pytest.fixture(params=[x25519, p256], ids=["X25519", "P-256"])
def pair(request: pytest.FixtureRequest) -> Pair:
    made: Pair = request.param()
    return made


@pytest.fixture
def sealed(connector: Connector, group_admin: User, pair: Pair) -> Program:
    """A program that has a secret and a key; its refresh token waits, sealed to the key (and is not known here)."""
    registered(connector, pair)
    _secret, text = factories.make_secret(connector)
    granted = let_in(connector, group_admin)
    return Program(connector, text, granted.grant, granted.handoff, "")


# The key -------------------------------------------------------------------------------------------------------------


def test_a_key_is_registered_once_and_told(connector: Connector, developer: User, member: User, pair: Pair) -> None:
    connector.co_owners.add(member)
    key = registered(connector, pair)
    assert (key.fingerprint, key.created_by) == (pair.fingerprint, developer)
    assert "d" not in key.jwk
    assert public_keys.register(connector=connector, by=member, public_key=pair.public_pem) == key
    event = AuditEvent.objects.get(tag="connector:key:registered")
    assert (event.connector_id, event.after["fingerprint"]) == (connector.pk, pair.fingerprint)
    told = Notice.objects.filter(template="connectors/key_registered")
    assert {notice.user for notice in told} == {developer, member}


def test_a_new_key_takes_the_place_of_the_one_before(connector: Connector, developer: User) -> None:
    first, second = x25519(), p256()
    registered(connector, first)
    registered(connector, second)
    assert connector.keys.live().get().fingerprint == second.fingerprint
    assert connector.keys.get(fingerprint=first.fingerprint).removed_by == developer
    event = AuditEvent.objects.filter(tag="connector:key:registered").latest("id")
    assert event.before == {"fingerprint": first.fingerprint}


def test_a_removed_key_can_be_registered_again(connector: Connector, developer: User) -> None:
    pair = x25519()
    public_keys.remove(key=registered(connector, pair), by=developer)
    with pytest.raises(Conflict):
        public_keys.remove(key=connector.keys.get(), by=developer)
    assert AuditEvent.objects.filter(tag="connector:key:removed").count() == 1
    assert registered(connector, pair).removed_at is None


@pytest.mark.parametrize("who", ["stranger", "outsider", "group_admin", "operator"])
def test_to_strangers_the_connector_is_not_there_and_nothing_changes(
    connector: Connector, who: str, request: pytest.FixtureRequest, everything: Everything
) -> None:
    user, key = request.getfixturevalue(who), registered(connector, x25519())
    before = everything()
    with pytest.raises(NotFound):
        public_keys.register(connector=connector, by=user, public_key=p256().public_jwk)
    with pytest.raises(NotFound):
        public_keys.remove(key=key, by=user)
    assert everything() == before


def test_the_database_refuses_a_second_live_key(connector: Connector, developer: User) -> None:
    registered(connector, x25519())
    with pytest.raises(IntegrityError), transaction.atomic():
        ConnectorKey.objects.create(connector=connector, jwk={}, fingerprint="x", created_by=developer)
    with pytest.raises(IntegrityError, match="removed_key_names_who"), transaction.atomic():
        ConnectorKey.objects.update(removed_at=clock.now())


def test_without_an_audit_row_no_key_changes(
    connector: Connector, developer: User, no_audit: Callable[[], None], everything: Everything
) -> None:
    key = registered(connector, x25519())
    before = everything()
    no_audit()
    with pytest.raises(DatabaseError):
        registered(connector, p256())
    with pytest.raises(DatabaseError):
        public_keys.remove(key=key, by=developer)
    assert everything() == before


# Sealed to it --------------------------------------------------------------------------------------------------------


def test_the_token_is_sealed_to_the_key_and_not_kept(sealed: Program, pair: Pair, settings: Settings) -> None:
    handoff = Handoff.objects.get()
    assert handoff.sealed_to == pair.fingerprint
    assert handoff.is_sealed_to_key
    assert AuditEvent.objects.get(tag="handoff:token:sealed").after["sealed_to"] == pair.fingerprint
    settings.ENCRYPTION_KEYS = [b"k" * 32]  # the server's keys have no part in it
    assert exchange(sealed, pair.opens(refresh_tokens.unseal(handoff))).access_token


def test_the_page_gives_the_ciphertext_away_once(sealed: Program, pair: Pair, developer: User) -> None:
    claimed = partial(
        handoffs.claim, handoff=sealed.handoff, by=developer, idempotency_key=new_form_key(), address=None
    )
    text = claimed()
    assert claimed() == text
    assert exchange(sealed, pair.opens(text)).access_token
    assert Handoff.objects.get().sealed is None
    ended(claim(sealed, {"handoffId": str(sealed.handoff.pk)}))


def test_the_program_gets_the_ciphertext_and_opens_it(sealed: Program, pair: Pair) -> None:
    body = claim(sealed, key=KEY).json()
    assert (body["refreshToken"], body["keyFingerprint"]) == ("", pair.fingerprint)
    assert claim(sealed, key=KEY).json()["sealedRefreshToken"] == body["sealedRefreshToken"]
    assert exchange(sealed, pair.opens(body["sealedRefreshToken"])).access_token
    assert Handoff.objects.get().sealed is None
    nothing(claim(sealed))


@pytest.mark.parametrize("allowed", [True, False])
def test_the_admin_is_not_shown_it_whatever_the_organisation_says(
    sealed: Program, group_admin: User, everything: Everything, allowed: bool
) -> None:
    Organisation.objects.update(admins_may_see_tokens=allowed)
    before = everything()
    with pytest.raises(NotAllowed, match="Only the private key opens it") as caught:
        handoffs.reveal(handoff=sealed.handoff, by=group_admin, idempotency_key=new_form_key())
    assert caught.value.code == "reveal_sealed"
    assert everything() == before


@pytest.mark.parametrize("way", [grants.regenerate, None])
def test_issued_anew_it_is_sealed_to_the_key_of_that_moment(
    sealed: Program, developer: User, group_admin: User, way: Callable[..., Handoff] | None
) -> None:
    later = p256()
    registered(sealed.connector, later)
    assert Handoff.objects.get().sealed_to != later.fingerprint
    if way is None:
        again = handoffs.reissue(handoff=sealed.handoff, by=developer)
        assert handoffs.reissue(handoff=sealed.handoff, by=developer) == again
    else:
        again = way(grant=sealed.grant, by=group_admin)
    assert Handoff.objects.get(pk=sealed.handoff.pk).state == "withdrawn"
    assert exchange(sealed, later.opens(refresh_tokens.unseal(again))).access_token


def test_without_the_key_the_server_seals_again(sealed: Program, developer: User, group_admin: User) -> None:
    public_keys.remove(key=sealed.connector.keys.get(), by=developer)
    again = grants.regenerate(grant=sealed.grant, by=group_admin)
    assert again.sealed_to == "server"
    assert claim(sealed).json()["refreshToken"].startswith("kzrt_")


def test_the_successor_is_sealed_to_the_key_too_and_can_be_issued_again_while_it_waits(
    sealed: Program, pair: Pair, developer: User, travel: Callable[..., dt.datetime]
) -> None:
    claim(sealed)
    travel(days=330)
    assert refresh_tokens.rotate_due() == 1
    waiting = Handoff.objects.waiting().get()
    assert waiting.sealed_to == pair.fingerprint
    later = p256()
    registered(sealed.connector, later)
    again = handoffs.reissue(handoff=waiting, by=developer)
    assert (again.sealed_to, Handoff.objects.waiting().get()) == (later.fingerprint, again)
    assert exchange(sealed, later.opens(refresh_tokens.unseal(again))).access_token
