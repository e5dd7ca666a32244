"""Facts gathered in memory: merged, bounded, written by a thread and at the end, kept when writing fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kaizala_console.lib.write_behind import WriteBehind

pytestmark = pytest.mark.postgresql

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


def test_facts_about_one_thing_are_merged_and_written_once(store: Store) -> None:
    buffer = buffer_of(store)
    for key in ("a", "b", "a"):
        buffer.add(key, 1)
    assert store.written == []
    assert buffer.flush() == 2
    assert store.written == [{"a": 2, "b": 1}]
    assert buffer.flush() == 0
    assert len(store.written) == 1


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


def test_it_never_holds_more_things_than_it_may_but_counts_on_what_it_holds(store: Store) -> None:
    buffer = buffer_of(store, most=2)
    for key in ("a", "b", "c", "a"):
        buffer.add(key, 1)
    assert len(buffer) == 2
    buffer.flush()
    assert store.written == [{"a": 2, "b": 1}]


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


@pytest.mark.parametrize("how", ["main", "spawn", "fork"])
def test_a_process_that_ends_in_order_writes_what_it_holds(tmp_path: Path, how: str) -> None:
    script, written = tmp_path / "program.py", tmp_path / "written"
    script.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, str(script), how, str(written)], env=environment, check=True, timeout=60)
    assert written.read_text() == "{'a': 2}"


def test_a_process_that_is_killed_loses_what_it_holds_and_nothing_else(tmp_path: Path) -> None:
    script, written = tmp_path / "program.py", tmp_path / "written"
    script.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), "killed", str(written)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    assert not written.exists()
