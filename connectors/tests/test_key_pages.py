"""The pages of a connector's public key, and what is sealed to it on the pages of both sides."""

from __future__ import annotations

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
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors.models import Connector, ConnectorKey, Handoff
from connectors.services import public_keys
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import form_to, text_of
from connectors.tests.keys import Pair, p256, registered, x25519
from connectors.tests.test_handoff_pages import claim_form, url
from connectors.tests.test_successors import exchange
from connectors.views import one_time_secrets

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


def at(connector: Connector, rest: str = "") -> str:
    return f"/console/connectors/{connector.pk}/keys/{rest}"


def register(client: Client, connector: Connector, **fields: Any) -> Any:
    return form_to(client.get(at(connector, "add/")), at(connector, "add/")).send(client, fields)


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


@pytest.fixture
def pair() -> Pair:
    return x25519()


@pytest.fixture
def sealed(connector: Connector, group_admin: User, pair: Pair) -> Program:
    registered(connector, pair)
    _secret, text = factories.make_secret(connector)
    granted = factories.let_in(connector, group_admin)
    return Program(connector, text, granted.grant, granted.handoff, "")


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


def test_earlier_keys_cost_no_queries(client: Client, connector: Connector, django_assert_max_num_queries: Any) -> None:
    for _ in range(6):
        registered(connector, x25519())
    with django_assert_max_num_queries(16):
        client.get(at(connector))


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
