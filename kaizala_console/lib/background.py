"""Waking someone up after the commit.

The row is the queue: what has to be done stands in the database before anybody is told. So a broker that is
down costs time (until the sweeper comes by), never work, and never the request that wrote the row.
"""

from functools import partial
from typing import Any, Protocol

import structlog
from django.db import transaction

logger = structlog.get_logger(__name__)


class Dispatchable(Protocol):
    """What is needed of a Celery task."""

    name: str

    def apply_async(self, *, kwargs: dict[str, Any], **options: Any) -> Any:
        """Send the task to the broker."""


def after_commit(task: Dispatchable, **kwargs: Any) -> None:
    """Dispatch ``task`` with ``kwargs`` once the surrounding transaction has committed; at once outside of one.

    Pass ids, not objects and never secrets: a message may be a plain file. Nothing is dispatched when the
    transaction rolls back. Failure to reach the broker is logged and swallowed, here alone in the house.
    """
    transaction.on_commit(partial(_dispatch, task, kwargs), robust=True)


def _dispatch(task: Dispatchable, kwargs: dict[str, Any]) -> None:
    try:
        # No retries: a person is waiting for this request, and the sweeper will find the row.
        task.apply_async(kwargs=kwargs, retry=False, ignore_result=True)
    except Exception:
        logger.exception("background.dispatch_failed", task=task.name, arguments=sorted(kwargs))
