"""Which view answers a path of the wire.

The routes stand in ``settings.API_URLCONF`` as everywhere in Django, and are compiled to a tree of segments:
the protocol wants segments in any case (wire protocol §1) but arguments as they were sent, and looking up a
segment costs the same however many endpoints there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, NoReturn

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, URLResolver
from django.urls.converters import get_converters
from django.urls.resolvers import RoutePattern

View = Callable[..., HttpResponseBase]

VERSION: Final = "v1"
ROUTE: Final = "wire.route"  # where a request keeps the route that it took, in META: no header can have this name


def console_page(request: HttpRequest, **arguments: str) -> NoReturn:
    """Stand in the API_URLCONF for a path of the protocol that is a page for a browser.

    The middleware hands such a path on to the console's own URLs, spelled as the route is, and never calls this.
    """
    raise NotImplementedError("a console page is answered by the console")


@dataclass(frozen=True, slots=True)
class Match:
    """A view, its arguments, and the route that led to it (``v1/groups/<group_id>/messages``)."""

    view: View
    arguments: dict[str, Any]
    route: str


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    argument: _Node | None = None
    view: View | None = None
    route: str = ""
    names: tuple[tuple[str, Any], ...] = ()


class Routes:
    """The compiled routes of one URLconf."""

    def __init__(self, urlconf: str) -> None:
        self._root = _Node()
        self._routes: list[tuple[str, View]] = []
        for route, view in _flatten(import_module(urlconf).urlpatterns):
            self._add(route, view)
        self._versioned = self._root.literals.get(VERSION, _Node())

    def __iter__(self) -> Iterator[tuple[str, View]]:
        """Yield every route and its view, in the order of the URLconf: the protocol's table of contents."""
        return iter(self._routes)

    def segments_of(self, path: str) -> list[str] | None:
        """Return the segments of a path of the wire, ``v1`` put in front if it was left out; None for other paths.

        Slashes may be doubled, one may stand at the end, and so may blanks: a client of 2017 sent `…/responses%20`.
        """
        segments = [stripped for segment in path.split("/") if (stripped := segment.strip(" "))]
        if not segments:
            return None
        first = segments[0].lower()
        if first in self._root.literals:
            return segments
        return [VERSION, *segments] if first in self._versioned.literals else None

    def match(self, segments: list[str]) -> Match | None:
        """Return what answers these segments, if anything does. Literals go before arguments."""
        values: list[str] = []
        node = _walk(self._root, segments, 0, values)
        if node is None or node.view is None:
            return None
        arguments = {}
        for (name, converter), value in zip(node.names, values, strict=True):
            if converter is not None:
                if not re.fullmatch(converter.regex, value):
                    return None
                try:
                    value = converter.to_python(value)
                except ValueError:
                    return None
            arguments[name] = value
        return Match(node.view, arguments, node.route)

    def _add(self, route: str, view: View) -> None:
        node, names = self._root, []
        for segment in route.strip("/").split("/"):
            if segment.startswith("<") and segment.endswith(">"):
                kind, _colon, name = segment[1:-1].rpartition(":")
                names.append((name, _converter(kind or "str", route)))
                node.argument = node.argument or _Node()
                node = node.argument
            elif "<" in segment or not segment:
                raise ImproperlyConfigured(f"Route {route!r}: an argument is a whole segment, and no segment is empty.")
            else:
                node = node.literals.setdefault(segment.lower(), _Node())
        if view is console_page and names:
            raise ImproperlyConfigured(f"Route {route!r}: a console page has no arguments in its path.")
        if node.view is not None:
            raise ImproperlyConfigured(f"Route {route!r} is there twice: {node.route!r}.")
        node.view, node.route, node.names = view, route.strip("/"), tuple(names)
        self._routes.append((node.route, view))


@lru_cache(maxsize=8)
def get_routes(urlconf: str) -> Routes:
    """Return the compiled routes of ``urlconf``; compiled once a process. Raises ImproperlyConfigured."""
    return Routes(urlconf)


def _walk(node: _Node, segments: list[str], depth: int, values: list[str]) -> _Node | None:
    if depth == len(segments):
        return node if node.view is not None else None
    segment = segments[depth]
    literal = node.literals.get(segment.lower())
    if literal is not None:
        found = _walk(literal, segments, depth + 1, values)
        if found is not None:
            return found
    if node.argument is None:
        return None
    values.append(segment)
    found = _walk(node.argument, segments, depth + 1, values)
    if found is None:
        values.pop()
    return found


def _flatten(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, View]]:
    for entry in patterns:
        pattern = entry.pattern
        if not isinstance(pattern, RoutePattern):
            raise ImproperlyConfigured(f"The wire knows path() alone, not {type(pattern).__name__}: {pattern}.")
        route = prefix + str(pattern)
        if isinstance(entry, URLResolver):
            yield from _flatten(entry.url_patterns, route)
        else:
            yield route, entry.callback


def _converter(kind: str, route: str) -> Any:
    """Return Django's converter of this name; None for ``str``, which takes any segment as it is."""
    converters = get_converters()
    if kind not in converters or kind == "path":
        raise ImproperlyConfigured(f"Route {route!r}: no converter {kind!r} for a single segment.")
    return converters[kind] if kind != "str" else None
