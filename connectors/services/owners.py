"""Who owns a connector: co-owners come and go, and it is handed on to somebody else (portal.md, Connectors).

The owner decides, and whoever steps in for one whose account is switched off (`policy.can_name_owners`). Every act is
told to all whom it concerns: whoever owns a connector can make secrets for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import AuditEvent, User
from accounts.policies import require_no_credential_hold
from accounts.services import notifications, users
from connectors import policies
from connectors.models import Connector, Grant
from connectors.services import refresh_tokens, trail
from connectors.services.connectors import NAME_CONSTRAINT
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

MOST_CO_OWNERS: Final = 20


@transaction.atomic
def add(*, connector: Connector, email: str, by: User) -> User:
    """Make the colleague with this e-mail address a co-owner; return them. Who is one already stays one.

    Raises NotFound for who may not name owners, and RuleBroken (field `email`) for an address that no colleague has,
    the owner's own, one too many, or while `by` cools off.
    """
    connector = _locked(connector, by)
    require_no_credential_hold(by)
    user = _colleague(connector, email)
    if user.pk == connector.owner_id:
        raise RuleBroken(_("%(name)s is the owner already.") % {"name": user.name}, code="owner", field="email")
    co_owners = set(connector.co_owners.values_list("pk", flat=True))
    if user.pk in co_owners:
        return user
    if len(co_owners) >= MOST_CO_OWNERS:
        says = _("A connector has %(most)s co-owners at the most. Remove one first.") % {"most": MOST_CO_OWNERS}
        raise RuleBroken(says, code="too_many_co_owners", field="email")
    connector.co_owners.add(user)
    event = record(
        EventType.CO_OWNER_ADDED, by=by, subject=connector, **trail.of_connector(connector), after={"user": user.name}
    )
    _tell(connector, event, template="owner_added", by=by, about=user, told=refresh_tokens.owners_of(connector))
    return user


@transaction.atomic
def remove(*, connector: Connector, user: User, by: User) -> None:
    """Take a co-owner's rights away, from the next request on; a co-owner may do so with their own.

    What they made stays: secrets go on, and can be revoked. Raises NotFound for who may neither name owners nor is the
    one who leaves, and Conflict for who is no co-owner.
    """
    locked = Connector.objects.select_for_update(no_key=True).get(pk=connector.pk)
    leaves = by.pk == user.pk and policies.is_owner(by, locked)
    if not (leaves or policies.can_name_owners(by, locked)):
        raise NotFound
    if not locked.co_owners.filter(pk=user.pk).exists():
        raise Conflict(_("%(name)s is no co-owner of this connector.") % {"name": user.name}, code="no_co_owner")
    told = refresh_tokens.owners_of(locked)
    locked.co_owners.remove(user)
    event = record(
        EventType.CO_OWNER_REMOVED, by=by, subject=locked, **trail.of_connector(locked), before={"user": user.name}
    )
    _tell(locked, event, template="owner_removed", by=by, about=user, told=told)


@transaction.atomic
def transfer(*, connector: Connector, email: str, stay: bool, by: User) -> User:
    """Make the colleague with this e-mail address the owner; return them. With `stay`, who was it is a co-owner then.

    Tokens, secrets, grants and webhooks go on as they are. Raises NotFound for who may not name owners, and RuleBroken
    (field `email`) as `add` does, or when the new owner has a connector of this name.
    """
    connector = _locked(connector, by)
    require_no_credential_hold(by)
    before, user = connector.owner, _colleague(connector, email)
    if user.pk == before.pk:
        raise RuleBroken(_("%(name)s is the owner already.") % {"name": user.name}, code="owner", field="email")
    told = refresh_tokens.owners_of(connector)
    connector.owner = user
    try:
        with transaction.atomic():
            connector.save(update_fields=["owner"])
    except IntegrityError as error:
        if NAME_CONSTRAINT not in str(error):
            raise
        says = _("%(name)s has a connector named “%(connector)s” already. Change the name of one of them first.")
        raise RuleBroken(
            says % {"name": user.name, "connector": connector.name}, code="name_taken", field="email"
        ) from None
    connector.co_owners.remove(user)
    if stay and before.is_active:
        connector.co_owners.add(before)
    event = record(
        EventType.OWNER_CHANGED,
        by=by,
        subject=connector,
        **trail.of_connector(connector),
        before={"owner": before.name},
        after={"owner": user.name},
    )
    _tell(connector, event, template="owner_changed", by=by, about=user, told=[*told, user])
    return user


def _locked(connector: Connector, by: User) -> Connector:
    """The row as it is now, for who may name its owners. Acts on one connector take turns."""
    locked = (
        Connector.objects.select_for_update(no_key=True, of=("self",))
        .select_related("owner", "organisation")
        .get(pk=connector.pk)
    )
    if not policies.can_name_owners(by, locked):
        raise NotFound
    return locked


def _colleague(connector: Connector, email: str) -> User:
    found = User.objects.filter(organisation=connector.organisation_id, is_active=True, email__iexact=email.strip())
    users = list(found[:2]) if email.strip() else []
    if len(users) == 1:
        return users[0]
    if users:
        says = _("Several accounts have this e-mail address. Ask an operator to tell them apart.")
        raise RuleBroken(says, code="several_accounts", field="email")
    says = _("Nobody of your organisation has signed in here with this e-mail address. Ask them to sign in once.")
    raise RuleBroken(says, code="no_account", field="email")


def _tell(connector: Connector, event: AuditEvent, *, template: str, by: User, about: User, told: list[User]) -> None:
    """Whoever else's act it was: owners can make secrets, and have tokens handed over."""
    for user in {user.pk: user for user in (*told, about)}.values():
        notifications.queue(
            user=user,
            template=f"connectors/{template}",
            key=f"{template.replace('_', '-')}:{event.pk}:{user.pk}",
            context={
                "connector_id": str(connector.pk),
                "connector_name": connector.name,
                "about_name": about.name,
                "is_about_you": user.pk == about.pk,
                "changed_by": by.name,
                "changed_at": clock.now().isoformat(),
            },
        )


@dataclass(frozen=True, slots=True)
class Dependents:
    """What hangs on people, before they are deactivated."""

    connectors: int
    user_tokens: int
    group_grants: int


def count_dependents(people: list[User]) -> Dependents:
    """Count the connectors that they own, the user tokens that act for them, and the access that they gave groups."""
    given = Grant.objects.live(clock.now()).filter(granted_by__in=people)
    return Dependents(
        connectors=Connector.objects.present().filter(owner__in=people).count(),
        user_tokens=given.filter(kind=Grant.Kind.USER).count(),
        group_grants=given.filter(kind=Grant.Kind.GROUP).count(),
    )


@transaction.atomic
def deactivate(*, user: User, by: User, reason: str = "", new_owner_email: str = "") -> None:
    """Deactivate the account; with `new_owner_email`, hand its connectors to that colleague.

    Raises as `users.deactivate` and `owners.transfer`: all of it happens, or nothing.
    """
    users.deactivate(user=user, by=by, reason=reason)
    if new_owner_email:
        for connector in Connector.objects.present().filter(owner=user).order_by("pk"):
            transfer(connector=connector, email=new_owner_email, stay=False, by=by)
