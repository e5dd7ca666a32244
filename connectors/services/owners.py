"""Who owns a connector: co-owners are added and removed, and ownership is transferred (portal.md, Connectors).

`policies.can_name_owners` says who decides. Everyone concerned is notified, since owners can make secrets. Connectors
that lose their owners are reported to operators and organisation admins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, record
from accounts.models import AuditEvent, Organisation, User, VerifiedPhone
from accounts.policies import require_no_credential_hold
from accounts.services import notifications, users
from connectors import policies
from connectors.models import Connector, Grant, Orphan
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

MOST_CO_OWNERS: Final = 20


@transaction.atomic
def add(*, connector: Connector, email: str, by: User) -> User:
    """Make the colleague with this e-mail address a co-owner; return them. Who is one already stays one.

    Raises NotFound for who may not name owners, and RuleBroken (field `email`) for an address that no colleague has,
    the owner's own, one too many, or while `by` cools off.
    """
    connector = _get_locked(connector, by)
    require_no_credential_hold(by)
    user = _get_colleague(connector, email)
    if user.pk == connector.owner_id:
        raise RuleBroken(_("%(name)s is already the owner.") % {"name": user.name}, code="owner", field="email")
    co_owners = set(connector.co_owners.values_list("pk", flat=True))
    if user.pk in co_owners:
        return user
    if len(co_owners) >= MOST_CO_OWNERS:
        says = _("A connector can have at most %(most)s co-owners. Remove one first.") % {"most": MOST_CO_OWNERS}
        raise RuleBroken(says, code="too_many_co_owners", field="email")
    connector.co_owners.add(user)
    event = record(EventType.CO_OWNER_ADDED, by=by, subject=connector, after={"user": user.name})
    _notify(connector, event, template="owner_added", by=by, about=user, told=connector.list_active_owners())
    return user


@transaction.atomic
def remove(*, connector: Connector, user: User, by: User) -> None:
    """Take a co-owner's rights away, from the next request on; a co-owner may do so with their own.

    What they made stays: secrets go on, and can be revoked. Raises NotFound for who may neither name owners nor is the
    one who leaves, and Conflict for who is no co-owner.
    """
    locked = Connector.objects.get_locked(connector.pk)
    leaves = by.pk == user.pk and policies.is_owner(by, locked)
    if not (leaves or policies.can_name_owners(by, locked)):
        raise NotFound
    if not locked.co_owners.filter(pk=user.pk).exists():
        raise Conflict(_("%(name)s is not a co-owner of this connector.") % {"name": user.name}, code="no_co_owner")
    told = locked.list_active_owners()
    locked.co_owners.remove(user)
    event = record(EventType.CO_OWNER_REMOVED, by=by, subject=locked, before={"user": user.name})
    _notify(locked, event, template="owner_removed", by=by, about=user, told=told)


@transaction.atomic
def transfer(*, connector: Connector, email: str, stay: bool, by: User) -> User:
    """Make the colleague with this e-mail address the owner; return them. With `stay`, who was it is a co-owner then.

    Tokens, secrets, grants and webhooks go on as they are. Raises NotFound for who may not name owners, and RuleBroken
    (field `email`) as `add` does, or when the new owner has a connector of this name.
    """
    connector = _get_locked(connector, by)
    require_no_credential_hold(by)
    before, user = connector.owner, _get_colleague(connector, email)
    if user.pk == before.pk:
        raise RuleBroken(_("%(name)s is already the owner.") % {"name": user.name}, code="owner", field="email")
    told = connector.list_active_owners()
    connector.owner = user
    try:
        with transaction.atomic():
            connector.save(update_fields=["owner"])
    except IntegrityError as error:
        if Connector.NAME_CONSTRAINT not in str(error):
            raise
        says = _("%(name)s already has a connector named “%(connector)s”. Rename one first.")
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
        before={"owner": before.name},
        after={"owner": user.name},
    )
    _notify(connector, event, template="owner_changed", by=by, about=user, told=[*told, user])
    return user


def _get_locked(connector: Connector, by: User) -> Connector:
    """The row as it is now, for who may name its owners. Acts on one connector take turns."""
    locked = Connector.objects.select_related("owner", "organisation").get_locked(connector.pk)
    if not policies.can_name_owners(by, locked):
        raise NotFound
    return locked


def _get_colleague(connector: Connector, email: str) -> User:
    found = User.objects.filter(organisation=connector.organisation_id, is_active=True, email__iexact=email.strip())
    users = list(found[:2]) if email.strip() else []
    if len(users) == 1:
        return users[0]
    if users:
        says = _("Several accounts have this e-mail address. Ask an operator.")
        raise RuleBroken(says, code="several_accounts", field="email")
    says = _("No one in your organisation has signed in with this e-mail address. Ask them to sign in once.")
    raise RuleBroken(says, code="no_account", field="email")


def _notify(connector: Connector, event: AuditEvent, *, template: str, by: User, about: User, told: list[User]) -> None:
    """Notify them all, since owners can make secrets and claim tokens."""
    for user in dict.fromkeys([*told, about]):
        notifications.queue(
            user=user,
            template=f"connectors/{template}",
            key=f"{template.replace('_', '-')}:{event.pk}:{user.pk}",
            context={
                **connector.mail_facts,
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
def deactivate_person(*, user: User, by: User, reason: str = "", new_owner_email: str = "") -> None:
    """Deactivate the account; with `new_owner_email`, hand its connectors to that colleague.

    Raises as `users.deactivate` and `owners.transfer`: all of it happens, or nothing.
    """
    users.deactivate(user=user, by=by, reason=reason)
    if new_owner_email:
        for connector in Connector.objects.present().filter(owner=user).order_by("pk"):
            transfer(connector=connector, email=new_owner_email, stay=False, by=by)


NAMED_IN_A_MAIL: Final = 50


@dataclass(frozen=True, slots=True)
class OrphanFinding:
    """One thing without anybody: its key, what people call it, and whose history the finding belongs to."""

    subject_id: str
    name: str
    organisation: Organisation | None
    connector_id: UUID | None = None
    group_id: UUID | None = None


def find_orphans() -> int:
    """Look for connectors whose owners are gone, and for grants in the name of a number that changed hands."""
    return record_orphans(Orphan.Kind.CONNECTOR, _find_ownerless()) + record_orphans(
        Orphan.Kind.PHONE, _find_taken_over()
    )


@transaction.atomic
def record_orphans(kind: Orphan.Kind, findings: Iterable[OrphanFinding]) -> int:
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
    _notify_of_orphans(kind, new)
    return len(new)


def _notify_of_orphans(kind: Orphan.Kind, orphans: list[Orphan]) -> None:
    """One mail for each recipient, whatever the number: a developer who leaves may leave many."""
    mails: dict[User, list[Orphan]] = defaultdict(list)
    for orphan in sorted(orphans, key=lambda orphan: orphan.name.casefold()):
        for user in list_watchers(orphan.organisation_id):
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


def list_watchers(organisation_id: UUID | None) -> list[User]:
    """The operators, and the admins of the organisation if there is one."""
    who = Q(is_staff=True)
    if organisation_id is not None:
        who |= Q(is_organisation_admin=True, organisation=organisation_id)
    return list(User.objects.filter(who, is_active=True).order_by("pk"))


def _find_ownerless() -> Iterable[OrphanFinding]:
    co_owners = Connector.co_owners.through.objects.filter(connector_id=OuterRef("pk"), user__is_active=True)
    gone = Connector.objects.present().filter(~Exists(co_owners), owner__is_active=False).select_related("organisation")
    for connector in gone.iterator():
        yield OrphanFinding(str(connector.pk), connector.name, connector.organisation, connector.pk)


def _find_taken_over() -> Iterable[OrphanFinding]:
    """Grants whose person is a number that an account holds now which did not let the connector in."""
    holder = VerifiedPhone.objects.active().filter(person_id=OuterRef("person_id"))
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
        whereabouts = grant.audit_scope
        yield OrphanFinding(
            str(grant.pk),
            f"{grant.connector.name} → {grant.target_name}",
            grant.connector.organisation,
            grant.connector_id,
            whereabouts["group_id"],
        )


def notify_of_operator(
    *, event: AuditEvent, connector: Connector, by: User, act: str, reason: str = "", grant: Grant | None = None
) -> None:
    """Tell the connector's owners, and of a `grant` those who administer it. Nothing when one of them did it.

    `act` is one that the template has words for: suspended, resumed, secret_revoked, access_suspended, access_resumed,
    access_removed. For services that have written the audit row.
    """
    if policies.is_owner(by, connector) or (grant is not None and policies.can_administer(by, grant)):
        return
    told = [*connector.list_active_owners(), *(policies.list_administrators(grant) if grant is not None else [])]
    notifications.queue_each(
        told,
        template="connectors/operator_acted",
        key=f"operator-acted:{event.pk}",
        context={
            **connector.mail_facts,
            "act": act,
            "target": grant.target_name if grant is not None else "",
            "reason": reason,
            "by_name": by.name,
            "at": event.at.isoformat(),
        },
    )
