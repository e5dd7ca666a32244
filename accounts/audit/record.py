"""Writes the audit trail: one row for each act, in the transaction of the act itself.

So either both are there or neither is. Names are copied in; secrets never are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from django.db import models, transaction

from accounts.audit.chain import chain_after_commit
from accounts.audit.tags import Tag
from accounts.models import AuditEvent, Organisation
from kaizala_console.lib import context
from kaizala_console.lib.logs import redact


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


def record(
    tag: Tag,
    *,
    by: Actor,
    subject: models.Model,
    organisation: Organisation | None = None,
    connector_id: UUID | None = None,
    group_id: UUID | None = None,
    person_id: UUID | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Adds one row: `by` did `tag` to `subject`. Call it inside the transaction of the act.

    `organisation` is whose admins may read the row; leave it out for what is private (a private group, say).
    `before` and `after` hold what changed, as JSON can say it; phone numbers go in masked, credentials never
    (what looks like one of ours is blacked out). Raises RuntimeError outside a transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("An audit row is written in the transaction of the act that it tells.")
    kind, actor_id, actor_name = by.audit_actor()
    here = context.current()
    chain_after_commit()
    return AuditEvent.objects.create(
        tag=tag,
        actor_kind=kind,
        actor_id=actor_id,
        actor_name=actor_name[:120],
        organisation=organisation,
        subject_kind=subject.__class__.__name__.lower(),
        subject_id=str(subject.pk),
        subject_name=str(subject)[:200],
        connector_id=connector_id,
        group_id=group_id,
        person_id=person_id,
        before=redact(dict(before or {})),
        after=redact(dict(after or {})),
        client_address=here.client_address or None,
        request_id=here.request_id[:64],
    )
