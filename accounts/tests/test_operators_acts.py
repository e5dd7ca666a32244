"""What operators do on their pages, and that the services behind let nobody else do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts import queries
from accounts.models import AuditEvent, AuthenticatorApp, Notice, Organisation, User, VerifiedPhone
from accounts.services import organisations as organisations_service
from accounts.services import users
from accounts.tests.factories import make_user
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken

BrowserOf = Callable[..., Client]


# On the pages ---------------------------------------------------------------------------------------------------------


def act(desk: Client, model: str, action: str, *rows: Any, **typed: str) -> Any:
    form = {"action": action, "_selected_action": [str(row.pk) for row in rows], "confirmed": "yes", **typed}
    return desk.post(f"/operators/accounts/{model}/", form, follow=True)


def test_an_operator_gives_and_takes_roles(desk: Client, developer: User) -> None:
    for action, role, value in (
        ("make_organisation_admin", "is_organisation_admin", True),
        ("end_organisation_admin", "is_organisation_admin", False),
        ("make_operator", "is_staff", True),
        ("end_operator", "is_staff", False),
    ):
        act(desk, "user", action, developer)
        developer.refresh_from_db()
        assert getattr(developer, role) is value
    assert AuditEvent.objects.filter(tag="user:roles:changed", actor_name="Omar Dsouza").count() == 4


def test_a_deactivated_account_is_out_at_once_and_may_come_back(
    desk: Client, developer: User, browser_of: BrowserOf
) -> None:
    browser = browser_of(developer)
    assert browser.get("/console/").status_code == 200
    act(desk, "user", "deactivate", developer, reason="Left the company")
    assert browser.get("/console/").status_code == 302
    act(desk, "user", "activate", developer)
    developer.refresh_from_db()
    assert developer.is_active


def test_an_operator_cannot_lock_the_last_door(desk: Client, operator: User) -> None:
    for action in ("end_operator", "deactivate"):
        html = act(desk, "user", action, operator, reason="By mistake").content.decode()
        assert "Only another operator" in html
    operator.refresh_from_db()
    assert [operator.is_staff, operator.is_active] == [True, True]


def test_a_lost_phone_is_helped_by_a_colleague_and_not_by_oneself(desk: Client, operator: User) -> None:
    colleague = make_user("Olive Thomas", operator.organisation, is_staff=True)
    lost = AuthenticatorApp.objects.create(user=colleague, confirmed=True)
    own = AuthenticatorApp.objects.get(user=operator)
    for device in (lost, own):
        act(desk, "authenticatorapp", "remove", device, typed=device.user.name)
    assert list(AuthenticatorApp.objects.all()) == [own]


def test_a_number_can_be_taken_off_an_account(desk: Client, developer: User) -> None:
    act(desk, "verifiedphone", "release", queries.held_phones(developer)[0])
    assert not VerifiedPhone.objects.active().filter(user=developer).exists()


def test_a_notice_that_was_given_up_can_be_sent_again(desk: Client, developer: User, some_of_everything: None) -> None:
    notice = Notice.objects.get()
    html = act(desk, "notice", "send_again", notice).content.decode()
    assert "changed in the meantime" in html
    Notice.objects.update(gave_up_at=clock.now(), next_attempt_at=None)
    act(desk, "notice", "send_again", notice)
    notice.refresh_from_db()
    assert notice.gave_up_at is None


def test_an_organisation_gets_a_name_that_people_know(desk: Client, organisation: Organisation) -> None:
    path = f"/operators/accounts/organisation/{organisation.pk}/change/"
    desk.post(path, {"name": "Contoso", "moved_to": "https://new.example"})
    organisation.refresh_from_db()
    assert (organisation.name, organisation.moved_to) == ("Contoso", "https://new.example")
    event = AuditEvent.objects.get(tag="organisation:settings:changed")
    assert (event.before["name"], event.after["name"]) == ("Contoso Logistics", "Contoso")
    for bad in ({"name": ""}, {"moved_to": "http://new.example"}, {"moved_to": "javascript:alert(1)"}):
        answer = desk.post(path, {"name": "Contoso", "moved_to": "", **bad})
        assert answer.status_code == 200
        organisation.refresh_from_db()
        assert (organisation.name, organisation.moved_to) == ("Contoso", "https://new.example")


# The services behind --------------------------------------------------------------------------------------------------


def test_nobody_but_operators_manages_accounts(developer: User, organisation_admin: User, stranger: User) -> None:
    for by in (developer, organisation_admin):
        for attempt in (
            lambda by=by: users.set_roles(user=by, is_staff=True, by=by),
            lambda by=by: users.set_roles(user=stranger, is_organisation_admin=True, by=by),
            lambda by=by: users.deactivate(user=stranger, by=by),
            lambda by=by: users.activate(user=stranger, by=by),
            lambda by=by: organisations_service.rename_or_move(
                organisation=stranger.organisation, name="Mine", moved_to="", by=by
            ),
        ):
            with pytest.raises(NotAllowed):
                attempt()
    assert not AuditEvent.objects.exists()


def test_what_is_so_already_is_told(developer: User, operator: User) -> None:
    with pytest.raises(Conflict):
        users.activate(user=developer, by=operator)
    with pytest.raises(Conflict):
        users.set_roles(user=developer, is_staff=False, by=operator)
    with pytest.raises(Conflict):
        users.set_roles(user=developer, by=operator)


@pytest.mark.parametrize(("name", "moved_to"), [("", ""), ("x" * 121, ""), ("Contoso", "http://new.example")])
def test_an_organisation_keeps_a_name_and_moves_only_to_https(
    organisation: Organisation, operator: User, name: str, moved_to: str
) -> None:
    with pytest.raises(RuleBroken):
        organisations_service.rename_or_move(organisation=organisation, name=name, moved_to=moved_to, by=operator)


def test_an_admin_decides_for_the_own_organisation_alone(
    organisation: Organisation, organisation_admin: User, outsider: User, developer: User
) -> None:
    for by in (outsider, developer):
        with pytest.raises((NotAllowed, NotFound)):
            organisations_service.change(organisation=organisation, by=by, admins_may_see_tokens=False)
    organisations_service.change(organisation=organisation, by=organisation_admin, admins_may_see_tokens=False)
    organisation.refresh_from_db()
    assert not organisation.admins_may_see_tokens
    assert AuditEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_without_an_audit_row_no_account_changes(
    developer: User, operator: User, organisation_admin: User, broken_trail: Callable[[], None]
) -> None:
    broken_trail()
    for attempt in (
        lambda: users.set_roles(user=developer, is_staff=True, by=operator),
        lambda: users.deactivate(user=developer, by=operator),
        lambda: organisations_service.change(
            organisation=developer.organisation, by=organisation_admin, admins_may_see_tokens=False
        ),
        lambda: organisations_service.rename_or_move(
            organisation=developer.organisation, name="Other", moved_to="", by=operator
        ),
    ):
        with pytest.raises(OSError, match="audit"):
            attempt()
    developer.refresh_from_db()
    organisation = developer.organisation
    organisation.refresh_from_db()
    assert [developer.is_staff, developer.is_active] == [False, True]
    assert (organisation.name, organisation.admins_may_see_tokens) == ("Contoso Logistics", True)
