"""Quirks of old programs, noticed while their calls are read (wire protocol §1 and §2).

Every one of them works; noticing it serves the report that a connector's owner reads, and decides nothing. What is
noted stands in the request, and whoever knows the caller counts it (`connectors.services.usage`). Never more than the
name of a quirk is stored: no value, no body, no address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from enum import Enum, StrEnum
from functools import cache
from typing import Any, Final

from django.http import HttpRequest
from pydantic import AliasChoices, BaseModel

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
def collect_quirks(request: HttpRequest) -> Iterator[None]:
    """Inside, `current_quirks()` is the set that this request's quirks are noted in."""
    noted: set[CompatibilityQuirk] = set()
    request.META[QUIRKS] = noted
    token = _here.set(noted)
    try:
        yield
    finally:
        _here.reset(token)


def current_quirks() -> set[CompatibilityQuirk] | None:
    """Where to note quirks of the request at hand, for those who do not have it; None outside of one."""
    return _here.get()


def note_quirk(request: HttpRequest, quirk: CompatibilityQuirk) -> None:
    request.META.setdefault(QUIRKS, set()).add(quirk)


def get_quirks(request: HttpRequest) -> frozenset[CompatibilityQuirk]:
    return frozenset(request.META.get(QUIRKS, ()))


def note_path(request: HttpRequest, route: str, segments: Sequence[str], arguments: Mapping[str, Any]) -> None:
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


_LOOKED_AT: Final = 100  # of a list: a quirk shows early, and some lists have thousands of entries
_LONGEST_ID: Final = 48
_TOKENS_LOOKED_AT: Final = 10_000  # a body of a million of them is no quirk


def note_body(given: Mapping[str, Any], shaped: BaseModel, *, texts: bool = False) -> None:
    """Note how names and values were written. `texts` where there is nothing but text: a form, a query."""
    noted = current_quirks()
    if noted is not None:
        _compare(given, shaped, noted, texts)


def note_json5(tokens: Sequence[str]) -> None:
    """Note what in a body is not JSON, once it has been read leniently: its tokens, strings and comments whole."""
    noted = current_quirks()
    if noted is None:
        return
    found, rest = set(), []
    for token in tokens[:_TOKENS_LOOKED_AT]:
        quote = token.lstrip("uU")[:1]
        if quote in ("'", '"') and len(token) > 1:
            rest.append('"')
            if quote == "'":
                found.add(CompatibilityQuirk.SINGLE_QUOTES)
        elif token.startswith(("//", "/*")):
            rest.append(" ")
            found.add(CompatibilityQuirk.COMMENTS)
        else:
            rest.append(token)
            if token in ("True", "False", "None"):
                found.add(CompatibilityQuirk.PYTHON_WORDS)
    skeleton = "".join(rest)
    if _UNQUOTED.search(skeleton):
        found.add(CompatibilityQuirk.UNQUOTED_NAMES)
    if _TRAILING_COMMA.search(skeleton):
        found.add(CompatibilityQuirk.TRAILING_COMMA)
    noted |= found or {CompatibilityQuirk.OTHER_JSON}


_UNQUOTED: Final = re.compile(r"[{,]\s*+[A-Za-z_$][\w$]*+\s*+:")
_TRAILING_COMMA: Final = re.compile(r",\s*+[}\]]")


def _compare(given: Mapping[str, Any], shaped: BaseModel, noted: set[CompatibilityQuirk], texts: bool) -> None:
    names, fields = _wire_names(type(shaped))
    for name, value in given.items():
        known = names.get(name.lower())
        if known is None or value is None:
            continue
        if name != known:
            noted.add(
                CompatibilityQuirk.OTHER_CASE_NAME if name.lower() == known.lower() else CompatibilityQuirk.OTHER_NAME
            )
        _inspect(value, getattr(shaped, fields[known]), noted, texts)


def _inspect(given: Any, shaped: Any, noted: set[CompatibilityQuirk], texts: bool) -> None:
    if isinstance(given, str):
        _inspect_text(given, shaped, noted, texts)
    elif isinstance(given, int | float):
        if isinstance(shaped, Enum):
            noted.add(CompatibilityQuirk.NUMBER_FOR_NAME)
        elif isinstance(shaped, str):
            noted.add(CompatibilityQuirk.NUMBER_FOR_TEXT)
    elif isinstance(given, dict):
        if isinstance(shaped, BaseModel):
            _compare(given, shaped, noted, texts)
    elif isinstance(given, list) and isinstance(shaped, list | tuple) and len(given) == len(shaped):
        for one, its_shape in zip(given[:_LOOKED_AT], shaped[:_LOOKED_AT], strict=True):
            _inspect(one, its_shape, noted, texts)


def _inspect_text(given: str, shaped: Any, noted: set[CompatibilityQuirk], texts: bool) -> None:
    if isinstance(shaped, Enum):
        if given != shaped.value:
            noted.add(
                CompatibilityQuirk.NUMBER_FOR_NAME if given.strip().isdecimal() else CompatibilityQuirk.OTHER_CASE_VALUE
            )
        return
    a_number = isinstance(shaped, datetime) and given.strip().removeprefix("-").isdecimal()  # the other way is ISO 8601
    if not texts and (a_number or isinstance(shaped, bool | int | float)):
        noted.add(CompatibilityQuirk.TEXT_FOR_VALUE)
    elif "@" in given and len(given) <= _LONGEST_ID and GROUP_ID_SUFFIX.fullmatch(given):
        noted.add(CompatibilityQuirk.GROUP_ID_SUFFIX)


@cache
def _wire_names(shape: type[BaseModel]) -> tuple[dict[str, str], dict[str, str]]:
    """Every name on the wire, in lower case, with the one that is described; and the field that this one stands for."""
    names, fields = {}, {}
    for field, info in shape.model_fields.items():
        alias = info.validation_alias
        spellings = [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [str(alias)]
        fields[spellings[0]] = field
        for spelling in spellings:
            names[spelling.lower()] = spellings[0]
    return names, fields
