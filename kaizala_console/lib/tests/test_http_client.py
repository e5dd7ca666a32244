"""Calls to the outside: where they may lead, what they bring back, and that they end at their deadline."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from kaizala_console.lib import deadlines, http_client
from kaizala_console.lib.tests.outside import TRIES, Outside, self_signed, serving
from kaizala_console.tests.ports import free_port


@pytest.fixture(autouse=True)
def production(settings: Settings) -> None:
    settings.SANDBOX = False
    settings.SAFE_HTTP_ALLOWED_HOSTS = []


@pytest.fixture
def sandbox(settings: Settings) -> None:
    settings.SANDBOX = True


@pytest.fixture
def outside(sandbox: None) -> Iterator[Outside]:
    """A server on this machine, which a sandbox may call."""
    with serving() as server:
        yield server


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A name server: host → its answers, one a question, the last one for good. Nothing is known but what is in it."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def answer(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host in known:
            host = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
            return real(host, port, *args, **kwargs)
        if isinstance(host, str) and any(letter.isalpha() for letter in host.replace(":", "")) and host != "localhost":
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return known


def refusal(url: str, **options: Any) -> http_client.OutboundError:
    with pytest.raises(http_client.OutboundError) as caught:
        http_client.fetch("GET", url, **options)
    return caught.value


@pytest.mark.parametrize(
    "url",
    [
        "https://127.8.8.8/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://0/",
        "https://localhost/",
        "https://10.1.2.3/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data/",  # cloud metadata
        "https://[fd00:ec2::254]/latest/meta-data/",
        "https://[fe80::1]/",
        "https://[fec0::1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[::7f00:1]/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://198.18.0.1/",
    ],
)
def test_no_call_leads_into_a_private_network(url: str) -> None:
    problem = refusal(url)
    assert problem.reason == "refused"
    assert "private network" in str(problem)


def test_a_name_is_resolved_once_so_that_a_second_answer_changes_nothing(
    names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names["inside.example"] = ["10.0.0.7"]
    assert refusal("https://inside.example/").reason == "refused"
    # A public address first, ours at the second question: the connection must go to the first.
    names["rebinding.example"] = ["93.184.215.14", "127.0.0.1"]
    dialled: list[Any] = []

    def dial(address: Any, *args: Any, **kwargs: Any) -> Any:
        dialled.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("urllib3.util.connection.create_connection", dial)
    assert refusal("https://rebinding.example/").reason == "unreachable"
    assert dialled == [("93.184.215.14", 443)]
    assert names["rebinding.example"] == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://hooks.example/", "https://"),
        ("ftp://hooks.example/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("hooks.example", "https://"),
        ("", "https://"),
        ("https://", "https://"),
        ("https:///path", "https://"),
        ("https://exa mple.com/", "https://"),
        ("https://hooks.example:port/", "https://"),
        ("https://hooks.example:99999/", "https://"),
        ("https://[::1/", "https://"),
        ("https://\ud800.example/", "https://"),
        ("https://user:password@hooks.example/", "user name and password"),
        ("https://hooks.example:22/", "ports from 1024"),
        ("https://hooks.example/" + "a" * 3000, "too long"),
    ],
)
@pytest.mark.usefixtures("names")
def test_a_url_that_is_never_called_says_why(url: str, says: str) -> None:
    problem = refusal(url)
    assert problem.reason == "refused"
    assert says in str(problem)
    assert "password@" not in str(problem)


def test_loopback_is_closed_in_production_even_over_http(outside: Outside, settings: Settings) -> None:
    settings.SANDBOX = False
    assert refusal(f"http://127.0.0.1:{outside.port}/").reason == "refused"
    assert outside.seen == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_sandbox_calls_programs_on_the_same_machine(outside: Outside, host: str) -> None:
    assert http_client.fetch("GET", f"http://{host}:{outside.port}/hello").text == '{"hello": "world"}'


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://hooks.example/", "https://169.254.169.254/", "http://localhost:8000/"]
)
def test_the_sandbox_opens_nothing_but_loopback(url: str, names: dict[str, list[str]]) -> None:
    names["localhost"] = ["93.184.215.14"]
    assert refusal(url).reason == "refused"


def test_an_internal_host_that_the_operator_allows_is_called_on_its_port_alone(
    settings: Settings, outside: Outside
) -> None:
    settings.SANDBOX = False
    settings.SAFE_HTTP_ALLOWED_HOSTS = [f"127.0.0.1:{outside.port}"]
    assert http_client.fetch("GET", f"http://127.0.0.1:{outside.port}/").status == 200
    assert refusal("http://127.0.0.1:1/").reason == "refused"
    assert refusal(f"http://localhost:{outside.port}/").reason == "refused"
    settings.SAFE_HTTP_ALLOWED_HOSTS = ["127.0.0.1"]
    assert http_client.fetch("GET", f"http://127.0.0.1:{outside.port}/").status == 200


def test_a_proxy_of_the_environment_is_ignored(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert http_client.fetch("GET", f"http://127.0.0.1:{outside.port}/hello").status == 200


def test_method_headers_query_and_body_arrive(outside: Outside) -> None:
    url = f"http://127.0.0.1:{outside.port}/hello"
    http_client.fetch("POST", url, headers={"kz-callback-token": "t"}, params={"a": "1 2"}, json={"x": 1})
    [(method, path, headers, body)] = outside.seen
    assert (method, path, body) == ("POST", "/hello?a=1+2", b'{"x": 1}')
    assert headers["kz-callback-token"] == "t"
    assert headers["Host"] == f"127.0.0.1:{outside.port}"
    assert headers["User-Agent"] == "Kaizala-Console"


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("teapot", 418, b"short and stout"),
        ("empty", 204, b""),
        ("zipped", 200, b"zipped " * 1000),
        ("chunked", 200, b"one two three"),
    ],
)
def test_any_status_and_encoding_is_an_answer(outside: Outside, path: str, status: int, body: bytes) -> None:
    answer = http_client.fetch("GET", f"http://127.0.0.1:{outside.port}/{path}")
    assert (answer.status, answer.body) == (status, body)


def test_a_redirect_is_an_answer_and_is_not_followed_even_when_asked_to(outside: Outside) -> None:
    url = f"http://127.0.0.1:{outside.port}/redirect"
    answer = http_client.fetch("GET", url)
    assert (answer.status, answer.headers["location"]) == (302, "/hello")
    with http_client.session() as session:
        assert session.get(url, allow_redirects=True).status_code == 302
    assert len(outside.seen) == 2


@pytest.mark.parametrize("path", ["declared", "endless", "bomb", "redirect_endless"])
def test_a_body_that_is_too_large_is_dropped_early(outside: Outside, path: str) -> None:
    began = time.monotonic()
    problem = refusal(f"http://127.0.0.1:{outside.port}/{path}", max_bytes=100_000)
    assert (problem.reason, time.monotonic() - began < 2) == ("too_large", True)
    assert "97 kB" in str(problem)


def test_what_breaks_off_or_is_no_http_is_told_apart_from_silence(outside: Outside, names: dict[str, Any]) -> None:
    url = f"http://127.0.0.1:{outside.port}"
    assert refusal(f"{url}/silent", timeout=(1, 0.2)).reason == "timeout"
    assert refusal(f"{url}/cut").reason == "protocol"
    assert refusal(f"{url}/nonsense").reason in ("protocol", "unreachable")
    assert refusal(f"http://127.0.0.1:{free_port()}/").reason == "unreachable"
    assert refusal("https://nowhere.example/").reason == "unreachable"


@pytest.mark.usefixtures("sandbox")
def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with serving(self_signed(tmp_path)) as server:
        problem = refusal(f"https://localhost:{server.port}/hello?secret=J7Q2K9ZX1B")
        assert server.seen == []
    assert problem.reason == "tls"
    assert "J7Q2K9ZX1B" not in f"{problem!r} {problem.__cause__!r}"


@pytest.mark.usefixtures("sandbox")
def test_an_authority_of_the_operators_own_is_trusted(tmp_path: Path, settings: Settings) -> None:
    with serving(self_signed(tmp_path)) as server:
        settings.CA_BUNDLE = str(tmp_path / "self-signed.pem")
        assert http_client.fetch("GET", f"https://localhost:{server.port}/hello").status == 200


def ends_in_a_second(url: str, deadline: float) -> bool:
    """Whether the quickest try does; each of them ends at the deadline, and says so."""

    def seconds() -> float:
        began = time.monotonic()
        with pytest.raises(http_client.OutboundError) as caught:
            http_client.fetch("GET", url, deadline=deadline)
        assert caught.value.reason == "timeout"
        return time.monotonic() - began

    return any(seconds() < 1 for _try in range(TRIES))


@pytest.mark.parametrize("path", ["drip_headers", "continue", "silent", "drip"])
def test_no_kind_of_slowness_outlives_the_deadline(outside: Outside, path: str) -> None:
    url = f"http://127.0.0.1:{outside.port}/{path}"
    assert ends_in_a_second(url, deadline=0.3)
    began = time.monotonic()
    with pytest.raises(http_client.OutboundError, match="in time"):
        http_client.download(url, lambda _piece: None, deadline=0.3, max_bytes=9999)
    assert time.monotonic() - began < 5  # the times between two bytes add up to more


def test_a_name_server_that_does_not_answer_holds_nothing_past_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_name, **_more: answered.wait(60))
    try:
        assert ends_in_a_second("https://hooks.example/", deadline=0.3)
    finally:
        answered.set()


@pytest.mark.usefixtures("sandbox")
def test_a_handshake_that_never_ends_is_cut_off() -> None:
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


@pytest.mark.parametrize("path", ["drip_headers", "continue", "silent"])
def test_without_a_status_there_is_nothing_to_glance_at(outside: Outside, path: str) -> None:
    with pytest.raises(http_client.OutboundError) as caught:
        http_client.post_for_status(f"http://127.0.0.1:{outside.port}/{path}", deadline=0.3)
    assert caught.value.reason == "timeout"
    answer = http_client.post_for_status(f"http://127.0.0.1:{outside.port}/hello")
    assert (answer.status, answer.body, answer.is_whole) == (200, b'{"hello": "world"}', True)


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
