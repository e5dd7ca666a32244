"""The orphan watch: what has nobody left who looks after it is told once, to operators and organisation admins.

This app watches connectors and the numbers behind grants; the app above brings its own findings to `settle`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, record
from accounts.models import Organisation, User, VerifiedPhone
from accounts.services import notifications
from connectors.models import Connector, Grant, Orphan
from connectors.services import trail
from kaizala_console.lib import clock

NAMED_IN_A_MAIL: Final = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing without anybody: its key, what people call it, and whose history the finding belongs to."""

    subject_id: str
    name: str
    organisation: Organisation | None
    connector_id: UUID | None = None
    group_id: UUID | None = None


def watch() -> int:
    """Look for connectors whose owners are gone, and for grants in the name of a number that changed hands."""
    return settle(Orphan.Kind.CONNECTOR, _ownerless()) + settle(Orphan.Kind.PHONE, _taken_over())


@transaction.atomic
def settle(kind: Orphan.Kind, findings: Iterable[Finding]) -> int:
    """Write down the findings that are new and tell of them, close those that no longer hold; the number of new ones.

    `findings` are all there are of this kind now.
    """
    now = clock.now()
    found = {finding.subject_id: finding for finding in findings}
    known = set(
        Orphan.objects.select_for_update()
        .filter(kind=kind, settled_at__isnull=True)
        .order_by("pk")
        .values_list("subject_id", flat=True)
    )
    gone = known - found.keys()
    if gone:
        Orphan.objects.filter(kind=kind, settled_at__isnull=True, subject_id__in=gone).update(settled_at=now)
    new: list[Orphan] = []
    for subject_id in found.keys() - known:
        finding = found[subject_id]
        orphan, is_new = Orphan.objects.get_or_create(
            kind=kind,
            subject_id=subject_id,
            settled_at=None,
            defaults={"name": finding.name[:300], "organisation": finding.organisation, "found_at": now},
        )
        if is_new:  # else another worker was faster, and tells
            new.append(orphan)
            record(
                EventType.ORPHAN_FOUND,
                by=SYSTEM,
                subject=orphan,
                organisation=finding.organisation,
                connector_id=finding.connector_id,
                group_id=finding.group_id,
                after={"name": finding.name, "kind": str(kind)},
            )
    _tell(kind, new)
    return len(new)


def _tell(kind: Orphan.Kind, orphans: list[Orphan]) -> None:
    """One mail for each recipient, whatever the number: a developer who leaves may leave many."""
    mails: dict[User, list[Orphan]] = defaultdict(list)
    for orphan in sorted(orphans, key=lambda orphan: orphan.name.casefold()):
        for user in who_is_told(orphan.organisation_id):
            mails[user].append(orphan)
    for user, found in mails.items():
        notifications.queue(
            user=user,
            template=f"connectors/orphan_{kind}",
            key=f"orphan:{min(orphan.pk for orphan in found)}:{user.pk}",
            context={
                "count": len(found),
                "names": [orphan.name for orphan in found[:NAMED_IN_A_MAIL]],
                "more": max(0, len(found) - NAMED_IN_A_MAIL),
            },
        )


def who_is_told(organisation_id: UUID | None) -> list[User]:
    """The operators, and the admins of the organisation if there is one."""
    who = Q(is_staff=True)
    if organisation_id is not None:
        who |= Q(is_organisation_admin=True, organisation=organisation_id)
    return list(User.objects.filter(who, is_active=True).order_by("pk"))


def _ownerless() -> Iterable[Finding]:
    co_owners = Connector.co_owners.through.objects.filter(connector_id=OuterRef("pk"), user__is_active=True)
    gone = Connector.objects.present().filter(~Exists(co_owners), owner__is_active=False).select_related("organisation")
    for connector in gone.iterator():
        yield Finding(str(connector.pk), connector.name, connector.organisation, connector.pk)


def _taken_over() -> Iterable[Finding]:
    """Grants whose person is a number that an account holds now which did not let the connector in."""
    holder = VerifiedPhone.objects.held().filter(person_id=OuterRef("person_id"))
    changed_hands = (
        Grant.objects.live(clock.now())
        .filter(
            Exists(holder.exclude(user_id=OuterRef("granted_by_id"))),
            Q(granted_by__isnull=False),
            connector__deleted_at__isnull=True,
        )
        .select_related("connector__organisation")
    )
    for grant in changed_hands.iterator():
        whereabouts = trail.of_grant(grant)
        yield Finding(
            str(grant.pk),
            f"{grant.connector.name} → {grant.target_name}",
            grant.connector.organisation,
            grant.connector_id,
            whereabouts["group_id"],
        )
