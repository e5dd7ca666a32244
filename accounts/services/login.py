"""Signing in: from the claims of an id token to an account. Tenant and object id decide; nothing else identifies.

`tid` and `oid` of Microsoft Entra's id tokens never change and are never given to somebody else; name and e-mail do
and are ("ID token claims reference", learn.microsoft.com). An address is therefore shown and written to, never matched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import sandbox
from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, record
from accounts.models import Organisation, User
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotAllowed


@dataclass(frozen=True)
class Identity:
    """Who signs in, as the id token says it; made by `identity_of` alone."""

    tenant_id: str
    object_id: str
    name: str
    email: str
    domain: str

    @property
    def subject(self) -> str:
        """What identifies the account for ever."""
        return f"{self.tenant_id}:{self.object_id}"


def read_identity(claims: Mapping[str, Any]) -> Identity:
    """Reads the claims of a verified id token. NotAllowed without `tid` and `oid`, or from a tenant not let in here."""
    tenant_id, object_id = (ids.parse_guid(claims.get(claim)) for claim in ("tid", "oid"))
    if tenant_id is None or object_id is None:
        raise NotAllowed(
            _("Office365 did not say which organisation you belong to. Sign in with your work or school account."),
            code="no_identity",
        )
    if str(tenant_id) not in allowed_tenants():
        raise NotAllowed(
            _("Your organisation does not use this console. Sign in with another account, or ask the operator."),
            code="tenant_not_allowed",
        )
    email = _address(claims.get("email")) or _address(claims.get("preferred_username"))
    name = _text(claims.get("name")) or _text(claims.get("preferred_username")) or email or str(object_id)
    domain = (_address(claims.get("preferred_username")) or email).rpartition("@")[2]
    return Identity(str(tenant_id), str(object_id), name[:120], email, domain.lower())


def allowed_tenants() -> frozenset[str]:
    return frozenset(
        {sandbox.TENANT_ID} if settings.SANDBOX else {tenant.lower() for tenant in settings.OFFICE365_TENANTS}
    )


def sign_in(*, identity: Identity) -> User:
    """The account of an identity: made on the first sign-in, else with the name and address of today.

    The first sign-in of a tenant makes its organisation, too. Nobody becomes an admin or operator by signing in.
    NotAllowed (code `account_inactive`) for an account that was deactivated; the trail tells of the attempt.
    """
    with transaction.atomic():
        user = _account(identity)
        tag = EventType.SIGNED_IN if user.is_active else EventType.SIGN_IN_REFUSED
        record(tag, by=user, subject=user, organisation=user.organisation)
    if not user.is_active:
        raise NotAllowed(
            _("Your account is deactivated. If that’s a mistake, ask the operator of this console."),
            code="account_inactive",
        )
    return user


def _account(identity: Identity) -> User:
    user = (
        User.objects.select_for_update(of=("self",))
        .select_related("organisation")
        .filter(subject=identity.subject)
        .first()
    )
    if user is None:
        organisation = _organisation(identity)
        user, made = User.objects.get_or_create(
            subject=identity.subject,
            defaults={
                "organisation": organisation,
                "name": identity.name,
                "email": identity.email,
                "password": make_password(None),
            },
        )
        if made:
            record(EventType.USER_CREATED, by=user, subject=user, organisation=organisation)
            return user
    _refresh(user, identity)
    return user


def _refresh(user: User, identity: Identity) -> None:
    before = {"name": user.name, "email": user.email}
    # An id token without an address says nothing about it.
    after = {"name": identity.name, "email": identity.email or user.email}
    if before == after or not user.is_active:
        return
    user.name, user.email = after["name"], after["email"]
    user.save(update_fields=["name", "email"])
    record(EventType.USER_CHANGED, by=SYSTEM, subject=user, organisation=user.organisation, before=before, after=after)


def _organisation(identity: Identity) -> Organisation:
    organisation, made = Organisation.objects.get_or_create(
        entra_tenant_id=identity.tenant_id, defaults={"name": identity.domain or identity.tenant_id}
    )
    if made:
        record(EventType.ORGANISATION_ADDED, by=SYSTEM, subject=organisation, organisation=organisation)
    return organisation


def _text(claim: Any) -> str:
    return " ".join(claim.split()) if isinstance(claim, str) else ""


def _address(claim: Any) -> str:
    address = _text(claim)
    try:
        validate_email(address)
    except ValidationError:
        return ""
    return address if len(address) <= 254 else ""
