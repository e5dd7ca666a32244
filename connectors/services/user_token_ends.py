"""Ending what acts for somebody, when their organisation takes them out of it."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from accounts.audit.record import record
from accounts.audit.tags import Tag
from accounts.models import Organisation, Person, User
from accounts.policies import require_organisation_admin
from connectors.models import Grant
from connectors.services import ending, trail
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotAllowed


def acting_for(*, person: Person, organisation: Organisation) -> QuerySet[Grant]:
    """The user tokens' grants in force of the organisation's own connectors for this person, the oldest first."""
    present = Grant.objects.present().filter(kind=Grant.Kind.USER, person=person, connector__organisation=organisation)
    return present.order_by("pk")


@transaction.atomic
def end_all(*, person: Person, organisation: Organisation, by: User) -> int:
    """Ends them for good, each with its audit row; how many. For admins of the organisation, NotAllowed for others.

    Connectors of other organisations are not theirs to end: what these reach is what the person is in elsewhere.
    """
    require_organisation_admin(by)
    if by.organisation_id != organisation.pk:
        raise NotAllowed
    now = clock.now()
    locked = list(
        acting_for(person=person, organisation=organisation)
        .select_for_update(of=("self",), no_key=True)
        .select_related("connector__organisation", "person", "granted_by")
    )
    for grant in locked:
        grant.revoked_at = now
        grant.save(update_fields=["revoked_at"])
        ended = ending.end_tokens([grant.pk], at=now)
        record(
            Tag.GRANT_REVOKED,
            by=by,
            subject=grant,
            **trail.of_grant(grant),
            before={"connector": grant.connector.name, "target": grant.target_name, "tokens_ended": ended},
        )
    ending.end_requests_for_more([grant.pk for grant in locked], at=now)
    return len(locked)
