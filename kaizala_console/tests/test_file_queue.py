"""The queue in a folder: nobody takes half a message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from threading import Thread
from typing import Any

import pytest
from kombu.connection import Connection
from kombu.exceptions import ChannelError

from kaizala_console import celery

Open = Callable[[], Any]


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[Open]:
    """`channel()`: a channel of a connection of its own, as each process has."""
    opened: list[Connection] = []
    options = {"data_folder_in": str(tmp_path), "data_folder_out": str(tmp_path)}

    def channel() -> Any:
        connection = Connection("filesystem://localhost", transport_options=options)
        opened.append(connection)
        return connection.channel()

    yield channel
    for connection in opened:
        connection.release()


def test_the_console_uses_it(channel: Open) -> None:
    assert isinstance(channel(), celery.Channel)


def test_a_message_comes_out_as_it_went_in_and_once(channel: Open) -> None:
    channel()._put("celery", {"body": "für"})
    other = channel()
    assert other._get("celery") == {"body": "für"}
    with pytest.raises(Empty):
        other._get("celery")


def test_a_message_that_is_still_being_written_is_not_seen(
    channel: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reader = channel()
    seen: list[bool] = []

    def look_first(part: Path, message: Path) -> None:
        with pytest.raises(Empty):
            reader._get("celery")
        assert reader._size("celery") == 0
        seen.append(True)
        part.rename(message)

    monkeypatch.setattr(Path, "replace", look_first)
    channel()._put("celery", {"body": 1})
    assert seen
    assert reader._get("celery") == {"body": 1}


def test_a_message_that_cannot_be_written_leaves_nothing_behind(channel: Open, tmp_path: Path) -> None:
    with pytest.raises(ChannelError):
        channel()._put("no/such/folder", {})
    assert list(tmp_path.iterdir()) == []


def test_writers_and_a_reader_at_once_lose_nothing(channel: Open) -> None:
    reader, taken = channel(), []

    def write(mine: Any) -> None:
        for n in range(200):
            mine._put("celery", {"body": n})

    writers = [Thread(target=write, args=[channel()]) for _ in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers) or reader._size("celery"):
        try:
            taken.append(reader._get("celery")["body"])
        except Empty:
            continue
    assert sorted(taken) == sorted([*range(200), *range(200)])
