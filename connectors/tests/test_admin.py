"""The operators' pages of this app: acts go through the services. Every list is looked at in kaizala_console/tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django_otp import DEVICE_ID_SESSION_KEY

from accounts.models import AuditEvent, AuthenticatorApp, Notice, User
from connectors import authentication
from connectors.models import (
    Connector,
    ConnectorLogo,
    ConnectorSecret,
    Grant,
    Handoff,
    RefreshToken,
)
from connectors.services import connectors, grants
from connectors.tests.factories import Program, make_connector, make_use
from connectors.tests.logos import put as put_logo
from connectors.tests.test_tokens import exchange
from kaizala_console.api.errors import TokenInvalid
from kaizala_console.lib import clock


@pytest.fixture
def desk(operator: User, browser_of: Callable[..., Client]) -> Client:
    """The operator's browser, past the second factor."""
    device = AuthenticatorApp.objects.create(user=operator, name="phone")
    client = browser_of(operator)
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session.save()
    return client


def act(desk: Client, row: Any, action: str, *others: Any, **typed: str) -> str:
    """Ticks the rows, runs the action and confirms it; the page that follows."""
    url = reverse(f"operators:connectors_{type(row).__name__.lower()}_changelist")
    chosen = {"action": action, "_selected_action": [str(each.pk) for each in (row, *others)]}
    assert "confirmed" in desk.post(url, chosen).content.decode()
    response = desk.post(url, {**chosen, "confirmed": "yes", "reason": "A report", **typed}, follow=True)
    return response.content.decode()


def told(template: str) -> set[User]:
    return {notice.user for notice in Notice.objects.filter(template=f"connectors/{template}")}


def test_a_connector_is_suspended_and_resumed_and_the_trail_names_the_operator(
    desk: Client, connector: Connector, operator: User
) -> None:
    act(desk, connector, "suspend")
    assert Connector.objects.get().state == "suspended"
    assert "This connector is already suspended." in act(desk, connector, "suspend")
    act(desk, connector, "resume")
    assert Connector.objects.get().state == "live"
    told = AuditEvent.objects.filter(subject_kind="connector")
    assert set(told.values_list("actor_id", flat=True)) == {str(operator.pk)}


def test_a_secret_and_a_grant_are_revoked_and_access_tokens_with_them(desk: Client, program: Program) -> None:
    name, token = program.connector.name, exchange(program).access_token
    act(desk, ConnectorSecret.objects.get(), "revoke", typed=name, why="leaked")
    assert ConnectorSecret.objects.get().revoked_at
    with pytest.raises(TokenInvalid):
        authentication.get_access_context(token)
    act(desk, program.grant, "suspend")
    assert Grant.objects.get().suspended_at
    act(desk, program.grant, "resume")
    act(desk, program.grant, "revoke", typed="Another")
    assert not Grant.objects.get().revoked_at
    act(desk, program.grant, "revoke", typed=name)
    assert Grant.objects.get().revoked_at
    assert RefreshToken.objects.get().revoked_at
    assert Handoff.objects.get().state == "withdrawn"


def test_what_would_stop_is_shown_first_and_nothing_happens_before_it_is_confirmed(
    desk: Client, program: Program, connector: Connector, developer: User
) -> None:
    both = [program.connector, make_connector(developer, "Rota")]
    url = reverse("operators:connectors_connector_changelist")
    chosen = {"action": "suspend", "_selected_action": [str(row.pk) for row in both]}
    make_use(program.grant, "GET v1/groups", at=clock.now(), calls=7)
    page = desk.post(url, chosen).content.decode()
    assert all(each in page for each in ("Rota", program.connector.name, "calls in the last 24 hours: 7"))
    assert desk.post(url, {**chosen, "confirmed": "yes"}).status_code == 400  # without a reason
    assert not Connector.objects.filter(suspended_at__isnull=False).exists()
    assert not told("operator_acted")
    act(desk, both[0], "suspend", both[1])
    assert Connector.objects.filter(suspended_at__isnull=False).count() == 2
    assert Notice.objects.filter(user=developer, context__reason="A report", context__act="suspended").count() == 2
    assert AuditEvent.objects.filter(tag="connector:account:suspended", after__reason="A report").count() == 2


def test_owners_and_admins_get_a_mail_about_what_an_operator_did_but_not_about_their_own_acts(
    desk: Client, program: Program, developer: User, group_admin: User
) -> None:
    grants.suspend(grant=program.grant, by=group_admin)
    connectors.suspend(connector=program.connector, by=developer)
    assert not told("operator_acted")
    act(desk, program.grant, "resume")
    assert told("operator_acted") == {developer, group_admin}
    reasons = {notice.context["reason"] for notice in Notice.objects.filter(template="connectors/operator_acted")}
    assert reasons == {"A report"}


def test_before_a_person_is_deactivated_one_sees_what_depends_on_them_and_can_hand_connectors_over(
    desk: Client, program: Program, developer: User, stranger: User
) -> None:
    url = reverse("operators:accounts_user_changelist")
    chosen = {"action": "deactivate", "_selected_action": [str(developer.pk)]}
    assert "Connectors they own: keep working: 1" in desk.post(url, chosen).content.decode()
    sent = {**chosen, "confirmed": "yes", "reason": "Left"}
    page = desk.post(url, {**sent, "new_owner_email": "nobody@contoso.example"})
    assert page.status_code == 400
    assert 'value="nobody@contoso.example"' in page.content.decode()
    developer.refresh_from_db()
    assert developer.is_active
    desk.post(url, {**sent, "new_owner_email": stranger.email})
    assert not User.objects.get(pk=developer.pk).is_active
    assert Connector.objects.get().owner == stranger
    assert told("owner_changed") == {stranger}
    assert AuditEvent.objects.get(tag="user:account:deactivated").after == {"reason": "Left"}


def test_a_logo_is_removed_and_the_trail_names_the_operator(desk: Client, connector: Connector, operator: User) -> None:
    logo = put_logo(connector)
    act(desk, logo, "remove")
    assert not ConnectorLogo.objects.exists()
    event = AuditEvent.objects.get(tag="connector:details:changed", after={"logo": ""})
    assert (event.actor_id, event.before) == (str(operator.pk), {"logo": logo.sha256})


def test_without_the_second_factor_nothing_opens(
    operator: User, developer: User, program: Program, browser_of: Callable[..., Client]
) -> None:
    for user in (operator, developer):
        response = browser_of(user).get(reverse("operators:connectors_connector_changelist"))
        assert response.status_code in {302, 403, 404}
        assert "Shift Planner" not in response.content.decode()


@pytest.mark.parametrize("query", ["connectorsecret/?digest__startswith=a", "refreshtoken/?digest__startswith=a"])
def test_lists_are_not_filtered_by_digests(desk: Client, program: Program, query: str) -> None:
    assert desk.get(f"/operators/connectors/{query}").status_code == 400


def test_a_connector_is_found_by_its_id_and_by_a_part_of_its_name(desk: Client, program: Program) -> None:
    for words in (str(program.connector.pk), program.connector.name[2:7]):
        page = desk.get(reverse("operators:connectors_connector_changelist"), {"q": words}).content.decode()
        assert f"{program.connector.pk}/change/" in page
