"""Makes the groups that tests are about, and the programs that were let into them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.test import Client

from accounts import queries
from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM
from accounts.models import Organisation, Person, User, VerifiedPhone
from connectors.models import AccessRequest, Connector, Grant
from connectors.permissions import Permission
from connectors.services import access_requests, connectors, refresh_tokens, token_exchange, user_tokens
from connectors.services import grants as connector_grants
from connectors.services.grants import Granted
from connectors.tests import factories
from groups import access
from groups.access import get_target
from groups.models import Group, GroupGrant, GroupLink, Membership, Subscription
from groups.services import connectors as grants
from kaizala_console.lib import clock, ids

Who = User | Person
Body = str | bytes | Mapping[str, Any]


@dataclass(frozen=True)
class Program:
    """A program at work: what it was given, and the access token that it has fetched."""

    connector: Connector
    grant: Grant
    access_token: str

    def get(self, path: str) -> Any:
        return self._call("GET", path)

    def post(self, path: str, body: Body = "", content_type: str = "application/json") -> Any:
        return self._call("POST", path, body, content_type)

    def put(self, path: str, body: Body = "") -> Any:
        return self._call("PUT", path, body)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path)

    def _call(self, method: str, path: str, body: Body = "", content_type: str = "application/json") -> Any:
        """Calls the Platform Service with the access token; a body that is no text is sent as JSON."""
        sent = body if isinstance(body, str | bytes) else json.dumps(body)
        headers = {"accessToken": self.access_token}
        return Client().generic(method, path, sent, content_type=content_type, headers=headers)

    def with_token(self, access_token: str) -> Program:
        """The same program with another access token."""
        return replace(self, access_token=access_token)


def person_of(who: Who) -> Person:
    """The person, or the person of the account's primary phone."""
    if isinstance(who, Person):
        return who
    person = queries.primary_person(who)
    assert person is not None
    return person


def make_group(
    name: str = "Night Shift",
    *,
    organisation: Organisation | None = None,
    admins: Iterable[Who] = (),
    members: Iterable[Who] = (),
    under: Group | None = None,
    **fields: Any,
) -> Group:
    """A group with these people, straight into the tables; `under` makes it a sub-group."""
    group = Group.objects.create(name=name, organisation=organisation, **fields)
    for role, people in ((Membership.Role.ADMIN, admins), (Membership.Role.MEMBER, members)):
        for who in people:
            Membership.objects.create(group=group, person=person_of(who), role=role)
    if under is not None:
        GroupLink.objects.create(parent=under, child=group)
    return group


def make_public_group(name: str = "Notices", *, subscribers: Iterable[Who] = (), **more: Any) -> Group:
    """A managed public group that these people follow. `more` is as for `make_group`."""
    group = make_group(name, group_type=Group.Type.CONNECT, **more)
    Subscription.objects.bulk_create(Subscription(group=group, person=person_of(who)) for who in subscribers)
    return group


def let_in(connector: Connector, group: Group, by: User, **options: Any) -> Program:
    """The group's admin adds the connector, its program trades the refresh token: a group token at work."""
    return _at_work(connector, grants.add_connector(group=group, connector_id=connector.pk, by=by, **options))


def make_program(connector: Connector, group: Group, by: User) -> Program:
    """A program at work in the group as after `let_in`, straight into the tables: without handoff, notice and audit."""
    now = clock.now()
    grant = Grant.objects.create(
        connector=connector,
        kind=Grant.Kind.GROUP,
        target=access.get_target(group),
        target_name=group.name,
        person=person_of(by),
        granted_by=by,
        permissions=connector.permissions,
        granted_at=now,
    )
    GroupGrant.objects.create(grant=grant, group=group)
    token, _text = refresh_tokens.create(grant=grant, at=now)
    token.first_used_at = token.last_used_at = now
    token.save(update_fields=["first_used_at", "last_used_at"])
    return Program(connector, grant, token_exchange.mint(token, address=None, at=now).access_token)


def let_act_for(connector: Connector, user: User, **options: Any) -> Program:
    """A user token at work; one that a second admin confirmed has "Tenant Data"."""
    person = person_of(user)
    if options.get("confirmed_by"):
        connector.permissions = frozenset(connector.permissions) | {Permission.TENANT_DATA}
        connector.save(update_fields=["permissions"])
    return _at_work(
        connector,
        connector_grants.grant(
            connector=connector,
            kind=Grant.Kind.USER,
            target=f"person:{person.pk}",
            target_name=person.name,
            person=person,
            by=user,
            **options,
        ),
    )


def let_act_by_pin(connector: Connector, person: Person) -> Program:
    """A user token that a program got for the PIN of its user, at work."""
    holder = VerifiedPhone.objects.active().select_related("user").filter(person=person).first()
    made = user_tokens.let_act(
        connector=connector,
        person=person,
        user=holder.user if holder is not None else None,
        scopes=None,
        by=SYSTEM,
        tag=EventType.USER_TOKEN_BY_PIN,
        address="127.0.0.1",
    )
    return _trading(connector, made.grant, made.text)


def ask_for_access(connector: Connector, group: Group) -> AccessRequest:
    """The connector's owner asks for access to this group."""
    return access_requests.ask(
        connector=connector,
        by=connector.owner,
        permissions=connector.permissions,
        once=access_requests.new_once(),
        target=get_target(group),
    )


def make_connector(owner: User, **fields: Any) -> Connector:
    """A connector of somebody; `permissions` are the commonest three unless given."""
    return factories.make_connector(owner, **fields)


def suspend(connector: Connector) -> None:
    """By its owner."""
    connectors.suspend(connector=connector, by=connector.owner)


def _at_work(connector: Connector, granted: Granted) -> Program:
    return _trading(connector, granted.grant, refresh_tokens.unseal(granted.handoff))


def _trading(connector: Connector, grant: Grant, refresh_token: str) -> Program:
    slot = 1 if not connector.secrets.filter(slot=1, revoked_at__isnull=True).exists() else 2
    secret_row, secret = factories.make_secret(connector, slot)
    exchanged = token_exchange.exchange(
        connector_id=str(connector.pk),
        secret=secret,
        refresh_token=refresh_token,
        address="127.0.0.1",
    )
    secret_row.delete()
    return Program(connector, grant, exchanged.access_token)


def unknown_id() -> str:
    """The id of a group that does not exist."""
    return str(ids.new_id())
