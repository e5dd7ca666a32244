"""Journeys and old programs go through the web server that users have."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

from kaizala_console.tests.own_server import OwnServer


def test_a_header_line_without_a_colon_is_told_in_the_three_fields(live_server: Any) -> None:
    where = urlsplit(live_server.url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall(b"GET /v1/groups HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert isinstance(live_server.thread.httpd, OwnServer)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["errorCode"] == "InvalidParameters"
