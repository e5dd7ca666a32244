"""Shapes of bodies and query strings, read as leniently as the real server read them (wire protocol §2).

Names match in any case, numbers stand for text where text is asked, ``"true"`` for true, null for "not given".
Unknown properties are ignored. What does not fit becomes InvalidParameters, which names the field and what was
expected, and never repeats what was sent: it may have been a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Self

from django.http import QueryDict
from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from kaizala_console.api import compatibility
from kaizala_console.api.errors import InvalidParameters
from kaizala_console.lib import clock
from kaizala_console.lib.errors import RuleBroken

_PIN_DIGITS: Final = 6
_MOST_PROBLEMS: Final = 3
_SOMETHING: Final = r"\S"


def named(*names: str, **options: Any) -> Any:
    """Return a pydantic Field with these names on the wire instead of the camel-cased one; the first is canonical.

    When a body holds several of them, the last one in the body counts.
    """
    return Field(validation_alias=AliasChoices(*names), serialization_alias=names[0], **options)


def _wire_names(field: Any) -> list[str]:
    alias = field.validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [alias]


def describe(schema: dict[str, Any], shape: type[Any]) -> None:
    """For the OpenAPI document: what a new program sends, by the canonical name; what is read besides is said in words.

    A shape that has more to say about itself calls it first, from a `json_schema_extra` of its own.
    """
    for described in schema.get("properties", {}).values():
        _leave_out_null(described)
    for field in shape.model_fields.values():
        name, *others = _wire_names(field)
        described = schema.get("properties", {}).get(name)
        if others and described is not None:
            described["x-synonyms"] = others


def _leave_out_null(described: dict[str, Any]) -> None:
    """A field that may be left out is described without the null, and without the empty default, that stand for it."""
    if described.get("default") in (None, ""):
        described.pop("default", None)
    kinds = [each for each in described.get("anyOf", ()) if each != {"type": "null"}]
    if len(kinds) == 1:
        del described["anyOf"]
        described.update(kinds[0])
    elif kinds:
        described["anyOf"] = kinds


class Shape(BaseModel):
    """Base of Body and Query: property names in any case."""

    model_config = ConfigDict(
        extra="ignore", alias_generator=to_camel, coerce_numbers_to_str=True, json_schema_extra=describe
    )

    _canonical: ClassVar[dict[str, str]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **_options: Any) -> None:
        cls._canonical = {
            name.lower(): names[0] for names in map(_wire_names, cls.model_fields.values()) for name in names
        }

    @model_validator(mode="before")
    @classmethod
    def _match_names(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        canonical = cls._canonical
        return {
            canonical[name]: value
            for given, value in data.items()
            if value is not None and (name := given.lower()) in canonical
        }

    @classmethod
    def _read(cls, data: Mapping[str, Any]) -> Self:
        try:
            return cls.model_validate(data)
        except ValidationError as problem:
            raise _invalid(problem) from None

    @classmethod
    def _of_texts(cls, query: QueryDict) -> Self:
        texts = _flat(query)
        shaped = cls._read(texts)
        compatibility.note_body(texts, shaped, texts=True)
        return shaped


class Body(Shape):
    """The shape of a request's body; also of the objects inside it."""

    @classmethod
    def parse(cls, value: Any) -> Self:
        """Return ``value`` (from the JSON reader; None for no body) in this shape. Raises InvalidParameters."""
        if value is None:
            value = {}
        if not isinstance(value, dict):
            twice = isinstance(value, str) and value.strip()[:1] == "{" and value.strip()[-1] == "}"
            but = ", not text that holds one: it was encoded twice" if twice else ""
            raise InvalidParameters(f"The body must be a JSON object{but}.")
        shaped = cls._read(value)
        compatibility.note_body(value, shaped)
        return shaped

    @classmethod
    def parse_form(cls, form: QueryDict) -> Self:
        return cls._of_texts(form)


class Query(Shape):
    """The shape of a query string."""

    @classmethod
    def parse(cls, query: QueryDict) -> Self:
        """Return ``query`` in this shape; an empty value counts as not given. Raises InvalidParameters."""
        return cls._of_texts(query)


def _flat(query: QueryDict) -> dict[str, str]:
    """Return the last value of each name that has one."""
    flat = {}
    for name in query:
        value = query[name]
        if not isinstance(value, str) or value == "":
            continue
        if "\0" in value:
            raise InvalidParameters("A parameter holds a NUL character, which is not allowed in text.")
        flat[name] = value
    return flat


# Types ---------------------------------------------------------------------------------------------------------


class ApiEnum(StrEnum):
    """An enumeration that matches in any case: ``"survey"`` is ``Survey``."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        wanted = value.strip().lower()
        return next((member for member in cls if member.value.lower() == wanted), None)


class NumberedApiEnum(ApiEnum):
    """A ApiEnum whose members may also come as their number: 0 is the first one defined (wire protocol §2)."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if isinstance(value, str) and value.strip().isdecimal() and len(value) < 5:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            members = list(cls)
            return members[value] if 0 <= value < len(members) else None
        return super()._missing_(value)


_WITH_FRACTION: Final = re.compile(r"-?\d{1,20}(?:\.[0-9]{1,25})?(?P<power>[eE][+-]?[0-9]{1,3})?")


