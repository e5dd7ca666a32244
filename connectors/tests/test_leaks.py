"""A leaked credential, reported on the wire or a page by anybody: refused at once, told, revoked or restored."""

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
from accounts.services import notifications
from connectors import token_format
from connectors.models import Connector, ConnectorSecret, Handoff, LeakReport, RefreshToken
from connectors.services import connectors, grants, leak_reports, refresh_tokens, secrets, user_tokens
from connectors.tests import factories
from connectors.tests.factories import Program, exchange, person_of
from connectors.tests.html_forms import count_queries, form_to, text_of
from connectors.token_format import CredentialKind
from kaizala_console.api.errors import RefreshTokenRefused, WrongConnectorCredentials
from kaizala_console.dashboard.pending_actions import list_pending_actions
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

pytestmark = pytest.mark.django_db
Everything = Callable[[], dict[str, list[Any]]]
ADDRESS = "203.0.113.9"
Travel = Callable[..., dt.datetime]
Browser = Callable[..., Client]
API = "/v1/credentials/report"
PAGE = "/console/report-leak/"


def report(text: str, **facts: str) -> None:
    leak_reports.report(text=text, address=ADDRESS, **facts)


def open_report(token: str) -> LeakReport:
    report(token)
    return LeakReport.objects.open().get()


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
@pytest.mark.parametrize("kind", ["refresh", "access"])
def test_a_reported_token_is_refused_with_all_under_its_refresh_token(program: Program, kind: str) -> None:
    access = exchange(program).access_token
    token = access if kind == "access" else program.refresh_token
    report(token)
    with pytest.raises(RefreshTokenRefused, match="reported as leaked"):
        exchange(program)
    assert call(access) == 401
    assert LeakReport.objects.get().prefix == token[:5]


@pytest.mark.parametrize("text", ['{{"log": "failed\\n{}"}}', "x{}", "{}y", "_{}_", "%3D{}%26"])
def test_what_a_scanner_finds_in_a_text_can_be_reported_as_it_stands(program: Program, text: str) -> None:
    access = exchange(program).access_token
    report("\n".join(text.format(token) for token in (program.secret, access)))
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
def test_what_has_ended_is_left_alone(program: Program, developer: User, group_admin: User, travel: Travel) -> None:
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
    told = Notice.objects.count()
    report(program.secret, where="elsewhere")
    assert (LeakReport.objects.count(), Notice.objects.count()) == (1, told)
    assert AuditEvent.objects.filter(tag="connector:leak:reported").count() == 1


# Who is told ----------------------------------------------------------------------------------------------------------


def test_owners_and_the_admin_who_granted_are_told_without_the_credential(
    program: Program,
    developer: User,
    member: User,
    group_admin: User,
    outbox: list[Any],
    django_capture_on_commit_callbacks: Any,
) -> None:
    program.connector.co_owners.add(member)
    with django_capture_on_commit_callbacks(execute=True):
        report(program.refresh_token, where=f"https://paste.example/1\n{program.refresh_token}")
    found = LeakReport.objects.get()
    assert found.where == "https://paste.example/1 kzrt_[redacted]"
    told = {mail.to[0]: f"{mail.subject}\n{mail.body}" for mail in outbox}
    assert set(told) == {developer.email, member.email, group_admin.email}
    assert f"/console/connectors/{program.connector.pk}/leaks/{found.pk}/" in told[developer.email]
    assert "Found at: https://paste.example/1 kzrt_[redacted]" in told[developer.email]
    assert "/leaks/" not in told[group_admin.email]
    event = AuditEvent.objects.get(tag="connector:leak:reported")
    assert (event.actor_kind, event.connector_id) == ("finder", program.connector.pk)
    notices = [notice.context for notice in Notice.objects.all()]
    assert program.refresh_token[22:] not in f"{told} {notices} {event.after}"


def test_whom_a_leaked_user_token_acts_for_is_led_to_where_it_is_made_anew(connector: Connector, member: User) -> None:
    handoff = user_tokens.generate(connector=connector, person=person_of(member), by=member)
    report(refresh_tokens.unseal(handoff))
    body = notifications.render(Notice.objects.get(template="connectors/credential_leaked", user=member))[1]
    assert f"/console/connectors/{connector.pk}/user-token/" in body
    assert "your group" not in body


# The owner's answer ---------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_restored_it_is_accepted_again_until_it_is_reported_again(program: Program, developer: User) -> None:
    access = exchange(program).access_token
    leak_reports.restore(report=open_report(program.refresh_token), by=developer)
    assert call(access) == 200
    assert exchange(program).access_token
    report(program.refresh_token)
    with pytest.raises(RefreshTokenRefused):
        exchange(program)
    assert LeakReport.objects.open().count() == 1


