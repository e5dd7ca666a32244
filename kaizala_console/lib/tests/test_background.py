"""Work after a request: tasks that are woken by the commit, and facts that are written later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog
from django.db import transaction

from kaizala_console.lib.background import after_commit
from kaizala_console.lib.write_behind import WriteBehind


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
def test_a_task_is_dispatched_after_the_commit_alone_and_the_request_does_not_wait_for_retries() -> None:
    task = Task()
    with transaction.atomic():
        after_commit(task, handoff_id="7")
        transaction.set_rollback(True)
    with transaction.atomic():
        after_commit(task, handoff_id="8")
        assert task.calls == []
    assert task.calls == [{"handoff_id": "8"}]
    assert task.options == [{"retry": False, "ignore_result": True}]


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


ROOT = Path(__file__).resolve().parent.parent.parent.parent


class Store:
    """What was written; `broken` makes writing fail."""

    def __init__(self) -> None:
        self.written: list[dict[str, int]] = []
        self.broken = False

    def write(self, facts: Mapping[str, int]) -> None:
        if self.broken:
            raise OSError("the disk is full")
        self.written.append(dict(facts))

    def total(self, key: str) -> int:
        return sum(facts.get(key, 0) for facts in self.written)


@pytest.fixture
def store() -> Store:
    return Store()


def buffer_of(store: Store, **options: Any) -> WriteBehind[str, int]:
    return WriteBehind("test", write=store.write, merge=int.__add__, **{"seconds": lambda: 0.0, **options})


@pytest.mark.postgresql
def test_facts_about_one_thing_are_merged_and_written_once(store: Store) -> None:
    buffer = buffer_of(store)
    for key in ("a", "b", "a"):
        buffer.add(key, 1)
    assert store.written == []
    assert buffer.flush() == 2
    assert store.written == [{"a": 2, "b": 1}]
    assert buffer.flush() == 0
    assert len(store.written) == 1


@pytest.mark.postgresql
def test_what_could_not_be_written_waits_and_is_joined_by_what_comes_after(store: Store) -> None:
    buffer = buffer_of(store)
    buffer.add("a", 1)
    store.broken = True
    with pytest.raises(OSError, match="disk"):
        buffer.flush()
    buffer.add("a", 2)
    store.broken = False
    buffer.flush()
    assert store.written == [{"a": 3}]


@pytest.mark.postgresql
def test_it_never_holds_more_things_than_it_may_but_counts_on_what_it_holds(store: Store) -> None:
    buffer = buffer_of(store, most=2)
    for key in ("a", "b", "c", "a"):
        buffer.add(key, 1)
    assert len(buffer) == 2
    buffer.flush()
    assert store.written == [{"a": 2, "b": 1}]


@pytest.mark.postgresql
def test_nothing_is_lost_or_doubled_while_many_threads_note_and_one_writes(store: Store) -> None:
    buffer = buffer_of(store)
    done = threading.Event()

    def writer() -> None:
        while not done.is_set():
            buffer.flush()

    def noter() -> None:
        for _ in range(2000):
            buffer.add("a", 1)

    writing = threading.Thread(target=writer)
    noting = [threading.Thread(target=noter) for _ in range(4)]
    for thread in (writing, *noting):
        thread.start()
    for thread in noting:
        thread.join()
    done.set()
    writing.join()
    buffer.flush()
    assert store.total("a") == 8000


@pytest.mark.postgresql
def test_a_thread_writes_by_itself_and_survives_a_failure(store: Store) -> None:
    buffer = buffer_of(store, seconds=lambda: 0.02)
    store.broken = True
    buffer.add("a", 1)
    time.sleep(0.1)
    store.broken = False
    until = time.monotonic() + 10
    while not store.written and time.monotonic() < until:
        time.sleep(0.02)
    assert store.written == [{"a": 1}]


PROGRAM = """
import multiprocessing, sys, time
from pathlib import Path
from kaizala_console.lib.write_behind import WriteBehind

def note(path):
    buffer = WriteBehind("x", write=lambda facts: Path(path).write_text(str(facts)), merge=int.__add__,
                         seconds=lambda: 600.0)
    buffer.add("a", 1)
    buffer.add("a", 1)
    return buffer

if __name__ == "__main__":
    how, path = sys.argv[1:]
    if how == "main":
        note(path)
    elif how == "killed":
        note(path)
        print("ready", flush=True)
        time.sleep(60)
    else:
        child = multiprocessing.get_context(how).Process(target=note, args=[path])
        child.start()
        child.join()
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], subprocess.Popen[bytes]]:
    """`program(how)` starts PROGRAM, which writes to `tmp_path / "written"`."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)

    def program(how: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(script), how, str(tmp_path / "written")]
        return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE)

    return program


@pytest.mark.postgresql
@pytest.mark.parametrize("how", ["main", "spawn", "fork"])
def test_a_process_that_ends_in_order_writes_what_it_holds(
    tmp_path: Path, program: Callable[[str], subprocess.Popen[bytes]], how: str
) -> None:
    with program(how) as process:
        assert process.wait(timeout=60) == 0
    assert (tmp_path / "written").read_text() == "{'a': 2}"


@pytest.mark.postgresql
def test_a_process_that_is_killed_loses_what_it_holds_and_nothing_else(
    tmp_path: Path, program: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    with program("killed") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "written").exists()
