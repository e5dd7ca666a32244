"""Addresses of media files, and the door that serves them: `GET /media/<file>/<name>` (wire protocol §6, Media)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.files.storage import storages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from groups.media.storage import get_url, is_valid_address
from groups.models import MediaFile, MediaResource
from groups.tests.conftest import refused
from groups.tests.factories import Program
from groups.tests.media_files import FILES, JPEG, PNG, path_of, uploaded
from kaizala_console.lib import clock, crypto

CONTENT = JPEG + bytes(range(256)) * 1000
pytestmark = pytest.mark.usefixtures("shelf")


@pytest.fixture
def file(program: Program) -> MediaFile:
    """A picture that was uploaded."""
    return uploaded(program, CONTENT, "Rain at Pune.jpg")


def get(path: str, **headers: str) -> Any:
    return read(Client().get(path, headers=headers))


def read(answer: Any) -> Any:
    """The answer, read to its end as a client does; `whole` is its content."""
    answer.whole = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer


# ---------------------------------------------------------------- What an address looks like


def test_an_address_is_absolute_and_names_file_and_end(file: MediaFile, settings: Settings) -> None:
    settings.CONSOLE_BASE_URL = "https://console.example"
    url = get_url(file)
    assert url.startswith(f"https://console.example/media/{file.pk}/Rain%20at%20Pune.jpg?e=")
    assert sorted(parse_qs(urlsplit(url).query)) == ["e", "s"]
    assert len(url) < 300


def test_everybody_gets_the_same_address_within_an_hour(file: MediaFile, travel: Any) -> None:
    at_hour = clock.now().replace(minute=0, second=0, microsecond=0)
    travel(seconds=(at_hour - clock.now()).total_seconds() + 3700)
    first = get_url(file)
    travel(minutes=50)
    assert get_url(file) == first
    travel(minutes=15)
    assert get_url(file) != first


def test_it_opens_for_its_hours_and_no_longer_than_one_more(file: MediaFile, settings: Settings, travel: Any) -> None:
    settings.MEDIA_URL_HOURS = 48
    path = path_of(file)
    travel(hours=48)
    assert get(path).status_code == 200
    travel(hours=1, seconds=1)
    refused(get(path), 403, "Unauthorized")


@pytest.mark.parametrize("prefix", ["/media", "/v1/media", "/v1//media", "/MEDIA"])
def test_it_opens_for_whoever_has_it_without_a_token_in_one_query(file: MediaFile, prefix: str) -> None:
    path = path_of(file).replace("/media", prefix, 1)
    with CaptureQueriesContext(connection) as queries:
        answer = get(path)
    assert len(queries) == 1
    assert answer.status_code == 200
    assert answer.whole == CONTENT
    assert (answer["Content-Type"], answer["Content-Length"]) == ("image/jpeg", str(len(CONTENT)))
    assert not answer.cookies


@pytest.mark.parametrize("name", FILES)
def test_no_browser_takes_a_file_for_a_page(program: Program, name: str) -> None:
    answer = get(path_of(uploaded(program, FILES[name], name)))
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert re.search(r"(^|; )sandbox($|;)", answer["Content-Security-Policy"])
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert "script-src" not in answer["Content-Security-Policy"]
    assert answer["Cache-Control"].startswith("private")
    assert not answer["Content-Type"].startswith(("text/", "image/svg", "application/xhtml", "application/xml"))
    shown = name.endswith((".jpg", ".jpeg", ".png", ".mp3", ".wav", ".mp4", ".3gp", ".3gpp"))
    assert answer["Content-Disposition"].startswith("inline" if shown else "attachment")


def test_names_in_other_scripts_arrive_whole(program: Program) -> None:
    answer = get(path_of(uploaded(program, PNG, "वर्षा.png")))
    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith("inline; filename*=utf-8''%E0%A4")


# ---------------------------------------------------------------- HEAD, parts, and what is there already


def test_head_tells_what_get_would(file: MediaFile) -> None:
    answer = read(Client().head(path_of(file)))
    assert (answer.status_code, answer["Content-Length"], answer["Accept-Ranges"]) == (200, str(len(CONTENT)), "bytes")
    assert answer.whole == b""


SIZE = len(CONTENT)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=100-", 100, SIZE - 1),
        ("bytes=-10", SIZE - 10, SIZE - 1),
        (f"bytes=10-{SIZE * 2}", 10, SIZE - 1),
        (" bytes = 5 - 5 ", 5, 5),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1),
    ],
)
def test_a_part_is_answered_with_that_part(file: MediaFile, asked: str, first: int, last: int) -> None:
    answer = get(path_of(file), Range=asked)
    assert answer.status_code == 206
    assert answer["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer["Content-Length"] == str(last - first + 1)
    assert answer.whole == CONTENT[first : last + 1]


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "bytes=",
        "bytes=-",
        "bytes=9-5",
        "bytes=a-b",
        "lines=1-2",
        "bytes=0-1,5-6",
        f"bytes=0-{SIZE - 1}",
        f"bytes=-{SIZE * 2}",
    ],
)
def test_what_is_no_single_part_is_answered_with_the_whole(file: MediaFile, asked: str) -> None:
    answer = get(path_of(file), Range=asked)
    assert answer.status_code == 200
    assert answer.whole == CONTENT


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={'9' * 18}-", "bytes=-0"])
def test_a_part_that_is_not_there_is_refused_with_the_size(file: MediaFile, asked: str) -> None:
    answer = get(path_of(file), Range=asked)
    assert answer.status_code == 416
    assert answer["Content-Range"] == f"bytes */{SIZE}"


def test_what_the_browser_has_is_not_sent_again_and_no_part_of_another_version(file: MediaFile) -> None:
    tag = get(path_of(file))["ETag"]
    assert get(path_of(file), Range="bytes=0-9", **{"If-Range": tag}).status_code == 206
    assert get(path_of(file), Range="bytes=0-9", **{"If-Range": '"another"'}).status_code == 200
    answer = get(path_of(file), **{"If-None-Match": f'"x", {tag}'})
    assert (answer.status_code, answer.content) == (304, b"")


# What is changed in a good address, and to what.
FORGED = {
    "no signature": (r"&s=.*", ""),
    "no end": (r"e=\d+&", ""),
    "a later end": (r"e=(\d+)", r"e=\g<1>0"),
    "an end that is no number": (r"e=\d+", "e=never"),
    "an end in other digits": (r"e=\d+", "e=%D9%A1%D9%A2"),
    "another name": ("Pune", "Goa"),
    "another signature": (r".{5}$", "AAAAA"),
    "another key": (r"s=[a-z0-9]+\.", "s=zzz."),
    "another file": (r"[0-9a-f]{12}/", "0123456789ab/"),
    "no file at all": (r"/media/[^/]+/", "/media/nothing/"),
}


@pytest.mark.parametrize("what", FORGED)
def test_an_address_that_the_console_did_not_make_opens_nothing(file: MediaFile, what: str) -> None:
    path = re.sub(*FORGED[what], path_of(file), count=1)
    assert path != path_of(file)
    with CaptureQueriesContext(connection) as queries:
        message = refused(get(path), 403, "Unauthorized")
    assert not queries  # nothing is looked up, so nothing is told
    assert str(file.pk) not in message


@pytest.mark.parametrize("why", ["deleted", "half written", "lost by the store"])
def test_a_file_that_is_deleted_half_written_or_lost_is_not_there(file: MediaFile, why: str) -> None:
    path = path_of(file)
    if why == "deleted":
        MediaResource.objects.all().delete()
    elif why == "half written":
        MediaResource.objects.update(stored_at=None)
    else:
        storages["media"].delete(file.key)
    refused(get(path), 404, "NotFound", "NotFoundException")


def test_a_store_that_does_not_answer_is_said_to_be_down(file: MediaFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_arguments: Any, **_options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(storages["media"], "open", down)
    refused(get(path_of(file)), 503, "ServiceUnavailable", "ServiceException")


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_other_methods_are_not_known(file: MediaFile, method: str) -> None:
    answer = getattr(Client(), method)(path_of(file))
    refused(answer, 405, "MethodNotAllowed", "ValidationException")
    assert get(path_of(file)).whole == CONTENT


def test_an_address_goes_on_opening_when_the_peppers_are_rotated(file: MediaFile, settings: Settings) -> None:
    path = path_of(file)
    old = settings.CREDENTIAL_PEPPERS
    settings.CREDENTIAL_PEPPERS = [("new", bytes(range(32))), *old]
    assert get(path).status_code == 200
    assert path_of(file) != path
    settings.CREDENTIAL_PEPPERS = [("new", bytes(range(32)))]
    refused(get(path), 403, "Unauthorized")


def test_a_tag_for_another_purpose_is_no_signature(file: MediaFile) -> None:
    query = parse_qs(urlsplit(get_url(file)).query)
    other = crypto.hmac_tag("access-token", file.pk.bytes, file.name, query["e"][0])
    from groups.media.storage import _encoded

    signature = f"{crypto.current_key_id()}.{_encoded(other)}"
    assert not is_valid_address(file.pk, file.name, expires=query["e"][0], signature=signature, at=clock.now())
