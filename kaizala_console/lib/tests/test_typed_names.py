"""What counts as typing a name: what a person reads, not which of its spellings their keyboard makes."""

from __future__ import annotations

import pytest

from kaizala_console.lib.typed_names import is_same_name


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Depot North", "Depot  North"),
        ("depot north", "Depot\u00a0North"),
        ("Cafe\u0301 Pune", "Caf\u00e9 Pune"),
        ("Caf\u00e9 Pune", "Cafe\u0301 Pune"),
        ("\u0958\u093e\u0928\u0942\u0928", "\u0915\u093c\u093e\u0928\u0942\u0928"),
        ("Meera\u2019s shifts", "Meera's shifts"),
        ("Meera's shifts", "Meera\u2019s shifts"),
        ("\u201cNight\u201d shift", '"Night" shift'),
        ("North \u2014 South", "North -- South"),
        ("North - South", "North \u2013 South"),
        ("Wait...", "Wait\u2026"),
        ("\u0645\u0646\u0633\u0642", "\u200f\u0645\u0646\u0633\u0642"),
        ("Stars \u2b50", "Stars \u2b50\ufe0f"),
        ("Shift Planner", "Shift\u200b Planner"),
        ("STRASSE", "Stra\u00dfe"),
        ("\u200b", "\u200b"),
    ],
)
def test_what_looks_the_same_is_the_same_name(typed: str, name: str) -> None:
    assert is_same_name(typed, name)


@pytest.mark.parametrize(
    ("typed", "name"),
    [("", "Depot"), ("Depot", "Depot 2"), ("Depot North", "DepotNorth"), ("Cafe", "Caf\u00e9"), ("\u200b", "\u200c")],
)
def test_another_name_is_another_name(typed: str, name: str) -> None:
    assert not is_same_name(typed, name)
