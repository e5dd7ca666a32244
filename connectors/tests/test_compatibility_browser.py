"""The compatibility report in a browser: wide and light, narrow and dark."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from accounts.models import User
from connectors.models import HabitDay
from connectors.tests.factories import Program
from kaizala_console.api.compatibility import Habit
from kaizala_console.lib import clock
from kaizala_console.tests.browser import assert_accessible, assert_fits

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
PICTURES = os.environ.get("CONSOLE_TEST_PICTURES")


@pytest.mark.parametrize(("width", "dark"), [(360, True)])  # the wide and light look is that of test_every_page
def test_the_report_is_accessible_and_fits(
    program: Program, developer: User, open_page: Callable[..., Page], width: int, dark: bool
) -> None:
    page = open_page(user=developer, width=width, dark=dark)
    for habits in ((), tuple(Habit)):
        for number, habit in enumerate(habits):
            HabitDay.objects.create(
                connector=program.connector,
                habit=habit,
                day=clock.now().date() - dt.timedelta(days=number),
                times=12_345 - number,
                seen_at=clock.now() - dt.timedelta(days=number),
                example="POST v1/groups/<group_id>/actions/<action_id>/responses",
            )
        page.goto(f"/console/connectors/{program.connector.pk}/compatibility/")
        assert_accessible(page)
        assert_fits(page)
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"compatibility-{len(habits)}-{width}.png", full_page=True)
    page.goto("/console/connectors/add/")
    assert_accessible(page)
    assert_fits(page)
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"add-{width}.png", full_page=True)
