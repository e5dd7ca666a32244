"""Answers fit their declared shapes exactly, in every test; here it is seen that the look at them is a sharp one."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import pytest
from django.test import RequestFactory
from pydantic import Field

from kaizala_console.api.endpoint import Call, operation, resource
from kaizala_console.api.responses import Answer, EpochMs, NoAnswer
from kaizala_console.api.tests.answers import find_mismatch

ID = "df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62"


class Message(Answer):
    message_id: UUID
    kind: Literal["Text", "Image"] = "Text"
    sent_at: EpochMs
    spelled_otherwise: str = Field(alias="Spelled_Otherwise", default="")
    cursor: str | None = None


@pytest.mark.parametrize(
    "answer",
    [
        f'{{"messageId": "{ID}", "sentAt": 1}}',
        f'{{"sentAt": 1, "messageId": "{ID}", "kind": "Image", "Spelled_Otherwise": "x", "cursor": null}}',
    ],
)
def test_what_fits(answer: str) -> None:
    assert find_mismatch(answer.encode(), Message) == ""


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ("{}", "messageId"),
        ("[]", "the answer"),
        ("no JSON", "the answer"),
        (f'{{"messageId": "{ID}", "sentAt": "1"}}', "sentAt"),
        (f'{{"messageId": "{ID}", "sentAt": 1.5}}', "sentAt"),
        (f'{{"messageId": "{ID}", "sentAt": null}}', "sentAt"),
        (f'{{"messageId": "{ID}", "sentAt": 1, "kind": "text"}}', "kind"),
        (f'{{"messageId": "{ID}", "sentAt": 1, "more": 1}}', "more"),
        (f'{{"messageId": "{ID}", "SentAt": 1}}', "sentAt"),
        (f'{{"message_id": "{ID}", "sentAt": 1}}', "messageId"),
        (f'{{"messageId": "{ID.upper()}", "sentAt": 1}}', "written again"),
        (f'{{"messageId": "{ID.replace("-", "")}", "sentAt": 1}}', "written again"),
    ],
)
def test_what_does_not_fit(answer: str, what: str) -> None:
    assert what in find_mismatch(answer.encode(), Message)


def test_an_answer_that_does_not_fit_fails_the_test_that_asked() -> None:
    @operation(summary="Read", response=Message)
    def read_message(call: Call) -> dict[str, int]:
        return {"sentAt": 1}

    with pytest.raises(pytest.fail.Exception, match="read_message does not answer as Message says: messageId"):
        resource(GET=read_message)(RequestFactory().get("/"))


def test_no_answer_is_an_empty_object() -> None:
    assert find_mismatch(b"{}", NoAnswer) == ""
    assert "x" in find_mismatch(b'{"x": 1}', NoAnswer)
