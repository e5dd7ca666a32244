"""Sending deliveries: a worker's run, one try, and what is stored of the receiver's answer.

A worker process makes one run at a time. Several processes make one each, and never send the same webhook's events
side by side (`schedule`). The run's own thread reads and writes all rows, so a run needs one database connection,
however many threads wait for receivers.
"""

from __future__ import annotations

import codecs
import datetime as dt
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Final

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import F
from django.utils.http import parse_http_date_safe

from connectors import token_format
from connectors.models import Webhook, WebhookAttempt, WebhookDelivery
from connectors.models.webhook import MOST_ANSWER_CHARACTERS
from connectors.webhooks import publish, schedule
from connectors.webhooks.signing import TOKEN_HEADER, PreparedRequest
from kaizala_console.lib import clock, http_client, outbox

logger = structlog.get_logger(__name__)

State = WebhookDelivery.State
RUN_SECONDS: Final = 60.0  # then the worker's thread is given back, and another message asks for the next turn
_PATIENCE: Final = 1.0  # how long new rows wait while all that was due is under way
# Not in the cache: a killed process takes it along, and no other process waits for it.
_run_lock = threading.Lock()


def deliver_due(*, seconds: float = RUN_SECONDS) -> int:
    """Deliver what is due, and what comes due meanwhile, until nothing is left or the turn is over; how many tries.

    While another thread of this process is at it, it is left to that one.
    """
    schedule.correct_clock()
    ends, tries = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        if not _run_lock.acquire(blocking=False):
            return tries
        try:
            tries += DeliveryRun().run(until=ends)
        finally:
            _run_lock.release()
        # A message that came while the lock was held was left to this run.
        if time.monotonic() < ends and not cache.get(publish.NOTIFIED_KEY):
            return tries
    cache.delete(publish.NOTIFIED_KEY)
    publish.notify_worker()
    return tries


