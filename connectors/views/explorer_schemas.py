"""JSON Schemas as rows of a table that people read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from kaizala_console.api import as_read
from kaizala_console.api.openapi_samples import sample

_DEEPEST: Final = 5


@dataclass(frozen=True, slots=True)
class Row:
    """A parameter or a property. ``name`` of a property inside another is whole: `questions[].title`."""

    name: str
    kind: str
    required: bool
    description: SafeString
    choices: list[str]
    place: str = ""  # of a parameter: path, query, header
    where: str = ""  # the same in words


def parameter(declared: Mapping[str, Any], document: Mapping[str, Any]) -> Row:
    """A parameter of the path, the query or a header."""
    schema = resolved(declared["schema"], document)
    where = {"path": _("in the path"), "query": _("in the query"), "header": _("in a header")}[declared["in"]]
    return Row(
        name=declared["name"],
        kind=_kind(schema, document),
        required=declared["required"],
        description=rich(_words(declared.get("description", ""), schema)),
        choices=_choices(schema, document),
        place=declared["in"],
        where=where,
    )


def rows(schema: Mapping[str, Any], document: Mapping[str, Any]) -> list[Row]:
    """Every property of a body or an answer, those inside others too."""
    return list(_rows(schema, document, "", 0))


def variants(schema: Mapping[str, Any], document: Mapping[str, Any]) -> list[tuple[str, list[Row]]]:
    """Of a body that there is in several kinds: what each is called, and the properties that it alone has."""
    alternatives = _one(schema, document).get("anyOf", ())
    return [
        (each["description"], list(_rows({"type": "object", **each}, document, "", 0)))
        for each in alternatives
        if "description" in each and "properties" in each
    ]


def resolved(value: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a `$ref` within the document stands for; its own description counts."""
    while "$ref" in value:
        here: Any = document
        for step in value["$ref"].removeprefix("#/").split("/"):
            here = here[step]
        value = {**here, **{key: inner for key, inner in value.items() if key != "$ref"}}
    return value


def example(schema: Mapping[str, Any], document: Mapping[str, Any], name: str, given: Any = None) -> Any:
    """A value for a parameter."""
    return given if given is not None else sample(schema, document["components"]["schemas"], name=name)


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def rich(text: str) -> SafeString:
    """The little of Markdown that descriptions use: paragraphs, numbered lists, `code` and **strong**."""
    blocks = (block for block in text.strip().split("\n\n") if block.strip())
    return format_html_join("", "{}", ((_block(block),) for block in blocks))


def _block(block: str) -> str:
    lines = block.strip().split("\n")
    if all(re.match(r"\d+\. ", line) for line in lines):
        items = format_html_join("", "<li>{}</li>", ((inline(line.partition(" ")[2]),) for line in lines))
        return format_html("<ol>{}</ol>", items)
    return format_html("<p>{}</p>", inline(" ".join(lines)))


def inline(text: str) -> SafeString:
    """`code` and **strong** within a sentence."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return mark_safe(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text))  # noqa: S308 - all but these tags is escaped


def _rows(schema: Mapping[str, Any], document: Mapping[str, Any], prefix: str, depth: int) -> Iterator[Row]:
    schema = _one(schema, document)
    if depth > _DEEPEST:
        return
    if _type(schema) == "array":
        yield from _rows(schema.get("items", {}), document, f"{prefix}[]", depth + 1)
        return
    for name, declared in schema.get("properties", {}).items():
        inner = _one(declared, document)
        whole = f"{prefix}.{name}" if prefix else name
        yield Row(
            name=whole,
            kind=_kind(inner, document),
            required=name in schema.get("required", ()),
            description=rich(_words(inner.get("description", ""), inner)),
            choices=_choices(inner, document),
        )
        if _type(inner) in ("object", "array"):
            yield from _rows(inner, document, whole, depth + 1)


def _one(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself: behind its reference, or the one of its alternatives that a new program sends."""
    schema = resolved(schema, document)
    several = _alternatives(schema, document)
    if len(several) == 1:
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return {**_one(several[0], document), **rest}
    return schema


def _alternatives(schema: Mapping[str, Any], document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Without null, and without what is only read for the sake of old programs. Those of an object are kinds of it."""
    if "properties" in schema:
        return []
    return [
        each
        for each in schema.get("anyOf", ())
        if each != {"type": "null"} and not resolved(each, document).get(as_read.OLD)
    ]


def _type(schema: Mapping[str, Any]) -> str:
    """The type that a new program sends: the first."""
    kind = schema.get("type", "")
    return kind if isinstance(kind, str) else kind[0]


def _kind(schema: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    schema = _one(schema, document)
    several = [_kind(each, document) for each in _alternatives(schema, document)]
    if several:
        return _(" or ").join(dict.fromkeys(several))
    kind, form = _type(schema), schema.get("format")
    if kind == "array":
        item = schema.get("items", {})
        return _("list of %(kind)s") % {"kind": _kind(item, document)} if item else _("list")
    words = {
        ("string", "uuid"): _("ID (GUID)"),
        ("string", "date-time"): _("moment (ISO 8601)"),
        ("string", "binary"): _("file"),
        ("integer", "int64"): _("milliseconds since 1970"),
    }
    plain = {
        "string": _("text"),
        "integer": _("whole number"),
        "number": _("number"),
        "boolean": _("true or false"),
        "object": _("object"),
        "null": _("null"),
    }
    return words.get((str(kind), str(form))) or plain.get(str(kind)) or _("any value")


def _choices(schema: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    schema = _one(schema, document)
    if _type(schema) == "array":
        return _choices(schema.get("items", {}), document)
    found = [schema["const"]] if "const" in schema else schema.get("enum", [])
    return [str(each) for each in found]


def _words(description: str, schema: Mapping[str, Any]) -> str:
    """The description, and the bounds that the schema sets."""
    moment = schema.get("format") == "int64"
    bounds = [
        _("At most %(number)s characters.") % {"number": schema["maxLength"]} if "maxLength" in schema else "",
        _("Not empty.") if schema.get("pattern") == r"\S" or schema.get("minLength") == 1 else "",
        _("At least %(number)s.") % {"number": schema["minimum"]} if schema.get("minimum") and not moment else "",
        _("At most %(number)s.") % {"number": schema["maximum"]} if schema.get("maximum", 2**31) < 2**31 - 1 else "",
        _("At most %(number)s entries.") % {"number": schema["maxItems"]} if "maxItems" in schema else "",
        _("Default: %(value)s.") % {"value": f"`{json.dumps(schema['default'])}`"} if _says(schema) else "",
    ]
    return " ".join(filter(None, [description, *bounds]))


def _says(schema: Mapping[str, Any]) -> bool:
    return schema.get("default") not in (None, "", [], {})
