"""Media in an S3-compatible bucket: the same doors, another store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.test import Client
from pytest_django import Settings

from groups.media import storage as media_storage
from groups.models import MediaResource
from groups.services import media
from groups.tests.bucket_server import ACCESS_KEY, NAME, REGION, SECRET_KEY, Bucket, serving_bucket
from groups.tests.conftest import refused
from groups.tests.factories import Program
from groups.tests.media_files import PDF, PNG, part, path_of, upload, uploaded
from kaizala_console import configuration
from kaizala_console.configuration import check_media, media_storage_settings
from kaizala_console.lib.env import Environment


@pytest.fixture
def bucket(settings: Settings, tmp_path: Path) -> Iterator[Bucket]:
    """A bucket that the settings name, as an operator would."""
    with serving_bucket() as bucket:
        storage = media_storage_settings(
            tmp_path,
            bucket=NAME,
            endpoint=bucket.url,
            region=REGION,
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            addressing="path",
        )
        settings.STORAGES = {**settings.STORAGES, "media": storage}
        settings.MEDIA_INCOMING_DIR = tmp_path
        yield bucket


def test_a_file_is_put_into_the_bucket_under_a_key_that_says_nothing(program: Program, bucket: Bucket) -> None:
    file = uploaded(program)
    assert bucket.objects == {f"/{NAME}/{file.key}": PNG}
    assert "plan" not in str(bucket.asked)
    assert [method for method, _path in bucket.asked] == ["PUT"]  # it is not asked whether the key is free


def test_the_door_sends_on_to_an_address_that_ends_soon(program: Program, bucket: Bucket, travel: Any) -> None:
    file = uploaded(program, PDF, "Bill of May.pdf")
    answer = Client().get(path_of(file))
    assert (answer.status_code, answer["Cache-Control"]) == (302, "no-store")
    got = requests.get(answer["Location"], timeout=5)
    assert (got.status_code, got.content) == (200, PDF)
    assert got.headers["Content-Type"] == "application/pdf"
    assert got.headers["Content-Disposition"] == 'attachment; filename="Bill of May.pdf"'
    assert parse_qs(urlsplit(answer["Location"]).query)["X-Amz-Expires"] == ["300"]
    assert Client().head(path_of(file)).status_code == 200  # and asks the bucket nothing
    travel(minutes=6)
    assert requests.get(answer["Location"], timeout=5).status_code == 403


# What is changed in a good address of the bucket, and to what.
FORGED = {
    "no signature": (r"\?.*", ""),
    "another signature": (r"(X-Amz-Signature=)[0-9a-f]{4}", r"\g<1>zzzz"),
    "another file": (r"/[^/?]+\?", "/{other}?"),
    "a page": ("application%2Fpdf", "text%2Fhtml"),
    "a later end": ("X-Amz-Expires=300", "X-Amz-Expires=604800"),
}


@pytest.mark.parametrize("what", FORGED)
def test_an_address_of_the_bucket_that_was_changed_opens_nothing(program: Program, bucket: Bucket, what: str) -> None:
    other = uploaded(program).key
    address = Client().get(path_of(uploaded(program, PDF, "bill.pdf")))["Location"]
    pattern, instead = FORGED[what]
    forged = re.sub(pattern, instead.replace("{other}", other.rpartition("/")[2]), address, count=1)
    assert forged != address
    assert requests.get(forged, timeout=5).status_code == 403
    assert requests.get(address, timeout=5).content == PDF


def test_what_nothing_was_posted_with_is_deleted_from_the_bucket(program: Program, bucket: Bucket, travel: Any) -> None:
    uploaded(program)
    travel(days=8)
    assert media.sweep() == 1
    assert bucket.objects == {}


@pytest.mark.parametrize("status", [403, 503])
def test_a_bucket_that_is_down_or_does_not_know_the_secret_keeps_nothing(
    program: Program, bucket: Bucket, status: int
) -> None:
    bucket.refuses = status
    answer = upload(program, part(PNG, "plan.png"))
    assert SECRET_KEY not in refused(answer, 503, "ServiceUnavailable", "ServiceException")
    assert bucket.objects == {}
    assert not MediaResource.objects.whole().exists()


def test_a_bucket_without_its_packages_is_refused_with_the_line_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(configuration, "has_packages_for_buckets", lambda: False)
    env = Environment({"MEDIA_S3_BUCKET": "media", "MEDIA_S3_REGION": "eu-west-1"})
    media_storage_settings(
        tmp_path, bucket="media", endpoint="", region="", access_key="", secret_key="", addressing="auto"
    )
    check_media(env, max_mb=1, max_request_mb=1)
    [problem] = env.problems
    assert "pip install --requirement requirements-s3.txt" in problem


@pytest.mark.parametrize(
    ("variables", "sizes", "told"),
    [
        ({}, (100, 200), ""),
        ({}, (200, 200), ""),
        ({}, (201, 200), "MEDIA_MAX_REQUEST_MB must be"),
        ({"MEDIA_S3_BUCKET": "media", "MEDIA_S3_REGION": "eu-west-1"}, (1, 1), ""),
        ({"MEDIA_S3_BUCKET": "media", "MEDIA_S3_ACCESS_KEY": "a"}, (1, 1), "belong together"),
        ({"MEDIA_S3_BUCKET": "media", "MEDIA_S3_SECRET_KEY": "b"}, (1, 1), "belong together"),
        ({"MEDIA_S3_ENDPOINT": "https://s3.example.com"}, (1, 1), "MEDIA_S3_BUCKET is missing"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    variables: dict[str, str], sizes: tuple[int, int], told: str
) -> None:
    env = Environment(variables)
    check_media(env, max_mb=sizes[0], max_request_mb=sizes[1])
    assert len(env.problems) == bool(told)
    assert told in "".join(env.problems)


def test_pages_may_name_where_its_addresses_lead(bucket: Bucket) -> None:
    assert media_storage.origin() == bucket.url
    assert bucket.asked == []
