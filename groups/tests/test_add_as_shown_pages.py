"""What the page said of a chosen connector is what "Add Connector" lets it do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from connectors.models import Connector, Grant
from connectors.permissions import PERMISSIONS
from connectors.services import permissions
from connectors.tests.html_forms import form_to, text_of
from groups.models import Group
from groups.tests.factories import make_connector
from groups.tests.test_add_connector_pages import adding_to, tab_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(group_admin: User, browser_of: Callable[..., Client]) -> Client:
    return browser_of(group_admin)


def test_a_connector_that_asks_for_more_than_was_shown_is_shown_anew(
    client: Client, group: Group, connector: Connector, developer: User
) -> None:
    permissions.change(connector=connector, permissions=["textmessage"], by=developer)
    form = form_to(client.get(f"{tab_of(group)}?connector={connector.pk}"), adding_to(group))
    permissions.change(connector=connector, permissions=PERMISSIONS, by=developer)
    page = form.send(client, {"end_date": "2030-01-02"})
    assert page.status_code == 400
    assert "now asks for something else. Check it again." in text_of(page)
    assert "Upload and send pictures, documents, audio and video" in text_of(page)
    assert not Grant.objects.exists()
    again = form_to(page, adding_to(group))
    assert again.fields["end_date"] == ["2030-01-02"]
    assert again.send(client).status_code == 302
    assert Grant.objects.get().permissions == frozenset(PERMISSIONS)


def test_what_was_shown_of_another_connector_counts_for_nothing(
    client: Client, group: Group, connector: Connector, developer: User
) -> None:
    another = make_connector(developer, name="Another")
    form = form_to(client.get(f"{tab_of(group)}?connector={another.pk}"), adding_to(group))
    assert form.send(client, {"connector": str(connector.pk)}).status_code == 302
    assert Grant.objects.get().connector == connector
