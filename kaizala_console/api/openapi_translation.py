"""The words of the OpenAPI document that people read, and the document with these words in another language.

The document itself is English, as programs get it. Its words come from the declarations, so a search for texts in the
source does not meet them: `texts` names them for the catalogues (scripts/messages.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Translate = Callable[[str], str]

_WORDS: Final = frozenset({"summary", "description", "x-permission"})
_NO_WORDS: Final = frozenset({"example", "examples", "default", "enum", "const", "securitySchemes", "servers"})
_BY_NAME: Final = frozenset({"properties", "schemas", "responses", "headers", "paths", "$defs"})
"""What stands in these is called as programs call it: a property may have the name `description`."""

NEEDS: Final = "Needs the permission **%(permission)s** (scope `%(scope)s`)."
ALSO: Final = "Also read as %(names)s."
_NEEDS: Final = re.compile(r"Needs the permission \*\*(?P<permission>[^*]+)\*\* \(scope `(?P<scope>[^`]+)`\)\.")
_ALSO: Final = re.compile(r"(?P<before>.*?) ?Also read as (?P<names>`[^`]+`(?:, `[^`]+`)*)\.")


def list_texts(document: Mapping[str, Any]) -> list[str]:
    """Each of them once, in the order in which they stand there."""
    found: dict[str, None] = {}

    def noted(text: str) -> str:
        found[text] = None
        return text

    translate_document(document, noted)
    return list(found)


def translate_document(document: Mapping[str, Any], translate: Translate) -> dict[str, Any]:
    """A copy whose words went through `translate`, a paragraph at a time; names and values stay as they are."""
    copy: dict[str, Any] = _copied(document, translate)
    copy["tags"] = [{**tag, "name": translate(tag["name"])} for tag in copy["tags"]]
    for item in copy["paths"].values():
        for each in item.values():
            each["tags"] = [translate(name) for name in each["tags"]]
    return copy


def _copied(value: Any, translate: Translate, *, is_by_name: bool = False) -> Any:
    if isinstance(value, list):
        return [_copied(each, translate) for each in value]
    if not isinstance(value, Mapping):
        return value
    if is_by_name:
        return {name: _copied(inner, translate) for name, inner in value.items()}
    return {name: _part(name, inner, translate) for name, inner in value.items()}


def _part(name: str, value: Any, translate: Translate) -> Any:
    if name in _NO_WORDS:
        return value
    if name in _WORDS and isinstance(value, str):
        return "\n\n".join(_paragraph(each, translate) for each in value.strip().split("\n\n")) if value else value
    return _copied(value, translate, is_by_name=name in _BY_NAME)


def _paragraph(text: str, translate: Translate) -> str:
    needs = _NEEDS.fullmatch(text)
    if needs:
        return translate(NEEDS) % {**needs.groupdict(), "permission": translate(needs["permission"])}
    also = _ALSO.fullmatch(text)
    if also:
        before = translate(also["before"]) if also["before"] else ""
        return f"{before} {translate(ALSO) % {'names': also['names']}}".strip()
    return "\n".join(translate(line) for line in text.split("\n"))
