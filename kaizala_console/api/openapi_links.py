"""The links of the OpenAPI document: which call goes on with what an answer names (OpenAPI 3.1, Link Object)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic.alias_generators import to_camel

from kaizala_console.api.endpoint import Operation

ARGUMENT: Final = re.compile(r"<(?:(\w+):)?(\w+)>")


def links_of(route: str, operation: Operation, others: Iterable[tuple[str, str, Operation]]) -> dict[str, Any]:
    """A link to each operation that can be called with what ``operation`` gives, by the operation's ID.

    ``others`` are (operation ID, route, operation). What the answer does not give, the request had in its path.
    """
    if not operation.gives:
        return {}
    had = _arguments(route)
    links = {}
    for name, other_route, other in others:
        link = _link(had, operation.gives, _arguments(other_route), other)
        if link:
            links[name] = {"operationId": name, **link}
    return links


def _link(had: list[str], gives: Mapping[str, str], needs: list[str], other: Operation) -> dict[str, Any]:
    given = [name for name in needs if name in gives and name not in had] or [name for name in needs if name in gives]
    body = _in_body(gives, other)
    parameters = {}
    for name in needs:
        if name in given:
            parameters[to_camel(name)] = f"$response.body#{gives[name]}"
        elif name in had:
            parameters[to_camel(name)] = f"$request.path.{to_camel(name)}"
        elif not body:
            return {}  # nobody knows it
    if not given and not body:
        return {}
    return {key: value for key, value in (("parameters", parameters), ("requestBody", body)) if value}


def _in_body(gives: Mapping[str, str], other: Operation) -> dict[str, Any]:
    """What of the other's body has the name of something that is given; a list of them has the plural."""
    if other.body is None:
        return {}
    found: dict[str, Any] = {}
    for name in other.body.model_fields:
        if name in gives:
            found[to_camel(name)] = f"$response.body#{gives[name]}"
        elif name.removesuffix("s") in gives:
            found[to_camel(name)] = [f"$response.body#{gives[name.removesuffix('s')]}"]
    return found


def _arguments(route: str) -> list[str]:
    return [name for _kind, name in ARGUMENT.findall(route)]
