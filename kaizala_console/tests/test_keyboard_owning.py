"""By keyboard alone: what an owner changes at a connector, its credentials, and one that leaked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import User
from connectors.models import AccessRequest, Connector, ConnectorSecret, LeakReport
from connectors.permissions import PERMISSIONS, Permission
from connectors.services import connectors, public_keys
from connectors.tests.factories import Program, make_connector, make_program, make_secret
from connectors.tests.keys import x25519
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]
TypistOf = Callable[..., Typist]


@pytest.fixture
def program(developer: User, group_admin: User) -> Program:
    """The developer's program, let into a group; it may do everything."""
    return make_program(make_connector(developer, "Shift Planner", permissions=PERMISSIONS), group_admin)


def at(name: str, connector: Connector, *more: Any) -> str:
    return reverse(f"connectors:{name}", args=[connector.pk, *more])


def test_details_permissions_and_sign_in_are_changed(typist: TypistOf, program: Program, developer: User) -> None:
    """What is wrong leads to its field; what is lost is seen before, and what is wanted back is asked for."""
    owner, connector = typist(developer), program.connector
    page = owner.page
    owner.visit(at("details", connector))
    owner.link("Change details")
    owner.skip()
    owner.write("Name", "Night Planner")
    owner.write("Redirect URLs", "ftp://planner.example/")
    owner.button("Save")
    expect(page.get_by_role("alert")).to_be_focused()
    owner.press(page.get_by_role("alert").get_by_role("link"))
    expect(owner.field("Redirect URLs")).to_be_focused()
    owner.write("Redirect URLs", "https://planner.example/")
    owner.button("Save", "Space")
    expect(page.get_by_role("heading", name="Night Planner")).to_be_visible()

    owner.skip()
    owner.link("Change permissions")
    owner.skip()
    owner.tick("Text Message")
    owner.button("Continue")
    expect(page.get_by_role("heading", name="It will no longer be able to")).to_be_visible()
    owner.skip()
    owner.write("Name of the connector", "Night Planner")
    owner.button("Change permissions")
    connector.refresh_from_db()
    assert connector.permissions == set(PERMISSIONS) - {Permission.TEXT_MESSAGE}
    assert connector.redirect_urls == ["https://planner.example/"]
    owner.visit(at("permissions", connector))
    owner.tick("Text Message")
    owner.button("Continue")
    owner.skip()
    owner.button("Back")
    owner.skip()
    expect(owner.field("Text Message")).to_be_checked()
    owner.button("Continue")
    owner.skip()
    owner.button("Change permissions", "Space")
    assert AccessRequest.objects.get().permissions == {Permission.TEXT_MESSAGE}

    owner.visit(at("sign_in", connector))
    owner.tick("Require PKCE (S256) for every sign-in")
    owner.button("Save")
    connector.refresh_from_db()
    assert connector.pkce_required


def test_credentials_are_made_kept_and_taken_away(typist: TypistOf, program: Program, developer: User) -> None:
    owner, connector = typist(developer), program.connector
    page = owner.page
    owner.visit(at("credentials", connector))
    owner.button("Add secret")
    secret = page.get_by_label("Connector secret", exact=True).input_value()
    owner.skip()
    with page.expect_download() as file:
        owner.press(page.get_by_role("button", name="Download JSON"), "Space")
    assert secret in file.value.path().read_text()
    owner.done()
    owner.skip()
    owner.link("End date of secret 2")
    owner.skip()
    owner.reach(owner.field("End date of the secret"))
    page.keyboard.type("12122030")
    owner.button("Save", "Space")
    assert ConnectorSecret.objects.get(slot=2).expires_at
    owner.skip()
    owner.link("Revoke secret 1")
    owner.skip()
    owner.write("Name of the connector", "Shift Planner")
    owner.button("Revoke")
    assert list(ConnectorSecret.objects.filter(revoked_at=None).values_list("slot", flat=True)) == [2]

    public_keys.register(connector=connector, by=developer, public_key=x25519().public_jwk)
    owner.visit(at("keys", connector))
    owner.link("Remove key")
    owner.skip()
    owner.button("Remove key")
    expect(page.get_by_role("heading", name="No public key")).to_be_visible()

    connectors.deactivate(connector=connector, by=developer)
    owner.visit(at("details", connector))
    owner.link("Reactivate Shift Planner")
    owner.skip()
    owner.button("Reactivate")
    connector.refresh_from_db()
    assert connector.deactivated_at is None


def test_a_leaked_credential_is_reported_by_anybody_and_answered_by_its_owner(
    typist: TypistOf, developer: User
) -> None:
    connector = make_connector(developer, "Shift Planner")
    texts = [make_secret(connector, slot)[1] for slot in (1, 2)]
    finder, owner = typist("member"), typist(developer)  # the finder has not signed in
    page = finder.page
    finder.visit(reverse("connectors:leak_report"))
    finder.button("Report")
    expect(page.get_by_role("alert")).to_be_focused()
    for text in texts:
        finder.write("The credential, or the text that contains it", f"SECRET={text}")
        finder.write("Where you found it", "In a public repository")
        finder.button("Report", "Space")
        expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
        finder.skip()
        finder.link("Report another")
        finder.skip()

    page = owner.page
    for answer in ("Restore", "Revoke"):
        owner.visit(at("credentials", connector))
        owner.press(page.get_by_role("main").get_by_role("link", name="Revoke or restore it").first)
        owner.skip()
        owner.button(answer)
    assert sorted(LeakReport.objects.values_list("outcome", flat=True)) == ["restored", "revoked"]
    assert ConnectorSecret.objects.filter(revoked_at=None).count() == 1
