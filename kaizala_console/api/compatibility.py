"""Old habits of programs, noticed while their calls are read (wire protocol §1 and §2).

Every one of them works; noticing it serves the report that a connector's owner reads, and decides nothing. What is
noted stands in the request, and whoever knows the caller counts it (`connectors.services.usage`). Never more than the
name of the habit is kept: no value, no body, no address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import Any, Final

from django.http import HttpRequest

QUIRKS: Final = "compatibility.quirks"  # in META: no header can have this name
GROUP_ID_SUFFIX: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}@\d+")
_OLD_DOMAIN: Final = "kaiza.la"
_SUBSCRIBERS: Final = re.compile(r"v1/groups/<\w+>/subscribers")


class CompatibilityQuirk(StrEnum):
    """What an old program does differently from what is described today. The values are stored."""

    # The path
    DOUBLE_SLASH = "double_slash"
    NO_VERSION = "no_version"
    OTHER_CASE_PATH = "other_case_path"
    TRAILING_SLASH = "trailing_slash"
    GROUP_ID_SUFFIX = "group_id_suffix"
    SUBSCRIBERS_BY_GET = "subscribers_by_get"
    BOT = "bot"
    ACTION_PROPERTIES = "action_properties"
    FIND_GROUPS = "find_groups"
    # The headers
    OLD_HOST = "old_host"
    TOKEN_HEADER = "token_header"  # noqa: S105 (a name)
    NO_CONTENT_TYPE = "no_content_type"
    OTHER_CONTENT_TYPE = "other_content_type"
    # How the body is written
    BYTE_ORDER_MARK = "byte_order_mark"
    UNQUOTED_NAMES = "unquoted_names"
    SINGLE_QUOTES = "single_quotes"
    TRAILING_COMMA = "trailing_comma"
    COMMENTS = "comments"
    PYTHON_WORDS = "python_words"
    OTHER_JSON = "other_json"
    # What stands in the body and in the query
    OTHER_CASE_NAME = "other_case_name"
    OTHER_NAME = "other_name"
    OTHER_CASE_VALUE = "other_case_value"
    NUMBER_FOR_NAME = "number_for_name"
    TEXT_FOR_VALUE = "text_for_value"
    NUMBER_FOR_TEXT = "number_for_text"


_BEYOND_THE_PROTOCOL: Final = {
    "PUT v1/groups/<group_id>/actions/<action_id>": {CompatibilityQuirk.ACTION_PROPERTIES},
    "PUT v1/groups/<group_id>/actions/<action_id>/properties": {CompatibilityQuirk.ACTION_PROPERTIES},
    "GET v1/tenant/findGroupsByQuery": {CompatibilityQuirk.FIND_GROUPS},
}

_here: ContextVar[set[CompatibilityQuirk] | None] = ContextVar("compatibility_quirks", default=None)


@contextmanager
def collecting(request: HttpRequest) -> Iterator[None]:
    """Inside, `here()` is the set that this request's habits are noted in."""
    noted: set[CompatibilityQuirk] = set()
    request.META[QUIRKS] = noted
    token = _here.set(noted)
    try:
        yield
    finally:
        _here.reset(token)


def here() -> set[CompatibilityQuirk] | None:
    """Where to note habits of the request at hand, for those who do not have it; None outside of one."""
    return _here.get()


def note(request: HttpRequest, habit: CompatibilityQuirk) -> None:
    """Note that this request shows `habit`."""
    request.META.setdefault(QUIRKS, set()).add(habit)


def noted_in(request: HttpRequest) -> frozenset[CompatibilityQuirk]:
    """What has been noted in this request."""
    return frozenset(request.META.get(QUIRKS, ()))


def of_path(request: HttpRequest, route: str, segments: Sequence[str], arguments: Mapping[str, Any]) -> None:
    """Note how the path is written that led to `route`, and the host. Some microseconds."""
    noted: set[CompatibilityQuirk] = request.META.setdefault(QUIRKS, set())
    path = request.path_info
    if "//" in path:
        noted.add(CompatibilityQuirk.DOUBLE_SLASH)
    if path.endswith("/"):
        noted.add(CompatibilityQuirk.TRAILING_SLASH)
    if route.startswith("v1/") and path.lstrip("/")[:3].lower() != "v1/":
        noted.add(CompatibilityQuirk.NO_VERSION)
    for spelled, given in zip(route.split("/"), segments, strict=False):
        if spelled != given and not spelled.startswith("<"):
            noted.add(CompatibilityQuirk.OTHER_CASE_PATH)
            break
    if "@" in path and any(GROUP_ID_SUFFIX.fullmatch(str(value)) for value in arguments.values()):
        noted.add(CompatibilityQuirk.GROUP_ID_SUFFIX)
    if request.method == "GET" and _SUBSCRIBERS.fullmatch(route):
        noted.add(CompatibilityQuirk.SUBSCRIBERS_BY_GET)
    if "/bot" in route:  # v1/bot, all below it, and v1/groups/<group_id>/bot
        noted.add(CompatibilityQuirk.BOT)
    noted.update(_BEYOND_THE_PROTOCOL.get(f"{request.method} {route}", ()))
    host = request.META.get("HTTP_HOST", "").partition(":")[0].lower()
    if host == _OLD_DOMAIN or host.endswith(f".{_OLD_DOMAIN}"):
        noted.add(CompatibilityQuirk.OLD_HOST)
