"""Which view answers a path of the wire."""

import sys
from types import ModuleType
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import path, re_path
from hypothesis import given
from hypothesis import strategies as st

from kaizala_console.api.routing import Routes, console_page, get_routes

SAMPLE = "kaizala_console.api.tests.sample_urls"


def routes(*patterns: Any) -> Routes:
    module = ModuleType("routes_of_a_test")
    module.urlpatterns = list(patterns)  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    try:
        return Routes(module.__name__)
    finally:
        del sys.modules[module.__name__]


def view(request: HttpRequest, **arguments: Any) -> HttpResponse:
    return HttpResponse()


def matched(text: str) -> tuple[str, dict[str, Any]] | None:
    known = get_routes(SAMPLE)
    segments = known.segments_of(text)
    match = known.match(segments) if segments is not None else None
    return (match.route, match.arguments) if match else None


@pytest.mark.parametrize(
    "text",
    [
        "/v1/groups/AbC/messages",
        "/v1/groups/AbC/messages/",
        "//v1/groups/AbC/messages",
        "/v1//groups///AbC/messages//",
        "/groups/AbC/messages",
        "//groups/AbC/messages/",
        "/V1/Groups/AbC/MESSAGES",
        "/GROUPS/AbC/Messages",
        "/v1/groups/AbC/messages ",
        "/v1/ groups/ AbC /messages/ ",
    ],
)
def test_every_spelling_of_a_path_leads_to_the_same_view_with_the_argument_as_it_was_sent(text: str) -> None:
    assert matched(text) == ("v1/groups/<group_id>/messages", {"group_id": "AbC"})


def test_a_literal_goes_before_an_argument_and_steps_back_when_it_leads_nowhere() -> None:
    assert matched("/v1/groups/g/reaction/summary") == ("v1/groups/<group_id>/reaction/summary", {"group_id": "g"})
    assert matched("/v1/groups/g/reaction/summary/summary") == (
        "v1/groups/<group_id>/reaction/<reference_id>/summary",
        {"group_id": "g", "reference_id": "summary"},
    )


def test_a_console_page_is_never_called_by_the_wire(rf: RequestFactory) -> None:
    with pytest.raises(NotImplementedError):
        console_page(rf.get("/"))


@pytest.mark.parametrize(
    "text", ["/", "", "//", "/console/", "/accounts/login/", "/v2/groups", "/api2/x", "/static/v1/groups"]
)
def test_paths_of_the_console_are_not_the_wires(text: str) -> None:
    assert get_routes(SAMPLE).segments_of(text) is None


@pytest.mark.parametrize(
    "text", ["/v1", "/v1/", "/v1/nope", "/api", "/api/oauth", "/groups", "/groups/x/nope", "/v1/v1/groups/x/messages"]
)
def test_paths_below_the_wires_segments_are_the_wires_even_when_nothing_is_there(text: str) -> None:
    segments = get_routes(SAMPLE).segments_of(text)
    assert segments is not None
    assert get_routes(SAMPLE).match(segments) is None


@given(st.text(max_size=60))
def test_no_path_raises(text: str) -> None:
    matched(text)
    matched("/v1/groups/" + text)


@pytest.mark.parametrize(
    ("patterns", "says"),
    [
        ([path("v1/a", view), path("v1/A/", view)], "twice"),
        ([path("v1/<a>", view), path("v1/<b>", view)], "twice"),
        ([path("v1/x<a>", view)], "whole segment"),
        ([path("v1//x", view)], "no segment is empty"),
        ([path("v1/<path:rest>", view)], "single segment"),
        ([re_path("v1/a", view)], "path"),
        ([path("v1/<a>/page", console_page)], "no arguments"),
    ],
)
def test_routes_that_cannot_be_compiled_are_refused_at_once(patterns: list[Any], says: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=says):
        routes(*patterns)


def test_an_argument_on_a_wrong_track_is_forgotten() -> None:
    known = routes(path("v1/a/<x>/b", view), path("v1/<y>/c/d", view))
    found = known.match(["v1", "a", "c", "d"])
    assert found
    assert (found.route, found.arguments) == ("v1/<y>/c/d", {"y": "a"})


def test_a_converter_converts_or_refuses() -> None:
    known = routes(path("v1/n/<int:number>", view), path("v1/s/<slug:name>", view))
    found = known.match(["v1", "n", "17"])
    assert found
    assert found.arguments == {"number": 17}
    assert known.match(["v1", "n", "x"]) is None
    assert known.match(["v1", "n", "\N{ARABIC-INDIC DIGIT ONE}"]) is None
    assert known.match(["v1", "n", "9" * 5000]) is None  # more digits than Python turns into a number
    assert known.match(["v1", "s", "a b"]) is None
