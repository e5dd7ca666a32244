"""The pages of a connector's public key, and what is sealed to it on the pages of both sides."""

from __future__ import annotations

import logging
import os
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
from connectors.services import handoffs, public_keys
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import form_to, forms_of, text_of
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


def test_a_pasted_key_is_registered_and_its_fingerprint_shown(client: Client, connector: Connector, pair: Pair) -> None:
    answer = register(client, connector, public_key=pair.public_pem)
    assert answer["Location"] == at(connector)
    page = client.get(at(connector))
    assert pair.fingerprint in page.content.decode()
    assert "by Devika Rao" in text_of(page)
    assert pair.fingerprint in client.get(reverse("connectors:credentials", args=[connector.pk])).content.decode()


def test_an_uploaded_key_is_registered(client: Client, connector: Connector, pair: Pair) -> None:
    file = SimpleUploadedFile("public-key.json", pair.public_jwk.encode())
    register(client, connector, key_file=file)
    assert connector.keys.get().fingerprint == pair.fingerprint


def test_a_double_click_registers_one_key(client: Client, connector: Connector, pair: Pair) -> None:
    for _ in range(2):
        assert register(client, connector, public_key=pair.public_jwk)["Location"] == at(connector)
    assert ConnectorKey.objects.count() == 1
    assert AuditEvent.objects.filter(tag="connector:key:registered").count() == 1


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
    ("fields", "says"),
    [
        ({}, "Paste the public key, or choose its file."),
        ({"public_key": "x"}, "It begins with “{” (JWK) or “-----BEGIN PUBLIC KEY-----”."),
        ({"public_key": "x" * 9000}, "characters"),
        ({"key_file": SimpleUploadedFile("k", b"\xff\xfe" * 20_000)}, "too long"),
        ({"key_file": SimpleUploadedFile("k", b"")}, "empty"),
    ],
)
def test_what_is_no_key_is_told_at_the_field(
    client: Client, connector: Connector, fields: dict[str, Any], says: str
) -> None:
    page = register(client, connector, **fields)
    assert page.status_code == 400
    assert says in text_of(page)
    assert not ConnectorKey.objects.exists()


def test_replacing_warns_and_the_earlier_key_stays_in_the_list(
    client: Client, connector: Connector, pair: Pair
) -> None:
    registered(connector, pair)
    assert "It replaces the current key." in text_of(client.get(at(connector, "add/")))
    later = p256()
    register(client, connector, public_key=later.public_jwk)
    text = text_of(client.get(at(connector)))
    assert "Earlier keys" in text
    assert pair.fingerprint in text


def test_removing_tells_first_and_removes_once(client: Client, connector: Connector, pair: Pair) -> None:
    key = registered(connector, pair)
    url = at(connector, f"{key.pk}/remove/")
    page = client.get(url)
    assert "New refresh tokens are sealed with the console’s own keys." in text_of(page)
    assert connector.keys.live().exists()
    form = form_to(page, url)
    assert form.send(client)["Location"] == form.send(client)["Location"] == at(connector)
    assert not connector.keys.live().exists()
    assert client.get(url)["Location"] == at(connector)
    assert AuditEvent.objects.filter(tag="connector:key:removed").count() == 1


def test_a_key_asks_for_a_fresh_confirmation(
    connector: Connector, developer: User, browser_of: Browser, pair: Pair
) -> None:
    key = registered(connector, pair)
    client = browser_of(developer, confirmed=False)
    assert client.get(at(connector)).status_code == 200
    for answer in (
        client.get(at(connector, "add/")),
        client.post(at(connector, "add/"), {"public_key": p256().public_jwk}),
        client.post(at(connector, f"{key.pk}/remove/")),
    ):
        assert answer["Location"].startswith(reverse("accounts:confirm"))
    assert connector.keys.live().get() == key


def test_to_strangers_and_signed_out_people_nothing_is_there(
    connector: Connector,
    stranger: User,
    outsider: User,
    group_admin: User,
    browser_of: Browser,
    pair: Pair,
    everything: Callable[[], Any],
) -> None:
    key = registered(connector, pair)
    before = everything()
    absent = "0190f0f0-0000-7000-8000-000000000000"
    for user in (stranger, outsider, group_admin):
        client = browser_of(user)
        for rest in ("", "add/", f"{key.pk}/remove/"):
            there = client.get(at(connector, rest))
            nowhere = client.get(f"/console/connectors/{absent}/keys/{rest}")
            assert (there.status_code, text_of(there)) == (404, text_of(nowhere))
        assert client.post(at(connector, "add/"), {"public_key": p256().public_jwk}).status_code == 404
        assert client.post(at(connector, f"{key.pk}/remove/")).status_code == 404
    assert Client().get(at(connector))["Location"].startswith("/accounts/login/")
    assert Client().post(at(connector, "add/"))["Location"].startswith("/accounts/login/")
    assert everything() == before


