"""What the database itself refuses, whoever writes; and what a row says of its state."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.models import User
from connectors import token_format
from connectors.models import Connector, ConnectorSecret, Grant, Handoff, OneTimeSecret, RefreshToken
from connectors.models.connector import PermissionSetField
from connectors.permissions import Permission
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.token_format import CredentialKind
from kaizala_console.lib import clock

pytestmark = pytest.mark.postgresql
HOUR = dt.timedelta(hours=1)


def refused(constraint: str, write: Any) -> None:
    """The write fails, on account of this very constraint (SQLite names columns instead for plain unique ones)."""
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        write()
    said = str(caught.value)
    assert constraint in said or "UNIQUE constraint failed: connectors_" in said


def columns_of(kind: CredentialKind) -> dict[str, str]:
    made = token_format.generate(kind)
    return {"public_part": made.public_part, "pepper_id": made.pepper_id, "digest": made.digest}


def a_secret(connector: Connector, **fields: Any) -> ConnectorSecret:
    columns = {**columns_of(CredentialKind.SECRET), **fields}
    return ConnectorSecret.objects.create(connector=connector, created_by=connector.owner, **columns)


def a_token(grant: Grant, **fields: Any) -> RefreshToken:
    columns = {"expires_at": clock.now() + dt.timedelta(days=365), **columns_of(CredentialKind.REFRESH), **fields}
    return RefreshToken.objects.create(grant=grant, connector_id=grant.connector_id, **columns)


@pytest.mark.parametrize(
    ("constraint", "model", "columns"),
    [
        ("connector_has_a_name", Connector, {"name": ""}),
        ("grant_ends_after_it_began", Grant, {"ends_at": F("granted_at")}),
        ("refresh_token_ends_after_it_began", RefreshToken, {"expires_at": F("issued_at")}),
        ("handoff_expires_after_it_was_made", Handoff, {"expires_at": F("made_at")}),
        ("ended_handoff_holds_no_ciphertext", Handoff, {"refused_at": Now()}),
        ("ended_handoff_holds_no_ciphertext", Handoff, {"expired_at": Now()}),
        ("ended_handoff_holds_no_ciphertext", Handoff, {"withdrawn_at": Now()}),
        ("ended_handoff_holds_no_ciphertext", Handoff, {"claimed_at": Now(), "claimed_by": F("made_by")}),
        ("claimed_handoff_names_who", Handoff, {"claimed_at": Now(), "sealed": None}),
        ("claimed_handoff_names_who", Handoff, {"claimed_by": F("made_by")}),
        ("revealed_handoff_names_who", Handoff, {"revealed_at": Now()}),
        ("handoff_ended_once", Handoff, {"refused_at": Now(), "expired_at": Now(), "sealed": None}),
        ("handoff_ended_once", Handoff, {"withdrawn_at": Now(), "expired_at": Now(), "sealed": None}),
    ],
)
def test_no_row_says_what_cannot_be(program: Program, constraint: str, model: Any, columns: dict[str, Any]) -> None:
    refused(constraint, lambda: model.objects.update(**columns))


def test_an_owner_has_no_two_connectors_of_one_name(connector: Connector, developer: User) -> None:
    refused("connector_name_once_an_owner", lambda: factories.make_connector(developer, connector.name.upper()))


def test_another_owner_may_use_the_name_and_so_may_the_owner_once_it_is_deleted(
    connector: Connector, developer: User, stranger: User
) -> None:
    factories.make_connector(stranger, connector.name)
    Connector.objects.filter(pk=connector.pk).update(deleted_at=clock.now())
    factories.make_connector(developer, connector.name)


def test_a_connector_has_two_slots_and_each_holds_one_secret_until_it_is_revoked(connector: Connector) -> None:
    first = a_secret(connector)
    refused("one_secret_a_slot", lambda: a_secret(connector))
    ConnectorSecret.objects.filter(pk=first.pk).update(revoked_at=clock.now())
    a_secret(connector)
    a_secret(connector, slot=2)
    for slot in (0, 3):
        refused("connector_has_two_secret_slots", partial(a_secret, connector, slot=slot))


def test_a_public_part_is_used_once(connector: Connector, program: Program) -> None:
    secret = ConnectorSecret.objects.get()
    token = RefreshToken.objects.get()
    refused("public_part", lambda: a_secret(connector, slot=2, public_part=secret.public_part))
    refused("public_part", lambda: a_token(program.grant, predecessor=token, public_part=token.public_part))


def test_a_connector_has_one_grant_for_a_target_until_it_is_revoked(program: Program, group_admin: User) -> None:
    def again() -> Grant:
        return Grant.objects.create(
            connector=program.connector,
            kind=Grant.Kind.GROUP,
            target=program.grant.target,
            target_name="Night shift",
            person=factories.person_of(group_admin),
            granted_by=group_admin,
        )

    refused("one_grant_a_connector_and_target", again)
    Grant.objects.filter(pk=program.grant.pk).update(revoked_at=clock.now())
    again()


def test_a_grant_has_one_first_refresh_token(program: Program) -> None:
    refused("one_first_refresh_token_a_grant", lambda: a_token(program.grant))
    RefreshToken.objects.update(revoked_at=clock.now())
    a_token(program.grant)


def test_a_refresh_token_has_one_successor(program: Program) -> None:
    token = RefreshToken.objects.get()
    a_token(program.grant, predecessor=token)
    refused("predecessor", lambda: a_token(program.grant, predecessor=token))


def test_a_grant_has_one_waiting_handoff(program: Program) -> None:
    def another() -> Handoff:
        return Handoff.objects.create(
            connector=program.connector,
            grant=program.grant,
            refresh_token=program.handoff.refresh_token,
            made_by=program.handoff.made_by,
            sealed=b"sealed",
            sealed_to="server",
            expires_at=clock.now() + HOUR,
        )

    refused("one_waiting_handoff_a_grant", another)
    Handoff.objects.update(withdrawn_at=clock.now(), sealed=None)
    another()


def test_a_form_shows_one_secret(developer: User) -> None:
    def shown() -> OneTimeSecret:
        return OneTimeSecret.objects.create(
            user=developer, form_tag="t", subject_kind="x", subject_id="1", sealed=b"s", expires_at=clock.now() + HOUR
        )

    shown()
    refused("one_secret_a_form", shown)


def test_permissions_are_stored_readably_and_in_the_portals_order(connector: Connector) -> None:
    connector.permissions = {"textmessage", Permission.GROUP_INFORMATION}
    connector.save()
    assert Connector.objects.filter(permissions="groupinfo,textmessage").exists()
    connector.refresh_from_db()
    assert connector.permissions == {Permission.GROUP_INFORMATION, Permission.TEXT_MESSAGE}


def test_a_permission_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValidationError):
        PermissionSetField().get_prep_value(["everything"])


def test_no_row_says_anything_of_what_it_keeps(program: Program) -> None:
    rows = [*ConnectorSecret.objects.all(), *RefreshToken.objects.all(), *Handoff.objects.all()]
    assert len(rows) == 3
    for row in rows:
        assert str(row) == f"{type(row).__name__} {row.pk}"
        assert repr(row) == f"<{type(row).__name__}: {row}>"


@pytest.mark.parametrize(
    ("model", "columns", "live"),
    [
        (ConnectorSecret, {}, True),
        (ConnectorSecret, {"expires_at": HOUR}, True),
        (ConnectorSecret, {"expires_at": -HOUR}, False),
        (ConnectorSecret, {"revoked_at": -HOUR}, False),
        (RefreshToken, {}, True),
        (RefreshToken, {"expires_at": -HOUR}, False),
        (RefreshToken, {"revoked_at": -HOUR}, False),
        (Grant, {}, True),
        (Grant, {"ends_at": HOUR}, True),
        (Grant, {"ends_at": -HOUR}, False),
        (Grant, {"suspended_at": -HOUR}, False),
        (Grant, {"revoked_at": -HOUR}, False),
    ],
)
def test_a_row_and_the_database_agree_on_what_is_live(
    program: Program, model: Any, columns: dict[str, dt.timedelta], live: bool
) -> None:
    now = clock.now()
    began = "granted_at" if model is Grant else "issued_at" if model is RefreshToken else "created_at"
    model.objects.update(**{began: now - 2 * HOUR, **{column: now + delta for column, delta in columns.items()}})
    assert model.objects.get().is_live(now) is live
    assert model.objects.live(now).exists() is live
