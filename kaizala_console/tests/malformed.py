"""Requests that are none, for the real server: each is refused with the three fields, and nothing of it is repeated.

Shapes with which one request is smuggled in another stand here as well: a proxy in front may read them otherwise.
"""

from __future__ import annotations

import json
import socket

from kaizala_console.tests.old_stacks import BODY, PATH, request

SECRET = "kzat-this-comes-back-to-nobody"


def head(first: str, *headers: str, host: bool = True) -> bytes:
    lines = [first, *(["Host: api.kaiza.la"] if host else []), *headers, f"accessToken: {SECRET}", "", ""]
    return "\r\n".join(lines).encode("latin-1")


def get(*headers: str) -> bytes:
    return head("GET /v1/users/me HTTP/1.1", *headers)


def chunks(body: bytes) -> bytes:
    return head(f"POST {PATH} HTTP/1.1", "Transfer-Encoding: chunked") + body


SHAPES: dict[str, tuple[int, bytes]] = {
    "a header line without a colon": (400, get(f"accessToken {SECRET}")),
    "a header line without a name": (400, get(": 1")),
    "a blank before the colon": (400, get("X-Name : 1")),
    "a blank in a header's name": (400, get("X Name: 1")),
    "a folded header line": (400, get("X-Name: 1", "  2")),
    "a folded line first": (400, head("GET / HTTP/1.1", " X-Name: 1", host=False)),
    "a carriage return alone in a header": (400, get("X-Name: 1\rX-Other: 2")),
    "a NUL in a header": (400, get("X-Name: \x00")),
    "no Host": (400, head("GET /v1/users/me HTTP/1.1", host=False)),
    "two Hosts": (400, get("Host: other.example")),
    "no version": (400, head("GET /v1/users/me")),
    "a blank in the target": (400, head("GET /v1/users/ me HTTP/1.1")),
    "no target": (400, head("GET HTTP/1.1")),
    "a target that is no path": (400, head("OPTIONS * HTTP/1.1")),
    "a tunnel": (400, head("CONNECT api.kaiza.la:443 HTTP/1.1")),
    "TLS where none is spoken": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "a version of one digit": (400, head("GET / HTTP/1")),
    "a version that does not exist": (505, head("GET / HTTP/3.7")),
    "HTTP/2 unasked": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a negative length": (400, get("Content-Length: -1")),
    "a length with a sign": (400, get("Content-Length: +1")),
    "a length in words": (400, get("Content-Length: two")),
    "an empty length": (400, get("Content-Length:")),
    "two lengths that differ": (400, get("Content-Length: 1", "Content-Length: 2")),
    "two lengths in one line": (400, get("Content-Length: 1, 2")),
    "a length and chunks": (
        400,
        request("Transfer-Encoding: chunked", f"accessToken: {SECRET}", body=b"0\r\n\r\n"),
    ),
    "chunks in HTTP/1.0": (400, head(f"POST {PATH} HTTP/1.0", "Transfer-Encoding: chunked")),
    "a transfer encoding that is none": (501, get("Transfer-Encoding: gzip")),
    "chunked twice": (501, get("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")),
    "chunked, and then another": (501, get("Transfer-Encoding: chunked, identity")),
    "a chunk's size in words": (400, chunks(b"four\r\nabcd\r\n0\r\n\r\n")),
    "a negative chunk": (400, chunks(b"-4\r\nabcd\r\n0\r\n\r\n")),
    "a chunk that is longer than its size": (400, chunks(b"3\r\nabcd\r\n0\r\n\r\n")),
    "a chunk's size that ends in a line feed alone": (400, chunks(b"4\nabcd\r\n0\r\n\r\nx\r\n")),
    "a trailer without a colon": (400, chunks(b"0\r\nX-End\r\n\r\n")),
    "a target of 66,000 bytes": (414, head(f"GET /v1/{'x' * 66_000} HTTP/1.1")),
    "a target of 500,000 bytes": (414, head(f"GET /v1/{'x' * 500_000} HTTP/1.1")),
    "a header of 420,000 bytes": (431, get(f"X-Name: {'x' * 420_000}")),
    "headers without end": (431, get(*["X-Name: 1234567890"] * 30_000)[:-2]),
    "a hundred and one header lines": (431, get(*["X-Name: 1"] * 99)),
    "a body larger than any that is taken": (413, get("Content-Length: 999999999999")),
    "a body larger than can be said": (400, get(f"Content-Length: {'9' * 30}")),
}
CUT_OFF: dict[str, bytes] = {
    "a body that ends early": head(f"POST {PATH} HTTP/1.1", f"Content-Length: {len(BODY) + 1}") + BODY,
    "chunks that end early": chunks(b"4\r\nab"),
    "a head that ends early": get()[:-2],
}


def answered_otherwise(port: int) -> dict[str, str]:
    """The shapes that are not refused as they should be, with what came instead."""
    wrong = {}
    for name, (status, sent) in SHAPES.items():
        problem = _problem(_answer(port, sent, ends=False), status)
        if problem:
            wrong[name] = problem
    for name, sent in CUT_OFF.items():
        problem = _problem(_answer(port, sent, ends=True), 400)
        if problem:
            wrong[name] = problem
    good, bad = request().replace(b"Connection: close\r\n", b""), SHAPES["a folded header line"][1]
    both = _answer(port, good + bad, ends=False)
    if both.count(b"HTTP/1.1 400 ") != 2 or both.count(b'"errorCode"') != 2:
        wrong["a good one before a bad one"] = repr(both)
    return wrong


def _answer(port: int, sent: bytes, *, ends: bool) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
        return answer


def _problem(answer: bytes, status: int) -> str:
    """What is wrong with the answer; "" when it is as it should be."""
    if SECRET.encode() in answer:
        return "it repeats what was sent"
    first, _end, rest = answer.partition(b"\r\n")
    headers, _end, body = rest.partition(b"\r\n\r\n")
    if not first.startswith(b"HTTP/1.1 %d " % status):
        return repr(answer[:300])
    wanted = (b"Content-Type: application/json; charset=utf-8", b"Connection: close", b"Access-Control-Allow-Origin: *")
    missing = [line for line in wanted if line.lower() not in headers.lower()]
    if missing or b"Content-Length: %d" % len(body) not in headers:
        return repr(headers)
    fields = json.loads(body)
    if set(fields) != {"message", "errorCode", "errorCategoryKey"} or not all(fields.values()):
        return repr(body)
    return ""
