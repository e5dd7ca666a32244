"""What tests of pages share."""

from __future__ import annotations

import re
from typing import Any


def words(answer: Any) -> str:
    """The page as text: tags, repeated spaces and unbreakable spaces gone."""
    return " ".join(re.sub(r"<[^>]*>", " ", answer.content.decode()).replace("\xa0", " ").split())


def url_with(one: Any, other: Any) -> bool:
    """Whether two answers cannot be told apart, but for the CSRF token, which is another one each time."""
    return bool(one.status_code == other.status_code and _without_tokens(one) == _without_tokens(other))


def _without_tokens(answer: Any) -> str:
    return re.sub(r"\b[A-Za-z0-9]{64}\b", "token", answer.content.decode())
