"""By keyboard alone: who owns a connector changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import User
from connectors.models import Connector
from connectors.tests.factories import make_connector
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]
TypistOf = Callable[..., Typist]


def test_a_co_owner_comes_and_goes_and_the_connector_is_handed_on_without_a_mouse(
    developer: User, member: User, stranger: User, typist: TypistOf
) -> None:
    connector = make_connector(developer, "Shift Planner")
    owner = typist(developer)
    page = owner.page
    owner.visit(reverse("connectors:details", args=[connector.pk]))
    owner.skip()
    owner.link("Owners")
    owner.skip()
    owner.write("E-mail address", "nobody@contoso.example")
    owner.button("Add co-owner")
    expect(page.get_by_role("alert")).to_be_focused()
    owner.write("E-mail address", member.email)
    owner.button("Add co-owner")
    expect(page.get_by_text("Meera Nair is now a co-owner")).to_be_visible()
    assert set(connector.co_owners.all()) == {member}

    owner.skip()
    owner.link("Remove Meera Nair")
    owner.skip()
    owner.button("Remove co-owner", "Space")
    expect(page.get_by_text("Meera Nair is no longer a co-owner.")).to_be_visible()

    owner.skip()
    owner.link("Transfer ownership")
    owner.skip()
    owner.write("E-mail address", stranger.email)
    owner.tick("Stay a co-owner")
    owner.write("Name of the connector", "Shift Planner")
    owner.button("Transfer ownership")
    expect(page.get_by_text("Sunil Verma is now the owner")).to_be_visible()
    connector = Connector.objects.get(pk=connector.pk)
    assert connector.owner == stranger
    assert not connector.co_owners.exists()
