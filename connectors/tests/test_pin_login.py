"""POST /v1/generatePin and /v1/loginWithPinAndApplicationId: a user token by PIN, within limits."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.audit.events import EventType
from accounts.models import AuditEvent, Notice, Organisation, Person, PinDevice, SmsMessage, User
from accounts.services import phones as numbers
from accounts.services import reauthentication
from accounts.tests.factories import make_person, make_user, verify
from connectors.models import Connector, Grant, RefreshToken
from connectors.permissions import to_stored
from connectors.services import connectors, grants
from connectors.tests.factories import make_connector, person_of
from connectors.tests.pin_program import PinProgram, number_of, refused
from kaizala_console.lib import clock

pytestmark = pytest.mark.postgresql
Travel = Callable[..., dt.datetime]


def test_a_pin_gives_a_token_that_works(pin_program: PinProgram, member: User, travel: Travel, settings: Any) -> None:
    now = travel()
    number = number_of(member)
    answer = pin_program.ask(number)
    assert (answer.status_code, answer.json()) == (200, {})
    (text,) = pin_program.phones.texts(number)
    assert "Shift Planner" in text
    assert len(text) <= 160
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


def test_signing_in_again_ends_the_token_before(pin_program: PinProgram, member: User, travel: Travel) -> None:
    first = pin_program.token(number_of(member))
    Connector.objects.update(permissions={"textmessage", "media"})
    travel(minutes=5)
    second = pin_program.token(number_of(member))
    assert first != second
    assert Grant.objects.get().permissions == {"textmessage", "media"}, "what the connector asks for by now"
    assert "superseded" in refused(pin_program.exchange(first), 401, "InvalidToken")
    assert pin_program.exchange(second).status_code == 200


def test_a_pin_widens_nothing_that_was_confirmed(
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


def test_the_consoles_pin_opens_nothing(
    pin_program: PinProgram, member: User, browser_of: Callable[..., Client]
) -> None:
    reauthentication.send_pin(user=member, by=member)
    refused(pin_program.login(number_of(member)), 400, "InvalidParameters")
    assert not Grant.objects.exists()


def test_unknown_and_stopped_connectors_get_one_answer(pin_program: PinProgram, member: User, developer: User) -> None:
    number = number_of(member)
    said = {refused(pin_program.ask(number, applicationId=key), 401, "Unauthenticated") for key in ("x", "0" * 32)}
    connectors.suspend(connector=pin_program.connector, by=developer)
    said.add(refused(pin_program.ask(number), 401, "Unauthenticated"))
    connectors.delete(connector=pin_program.connector, by=developer)
    said.add(refused(pin_program.ask(number), 401, "Unauthenticated"))
    assert len(said) == 1
    assert not SmsMessage.objects.exists()


@pytest.mark.parametrize("number", ["   ", "12", "+44123", "abc"])
def test_a_number_that_cannot_be_is_refused(pin_program: PinProgram, number: str) -> None:
    refused(pin_program.ask(number), 400, "InvalidParameters")
    assert not SmsMessage.objects.exists()


def test_a_deactivated_connector_gets_no_new_people_but_those_it_has(
    pin_program: PinProgram, member: User, stranger: User, developer: User, travel: Travel
) -> None:
    pin_program.token(number_of(member))
    connectors.deactivate(connector=pin_program.connector, by=developer)
    travel(minutes=5)
    pin_program.token(number_of(member))
    refused(pin_program.sign_in(number_of(stranger)), 400, "InvalidParameters")
    assert Grant.objects.count() == 1


def test_suspended_access_does_not_come_back_by_a_pin(pin_program: PinProgram, member: User, travel: Travel) -> None:
    token = pin_program.token(number_of(member))
    grants.suspend(grant=Grant.objects.get(), by=member)
    travel(minutes=5)
    refused(pin_program.sign_in(number_of(member)), 403, "Unauthorized")
    assert "suspended" in refused(pin_program.exchange(token), 401, "InvalidToken")


def test_ended_access_begins_anew(pin_program: PinProgram, member: User, travel: Travel) -> None:
    pin_program.token(number_of(member))
    grants.revoke(grant=Grant.objects.get(), by=member)
    travel(minutes=5)
    assert pin_program.exchange(pin_program.token(number_of(member))).status_code == 200
    assert Grant.objects.present().count() == 1


def test_closed_accounts_and_outsiders_let_nobody_act(pin_program: PinProgram, member: User, outsider: User) -> None:
    User.objects.filter(pk=member.pk).update(is_active=False)
    for user in (member, outsider):
        refused(pin_program.sign_in(number_of(user)), 403, "Unauthorized")
    assert not Grant.objects.exists()


def test_a_number_on_an_account_is_that_accounts(
    pin_program: PinProgram, organisation: Organisation, travel: Travel
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


def test_who_has_just_come_by_a_number_is_let_wait(pin_program: PinProgram, member: User, travel: Travel) -> None:
    now = travel()
    User.objects.filter(pk=member.pk).update(credentials_locked_until=now + dt.timedelta(hours=1))
    refused(pin_program.sign_in(number_of(member)), 400, "InvalidParameters")
    assert not Grant.objects.exists()
    travel(hours=1, seconds=1)
    pin_program.token(number_of(member))


def test_a_number_that_was_given_back_waits_for_a_day(pin_program: PinProgram, member: User, travel: Travel) -> None:
    number = number_of(member)
    travel()
    numbers.release(phone=member.verified_phones.get(), by=member)
    travel(hours=23, minutes=59)
    answer = pin_program.sign_in(number)
    refused(answer, 400, "InvalidParameters")
    assert "was given back by an account" in answer.json()["message"]
    assert not Grant.objects.exists()
    travel(minutes=1)
    pin_program.token(number)
    assert Grant.objects.get().granted_by is None


def test_wrong_pins_run_out(pin_program: PinProgram, member: User) -> None:
    number = number_of(member)
    pin_program.ask(number)
    right = pin_program.phones.pin(number)
    wrong = "111111" if right != "111111" else "222222"
    for _try in range(5):
        refused(pin_program.login(number, pin=wrong), 400, "InvalidParameters")
    refused(pin_program.login(number, pin=right), 400, "InvalidParameters")
    assert not Grant.objects.exists()


@pytest.mark.parametrize("secret", [None, "", "wrong"])
def test_without_the_secret_nobody_signs_in(pin_program: PinProgram, member: User, secret: str | None) -> None:
    pin_program.ask(number_of(member))
    said = refused(pin_program.login(number_of(member), applicationSecret=secret), 401, "Unauthenticated")
    assert said == "Dont have correct applicationId and secret in header!"
    assert PinDevice.objects.get().tries == 0


def test_the_operator_can_let_programs_omit_the_secret(pin_program: PinProgram, member: User, settings: Any) -> None:
    settings.PIN_LOGIN_WITHOUT_SECRET = True
    pin_program.ask(number_of(member))
    refused(pin_program.login(number_of(member), applicationSecret="wrong"), 401, "Unauthenticated")
    assert pin_program.login(number_of(member), applicationSecret=None).status_code == 200


def test_pins_are_throttled_for_each_number(pin_program: PinProgram, member: User, travel: Travel) -> None:
    number, secret = number_of(member), pin_program.secret
    pin_program.ask(number, applicationSecret=secret)
    answer = pin_program.ask(number, applicationSecret=secret)
    refused(answer, 429, "TooManyRequests")
    assert int(answer["Retry-After"]) > 0
    for _n in range(9):
        travel(hours=1, seconds=5)
        assert pin_program.ask(number, applicationSecret=secret).status_code == 200
    travel(hours=1, seconds=5)
    refused(pin_program.ask(number, applicationSecret=secret), 429, "TooManyRequests")


def test_pins_are_throttled_for_each_connector(pin_program: PinProgram, settings: Any) -> None:
    settings.PIN_PER_CONNECTOR_PER_DAY = 2
    secret = pin_program.secret
    for n in range(2):
        assert pin_program.ask(make_person().number, applicationSecret=secret).status_code == 200, n
    refused(pin_program.ask(make_person().number, applicationSecret=secret), 429, "TooManyRequests")


def test_a_loop_without_the_secret_spends_its_own_sms(pin_program: PinProgram, member: User, travel: Travel) -> None:
    travel()
    answers = [pin_program.ask(make_person().number, REMOTE_ADDR=f"2001:db8::{n}").status_code for n in range(30)]
    assert answers == [200] * 10 + [429] * 20
    # The connector's other users, and programs with the secret, go on; wherever they are.
    assert pin_program.ask(number_of(member), REMOTE_ADDR="2001:db8:0:1::1").status_code == 200
    elsewhere = {"applicationSecret": pin_program.secret, "REMOTE_ADDR": "2001:db8::1"}
    assert pin_program.ask(make_person().number, **elsewhere).status_code == 200


def test_many_addresses_leave_the_others_alone(pin_program: PinProgram, settings: Any, travel: Travel) -> None:
    settings.PIN_WITHOUT_SECRET_PER_ADDRESS_PER_DAY = 1
    travel()
    answers = [pin_program.ask(make_person().number, REMOTE_ADDR=f"192.0.2.{n}").status_code for n in range(12)]
    assert answers == [200] * 10 + [429] * 2
    assert pin_program.ask(make_person().number, applicationSecret=pin_program.secret).status_code == 200


def test_a_stranger_cannot_spend_what_one_number_may_get(pin_program: PinProgram, member: User, travel: Travel) -> None:
    number = number_of(member)
    for _n in range(9):
        pin_program.ask(number, REMOTE_ADDR="192.0.2.1")
        travel(hours=1, seconds=5)
    pin_program.ask(number, REMOTE_ADDR="192.0.2.1")
    assert pin_program.ask(number, REMOTE_ADDR="192.0.2.2").status_code == 200


def test_an_old_program_goes_on_without_the_secret(pin_program: PinProgram, settings: Any, travel: Travel) -> None:
    """All its users ask from its server's one address."""
    settings.PIN_WITHOUT_SECRET_PER_ADDRESS_PER_DAY = 2
    travel()
    for _n in range(8):
        assert pin_program.token(make_person().number)


