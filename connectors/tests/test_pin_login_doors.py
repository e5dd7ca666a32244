"""POST /v1/generatePin and /v1/loginWithPinAndApplicationId as a program sees them: a user token by PIN."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, Organisation, Person, SmsMessage, User
from accounts.services import phones as numbers
from accounts.services import reauthentication
from accounts.tests.factories import make_person, make_user, verify
from connectors.models import Connector, Grant, RefreshToken
from connectors.permissions import to_stored
from connectors.services import connectors, grants
from connectors.tests.factories import make_connector, person_of
from connectors.tests.pin_program import PinProgram, number_of, refused
from kaizala_console.lib import clock
from kaizala_console.tests.leaks import holds


def test_a_pin_gives_a_user_token_that_works(
    pin_program: PinProgram, member: User, travel: Callable[..., dt.datetime], settings: Any
) -> None:
    now = travel()
    number = number_of(member)
    answer = pin_program.ask(number)
    assert (answer.status_code, answer.json()) == (200, {})
    answer = pin_program.login(number)
    body = answer.json()
    assert set(body) == {"refreshToken", "grantedScope", "refreshTokenExpiry", "endpointUrl"}
    assert body["endpointUrl"] == settings.CONSOLE_BASE_URL + "/"  # ADR 0061
    assert body["refreshTokenExpiry"] == clock.epoch_ms(now + dt.timedelta(days=365))
    assert body["grantedScope"].split(",")[0] == "groupinfo.read"
    exchanged = pin_program.exchange(body["refreshToken"])
    assert exchanged.status_code == 200
    grant = Grant.objects.get()
    assert (grant.kind, grant.person, grant.granted_by) == ("user", person_of(member), member)
    assert not grant.handoffs.exists()


def test_the_text_names_the_program_that_the_pin_is_for(pin_program: PinProgram, member: User, phones: Any) -> None:
    pin_program.ask(number_of(member))
    text = phones.texts(number_of(member))[0]
    assert "Shift Planner" in text
    assert len(text) <= 160


def test_bodies_may_be_written_as_old_programs_do(pin_program: PinProgram, member: User) -> None:
    number, key = number_of(member), pin_program.connector.pk
    answer = pin_program.post("/GENERATEPIN/", f"{{mobilenumber: '{number}', 'ApplicationId': '{key}',}}")
    assert answer.status_code == 200, answer.content
    pin = int(pin_program.phones.pin(number))
    answer = pin_program.login(number, pin=pin)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.content


def test_known_and_unknown_numbers_get_the_same_answers(pin_program: PinProgram, member: User) -> None:
    answers = []
    for number in (number_of(member), make_person("Lakshmi Iyer").number, "+919810099999"):
        asked = pin_program.ask(number)
        wrong = pin_program.login(number, pin="000000" if pin_program.phones.pin(number) != "000000" else "000001")
        answers.append((asked.status_code, asked.content, wrong.status_code, wrong.content))
    assert len(set(answers)) == 1


def test_somebody_without_an_account_can_sign_in_and_is_provisioned_by_it(pin_program: PinProgram) -> None:
    token = pin_program.token("+919810099999")
    person = Person.objects.get(number="+919810099999")
    assert person.provisioned_at is not None
    grant = Grant.objects.get()
    assert (grant.person, grant.granted_by) == (person, None)
    assert pin_program.exchange(token).status_code == 200
    event = AuditEvent.objects.get(tag="grant:user:entered")
    assert (event.actor_kind, event.person_id) == ("connector", person.pk)
    assert "+919810099999" not in json.dumps([event.before, event.after, event.subject_name])


def test_signing_in_again_stays_within_the_one_grant_and_ends_the_token_before(
    pin_program: PinProgram, member: User, travel: Callable[..., dt.datetime]
) -> None:
    first = pin_program.token(number_of(member))
    travel(minutes=5)
    second = pin_program.token(number_of(member))
    assert first != second
    assert Grant.objects.count() == 1
    assert "superseded" in refused(pin_program.exchange(first), 401, "InvalidToken")
    assert pin_program.exchange(second).status_code == 200


def test_signing_in_again_takes_up_what_the_connector_asks_for_by_now(
    pin_program: PinProgram, member: User, travel: Callable[..., dt.datetime]
) -> None:
    pin_program.token(number_of(member))
    Connector.objects.update(permissions={"textmessage", "media"})
    travel(minutes=5)
    pin_program.token(number_of(member))
    assert Grant.objects.get().permissions == {"textmessage", "media"}


def test_what_a_second_admin_confirmed_does_not_grow_by_a_pin(
    pin_program: PinProgram, organisation_admin: User, second_admin: User
) -> None:
    person = person_of(organisation_admin)
    grants.grant(
        connector=pin_program.connector,
        kind=Grant.Kind.USER,
        target=f"person:{person.pk}",
        target_name=person.name,
        person=person,
        permissions={"textmessage"},
        by=organisation_admin,
        confirmed_by=second_admin,
    )
    pin_program.token(person.number)
    grant = Grant.objects.get()
    assert (to_stored(grant.permissions), grant.confirmed_by) == (["textmessage"], second_admin)


def test_a_pin_works_once_and_for_its_own_program_alone(pin_program: PinProgram, member: User, developer: User) -> None:
    number = number_of(member)
    other = PinProgram(make_connector(developer, "Other"), pin_program.phones)
    pin_program.ask(number)
    refused(other.login(number), 400, "InvalidParameters")
    assert pin_program.login(number).status_code == 200
    refused(pin_program.login(number), 400, "InvalidParameters")
    assert RefreshToken.objects.count() == 1


def test_a_pin_of_the_console_opens_nothing_to_a_program(
    pin_program: PinProgram, member: User, browser_of: Callable[..., Client]
) -> None:
    reauthentication.send_pin(user=member, by=member)
    refused(pin_program.login(number_of(member)), 400, "InvalidParameters")
    assert not Grant.objects.exists()


def test_no_such_connector_and_one_that_does_not_work_are_one_answer(
    pin_program: PinProgram, member: User, developer: User
) -> None:
    number = number_of(member)
    said = {refused(pin_program.ask(number, applicationId=key), 401, "Unauthenticated") for key in ("x", "0" * 32)}
    connectors.suspend(connector=pin_program.connector, by=developer)
    said.add(refused(pin_program.ask(number), 401, "Unauthenticated"))
    connectors.delete(connector=pin_program.connector, by=developer)
    said.add(refused(pin_program.ask(number), 401, "Unauthenticated"))
    assert len(said) == 1
    assert not SmsMessage.objects.exists()


@pytest.mark.parametrize("number", ["", "   ", "12", "+91", "+911", "abc", "+44123"])
def test_a_number_that_cannot_be_is_refused_by_name(pin_program: PinProgram, number: str) -> None:
    assert "obile" in refused(pin_program.ask(number), 400, "InvalidParameters") or number.strip()
    assert not SmsMessage.objects.exists()


def test_a_deactivated_connector_gets_no_new_people_but_those_it_has(
    pin_program: PinProgram, member: User, stranger: User, developer: User, travel: Any
) -> None:
    pin_program.token(number_of(member))
    connectors.deactivate(connector=pin_program.connector, by=developer)
    travel(minutes=5)
    pin_program.token(number_of(member))
    pin_program.ask(number_of(stranger))
    refused(pin_program.login(number_of(stranger)), 400, "InvalidParameters")
    assert Grant.objects.count() == 1


def test_suspended_access_does_not_come_back_by_a_pin(pin_program: PinProgram, member: User, travel: Any) -> None:
    token = pin_program.token(number_of(member))
    grants.suspend(grant=Grant.objects.get(), by=member)
    travel(minutes=5)
    pin_program.ask(number_of(member))
    refused(pin_program.login(number_of(member)), 403, "Unauthorized")
    assert "suspended" in refused(pin_program.exchange(token), 401, "InvalidToken")


def test_ended_access_begins_anew(pin_program: PinProgram, member: User, travel: Any) -> None:
    pin_program.token(number_of(member))
    grants.revoke(grant=Grant.objects.get(), by=member)
    travel(minutes=5)
    assert pin_program.exchange(pin_program.token(number_of(member))).status_code == 200
    assert Grant.objects.present().count() == 1


def test_an_account_that_is_closed_or_of_another_organisation_lets_nobody_act(
    pin_program: PinProgram, member: User, outsider: User
) -> None:
    User.objects.filter(pk=member.pk).update(is_active=False)
    for user in (member, outsider):
        pin_program.ask(number_of(user))
        refused(pin_program.login(number_of(user)), 403, "Unauthorized")
    assert not Grant.objects.exists()


def test_once_the_number_is_on_an_account_the_next_sign_in_is_that_accounts(
    pin_program: PinProgram, organisation: Organisation, travel: Any
) -> None:
    pin_program.token("+919810099999")
    user = make_user("Lakshmi Iyer", organisation, number=None)
    verify(user, "+919810099999")
    travel(minutes=5)
    pin_program.token("+919810099999")
    assert Grant.objects.get().granted_by == user


def test_an_organisation_that_has_moved_sends_its_programs_on(pin_program: PinProgram, member: User) -> None:
    Organisation.objects.update(moved_to="https://new.example/")
    answer = pin_program.ask(number_of(member))
    assert (answer.status_code, answer["Location"]) == (308, "https://new.example/v1/generatePin")
    assert pin_program.login(number_of(member), pin="123456").status_code == 308


def test_nothing_of_the_pin_or_the_token_is_written_down(pin_program: PinProgram, member: User, caplog: Any) -> None:
    number = number_of(member)
    pin_program.ask(number)
    pin = pin_program.phones.pin(number)
    token = pin_program.login(number).json()["refreshToken"]
    told = json.dumps([[e.before, e.after, e.subject_name] for e in AuditEvent.objects.all()]) + caplog.text
    assert not holds(told, pin)
    assert token not in told
    assert number not in told


def test_who_has_just_come_by_a_number_is_let_wait(pin_program: PinProgram, member: User, travel: Any) -> None:
    now = travel()
    User.objects.filter(pk=member.pk).update(credentials_locked_until=now + dt.timedelta(hours=1))
    pin_program.ask(number_of(member))
    refused(pin_program.login(number_of(member)), 400, "InvalidParameters")
    assert not Grant.objects.exists()
    travel(hours=1, seconds=1)
    pin_program.token(number_of(member))


def test_a_number_that_was_given_back_a_short_while_ago_waits_as_it_would_in_the_console(
    pin_program: PinProgram, member: User, travel: Any
) -> None:
    number = number_of(member)
    travel()
    numbers.release(phone=member.verified_phones.get(), by=member)
    travel(hours=23, minutes=59)
    pin_program.ask(number)
    answer = pin_program.login(number)
    refused(answer, 400, "InvalidParameters")
    assert "was given back by an account" in answer.json()["message"]
    assert not Grant.objects.exists()
    travel(minutes=1)
    pin_program.token(number)
    assert Grant.objects.get().granted_by is None
