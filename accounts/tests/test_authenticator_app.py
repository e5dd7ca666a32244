"""The key of an authenticator app cannot be read from the database alone."""

from __future__ import annotations

import base64
from typing import Any

import django_otp
from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import AuthenticatorApp, User
from accounts.services import totp
from accounts.tests.authenticator import code_of
from kaizala_console.lib import crypto


def test_what_is_stored_is_not_the_key_and_leads_to_none_without_the_pepper(operator: User) -> None:
    device = totp.begin(user=operator)
    stored = TOTPDevice.objects.values_list("key", flat=True).get()
    key = base64.b32decode(totp.format_secret(device).replace(" ", ""))
    assert len(key) == 20
    assert key.hex() not in stored
    assert stored.split("$")[1] not in key.hex()
    assert AuthenticatorApp.objects.get().bin_key == key


def test_two_apps_have_two_keys(operator: User, developer: User) -> None:
    one, other = (AuthenticatorApp.objects.create(user=user) for user in (operator, developer))
    assert one.bin_key != other.bin_key


def test_a_new_pepper_leaves_an_app_as_it_is(operator: User, settings: Any) -> None:
    device = totp.begin(user=operator)
    before = device.bin_key
    settings.CREDENTIAL_PEPPERS = [("newer", bytes(32)), *settings.CREDENTIAL_PEPPERS]
    assert crypto.current_key_id() == "newer"
    assert AuthenticatorApp.objects.get().bin_key == before


def test_an_app_that_was_set_up_with_its_key_in_the_column_goes_on(operator: User) -> None:
    TOTPDevice.objects.create(user=operator, key="00" * 20, confirmed=True)
    device = AuthenticatorApp.objects.get()
    assert device.bin_key == bytes(20)
    with transaction.atomic():
        assert django_otp.verify_token(operator, device.persistent_id, code_of(device)) == device
