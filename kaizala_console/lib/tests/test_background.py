"""Waking someone up after the commit."""

from typing import Any

import pytest
import structlog
from django.db import transaction

from kaizala_console.lib.background import after_commit


class Task:
    """Stands where a Celery task stands, and remembers what it was asked."""

    name = "tests.wake"

    def __init__(self, problem: Exception | None = None) -> None:
        self.calls: list[dict[str, Any]] = []
        self.options: list[dict[str, Any]] = []
        self.problem = problem

    def apply_async(self, *, kwargs: dict[str, Any], **options: Any) -> None:
        if self.problem:
            raise self.problem
        self.calls.append(kwargs)
        self.options.append(options)


@pytest.mark.django_db(transaction=True)
def test_a_task_is_dispatched_after_the_commit_and_not_before() -> None:
    task = Task()
    with transaction.atomic():
        after_commit(task, handoff_id="7")
        assert task.calls == []
    assert task.calls == [{"handoff_id": "7"}]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_dispatched_when_the_transaction_rolls_back() -> None:
    task = Task()
    with transaction.atomic():
        after_commit(task, handoff_id="7")
        transaction.set_rollback(True)
    assert task.calls == []


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_is_logged_and_breaks_nothing_after_it() -> None:
    down, up = Task(ConnectionRefusedError("no broker")), Task()
    with structlog.testing.capture_logs() as lines, transaction.atomic():
        after_commit(down, handoff_id="secret-looking-value")
        after_commit(up)
    assert up.calls == [{}]
    [line] = lines
    assert (line["event"], line["log_level"], line["task"]) == ("background.dispatch_failed", "error", "tests.wake")
    assert line["arguments"] == ["handoff_id"]
    assert "secret-looking-value" not in str(line)


@pytest.mark.django_db(transaction=True)
def test_the_request_does_not_wait_for_retries() -> None:
    task = Task()
    after_commit(task)
    assert task.options == [{"retry": False, "ignore_result": True}]
