"""Writes the audit trail: one row for each act, in the transaction of the act itself.

So either both are there or neither is. Names are copied in; secrets never are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypedDict, Unpack, cast
from uuid import UUID

from django.db import models, transaction

from accounts.audit.events import EventType
from accounts.audit.sentences import extract_names
from accounts.models import AuditEvent, Organisation, User
from kaizala_console.lib import clock, request_context
from kaizala_console.lib.logging import redact


class About(TypedDict, total=False):
    """`organisation` is whose admins may read the row; leave it out for what is private (a private group, say).
    `before` and `after` hold what changed, as JSON can say it.

    Without `organisation`, a subject that has an `audit_scope` says in whose history the row belongs.
    """

    organisation: Organisation | None
    connector_id: UUID | None
    group_id: UUID | None
    person_id: UUID | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


class Actor(Protocol):
    """Who acts: a `User`, `SYSTEM`, or the caller behind an access token."""

    def audit_actor(self) -> tuple[str, str, str]:
        """Kind (`user`, `connector`, `system`), id, and the name that people know."""


@dataclass(frozen=True)
class SystemActor:
    """The console itself: the worker, a timetable, a command."""

    name: str = "Kaizala Console"

    def audit_actor(self) -> tuple[str, str, str]:
        """Has no id."""
        return "system", "", self.name


SYSTEM = SystemActor()
_AT_ONCE: Final = 500


def record(tag: EventType, *, by: Actor, subject: models.Model, **about: Unpack[About]) -> AuditEvent:
    """Adds one row: `by` did `tag` to `subject`. Call it inside the transaction of the act.

    Phone numbers go in masked, credentials never (what looks like one of ours is blacked out). Raises RuntimeError
    outside a transaction.
    """
    _in_the_transaction_of_the_act()
    return AuditEvent.objects.create(**_columns(tag, by, subject, **_scoped(subject, about)))


def record_all(events: Iterable[AuditEvent]) -> None:
    """Adds many rows, each of `event`, in their order and in few statements. Otherwise as `record`."""
    _in_the_transaction_of_the_act()
    AuditEvent.objects.bulk_create(events, batch_size=_AT_ONCE)


def event(tag: EventType, *, by: Actor, subject: models.Model, **about: Unpack[About]) -> AuditEvent:
    """What `record` would write, for `record_all`."""
    return AuditEvent(**_columns(tag, by, subject, **_scoped(subject, about)))


def _scoped(subject: models.Model, about: About) -> About:
    if "organisation" in about:
        return about
    return cast(About, {**getattr(subject, "audit_scope", {}), **about})


def _in_the_transaction_of_the_act() -> None:
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("An audit row is written in the transaction of the act that it tells.")


def _columns(
    tag: EventType,
    by: Actor,
    subject: models.Model,
    organisation: Organisation | None = None,
    connector_id: UUID | None = None,
    group_id: UUID | None = None,
    person_id: UUID | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    kind, actor_id, actor_name = by.audit_actor()
    here = request_context.current()
    columns = {
        "at": clock.now(),
        "tag": tag,
        "actor_kind": kind,
        "actor_id": actor_id,
        "actor_name": redact(actor_name)[:120],
        "organisation": organisation,
        "subject_kind": subject.__class__.__name__.lower(),
        "subject_id": str(subject.pk),
        "subject_name": redact(str(subject))[:200],
        "connector_id": connector_id,
        "group_id": group_id,
        "person_id": person_id,
        "before": redact(dict(before or {})),
        "after": redact(dict(after or {})),
        "client_address": here.client_address or None,
        "request_id": redact(here.request_id)[:64],
    }
    columns["search_text"] = extract_names(tag, columns)
    return columns


@transaction.atomic
def record_export(*, by: User, file_format: str, filters: Mapping[str, str]) -> None:
    """Writes down who exports what; before the first line leaves."""
    record(
        EventType.AUDIT_EXPORTED,
        by=by,
        subject=by,
        organisation=by.organisation,
        after={"format": file_format, "filters": dict(filters)},
    )
