"""A connector's public key: registered, replaced, removed; what is sealed to it, however it is taken; its pages."""

from __future__ import annotations

import datetime as dt
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import AuditEvent, Notice, Organisation, User
from connectors.models import Connector, ConnectorKey, Handoff
from connectors.services import grants, handoffs, public_keys, refresh_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.factories import Program, exchange, let_in
from connectors.tests.html_forms import count_queries, form_to, text_of
from connectors.tests.keys import Pair, p256, registered, x25519
from connectors.tests.test_claims import KEY, claim, nothing
from connectors.tests.test_handoff_pages import claim_form, url
from connectors.views import one_time_secrets
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound

pytestmark = pytest.mark.django_db
Everything = Callable[[], Any]
Browser = Callable[..., Client]


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


def at(connector: Connector, rest: str = "") -> str:
    return f"/console/connectors/{connector.pk}/keys/{rest}"


def register(client: Client, connector: Connector, **fields: Any) -> Any:
    return form_to(client.get(at(connector, "add/")), at(connector, "add/")).send(client, fields)


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


# Registering ---------------------------------------------------------------------------------------------------------


def test_a_pasted_key_is_registered_once_and_shown(client: Client, connector: Connector, pair: Pair) -> None:
    for _ in range(2):  # a double click
        assert register(client, connector, public_key=pair.public_pem)["Location"] == at(connector)
    assert ConnectorKey.objects.count() == 1
    assert AuditEvent.objects.filter(tag="connector:key:registered").count() == 1
    for page in (at(connector), reverse("connectors:credentials", args=[connector.pk])):
        assert pair.fingerprint in client.get(page).content.decode()
    register(client, connector, public_key=p256().public_jwk)
    assert pair.fingerprint in text_of(client.get(at(connector))), "among the earlier keys"


def test_an_uploaded_key_is_registered(client: Client, connector: Connector, pair: Pair) -> None:
    file = SimpleUploadedFile("public-key.json", pair.public_jwk.encode())
    register(client, connector, key_file=file)
    assert connector.keys.get().fingerprint == pair.fingerprint


@pytest.mark.parametrize("upload", [True, False])
def test_a_private_key_goes_nowhere_not_even_back_into_the_page(
    client: Client, connector: Connector, pair: Pair, upload: bool, everything: Callable[[], Any], caplog: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    before = everything()
    for private in (pair.private_jwk, pair.private_pem):
        sent: Any = {"key_file": SimpleUploadedFile("k", private.encode())} if upload else {"public_key": private}
        page = register(client, connector, **sent)
        assert page.status_code == 400
        assert "This is the private key" in text_of(page)
        secret = pair.key.as_dict(private=True)["d"]
        for part in (secret, private.splitlines()[-2] if "\n" in private else secret):
            assert part not in page.content.decode()
            assert part not in caplog.text
            assert part not in str(dict(client.session))
    assert everything() == before


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"public_key": "x"},
        {"public_key": "x" * 9000},
        {"key_file": SimpleUploadedFile("k", b"\xff\xfe" * 20_000)},
        {"key_file": SimpleUploadedFile("k", b"")},
    ],
)
def test_what_is_no_key_is_told_at_the_field(client: Client, connector: Connector, fields: dict[str, Any]) -> None:
    page = register(client, connector, **fields)
    assert page.status_code == 400
    assert re.search("id_(public_key|key_file)_error", page.content.decode())
    assert not ConnectorKey.objects.exists()


def test_removing_tells_first_and_removes_once(client: Client, connector: Connector, pair: Pair) -> None:
    url = at(connector, f"{registered(connector, pair).pk}/remove/")
    form = form_to(client.get(url), url)
    assert connector.keys.live().exists()
    assert form.send(client)["Location"] == form.send(client)["Location"] == at(connector)
    assert not connector.keys.live().exists()
    assert client.get(url)["Location"] == at(connector)
    assert AuditEvent.objects.filter(tag="connector:key:removed").count() == 1


def test_anothers_key_is_not_removed_by_its_number(client: Client, connector: Connector, stranger: User) -> None:
    other = factories.make_connector(stranger)
    key = registered(other, x25519())
    assert client.post(at(connector, f"{key.pk}/remove/")).status_code == 404
    assert other.keys.live().exists()


def test_more_earlier_keys_cost_no_more_queries(client: Client, connector: Connector) -> None:
    registered(connector, x25519())
    few = count_queries(client, at(connector))
    for _ in range(5):
        registered(connector, x25519())
    assert count_queries(client, at(connector)) == few


# What is sealed to it ------------------------------------------------------------------------------------------------


def test_both_sides_read_the_fingerprint_and_claiming_shows_the_ciphertext(
    client: Client, sealed: Program, pair: Pair, group_admin: User, browser_of: Browser
) -> None:
    for browser in (client, browser_of(group_admin)):
        for page in (url(sealed.handoff), reverse("connectors:details", args=[sealed.connector.pk])):
            assert pair.fingerprint in text_of(browser.get(page))
    shown = claim_form(client, sealed.handoff).send(client)
    text = shown.content.decode()
    assert "SEALED_REFRESH_TOKEN" in text
    assert "kzrt_" not in text
    assert "no-store" in shown["Cache-Control"]
    found = [word.split("<")[0] for word in text.split(">") if word.startswith("eyJ")]
    assert exchange(sealed, pair.opens(found[0])).access_token
    assert Handoff.objects.get().sealed is None


@pytest.mark.parametrize("form", ["private_pem", "private_jwk"])
@pytest.mark.parametrize("curve", [x25519, p256])
def test_the_documented_line_opens_the_downloaded_file(
    client: Client,
    connector: Connector,
    group_admin: User,
    tmp_path: Path,
    curve: Callable[[], Pair],
    form: str,
) -> None:
    """In a shell, with a JOSE library that is none of ours."""
    _secret, secret = factories.make_secret(connector)
    pair = curve()
    registered(connector, pair)
    granted = factories.let_in(connector, group_admin)
    shown = claim_form(client, granted.handoff).send(client)
    env = form_to(shown, url(granted.handoff, "download/")).send(client, {"kind": "env"}).content
    (tmp_path / "sealed.env").write_bytes(env)
    (tmp_path / "private-key.pem").write_text(getattr(pair, form))
    script = f'. ./sealed.env\n{one_time_secrets.get_open_command()}\nprintf %s "$REFRESH_TOKEN"'
    shell = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(["sh", "-c", script], cwd=tmp_path, env=shell, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    program = Program(connector, secret, granted.grant, granted.handoff, ran.stdout)
    assert Client().get("/v1/accessToken", headers=program.headers()).status_code == 200


def test_one_that_waits_for_a_lost_key_can_be_issued_again(client: Client, sealed: Program, developer: User) -> None:
    again_page = url(sealed.handoff, "reissue/")
    assert client.get(again_page)["Location"] == url(sealed.handoff)
    public_keys.remove(key=sealed.connector.keys.get(), by=developer)
    assert again_page in client.get(url(sealed.handoff)).content.decode()
    form = form_to(client.get(again_page), again_page)
    answers = [form.send(client)["Location"] for _ in range(2)]
    again = Handoff.objects.waiting().get()
    assert answers == [url(again)] * 2
    assert again.sealed_to == "server"
