"""What an organisation's admins decide for everyone in it."""

from __future__ import annotations

from django.db import transaction

from accounts import policy
from accounts.audit.record import record
from accounts.audit.tags import Tag
from accounts.models import Organisation, User
from kaizala_console.lib.errors import NotFound


@transaction.atomic
def change(*, organisation: Organisation, by: User, admins_may_see_tokens: bool) -> Organisation:
    """Sets the organisation's policies. NotAllowed unless `by` is its admin; NotFound for another organisation."""
    if by.organisation_id != organisation.pk:
        raise NotFound
    policy.require_organisation_admin(by)
    locked = Organisation.objects.select_for_update().get(pk=organisation.pk)
    before = {"admins_may_see_tokens": locked.admins_may_see_tokens}
    after = {"admins_may_see_tokens": admins_may_see_tokens}
    if before == after:
        return locked
    locked.admins_may_see_tokens = admins_may_see_tokens
    locked.save(update_fields=["admins_may_see_tokens"])
    record(Tag.ORGANISATION_CHANGED, by=by, subject=locked, organisation=locked, before=before, after=after)
    return locked
