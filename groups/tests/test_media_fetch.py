"""`POST /v1/media` with `{"mediaUrl": "https://…"}` (wire protocol §6, Media): the console fetches the file itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from groups.models import MediaResource
from groups.services import media as media_fetch
from groups.tests.conftest import refused
from groups.tests.factories import Program
from groups.tests.media_files import FILES, JPEG, PNG, nothing_kept
from kaizala_console.lib.outbound_slots import outbound_slot
from kaizala_console.lib.tests import outside
from kaizala_console.lib.tests.outside import Outside, serving


@pytest.fixture
def elsewhere(settings: Settings, shelf: Path) -> Iterator[Outside]:
    """Another side on this machine, which may be called."""
    settings.SANDBOX = False
    before = outside._Handler.answer_hello
    with serving() as server:
        settings.SAFE_HTTP_ALLOWED_HOSTS = [f"127.0.0.1:{server.port}"]
        yield server
    outside._Handler.answer_hello = before  # type: ignore[method-assign]


def answers(server: Outside, content: bytes, **headers: str) -> None:
    """What the other side says from now on, at any path that its own answers do not stand at."""

    def answer(handler: Any) -> None:
        handler._send(content, **headers)

    server.RequestHandlerClass.answer_hello = answer  # type: ignore[attr-defined]


def asked(program: Program, url: str) -> Any:
    return program.post("/v1/media", {"mediaUrl": url})


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/2019/photo.jpg", {}, "photo.jpg"),
        ("/Rain%20at%20Pune.JPG?size=2", {"Content_Type": "image/jpeg"}, "Rain at Pune.JPG"),
        ("/download", {"Content_Type": "image/jpeg"}, "download.jpg"),
        ("/", {"Content_Type": "image/jpeg; charset=binary"}, "file.jpg"),
        ("/x", {"Content_Disposition": 'attachment; filename="holiday.jpg"'}, "holiday.jpg"),
        ("/x", {"Content_Disposition": "attachment; filename*=UTF-8''%E0%A4%B5.jpg"}, "व.jpg"),
        ("/a.jpg", {"Content_Disposition": "inline; filename*=x; filename*0=y"}, "a.jpg"),
        ("/letter.doc", {"Content_Type": "application/msword"}, "letter.doc"),
    ],
)
def test_a_file_is_fetched_and_kept_under_its_name(
    program: Program, elsewhere: Outside, path: str, headers: dict[str, str], name: str
) -> None:
    content = FILES.get(name, JPEG)
    answers(elsewhere, content, **headers)
    answer = asked(program, f"http://127.0.0.1:{elsewhere.port}{path}")
    assert answer.status_code == 200, answer.content
    media = MediaResource.objects.get()
    assert answer.json() == {"mediaResource": str(media.pk)}
    assert (media.kind, media.connector) == ("Document" if name == "letter.doc" else "Image", program.connector)
    assert (media.files.get().name, media.files.get().size) == (name, len(content))


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/v1/media", "{{mediaUrl: '{}'}}"),
        ("/v1/media", '{{"MediaURL": "{}",}}'),
        ("/v1/media", '\ufeff{{"mediaurl": " {} "}}'),
        ("/v1/media/url", '{{mediaUrl:"{}"}}'),  # as a sample has it
    ],
)
def test_the_body_is_read_leniently(program: Program, elsewhere: Outside, path: str, written: str) -> None:
    answers(elsewhere, PNG)
    body = written.format(f"http://127.0.0.1:{elsewhere.port}/a.png")
    answer = program.post(path, body.encode(), content_type="text/plain")
    assert answer.json() == {"mediaResource": str(MediaResource.objects.get().pk)}


# ---------------------------------------------------------------- What is not fetched

# What else leads inside is tested with the client (kaizala_console/lib/tests/test_http_client.py).
REFUSED = [
    "https://127.0.0.1/a.png",
    "https://localhost/a.png",
    "https://169.254.169.254/latest/meta-data/a.png",
    "https://[::ffff:127.0.0.1]/a.png",
    "https://inside.example/a.png",
    "http://8.8.8.8/a.png",
    "file:///etc/passwd",
    "https://user:secret@8.8.8.8/a.png",
    "https://8.8.8.8:22/a.png",
    "https://" + "a" * 3000 + ".example/a.png",
    "a.png",
]


@pytest.mark.parametrize("url", REFUSED)
def test_no_address_leads_into_the_network_of_the_console(
    program: Program, elsewhere: Outside, shelf: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    real = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        return real("192.168.7.7" if host == "inside.example" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    message = refused(asked(program, url), 400, "InvalidParameters", "ValidationException")
    assert message.startswith("mediaUrl: ")
    assert "secret" not in message
    assert not elsewhere.seen
    assert nothing_kept(shelf)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/redirect", "status 302"),
        ("/teapot", "status 418"),
        ("/empty", "status 204"),
        ("/cut", "reached"),
        ("/nonsense", "reached"),
    ],
)
def test_another_side_that_gives_no_file_is_told_of_and_no_redirect_is_followed(
    program: Program, elsewhere: Outside, shelf: Path, path: str, told: str
) -> None:
    answer = asked(program, f"http://127.0.0.1:{elsewhere.port}{path}")
    message = refused(answer, 400, "InvalidParameters", "ValidationException")
    assert message.startswith("mediaUrl: ")
    assert told in message or "HTTP" in message
    assert len(elsewhere.seen) <= 1
    assert nothing_kept(shelf)


def test_an_empty_file_and_what_is_not_what_it_claims_are_refused(
    program: Program, elsewhere: Outside, shelf: Path
) -> None:
    url = f"http://127.0.0.1:{elsewhere.port}"
    answers(elsewhere, b"")
    assert "empty" in refused(asked(program, f"{url}/a.png"), 400, "InvalidParameters", "ValidationException")
    answers(elsewhere, b"<html></html>", Content_Type="text/html")
    for path in ("/a.png", "/page.html", "/"):
        refused(asked(program, url + path), 415, "UnsupportedMediaType", "ValidationException")
    assert nothing_kept(shelf)


@pytest.mark.parametrize("path", ["/endless", "/declared", "/bomb"])
def test_a_file_without_end_is_cut_off(
    program: Program, elsewhere: Outside, shelf: Path, settings: Settings, path: str
) -> None:
    settings.MEDIA_MAX_MB = 1
    answer = asked(program, f"http://127.0.0.1:{elsewhere.port}{path}")
    refused(answer, 413, "PayloadTooLarge", "ValidationException")
    assert nothing_kept(shelf)


def test_a_slow_drip_is_given_up(
    program: Program, elsewhere: Outside, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_fetch, "_SECONDS", 0.2)
    answer = asked(program, f"http://127.0.0.1:{elsewhere.port}/drip")
    assert "in time" in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert nothing_kept(shelf)


def test_one_address_is_fetched_at_a_time_for_a_connector_and_few_in_a_process(
    program: Program, elsewhere: Outside, settings: Settings
) -> None:
    answers(elsewhere, JPEG)
    url = f"http://127.0.0.1:{elsewhere.port}/a.jpg"
    with outbound_slot(str(program.connector.pk), seconds=30):
        answer = asked(program, url)
    assert int(answer["Retry-After"]) > 0
    refused(answer, 429, "TooManyRequests", "ThrottlingException")
    with ExitStack() as others:
        for other in range(settings.CONSOLE_THREADS // 2):
            others.enter_context(outbound_slot(f"other-{other}", seconds=30))
        refused(asked(program, url), 429, "TooManyRequests", "ThrottlingException")
    assert asked(program, url).status_code == 200


@pytest.mark.parametrize("body", ["", "{}", '{"mediaUrl": ""}', '{"mediaUrl": ["a"]}', "[]", "x"])
def test_a_body_without_an_address_is_refused_in_words(program: Program, body: str) -> None:
    refused(program.post("/v1/media", body), 400, "InvalidParameters", "ValidationException")


def test_nobody_has_anything_fetched_without_a_token(db: None, elsewhere: Outside, shelf: Path) -> None:
    body = {"mediaUrl": f"http://127.0.0.1:{elsewhere.port}/a.png"}
    refused(Client().post("/v1/media", body, content_type="application/json"), 401, "InvalidToken")
    assert not elsewhere.seen
    assert nothing_kept(shelf)
