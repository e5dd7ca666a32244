"""Reading variables, and saying how to mend them."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from kaizala_console.lib.env import Environment, decode_key, encode_key


def test_a_variable_comes_from_its_file_when_only_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hidden\n")
    assert Environment({"KEY_FILE": str(tmp_path / "key")}).secret("KEY") == "hidden"


def test_a_variable_and_its_file_together_are_a_problem(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from the file")
    env = Environment({"KEY": "direct", "KEY_FILE": str(tmp_path / "key")})
    assert env.text("KEY") == "direct"
    assert env.problems == ["KEY and KEY_FILE are both set: unset one of them."]


def test_a_file_in_the_folder_of_secrets_counts_as_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hidden\n")
    (tmp_path / "other").mkdir()
    env = Environment({"CONSOLE_SECRETS_DIR": str(tmp_path), "KEY": " "})
    assert env.is_set("KEY")
    assert env.secret("KEY") == "hidden"
    assert not env.is_set("OTHER")
    assert env.problems == []


def test_a_folder_of_secrets_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    (problem,) = Environment({"CONSOLE_SECRETS_DIR": str(tmp_path / "gone")}).problems
    assert problem.startswith("CONSOLE_SECRETS_DIR names a folder that cannot be read (FileNotFoundError)")


@pytest.mark.parametrize("content", [None, b"", b"  \n", b"\xff\xfe"])
def test_a_file_that_is_missing_empty_or_no_text_is_a_problem(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    env = Environment({"KEY_FILE": str(tmp_path / "key")})
    assert env.text("KEY", "default") == "default"
    assert len(env.problems) == 1
    assert env.problems[0].startswith("KEY_FILE names")


def test_blank_counts_as_unset() -> None:
    env = Environment({"NAME": "  ", "FLAG": "", "COUNT": " ", "LIST": " , ,"})
    assert env.text("NAME", "default") == "default"
    assert env.flag("FLAG", default=True) is True
    assert env.number("COUNT", 7) == 7
    assert env.items("LIST") == []
    assert env.is_set("NAME") is False
    assert env.problems == []


@pytest.mark.parametrize(("text", "value"), [("1", True), ("Yes", True), ("on", True), ("0", False), ("FALSE", False)])
def test_a_flag_is_read_in_any_case(text: str, value: bool) -> None:
    assert Environment({"FLAG": text}).flag("FLAG", default=not value) is value


@pytest.mark.parametrize("text", ["-1", "11", "ten", "1.5", "1e3", "0x10"])
def test_a_number_out_of_bounds_or_malformed_is_a_problem_that_names_the_bounds(text: str) -> None:
    env = Environment({"COUNT": text})
    assert env.number("COUNT", 5, minimum=0, maximum=10) == 5
    assert env.problems == ["COUNT must be a whole number from 0 to 10."]


@pytest.mark.parametrize("text", ["0", "1.1", "nan", "inf", "-0.5", "half"])
def test_a_fraction_lies_above_nothing_and_up_to_one(text: str) -> None:
    env = Environment({"PART": text})
    assert (env.fraction("PART", 0.9), len(env.problems)) == (0.9, 1)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://host",
        "host",
        "https://",
        "https://[::1",
        "https://host:port",
        "https://user@host",
        "https://host/?q",
        "//h",
    ],
)
def test_an_address_that_is_none_is_a_problem(text: str) -> None:
    env = Environment({"URL": text})
    assert env.url("URL", "https://default") == "https://default"
    assert len(env.problems) == 1


def test_an_address_loses_its_closing_slash_and_one_of_a_database_may_hold_a_password() -> None:
    assert Environment({"URL": "https://host/path/"}).url("URL") == "https://host/path"
    url = "postgresql://user:word@host:5432/name?sslmode=require"
    assert Environment({"URL": url}).url("URL", schemes=("postgresql",)) == url


def test_a_key_ring_keeps_its_order_newest_first() -> None:
    new, old = bytes(range(32)), bytes(32)
    env = Environment({"RING": f"2027a:{encode_key(new)} 2026a:{encode_key(old)}"})
    assert env.key_ring("RING") == [("2027a", new), ("2026a", old)]


@pytest.mark.parametrize(
    "text",
    [
        "base64,AAAA",
        "2026a",
        f"2026a:{encode_key(bytes(31))}",
        f"2026 a:{encode_key(bytes(32))}",
        f"2026A:{encode_key(bytes(32))}",
        f"a:{encode_key(bytes(32))} a:{encode_key(bytes(32))}",
    ],
)
def test_a_malformed_key_ring_is_a_problem_that_shows_no_key(text: str) -> None:
    env = Environment({"RING": text})
    assert env.key_ring("RING") == []
    assert len(env.problems) == 1
    assert "AAAA" not in env.problems[0]


@given(st.text(max_size=80))
def test_no_text_makes_reading_a_key_fail_otherwise_than_by_none(text: str) -> None:
    assert decode_key(text) is None or len(decode_key(text) or b"") == 32


def test_all_problems_are_told_at_once_and_no_value_is() -> None:
    env = Environment({"FLAG": "s3cret", "COUNT": "s3cret", "URL": "s3cret"})
    env.flag("FLAG")
    env.number("COUNT", 1)
    env.url("URL")
    with pytest.raises(ImproperlyConfigured) as refusal:
        env.refuse("Cannot start:")
    Environment({}).refuse("Nothing is wrong:")
    message = str(refusal.value)
    assert message.count("\n  - ") == 3
    assert "s3cret" not in message
