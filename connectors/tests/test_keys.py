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
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import AuditEvent, Notice, User
from connectors.models import Connector, ConnectorKey, Handoff
from connectors.services import grants, handoffs, public_keys, refresh_tokens
from connectors.tests import factories
from connectors.tests.factories import Program, exchange, let_in
from connectors.tests.html_forms import count_queries, form_to, text_of
from connectors.tests.keys import Pair, p256, registered, x25519
from connectors.tests.test_claims import KEY, claim, nothing
from connectors.tests.test_handoff_pages import claim_form, url
from connectors.views import one_time_secrets
from kaizala_console.lib import clock

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


def test_a_new_key_takes_the_place_of_the_one_before(owner: Client, connector: Connector, developer: User) -> None:
    first, second = x25519(), p256()
    registered(connector, first)
    register(owner, connector, key_file=SimpleUploadedFile("public-key.json", second.public_jwk.encode()))
    assert connector.keys.live().get().fingerprint == second.fingerprint
    assert connector.keys.get(fingerprint=first.fingerprint).removed_by == developer
    event = AuditEvent.objects.filter(tag="connector:key:registered").latest("id")
    assert event.before == {"fingerprint": first.fingerprint}
    assert first.fingerprint in text_of(owner.get(at(connector))), "among the earlier keys"


def test_the_database_refuses_a_second_live_key(connector: Connector, developer: User) -> None:
    registered(connector, x25519())
    with pytest.raises(IntegrityError), transaction.atomic():
        ConnectorKey.objects.create(connector=connector, jwk={}, fingerprint="x", created_by=developer)
    with pytest.raises(IntegrityError, match="removed_key_names_who"), transaction.atomic():
        ConnectorKey.objects.update(removed_at=clock.now())


# Sealed to it --------------------------------------------------------------------------------------------------------


def test_the_program_gets_the_ciphertext_and_opens_it_without_the_servers_keys(
    sealed: Program, pair: Pair, settings: Settings
) -> None:
    assert Handoff.objects.get().sealed_to == pair.fingerprint
    assert AuditEvent.objects.get(tag="handoff:token:sealed").after["sealed_to"] == pair.fingerprint
    settings.ENCRYPTION_KEYS = [b"k" * 32]
    body = claim(sealed, key=KEY).json()
    assert (body["refreshToken"], body["keyFingerprint"]) == ("", pair.fingerprint)
    assert claim(sealed, key=KEY).json()["sealedRefreshToken"] == body["sealedRefreshToken"]
    assert exchange(sealed, pair.opens(body["sealedRefreshToken"])).access_token
    assert Handoff.objects.get().sealed is None
    nothing(claim(sealed))


def test_regenerated_it_is_sealed_to_the_key_of_that_moment(sealed: Program, group_admin: User) -> None:
    later = p256()
    registered(sealed.connector, later)
    assert Handoff.objects.get().sealed_to != later.fingerprint
    again = grants.regenerate(grant=sealed.grant, by=group_admin)
    assert Handoff.objects.get(pk=sealed.handoff.pk).state == "withdrawn"
    assert exchange(sealed, later.opens(refresh_tokens.unseal(again))).access_token


def test_issued_again_after_its_key_was_lost_it_is_sealed_by_the_server(
    owner: Client, sealed: Program, developer: User
) -> None:
    again_page = url(sealed.handoff, "reissue/")
    assert owner.get(again_page)["Location"] == url(sealed.handoff)
    public_keys.remove(key=sealed.connector.keys.get(), by=developer)
    assert again_page in owner.get(url(sealed.handoff)).content.decode()
    form = form_to(owner.get(again_page), again_page)
    answers = [form.send(owner)["Location"] for _ in range(2)]
    again = Handoff.objects.waiting().get()
    assert answers == [url(again)] * 2
    assert again.sealed_to == "server"


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


# Registering ---------------------------------------------------------------------------------------------------------