def test_the_operator_can_require_the_secret_always(pin_program: PinProgram, member: User, settings: Any) -> None:
    settings.PIN_WITHOUT_SECRET_PER_ADDRESS_PER_DAY = 0
    refused(pin_program.ask(number_of(member)), 401, "Unauthenticated")
    refused(pin_program.ask(number_of(member), applicationSecret="wrong"), 401, "Unauthenticated")
    assert not SmsMessage.objects.exists()
    assert pin_program.ask(number_of(member), applicationSecret=pin_program.secret).status_code == 200


def test_wrong_secrets_alarm_the_owners_once_a_day(pin_program: PinProgram, member: User, travel: Travel) -> None:
    travel()
    connector = pin_program.connector
    for n in range(40):
        pin_program.ask(number_of(member), applicationSecret=f"wrong {n}")
    event = AuditEvent.objects.get(tag=EventType.WRONG_SECRETS)
    assert event.connector_id == connector.pk
    notice = Notice.objects.get(template="connectors/wrong_secrets")
    assert notice.user == connector.owner
    assert pin_program.token(number_of(member)), "the alarm refuses the program itself nothing"
    travel(days=1, seconds=1)
    for n in range(40):
        pin_program.login(number_of(member), pin="123456", applicationSecret=f"wrong {n}")
    assert AuditEvent.objects.filter(tag=EventType.WRONG_SECRETS).count() == 2