@pytest.mark.postgresql
def test_a_confirmed_secret_is_revoked_and_makes_room(program: Program, developer: User) -> None:
    leak_reports.revoke(report=open_report(program.secret), by=developer)
    secret = ConnectorSecret.objects.get()
    assert secret.revoked_at is not None
    assert secrets.add(connector=program.connector, by=developer)[0].slot == secret.slot


@pytest.mark.postgresql
def test_a_confirmed_token_ends_and_its_handoff_is_wiped(program: Program, developer: User, group_admin: User) -> None:
    leak_reports.revoke(report=open_report(program.refresh_token), by=developer)
    handoff = Handoff.objects.get()
    assert RefreshToken.objects.get().revoked_at is not None
    assert (handoff.sealed, handoff.withdrawn_at is None) == (None, False)
    assert not Handoff.objects.waiting().exists()
    assert grants.regenerate(grant=program.grant, by=group_admin).refresh_token.is_live(clock.now())


@pytest.mark.postgresql
def test_restoring_does_not_bring_back_what_was_replaced(program: Program, developer: User, group_admin: User) -> None:
    report(program.refresh_token)
    grants.regenerate(grant=program.grant, by=group_admin)
    leak_reports.restore(report=LeakReport.objects.get(), by=developer)
    with pytest.raises(RefreshTokenRefused):
        exchange(program)


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


# What was derived from it: its finder may hold that as well -----------------------------------------------------------


@pytest.fixture
def successor(program: Program, travel: Travel) -> str:
    """What the Token Service gave for the program's token near its end."""
    travel(days=330)
    return exchange(program).successor


def test_with_it_its_successor_is_refused_and_restored(program: Program, successor: str, developer: User) -> None:
    found = open_report(program.refresh_token)
    for token in (program.refresh_token, successor):
        with pytest.raises(RefreshTokenRefused, match="reported as leaked"):
            exchange(program, token)
    leak_reports.restore(report=found, by=developer)
    assert exchange(program).successor == successor
    assert exchange(program, successor).access_token


def test_with_the_token_its_successor_is_revoked(program: Program, successor: str, developer: User) -> None:
    leak_reports.revoke(report=open_report(program.refresh_token), by=developer)
    assert not RefreshToken.objects.filter(revoked_at=None).exists()


def test_a_successor_that_was_reported_itself_is_not_restored_with_its_predecessor(
    program: Program, successor: str, developer: User
) -> None:
    own = open_report(successor)
    assert exchange(program).access_token, "what it was derived from goes on"
    report(program.refresh_token)
    leak_reports.restore(report=LeakReport.objects.open().exclude(pk=own.pk).get(), by=developer)
    with pytest.raises(RefreshTokenRefused, match="reported as leaked"):
        exchange(program, successor)


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_no_exchange_brings_forth_a_live_successor_of_a_token_that_is_reported_meanwhile(
    program: Program, travel: Travel, together: Callable[..., list[Any]]
) -> None:
    travel(days=330)
    turns = iter(range(100))

    def act() -> Any:
        return report(program.refresh_token) if next(turns) % 2 else exchange(program)

    together(8, act)
    assert LeakReport.objects.count() == 1
    assert not RefreshToken.objects.live(clock.now()).exists()


# On the wire and on pages --------------------------------------------------------------------------------------------


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


def post(body: Any, **extra: Any) -> Any:
    return Client().post(API, data=body, content_type="application/json", **extra)


def unknown() -> str:
    return token_format.generate(CredentialKind.SECRET).token


def test_the_answer_is_the_same_whether_or_not_it_was_known(program: Program) -> None:
    known, again, never = (post({"credential": token}) for token in (program.secret, program.secret, unknown()))
    assert known.status_code == again.status_code == never.status_code == 200
    assert known.content == again.content == never.content
    assert ConnectorSecret.objects.get().reported_at is not None


@pytest.mark.parametrize("name", ["Credential", "token", "SECRET"])
def test_scanners_name_it_as_they_like_and_say_where(program: Program, name: str) -> None:
    assert post({name: program.secret, "url": "https://code.example/x#L3"}).status_code == 200
    assert LeakReport.objects.get().where == "https://code.example/x#L3"


@pytest.mark.parametrize(
    "body", ["{}", '{"credential": ""}', '{"credential": "kzcs_short"}', '{"credential": 7}', "[]"]
)
def test_what_is_no_credential_is_a_400_that_repeats_nothing(db: None, body: str) -> None:
    answer = post(body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "InvalidParameters")
    assert "kzcs_short" not in answer.content.decode()


