"""POST /v1/generatePin and /v1/loginWithPinAndApplicationId as a program sees them: a user token by PIN."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, Organisation, Person, PinDevice, SmsMessage, User
from accounts.tests.factories import make_person, make_user, verify
from connectors.models import Connector, Grant, RefreshToken
from connectors.services import connectors, grants, words
from connectors.tests.factories import make_connector, make_secret, person_of
from kaizala_console.lib import clock

ASK, LOGIN = "/v1/generatePin", "/v1/loginWithPinAndApplicationId"


class PinProgram:
    """A program that signs its users in by PIN."""

    def __init__(self, connector: Connector, phones: Any) -> None:
        self.connector, self.phones = connector, phones
        self.secret = make_secret(connector)[1]

    def ask(self, number: str, path: str = ASK, **other: Any) -> Any:
        return self.post(path, {"mobileNumber": number, "applicationId": str(self.connector.pk), **other})

    def login(self, number: str, pin: str | None = None, **other: Any) -> Any:
        body = {
            "mobileNumber": number,
            "applicationId": str(self.connector.pk),
            "applicationSecret": self.secret,
            "pin": pin or self.phones.pin(number),
            **other,
        }
        return self.post(LOGIN, {name: value for name, value in body.items() if value is not None})

    def token(self, number: str) -> str:
        assert self.ask(number).status_code == 200
        answer = self.login(number)
        assert answer.status_code == 200, answer.content
        token: str = answer.json()["refreshToken"]
        return token

    def exchange(self, refresh_token: str) -> Any:
        return Client().get(
            "/v1/accessToken",
            headers={
                "applicationId": str(self.connector.pk),
                "applicationSecret": self.secret,
                "refreshToken": refresh_token,
            },
        )

    @staticmethod
    def post(path: str, body: Any) -> Any:
        text = body if isinstance(body, str) else json.dumps(body)
        return Client().post(path, data=text, content_type="application/json")


@pytest.fixture
def pin_program(connector: Connector, phones: Any) -> PinProgram:
    """The developer's connector, with a secret."""
    return PinProgram(connector, phones)


def refused(answer: Any, status: int, code: str) -> str:
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert set(body) == {"message", "errorCode", "errorCategoryKey"}
    assert body["errorCode"] == code
    message: str = body["message"]
    return message


def number_of(user: User) -> str:
    return person_of(user).number


def test_a_pin_gives_a_user_token_that_works(
    pin_program: PinProgram, member: User, travel: Callable[..., dt.datetime]
) -> None:
    now = travel()
    number = number_of(member)
    answer = pin_program.ask(number)
    assert (answer.status_code, answer.json()) == (200, {})
    answer = pin_program.login(number)
    body = answer.json()
    assert set(body) == {"refreshToken", "grantedScope", "refreshTokenExpiry"}
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
    assert (words.names(grant.permissions), grant.confirmed_by) == (["textmessage"], second_admin)


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
    from accounts.services import confirmations

    confirmations.send_pin(user=member, by=member)
    refused(pin_program.login(number_of(member)), 400, "InvalidParameters")
    assert not Grant.objects.exists()


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


def test_the_operator_can_let_the_oldest_programs_leave_the_secret_out(
    pin_program: PinProgram, member: User, settings: Any
) -> None:
    settings.PIN_LOGIN_WITHOUT_SECRET = True
    pin_program.ask(number_of(member))
    refused(pin_program.login(number_of(member), applicationSecret="wrong"), 401, "Unauthenticated")
    assert pin_program.login(number_of(member), applicationSecret=None).status_code == 200


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


def test_pins_are_throttled_for_each_number(pin_program: PinProgram, member: User, travel: Any) -> None:
    number = number_of(member)
    pin_program.ask(number)
    answer = pin_program.ask(number)
    refused(answer, 429, "TooManyRequests")
    assert int(answer["Retry-After"]) > 0
    for _n in range(9):
        travel(hours=1, seconds=5)
        assert pin_program.ask(number).status_code == 200
    travel(hours=1, seconds=5)
    refused(pin_program.ask(number), 429, "TooManyRequests")


def test_pins_are_throttled_for_each_connector_and_address(pin_program: PinProgram, settings: Any, travel: Any) -> None:
    settings.PIN_PER_CONNECTOR_PER_DAY = 2
    for n in range(2):
        assert pin_program.ask(make_person().number).status_code == 200, n
    refused(pin_program.ask(make_person().number), 429, "TooManyRequests")


def test_programs_cannot_use_up_the_pins_that_people_need_here(
    pin_program: PinProgram, member: User, settings: Any
) -> None:
    from accounts.services import confirmations

    settings.PIN_PER_NUMBER_PER_DAY = settings.PIN_PER_COUNTRY_PREFIX_PER_DAY = 1
    pin_program.ask(number_of(member))
    refused(pin_program.ask(number_of(member)), 429, "TooManyRequests")
    assert confirmations.send_pin(user=member, by=member)


def test_tries_are_throttled_for_each_address(pin_program: PinProgram, member: User, travel: Any) -> None:
    travel()
    for _try in range(60):
        refused(pin_program.login(number_of(member), pin="123456", applicationSecret="x"), 401, "Unauthenticated")
    refused(pin_program.login(number_of(member), pin="123456", applicationSecret="x"), 429, "TooManyRequests")


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
    assert pin not in told
    assert token not in told
    assert number not in told


@pytest.mark.django_db(transaction=True)
def test_one_pin_at_the_same_moment_makes_one_token(
    pin_program: PinProgram, member: User, together: Callable[..., list[Any]]
) -> None:
    number = number_of(member)
    pin_program.ask(number)
    pin = pin_program.phones.pin(number)
    answers = together(4, lambda: pin_program.login(number, pin=pin).status_code)
    assert sorted(answers) == [200, 400, 400, 400]
    assert RefreshToken.objects.count() == 1
