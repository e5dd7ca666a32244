"""Messages to people, by mail or SMS. The row is the queue; a task only says that one is there.

Sent at least once, and once unless the worker dies between the answer of the mail server (or SMS gateway) and the next
statement: then the same Message-ID goes out again, by which mailboxes recognise a double.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from smtplib import SMTPException
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from celery import signature
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F
from django.template import Context, Engine
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import sms
from accounts.audit.events import EventType
from accounts.audit.record import Actor, record
from accounts.models import Notice, User
from accounts.sms.base import SmsRefused
from kaizala_console.lib import clock, moments, outbox
from kaizala_console.lib.background import after_commit
from kaizala_console.lib.errors import Conflict, ConsoleError
from kaizala_console.lib.logging import redact

logger = structlog.get_logger(__name__)

DELIVER = "accounts.tasks.deliver_notice"  # by name: this layer does not import the tasks above it
# How long after its nth try a notice is tried again. The first is longer than a task may run, so it is the lease too.
RETRY_AFTER = [dt.timedelta(minutes=minutes) for minutes in (2, 5, 15, 60, 180, 360, 720)]
GIVE_UP_AFTER = dt.timedelta(days=5)  # as long as mail servers themselves try (RFC 5321 §4.5.4.1)
MUTED = "The account wants no mail about this."


@dataclass(frozen=True, slots=True)
class NoticeTopic:
    """What some mails are about: one choice in the settings. `templates` are names below `templates/mail/`."""

    key: str
    label: str | Promise
    help_text: str | Promise
    templates: frozenset[str]


def _of_connectors(*names: str) -> frozenset[str]:
    return frozenset(f"connectors/{name}" for name in names)


# A template of no topic is always sent: a changed phone number, a leaked secret, a new key, another owner. Who takes an
# account over must not be able to switch those off.
TOPICS: Final = (
    NoticeTopic(
        "requests",
        _("Requests"),
        _("Access requests, and answers to yours."),
        _of_connectors(
            "requests_made",
            "requests_expired",
            "request_approved",
            "request_refused",
            "user_token_asked",
            "user_token_confirmed",
            "user_token_expired",
            "user_token_refused",
        ),
    ),
    NoticeTopic(
        "handoffs",
        _("Handoffs"),
        _("Refresh tokens that are ready, claimed or expired."),
        _of_connectors(
            "handoff_made",
            "handoff_claimed",
            "handoff_claimed_by_program",
            "handoff_expired",
            "handoff_refused",
            "handoff_rotated",
        ),
    ),
    NoticeTopic(
        "ends",
        _("Ends soon"),
        _("Reminders 90, 30, 14, 7, 3 and 1 days before a secret, refresh token, access or webhook ends."),
        _of_connectors("grant_ended", "grant_ends", "secret_ends", "token_ends", "webhook_ends"),
    ),
    NoticeTopic(
        "faults",
        _("Problems"),
        _("Failing webhooks, refused stored credentials, and connectors or groups without an owner or admin."),
        _of_connectors("orphan_connector", "orphan_group", "orphan_phone", "cached_token_refused", "webhook_ended"),
    ),
)


def get_topic(template: str) -> str:
    """The key of the topic that a template belongs to; "" for what is always sent."""
    return next((topic.key for topic in TOPICS if template in topic.templates), "")


@transaction.atomic
def queue(*, user: User, template: str, key: str, context: Mapping[str, Any], number: str = "") -> Notice:
    """Writes down, in the caller's transaction, what is to be told to `user`; a worker sends it after the commit.

    `template` names `templates/mail/<template>.txt`, whose first line is the subject; or, with a `number` (E.164) that
    is to get it by SMS, `templates/sms/<template>.txt`. `key` says which fact is told: the same key again changes
    nothing and returns the first notice. `context` is JSON and holds no secret; a moment in it is called "…_at". What
    the account wants no mail about is written down all the same, and not sent.
    """
    muted = not number and get_topic(template) in user.muted_mail
    facts = {"user": user, "number": number, "template": template, "context": redact(dict(context))}
    if muted:
        facts |= {"next_attempt_at": None, "last_error": MUTED}
    notice, made = Notice.objects.get_or_create(key=key, defaults=facts)
    if made and not muted:
        _wake(notice)
    return notice


def queue_each(users: Iterable[User], *, template: str, key: str, context: Mapping[str, Any]) -> list[Notice]:
    """Queues the same for each of these accounts, once an account; arguments as of `queue`."""
    return [
        queue(user=user, template=template, key=f"{key}:{user.pk}", context=context) for user in dict.fromkeys(users)
    ]


def set_topics(*, user: User, wanted: Collection[str]) -> None:
    """Sets which topics (keys of `TOPICS`) the account gets mails about, from now on; unknown ones are
    left out. What belongs to no topic is always sent. It concerns the user alone, so there is no audit row.
    """
    user.muted_mail = [topic.key for topic in TOPICS if topic.key not in wanted]
    User.objects.filter(pk=user.pk).update(muted_mail=user.muted_mail)


def deliver(*, notice_id: UUID) -> bool:
    """Sends the notice if it is due; True when this call sent it.

    Whoever moves `next_attempt_at` on has the notice to themselves until then; all others find it not due. A mail
    server or gateway that fails costs a later try, and after days the notice is given up; at once when the gateway
    will never send to this number.
    """
    notice = Notice.objects.select_related("user").filter(pk=notice_id).first()
    if notice is None or not _claim(notice):
        return False
    if not notice.user.is_active or not (notice.number or notice.user.email):
        _give_up(notice, "The account is deactivated, or has no e-mail address.")
        return False
    sender = sms.text_sender() if notice.number else None
    if notice.number and sender is None:
        _give_up(notice, "No SMS gateway that can send this text is configured.")
        return False
    try:
        if sender is not None:
            sender.send_text(number=notice.number, text=render_sms(notice))
        else:
            _mail(notice).send()
    except SmsRefused as refused:
        _give_up(notice, f"The SMS gateway refused the number: {refused.code}.")
        return False
    except (ConsoleError, SMTPException, OSError) as error:
        _failed(notice, error)
        return False
    Notice.objects.filter(pk=notice.pk).update(sent_at=clock.now(), next_attempt_at=None, last_error="")
    return True


def sweep() -> int:
    """Wakes a worker for every notice that is due, whatever became of the first message; the number of them."""
    now = clock.now()
    waiting = Notice.objects.filter(next_attempt_at__isnull=False)
    waiting.filter(created_at__lt=now - GIVE_UP_AFTER, attempts__gt=0).update(next_attempt_at=None, gave_up_at=now)
    return outbox.sweep(waiting, now=now, wake=_wake)


@transaction.atomic
def send_again(*, notice: Notice, by: Actor) -> Notice:
    """Puts a notice that was given up back into the queue, for an operator. Conflict when it was not given up."""
    now = clock.now()
    # Made anew, as it were: it gets as many days as the first time.
    again = Notice.objects.filter(pk=notice.pk, gave_up_at__isnull=False).update(
        gave_up_at=None, attempts=0, created_at=now, **outbox.schedule(now)
    )
    if not again:
        raise Conflict
    record(EventType.NOTICE_REQUEUED, by=by, subject=notice, organisation=notice.user.organisation)
    _wake(notice)
    notice.refresh_from_db()
    return notice


def render(notice: Notice) -> tuple[str, str]:
    """Subject and body, in the reader's language and zone, else in the console's own."""
    subject, _newline, body = _rendered(notice, "mail").partition("\n")
    return subject.strip(), body.strip() + "\n"


def render_sms(notice: Notice) -> str:
    """The text, on one line, in the reader's language, else in the console's own."""
    return " ".join(_rendered(notice, "sms").split())


def reader_language(user: User) -> AbstractContextManager[None]:
    """Has words put in the language that this person reads mails in: their own choice, else the console's."""
    language: AbstractContextManager[None] = translation.override(user.language or settings.LANGUAGE_CODE)
    return language


