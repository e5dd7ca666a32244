"""The command that gives the first operator their right."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEvent, User


def test_the_first_operator_is_made_by_address(stranger: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("make_operator", stranger.email.upper())
    stranger.refresh_from_db()
    assert stranger.is_staff
    assert "authenticator app" in capsys.readouterr().out
    event = AuditEvent.objects.get()
    assert (event.actor_kind, event.after["is_staff"]) == ("system", True)


def test_an_unknown_account_is_told_to_sign_in_first(organisation: object) -> None:
    with pytest.raises(CommandError, match="sign in to the console once"):
        call_command("make_operator", "nobody@contoso.example")


def test_two_accounts_with_one_address_are_told_apart_by_subject(stranger: User, member: User) -> None:
    User.objects.update(email="shared@contoso.example")
    with pytest.raises(CommandError, match=stranger.subject):
        call_command("make_operator", "shared@contoso.example")
    assert not User.objects.filter(is_staff=True).exists()
    call_command("make_operator", member.subject)
    assert User.objects.get(is_staff=True) == member


def test_twice_is_told(operator: User) -> None:
    with pytest.raises(CommandError, match="operator already"):
        call_command("make_operator", operator.subject)
