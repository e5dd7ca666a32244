"""Bodies that cannot be read, held against every operation of the wire (protocol §2 and §3)."""

from __future__ import annotations

from typing import Final

import pytest

from groups.models import Group
from groups.tests.factories import Program
from kaizala_console.tests.protocol import (
    ALL,
    BROKEN,
    DEEP,
    GUARDED,
    INVALID,
    JSON,
    OVER,
    READING,
    STRANGE_QUERY,
    Row,
    all_as_expected,
    send,
    wrong,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("body", "said"),
    [(OVER, "1048576 bytes"), (DEEP, "deeper than 64"), *((each, "") for each in BROKEN)],
    ids=["over 1 MiB", "nested 65 deep", *map(repr, BROKEN)],
)
def test_a_body_that_cannot_be_read(program: Program, group: Group, body: bytes, said: str) -> None:
    def ask(row: Row) -> str:
        return wrong(send(row, row.path(group_id=str(group.pk)), program.access_token, body), *INVALID, said)

    all_as_expected(READING, ask)


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "multipart/form-data"])
def test_a_multipart_body_where_json_is_read(program: Program, group: Group, kind: str) -> None:
    def ask(row: Row) -> str:
        answer = send(row, row.path(group_id=str(group.pk)), program.access_token, b"--x--", kind)
        return wrong(answer, 415, "UnsupportedMediaType", "ValidationException", JSON)

    all_as_expected([row for row in READING if not row.operation.uploads], ask)


def test_a_compressed_body(program: Program, group: Group) -> None:
    def ask(row: Row) -> str:
        headers = {"Content-Encoding": "gzip"}
        answer = send(row, row.path(group_id=str(group.pk)), program.access_token, b"{}", **headers)
        return wrong(answer, 415, "UnsupportedMediaType", "ValidationException", JSON)

    all_as_expected(READING, ask)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "text/json; charset=utf-16", ";"]
)
def test_json_is_read_whatever_the_content_type_says(strange: Program, kind: str) -> None:
    """As old programs sent it (§2): the answer is that of the group out of reach, which is looked for afterwards."""

    def ask(row: Row) -> str:
        good = row.body() or b""
        return wrong(
            send(row, row.path(), strange.access_token, good, kind), 403, "Unauthorized", "AuthException"
        ) or wrong(send(row, row.path(), strange.access_token, b"[1, 2]", kind), *INVALID, "must be a JSON object")

    all_as_expected([row for row in GUARDED if row.operation.body and "group_id" in row.arguments], ask)


def test_a_file_without_a_multipart_body(program: Program) -> None:
    def ask(row: Row) -> str:
        answer = send(row, row.path(), program.access_token, b"x", "image/png")
        return wrong(answer, 415, "UnsupportedMediaType", "ValidationException", "multipart/form-data")

    all_as_expected([row for row in READING if row.operation.uploads], ask)


# Never our fault -----------------------------------------------------------------------------------------------

ODD: Final = (
    b"{}",
    b"null",
    b"",
    b'{"\\u0000": 1}',
    b'{"members": [null, {}, [], 7], "subscribers": 7, "botIds": [null], "subGroups": [{}], "eventTypes": {}}',
    b'{"name": {"a": 1}, "message": [], "actionBody": "x", "actionType": -1, "validity": "soon", "count": 1e400}',
    b'{"name": "\\ud800", "message": "\\ud800", "mobileNumber": "\\ud800", "credential": "\\ud800"}',
    b'{"actionType": 0, "id": "x", "actionBody": [[]], "responseId": 7, "answers": {}, "role": 1, "pin": 1e9}',
)


def test_whatever_is_sent_is_the_callers_fault_or_nobodys(program: Program, group: Group) -> None:
    """Bodies and queries that no program would mean, to all methods: an answer of the wire, and never a 5xx."""

    def ask(row: Row) -> str:
        for body in ODD:
            path = f"{row.path(group_id=str(group.pk))}?{STRANGE_QUERY}"
            answer = send(row, path, program.access_token, body)
            if answer.status_code >= 500 or answer["Access-Control-Allow-Origin"] != "*":
                return f"{answer.status_code} for {body!r}: {answer.content!r}"
            if answer.status_code >= 400 and not {"message", "errorCode", "errorCategoryKey"} <= set(answer.json()):
                return f"{answer.content!r} for {body!r}"
        return ""

    all_as_expected(ALL, ask)
