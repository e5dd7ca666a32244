"""An operator's list that fills more than a page can be used by everybody too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.operators import long_lists
from kaizala_console.tests.every_page import OPERATOR, Visit
from kaizala_console.tests.looking import NARROW, WIDE, findings
from kaizala_console.tests.visiting import Visitors
from kaizala_console.tests.whole_world import World


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_the_numbers_of_pages_and_the_way_to_other_parts_can_be_pressed(
    whole_world: World,
    open_page: Callable[..., Page],
    browser_of: Callable[..., Any],
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(long_lists, "STRETCH", 60)
    work = whole_world.users[OPERATOR].organisation
    rows = (User(subject=f"person-{number}", organisation=work, name=f"Person {number}") for number in range(101))
    User.objects.bulk_create(rows)
    visitors = Visitors(whole_world, open_page, browser_of, {"width": WIDE}, live_server.url)
    page = visitors.open(Visit("operators:accounts_user_changelist", OPERATOR), (NARROW, WIDE))
    assert page.locator(".paginator a").count() > 0
    assert findings(page) == []
    page.get_by_role("link", name="The rows before these").click()
    expect(page.get_by_role("link", name="The newest rows")).to_be_visible()
    assert findings(page) == []