@pytest.mark.usefixtures("travel")  # the window does not end between two of them
def test_programs_cannot_use_up_the_pins_of_people(pin_program: PinProgram, member: User, settings: Any) -> None:
    settings.PIN_PER_NUMBER_PER_DAY = settings.PIN_PER_COUNTRY_PREFIX_PER_DAY = 1
    settings.PIN_WITHOUT_SECRET_PER_ADDRESS_PER_DAY = 1
    pin_program.ask(number_of(member))
    refused(pin_program.ask(number_of(member)), 429, "TooManyRequests")
    assert reauthentication.send_pin(user=member, by=member)


def test_tries_are_throttled_for_each_address(pin_program: PinProgram, member: User, travel: Travel) -> None:
    travel()
    for _try in range(60):
        refused(pin_program.login(number_of(member), pin="123456", applicationSecret="x"), 401, "Unauthenticated")
    refused(pin_program.login(number_of(member), pin="123456", applicationSecret="x"), 429, "TooManyRequests")


@pytest.mark.django_db(transaction=True)
def test_one_pin_makes_one_token(pin_program: PinProgram, member: User, together: Callable[..., list[Any]]) -> None:
    number = number_of(member)
    pin_program.ask(number)
    pin = pin_program.phones.pin(number)
    answers = together(4, lambda: pin_program.login(number, pin=pin).status_code)
    assert sorted(answers) == [200, 400, 400, 400]
    assert RefreshToken.objects.count() == 1
