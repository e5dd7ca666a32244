"""Requests as the HTTP stacks of those years put them on the wire, for the real server to take (wire protocol §1)."""

from __future__ import annotations

import socket

from kaizala_console.tests.serving import rest_of

BODY = b"{mobileNumber:'+919820000004'}"
WORDS = '"applicationId is missing."'  # and nothing else is: the body was read
PATH = "/v1/generatePin"


def request(*headers: str, path: str = PATH, body: bytes = BODY, version: str = "1.1", sized: bool = True) -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: api.kaiza.la", *headers]
    if sized:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


STACKS: dict[str, bytes] = {
    "HttpWebRequest asks whether it may go on": request("Expect: 100-continue"),
    "a body in chunks": request("Transfer-Encoding: chunked", body=chunked(BODY[:9], BODY[9:]), sized=False),
    "chunks with an extension and a trailer": request(
        "transfer-encoding: Chunked", body=b"1e;a=b\r\n" + BODY + b"\r\n0\r\nX-End: 1\r\n\r\n", sized=False
    ),
    "HTTP/1.0": request(version="1.0"),
    "line ends without a carriage return": request().replace(b"\r\n", b"\n"),
    "an empty line before the request": b"\r\n" + request(),
    "the whole address, as for a proxy": request(path=f"https://api.kaiza.la{PATH}"),
    "the whole address, and a double slash": request(path=f"http://kms.kaiza.la/{PATH}"),
    "letters of the path in percent": request(path="/%76%31/generate%50in/"),
    "without /v1, and a question mark": request(path="/generatePIN?"),
    "a fragment": request(path=f"{PATH}#top"),
    "no Content-Type, and XML wanted": request("Accept: text/xml"),
    "a form's Content-Type": request("Content-Type: application/x-www-form-urlencoded"),
    "a charset that is none for text": request("Content-Type: application/json; charset=base64", path=f"{PATH}?a=b"),
    "a byte-order mark": request("Content-Type: application/json", body=b"\xef\xbb\xbf" + BODY),
    "UTF-16, declared": request("CONTENT-TYPE: application/json;charset=UTF-16", body=BODY.decode().encode("utf-16")),
    "letters beyond ASCII in the path, as they are": request(path="/v1/generatePin/?name=\xc3\xa9"),
    "the same length twice": request(f"Content-Length: {len(BODY)}"),
    "cookies, a range, a date": request("Cookie: ARRAffinity=x; a", "Range: bytes=0-3", "If-Modified-Since: yesterday"),
    "another protocol offered": request("Upgrade: h2c, websocket", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
    "another method besides": request("X-HTTP-Method-Override: DELETE"),
    "a very long token": request(f"accessToken: {'x' * 300_000}"),
    "ninety headers": request(*[f"X-{number}: 1" for number in range(90)]),
    "a header that is no ASCII": request("X-Name: \xe9"),
}


def answer_to(port: int, sent: bytes) -> str:
    """All that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        return rest_of(connection)


def not_understood(port: int) -> dict[str, str]:
    """The requests of which the server made something else than was meant, with its answers."""
    wrong = {}
    for name, sent in STACKS.items():
        answer = answer_to(port, sent)
        if " 400 Bad Request" not in answer or WORDS not in answer:
            wrong[name] = answer[:500]
    three = request().replace(b"Connection: close\r\n", b"") * 2 + request()
    if answer_to(port, three).count(WORDS) != 3:
        wrong["three requests at once"] = answer_to(port, three)
    return wrong
