"""Reading tables as spreadsheets write them, and writing them so that nothing in them runs."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groups.bulk_files import (
    MAPPING,
    MAPPING_REQUIRED,
    USERS,
    USERS_REQUIRED,
    Table,
    clean,
    mapping_line,
    template,
    user_line,
)
from kaizala_console.lib.errors import RuleBroken
from kaizala_console.lib.spreadsheets import csv_lines, harmless

LINE = "+919876543210"


def table(text: str | bytes) -> Table:
    return Table(io.BytesIO(text.encode() if isinstance(text, str) else text), USERS, USERS_REQUIRED)


def cells(text: str | bytes) -> list[dict[str, str]]:
    return [row.cells for row in table(text).rows()]


def refused(text: str | bytes) -> str:
    with pytest.raises(RuleBroken) as caught:
        table(text)
    assert caught.value.field == "file"
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_it_reads_what_spreadsheets_write(encoding: str, separator: str, end: str) -> None:
    text = end.join([f"Phone Number{separator}NAME", f'"{LINE}"{separator}Renée "x"', "", ""])
    assert cells(text.encode(encoding)) == [{"number": LINE, "name": 'Renée "x"'}]


@pytest.mark.parametrize("header", ["phone number", "PHONE_NUMBER", " Mobile ", "\ufeffNumber", "sep=,\nmobile number"])
def test_headers_are_known_in_any_case_and_by_other_names(header: str) -> None:
    assert cells(f"{header},Other\n{LINE},x\n") == [{"number": LINE}]


def test_lines_keep_their_numbers_and_empty_ones_are_passed_by() -> None:
    rows = list(table(f"number\n\n;;\n{LINE}\n").rows())
    assert [(row.line, row.text) for row in rows] == [(3, ";;"), (4, LINE)]
    assert [row.line for row in table(f"number;name\n;\n{LINE};\n").rows()] == [3]


def test_a_bad_line_says_so_and_the_next_is_read_all_the_same() -> None:
    text = f'number,name\n{LINE},"Meera\n{LINE},Meera,Member,x\n{LINE},{"x" * 30_000}\n{LINE},ok\n'
    found = [(row.line, str(row.problem or "")[:20], row.cells) for row in table(text).rows()]
    assert [line for line, _problem, _cells in found] == [2, 3, 4, 5]
    assert [problem for _line, problem, _cells in found] == [
        "A quotation mark is ",
        "Too many cells. Put ",
        "This line is too lon",
        "",
    ]
    assert found[-1][2] == {"number": LINE, "name": "ok"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"a\x00\x01" + b"binary" * 20, "not a text file"),
        (f"{LINE}\n".encode(), "“Phone number” is missing"),
        (b"name,role\nx,y\n", "“Phone number” is missing"),
        (b"number,phone\n", "appears twice."),
        (b"number\n\x81\x8d\n", "can’t be read"),
        (b'"number,name\n+919812345678,Asha\n', "quotation mark"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_as_a_whole(content: bytes, says: str) -> None:
    assert says in refused(content)


def test_one_endless_line_is_not_held() -> None:
    rows = list(table(f"number\n{'9' * 3_000_000}\n{LINE}\n").rows())
    assert [row.line for row in rows] == [2, 3]
    assert len(rows[0].text) == 200


@pytest.mark.parametrize(
    "text",
    [
        LINE,
        f"'{LINE}",
        f'="{LINE}"',
        f"\u202a{LINE}\u202c",
        f"\xa0{LINE} ",
        "919876543210",
        "09876543210",
        "919876543210.0",
        "0091 98765 43210",
    ],
)
def test_a_number_is_read_however_a_spreadsheet_left_it(text: str) -> None:
    assert user_line({"number": clean(text)}, "IN").number == LINE


@pytest.mark.parametrize("text", ["9.19877E+11", "9,19877E+11", "9E11", "+9.1E+11"])
def test_a_number_that_was_rounded_says_that_its_digits_are_lost(text: str) -> None:
    with pytest.raises(RuleBroken, match="The spreadsheet rounded this number"):
        user_line({"number": text}, "IN")


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"number": ""}, "enter a phone number"),
        ({"number": "9876"}, "too few digits"),
        ({"number": LINE, "role": "owner"}, "“Admin”, “Member”, or empty"),
        ({"number": LINE, "action": "move"}, "“add”, “remove”, or empty"),
        ({"number": LINE, "name": "x" * 121}, "longer than 120"),
    ],
)
def test_what_cannot_be_says_what_to_write_instead(cells: dict[str, str], says: str) -> None:
    with pytest.raises(RuleBroken, match=says):
        user_line(cells, "IN")


def test_a_group_is_named_by_its_id_or_else_by_its_name() -> None:
    key = "df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62"
    line = mapping_line({"child_id": f"{key}@1", "child": "x", "parent": "Depot  North"})
    assert (str(line.child), line.parent) == (key, "Depot North")
    for wrong, says in [
        ({"child": "x"}, "The parent group is missing."),
        ({"parent": "x"}, "group is missing"),
        ({"child_id": "7"}, "not the ID"),
    ]:
        with pytest.raises(RuleBroken, match=says):
            mapping_line(wrong)


def test_the_templates_can_be_read_again() -> None:
    for columns, required in ((USERS, USERS_REQUIRED), (MAPPING, MAPPING_REQUIRED)):
        content = template(columns).encode()
        assert content.startswith(b"\xef\xbb\xbf")
        assert list(Table(io.BytesIO(content), columns, required).rows()) == []


@given(st.text(max_size=60))
def test_no_cell_that_is_written_begins_like_a_formula_and_every_one_comes_back(text: str) -> None:
    text = clean(clean(text))
    [row] = (
        csv.reader(io.StringIO("".join(csv_lines([[text]])).removeprefix("\ufeff")), strict=True) if text else [[""]]
    )
    assert not row[0].startswith(("=", "+", "-", "@"))
    assert harmless(text) == row[0]
    if not text.startswith("'"):
        assert clean(row[0]) == text


@pytest.mark.parametrize("cell", ["＝1+1", "＠SUM(A1)", " =1+1", "\n=1+1", "z;=1+1"])
def test_what_a_spreadsheet_would_calculate_is_quoted_text(cell: str) -> None:
    line = "".join(csv_lines([[cell]])).removeprefix("\ufeff").rstrip("\r\n")
    assert line == f'"{cell}"' if cell.startswith("z") else line == f'"\'{cell}"'


def test_roles_and_actions_are_known_in_any_case() -> None:
    line = user_line({"number": LINE, "role": "ADMINISTRATOR", "action": "Delete", "name": " Meera  Nair "}, "")
    assert (line.role, line.removes, line.name) == ("Admin", True, "Meera Nair")
    assert user_line({"number": LINE}, "") == user_line({"number": LINE, "role": "", "action": "add"}, "")
