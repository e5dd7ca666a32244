"""The properties of a package's card: named values of a type, for the program that shows it (protocol §6, §2). Pure."""

from __future__ import annotations

from typing import Annotated, Any, Final

from django.utils.translation import gettext_lazy as _
from pydantic import AfterValidator, ConfigDict, StringConstraints

from groups.action_types.base import MAX_WORDS, refuse, storable
from groups.action_types.questions import LARGEST
from kaizala_console.api.fields import Body, NumberedApiEnum, describe
from kaizala_console.api.responses import Answer

MOST_PROPERTIES: Final = 100
_MOST_ENTRIES: Final = 200
_DEEPEST: Final = 4


class PropertyType(NumberedApiEnum):
    """By name or by number, from 0 (wire protocol §2): so their order is part of the contract."""

    TEXT = "Text"
    NUMERIC = "Numeric"
    LOCATION = "Location"
    DATE_TIME = "DateTime"
    STRING_LIST = "StringList"
    ATTACHMENT = "Attachment"
    STRING_SET = "StringSet"
    ATTACHMENT_LIST = "AttachmentList"


_LISTS: Final = (PropertyType.STRING_LIST, PropertyType.STRING_SET, PropertyType.ATTACHMENT_LIST)


def _describe_value(schema: dict[str, Any], shape: type[Any]) -> None:
    """Text, or JSON of the type."""
    describe(schema, shape)
    schema["properties"]["value"] = {"description": "Text, or JSON of the type."}
    text = {"type": ["string", "null"], "maxLength": MAX_WORDS}
    number = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}
    entries = {"type": "array", "items": {"type": "string", "maxLength": MAX_WORDS}, "maxItems": _MOST_ENTRIES}
    place = {"type": "object", "additionalProperties": {"anyOf": [{"type": "string", "maxLength": MAX_WORDS}, number]}}
    kinds: list[tuple[list[PropertyType], list[Any]]] = [
        ([PropertyType.TEXT], [number, {"type": "boolean"}]),
        ([PropertyType.NUMERIC, PropertyType.DATE_TIME], [number]),
        ([PropertyType.LOCATION, PropertyType.ATTACHMENT], [place]),
        (list(_LISTS), [entries]),
    ]
    schema["anyOf"] = [
        {
            "description": " or ".join(kind.value for kind in types),
            "properties": {
                "type": {"type": "string", "enum": [kind.value for kind in types]},
                "value": {"anyOf": [text, *values]},
            },
            **({} if PropertyType.TEXT in types else {"required": ["type"]}),
        }
        for types, values in kinds
    ]


class Property(Body):
    """`value` is text, whatever the type, as Microsoft's own table has it; or JSON of that type."""

    name: Annotated[str, StringConstraints(pattern=r"\S", max_length=200), AfterValidator(storable)]
    type: PropertyType = PropertyType.TEXT
    value: Any = ""

    model_config = ConfigDict(json_schema_extra=_describe_value)


class PropertyAnswer(Answer):
    """A property, as it was posted; its type by name."""

    name: str
    type: str
    value: Any


def kept_property(given: Property, path: str) -> dict[str, Any]:
    """A property as it is kept. Raises RuleBroken for a value that is none of its type."""
    if not _fits(given.type, given.value):
        where = f"{path}.value"
        raise refuse(
            where,
            _("%(path)s: expected a %(type)s, as text or as JSON.") % {"path": where, "type": given.type.value},
            "property",
        )
    return {"name": given.name, "type": given.type.value, "value": given.value}


def _fits(kind: PropertyType, value: Any) -> bool:
    if isinstance(value, str):
        return _is_plain(value, 0)
    if kind in _LISTS:
        return isinstance(value, list) and len(value) <= _MOST_ENTRIES and _is_plain(value, 0)
    if kind == PropertyType.LOCATION:
        return isinstance(value, dict) and _is_plain(value, 0)
    if kind == PropertyType.ATTACHMENT:
        return isinstance(value, dict) and _is_plain(value, 0)
    return _is_number(value) or (kind == PropertyType.TEXT and isinstance(value, bool))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST


def _is_plain(value: Any, depth: int) -> bool:
    """Whether a database keeps it and gives it back as it was."""
    if isinstance(value, str):
        try:
            return len(storable(value)) <= MAX_WORDS
        except ValueError:
            return False
    if isinstance(value, list) and depth < _DEEPEST:
        return len(value) <= _MOST_ENTRIES and all(_is_plain(each, depth + 1) for each in value)
    if isinstance(value, dict) and depth < _DEEPEST:
        return len(value) <= _MOST_ENTRIES and all(
            _is_plain(name, depth + 1) and _is_plain(each, depth + 1) for name, each in value.items()
        )
    return value is None or isinstance(value, bool) or _is_number(value)
