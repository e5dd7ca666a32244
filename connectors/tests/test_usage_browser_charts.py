"""The charts of use and the list with its small lines in a browser: wide, narrow, dark, from right to left."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from accounts.models import User
from connectors.models import RefreshToken
from connectors.services import usage
from connectors.tests.factories import Program
from kaizala_console.lib import clock

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
ENDPOINTS = (
    ("GET v1/groups/<group_id>/members", 41),
    ("POST v1/groups/<group_id>/messages", 17),
    ("GET v1/accessToken", 3),
    ("PUT v1/groups/<group_id>/actions/<action_id>/responses/<response_id>", 2),
)


@pytest.fixture
def busy(program: Program) -> Program:
    for back in range(90):
        at = clock.now() - dt.timedelta(days=back)
        busyness = (1, 8, 9, 7, 8, 10, 2)[back % 7] * (100 - back)
        for operation, share in ENDPOINTS:
            statuses = (
                (200, 100),
                (403, 6 if back % 9 == 4 else 0),
                (429, 25 if back % 11 == 2 else 0),
                (500, back % 2),
            )
            for status, part in statuses:
                if n := busyness * share * part // 1000:
                    key = usage.Hour(program.grant.pk, at.replace(minute=0, second=0, microsecond=0), operation, "")
                    usage._buffer.add(key, usage.Counted(n, *(n if status == bad else 0 for bad in (403, 429, 500))))
    usage.flush()
    RefreshToken.objects.update(expires_at=clock.now() + dt.timedelta(days=6), issued_at=clock.now())
    return program


def test_on_a_phone_no_label_of_the_chart_lies_over_another_or_its_mark(
    open_page: Callable[..., Page], developer: User, busy: Program
) -> None:
    page = open_page(user=developer, width=360)
    page.goto(f"/console/connectors/{busy.connector.pk}/usage/")
    marks = page.evaluate(
        """() => [...document.querySelectorAll(".usage-labels span")].flatMap((label) => {
          const style = getComputedStyle(label), words = document.createRange();
          words.selectNodeContents(label);
          const [{ left }, { right }] = [label.getBoundingClientRect(), words.getBoundingClientRect()];
          return style.visibility === "hidden" ? [] : [[left, style.fontSize === "0px" ? left : right]];
        })"""
    )
    assert len(marks) > 1
    crossed = [(before, after) for before, after in itertools.pairwise(marks) if before[1] > after[0]]
    assert crossed == []
    assert all(right > left + 10 for left, right in marks), "a mark stands there without its label"
