"""POST /v1/handoffs/claim as a program sees it: its token, once, and a clear word when there is none."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import AuditEvent, Notice, Organisation, User
from connectors import tasks
from connectors.models import Handoff, OneTimeSecret
from connectors.services import connectors, grants, handoffs, secrets
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.test_access_token_door import error
from kaizala_console.lib import clock, ids

Everything = Callable[[], Any]

PATH = "/v1/handoffs/claim"
ADDRESS = "198.51.100.9"
KEY = "a-key-made-up-for-this-claim"


def claim(program: Program, body: Any = None, *, path: str = PATH, key: str = "", **other: str) -> Any:
    headers = {"applicationId": str(program.connector.pk), "applicationSecret": program.secret, **other}
    if key:
        headers["Idempotency-Key"] = key
    data = body if isinstance(body, str) else json.dumps(body or {})
    return Client().post(path, data, content_type="application/json", headers=headers, REMOTE_ADDR=ADDRESS)


def is_waiting(handoff: Handoff) -> bool:
    return Handoff.objects.get(pk=handoff.pk).state == "waiting"


def ended(response: Any) -> str:
    return error(response, 409, "Conflict", "ValidationException")


def nothing(response: Any) -> str:
    return error(response, 404, "NotFound", "NotFoundException")


@pytest.mark.postgresql
def test_a_program_gets_its_token_and_what_it_is_for_and_what_was_sealed_is_wiped(program: Program) -> None:
    Organisation.objects.update(admins_may_see_tokens=False)  # that is about admins alone
    response = claim(program)
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    kind, _, target_id = program.grant.target.partition(":")
    body = response.json()
    assert body.pop("grantedScope").startswith("groupinfo.read,")
    assert body == {
        "handoffId": str(program.handoff.pk),
        "refreshToken": program.refresh_token,
        "sealedRefreshToken": "",
        "keyFingerprint": "",
        "refreshTokenExpiry": clock.epoch_ms(program.handoff.refresh_token.expires_at),
        "target": {"kind": kind, "id": target_id, "name": "Night shift"},
        "stillWaiting": 0,
    }
    handoff = Handoff.objects.get()
    assert (handoff.state, handoff.sealed, handoff.claimed_by) == ("claimed", None, None)
    assert (handoff.claimed_by_program, handoff.claimed_from) == (True, ADDRESS)
    assert not OneTimeSecret.objects.exists()
    assert "regenerate the token" in nothing(claim(program))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PATH + "/", ""),
        ("/v1//handoffs/claim", "{}"),
        ("/V1/Handoffs/CLAIM", "null"),
        ("/handoffs/claim", "{HANDOFFID: null}"),
    ],
)
def test_the_path_may_be_spelled_as_programs_do_and_the_body_left_out(program: Program, path: str, body: str) -> None:
    assert claim(program, body, path=path).status_code == 200


def test_a_named_handoff_is_the_one_that_is_opened(program: Program, group_admin: User) -> None:
    later = factories.let_in(program.connector, group_admin, target_name="Day shift").handoff
    body = claim(program, f"{{'HandoffId': '{later.pk}'}}").json()
    assert (body["handoffId"], body["target"]["name"], body["stillWaiting"]) == (str(later.pk), "Day shift", 1)


@pytest.mark.postgresql
def test_without_a_name_the_longest_waiting_comes_first(program: Program, group_admin: User) -> None:
    factories.let_in(program.connector, group_admin, target_name="Day shift")
    names = [claim(program).json()["target"]["name"] for _ in range(2)]
    assert names == ["Night shift", "Day shift"]
    assert nothing(claim(program)).startswith("Nothing waits to be claimed by this connector. The last one: ")
    Handoff.objects.all().delete()
    assert nothing(claim(program)) == "Nothing waits to be claimed by this connector."


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "wrong",
    [{"applicationSecret": "kzcs_wrong"}, {"applicationId": "0"}, {"applicationSecret": ""}, {}],
    ids=["another secret", "another id", "no secret", "a revoked secret"],
)
def test_wrong_credentials_open_nothing(program: Program, wrong: dict[str, str], everything: Everything) -> None:
    if not wrong:
        secrets.revoke(secret=program.connector.secrets.get(), by=program.connector.owner)
    before = everything()
    said = error(claim(program, **wrong), 401, "Unauthenticated")
    assert said == "Dont have correct applicationId and secret in header!"
    assert everything() == before


def test_another_connectors_handoff_is_not_there(program: Program, stranger: User, group_admin: User) -> None:
    other = factories.make_program(factories.make_connector(stranger), group_admin)
    claim(program)
    answers = {nothing(claim(program, {"handoffId": str(key)})) for key in (other.handoff.pk, ids.new_id())}
    assert len(answers) == 1
    assert is_waiting(other.handoff)


def test_a_handoff_id_that_is_none_is_named(program: Program) -> None:
    assert "handoffId" in error(claim(program, {"handoffId": "x"}), 400, "InvalidParameters", "ValidationException")
    assert is_waiting(program.handoff)


def test_a_look_opens_nothing(program: Program) -> None:
    for method in (Client().get, Client().head, Client().put):
        assert method(PATH, headers=program.headers()).status_code == 405
    assert is_waiting(program.handoff)


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("end", "says"),
    [
        ("claimed", r"Devika Rao already claimed this handoff on .* from 192\.0\.2\.7"),
        ("refused", "refused on"),
        ("withdrawn", "withdrawn on"),
        ("expired", "expired on"),
    ],
)
def test_what_has_ended_says_how(
    program: Program, developer: User, group_admin: User, travel: Callable[..., dt.datetime], end: str, says: str
) -> None:
    match end:
        case "claimed":
            handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=new_form_key(), address="192.0.2.7")
        case "refused":
            handoffs.refuse(handoff=program.handoff, by=developer)
        case "withdrawn":
            grants.revoke(grant=program.grant, by=group_admin)
        case "expired":
            travel(days=7)
    for said in (ended(claim(program, {"handoffId": str(program.handoff.pk)})), nothing(claim(program))):
        assert re.search(says, said)


@pytest.mark.postgresql
def test_a_suspended_connector_claims_nothing_until_it_is_resumed(program: Program, developer: User) -> None:
    connectors.suspend(connector=program.connector, by=developer)
    error(claim(program), 403, "Unauthorized")
    assert is_waiting(program.handoff)
    connectors.resume(connector=program.connector, by=developer)
    assert claim(program).status_code == 200


def test_an_organisation_that_has_moved_sends_its_programs_on(program: Program) -> None:
    Organisation.objects.update(moved_to="https://new.example")
    response = claim(program)
    assert (response.status_code, response["Location"]) == (308, "https://new.example/v1/handoffs/claim")
    assert Handoff.objects.get().state == "waiting"


@pytest.mark.postgresql
def test_one_that_no_key_opens_any_more_keeps_no_other(program: Program, group_admin: User, settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = [b"k" * 32]
    later = factories.let_in(program.connector, group_admin).handoff
    assert claim(program).json()["handoffId"] == str(later.pk)
    assert "Regenerate the token" in ended(claim(program, {"handoffId": str(program.handoff.pk)}))
    assert is_waiting(program.handoff)


@pytest.mark.postgresql
def test_the_same_claim_sent_again_gets_the_same_answer(program: Program, group_admin: User) -> None:
    factories.let_in(program.connector, group_admin)
    first, again = claim(program, key=KEY), claim(program, key=KEY)
    assert first.json() == again.json()
    assert AuditEvent.objects.filter(tag="handoff:token:claimed").count() == 1
    assert claim(program, key=KEY + "2").json()["handoffId"] != first.json()["handoffId"]


@pytest.mark.postgresql
def test_the_key_of_one_claim_opens_no_other_handoff_for_no_other_secret(program: Program, group_admin: User) -> None:
    later = factories.let_in(program.connector, group_admin).handoff
    claim(program, {"handoffId": str(program.handoff.pk)}, key=KEY)
    ended(claim(program, {"handoffId": str(later.pk)}, key=KEY))
    assert is_waiting(later)
    _secret, other = factories.make_secret(program.connector, slot=2)
    assert claim(program, key=KEY, applicationSecret=other).json()["handoffId"] == str(later.pk)


@pytest.mark.parametrize("key", ["short", "k" * 129])
def test_a_key_that_is_none_is_named_and_opens_nothing(program: Program, key: str) -> None:
    said = error(claim(program, key=key), 400, "InvalidParameters", "ValidationException")
    assert "Idempotency-Key" in said
    assert key not in said
    assert is_waiting(program.handoff)


@pytest.mark.postgresql
@pytest.mark.parametrize("end", ["ten minutes", "regenerated"])
def test_the_answer_is_repeated_for_ten_minutes_or_until_the_token_ends_and_then_wiped(
    program: Program, group_admin: User, travel: Callable[..., dt.datetime], end: str
) -> None:
    claim(program, key=KEY)
    if end == "regenerated":
        grants.regenerate(grant=program.grant, by=group_admin)
    else:
        travel(minutes=10)
        nothing(claim(program, key=KEY))
        tasks.sweep_one_time_secrets()
    assert not OneTimeSecret.objects.exists()


def test_both_sides_get_a_receipt_and_the_trail_an_entry(program: Program, developer: User, group_admin: User) -> None:
    claim(program, key=KEY)
    claim(program, key=KEY)
    told = Notice.objects.filter(template="connectors/handoff_claimed_by_program")
    assert {notice.user for notice in told} == {developer, group_admin}
    assert [notice.context["claimed_from"] for notice in told] == [ADDRESS] * 2
    event = AuditEvent.objects.get(tag="handoff:token:claimed")
    assert (event.actor_kind, event.actor_id) == ("connector", str(program.connector.pk))
    assert (event.connector_id, event.after["address"]) == (program.connector.pk, ADDRESS)


@pytest.mark.postgresql
def test_neither_token_nor_secret_nor_key_is_kept_anywhere(
    program: Program, everything: Everything, caplog: pytest.LogCaptureFixture
) -> None:
    claim(program, key=KEY)
    claim(program, key=KEY)
    kept = f"{everything()} {list(AuditEvent.objects.values())} {caplog.text}"
    for secret in (program.refresh_token, program.secret, KEY):
        assert secret not in kept


@pytest.mark.postgresql
def test_a_claim_costs_few_statements(program: Program, group_admin: User, django_assert_max_num_queries: Any) -> None:
    for n in range(5):
        factories.let_in(program.connector, group_admin, target_name=f"Group {n}")
    with django_assert_max_num_queries(30):
        assert claim(program).status_code == 200
