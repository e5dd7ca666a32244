"""A credential on somebody's screen: the same form sent again shows the same credential, for some minutes.

The form carries a random hidden `idempotency_key`. It is part of the key that the credential is sealed with, and only a
keyed digest of it is stored, so the row alone opens nothing.
"""

from __future__ import annotations

import datetime as dt
import secrets
from typing import TypeVar

from django.conf import settings
from django.db import models, transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from connectors.models import OneTimeSecret
from kaizala_console.lib import clock, crypto
from kaizala_console.lib.errors import Conflict, RuleBroken

Subject = TypeVar("Subject", bound=models.Model)
SHORTEST_FORM_KEY = 22  # characters; 128 bits in base 64
LONGEST_FORM_KEY = 128


def new_form_key() -> str:
    """A key for one form, for a hidden field."""
    return secrets.token_urlsafe(24)


@sensitive_variables("idempotency_key", "token")
@transaction.atomic
def remember(*, user: User, idempotency_key: str, subject: models.Model, token: str) -> None:
    """Keep `token` for this form of this person; in the transaction that made or claimed it.

    Raises RuleBroken when the form key is none of ours: without one, a lost answer would lose the credential.
    """
    require_form_key(idempotency_key)
    store(tag=_tag(user, idempotency_key), extra_secret=idempotency_key, subject=subject, token=token, user=user)


@sensitive_variables("idempotency_key")
def recall(*, user: User, idempotency_key: str, subject: models.Model | None = None) -> str | None:
    """The credential that this form has shown already, or None.

    Raises Conflict when `subject` is given and the form was used for something else: it must not show another's.
    """
    row = find(user=user, idempotency_key=idempotency_key)
    if row is None:
        return None
    if subject is not None and (row.subject_kind, row.subject_id) != (get_kind(subject), str(subject.pk)):
        raise Conflict(_("This form has expired. Reload the page."), code="form_used")
    return open_stored(row, idempotency_key)


@sensitive_variables("idempotency_key", "token")
def recall_with_subject(
    *, user: User, idempotency_key: str, among: models.QuerySet[Subject]
) -> tuple[Subject, str] | None:
    """What this form has made already, one of `among`, and its credential; None for a form that was not sent before.

    Raises Conflict when it made something else, or what it made cannot be shown any more.
    """
    row = find(user=user, idempotency_key=idempotency_key)
    if row is None:
        return None
    is_of_kind = row.subject_kind == among.model.__name__.lower()
    subject = among.filter(pk=row.subject_id).first() if is_of_kind else None
    token = open_stored(row, idempotency_key) if subject is not None else None
    if subject is None or token is None:
        raise Conflict(_("This form has expired. Reload the page."), code="form_used")
    return subject, token


@sensitive_variables("idempotency_key")
def find(*, user: User, idempotency_key: str) -> OneTimeSecret | None:
    """The row of this form, when there is one that is not overdue."""
    if not SHORTEST_FORM_KEY <= len(idempotency_key) <= LONGEST_FORM_KEY:
        return None
    return find_stored(_tag(user, idempotency_key))


@sensitive_variables("idempotency_key")
def done(*, user: User, idempotency_key: str) -> None:
    """The person has stored the credential: forget it now."""
    if SHORTEST_FORM_KEY <= len(idempotency_key) <= LONGEST_FORM_KEY:
        OneTimeSecret.objects.filter(form_tag=_tag(user, idempotency_key)).delete()


def forget(subject_kind: str, subject_ids: list[str]) -> None:
    """Take these off every screen: what they show has been revoked."""
    OneTimeSecret.objects.filter(subject_kind=subject_kind, subject_id__in=subject_ids).delete()


def sweep() -> int:
    """Delete expired rows; return how many."""
    return OneTimeSecret.objects.overdue(clock.now()).delete()[0]


def get_kind(subject: models.Model) -> str:
    """How a row names the kind of thing whose credential it shows."""
    return type(subject).__name__.lower()


@sensitive_variables("idempotency_key")
def require_form_key(idempotency_key: str) -> None:
    """Raise RuleBroken unless the text can be a form key."""
    if not (SHORTEST_FORM_KEY <= len(idempotency_key) <= LONGEST_FORM_KEY and idempotency_key.isascii()):
        raise RuleBroken(
            _("This form is incomplete. Reload the page and send it again."),
            code="idempotency_key",
            field="idempotency_key",
        )


@sensitive_variables("idempotency_key")
def _tag(user: User, idempotency_key: str) -> str:
    return crypto.hmac_tag("shown-secret", str(user.pk), idempotency_key).hex()


# For whoever asks again with a secret of their own, a form or a program. `tag` is a keyed digest of who they are and of
# that secret.


@sensitive_variables("extra_secret", "token")
def store(*, tag: str, extra_secret: str, subject: models.Model, token: str, user: User | None = None) -> None:
    """Keep `token` for some minutes, sealed with the server's key and this secret."""
    now = clock.now()
    OneTimeSecret.objects.filter(form_tag=tag).overdue(now).delete()
    OneTimeSecret.objects.create(
        user=user,
        form_tag=tag,
        subject_kind=get_kind(subject),
        subject_id=str(subject.pk),
        sealed=crypto.seal_with_secret(token.encode(), context=_context(tag), extra_secret=extra_secret.encode()),
        shown_at=now,
        expires_at=now + dt.timedelta(seconds=settings.SHOWN_SECRET_SECONDS),
    )


def find_stored(tag: str) -> OneTimeSecret | None:
    """The row, unless it is overdue."""
    return OneTimeSecret.objects.filter(form_tag=tag, expires_at__gt=clock.now()).first()


@sensitive_variables("extra_secret")
def open_stored(row: OneTimeSecret, extra_secret: str) -> str | None:
    """The credential in the row; None when the server's key has been changed since."""
    try:
        return crypto.open_with_secret(
            bytes(row.sealed), context=_context(row.form_tag), extra_secret=extra_secret.encode()
        ).decode()
    except crypto.WrongKey:
        return None


def _context(tag: str) -> bytes:
    return f"connectors.OneTimeSecret:{tag}".encode()
