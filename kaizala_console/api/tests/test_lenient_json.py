"""Bodies as programs of 2017 to 2023 write them, and what the reader promises of every text."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaizala_console.api import lenient_json
from kaizala_console.api.errors import InvalidParameters

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner, max_size=4)
    ),
    max_leaves=20,
)


def loads(text: str) -> Any:
    return lenient_json.loads(text.encode())


def refusal(data: bytes | str) -> str:
    with pytest.raises(InvalidParameters) as caught:
        lenient_json.loads(data.encode() if isinstance(data, str) else data)
    return str(caught.value)


@given(json_values)
def test_strict_json_means_what_it_means_everywhere(value: Any) -> None:
    assert lenient_json.loads(json.dumps(value).encode()) == value
    assert lenient_json.loads(json.dumps(value, ensure_ascii=False, indent=1).encode()) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{name:"Test group", members:["+911099999999"]}', {"name": "Test group", "members": ["+911099999999"]}),
        ("{'a': True, 'b': False, 'c': None, 'd': [True]}", {"a": True, "b": False, "c": None, "d": [True]}),
        ("{u'message': u'caf\\xe9', u\"it's\": U'x'}", {"message": "café", "it's": "x"}),
        ("{'message': '\\U0001f9ff and \\\\U0001f9ff'}", {"message": "\U0001f9ff and \\U0001f9ff"}),
        ("{'message': 'it\\'s True, u\\'None\\' // here'}", {"message": "it's True, u'None' // here"}),
        ('{"a": 1, /* two */ "b": [1, 2,], // three\n}', {"a": 1, "b": [1, 2]}),
        ("/* True 'x */ {None: 1, True: 2, uTrue: True}", {"None": 1, "True": 2, "uTrue": True}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ("\ufeff{a: 1}", {"a": 1}),
        ("{'a': .5, 'b': +1, 'c': 0x10}", {"a": 0.5, "b": 1, "c": 16}),
        ("{'a': '\\\n'}", {"a": ""}),
        # A text field's lines, put between quotes as they are.
        ('{"message": "one\ntwo\r\nthree"}', {"message": "one\ntwo\r\nthree"}),
        ("{message:\n'one\n// two'}", {"message": "one\n// two"}),
        ("{'a': u'\n', \"b\": '\r'}", {"a": "\n", "b": "\r"}),
        # A PIN, put behind the colon as it was typed.
        ('{"mobileNumber":"+1", "pin":012345}', {"mobileNumber": "+1", "pin": "012345"}),
        ("{'pins': [01,02], n: 0, m: 0.5, '012': 1}", {"pins": ["01", "02"], "n": 0, "m": 0.5, "012": 1}),
        ("'text'", "text"),
        ("True", True),
        # Of properties that occur twice the last one wins.
        ('{"a": 1, "a": 2}', {"a": 2}),
        ("{a: 1, 'a': 2}", {"a": 2}),
    ],
)
def test_the_habits_of_old_programs_are_understood(text: str, value: Any) -> None:
    assert loads(text) == value


@pytest.mark.parametrize("data", [b"", b"  \r\n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_nothing_is_nothing(data: bytes) -> None:
    assert lenient_json.loads(data) is None


@pytest.mark.parametrize(
    "text",
    ["{", "}", "{'a'}", "{a:}", "{a b}", "[1 2]", "{'a': 'b", "hello", "{} {}", "/*", "//", "'", "a=b&c=d", "<xml/>",
     "{'a': undefined}", "{'a': (1, 2)}", "{'a': b'x'}", "{\"a\": '\\U00110000'}", "\x00", "\\", "{'a': lambda: 0}",
     "{'a': __import__('os')}", "{'\\ud800': 1}"],
)  # fmt: skip
def test_what_is_neither_json_nor_nearly_is_refused(text: str) -> None:
    assert "not valid JSON" in refusal(text)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "{'a': -Infinity}", '{"a": NaN}', "{a: +Infinity}"])
def test_what_is_no_number_is_refused(text: str) -> None:
    assert "NaN and Infinity" in refusal(text)


@pytest.mark.parametrize("text", ["1e999", "-1e999", "9" * 19, "9" * 5000, "-" + "9" * 400, '{"a": [1e400]}'])
def test_a_number_that_nothing_can_hold_is_refused(text: str) -> None:
    assert "not valid JSON" in refusal(text)
    assert "not valid JSON" in refusal(f"{{a: {text}}}")


def test_the_largest_integers_are_read() -> None:
    assert loads(f"[{2**63 - 1}, {-(2**63) + 1}]") == [2**63 - 1, -(2**63) + 1]


@pytest.mark.parametrize(
    "text", ['{"a": "x\\u0000y"}', '{"x\\u0000y": 1}', "{'a': 'x\\x00y'}", "{'a': '\\0'}", '{a: "\x00"}']
)
def test_a_nul_character_is_refused(text: str) -> None:
    assert "NUL" in refusal(text)


@pytest.mark.parametrize("text", ['{"a": "\\ud800"}', '{"a": ["\\uDC00x"]}', '{"\\ud83d": 1}'])
def test_half_a_surrogate_pair_is_refused(text: str) -> None:
    assert "surrogate" in refusal(text)


@pytest.mark.parametrize("opening", ["[", '{"a":', "{a:", "[{a:["])
def test_nesting_is_read_to_64_and_refused_from_65_on_strict_or_lenient(opening: str) -> None:
    closing = "".join({"[": "]", "{": "}"}[c] for c in reversed(opening) if c in "[{")
    width = len(closing)
    for filling in ("1", "'x'"):
        deep = opening * (64 // width) + filling + closing * (64 // width)
        assert loads(deep) is not None
        deeper = opening * (64 // width + 1) + filling + closing * (64 // width + 1)
        assert "deeper than 64" in refusal(deeper)


@pytest.mark.parametrize("opening", ["[", '{"a":', "{a:", "{'a':["])
def test_a_bomb_of_brackets_is_defused(opening: str) -> None:
    assert "not valid JSON" in refusal(opening * (lenient_json.MAX_BYTES // len(opening)))


def seconds_of(text: str) -> float:
    began = time.process_time()
    with contextlib.suppress(InvalidParameters):
        loads(text)
    return time.process_time() - began


@pytest.mark.parametrize(
    "piece",
    [
        '\\"',
        "\\'",
        '"',
        "'",
        "/*",
        "//",
        "u'",
        "True",
        "'\\U0001f600",
        "\\\\",
        "/* *",
        "None:",
        "{a:1},",
        "1",
        "9" * 10,
    ],
)
def test_no_body_of_the_largest_size_takes_longer_than_in_proportion(piece: str) -> None:
    for prefix in ("", "[", "['", '["', "/*"):
        text = (prefix + piece * (lenient_json.MAX_BYTES // len(piece)))[: lenient_json.MAX_BYTES]
        # The quickest of three counts: what else the process does, such as look for garbage, is not meant.
        small = min(seconds_of(text[: lenient_json.MAX_BYTES // 16]) for _ in range(3))
        # Sixteen times the body: sixteen times the time if it is linear, 256 times if it is not.
        assert any(seconds_of(text) < 64 * max(small, 0.005) for _ in range(3))


def test_a_body_of_one_mebibyte_is_read_and_one_byte_more_is_not() -> None:
    filling = "x" * (lenient_json.MAX_BYTES - 2)
    assert loads(f'"{filling}"') == filling
    assert "too large" in refusal(f'"{filling}x"')


@pytest.mark.parametrize(
    "text", ["{'pin': 'J7Q2K9ZX1B' oops", "{'applicationSecret': 'J7Q2K9ZX1B', }}", '{"a": "J7Q2K9ZX1B\\ud800"}']
)
def test_no_refusal_repeats_the_body(text: str) -> None:
    assert "J7Q2K9ZX1B" not in refusal(text)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(InvalidParameters):
        lenient_json.loads(data)


@given(st.text("{}[]:,'\"\\/*uUTrueFalsNone01.eE+-x \n\0\ud800é", max_size=60))
def test_no_text_that_looks_like_json_raises_anything_else(text: str) -> None:
    try:
        value = lenient_json.loads(text.encode("utf-8", "surrogatepass"))
    except InvalidParameters:
        return
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


near_json = st.lists(
    st.sampled_from([*"{}[]:, \n", '"a"', '"A\\n"', '"é\\u0905"', "0", "-1", "1.5e3", "1e999", "true", "null"])
)
names = st.from_regex(r"[A-Za-z_$][A-Za-z0-9_$]{0,8}", fullmatch=True)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: 1 is not True, and not 1.0."""
    return repr(one) == repr(other)


@given(st.one_of(near_json.map("".join), json_values.map(json.dumps), st.text(max_size=40)))
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
