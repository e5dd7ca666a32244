"""A reported credential is refused from the next request on, until its owner revokes or restores it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.test import Client

from accounts.models import AuditEvent, Notice, User
from accounts.services import notifications as notices
from connectors import token_format
from connectors.models import Connector, ConnectorSecret, Handoff, LeakReport, RefreshToken
from connectors.services import connectors, grants, leak_reports, refresh_tokens, secrets, user_tokens
from connectors.tests.factories import Program, person_of
from connectors.tests.test_successors import exchange
from connectors.token_format import CredentialKind
from kaizala_console.api.errors import RefreshTokenRefused, WrongConnectorCredentials
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken, TooSoon

pytestmark = pytest.mark.django_db
Everything = Callable[[], dict[str, list[Any]]]
ADDRESS = "203.0.113.9"


def report(text: str, **facts: str) -> None:
    leak_reports.report(text=text, address=ADDRESS, **facts)


def call(token: str) -> int:
    return Client().get("/v1/groups", headers={"accessToken": token}).status_code


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_a_reported_secret_is_refused_at_the_next_exchange_and_access_tokens_go_on(program: Program) -> None:
    access = exchange(program).access_token
    report(program.secret)
    with pytest.raises(WrongConnectorCredentials):
        exchange(program)
    assert call(access) == 200


@pytest.mark.postgresql
def test_a_reported_refresh_token_is_refused_with_its_reason_and_so_are_its_access_tokens(program: Program) -> None:
    access = exchange(program).access_token
    report(program.refresh_token)
    with pytest.raises(RefreshTokenRefused, match="reported as leaked"):
        exchange(program)
    assert call(access) == 401


@pytest.mark.postgresql
def test_a_reported_access_token_ends_what_it_stands_on(program: Program) -> None:
    access = exchange(program).access_token
    report(access)
    assert call(access) == 401
    with pytest.raises(RefreshTokenRefused, match="reported as leaked"):
        exchange(program)
    assert LeakReport.objects.get().prefix == "kzat_"


def test_every_credential_in_a_text_is_found(program: Program) -> None:
    report(f'SECRET="{program.secret}"\nTOKEN={program.refresh_token};')
    assert LeakReport.objects.count() == 2


@pytest.mark.parametrize("text", ['{{"log": "failed\\n{}"}}', "x{}", "{}y", "_{}_", "%3D{}%26"])
def test_what_the_scanner_finds_can_be_reported_as_it_stands(program: Program, text: str) -> None:
    access = exchange(program).access_token
    for token in (program.secret, access):
        report(text.format(token))
    assert LeakReport.objects.count() == 2


def test_nothing_is_left_out_of_a_long_report(program: Program) -> None:
    others = " ".join(token_format.generate(CredentialKind.SECRET).token for _ in range(100))
    report(f"{others} {program.secret}")
    assert ConnectorSecret.objects.get().reported_at is not None
    with pytest.raises(RuleBroken, match="20,000") as caught:
        report("x" * 20_000 + program.refresh_token)
    assert (caught.value.code, caught.value.field) == ("too_long", "credential")


def forged(token: str) -> str:
    """Another secret part under the same public part, with a checksum that is right."""
    body = token[:21] + token_format.generate(CredentialKind.SECRET).token[21:-6]
    return body + token_format._checksum(body)


def test_who_knows_only_the_public_part_changes_nothing(program: Program, everything: Everything) -> None:
    before = everything()
    report(forged(program.secret))
    report(forged(program.refresh_token))
    report(token_format.generate(CredentialKind.REFRESH).token)
    access = exchange(program).access_token
    report(
        token_format.mint_access_token(refresh_token_id=1, grant_id=ids.new_id(), generation=0, expires_at=clock.now())
    )
    assert call(access) == 200
    after = everything()
    assert after["LeakReport"] == []
    assert after["ConnectorSecret"] == before["ConnectorSecret"]


@pytest.mark.postgresql
def test_what_has_ended_already_is_left_alone(
    program: Program, developer: User, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    access = exchange(program).access_token
    travel(hours=25)
    report(access)
    grants.revoke(grant=program.grant, by=group_admin)
    secrets.revoke(secret=ConnectorSecret.objects.get(), by=developer)
    report(f"{program.secret} {program.refresh_token}")
    assert not LeakReport.objects.exists()


@pytest.mark.postgresql
def test_a_second_report_tells_nobody_again(program: Program) -> None:
    report(program.secret)
    notices = Notice.objects.count()
    report(program.secret, where="elsewhere")
    assert (LeakReport.objects.count(), Notice.objects.count()) == (1, notices)
    assert AuditEvent.objects.filter(tag="connector:leak:reported").count() == 1


def test_a_text_without_any_says_what_they_look_like(db: None) -> None:
    with pytest.raises(RuleBroken, match="kzcs_") as caught:
        report("password=hunter2")
    assert caught.value.field == "credential"


@pytest.mark.postgresql
@pytest.mark.usefixtures("travel")  # the window does not end between two of them
def test_one_address_cannot_report_for_ever(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LEAK_REPORTS_PER_ADDRESS_PER_HOUR", 2)
    token = token_format.generate(CredentialKind.SECRET).token
    report(token)
    report(token)
    with pytest.raises(TooSoon):
        report(token)
    leak_reports.report(text=token, address="203.0.113.10")


# Who is told ----------------------------------------------------------------------------------------------------------


def test_owners_and_the_admin_who_granted_are_told_without_the_credential(
    program: Program, developer: User, member: User, group_admin: User
) -> None:
    program.connector.co_owners.add(member)
    report(program.refresh_token, where=f"https://paste.example/1 {program.refresh_token}")
    told = Notice.objects.filter(template="connectors/credential_leaked")
    assert {(notice.user_id, notice.context["is_owner"]) for notice in told} == {
        (developer.pk, True),
        (member.pk, True),
        (group_admin.pk, False),
    }
    said = str([notice.context for notice in told]) + str(list(AuditEvent.objects.values_list("after", flat=True)))
    assert program.refresh_token[22:] not in said
    assert LeakReport.objects.get().where == "https://paste.example/1 kzrt_[redacted]"


def test_whom_a_leaked_user_token_acts_for_is_led_to_where_it_is_made_anew(connector: Connector, member: User) -> None:
    handoff = user_tokens.generate(connector=connector, person=person_of(member), by=member)
    report(refresh_tokens.unseal(handoff))
    body = notices.render(Notice.objects.get(template="connectors/credential_leaked", user=member))[1]
    assert f"/console/connectors/{connector.pk}/user-token/" in body
    assert "your group" not in body


def test_the_mails_say_what_to_do(
    program: Program,
    developer: User,
    outbox: list[Any],
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        report(program.refresh_token, where="a\nb")
    by_address = {mail.to[0]: mail for mail in outbox}
    mine = by_address.pop(developer.email)
    assert mine.subject == "A refresh token of “Shift Planner” was reported as leaked"
    assert f"/console/connectors/{program.connector.pk}/leaks/{LeakReport.objects.get().pk}/" in mine.body
    assert "Found at: a b" in mine.body
    [admins] = by_address.values()
    assert "You can regenerate the token" in admins.body
    assert "/leaks/" not in admins.body


def test_the_trail_says_that_nobody_known_reported_it(program: Program) -> None:
    report(program.secret)
    event = AuditEvent.objects.get(tag="connector:leak:reported")
    assert (event.actor_kind, event.actor_name, event.connector_id) == (
        "finder",
        "Somebody who found it",
        program.connector.pk,
    )


# The owner's answer ---------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_restored_it_is_accepted_again(program: Program, developer: User) -> None:
    access = exchange(program).access_token
    report(program.refresh_token)
    leak_reports.restore(report=LeakReport.objects.get(), by=developer)
    assert call(access) == 200
    assert exchange(program).access_token


@pytest.mark.postgresql
def test_reported_again_after_it_was_restored_it_is_refused_again(program: Program, developer: User) -> None:
    report(program.secret)
    leak_reports.restore(report=LeakReport.objects.get(), by=developer)
    report(program.secret)
    with pytest.raises(WrongConnectorCredentials):
        exchange(program)
    assert LeakReport.objects.open().count() == 1


@pytest.mark.postgresql
def test_a_confirmed_secret_is_revoked_and_makes_room(program: Program, developer: User) -> None:
    report(program.secret)
    leak_reports.revoke(report=LeakReport.objects.get(), by=developer)
    secret = ConnectorSecret.objects.get()
    assert secret.revoked_at is not None
    assert secrets.add(connector=program.connector, by=developer)[0].slot == secret.slot


@pytest.mark.postgresql
def test_a_confirmed_refresh_token_has_ended_and_its_handoff_is_wiped(
    program: Program, developer: User, group_admin: User
) -> None:
    report(program.refresh_token)
    leak_reports.revoke(report=LeakReport.objects.get(), by=developer)
    handoff = Handoff.objects.get()
    assert RefreshToken.objects.get().revoked_at is not None
    assert (handoff.sealed, handoff.withdrawn_at is None) == (None, False)
    assert not Handoff.objects.waiting().exists()
    assert grants.regenerate(grant=program.grant, by=group_admin).refresh_token.is_live(clock.now())


@pytest.mark.postgresql
def test_restoring_does_not_bring_back_what_was_regenerated_meanwhile(
    program: Program, developer: User, group_admin: User
) -> None:
    report(program.refresh_token)
    grants.regenerate(grant=program.grant, by=group_admin)
    leak_reports.restore(report=LeakReport.objects.get(), by=developer)
    with pytest.raises(RefreshTokenRefused):
        exchange(program)


@pytest.mark.postgresql
@pytest.mark.parametrize("first", [leak_reports.revoke, leak_reports.restore])
@pytest.mark.parametrize("second", [leak_reports.revoke, leak_reports.restore])
def test_a_report_is_answered_once(
    program: Program, developer: User, first: Callable[..., Any], second: Callable[..., Any]
) -> None:
    report(program.secret)
    found = LeakReport.objects.get()
    first(report=found, by=developer)
    before = ConnectorSecret.objects.values().get()
    with pytest.raises(Conflict):
        second(report=found, by=developer)
    assert ConnectorSecret.objects.values().get() == before


@pytest.mark.parametrize("answer", [leak_reports.revoke, leak_reports.restore])
def test_nobody_but_an_owner_answers(
    program: Program,
    group_admin: User,
    stranger: User,
    outsider: User,
    organisation_admin: User,
    everything: Everything,
    answer: Callable[..., Any],
) -> None:
    report(program.refresh_token)
    before = everything()
    for user in (group_admin, stranger, outsider, organisation_admin):
        with pytest.raises(NotFound):
            answer(report=LeakReport.objects.get(), by=user)
    assert everything() == before


def test_who_cools_off_after_a_new_phone_may_revoke_but_not_restore(program: Program, developer: User) -> None:
    developer.credentials_locked_until = clock.now() + dt.timedelta(hours=1)
    developer.save()
    report(program.secret)
    with pytest.raises(RuleBroken, match="locked"):
        leak_reports.restore(report=LeakReport.objects.get(), by=developer)
    leak_reports.revoke(report=LeakReport.objects.get(), by=developer)
    assert ConnectorSecret.objects.get().revoked_at is not None


def test_a_deleted_connector_leaves_nothing_to_answer(program: Program, developer: User) -> None:
    report(program.secret)
    connectors.delete(connector=program.connector, by=developer)
    with pytest.raises(NotFound):
        leak_reports.restore(report=LeakReport.objects.get(), by=developer)


@pytest.mark.postgresql
def test_a_report_that_cannot_be_told_does_not_happen(program: Program, no_audit: Callable[[], None]) -> None:
    no_audit()
    with pytest.raises(Exception, match="full"):
        report(program.secret)
    assert ConnectorSecret.objects.get().reported_at is None


# What the database refuses --------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_a_report_is_about_exactly_one_credential(program: Program) -> None:
    both = {"secret": ConnectorSecret.objects.get(), "refresh_token": RefreshToken.objects.get()}
    for columns in ({}, both):
        with pytest.raises(IntegrityError, match="leak_report_is_about_one_credential"), transaction.atomic():
            LeakReport.objects.create(connector=program.connector, prefix="kzcs_", **columns)


@pytest.mark.parametrize("columns", [{"outcome": "revoked"}, {"closed_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}])
def test_a_closed_report_says_who_and_how(program: Program, columns: dict[str, Any]) -> None:
    report(program.secret)
    with pytest.raises(IntegrityError, match="closed_leak_report_says_who_and_how"), transaction.atomic():
        LeakReport.objects.update(**columns)


@pytest.mark.postgresql
@pytest.mark.parametrize("name", ["secret", "refresh_token"])
def test_a_credential_has_one_open_report(program: Program, connector: Connector, name: str) -> None:
    row = ConnectorSecret.objects.get() if name == "secret" else RefreshToken.objects.get()
    LeakReport.objects.create(connector=connector, prefix="kzcs_", **{name: row})
    with pytest.raises(IntegrityError), transaction.atomic():
        LeakReport.objects.create(connector=connector, prefix="kzcs_", **{name: row})


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_many_reports_at_once_are_one_and_many_answers_at_once_are_one(
    program: Program, developer: User, together: Callable[..., list[Any]]
) -> None:
    assert together(4, partial(report, program.refresh_token)) == [None] * 4
    found = LeakReport.objects.get()
    assert AuditEvent.objects.filter(tag="connector:leak:reported").count() == 1
    answers = together(4, lambda: leak_reports.restore(report=LeakReport.objects.get(pk=found.pk), by=developer))
    assert len([answer for answer in answers if isinstance(answer, Conflict)]) == 3