class DeliveryRun:
    """What is under way, and who has which place."""

    def __init__(self) -> None:
        self._slots = schedule.ConcurrencyLimit(settings.WEBHOOK_THREADS)
        self._under_way: dict[Future[DeliveryOutcome], schedule.ClaimedDelivery] = {}
        self._tries = 0

    def run(self, *, until: float) -> int:
        """Work until nothing is due and nothing under way; after `until` (of the monotonic clock) nothing is begun."""
        with ThreadPoolExecutor(self._slots.total, thread_name_prefix="webhooks") as threads:
            while True:
                if time.monotonic() < until:
                    self._begin(threads)
                if not self._under_way:
                    return self._tries
                wait(self._under_way, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
                self._finish()

    def _begin(self, threads: ThreadPoolExecutor) -> None:
        # Before the look: a row that is written later comes with another message.
        cache.delete(publish.NOTIFIED_KEY)
        while self._slots.free:
            taken, may_find_more = schedule.claim_due(self._slots)
            for each in taken:
                future = threads.submit(send, each.prepared, seconds=settings.WEBHOOK_SECONDS)
                self._under_way[future] = each
            self._tries += len(taken)
            if not may_find_more:
                break
        if self._slots.is_short:
            publish.notify_another_worker()

    def _finish(self) -> None:
        done = [(self._under_way.pop(future), future.result()) for future in list(self._under_way) if future.done()]
        if not done:
            return
        for taken, outcome in done:
            self._slots.release(taken.webhook)
            if outcome.is_down:
                schedule.get_circuit(taken.webhook).failed()
        for circuit in {schedule.get_circuit(taken.webhook) for taken, outcome in done if not outcome.is_down}:
            circuit.succeeded()
        record(done)


@transaction.atomic
def record(done: Sequence[tuple[schedule.ClaimedDelivery, DeliveryOutcome]]) -> None:
    """Write down what came back, and when what failed is tried again; the sixth failure stops the webhook."""
    now = clock.now()
    held = Webhook.objects.select_for_update(no_key=True).filter(pk__in={taken.webhook.pk for taken, _outcome in done})
    list(held.order_by("pk").values_list("pk"))
    # A log that was old enough may have been swept; what is still there stays until this is written.
    rows = WebhookDelivery.objects.select_for_update(no_key=True).filter(
        pk__in=[taken.delivery.pk for taken, _ in done]
    )
    there = set(rows.order_by("pk").values_list("pk", flat=True))
    done = [(taken, outcome) for taken, outcome in done if taken.delivery.pk in there]
    WebhookAttempt.objects.bulk_create(
        WebhookAttempt(
            delivery=taken.delivery,
            began_at=taken.at,
            milliseconds=outcome.milliseconds,
            status=outcome.status,
            problem=outcome.problem,
            answer_headers=outcome.answer.headers,
            answer_body=outcome.answer.body,
            answer_text=outcome.answer.text,
        )
        for taken, outcome in done
    )
    for lease_end in {taken.leased_until for taken, _outcome in done}:
        mine = [taken.webhook.pk for taken, _outcome in done if taken.leased_until == lease_end]
        Webhook.objects.filter(pk__in=mine, leased_until=lease_end).update(leased_until=None)
    arrived = [taken for taken, outcome in done if outcome.is_success]
    # Whatever was decided about it in between: it has arrived.
    WebhookDelivery.objects.filter(pk__in=[taken.delivery.pk for taken in arrived]).update(
        state=State.DELIVERED, next_attempt_at=None, finished_at=now
    )
    Webhook.objects.filter(pk__in={taken.webhook.pk for taken in arrived}).update(failures=0, delivered_at=now)
    failed = [(taken, outcome) for taken, outcome in done if not outcome.is_success]
    webhooks = (
        {row.pk: row for row in schedule.get_locked_webhooks({taken.webhook.pk for taken, _outcome in failed})}
        if failed
        else {}
    )
    for taken, outcome in failed:
        _record_failure(taken, webhooks[taken.webhook.pk], now, outcome.retry_after)


def _record_failure(
    taken: schedule.ClaimedDelivery, webhook: Webhook, now: dt.datetime, asked: dt.timedelta | None
) -> None:
    delivery = taken.delivery
    Webhook.objects.filter(pk=webhook.pk).update(
        failures=F("failures") + 1, **({"backoff_until": now + asked} if asked is not None else {})
    )
    pause = schedule.get_pause_until_next(delivery.tries, delivery.first_tried_at or taken.at, now, asked)
    still_mine = WebhookDelivery.objects.filter(pk=delivery.pk, state=State.WAITING, next_attempt_at=taken.leased_until)
    if pause is not None:
        still_mine.update(**outbox.schedule(now, pause))
    elif still_mine.exists():
        schedule.give_up(delivery, webhook, now)


# ----------------------------------------------------------------------------------------------------
# What is stored of a receiver's answer: status, helpful headers, and how the body begins, as harmless text. A receiver
# may print what it got, so its own token and our credentials are taken out. All of it is a stranger's text.


Body = WebhookAttempt.Body
# 2,000 characters of four bytes each, and room for the token that may begin in the last of them.
MOST_RESPONSE_BYTES: Final = 4 * MOST_ANSWER_CHARACTERS + 2048
KEPT_HEADERS: Final = (
    "Content-Type",
    "Content-Length",
    "Content-Encoding",
    "Location",
    "Retry-After",
    "Allow",
    "WWW-Authenticate",
    "Server",
    "Via",
    "Date",
    "X-Request-Id",
    "X-Correlation-Id",
)
MOST_HEADER_CHARACTERS: Final = 300
HIDDEN_TEXT: Final = "…"
LONGEST_RETRY_AFTER: Final = dt.timedelta(days=2)  # more is no answer for a delivery that has two days in all
_SHORTEST_SECRET: Final = 4  # what is shorter is no secret, and occurs in any text
_MOST_CONTROLS: Final = 0.1  # of a text; what has more of them is none
_ASKS_TO_WAIT: Final = frozenset({429, 503})
_WESTERN: Final = ("iso-8859-1", "windows-1252", "latin1")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# In addition to controls: what turns the direction of the text that follows, what breaks lines, and what is invisible.
_HARMFUL: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e0fff]"
)


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """What `WebhookAttempt` keeps of an answer, in its columns; `NO_RESPONSE` when there was none."""

    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    text: str = ""


NO_RESPONSE: Final = KeptResponse()


