"""By keyboard alone: who may act for whom and where, given, answered, stopped and ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import Organisation, User
from connectors.models import AccessRequest, Connector, Grant, Handoff, UserTokenRequest
from connectors.permissions import PERMISSIONS
from connectors.services import access_requests, bots, handoffs, user_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tests.factories import make_connector
from groups import access
from groups.models import Group
from groups.services import connectors
from groups.tests.factories import make_group, person_of
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]
TypistOf = Callable[..., Typist]


@pytest.fixture
def connector(developer: User) -> Connector:
    """The developer's."""
    return make_connector(developer, "Shift Planner")


@pytest.fixture
def group(organisation: Organisation, group_admin: User, member: User) -> Group:
    """With one admin and one member."""
    return make_group("Night Shift", organisation=organisation, admins=[group_admin], members=[member])


def test_a_user_token_is_generated_and_ended(
    typist: TypistOf, connector: Connector, group: Group, member: User
) -> None:
    person = typist(member)
    page = person.page
    person.visit(reverse("connectors:details", args=[connector.pk]))
    person.link("Generate user token")
    person.skip()
    person.button("Generate user token", "Space")
    assert Grant.objects.get().kind == Grant.Kind.USER
    person.visit(reverse("connectors:acting"))
    person.link("Remove Shift Planner")
    person.skip()
    person.write("Name of the connector", "Shift Planner")
    person.button("Remove")
    expect(page.get_by_role("heading", name="No connectors")).to_be_visible()
    assert Grant.objects.get().revoked_at


def test_a_second_admin_confirms_or_refuses_what_the_first_asks_for(
    typist: TypistOf, connector: Connector, organisation_admin: User, second_admin: User
) -> None:
    Connector.objects.update(permissions=PERMISSIONS)
    first, second = typist(organisation_admin), typist(second_admin)
    first.visit(reverse("connectors:user_token", args=[connector.pk]))
    first.button("Ask a second admin")
    second.visit(reverse("home"))
    second.press(second.page.locator(".need").first.get_by_role("link"))
    second.skip()
    second.button("Refuse")
    assert UserTokenRequest.objects.get().state == "refused"
    asked = user_tokens.ask(connector=connector, person=person_of(organisation_admin), by=organisation_admin)
    second.visit(reverse("connectors:user_token_request", args=[asked.pk]))
    second.button("Confirm", "Space")
    asked.refresh_from_db()
    assert asked.state == "confirmed"
    assert Grant.objects.get().confirmed_by == second_admin


def test_handoffs_are_refused_issued_again_and_told_to_be_gone(
    typist: TypistOf, connector: Connector, group: Group, developer: User, group_admin: User
) -> None:
    """Whoever comes too late is led to where it is said."""
    handoff = connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin).handoff
    person = typist(developer)
    page = person.page
    person.visit(reverse("handoffs"))
    person.link("Refuse Night Shift")
    person.skip()
    person.button("Refuse")
    expect(page.get_by_text("Refused. The token is deleted")).to_be_visible()
    person.skip()
    person.link("Regenerate")
    person.skip()
    person.button("Regenerate", "Space")
    again = Handoff.objects.exclude(pk=handoff.pk).get()
    expect(page.get_by_role("button", name="Claim")).to_be_visible()
    handoffs.claim(handoff=again, by=developer, idempotency_key=new_form_key(), address=None)
    person.skip()
    person.button("Claim")
    told = page.get_by_role("alert").filter(has_text="Something went wrong.")
    expect(told).to_be_focused()
    assert person.is_seen()


def test_requests_are_withdrawn_and_refused(
    typist: TypistOf, connector: Connector, group: Group, developer: User, group_admin: User
) -> None:
    """By an admin who is asked for a PIN first."""

    def ask() -> AccessRequest:
        return access_requests.ask(
            connector=connector,
            by=developer,
            permissions=connector.permissions,
            once=access_requests.new_once(),
            target=access.get_target(group),
        )

    asks, answers = typist(developer), typist(group_admin, confirmed=False)
    asked = ask()
    asks.visit(reverse("connectors:request", args=[connector.pk, asked.pk]))
    asks.button("Withdraw", "Space")
    asked.refresh_from_db()
    assert asked.withdrawn_at
    asked = ask()
    answers.visit(reverse("groups:requests"))
    answers.link("Shift Planner")
    answers.skip()
    answers.button("Refuse")
    asked.refresh_from_db()
    assert asked.refused_at


def test_a_grant_is_shown_renewed_dated_stopped_and_removed_and_bots_come_and_go(
    typist: TypistOf, connector: Connector, group: Group, developer: User, group_admin: User
) -> None:
    bots.create(connector=connector, name="Shift reminders", picture_url="", by=developer)
    admin = typist(group_admin)
    page = admin.page
    admin.visit(reverse("groups:connectors", args=[group.pk]))
    admin.choose("Connector", "Shift Planner")
    admin.reach(admin.field("End date"))
    page.keyboard.type("12122030")
    admin.button("Add Connector")
    grant = Grant.objects.get()
    assert grant.ends_at is not None
    assert grant.ends_at.year == 2030
    admin.skip()
    admin.button("View once")
    expect(page.get_by_label("Refresh token", exact=True)).to_be_visible()
    admin.done()
    admin.arrive()
    admin.skip()
    admin.link("Change end date")
    admin.skip()
    admin.reach(admin.field("End date"))
    page.keyboard.type("12122031")
    admin.button("Save")
    for verb in ("Regenerate", "Suspend", "Resume"):
        admin.skip()
        admin.link(verb)
        admin.skip()
        admin.button(verb, "Space")
    assert Handoff.objects.count() == 2
    grant.refresh_from_db()
    assert (grant.suspended_at, grant.ends_at.year) == (None, 2031)

    admin.visit(reverse("groups:connectors", args=[group.pk]))
    admin.choose("Bot", "Shift")
    admin.button("Add bot")
    assert group.group_bots.count() == 1
    admin.skip()
    admin.link("Remove Shift reminders")
    admin.skip()
    admin.button("Remove")
    assert group.group_bots.count() == 0

    admin.visit(reverse("groups:grant", args=[group.pk, grant.pk]))
    admin.link("Remove")
    admin.skip()
    admin.write("Name of the connector", "Shift Planner")
    admin.key("Enter")
    admin.arrive()
    grant.refresh_from_db()
    assert grant.revoked_at
