"""The request at hand."""

import pytest
from django.test import RequestFactory

from kaizala_console.lib import request_context


def test_the_context_holds_inside_the_block_alone_even_when_it_raises() -> None:
    here = request_context.RequestContext("a-request-id", "198.51.100.7", "curl")
    with request_context.use(here):
        assert request_context.current() is here
    assert request_context.current().request_id == ""
    with pytest.raises(ZeroDivisionError), request_context.use(here):
        _ = 1 / 0
    assert request_context.current().request_id == ""


@pytest.mark.parametrize(
    "offered",
    [
        "",
        "short",
        "x" * 129,
        "with space here",
        "new\nline-12345",
        "-leading-hyphen",
        "é" * 10,
        "kzcs_" + "A" * 65,
        "id-kzrt_x",
    ],
)
def test_a_request_id_that_is_not_sane_is_replaced_by_a_new_one(offered: str) -> None:
    request = RequestFactory().get("/", HTTP_X_REQUEST_ID=offered)
    first, second = request_context.from_request(request).request_id, request_context.from_request(request).request_id
    assert first != offered
    assert first != second
    assert len(first) == 32


def test_a_user_agent_is_cut_short_and_cannot_break_a_line() -> None:
    request = RequestFactory().get("/", HTTP_USER_AGENT="agent\r\nforged: line\x1b[31m" + "x" * 1000)
    agent = request_context.from_request(request).user_agent
    assert agent.startswith("agentforged: line[31mxxx")
    assert len(agent) == 256
