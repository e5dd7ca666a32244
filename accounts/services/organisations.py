"""What an organisation's admins decide for everyone in it."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import policies
from accounts.audit.events import EventType
from accounts.audit.record import Actor, record
from accounts.models import Organisation, User
from kaizala_console.lib.errors import NotFound, RuleBroken


@transaction.atomic
def change(*, organisation: Organisation, by: User, admins_may_see_tokens: bool) -> Organisation:
    """Sets the organisation's policies. NotAllowed unless `by` is its admin; NotFound for another organisation."""
    if by.organisation_id != organisation.pk:
        raise NotFound
    policies.require_organisation_admin(by)
    locked = Organisation.objects.select_for_update().get(pk=organisation.pk)
    before = {"admins_may_see_tokens": locked.admins_may_see_tokens}
    after = {"admins_may_see_tokens": admins_may_see_tokens}
    if before == after:
        return locked
    locked.admins_may_see_tokens = admins_may_see_tokens
    locked.save(update_fields=["admins_may_see_tokens"])
    record(EventType.ORGANISATION_CHANGED, by=by, subject=locked, organisation=locked, before=before, after=after)
    return locked


@transaction.atomic
def rename_or_move(*, organisation: Organisation, name: str, moved_to: str, by: Actor) -> Organisation:
    """Gives an organisation another name, or the address to which its programs are sent (wire protocol §1).

    NotAllowed unless `by` is an operator or the console itself. RuleBroken for an empty name, or for an address that
    is not https: tokens travel in every request.
    """
    policies.require_operator(by)
    after = {"name": " ".join(name.split()), "moved_to": moved_to.strip().rstrip("/")}
    if not 0 < len(after["name"]) <= 120:
        raise RuleBroken(_("A name has 1 to 120 characters."), code="name", field="name")
    if after["moved_to"] and not after["moved_to"].startswith("https://"):
        raise RuleBroken(_("The new address must begin with https://."), code="moved_to", field="moved_to")
    locked = Organisation.objects.select_for_update().get(pk=organisation.pk)
    before = {"name": locked.name, "moved_to": locked.moved_to}
    if before == after:
        return locked
    locked.name, locked.moved_to = after["name"], after["moved_to"]
    locked.save(update_fields=["name", "moved_to"])
    record(EventType.ORGANISATION_CHANGED, by=by, subject=locked, organisation=locked, before=before, after=after)
    return locked
