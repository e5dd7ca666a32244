"""What the lenient reader promises of every text: it never reads strict JSON otherwise, nor what Python prints."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kaizala_console.api import lenient_json
from kaizala_console.api.errors import InvalidParameters
from kaizala_console.api.tests.test_lenient_json import json_values

PIECES = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    " ",
    "\n",
    '"a"',
    '"A\\n"',
    '"é\\u0905"',
    "0",
    "-1",
    "1.5e3",
    "1e999",
    "true",
    "null",
]
near_json = st.lists(st.sampled_from(PIECES), max_size=24).map("".join)
names = st.from_regex(r"[A-Za-z_$][A-Za-z0-9_$]{0,8}", fullmatch=True)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: 1 is not True, and not 1.0."""
    return repr(one) == repr(other)


@given(st.one_of(near_json, json_values.map(json.dumps), st.text(max_size=40)))
def test_what_json_reads_is_read_the_same_or_refused(text: str) -> None:
    """Refused is what no database holds: NaN, numbers without end, NUL, half a pair, too deep a nest."""
    try:
        expected = json.loads(text)
    except (ValueError, RecursionError):
        return
    with contextlib.suppress(InvalidParameters):
        assert same(lenient_json.loads(text.encode(errors="surrogatepass")), expected)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), json_values))
def test_what_python_prints_is_read_back_in_value_and_type(value: dict[str, Any]) -> None:
    assert same(lenient_json.loads(str(value).encode()), value)
    assert same(lenient_json.loads(repr([value]).encode()), [value])


@given(st.dictionaries(names, json_values, max_size=4))
def test_unquoted_names_trailing_commas_and_comments_change_nothing(value: dict[str, Any]) -> None:
    inner = "".join(f"{name}: /* here */ {json.dumps(each)},\n" for name, each in value.items())
    assert same(lenient_json.loads(f"\ufeff// a comment\n{{{inner}}}".encode()), value)


@given(json_values, st.integers(1, 6))
def test_a_strict_body_that_was_cut_off_is_never_half_read(value: Any, cut: int) -> None:
    text = json.dumps({"value": value})
    short = text[: max(1, len(text) - cut)]
    with contextlib.suppress(InvalidParameters):
        raise AssertionError(f"read: {lenient_json.loads(short.encode())!r}")