def _moment(value: Any) -> datetime:
    # The fraction is what Python makes of `time.time() * 1000` (ADR 0061); a power of ten, what others write.
    if isinstance(value, str) and len(value) <= 40 and (written := _WITH_FRACTION.fullmatch(value.strip())):
        value = float(value) if written["power"] else int(value.partition(".")[0])
    if isinstance(value, float) and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return clock.from_epoch_ms(value)
        except ValueError:
            pass
    raise ValueError("expected milliseconds since 1970")


def _pin(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value).zfill(_PIN_DIGITS)  # a number loses its leading zeros
    if isinstance(value, str) and value.isascii() and value.strip().isdigit() and len(value.strip()) <= 12:
        return value.strip()
    raise ValueError("expected the digits of a PIN")


def described_as(shape: Any) -> BeforeValidator:
    """An annotation for what a service reads by itself: anything is let through, and described as this type."""
    return BeforeValidator(lambda given: given, json_schema_input_type=shape)


def _no_number(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError("expected text")  # noqa: TRY004 - pydantic makes an answer of this one alone
    return value


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number")  # noqa: TRY004 - pydantic makes an answer of this one alone
    return value


Text = Annotated[str, StringConstraints(pattern=_SOMETHING)]
"""Text that says something: not empty, not only blanks."""

NO_NUMBER: Final = BeforeValidator(_no_number)
"""For names that are never a number."""

NO_BOOLEAN: Final = BeforeValidator(_no_boolean)
"""For numbers, behind their bounds: Python takes true for 1, and a program that sends it is mistaken."""

Count = Annotated[int, Field(ge=0, le=2**31 - 1), NO_BOOLEAN]
"""A whole number that fits an integer column."""

_MOMENT: Final = {"type": "integer", "format": "int64", "minimum": -62_135_596_800_000, "maximum": 253_402_300_799_999}
EpochMs = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema(_MOMENT)]
"""Milliseconds since 1970, as number or text; an aware datetime in Python."""

Pin = Annotated[str, BeforeValidator(_pin), WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,12}$"})]
"""A PIN as number or text; text in Python, with its leading zeros."""

ID_SCHEMA: Final = {"type": "string", "format": "uuid"}
PHONE_SCHEMA: Final = {"type": "string", "pattern": r"^\s*\+[0-9][0-9 ()./-]{5,}$", "maxLength": 64}
_URL: Final = {"type": "string", "pattern": r"^(?:https?://\S+)?$", "maxLength": 500}
PictureUrl = Annotated[str, WithJsonSchema({"anyOf": [_URL, ID_SCHEMA]})]
"""The web address of a picture, or an uploaded one, or nothing. Whether there is such a one is the services' to say."""

HttpsUrl = Annotated[str, WithJsonSchema({"type": "string", "format": "uri", "pattern": r"^https://\S+$"})]
"""An address on the web that the console itself will call."""

PhoneNumber = Annotated[str, WithJsonSchema({**PHONE_SCHEMA, "description": "In the form E.164."})]
"""In the form E.164, or with blanks and punctuation in it."""

Id = Annotated[str, WithJsonSchema(ID_SCHEMA)]
"""Text that names something by its GUID. Reading it (`lib.ids`) and finding it are the service's to do."""

OptionalId = Id
"""The same; may be empty, for none."""


# What is said about what does not fit --------------------------------------------------------------------------

_EXPECTED: Final = {
    "missing": "is missing",
    "string_type": "expected text",
    "string_too_long": "expected at most {max_length} characters",
    "string_too_short": "expected at least {min_length} characters",
    "string_pattern_mismatch": "is not of the expected form",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_parsing_size": "expected a smaller number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a number",
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected at least {ge}",
    "less_than": "expected less than {lt}",
    "less_than_equal": "expected at most {le}",
    "enum": "expected one of {expected}",
    "literal_error": "expected one of {expected}",
    "list_type": "expected a list",
    "too_long": "expected at most {max_length} entries",
    "too_short": "expected at least {min_length} entries",
    "dict_type": "expected an object",
    "model_type": "expected an object",
    "model_attributes_type": "expected an object",
    "value_error": "{error}",
}


def _invalid(problem: ValidationError) -> InvalidParameters:
    found = problem.errors(include_url=False, include_input=False)
    sentences = [f"{_path(error['loc'])}{_expectation(error)}" for error in found[:_MOST_PROBLEMS]]
    if len(found) > _MOST_PROBLEMS:
        sentences.append(f"and {len(found) - _MOST_PROBLEMS} more")
    return InvalidParameters("; ".join(sentences) + ".", field=str(found[0]["loc"][0]) if found[0]["loc"] else None)


def _expectation(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    if error["type"] == "string_pattern_mismatch" and context["pattern"] == _SOMETHING:
        return " must not be empty"
    expected = _EXPECTED.get(error["type"], "is not of the expected form").format(**context)
    return f": {expected}" if expected.startswith("expected") else f" {expected}"


def _path(location: tuple[int | str, ...]) -> str:
    """Return ``questions[2].title``."""
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path or "The body"


@contextmanager
def rename_fields(**names: str) -> Iterator[None]:
    """`fields_spelled(image_url="groupImageUrl")`: what is raised inside names the field as the program wrote it."""
    try:
        yield
    except RuleBroken as broken:
        broken.field = names.get(broken.field or "", broken.field)
        raise