@pytest.mark.postgresql
@pytest.mark.usefixtures("travel")  # the window does not end between two of them
def test_too_many_of_one_address_are_a_429_that_says_when(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LEAK_REPORTS_PER_ADDRESS_PER_HOUR", 1)
    assert post({"credential": unknown()}).status_code == 200
    refused = post({"credential": unknown()})
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert Client().post(PAGE, {"credential": unknown()}).status_code == 429
    assert post({"credential": unknown()}, REMOTE_ADDR="203.0.113.10").status_code == 200


def test_signed_out_people_report_and_are_thanked_alike(program: Program) -> None:
    client = Client()
    answers = []
    for token in (program.refresh_token, unknown()):
        page = form_to(client.get(PAGE), PAGE).send(client, {"credential": f"x = {token}", "where": "in a chat"})
        assert page.status_code == 302
        answers.append(text_of(client.get(page["Location"])))
    assert answers[0] == answers[1]
    assert "Thank you" in answers[0]
    assert LeakReport.objects.get().where == "in a chat"


@pytest.mark.parametrize("cut", [-1, 0])
def test_what_was_pasted_is_never_sent_back(program: Program, cut: int) -> None:
    client = Client()
    form = form_to(client.get(PAGE), PAGE)
    page = form.send(client, {"credential": program.secret[:cut] or "\0", "where": "here"})
    assert page.status_code == 400
    assert program.secret[:30] not in page.content.decode()
    assert b'value="here"' in page.content
    assert "no-store" in page["Cache-Control"]


def test_the_page_wants_its_own_form(program: Program) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post(PAGE, {"credential": program.secret}).status_code == 403
    assert not LeakReport.objects.exists()


@pytest.fixture
def reported(program: Program) -> LeakReport:
    post({"credential": program.secret, "where": "<b>chat</b>"})
    return LeakReport.objects.get()


def url(report: LeakReport, act: str = "") -> str:
    return f"/console/connectors/{report.connector_id}/leaks/{report.pk}/{act and act + '/'}"


def test_home_leads_the_owner_to_it(client: Client, reported: LeakReport, developer: User, stranger: User) -> None:
    assert url(reported) in [action.href for action in list_pending_actions(developer)]
    assert url(reported) not in [action.href for action in list_pending_actions(stranger)]
    assert url(reported) in client.get(f"/console/connectors/{reported.connector_id}/credentials/").content.decode()
    page = client.get(url(reported))
    assert reported.secret is not None
    for told in ("connector secret", f"kzcs_{reported.secret.public_part}", "<b>chat</b>"):
        assert told in text_of(page)
    assert "<b>chat" not in page.content.decode()


@pytest.mark.parametrize(("act", "outcome"), [("revoke", "revoked"), ("restore", "restored")])
def test_an_owner_answers_once(
    client: Client, reported: LeakReport, developer: User, everything: Everything, act: str, outcome: str
) -> None:
    assert client.get(url(reported, act)).status_code == 405
    form = form_to(client.get(url(reported)), url(reported, act))
    assert form.send(client)["Location"] == url(reported)
    assert ("Add secret" in text_of(client.get(url(reported)))) is (act == "revoke")
    reported.refresh_from_db()
    assert (reported.outcome, reported.closed_by) == (outcome, developer)
    before = everything()
    for second in ("revoke", "restore"):
        assert client.post(url(reported, second))["Location"] == url(reported)
        assert "This report was already answered." in text_of(client.get(url(reported)))
    assert everything() == before


def test_strangers_find_nothing_there(
    reported: LeakReport, stranger: User, group_admin: User, outsider: User, developer: User, browser_of: Browser
) -> None:
    for user in (stranger, group_admin, outsider):
        client = browser_of(user)
        pages = [client.get(url(reported)), client.post(url(reported, "revoke")), client.post(url(reported, "restore"))]
        assert [page.status_code for page in pages] == [404] * 3
    other = factories.make_connector(developer)
    assert browser_of(developer).get(f"/console/connectors/{other.pk}/leaks/{reported.pk}/").status_code == 404
    assert LeakReport.objects.open().count() == 1


def test_more_reports_cost_no_more_queries(client: Client, program: Program) -> None:
    pages = (f"/console/connectors/{program.connector.pk}/credentials/", "/console/")
    post({"credential": program.secret})
    few = [count_queries(client, page) for page in pages]
    post({"credential": program.refresh_token})
    assert [count_queries(client, page) for page in pages] == few


def test_when_its_owners_have_left_operators_and_organisation_admins_are_told(
    program: Program,
    developer: User,
    organisation_admin: User,
    operator: User,
    outbox: list[Any],
    django_capture_on_commit_callbacks: Any,
) -> None:
    User.objects.filter(pk=developer.pk).update(is_active=False)
    with django_capture_on_commit_callbacks(execute=True):
        assert post({"credential": program.secret}).status_code == 200
    told = {mail.to[0]: mail.body for mail in outbox}
    assert set(told) == {organisation_admin.email, operator.email}
    for body in told.values():
        assert "Its owners’ accounts are deactivated" in body
        assert "/leaks/" not in body
