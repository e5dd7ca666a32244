"""The console as a client of the Token Service: over HTTP, with requests, like any other program (wire protocol §4)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from http import HTTPStatus

import requests
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from kaizala_console.lib import clock

TIMEOUT = (5, 15)  # seconds: to connect, and between two bytes
_UNREADABLE = "The Token Service did not answer in the form of the protocol."


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the Token Service gave. `successor` is empty but near the end of the refresh token's life."""

    access_token: str = field(repr=False)
    expires_at: dt.datetime
    scope: str
    successor: str = field(repr=False)


class Refused(Exception):
    """The credentials are not accepted; trying again with them is of no use. The text is the service's own."""


class NoAnswer(Exception):
    """No token this time, and nothing against the credentials: `retry_after` is in seconds, when the service named it.

    `is_down` tells an outage from a service that is there and has no time.
    """

    def __init__(self, reason: str, *, retry_after: int | None = None, is_down: bool = False) -> None:
        super().__init__(reason)
        self.retry_after, self.is_down = retry_after, is_down


@sensitive_variables()
def fetch(*, connector_id: str, secret: str, refresh_token: str) -> Fetched:
    """Trade the refresh token for an access token. Raises Refused and NoAnswer, neither with a credential in it."""
    headers = {"applicationId": connector_id, "applicationSecret": secret, "refreshToken": refresh_token}
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy of the environment gets to see credentials
            answer = session.get(
                f"{settings.TOKEN_SERVICE_URL}/v1/accessToken", headers=headers, timeout=TIMEOUT, allow_redirects=False
            )
    except requests.RequestException as problem:
        raise NoAnswer(f"The Token Service cannot be reached ({type(problem).__name__}).", is_down=True) from None
    return _read(answer)


@sensitive_variables()
def _read(answer: requests.Response) -> Fetched:
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        raise Refused(_message(answer))
    if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        after = answer.headers.get("Retry-After", "")
        raise NoAnswer("The Token Service asks to wait.", retry_after=int(after) if after.isdecimal() else None)
    if answer.status_code != HTTPStatus.OK:
        is_down = answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        raise NoAnswer(f"The Token Service answered with status {answer.status_code}.", is_down=is_down)
    try:
        body = answer.json()
        return Fetched(
            access_token=str(body["accessToken"]),
            expires_at=clock.from_epoch_ms(int(body["accessTokenExpiry"])),
            scope=str(body["scope"]),
            successor=str(body["refreshToken"]),
        )
    except (ValueError, TypeError, KeyError):
        raise NoAnswer(_UNREADABLE) from None


def _message(answer: requests.Response) -> str:
    """The service's own words: they never repeat what was sent (wire protocol §3)."""
    try:
        return str(answer.json()["message"])[:300]
    except (ValueError, TypeError, KeyError):
        return _UNREADABLE