def keep_response(
    headers: Mapping[str, str], body: bytes, *, is_whole: bool, secrets: Iterable[str] = ()
) -> KeptResponse:
    """An answer whose body begins with `body`, and ends with it if `is_whole`; without these secrets."""
    hidden = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
    shown = {
        name: _neutralise(_hide_secrets(hidden, headers[name])[:MOST_HEADER_CHARACTERS]).replace("\n", "␊")
        for name in KEPT_HEADERS
        if name in headers
    }
    if not body:
        return KeptResponse(shown, Body.EMPTY.value if is_whole else "")
    text = _decode_body(headers, body)
    if text is None:
        return KeptResponse(shown, Body.BINARY.value)
    text = _hide_secrets(hidden, text.replace("\r\n", "\n").replace("\r", "\n"))
    is_all = is_whole and len(text) <= MOST_ANSWER_CHARACTERS
    return KeptResponse(shown, (Body.TEXT if is_all else Body.CUT).value, _neutralise(text[:MOST_ANSWER_CHARACTERS]))


def get_retry_after(status: int, headers: Mapping[str, str], at: dt.datetime) -> dt.timedelta | None:
    """For how long the receiver asks to be left alone (RFC 9110 §10.2.3), at `at`; None when it does not, or in vain.

    A date counts from the answer's own `Date`, so that a clock that is wrong changes nothing. What is no number and no
    date, not to come, or longer than a delivery lives, is nonsense, and ignored.
    """
    given = headers.get("Retry-After", "").strip() if status in _ASKS_TO_WAIT else ""
    if given.isascii() and given.isdecimal():
        seconds = int(given) if len(given) < 10 else 0
    else:
        until = parse_http_date_safe(given) if given else None
        if until is None:
            return None
        now = parse_http_date_safe(headers.get("Date", ""))
        seconds = until - (int(at.timestamp()) if now is None else now)
    pause = dt.timedelta(seconds=seconds) if abs(seconds) < 10**9 else dt.timedelta()
    return pause if dt.timedelta() < pause <= LONGEST_RETRY_AFTER else None


def _decode_body(headers: Mapping[str, str], body: bytes) -> str | None:
    """The body as text; None when it is none: compressed, a picture, whatever."""
    if headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        return None
    try:
        # The last character may be cut in two by the bound.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(body)
    except UnicodeDecodeError:
        kind = headers.get("Content-Type", "").lower()
        if not any(charset in kind for charset in _WESTERN):
            return None
        text = body.decode("windows-1252", "replace")
    controls = len(_CONTROLS.findall(text))
    return None if "\0" in text or controls > _MOST_CONTROLS * len(text) else text


def _hide_secrets(secrets: Iterable[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN_TEXT)
    return token_format.PATTERN.sub(HIDDEN_TEXT, text)


def _neutralise(text: str) -> str:
    return _HARMFUL.sub(_picture, text)


def _picture(found: re.Match[str]) -> str:
    """What replaces a character that must not act: its picture, where Unicode has one."""
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"


# ----------------------------------------------------------------------------------------------------
# One try. It touches no database, so it may run in any thread.


Problem = WebhookAttempt.Problem
_CONNECT_SECONDS: Final = 5.0
_BODY_SECONDS: Final = 2.0  # for a text that helps people: a place is not held longer for it


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """What came back: a status, or the problem why there was none; `problem` is empty for 2xx alone.

    `milliseconds` are those until the status. `retry_after` is how long the receiver asks to be left alone, if it does.
    """

    status: int | None
    problem: str
    milliseconds: int
    answer: KeptResponse = NO_RESPONSE
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
            max_bytes=MOST_RESPONSE_BYTES,
        )
        return DeliveryOutcome(
            answer.status,
            _find_problem(answer.status),
            int(answer.seconds * 1000),
            keep_response(
                answer.headers,
                answer.body,
                is_whole=answer.is_whole,
                secrets=[prepared.headers.get(TOKEN_HEADER, "")],
            ),
            get_retry_after(answer.status, answer.headers, clock.now()),
        )
    except http_client.OutboundError as error:
        problem = error.reason if error.reason in Problem.values else Problem.PROTOCOL.value
    except Exception:
        logger.exception("webhooks.send_failed")  # without what was sent: a delivery must not take the others down
        problem = Problem.PROTOCOL.value
    return DeliveryOutcome(None, problem, int((time.monotonic() - began) * 1000))


def _find_problem(status: int) -> str:
    if 200 <= status < 300:
        return ""
    return (Problem.REDIRECT if 300 <= status < 400 else Problem.STATUS).value
