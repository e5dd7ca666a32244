"""One try: sends what was prepared, and says what came back. Touches no database, so that it may run in any thread."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from connectors.models import WebhookAttempt
from connectors.webhooks import receiver_response
from connectors.webhooks.receiver_response import KeptResponse
from kaizala_console.lib import clock, http_client

logger = structlog.get_logger(__name__)

Problem = WebhookAttempt.Problem
TOKEN_HEADER: Final = "kz-callback-token"  # noqa: S105 (a name)
_CONNECT_SECONDS: Final = 5.0
_BODY_SECONDS: Final = 2.0  # for a text that helps people: a place is not held longer for it


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """A request, ready to go. It holds credentials: it is neither logged nor kept."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return "<PreparedRequest>"


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """What came back: a status, or the problem why there was none; `problem` is empty for 2xx alone.

    `milliseconds` are those until the status. `retry_after` is how long the receiver asks to be left alone, if it does.
    """

    status: int | None
    problem: str
    milliseconds: int
    answer: KeptResponse = receiver_response.NOTHING
    retry_after: dt.timedelta | None = None

    @property
    def is_success(self) -> bool:
        return not self.problem

    @property
    def is_down(self) -> bool:
        """Whether the other side gave no answer at all."""
        return self.status is None


def send(prepared: PreparedRequest, *, seconds: float) -> DeliveryOutcome:
    """POST it, in `seconds` at the most. Never raises. The status alone counts; how the body begins is for the log."""
    began = time.monotonic()
    try:
        answer = http_client.post_for_status(
            prepared.url,
            headers=prepared.headers,
            data=prepared.body,
            timeout=(min(_CONNECT_SECONDS, seconds), seconds),
            deadline=seconds,
            body_seconds=min(_BODY_SECONDS, seconds),
            max_bytes=receiver_response.MOST_BYTES,
        )
        return DeliveryOutcome(
            answer.status,
            _problem_of(answer.status),
            int(answer.seconds * 1000),
            receiver_response.keep_response(
                answer.headers,
                answer.body,
                is_whole=answer.is_whole,
                secrets=[prepared.headers.get(TOKEN_HEADER, "")],
            ),
            receiver_response.retry_after(answer.status, answer.headers, clock.now()),
        )
    except http_client.OutboundError as error:
        problem = error.reason if error.reason in Problem.values else Problem.PROTOCOL.value
    except Exception:
        logger.exception("webhooks.send_failed")  # without what was sent: a delivery must not take the others down
        problem = Problem.PROTOCOL.value
    return DeliveryOutcome(None, problem, int((time.monotonic() - began) * 1000))


def _problem_of(status: int) -> str:
    if 200 <= status < 300:
        return ""
    return (Problem.REDIRECT if 300 <= status < 400 else Problem.STATUS).value