def test_anothers_key_is_not_removed_by_its_number(client: Client, connector: Connector, stranger: User) -> None:
    other = factories.make_connector(stranger)
    key = registered(other, x25519())
    assert client.post(at(connector, f"{key.pk}/remove/")).status_code == 404
    assert other.keys.live().exists()


def test_many_earlier_keys_cost_no_more_queries(
    client: Client, connector: Connector, django_assert_max_num_queries: Any
) -> None:
    for _ in range(6):
        registered(connector, x25519())
    with django_assert_max_num_queries(16):
        client.get(at(connector))


# What is sealed to it ------------------------------------------------------------------------------------------------


def test_claiming_shows_the_ciphertext_and_how_to_open_it(client: Client, sealed: Program, pair: Pair) -> None:
    page = client.get(url(sealed.handoff))
    assert pair.fingerprint in text_of(page)
    shown = claim_form(client, sealed.handoff).send(client)
    text = shown.content.decode()
    assert "SEALED_REFRESH_TOKEN" in text
    assert "kzrt_" not in text
    assert "no-store" in shown["Cache-Control"]
    found = [word.split("<")[0] for word in text.split(">") if word.startswith("eyJ")]
    assert exchange(sealed, pair.opens(found[0])).access_token
    assert Handoff.objects.get().sealed is None


def test_the_documented_line_opens_the_downloaded_file(
    client: Client, connector: Connector, group_admin: User, tmp_path: Path
) -> None:
    """In a shell, with a JOSE library that is none of ours, for both curves and both forms of a private key."""
    _secret, secret = factories.make_secret(connector)
    for pair, private in ((x25519(), "pem"), (p256(), "pem"), (x25519(), "jwk"), (p256(), "jwk")):
        registered(connector, pair)
        granted = factories.let_in(connector, group_admin)
        shown = claim_form(client, granted.handoff).send(client)
        download = url(granted.handoff, "download/")
        env = form_to(shown, download).send(client, {"kind": "env"}).content
        (tmp_path / "sealed.env").write_bytes(env)
        (tmp_path / "private-key.pem").write_text(pair.private_pem if private == "pem" else pair.private_jwk)
        script = f'. ./sealed.env\n{one_time_secrets.get_open_command()}\nprintf %s "$REFRESH_TOKEN"'
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ran = subprocess.run(
            ["sh", "-c", script], cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True, check=True
        )
        assert ran.stderr == ""
        program = Program(connector, secret, granted.grant, granted.handoff, ran.stdout)
        assert Client().get("/v1/accessToken", headers=program.headers()).status_code == 200


def test_one_that_waits_for_a_lost_key_can_be_issued_again(client: Client, sealed: Program, developer: User) -> None:
    assert "regenerate those tokens" not in text_of(client.get(url(sealed.handoff)))
    assert client.get(url(sealed.handoff, "reissue/"))["Location"] == url(sealed.handoff)
    public_keys.remove(key=sealed.connector.keys.get(), by=developer)
    assert "That key is no longer registered." in text_of(client.get(url(sealed.handoff)))
    form = form_to(client.get(url(sealed.handoff, "reissue/")), url(sealed.handoff, "reissue/"))
    answers = [form.send(client)["Location"] for _ in range(2)]
    again = Handoff.objects.waiting().get()
    assert answers == [url(again)] * 2
    assert again.sealed_to == "server"


def test_both_sides_read_the_same_fingerprint(
    client: Client, sealed: Program, pair: Pair, group_admin: User, browser_of: Browser
) -> None:
    for browser in (client, browser_of(group_admin)):
        assert pair.fingerprint in text_of(browser.get(url(sealed.handoff)))
    overview = reverse("connectors:details", args=[sealed.connector.pk])
    assert pair.fingerprint in text_of(browser_of(group_admin).get(overview))


def test_a_claim_by_the_program_is_told_on_the_page(client: Client, sealed: Program) -> None:
    from connectors.tests.test_claims import claim

    form = claim_form(client, sealed.handoff)
    claim(sealed)
    page = form.send(client)
    assert page.status_code == 409
    assert "The program of “Shift Planner” already claimed this handoff on" in text_of(page)
    assert "from 198.51.100.9" in text_of(page)
    assert not [form for form in forms_of(page) if form.action.endswith("claim/")]


def test_a_refused_one_is_wiped(client: Client, sealed: Program, developer: User) -> None:
    handoffs.refuse(handoff=sealed.handoff, by=developer)
    assert Handoff.objects.get().sealed is None
    assert "refused on" in text_of(claim_refused(client, sealed))


def claim_refused(client: Client, program: Program) -> Any:
    return client.post(url(program.handoff, "claim/"), {"idempotency_key": "k" * 32})
