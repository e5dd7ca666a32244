"""A worker that survives when its broker ends in the middle of a task."""

from __future__ import annotations

from typing import Any

from celery.worker.consumer import Consumer


class SteadyConsumer(Consumer):
    """As Celery's own. But that one, when Redis has gone with a task in hand, dies of it after all.

    Celery 5.7 closes the broken connection for good, and then the channel asks it for the address: to give the message
    back, and once more when the task is done and to be acknowledged. There is nobody to tell: the message is in Redis
    and comes again, or is lost with it, and then the timetable finds the row that it told of.
    """

    def on_connection_error_after_connected(self, exc: Exception) -> Any:
        """Has the lost channel say no more, and Celery connect anew."""
        channel = getattr(self.connection, "_default_channel", None)
        if channel is not None:
            channel.do_restore = False
            channel.basic_ack = channel.basic_reject = _to_nobody
        return super().on_connection_error_after_connected(exc)


def _to_nobody(*_arguments: Any, **_more: Any) -> None:
    """What would be said on a channel that is no more."""
