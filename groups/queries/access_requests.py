"""What developers ask of the groups that a person runs."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

from django.db.models import DateTimeField, Func, Q, QuerySet, TextField, UUIDField
from django.db.models.functions import Coalesce

from accounts.models import User
from connectors.models import AccessRequest, Grant
from connectors.queries.access_requests import with_people
from groups import access
from groups.access import TARGET
from groups.models import Group, Membership
from kaizala_console.lib import clock, ids
from kaizala_console.lib.prepared import Prepared

NAMED = ("kind", "target", "target_name", "expires_at", "connector__name", "made_by__name")
MOST = 200  # of one inbox; what expires first stands in front


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request that the person may answer, and the group that it is for; None for a token that acts for a person."""

    request: AccessRequest
    group: Group | None


def list_open_requests(
    user: User, *, everywhere: bool = False, named: bool = False, most: int = MOST
) -> list[OpenRequest]:
    """The requests that wait for this person, the one that expires first in front.

    Those for the groups that they run by a phone number of theirs, and for the tokens that act for them; with
    `everywhere` an organisation admin also gets those of all the organisation's groups. With `named` a request has no
    more than its kind and the names in it, which costs a fraction.
    """
    # Named: of keys that it does not know, PostgreSQL expects so many that it reads everybody's.
    first = _list_keys(user, "expires_at", "pk").order_by("expires_at", "pk")[:most]
    mine = Q(pk__in=[pk for _at, pk in first])
    if everywhere and user.is_organisation_admin:
        mine |= Q(target__startswith=TARGET, connector__organisation_id=user.organisation_id)
    asked = _open(user).filter(mine).order_by("expires_at", "id")
    if named:
        asked = asked.select_related(None).select_related("connector", "made_by").only(*NAMED)
    found = list(asked[:most])
    if not found:
        return []
    keys = {request.pk: _group_key(request) for request in found}
    groups = access.list_administered_groups(user).in_bulk([key for key in keys.values() if key is not None])
    rows = []
    for request in found:
        key = keys[request.pk]
        group = groups.get(key) if key is not None else None
        if group is not None or key is None:
            rows.append(OpenRequest(request, group))
    return rows


def list_group_requests(group: Group, user: User) -> list[AccessRequest]:
    """What waits for the admins of one group, of whom `user` is one: the first `MOST`."""
    return _OF_GROUP.all(target=f"{TARGET}{group.pk}", organisation=user.organisation_id, now=clock.now())


def _select_of_group(target: Any, organisation: Any, now: Any) -> QuerySet[AccessRequest]:
    asker: Any = SimpleNamespace(organisation_id=organisation)
    return with_people(_reaching(asker, at=now)).filter(target=target).order_by("expires_at", "id")[:MOST]


_OF_GROUP: Final = Prepared(_select_of_group, target=TextField(), organisation=UUIDField(), now=DateTimeField())


def list_choosable_groups(
    user: User, request: AccessRequest, *, search: str = "", most: int = 50
) -> tuple[list[Group], bool]:
    """The groups that the person may let the connector into, by name; and whether there are more than `most`."""
    has_it = (
        Grant.objects.present()
        .filter(connector_id=request.connector_id, kind=Grant.Kind.GROUP)
        .values("group_grant__group_id")
    )
    groups = access.list_administered_groups(user).exclude(pk__in=has_it)
    if search.strip():
        groups = groups.filter(name__icontains=search.replace("\0", "").strip())
    found = list(groups.order_by("name", "id")[: most + 1])
    return found[:most], len(found) > most


def get_group(user: User, request: AccessRequest) -> Group | None:
    """The group that the request names, when the person may see it."""
    key = _group_key(request)
    return access.list_visible_groups(user).filter(pk=key).first() if key else None


def list_requests_to_answer(user: User, *, at: Any = None) -> QuerySet[AccessRequest]:
    """The same requests as a query, to be counted: those that wait now, or at `at`."""
    return AccessRequest.objects.filter(pk__in=_list_keys(user, "pk", at=at, group__removed_at__isnull=True))


def _list_keys(user: User, *columns: str, at: Any = None, **groups: Any) -> QuerySet[AccessRequest, Any]:
    """Of those for the groups that they run, and for the tokens that act for them: each by its own index, where "or"
    would read everybody's."""
    waiting = _reaching(user, at=at).order_by()
    run = Membership.objects.admins().filter(person_id__in=access.list_held_people(user), **groups).order_by()
    keys = waiting.filter(target__in=run.annotate(key=_TargetOf("group_id")).values("key")).values_list(*columns)
    if user.is_organisation_admin:  # who is one decides with a second admin (connectors.policies)
        return keys
    # Compared and sorted by what no index has: else SQLite goes by that of all that wait, and not by that of these few.
    of_token = AccessRequest.objects.waiting().annotate(until=Coalesce("expires_at", "expires_at")).order_by()
    of_token = of_token.filter(
        until__gt=at or clock.now(),
        grant__isnull=False,
        grant__kind=Grant.Kind.USER,
        grant__granted_by=user.pk,
        connector__deleted_at__isnull=True,
    )
    return keys.union(of_token.values_list(*("until" if name == "expires_at" else name for name in columns)))


class _TargetOf(Func):
    """What a grant names as its target, for the key of a group: with hyphens, which SQLite keeps a key without."""

    output_field = TextField()
    template = f"('{TARGET}' || (%(expressions)s)::text)"

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, tuple[str | int, ...]]:
        """In pieces."""
        pieces = " || '-' || ".join(f"substr(%(expressions)s, {begin}, {length})" for begin, length in _PIECES)
        sql, params = super().as_sql(compiler, connection, template=f"('{TARGET}' || {pieces})", **extra)
        return sql, tuple(params) * len(_PIECES)


_PIECES: Final = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


def _open(user: User) -> QuerySet[AccessRequest]:
    return with_people(_reaching(user))


def _reaching(user: User, *, at: Any = None) -> QuerySet[AccessRequest]:
    """Naming a group of another organisation reaches nobody there."""
    reaches = Q(grant__isnull=False) | Q(connector__organisation_id=user.organisation_id)
    return AccessRequest.objects.open(at or clock.now()).filter(reaches, connector__deleted_at__isnull=True)


def _group_key(request: AccessRequest) -> UUID | None:
    return ids.parse_guid(request.target.removeprefix(TARGET)) if request.target.startswith(TARGET) else None
