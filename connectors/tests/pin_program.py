"""A program that signs its users in by PIN."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

from accounts.models import User
from connectors.models import Connector
from connectors.tests.factories import make_secret, person_of

ASK, LOGIN = "/v1/generatePin", "/v1/loginWithPinAndApplicationId"


class PinProgram:
    """A program that signs its users in by PIN."""

    def __init__(self, connector: Connector, phones: Any) -> None:
        self.connector, self.phones = connector, phones
        self.secret = make_secret(connector)[1]

    def ask(self, number: str, path: str = ASK, REMOTE_ADDR: str = "127.0.0.1", **other: Any) -> Any:  # noqa: N803 - as Django's client has it
        body = {"mobileNumber": number, "applicationId": str(self.connector.pk), **other}
        return self.post(path, body, REMOTE_ADDR=REMOTE_ADDR)

    def login(self, number: str, pin: str | None = None, **other: Any) -> Any:
        body = {
            "mobileNumber": number,
            "applicationId": str(self.connector.pk),
            "applicationSecret": self.secret,
            "pin": pin or self.phones.pin(number),
            **other,
        }
        return self.post(LOGIN, {name: value for name, value in body.items() if value is not None})

    def sign_in(self, number: str) -> Any:
        """Asks for a PIN, and types it."""
        assert self.ask(number).status_code == 200
        return self.login(number)

    def token(self, number: str) -> str:
        answer = self.sign_in(number)
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
    def post(path: str, body: Any, **environ: Any) -> Any:
        text = body if isinstance(body, str) else json.dumps(body)
        return Client(**environ).post(path, data=text, content_type="application/json")


def refused(answer: Any, status: int, code: str) -> str:
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert set(body) == {"message", "errorCode", "errorCategoryKey"}
    assert body["errorCode"] == code
    message: str = body["message"]
    return message


def number_of(user: User) -> str:
    return person_of(user).number