def _rendered(notice: Notice, folder: str) -> str:
    user = notice.user
    with reader_language(user), timezone.override(moments.zone_called(user.time_zone)):
        values = {**_in_words(notice.context), "user": user, "base_url": settings.CONSOLE_BASE_URL}
        template = Engine.get_default().get_template(f"{folder}/{notice.template}.txt")
        # Plain text: a name with an ampersand must stay as it is.
        return template.render(Context(values, autoescape=False)).strip()


def _in_words(facts: Any) -> Any:
    """Adds to each moment "…_at" (ISO 8601, or empty) the words "…_at_text", in the reader's zone and language."""
    if isinstance(facts, list):
        return [_in_words(one) for one in facts]
    if not isinstance(facts, Mapping):
        return facts
    texts = {
        f"{name}_text": moments.exact(dt.datetime.fromisoformat(value))
        for name, value in facts.items()
        if name.endswith("_at") and value
    }
    return {name: _in_words(value) for name, value in facts.items()} | texts


def _wake(notice: Notice) -> None:
    task = signature(DELIVER)
    after_commit(task.set(queue="sms") if notice.number else task, notice_id=str(notice.pk))


def _claim(notice: Notice) -> bool:
    mine = Notice.objects.filter(pk=notice.pk, attempts=notice.attempts)
    lease = outbox.backoff(RETRY_AFTER, notice.attempts)
    return outbox.claim(mine, now=clock.now(), lease=lease, attempts=F("attempts") + 1) is not None


def _mail(notice: Notice) -> EmailMessage:
    subject, body = render(notice)
    host = urlsplit(settings.CONSOLE_BASE_URL).hostname or "localhost"
    return EmailMessage(
        subject,
        body,
        to=[notice.user.email],
        headers={"Message-ID": f"<{notice.pk}@{host}>", "Auto-Submitted": "auto-generated"},  # RFC 3834
    )


def _failed(notice: Notice, error: Exception) -> None:
    # A gateway's error is worded for somebody who waits for a PIN.
    said = error.code if isinstance(error, ConsoleError) else error
    reason = redact(f"{type(error).__name__}: {said}")[:200]
    logger.warning("notice.not_sent", notice_id=str(notice.pk), attempt=notice.attempts + 1, reason=reason)
    if clock.now() - notice.created_at >= GIVE_UP_AFTER:
        _give_up(notice, reason)
    else:
        Notice.objects.filter(pk=notice.pk).update(last_error=reason)


def _give_up(notice: Notice, reason: str) -> None:
    Notice.objects.filter(pk=notice.pk, sent_at__isnull=True).update(
        gave_up_at=clock.now(), next_attempt_at=None, last_error=reason
    )
