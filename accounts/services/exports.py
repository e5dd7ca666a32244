"""Taking the audit trail out of the console is itself an act that the trail tells."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from accounts.audit.event_types import EventType
from accounts.audit.record import record
from accounts.models import User


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
