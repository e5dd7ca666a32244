"""Bodies as programs of 2017 to 2023 write them (wire protocol §2).

Strict JSON first, because almost every body is. When that fails, pyjson5 reads unquoted keys, single quotes,
comments and trailing commas, after what Python's ``str(dict)`` prints has been put into JSON5: ``True``,
``False``, ``None``, the ``u'…'`` of Python 2, and ``\\U0001f600``; and what programs put together by hand: text
with the line ends that a person typed, and a PIN with its leading zeros.

Of properties that occur twice the last one wins, as everywhere in JSON. NaN and infinity are refused, and so
are NUL and lone surrogates, which no database stores.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

import pyjson5

from kaizala_console.api import compatibility
from kaizala_console.api.compatibility import CompatibilityQuirk
from kaizala_console.api.errors import InvalidParameters

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 64

_LARGEST_INTEGER: Final = 2**63 - 1
_MOST_DIGITS: Final = 20
_QUOTES: Final = frozenset("\"'")
_OPAQUE: Final = frozenset("\"'/uU")  # how strings and comments begin
_BOM: Final = "\ufeff"
_NOT_JSON: Final = "The body is not valid JSON"
_FORM: Final = re.compile(r"[\w.%-]{1,100}=")


def loads(data: bytes) -> Any:
    """Return the value in ``data`` (UTF-8, with or without a byte-order mark); None when it is blank.

    Raises InvalidParameters, whose message never repeats the body: it may hold secrets.
    """
    if len(data) > MAX_BYTES:
        raise too_large()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise InvalidParameters(f"{_NOT_JSON}: it must be UTF-8, byte {problem.start} is not.") from None
    if text.startswith(_BOM):
        text = text.removeprefix(_BOM)
        noted = compatibility.current_quirks()
        if noted is not None:
            noted.add(CompatibilityQuirk.BYTE_ORDER_MARK)
    if not text or text.isspace():
        return None
    try:
        value = _strict.decode(text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        return _checked(_lenient(text))
    return _checked(value) if _is_suspect(text) else value


def too_large() -> InvalidParameters:
    """Return the answer to a body over the limit (wire protocol §2: 400; media are another matter)."""
    return InvalidParameters(f"The body is too large: at most {MAX_BYTES} bytes are read.")


def _too_deep() -> InvalidParameters:
    return InvalidParameters(f"{_NOT_JSON}: it is nested deeper than {MAX_DEPTH}.")


# Strict --------------------------------------------------------------------------------------------------------


def _no_number() -> InvalidParameters:
    return InvalidParameters(f"{_NOT_JSON}: NaN and Infinity are no numbers.")


def _too_large_number() -> InvalidParameters:
    return InvalidParameters(f"{_NOT_JSON}: a number is too large.")


def _refuse_constant(_name: str) -> NoReturn:
    raise _no_number()


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _too_large_number()
    return number


def _bounded(digits: str) -> int:
    # By length first: turning a million digits into an integer takes a while.
    if len(digits) > _MOST_DIGITS or abs(number := int(digits)) > _LARGEST_INTEGER:
        raise _too_large_number()
    return number


_strict: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite, parse_int=_bounded)


def _is_suspect(text: str) -> bool:
    """Tell whether strict JSON could still hold what is refused; cheap, and wrong only to the careful side."""
    return text.count("[") + text.count("{") > MAX_DEPTH or "\\u0000" in text or "\\ud" in text or "\\uD" in text


# Lenient -------------------------------------------------------------------------------------------------------

# Strings and comments are matched whole, so that what stands in them is left alone. Every character belongs to one
# token, and no alternative steps back (possessive, or to the end of the text): one pass, in time linear to the body.
_TOKEN: Final = re.compile(
    r"""
      (?:(?<![\w$])[uU])?+ (?: "(?:[^"\\]|\\.)*+(?:"|\\?\Z) | '(?:[^'\\]|\\.)*+(?:'|\\?\Z) )
    | //[^\n\r]*+ | /\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)
    | (?<![\w$]) (?:True|False|None) (?![\w$]) (?!\s*+:)
    | [^"'/TFNuU]++ | .
    """,
    re.VERBOSE | re.DOTALL,
)
_WORDS: Final = {"True": "true", "False": "false", "None": "null"}
_LONG_ESCAPE: Final = re.compile(r"\\(?:U([0-9a-fA-F]{8})|.)", re.DOTALL)


def _lenient(text: str) -> Any:
    try:
        tokens = _TOKEN.findall(text)
        value = pyjson5.decode(_as_json5(tokens, text), maxdepth=MAX_DEPTH)
    except pyjson5.Json5NestingTooDeep:
        raise _too_deep() from None
    except (pyjson5.Json5Exception, ValueError, RecursionError) as problem:
        if _FORM.match(text):
            raise InvalidParameters(f"{_NOT_JSON}: it is form data; send its names and values as one object.") from None
        # The exception's own text quotes the body: only the place is taken from it.
        raise InvalidParameters(f"{_NOT_JSON}{_place(problem)}.") from None
    compatibility.note_json5(tokens)
    return value


_TYPED_NUMBER: Final = re.compile(r"([:,\[]\s*+)(0[0-9]++)(?=\s*+[,}\]])")


def _as_json5(tokens: list[str], text: str) -> str:
    if "\\U" in text:
        tokens = [_LONG_ESCAPE.sub(_as_short_escapes, token) if "\\U" in token else token for token in tokens]
    if "\n" in text or "\r" in text:
        tokens = [_on_one_line(token) if "\n" in token or "\r" in token else token for token in tokens]
    if _TYPED_NUMBER.search(text):
        tokens = [token if token[0] in _OPAQUE else _TYPED_NUMBER.sub(r'\1"\2"', token) for token in tokens]
    # Not by re.sub with a function: a call for each token makes a crafted body several times dearer.
    return "".join(
        [_WORDS.get(token) or (token[1:] if token[0] in "uU" and token[1:2] in _QUOTES else token) for token in tokens]
    )


def _on_one_line(token: str) -> str:
    # JSON5 knows a line end behind a backslash, and goes on in the next line. Such a string is left as it is.
    if token.lstrip("uU")[:1] not in _QUOTES or "\\\n" in token or "\\\r" in token:
        return token
    return token.replace("\r", "\\r").replace("\n", "\\n")


def _as_short_escapes(escape: re.Match[str]) -> str:
    if not escape[1]:
        return escape[0]
    point = int(escape[1], 16)
    if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
        raise ValueError("no such character")
    units = chr(point).encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _place(problem: Exception) -> str:
    match = re.search(r"near (\d+)", str(problem.args[0])) if problem.args else None
    return f": it cannot be read near character {match[1]}" if match else ""


# What neither reader refuses -----------------------------------------------------------------------------------


def _checked(value: Any) -> Any:
    """Return ``value``; raises InvalidParameters when it is too deep or holds what cannot be stored."""
    level, depth = [value], 0
    while level:
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, dict | list):
                if depth == MAX_DEPTH:
                    raise _too_deep()
                if isinstance(item, dict):
                    deeper += item  # the names
                    deeper += item.values()
                else:
                    deeper += item
            elif isinstance(item, str):
                _check_text(item)
            elif isinstance(item, float) and not math.isfinite(item):
                raise _no_number()
            elif isinstance(item, int) and abs(item) > _LARGEST_INTEGER:
                raise _too_large_number()
        level, depth = deeper, depth + 1
    return value


def _check_text(text: str) -> None:
    if "\0" in text:
        raise InvalidParameters("The body holds a NUL character, which is not allowed in text.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidParameters("The body holds half a surrogate pair, which is no character.") from None
