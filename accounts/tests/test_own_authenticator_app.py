"""Everybody's own authenticator app: who sets it up, who takes it away, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts import queries
from accounts.audit.sentences import sentence
from accounts.models import AuditEvent, AuthenticatorApp, Notice, User
from accounts.services import credential_hold, notifications, reauthentication, totp
from accounts.services.notifications import render
from accounts.tests.authenticator import code_of
from accounts.tests.factories import make_user
from kaizala_console.lib.errors import Conflict, NotAllowed, RuleBroken


@pytest.fixture
def own(developer: User) -> AuthenticatorApp:
    """The developer's app."""
    return AuthenticatorApp.objects.create(user=developer, name="app", confirmed=True)


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["developer", "group_admin", "member", "stranger", "organisation_admin", "operator"])
def test_everybody_sets_up_their_own(
    who: str, request: pytest.FixtureRequest, travel: Callable[..., Any], phones: Any
) -> None:
    user: Any = request.getfixturevalue(who)
    travel()
    device = totp.begin(user=user)
    later = travel(minutes=4)
    device = totp.enrol(user=user, device=device, code=code_of(device), by=user)
    assert queries.totp_device(user) == device
    assert device.created_at == later, "since when is when it began to count"
    event = AuditEvent.objects.get()
    assert (event.tag, event.actor_id) == ("operator:totp:enrolled", str(user.pk))
    assert sentence(event) == f"{user.name} set up an authenticator app."
    subject, body = render(Notice.objects.get(user=user))
    assert subject == "An authenticator app was set up for your account"
    assert "instead of PINs by SMS" in body


def test_nobody_sets_one_up_for_somebody_else(developer: User, member: User, operator: User) -> None:
    device = totp.begin(user=developer)
    for by in (member, operator):
        with pytest.raises(NotAllowed):
            totp.enrol(user=developer, device=device, code=code_of(device), by=by)
        with pytest.raises(RuleBroken):
            totp.enrol(user=by, device=device, code=code_of(device), by=by)
    assert not AuthenticatorApp.objects.filter(confirmed=True).exists()
    assert not AuditEvent.objects.exists()


def test_who_has_one_removes_it_and_confirms_by_pin_again(developer: User, own: AuthenticatorApp) -> None:
    totp.remove(user=developer, by=developer)
    assert not AuthenticatorApp.objects.exists()
    event = AuditEvent.objects.get()
    assert sentence(event) == "Devika Rao removed the authenticator app of Devika Rao."
    subject, body = render(Notice.objects.get(user=developer))
    assert subject == "Your authenticator app was removed"
    assert "Devika Rao removed the authenticator app of your account" in body
    assert reauthentication.send_pin(user=developer, by=developer)
    with pytest.raises(Conflict):
        totp.remove(user=developer, by=developer)


def test_nobody_but_an_operator_removes_somebody_elses(
    developer: User, own: AuthenticatorApp, member: User, organisation_admin: User, operator: User
) -> None:
    for by in (member, organisation_admin):
        with pytest.raises(NotAllowed):
            totp.remove(user=developer, by=by)
    assert queries.totp_device(developer) == own
    totp.remove(user=developer, by=operator)
    assert queries.totp_device(developer) is None
    assert "Omar Dsouza removed" in render(Notice.objects.get())[1]


def test_while_the_account_cools_off_the_app_stays_but_an_operator_can_remove_it(
    developer: User, own: AuthenticatorApp, operator: User
) -> None:
    """Whoever came by the number would confirm with it next."""
    credential_hold.start(user=developer, number="+919876543210", by=developer)
    with pytest.raises(RuleBroken) as refused:
        totp.remove(user=developer, by=developer)
    assert refused.value.code == "cooling_off"
    assert queries.totp_device(developer) == own
    totp.remove(user=developer, by=operator)
    assert queries.totp_device(developer) is None


@pytest.mark.django_db(transaction=True)
def test_without_an_audit_row_none_is_removed(
    developer: User, own: AuthenticatorApp, broken_trail: Callable[[], None]
) -> None:
    broken_trail()
    with pytest.raises(OSError, match="audit"):
        totp.remove(user=developer, by=developer)
    assert queries.totp_device(developer) == own
    assert not Notice.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_clicks_that_set_it_up_one_does(developer: User, together: Callable[..., list[Any]]) -> None:
    device = totp.begin(user=developer)
    code = code_of(device)

    def click() -> AuthenticatorApp:
        begun = totp.begin(user=developer)
        return totp.enrol(user=developer, device=begun, code=code, by=developer)

    results = together(4, click)
    assert sum(not isinstance(result, Exception) for result in results) == 1, results
    assert AuthenticatorApp.objects.count() == 1
    assert Notice.objects.count() == 1


def test_the_mails_are_sent_whatever_one_chose(developer: User, outbox: list[Any]) -> None:
    notifications.set_topics(user=developer, wanted=[])
    device = totp.begin(user=developer)
    totp.enrol(user=developer, device=device, code=code_of(device), by=developer)
    totp.remove(user=developer, by=developer)
    for notice in Notice.objects.order_by("created_at"):
        assert notifications.get_topic(notice.template) == ""
        assert notifications.deliver(notice_id=notice.pk)
    assert [mail.subject for mail in outbox] == [
        "An authenticator app was set up for your account",
        "Your authenticator app was removed",
    ]


def test_an_app_that_went_does_not_come_back_and_the_next_has_another_key(developer: User) -> None:
    first = totp.begin(user=developer)
    key = first.bin_key
    totp.enrol(user=developer, device=first, code=code_of(first), by=developer)
    totp.remove(user=developer, by=developer)
    second = totp.begin(user=developer)
    assert second.bin_key != key
    with pytest.raises(RuleBroken):
        totp.enrol(user=developer, device=second, code=code_of(first), by=developer)


def test_a_developer_who_becomes_an_operator_keeps_the_app_and_removes_it_no_more(
    developer: User, own: AuthenticatorApp
) -> None:
    User.objects.filter(pk=developer.pk).update(is_staff=True)
    developer.refresh_from_db()
    with pytest.raises(NotAllowed):
        totp.remove(user=developer, by=developer)
    totp.remove(user=developer, by=make_user("Olive Thomas", developer.organisation, is_staff=True))
    assert queries.totp_device(developer) is None
