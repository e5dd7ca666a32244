"""At the doors that the long journey does not pass, no credential is left in a log, a row, a mail or a task either."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.models import LeakReport
from connectors.services import connectors, one_time_secrets, secrets, token_cache
from connectors.tests.factories import Program
from connectors.tests.oauth_app import PKCE, VERIFIER, App
from connectors.tests.pin_program import PinProgram, number_of
from connectors.token_format import CredentialKind
from kaizala_console.tests.leaks import Everything, watching

pytestmark = pytest.mark.django_db(transaction=True)
Browser = Callable[..., Client]
PREFIXES = tuple(CredentialKind)


@pytest.fixture
def everything() -> Iterator[Everything]:
    with watching() as found:
        yield found


def left(everything: Everything, **met: str) -> dict[str, list[str]]:
    """Where each of these stands, whole or without what everybody may know of it."""
    assert all(met.values())
    found = {}
    for name, secret in met.items():
        # Known by its whole prefix: what is drawn at random begins with any two letters, and two of it stand anywhere.
        part = secret[24:-6] if secret.startswith(PREFIXES) else secret
        places = sorted({*everything.where(secret), *everything.where(part)})
        if places:
            found[name] = places
    return found


def post(path: str, body: dict[str, Any], **headers: str) -> Any:
    return Client().post(path, json.dumps(body), content_type="application/json", headers=headers)


def test_reported_inspected_and_looked_for(
    everything: Everything, program: Program, developer: User, stranger: User, browser_of: Browser
) -> None:
    exchanged = Client().get("/v1/accessToken", headers=program.headers())
    met = {
        "secret": program.secret,
        "refresh_token": program.refresh_token,
        "access_token": exchanged.json()["accessToken"],
    }
    for user in (developer, stranger):
        browser = browser_of(user)
        for credential in met.values():
            for pasted in (credential, credential[:-1], f"Bearer {credential}"):
                answer = browser.post(reverse("connectors:inspector"), {"token": pasted})
                assert credential[24:] not in everything.saw(answer).text
    signed_out = Client()
    everything.saw(signed_out.post(reverse("connectors:inspector"), {"token": program.secret}))
    text = " ".join(met.values())
    everything.saw(signed_out.post(reverse("connectors:leak_report"), {"credential": text[:-1], "where": text}))
    assert everything.saw(post("/v1/credentials/report", {"credential": text, "where": text})).status_code == 200
    assert LeakReport.objects.count() == 2
    for report in LeakReport.objects.all():
        page = browser_of(developer).get(reverse("connectors:leak", args=[program.connector.pk, report.pk]))
        assert not any(credential[24:] in everything.saw(page).text for credential in met.values())
    assert left(everything, **met) == {}


def test_by_pin(everything: Everything, pin_program: PinProgram, member: User) -> None:
    number = number_of(member)
    assert pin_program.ask(number).status_code == 200
    pin = pin_program.phones.pin(number)
    wrong = f"{(int(pin) + 1) % 1_000_000:06d}"
    assert everything.saw(pin_program.login(number, wrong)).status_code == 400
    answer = everything.saw(pin_program.login(number, pin)).json()
    access = everything.saw(pin_program.exchange(answer["refreshToken"])).json()["accessToken"]
    met = {"secret": pin_program.secret, "pin": pin, "refresh_token": answer["refreshToken"], "access_token": access}
    assert left(everything, **met) == {}


def test_by_oauth(everything: Everything, app: App, member: User) -> None:
    code = app.code(member, state="s" * 30, **PKCE)
    answer = everything.saw(app.redeem(code, code_verifier=VERIFIER))
    assert answer.status_code == 200, answer.content
    met = {"secret": app.secret, "access_token": answer.json()["accessToken"], "code": code}
    if answer.json()["refreshToken"]:
        met["refresh_token"] = answer.json()["refreshToken"]
    again = everything.saw(app.redeem(code, code_verifier=VERIFIER))
    assert again.status_code == 400
    # The code is sent in the address by OAuth itself, once, and works for a minute; that answer is not looked at here.
    assert left(everything, **met) == {}


def test_claimed_by_a_program_and_kept_ready(everything: Everything, program: Program, developer: User) -> None:
    both = {"applicationId": str(program.connector.pk), "applicationSecret": program.secret}
    claimed = everything.saw(post("/v1/handoffs/claim", {}, **both))
    assert claimed.json()["refreshToken"] == program.refresh_token
    token_cache.enable(grant=program.grant, by=developer, secret=program.secret, refresh_token=program.refresh_token)
    everything.saw(Client().get("/v1/accessToken/warm", headers=both))
    assert left(everything, secret=program.secret, refresh_token=program.refresh_token) == {}


def test_the_first_secret_and_the_second(everything: Everything, developer: User, browser_of: Browser) -> None:
    keys = [one_time_secrets.new_form_key() for _ in range(2)]
    connector, first = connectors.create(
        owner=developer, by=developer, name="Rota", permissions=["textmessage"], idempotency_key=keys[0]
    )
    url = reverse("connectors:secret_add", args=[connector.pk])
    page = everything.saw(browser_of(developer).post(url, {"idempotency_key": keys[1], "end_date": ""}))
    second = connector.secrets.get(slot=2)
    shown = one_time_secrets.recall(user=developer, idempotency_key=keys[1], subject=second)
    assert shown is not None
    assert shown in page.text
    secrets.move_end(secret=second, ends_at=None, by=developer)
    secrets.revoke(secret=second, by=developer)
    assert left(everything, first=first, second=shown, key=keys[0], other_key=keys[1]) == {}