def test_a_key_is_registered_once_shown_and_told_to_all_owners(
    owner: Client, connector: Connector, developer: User, member: User, pair: Pair
) -> None:
    connector.co_owners.add(member)
    file = SimpleUploadedFile("public-key.json", pair.public_jwk.encode())
    for fields in ({"public_key": pair.public_pem}, {"key_file": file}):  # the same key in two forms
        assert register(owner, connector, **fields)["Location"] == at(connector)
    key = ConnectorKey.objects.get()
    assert (key.fingerprint, key.created_by) == (pair.fingerprint, developer)
    assert "d" not in key.jwk
    event = AuditEvent.objects.get(tag="connector:key:registered")
    assert (event.connector_id, event.after["fingerprint"]) == (connector.pk, pair.fingerprint)
    told = Notice.objects.filter(template="connectors/key_registered")
    assert {notice.user for notice in told} == {developer, member}
    for page in (at(connector), reverse("connectors:credentials", args=[connector.pk])):
        assert pair.fingerprint in owner.get(page).content.decode()


@pytest.mark.parametrize("upload", [True, False])
def test_a_private_key_goes_nowhere_not_even_back_into_the_page(
    owner: Client, connector: Connector, pair: Pair, upload: bool, everything: Callable[[], Any], caplog: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    before = everything()
    for private in (pair.private_jwk, pair.private_pem):
        sent: Any = {"key_file": SimpleUploadedFile("k", private.encode())} if upload else {"public_key": private}
        page = register(owner, connector, **sent)
        assert page.status_code == 400
        assert "This is the private key" in text_of(page)
        secret = pair.key.as_dict(private=True)["d"]
        for part in (secret, private.splitlines()[-2] if "\n" in private else secret):
            assert part not in page.content.decode()
            assert part not in caplog.text
            assert part not in str(dict(owner.session))
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
def test_what_is_no_key_is_told_at_the_field(owner: Client, connector: Connector, fields: dict[str, Any]) -> None:
    page = register(owner, connector, **fields)
    assert page.status_code == 400
    assert re.search("id_(public_key|key_file)_error", page.content.decode())
    assert not ConnectorKey.objects.exists()


def test_removing_tells_first_and_removes_once_and_it_can_be_registered_again(
    owner: Client, connector: Connector, pair: Pair
) -> None:
    url = at(connector, f"{registered(connector, pair).pk}/remove/")
    form = form_to(owner.get(url), url)
    assert connector.keys.live().exists()
    assert form.send(owner)["Location"] == form.send(owner)["Location"] == at(connector)
    assert not connector.keys.live().exists()
    assert owner.get(url)["Location"] == at(connector)
    assert AuditEvent.objects.filter(tag="connector:key:removed").count() == 1
    assert registered(connector, pair).removed_at is None


def test_more_earlier_keys_cost_no_more_queries(owner: Client, connector: Connector) -> None:
    registered(connector, x25519())
    few = count_queries(owner, at(connector))
    for _ in range(5):
        registered(connector, x25519())
    assert count_queries(owner, at(connector)) == few


# What is sealed to it ------------------------------------------------------------------------------------------------


def test_both_sides_read_the_fingerprint_and_claiming_shows_the_ciphertext(
    owner: Client, sealed: Program, pair: Pair, group_admin: User, browser_of: Browser
) -> None:
    for browser in (owner, browser_of(group_admin)):
        for page in (url(sealed.handoff), reverse("connectors:details", args=[sealed.connector.pk])):
            assert pair.fingerprint in text_of(browser.get(page))
    shown = claim_form(owner, sealed.handoff).send(owner)
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
    owner: Client,
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
    shown = claim_form(owner, granted.handoff).send(owner)
    env = form_to(shown, url(granted.handoff, "download/")).send(owner, {"kind": "env"}).content
    (tmp_path / "sealed.env").write_bytes(env)
    (tmp_path / "private-key.pem").write_text(getattr(pair, form))
    script = f'. ./sealed.env\n{one_time_secrets.get_open_command()}\nprintf %s "$REFRESH_TOKEN"'
    shell = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(["sh", "-c", script], cwd=tmp_path, env=shell, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    program = Program(connector, secret, granted.grant, granted.handoff, ran.stdout)
    assert Client().get("/v1/accessToken", headers=program.headers()).status_code == 200
