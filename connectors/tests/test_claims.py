"""POST /v1/handoffs/claim as a program sees it: its token, once, and a clear word when there is none."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import AuditEvent, Notice, Organisation, User
from connectors import tasks
from connectors.models import Handoff, HandoffClaimReplay
from connectors.services import connectors, grants, handoffs, secrets
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.test_access_token_door import error
from connectors.views import handoffs as views_handoffs
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict

PATH = "/v1/handoffs/claim"
ADDRESS = "198.51.100.9"
KEY = "a-key-made-up-for-this-claim"


def claim(program: Program, body: Any = None, *, path: str = PATH, key: str = "", **other: str) -> Any:
    headers = {"applicationId": str(program.connector.pk), "applicationSecret": program.secret, **other}
    if key:
        headers["Idempotency-Key"] = key
    data = body if isinstance(body, str) else json.dumps(body or {})
    return Client().post(path, data, content_type="application/json", headers=headers, REMOTE_ADDR=ADDRESS)


def ended(response: Any) -> str:
    return error(response, 409, "Conflict", "ValidationException")


def nothing(response: Any) -> str:
    return error(response, 404, "NotFound", "NotFoundException")


def test_a_program_gets_its_token_and_what_it_is_for(program: Program) -> None:
    response = claim(program)
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    body = response.json()
    assert set(body) == {
        "handoffId",
        "refreshToken",
        "sealedRefreshToken",
        "keyFingerprint",
        "refreshTokenExpiry",
        "grantedScope",
        "target",
        "stillWaiting",
    }
    assert body["refreshToken"] == program.refresh_token
    assert (body["sealedRefreshToken"], body["keyFingerprint"], body["stillWaiting"]) == ("", "", 0)
    kind, _, target_id = program.grant.target.partition(":")
    assert body["target"] == {"kind": kind, "id": target_id, "name": "Night shift"}
    assert body["refreshTokenExpiry"] == clock.epoch_ms(program.handoff.refresh_token.expires_at)
    assert body["grantedScope"].startswith("groupinfo.read,")


@pytest.mark.postgresql
def test_what_it_gets_works_and_what_was_sealed_is_wiped(program: Program) -> None:
    token = claim(program).json()["refreshToken"]
    assert Client().get("/v1/accessToken", headers=program.headers(refreshToken=token)).status_code == 200
    handoff = Handoff.objects.get()
    assert (handoff.state, handoff.sealed, handoff.claimed_by) == ("claimed", None, None)
    assert (handoff.claimed_by_program, handoff.claimed_from) == (True, ADDRESS)


@pytest.mark.parametrize("path", [PATH + "/", "/v1//handoffs/claim", "/V1/Handoffs/CLAIM", "/handoffs/claim"])
def test_the_path_may_be_spelled_as_programs_do(program: Program, path: str) -> None:
    assert claim(program, path=path).status_code == 200


@pytest.mark.parametrize("body", ["", "{}", "null", "{HANDOFFID: null}"])
def test_the_body_may_be_left_out(program: Program, body: str) -> None:
    assert claim(program, body).status_code == 200


def test_a_named_handoff_is_the_one_that_is_opened(program: Program, group_admin: User) -> None:
    later = factories.let_in(program.connector, group_admin, target_name="Day shift").handoff
    body = claim(program, f"{{'HandoffId': '{later.pk}'}}").json()
    assert (body["handoffId"], body["target"]["name"], body["stillWaiting"]) == (str(later.pk), "Day shift", 1)


@pytest.mark.postgresql
def test_without_a_name_the_longest_waiting_comes_first_until_nothing_waits(
    program: Program, group_admin: User
) -> None:
    factories.let_in(program.connector, group_admin, target_name="Day shift")
    names = [claim(program).json()["target"]["name"] for _ in range(2)]
    assert names == ["Night shift", "Day shift"]
    assert nothing(claim(program)).startswith(
        "Nothing waits to be claimed by this connector. The last one: The program"
    )


def test_with_nothing_ever_made_it_says_just_that(connector: Any, developer: User) -> None:
    _secret, text = factories.make_secret(connector)
    headers = {"applicationId": str(connector.pk), "applicationSecret": text}
    response = Client().post(PATH, b"", content_type="application/json", headers=headers)
    assert nothing(response) == "Nothing waits to be claimed by this connector."


@pytest.mark.parametrize(
    "wrong", [{"applicationSecret": "kzcs_wrong"}, {"applicationId": "0"}, {"applicationSecret": ""}]
)
def test_wrong_credentials_learn_nothing_and_open_nothing(
    program: Program, wrong: dict[str, str], everything: Callable[[], Any]
) -> None:
    before = everything()
    said = error(claim(program, **wrong), 401, "Unauthenticated")
    assert said == "Dont have correct applicationId and secret in header!"
    assert everything() == before


def test_another_connectors_handoff_is_not_there(program: Program, stranger: User, group_admin: User) -> None:
    other = factories.make_program(factories.make_connector(stranger), group_admin)
    claim(program)
    answers = [
        nothing(claim(program, {"handoffId": str(key)}))
        for key in (other.handoff.pk, "0190f0f0-0000-7000-8000-000000000000")
    ]
    assert answers[0] == answers[1] == "There is no such handoff of this connector."
    assert Handoff.objects.get(pk=other.handoff.pk).state == "waiting"


def test_a_handoff_id_that_is_none_is_named(program: Program) -> None:
    assert "handoffId" in error(claim(program, {"handoffId": "x"}), 400, "InvalidParameters", "ValidationException")
    assert Handoff.objects.get().state == "waiting"


def test_a_look_opens_nothing(program: Program) -> None:
    headers = program.headers()
    for method in (Client().get, Client().head, Client().put):
        assert method(PATH, headers=headers).status_code == 405
    assert Handoff.objects.get().state == "waiting"


# Against the other ways ----------------------------------------------------------------------------------------------


def test_after_the_page_the_program_is_told_who_when_and_from_where(program: Program, developer: User) -> None:
    handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=new_form_key(), address="192.0.2.7")
    at = clock.now()
    for said in (ended(claim(program, {"handoffId": str(program.handoff.pk)})), nothing(claim(program))):
        assert "Devika Rao already claimed this handoff on" in said
        assert f"{at:%Y}" in said
        assert "from 192.0.2.7" in said


def test_after_the_program_the_page_is_told_so(program: Program, developer: User) -> None:
    claim(program)
    with pytest.raises(Conflict, match=r"The program of “Shift Planner” already claimed .* from 198\.51\.100\.9"):
        handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=new_form_key(), address=None)


@pytest.mark.postgresql
@pytest.mark.parametrize("way", ["refused", "withdrawn", "expired"])
def test_what_has_ended_says_how(
    program: Program, developer: User, group_admin: User, travel: Callable[..., dt.datetime], way: str
) -> None:
    if way == "refused":
        handoffs.refuse(handoff=program.handoff, by=developer)
    elif way == "withdrawn":
        grants.revoke(grant=program.grant, by=group_admin)
    else:
        travel(days=7)
    named = {"handoffId": str(program.handoff.pk)}
    assert f"{way} on" in ended(claim(program, named))
    assert f"{way} on" in nothing(claim(program))


@pytest.mark.postgresql
def test_a_suspended_connector_claims_nothing_until_it_is_resumed(program: Program, developer: User) -> None:
    connectors.suspend(connector=program.connector, by=developer)
    assert "suspended since" in error(claim(program), 403, "Unauthorized")
    assert Handoff.objects.get().state == "waiting"
    connectors.resume(connector=program.connector, by=developer)
    assert claim(program).status_code == 200


@pytest.mark.postgresql
def test_a_revoked_secret_and_a_deleted_connector_claim_nothing(program: Program, developer: User) -> None:
    secrets.revoke(secret=program.connector.secrets.get(), by=developer)
    error(claim(program), 401, "Unauthenticated")


def test_an_organisation_that_forbids_showing_tokens_to_admins_lets_programs_claim(program: Program) -> None:
    Organisation.objects.update(admins_may_see_tokens=False)
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
    assert "The key for this handoff is gone. Regenerate the token." in ended(
        claim(program, {"handoffId": str(program.handoff.pk)})
    )
    assert Handoff.objects.get(pk=program.handoff.pk).state == "waiting"


# A lost answer -------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_the_same_claim_sent_again_gets_the_same_answer(program: Program, group_admin: User) -> None:
    factories.let_in(program.connector, group_admin)
    first, again = claim(program, key=KEY), claim(program, key=KEY)
    assert first.json() == again.json()
    assert AuditEvent.objects.filter(tag="handoff:token:claimed").count() == 1
    assert claim(program, key=KEY + "2").json()["handoffId"] != first.json()["handoffId"]


@pytest.mark.postgresql
def test_without_the_key_the_token_is_given_once(program: Program) -> None:
    assert claim(program).status_code == 200
    assert not HandoffClaimReplay.objects.exists()
    assert "regenerate the token" in nothing(claim(program))


@pytest.mark.postgresql
def test_the_key_of_one_claim_opens_no_other_handoff(program: Program, group_admin: User) -> None:
    later = factories.let_in(program.connector, group_admin).handoff
    claim(program, {"handoffId": str(program.handoff.pk)}, key=KEY)
    assert "used to claim another" in ended(claim(program, {"handoffId": str(later.pk)}, key=KEY))
    assert Handoff.objects.get(pk=later.pk).state == "waiting"


@pytest.mark.postgresql
def test_another_secret_of_the_connector_does_not_repeat_the_answer(program: Program) -> None:
    claim(program, key=KEY)
    _secret, other = factories.make_secret(program.connector, slot=2)
    nothing(claim(program, key=KEY, applicationSecret=other))


@pytest.mark.parametrize("key", ["short", "k" * 129])
def test_a_key_that_is_none_is_named_and_opens_nothing(program: Program, key: str) -> None:
    said = error(claim(program, key=key), 400, "InvalidParameters", "ValidationException")
    assert "Idempotency-Key" in said
    assert key not in said
    assert Handoff.objects.get().state == "waiting"


@pytest.mark.postgresql
def test_the_answer_is_repeated_for_ten_minutes_and_then_wiped(
    program: Program, travel: Callable[..., dt.datetime]
) -> None:
    claim(program, key=KEY)
    travel(minutes=10)
    nothing(claim(program, key=KEY))
    tasks.sweep_one_time_secrets()
    assert not HandoffClaimReplay.objects.exists()


@pytest.mark.postgresql
def test_what_ends_the_token_ends_its_repetition(program: Program, group_admin: User) -> None:
    claim(program, key=KEY)
    grants.regenerate(grant=program.grant, by=group_admin)
    assert not HandoffClaimReplay.objects.exists()


# Receipts and traces -------------------------------------------------------------------------------------------------


def test_both_sides_get_a_receipt_and_the_trail_an_entry(program: Program, developer: User, group_admin: User) -> None:
    claim(program, key=KEY)
    claim(program, key=KEY)
    told = Notice.objects.filter(template="connectors/handoff_claimed_by_program")
    assert sorted(notice.user.name for notice in told) == sorted([developer.name, group_admin.name])
    assert all(notice.context["claimed_from"] == ADDRESS for notice in told)
    event = AuditEvent.objects.get(tag="handoff:token:claimed")
    assert (event.actor_kind, event.actor_id) == ("connector", str(program.connector.pk))
    assert (event.connector_id, event.after["way"], event.after["address"]) == (
        program.connector.pk,
        "program",
        ADDRESS,
    )


def test_the_line_says_that_the_program_opened_it(program: Program) -> None:
    claim(program)
    step = views_handoffs.list_steps(Handoff.objects.get())[3]
    assert (step["state"], step["by"], step["note"]) == (
        "done",
        "Shift Planner",
        "by the program, from 198.51.100.9",
    )


@pytest.mark.postgresql
def test_neither_token_nor_secret_nor_key_is_kept_anywhere(
    program: Program, everything: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    claim(program, key=KEY)
    claim(program, key=KEY)
    kept = f"{everything()} {list(AuditEvent.objects.values())} {caplog.text}"
    for secret in (program.refresh_token, program.secret, KEY):
        assert secret not in kept


@pytest.mark.postgresql
def test_without_an_audit_row_nothing_is_given_away(
    program: Program, no_audit: Callable[[], None], everything: Callable[[], Any]
) -> None:
    before = everything()
    no_audit()
    with pytest.raises(Exception, match="audit trail is full"):
        claim(program)
    assert everything() == before


@pytest.mark.postgresql
def test_a_claim_costs_a_handful_of_statements(
    program: Program, group_admin: User, django_assert_max_num_queries: Any
) -> None:
    for n in range(5):
        factories.let_in(program.connector, group_admin, target_name=f"Group {n}")
    with django_assert_max_num_queries(30):
        assert claim(program).status_code == 200
