"""What pages show first fits who reads them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts import sandbox
from accounts.models import Organisation, User
from accounts.tests.factories import make_user

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


def test_the_steps_of_a_developer_are_not_those_of_an_organisation_admin(
    organisation_admin: User, developer: User, browser_of: Browser
) -> None:
    assert "Five steps to connect your program" in browser_of(developer).get("/console/").content.decode()
    assert "Five steps to connect your program" not in browser_of(organisation_admin).get("/console/").content.decode()


def test_the_sandbox_fills_in_the_number_of_its_own_people_alone(
    browser_of: Browser, organisation: Organisation
) -> None:
    identity = sandbox.BY_KEY["developer"]
    known = make_user(identity.name, organisation, number=None)
    assert identity.number not in browser_of(known).get("/console/phones/add/").content.decode()
    User.objects.filter(pk=known.pk).update(subject=identity.subject)
    known.refresh_from_db()
    assert identity.number in browser_of(known).get("/console/phones/add/").content.decode()
