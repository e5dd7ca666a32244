"""What the tests of the whole console share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import User
from accounts.queries import primary_person
from accounts.sandbox import BY_KEY
from connectors.permissions import PERMISSIONS
from connectors.tests.receiver import receiving
from groups.models import Group
from groups.tests.factories import Program, let_in, make_connector, make_group
from kaizala_console.lib.tests.cast import OpenPage
from kaizala_console.tests.typist import Typist
from kaizala_console.tests.whole_world import World, make_world


@pytest.fixture
def group(group_admin: User, member: User) -> Group:
    """With one admin and one member."""
    return make_group("Night Shift", organisation=group_admin.organisation, admins=[group_admin], members=[member])


@pytest.fixture
def program(developer: User, group: Group, group_admin: User) -> Program:
    """One that may do everything, in this group."""
    return let_in(make_connector(developer, permissions=PERMISSIONS), group, group_admin)


@pytest.fixture
def strange(outsider: User) -> Program:
    """One that may do everything, in a group of another organisation."""
    there = make_group("Elsewhere", organisation=outsider.organisation, admins=[outsider])
    return let_in(make_connector(outsider, permissions=PERMISSIONS), there, outsider)


@pytest.fixture
def whole_world(db: None) -> World:
    """Something of everything."""
    return make_world()


@pytest.fixture
def listens_at(settings: Settings) -> Iterator[str]:
    """The address of a receiver on this machine, which answers the handshake of webhooks."""
    settings.SANDBOX = True
    with receiving() as receiver:
        yield receiver.url()


@pytest.fixture
def typist(open_page: OpenPage, phones: Any) -> Iterator[Callable[..., Typist]]:
    """`typist("developer")`: one of the sandbox's identities before their first sign-in; `typist(user)`: signed in.

    When the test is over, each of them has seen at every stop where the focus was.
    """
    all_of_them: list[Typist] = []

    def typist(who: str | User, **options: Any) -> Typist:
        user = None if isinstance(who, str) else who
        # Without motion: a page that still scrolls smoothly has not brought the stop into sight yet.
        page = open_page(user=user, kept=True, reduced_motion="reduce", **options)
        phone = primary_person(user) if user else None
        all_of_them.append(
            Typist(page, phones.pin, BY_KEY[who] if isinstance(who, str) else None, phone.number if phone else "")
        )
        return all_of_them[-1]

    yield typist
    faults = [fault for one in all_of_them for fault in one.faults]
    assert faults == [], "\n".join(faults)
