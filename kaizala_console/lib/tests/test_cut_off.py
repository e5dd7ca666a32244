"""A call to the outside ends at its deadline, whatever it is at."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from kaizala_console.lib import deadlines, http_client
from kaizala_console.lib.tests.outside import TRIES, Outside, serving


@pytest.fixture
def outside(settings: Settings) -> Iterator[Outside]:
    settings.SANDBOX = True
    with serving() as server:
        yield server


def ends_in_a_second(url: str, deadline: float) -> bool:
    """Whether the quickest try does; each of them ends at the deadline, and says so."""

    def seconds() -> float:
        began = time.monotonic()
        with pytest.raises(http_client.OutboundError) as caught:
            http_client.fetch("GET", url, deadline=deadline)
        assert caught.value.reason == "timeout"
        return time.monotonic() - began

    return any(seconds() < 1 for _try in range(TRIES))


@pytest.mark.parametrize("path", ["drip_headers", "continue", "silent"])
def test_no_kind_of_slowness_outlives_the_deadline(outside: Outside, path: str) -> None:
    assert ends_in_a_second(f"http://127.0.0.1:{outside.port}/{path}", deadline=0.3)


@pytest.mark.parametrize("path", ["drip_headers", "continue", "silent", "drip"])
def test_no_kind_of_slowness_outlives_the_deadline_of_a_download(outside: Outside, path: str) -> None:
    began = time.monotonic()
    with pytest.raises(http_client.OutboundError, match="in time"):
        http_client.download(
            f"http://127.0.0.1:{outside.port}/{path}", lambda _piece: None, deadline=0.3, max_bytes=9999
        )
    assert time.monotonic() - began < 5  # the times between two bytes add up to more


def test_a_name_server_that_does_not_answer_holds_nothing_past_the_deadline(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SANDBOX = False
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_name, **_more: answered.wait(60))
    try:
        assert ends_in_a_second("https://hooks.example/", deadline=0.3)
    finally:
        answered.set()


def test_a_handshake_that_never_ends_is_cut_off(settings: Settings) -> None:
    settings.SANDBOX = True
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        assert ends_in_a_second(f"https://127.0.0.1:{deaf.getsockname()[1]}/", deadline=0.3)


@pytest.mark.parametrize("path", ["endless", "drip", "declared", "redirect_endless", "cut", "bomb"])
def test_who_glances_has_the_status_and_waits_neither_for_all_of_a_body_nor_for_long(
    outside: Outside, path: str
) -> None:
    def seconds() -> float:
        began = time.monotonic()
        answer = http_client.post_for_status(
            f"http://127.0.0.1:{outside.port}/{path}", deadline=5, body_seconds=0.2, max_bytes=100
        )
        passed = time.monotonic() - began
        assert answer.status in (200, 302)
        assert len(answer.body) <= 100
        assert answer.body or path == "declared"
        assert not answer.is_whole
        assert 0 < answer.seconds <= passed
        return passed

    assert any(seconds() < 1 for _try in range(TRIES))


def test_a_small_answer_is_there_as_a_whole(outside: Outside) -> None:
    answer = http_client.post_for_status(f"http://127.0.0.1:{outside.port}/hello")
    assert (answer.status, answer.body, answer.is_whole) == (200, b'{"hello": "world"}', True)


@pytest.mark.parametrize("path", ["drip_headers", "continue", "silent"])
def test_without_a_status_there_is_nothing_to_glance_at(outside: Outside, path: str) -> None:
    with pytest.raises(http_client.OutboundError) as caught:
        http_client.post_for_status(f"http://127.0.0.1:{outside.port}/{path}", deadline=0.3)
    assert caught.value.reason == "timeout"


def test_what_one_thread_opens_is_not_cut_off_by_another(outside: Outside) -> None:
    url = f"http://127.0.0.1:{outside.port}/hello"
    late: list[bool] = []

    def hurried() -> None:
        with deadlines.deadline(0) as end:
            while not end.is_over:
                time.sleep(0.01)
            late.append(True)

    thread = threading.Thread(target=hurried)
    thread.start()
    thread.join()
    assert late == [True]
    assert http_client.fetch("GET", url).status == 200


def test_what_is_opened_after_the_end_is_shut_down_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, deadlines.deadline(60) as end:
        end.cut()
        with socket.create_connection(server.getsockname()) as connected:
            end.watch(connected)
            assert connected.recv(1) == b""
