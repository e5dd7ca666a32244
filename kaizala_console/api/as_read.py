"""What is read besides what new programs send (wire protocol §2), as JSON Schema says it.

A field is described as it should be sent, and beside that as old programs send it: text for a number, a number for
text, null for "not given". What only they send is marked with `x-old`, so that a page for people can leave it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

OLD: Final = "x-old"
REF: Final = "x-ref"
"""Stands for the `$ref` to one of COMPONENTS until the document is put together: pydantic knows only its own."""

Schema = dict[str, Any]

_GUID: Final = (
    "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
    "[0-9A-Fa-f]{32}",
)
_SOMETHING: Final = r"\S"
_YEAR_1, _YEAR_9999 = -62_135_596_800_000, 253_402_300_799_999


def in_any_case(words: Sequence[str]) -> str:
    """The pattern of these words, in whatever case."""
    spelled = ("".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in word) for word in words)
    return f"^(?:{'|'.join(spelled)})$"


COMPONENTS: Final[dict[str, Schema]] = {
    "BooleanOfOldPrograms": {
        "description": "How old programs write true and false.",
        "anyOf": [
            {"type": "string", "pattern": in_any_case(["true", "false", "yes", "no", "on", "off", *"tfyn10"])},
            {"type": "integer", "enum": [0, 1]},
        ],
        OLD: True,
    },
    "IdOfOldPrograms": {
        "description": "How old programs write an ID: in braces, without hyphens, or with `@` and a digit behind it.",
        "type": "string",
        "pattern": "^(?:" + "|".join(rf"{guid}(?:@[0-9])?|\{{{guid}\}}(?:@[0-9])?" for guid in _GUID) + ")$",
        OLD: True,
    },
    "MomentOfOldPrograms": {
        "description": "Milliseconds since 1970 as text, or with a fraction, which is left out.",
        "anyOf": [
            {"type": "string", "pattern": r"^(?:-?[0-9]{1,13}|[0-9]{14})(?:\.[0-9]{1,9})?$"},
            {"type": "number", "minimum": _YEAR_1, "maximum": _YEAR_9999},
        ],
        OLD: True,
    },
}

YES: Final[Schema] = {
    "anyOf": [
        {"type": "boolean", "const": True},
        {"type": "integer", "enum": [1], OLD: True},
        {"type": "string", "pattern": in_any_case(["true", "yes", "on", *"ty1"]), OLD: True},
        {"type": "null"},
    ]
}
"""A flag that is on unless it is switched off."""

MOMENT: Final[Schema] = {
    "anyOf": [
        {"type": "integer", "format": "int64", "minimum": _YEAR_1, "maximum": _YEAR_9999},
        {REF: "MomentOfOldPrograms"},
    ]
}
ID: Final[Schema] = {"anyOf": [{"type": "string", "format": "uuid"}, {REF: "IdOfOldPrograms"}]}
PHONE: Final = r"^\s*\+[0-9][0-9 ()./-]{5,}$"
PIN: Final[Schema] = {
    "anyOf": [
        {"type": "string", "pattern": "^[0-9]{1,12}$"},
        {"type": "integer", "minimum": 0, "maximum": 10**12 - 1, OLD: True},
    ]
}


def or_empty(schema: Schema) -> Schema:
    """The same, where an empty text counts as not given."""
    return {"anyOf": [*schema["anyOf"], {"type": "string", "maxLength": 0, OLD: True}]}


def choice(names: Sequence[str], *, numbers: Sequence[int] = ()) -> Schema:
    """An enumeration: a name in its canonical case, in any other, or one of these numbers."""
    alternatives: list[Schema] = [
        {"type": "string", "enum": list(names)},
        {"type": "string", "pattern": in_any_case(names), "description": "In any case.", OLD: True},
    ]
    if numbers:
        alternatives += [
            {"type": "integer", "enum": list(numbers), "description": "By its number.", OLD: True},
            {"type": "string", "pattern": f"^0*(?:{'|'.join(map(str, numbers))})$", OLD: True},
        ]
    return {"anyOf": alternatives}


def describe(schema: Schema, *, in_texts: bool) -> None:
    """Make the schema of a shape say what is read. ``in_texts`` where there is nothing but text: a query."""
    required = schema.get("required", ())
    for name, described in schema.get("properties", {}).items():
        if in_texts:
            schema["properties"][name] = _without_null(described)
        else:
            read = _read(described)
            schema["properties"][name] = read if name in required else _or_null(read)


def of_form(shape: Mapping[str, Any]) -> Schema:
    """The schema of a shape as a form has it, where there is nothing but text: no number, and no null."""
    properties = {name: _as_text(described) for name, described in shape["properties"].items()}
    return {**shape, "properties": properties}


def _as_text(schema: Schema) -> Schema:
    kinds = schema.get("type")
    return {**schema, "type": "string"} if isinstance(kinds, list) and "string" in kinds else schema


def digits(lowest: int, highest: int) -> str:
    """The pattern of a whole number from ``lowest`` (0 or more) to ``highest``, written in digits."""
    found: list[str] = []
    start = lowest
    while start <= highest:
        # As many numbers as differ in one digit, and in all digits behind it.
        power = 0
        while (block := 10 ** (power + 1)) <= start and start % block == 0 and start + block <= highest + 1:
            power += 1
        head, digit = divmod(start // 10**power, 10)
        last = min(9, digit + (highest - start + 1) // 10**power - 1)
        behind = f"[0-9]{{{power}}}" if power > 1 else "[0-9]" * power
        found.append((str(head) if head else "") + (f"[{digit}-{last}]" if last > digit else str(digit)) + behind)
        start += (last - digit + 1) * 10**power
    return f"^0*(?:{'|'.join(found)})$"


def _read(schema: Mapping[str, Any]) -> Schema:
    """The schema of a value in a body, with what old programs send besides."""
    if any(each.get(OLD) for each in schema.get("anyOf", ())):
        return dict(schema)  # it says so itself
    if "anyOf" in schema:
        alternatives: list[Schema] = []
        for each in schema["anyOf"]:
            read = _read(each)
            alternatives += read["anyOf"] if set(read) == {"anyOf"} else [read]
        return {**schema, "anyOf": alternatives}
    match schema.get("type"):
        case "string" if schema.get("format") is None and schema.get("pattern", _SOMETHING) == _SOMETHING:
            return {**schema, "type": ["string", "number"]}
        case "boolean":
            return _beside(schema, [{REF: "BooleanOfOldPrograms"}])
        case "integer" if schema.get("minimum", -1) >= 0 and "maximum" in schema:
            pattern = digits(schema["minimum"], schema["maximum"])
            return _beside(schema, [{"type": "string", "pattern": pattern, OLD: True}])
        case "number" if schema.get("maximum", 0) > 0 and schema.get("minimum") == -schema["maximum"]:
            most = int(schema["maximum"])
            below = digits(0, most - 1).strip("^$")
            pattern = rf"^-?(?:{most}(?:\.0+)?|{below}(?:\.[0-9]+)?)$"
            return _beside(schema, [{"type": "string", "pattern": pattern, OLD: True}])
        case "array" if isinstance(schema.get("items"), dict):
            return {**schema, "items": _read(schema["items"])}
    return dict(schema)


_ABOUT: Final = ("default", "description", "title", "x-synonyms", "examples")


def _beside(schema: Mapping[str, Any], others: Sequence[Schema]) -> Schema:
    own = {key: value for key, value in schema.items() if key not in _ABOUT}
    about = {key: value for key, value in schema.items() if key in _ABOUT}
    return {**about, "anyOf": [own, *others]}


def _or_null(schema: Schema) -> Schema:
    """What may be left out may be null, which counts as not given."""
    schema = _without_empty_default(schema)
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]} if schema["type"] != "null" else schema
    if isinstance(schema.get("type"), list):
        return {**schema, "type": [*dict.fromkeys([*schema["type"], "null"])]}
    if "anyOf" in schema:
        kinds = [each for each in schema["anyOf"] if each != {"type": "null"}]
        if len(kinds) == 1 and "type" in kinds[0]:
            return _or_null({**{key: value for key, value in schema.items() if key != "anyOf"}, **kinds[0]})
        return {**schema, "anyOf": [*kinds, {"type": "null"}]}
    if "$ref" in schema or REF in schema:
        about = {key: value for key, value in schema.items() if key in _ABOUT}
        own = {key: value for key, value in schema.items() if key not in _ABOUT}
        return {**about, "anyOf": [own, {"type": "null"}]}
    return schema


def _without_null(schema: Schema) -> Schema:
    schema = _without_empty_default(schema)
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if not kinds:
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**rest, **kinds[0]} if len(kinds) == 1 else {**rest, "anyOf": kinds}


def _without_empty_default(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "default" or value not in (None, "")}
