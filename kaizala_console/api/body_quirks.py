"""What a body or a query string shows of old habits: found by comparing what was sent with the shape that it became."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Final

from pydantic import AliasChoices, BaseModel

from kaizala_console.api import compatibility
from kaizala_console.api.compatibility import GROUP_ID_SUFFIX, CompatibilityQuirk

_LOOKED_AT: Final = 100  # of a list: a habit shows early, and some lists have thousands of entries
_LONGEST_ID: Final = 48
_TOKENS_LOOKED_AT: Final = 10_000  # a body of a million of them is no habit


def of_shape(given: Mapping[str, Any], shaped: BaseModel, *, texts: bool = False) -> None:
    """Note how names and values were written. `texts` where there is nothing but text: a form, a query."""
    noted = compatibility.here()
    if noted is not None:
        _compare(given, shaped, noted, texts)


def of_json5(tokens: Sequence[str]) -> None:
    """Note what in a body is not JSON, once it has been read leniently: its tokens, strings and comments whole."""
    noted = compatibility.here()
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
    names, fields = _names_of(type(shaped))
    for name, value in given.items():
        known = names.get(name.lower())
        if known is None or value is None:
            continue
        if name != known:
            noted.add(
                CompatibilityQuirk.OTHER_CASE_NAME if name.lower() == known.lower() else CompatibilityQuirk.OTHER_NAME
            )
        _look_at(value, getattr(shaped, fields[known]), noted, texts)


def _look_at(given: Any, shaped: Any, noted: set[CompatibilityQuirk], texts: bool) -> None:
    if isinstance(given, str):
        _look_at_text(given, shaped, noted, texts)
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
            _look_at(one, its_shape, noted, texts)


def _look_at_text(given: str, shaped: Any, noted: set[CompatibilityQuirk], texts: bool) -> None:
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
def _names_of(shape: type[BaseModel]) -> tuple[dict[str, str], dict[str, str]]:
    """Every name on the wire, in lower case, with the one that is described; and the field that this one stands for."""
    names, fields = {}, {}
    for field, info in shape.model_fields.items():
        alias = info.validation_alias
        spellings = [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [str(alias)]
        fields[spellings[0]] = field
        for spelling in spellings:
            names[spelling.lower()] = spellings[0]
    return names, fields
