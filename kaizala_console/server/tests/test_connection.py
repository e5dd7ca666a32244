"""What the web server makes of requests and answers, over real sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from kaizala_console.api.compatibility import HEADER_NAMES
from kaizala_console.server import connection as connection_module
from kaizala_console.server.serving import Phase
from kaizala_console.server.tests.serving_here import Here, fields_of, request, rest_of, serving_here

THREE = {"message", "errorCode", "errorCategoryKey"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Here]:
    with serving_here() as here:
        yield here


def test_names_of_headers_arrive_as_they_were_sent(shared: Here) -> None:
    said = fields_of(shared.said_to(request("/echo", "accessToken: 1", "APPLICATIONID: 2", "Content-type: a/b")))
    assert said[HEADER_NAMES] == ["Host", "accessToken", "APPLICATIONID", "Content-type", "Connection"]
    assert (said["HTTP_ACCESSTOKEN"], said["HTTP_APPLICATIONID"], said["CONTENT_TYPE"]) == ("1", "2", "a/b")


def test_a_name_with_an_underscore_does_not_pass_for_another(shared: Here) -> None:
    headers = ["X-Forwarded-For: 192.0.2.1", "X_Forwarded_For: 192.0.2.2", "Content_Length: 7", "access_token: 1"]
    said = fields_of(shared.said_to(request("/echo", *headers)))
    assert said["HTTP_X_FORWARDED_FOR"] == "192.0.2.1"
    assert {"CONTENT_LENGTH", "HTTP_CONTENT_LENGTH", "HTTP_ACCESS_TOKEN"}.isdisjoint(said)


def test_what_is_sent_several_times_is_joined_in_its_order(shared: Here) -> None:
    headers = ["X-Forwarded-For: 192.0.2.1", "x-forwarded-for: 192.0.2.2, 192.0.2.3", "Cookie: a=1", "Cookie: b=2"]
    said = fields_of(shared.said_to(request("/echo", *headers)))
    assert said["HTTP_X_FORWARDED_FOR"] == "192.0.2.1,192.0.2.2, 192.0.2.3"
    assert said["HTTP_COOKIE"] == "a=1;b=2"


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/echo//a%20b/%c3%a9?x=%20?y#z", "/echo//a b/\xc3\xa9", "x=%20?y"),
        ("http://other.example:81/echo?q", "/echo", "q"),
        ("HTTPS://other.example//echo", "//echo", ""),
        ("/echo/http://x", "/echo/http://x", ""),
        ("/echo/\u00e9?\u00e9=%25", "/echo/\xc3\xa9", "%C3%A9=%25"),
    ],
)
def test_the_target_is_read_as_it_stands(shared: Here, target: str, path: str, query: str) -> None:
    said = fields_of(shared.said_to(request(target)))
    assert (said["PATH_INFO"], said["QUERY_STRING"], said["HTTP_HOST"]) == (path, query, "h")
    assert (said["REMOTE_ADDR"], said["wsgi.url_scheme"]) == ("127.0.0.1", "http")


@pytest.mark.parametrize(("size", "in_a_file"), [(0, False), (200_000, False), (3_000_000, True)])
def test_a_long_body_waits_in_a_file(shared: Here, size: int, in_a_file: bool) -> None:
    said = fields_of(shared.said_to(request("/echo", f"Content-Length: {size}", method="POST") + b"x" * size))
    assert (said["size"], said["in_a_file"]) == (size, in_a_file)


def test_a_body_in_chunks_gets_its_length(shared: Here) -> None:
    chunks = b"5;a=b\r\nabcde\r\n3\r\nfgh\r\n0\r\nX-End: 1\r\n\r\n"
    said = fields_of(shared.said_to(request("/echo", "Transfer-Encoding: chunked", method="POST") + chunks))
    assert (said["size"], said["CONTENT_LENGTH"]) == (8, "8")
    assert "HTTP_TRANSFER_ENCODING" not in said


def test_who_asks_whether_to_go_on_is_told_so_before_the_body(shared: Here) -> None:
    with shared.connect() as connection:
        connection.sendall(request("/echo", "Expect: 100-continue", "Content-Length: 3", method="POST"))
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert fields_of(rest_of(connection))["size"] == 3


def test_who_asks_with_too_large_a_body_is_not_told_to_go_on(shared: Here) -> None:
    answer = shared.said_to(request("/echo", "Expect: 100-continue", "Content-Length: 999999999999", method="POST"))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert fields_of(answer).keys() == THREE


def test_several_requests_at_once_are_answered_in_their_order(shared: Here) -> None:
    sent = b"\r\n".join(request(f"/echo/{number}", last=number == 9) for number in range(10))
    answer = shared.said_to(sent)
    assert [answer.find(f'"/echo/{number}"'.encode()) for number in range(10)] == sorted(
        answer.find(f'"/echo/{number}"'.encode()) for number in range(10)
    )
    assert answer.count(b"HTTP/1.1 200 OK") == 10


def test_who_has_said_all_still_gets_every_answer(shared: Here) -> None:
    answer = shared.said_to(request("/echo", last=False) * 3, ends=True)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


def test_answers_without_a_body_have_none(shared: Here) -> None:
    answer = shared.said_to(request("/large", method="HEAD", last=False) + request("/empty"))
    head, empty = answer.split(b"HTTP/1.1 204 No Content")
    assert head.endswith(b"\r\n\r\n")
    assert head.count(b"\r\n\r\n") == 1
    assert b"content-length" not in empty.lower()


def test_an_old_version_gets_all_and_then_the_end(shared: Here) -> None:
    head, _end, body = shared.said_to(request("/parts", version="1.0", last=False)).partition(b"\r\n\r\n")
    assert len(body) == 20_000_000
    assert b"chunked" not in head


def test_a_long_answer_leaves_in_chunks_and_leaves_out_nothing(shared: Here) -> None:
    answer = shared.said_to(request("/parts"))
    assert answer.count(b"z") == 20_000_000
    assert answer.endswith(b"\r\n0\r\n\r\n")


def test_cookies_leave_though_django_begins_them_with_a_blank(shared: Here) -> None:
    answer = shared.said_to(request("/sets"))
    assert b"\r\nSet-Cookie: a=kzat_this_must_not_be_logged\r\nSet-Cookie: b=2\r\n" in answer


def test_a_header_that_is_none_stays_here_and_out_of_the_log(shared: Here, caplog: pytest.LogCaptureFixture) -> None:
    answer = shared.said_to(request("/splits"))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"kzat" not in answer
    assert "kzat" not in caplog.text


def test_when_the_application_raises_nothing_of_it_leaves(shared: Here) -> None:
    answer = shared.said_to(request("/raises"))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert fields_of(answer).keys() == THREE
    assert b"kzat" not in answer


@pytest.mark.parametrize("path", ["/raises_late", "/says_too_much"])
def test_an_answer_that_cannot_be_ended_is_cut_off(shared: Here, path: str) -> None:
    with shared.connect() as connection:
        connection.sendall(request(path))
        try:
            answer = rest_of(connection)
        except ConnectionResetError:
            answer = b""
    assert not answer.endswith(b"\r\n0\r\n\r\n")
    assert shared.said_to(request("/echo")).startswith(b"HTTP/1.1 200 OK")


# Who is slow ------------------------------------------------------------------------------------------------------


def test_a_hundred_who_dribble_hold_nobody_up() -> None:
    heads = request("/echo")
    bodies = request("/echo", "Content-Length: 60", method="POST") + b"x" * 60
    with serving_here(threads=1) as here:
        slow = [(here.connect(), heads if number % 2 else bodies) for number in range(100)]
        for place in range(60):
            for connection, sent in slow:
                connection.sendall(sent[place : place + 1])
            if place % 15 == 14:
                began = time.monotonic()
                assert here.said_to(request("/echo")).startswith(b"HTTP/1.1 200 OK")
                assert time.monotonic() - began < 2
        for connection, sent in slow:
            connection.sendall(sent[60:])
        for connection, _sent in slow:
            assert rest_of(connection).startswith(b"HTTP/1.1 200 OK")
            connection.close()


def test_who_reads_nothing_is_not_answered_without_end() -> None:
    with serving_here() as here, here.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(request("/large", last=False) * 500)
        time.sleep(1)
        assert len(here.application.asked) < 50


def test_what_comes_ahead_of_its_turn_is_not_gathered_without_end() -> None:
    with serving_here() as here, here.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(request("/medium", last=False) * 50)  # more than it will read
        time.sleep(0.5)
        connection.settimeout(1)
        sent = 0
        with suppress(TimeoutError):
            while sent < 60_000_000:
                sent += connection.send(request("/medium", last=False) * 2000)
        assert sent < 20_000_000


def test_a_body_of_crumbs_is_refused(shared: Here) -> None:
    sent = request("/echo", "Transfer-Encoding: chunked", method="POST")
    assert fields_of(shared.said_to(sent + b"1\r\na\r\n" * 5_000 + b"0\r\n\r\n"))["size"] == 5_000
    answer = shared.said_to(sent + b"1\r\na\r\n" * 30_000 + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert fields_of(answer).keys() == THREE
    assert shared.worker.arriving == 0


@pytest.mark.parametrize(
    "line",
    [
        b"\t" * 200_000 + b"\0",
        b"a" + b" " * 200_000 + b"\0",
        b"a b" * 70_000 + b"\x0b",
        b" " * 200_000 + b"a" + b"\t" * 200_000,
        b"\t" * 200_000 + b"\r\r\n",
    ],
    ids=["tabs", "blanks after a letter", "words", "blanks on both sides", "carriage returns"],
)
def test_no_line_takes_longer_to_read_than_it_is_long(shared: Here, line: bytes) -> None:
    chunked = request("/echo", "Transfer-Encoding: chunked", method="POST")
    for sent in (
        b"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Name:" + line + b"\r\n\r\n",
        chunked + b"0\r\nX-End:" + line + b"\r\n\r\n",
        chunked + b"0;" + line + b"\n\r\n\r\n",
    ):
        began = time.monotonic()
        answer = shared.said_to(sent, ends=True)
        assert time.monotonic() - began < 3
        assert answer[9:12] in (b"200", b"400", b"431")


def test_when_the_reader_of_a_long_answer_goes_the_application_is_told() -> None:
    with serving_here(threads=1) as here:
        with here.connect() as connection:
            connection.sendall(request("/parts"))
            connection.recv(1000)
        deadline = time.monotonic() + 5
        while here.application.closed != ["parts"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert here.said_to(request("/echo")).startswith(b"HTTP/1.1 200 OK")


def test_who_reads_late_gets_every_answer(shared: Here) -> None:
    with shared.connect() as connection:
        connection.sendall(request("/medium", last=False) * 99 + request("/medium"))
        time.sleep(0.5)
        answer = rest_of(connection)
    assert answer.count(b"HTTP/1.1 200 OK") == 100
    assert answer.count(b"w") == 100 * 200_000


@pytest.mark.parametrize(
    ("phase", "sent", "status"),
    [
        (Phase.HEAD, b"GET /echo HTT", b"HTTP/1.1 408 "),
        (Phase.BODY, request("/echo", "Content-Length: 3", method="POST") + b"a", b"HTTP/1.1 408 "),
        (Phase.IDLE, b"", b""),
    ],
)
def test_who_goes_silent_is_given_up(monkeypatch: pytest.MonkeyPatch, phase: Phase, sent: bytes, status: bytes) -> None:
    monkeypatch.setattr(connection_module, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(phase, "_value_", 0.2)
    with serving_here() as here:
        answer = here.said_to(sent)
    assert answer.startswith(status)
    assert (fields_of(answer).keys() == THREE) if status else not answer


# The end ----------------------------------------------------------------------------------------------------------


def test_at_the_end_what_has_begun_is_answered() -> None:
    with serving_here() as here, here.connect() as waits, here.connect() as sends, here.connect() as idle:
        waits.sendall(request("/waits", last=False))
        sends.sendall(request("/echo", "Content-Length: 3", method="POST", last=False) + b"a")
        assert here.application.arrived.wait(5)
        time.sleep(0.2)
        here.server.should_exit = True
        assert idle.recv(1000) == b""
        with pytest.raises(ConnectionRefusedError):
            here.connect()
        sends.sendall(b"bc")
        here.application.go_on.set()
        for connection in (waits, sends):
            answer = rest_of(connection)
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert b"connection: close" in answer.lower()


def test_bodies_of_all_together_have_a_bound(shared: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = shared.worker
    monkeypatch.setattr(worker, "arriving_most", 1_000_000)
    first, second = (request("/echo", "Content-Length: 900000", method="POST") for _number in range(2))
    with shared.connect() as connection:
        connection.sendall(first + b"x" * 800_000)
        deadline = time.monotonic() + 5
        while worker.arriving < 800_000:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        answer = shared.said_to(second + b"x" * 900_000)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After" in answer
        connection.sendall(b"x" * 100_000)
        assert rest_of(connection).startswith(b"HTTP/1.1 200 OK")
    assert worker.arriving == 0
