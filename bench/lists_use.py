"""What is written down while programs and people are at work, for bench/lists_world.py: calls, what the address for
handoffs was told, and files that were uploaded. As the services write it, but by the hundred thousand.
"""

from __future__ import annotations

from typing import Any, Final

from bench.lists_rows import Rows, Sql

CALLED: Final = "GET v1/groups"
DELIVERED, UPLOADED = 21, 22  # kinds of rows, for their ids


def calls(made: Rows, numbers: range, *, grant: Sql, connector: Any, at: Any) -> None:
    """Each grant was used in the hour of this moment; and the connector by all of them together."""
    from django.db.models import F

    from connectors.models import ConnectorDay, ConnectorHour, UsageDay, UsageHour

    hour = at.replace(minute=0, second=0, microsecond=0)
    made.write(UsageHour, numbers, grant=grant, hour=hour, operation=CALLED, scope="groupinfo.read", calls=3)
    made.write(UsageDay, numbers, grant=grant, day=hour.date(), operation=CALLED, calls=3)
    for table, when in ((ConnectorHour, {"hour": hour}), (ConnectorDay, {"day": hour.date()})):
        row, _made = table.objects.get_or_create(connector=connector, operation=CALLED, **when)
        table.objects.filter(pk=row.pk).update(calls=F("calls") + 3 * len(numbers))


def told(made: Rows, numbers: range, *, webhook: Any, lane: Sql, at: Any) -> None:
    """The address for a connector's handoffs was told that each of them waits."""
    from connectors.models import WebhookDelivery, WebhookEvent

    event, group = made.key(DELIVERED), {"groupName": "Depot"}
    made.write(WebhookEvent, numbers, id=event, event_type="HandoffWaiting", data=group)
    made.write(
        WebhookDelivery,
        numbers,
        webhook=webhook,
        event=event,
        event_type="HandoffWaiting",
        lane=lane,
        state=WebhookDelivery.State.DELIVERED,
        next_attempt_at=None,
        finished_at=at,
        tries=1,
    )


def uploads(made: Rows, numbers: range, *, group: Any, by: Any, at: Any) -> None:
    """A file with users of the group, again and again; all of them are done."""
    from groups.models import BulkJob

    done = {name: made.moment(at, "n / 1000.0") for name in ("created_at", "checked_at", "approved_at", "finished_at")}
    made.write(
        BulkJob,
        numbers,
        id=made.key(UPLOADED),
        kind=BulkJob.Kind.USERS,
        group=group,
        organisation=group.organisation,
        by=by,
        file_name=Sql("'users-' || n || '.csv'"),
        file_size=1,
        sha256="0" * 64,
        region="IN",
        language="en",
        **done,
    )
