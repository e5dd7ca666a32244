"""By keyboard alone: the tree of groups, its branches, and a group far down in it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from accounts.models import Organisation, User
from groups.tests.factories import make_group
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]


def test_a_branch_is_unfolded_folded_and_followed_down_without_a_mouse(
    typist: Callable[..., Typist], organisation: Organisation, group_admin: User
) -> None:
    top = make_group("Night Shift", organisation=organisation, admins=[group_admin])
    gate = make_group("Gate", organisation=organisation, admins=[group_admin], under=top)
    lamp = make_group("Lamp", organisation=organisation, admins=[group_admin], under=gate)
    one = typist(group_admin)
    page = one.page
    one.visit("/console/groups/")
    one.link("Show as a tree")
    page.wait_for_url("**/groups/?view=tree")
    one.skip()
    first, second = (page.get_by_role("button", name=f"Sub-groups of {name}") for name in ("Night Shift", "Gate"))
    one.press(first, "Space")
    expect(first).to_have_attribute("aria-expanded", "true")
    expect(first).to_be_focused()
    one.key("Space")
    expect(second).to_be_hidden()
    one.key("Enter")
    expect(second).to_be_visible()
    expect(first).to_be_focused()
    one.press(second, "Enter")
    expect(second).to_have_attribute("aria-expanded", "true")
    expect(second).to_be_focused()
    one.link("Lamp")
    expect(page).to_have_url(re.compile(str(lamp.pk)))
