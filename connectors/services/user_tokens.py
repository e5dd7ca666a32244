"""User tokens: a connector acts for one person, in the person's groups and with the person's role (wire protocol §4).

Made in the console, by PIN or by OAuth; always under the one grant of this connector for this person. Who signs in
again gets a new refresh token, and the one before it ends ("regenerate"). What such a token reaches: `groups.access`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, Actor, record
from accounts.models import Organisation, Person, User, VerifiedPhone
from accounts.policies import require_no_credential_hold, require_organisation_admin
from accounts.queries import name_people
from accounts.services import credential_hold, notifications, people, pins
from accounts.services.pins import Program
from connectors import policies
from connectors.models import (
    Connector,
    ConnectorState,
    Grant,
    Handoff,
    RefreshToken,
    UserTokenRequest,
    UserTokenRequestState,
)
from connectors.permissions import Permission, get_permissions, list_scopes, to_stored
from connectors.services import connectors, grants, refresh_tokens, token_exchange
from connectors.services.token_exchange import ConnectorActor
from kaizala_console.api.errors import WrongConnectorCredentials
from kaizala_console.lib import clock, ids, moments, phone_numbers, rate_limit
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken, TooSoon
from kaizala_console.lib.rate_limit import Limit

TRIES_A_MINUTE = 60  # from one address, of ids, secrets and PINs together


@dataclass(frozen=True, slots=True)
class UserToken:
    """A refresh token that a program has just been given for a person, and under which grant."""

    text: str = field(repr=False)
    row: RefreshToken
    grant: Grant
    scopes: tuple[str, ...]


def get_target(person: Person) -> str:
    """The opaque key by which grants name a person."""
    return f"person:{person.pk}"


def get_target_name(person: Person, connector: Connector) -> str:
    """What the connector's organisation calls the person whom a token acts for; a number is masked."""
    name_people(connector.organisation_id, [person])
    return str(person)


@transaction.atomic
def generate(
    *, connector: Connector, person: Person, by: User, as_shown: Collection[Permission] | None = None
) -> Handoff:
    """ "Generate user token": the account lets the connector act for it; the token is sealed for the developer.

    Where it would reach the organisation, a second admin is asked first (`ask`): NotAllowed.
    Raises NotFound for a number that the account does not hold, Conflict for a connector that asks for more than
    `as_shown`, what the person saw, and what `grants.grant` raises.
    """
    connector = Connector.objects.get_locked(connector.pk)
    if not policies.holds(by, person):
        raise NotFound
    if policies.needs_second_admin(by, connector):
        raise NotAllowed(_("A user token of an organisation admin needs a second admin."), code="second_admin")
    connectors.require_shown(connector, connector.permissions, as_shown)
    return grants.grant(
        connector=connector,
        kind=Grant.Kind.USER,
        target=get_target(person),
        target_name=get_target_name(person, connector),
        person=person,
        by=by,
    ).handoff


@sensitive_variables("secret")
def send_pin(*, connector_id: str, secret: str, number: str) -> None:
    """Send a PIN by which the holder of `number` can let the connector act. Known or not, a number gets the same.

    Programs of the old protocol send no secret here: they get few PINs (ADR 0072). Raises WrongConnectorCredentials
    for a wrong secret and when there is no such connector at work, RuleBroken for a number that cannot exist or takes
    no SMS, TooSoon, GatewayDown, and PermanentRedirect.
    """
    is_optional = bool(settings.PIN_WITHOUT_SECRET_PER_ADDRESS_PER_DAY)
    connector = _identify(connector_id, secret, is_optional=is_optional)
    if connector.suspended_at is not None:
        raise WrongConnectorCredentials
    token_exchange.require_here(connector, "v1/generatePin")
    e164 = _parse_number(number)
    program = _program(connector, with_secret=bool(secret))
    pins.send_login_pin(number=e164, program=program, by=ConnectorActor(connector))


@sensitive_variables("secret", "pin")
def exchange_pin(*, connector_id: str, secret: str, number: str, pin: str, address: str | None) -> UserToken:
    """Trade the PIN for a user token: the person of this number lets the connector act for them.

    Raises WrongConnectorCredentials (a missing secret too, unless the operator allows it), RuleBroken for a wrong PIN
    or number, NotAllowed when the person's account may not, TooSoon, and PermanentRedirect.
    """
    refusal = rate_limit.hit(Limit(f"pin-login:{address}", TRIES_A_MINUTE))
    if refusal is not None:
        raise TooSoon(_("Too many tries. Try again in a minute."), retry_after=refusal.retry_after)
    connector = _identify(connector_id, secret, is_optional=settings.PIN_LOGIN_WITHOUT_SECRET)
    token_exchange.require_here(connector, "v1/loginWithPinAndApplicationId")
    e164 = _parse_number(number)
    return pins.accept_login_pin(
        number=e164,
        program=_program(connector),
        pin=pin,
        by=ConnectorActor(connector),
        then=partial(_accept_pin, connector, e164, address),
    )


def _accept_pin(connector: Connector, number: str, address: str | None) -> UserToken:
    """Let the connector act for the holder of the number, in the PIN's transaction."""
    person = Person.objects.select_for_update(no_key=True).get(
        pk=people.person_for(number, organisation_id=connector.organisation_id).pk
    )
    people.provision(person=person)
    held = VerifiedPhone.objects.active().select_related("user").filter(person=person).first()
    if held is None:
        credential_hold.require_settled(person)
    return let_act(
        connector=connector,
        person=person,
        user=held.user if held is not None else None,
        scopes=None,
        by=ConnectorActor(connector),
        tag=EventType.USER_TOKEN_BY_PIN,
        address=address,
    )


@sensitive_variables("text")
@transaction.atomic
def let_act(
    *,
    connector: Connector,
    person: Person,
    user: User | None,
    scopes: Collection[str] | None,
    by: Actor,
    tag: EventType,
    address: str | None,
) -> UserToken:
    """Let the connector act for the person, and make the token that it is given at once; one before it ends.

    `user` is the account that holds the person's number, None when no account does. `scopes` are what the person was
    shown; None for all that the connector has now. What a second admin has confirmed does not grow.

    Raises NotAllowed for an account that is closed or of another organisation, and for access that was suspended;
    RuleBroken for a connector that takes no new grants.
    """
    # Locks go connector → grant → token, as everywhere.
    connector = Connector.objects.get_locked(connector.pk)
    if connector.deleted_at:
        raise WrongConnectorCredentials
    if user is not None and not policies.can_see(user, connector):
        raise NotAllowed(
            _("This account is deactivated, or belongs to another organisation."),
            code="not_of_organisation",
        )
    require_no_credential_hold(user)  # by PIN and by OAuth as well: who has just come by a number is let wait
    now = clock.now()
    shown = list_scopes(connector.permissions) if scopes is None else scopes
    grant = Grant.objects.present().filter(connector=connector, target=get_target(person)).first()
    if grant is None:
        grants.require_grantable(connector)
        grant = Grant.objects.create(
            connector=connector,
            kind=Grant.Kind.USER,
            target=get_target(person),
            target_name=get_target_name(person, connector),
            person=person,
            granted_by=user,
            granted_at=now,
            **_limits(connector.permissions & get_permissions(shown), shown),
        )
    else:
        grant = _renew(grants.lock(grant.pk), user, shown, now)
    row, text = refresh_tokens.create(grant=grant, at=now)
    record(
        tag,
        by=by,
        subject=grant,
        after={
            **grant.audit_facts,
            "permissions": to_stored(grant.permissions),
            "scope": grant.scope,
            "public_part": row.public_part,
            "address": address or "",
        },
    )
    return UserToken(text, row, grant, tuple(grant.held_scopes()))


def _limits(permissions: frozenset[Permission], shown: Collection[str]) -> dict[str, Any]:
    """The columns of a grant that say what it gives: the permissions, and the scopes when those are fewer."""
    whole = frozenset(shown).issuperset(list_scopes(permissions))
    return {"permissions": permissions, "scope": "" if whole else " ".join(shown)}


def _renew(grant: Grant, user: User | None, shown: Collection[str], now: dt.datetime) -> Grant:
    """The existing grant goes on, with what the person agreed to now; its tokens end."""
    connector = grant.connector
    if connector.state is ConnectorState.SUSPENDED:
        grants.require_grantable(connector)
    if grant.suspended_at is not None:
        raise NotAllowed(
            _("“%(connector)s” is suspended for you since %(when)s.")
            % {"connector": connector.name, "when": moments.utc(grant.suspended_at)},
            code="grant_suspended",
        )
    permissions = grant.permissions
    if grant.confirmed_by_id is None or grant.granted_by_id != (user.pk if user else None):
        grant.confirmed_by = None
        permissions = connector.permissions & get_permissions(shown)
    for column, value in _limits(permissions, shown).items():
        setattr(grant, column, value)
    grant.granted_by = user
    grant.target_name = get_target_name(grant.person, connector)
    if grant.ends_at is not None and grant.ends_at <= now:
        grant.ends_at = None
    grant.save(update_fields=["granted_by", "confirmed_by", "permissions", "scope", "target_name", "ends_at"])
    refresh_tokens.revoke_all([grant.pk], at=now)
    return grant


@sensitive_variables("secret")
def _identify(connector_id: str, secret: str, *, is_optional: bool) -> Connector:
    """The connector that id and secret prove; where the secret is optional and missing, one at work by its id alone.

    Raises WrongConnectorCredentials.
    """
    if secret or not is_optional:
        return token_exchange.authenticate_client(connector_id=connector_id, secret=secret, at=clock.now())
    key = ids.parse_guid(connector_id)
    connector = key and Connector.objects.present().select_related("organisation", "owner").filter(pk=key).first()
    if not connector or connector.suspended_at is not None:
        raise WrongConnectorCredentials
    return connector


def _parse_number(number: str) -> str:
    try:
        return phone_numbers.parse(number, must_be_valid=True)
    except RuleBroken as error:
        raise RuleBroken(error.message, code=error.code, field="mobileNumber") from None


def _program(connector: Connector, *, with_secret: bool = True) -> Program:
    return Program(str(connector.pk), connector.name, connector.organisation, with_secret)


# ----------------------------------------------------------------------------------------------------
# An organisation admin's user token reaches the whole organisation, so a second admin confirms it first.
#
# Asked for, confirmed, refused, withdrawn, expired: each once, and told to the other side (ADR 0030).


EXPIRED_AT_ONCE = 500


@transaction.atomic
def ask(
    *, connector: Connector, person: Person, by: User, as_shown: Collection[Permission] | None = None
) -> UserTokenRequest:
    """Ask the other admins of the organisation; asked again while it waits, it is the same request.

    Raises NotFound for a connector of another organisation and a number that is not the account's own, NotAllowed for
    who is no admin, RuleBroken when there is no second admin, or the connector takes no new grants, Conflict when it
    asks for more than `as_shown`, what the admin saw.
    """
    connector = Connector.objects.get_locked(connector.pk)
    if not policies.can_see(by, connector) or connector.deleted_at or not policies.holds(by, person):
        raise NotFound
    if not by.is_organisation_admin:
        raise NotAllowed
    require_no_credential_hold(by)
    now = clock.now()
    waiting = UserTokenRequest.objects.waiting().filter(connector=connector, person=person).first()
    if waiting is not None and waiting.asked_by_id == by.pk and waiting.expires_at > now:
        return waiting
    grants.require_grantable(connector)
    connectors.require_shown(connector, connector.permissions, as_shown)
    others = list(policies.list_other_admins(by))
    if not others:
        raise RuleBroken(
            _("Your organisation has no second admin to confirm it. Ask the operator to add one."),
            code="no_second_admin",
        )
    if waiting is not None:
        _mark_expired(waiting, now)
    made = UserTokenRequest.objects.create(
        connector=connector,
        person=person,
        asked_by=by,
        permissions=connector.permissions,
        asked_at=now,
        expires_at=now + dt.timedelta(days=settings.USER_TOKEN_REQUEST_DAYS),
    )
    _record_event(EventType.USER_TOKEN_ASKED, made, by)
    for admin in others:
        _notify(admin, made, "user_token_asked")
    return made


@transaction.atomic
def confirm(*, request: UserTokenRequest, by: User) -> Handoff:
    """The second admin agrees: the token is made and sealed for the connector's developer. Confirmed twice is once.

    Raises NotFound for who may not answer, the asker above all; Conflict when it was answered otherwise or expired;
    RuleBroken when the asker is no admin any more or cools off, or the connector takes no new grants.
    """
    request = _lock_answerable(request, by)
    require_no_credential_hold(by)
    if request.handoff is not None and request.answered_by_id == by.pk:
        return request.handoff
    _require_waiting(request)
    asker, connector = request.asked_by, request.connector
    if not (asker.is_active and asker.is_organisation_admin and policies.holds(asker, request.person)):
        raise RuleBroken(
            _("%(who)s is no longer an admin with this phone number.") % {"who": asker.name},
            code="asker_changed",
        )
    require_no_credential_hold(asker)  # whose number may have come to somebody else since the question
    permissions = connectors.check_permissions(request.permissions & connector.permissions)
    existing = Grant.objects.present().filter(connector=connector, target=get_target(request.person)).first()
    if existing is None:
        handoff = grants.grant(
            connector=connector,
            kind=Grant.Kind.USER,
            target=get_target(request.person),
            target_name=get_target_name(request.person, request.connector),
            person=request.person,
            permissions=permissions,
            by=asker,
            confirmed_by=by,
        ).handoff
    else:
        grants.require_grantable(connector)
        grant = grants.lock(existing.pk)
        grant.granted_by, grant.confirmed_by, grant.permissions, grant.scope = asker, by, permissions, ""
        grant.save(update_fields=["granted_by", "confirmed_by", "permissions", "scope"])
        handoff = grants.replace_token(grant=grant, by=asker)
    request.confirmed_at, request.answered_by, request.handoff = clock.now(), by, handoff
    request.save(update_fields=["confirmed_at", "answered_by", "handoff"])
    _record_event(EventType.USER_TOKEN_CONFIRMED, request, by)
    _notify(asker, request, "user_token_confirmed", answered_by=by.name, handoff_id=str(handoff.pk))
    return handoff


@transaction.atomic
def refuse(*, request: UserTokenRequest, by: User) -> UserTokenRequest:
    """The second admin does not agree; the asker is told. Raises NotFound and Conflict as `confirm`."""
    request = _lock_answerable(request, by)
    if request.refused_at is not None and request.answered_by_id == by.pk:
        return request
    _require_waiting(request)
    request.refused_at, request.answered_by = clock.now(), by
    request.save(update_fields=["refused_at", "answered_by"])
    _record_event(EventType.USER_TOKEN_REFUSED, request, by)
    _notify(request.asked_by, request, "user_token_refused", answered_by=by.name)
    return request


@transaction.atomic
def withdraw(*, request: UserTokenRequest, by: User) -> UserTokenRequest:
    """The asker does not want it any more. Raises NotFound for others, Conflict when it was answered or expired."""
    request = _lock_request(request)
    if request.asked_by_id != by.pk or not by.is_active:
        raise NotFound
    if request.withdrawn_at is not None:
        return request
    _require_waiting(request)
    request.withdrawn_at = clock.now()
    request.save(update_fields=["withdrawn_at"])
    _record_event(EventType.USER_TOKEN_WITHDRAWN, request, by)
    return request


def expire_overdue() -> int:
    """End what no second admin answered in time, and tell the asker; the number of them."""
    now = clock.now()
    overdue = UserTokenRequest.objects.overdue(now).order_by("expires_at")[:EXPIRED_AT_ONCE]
    return sum(_expire(request, now) for request in overdue)


@transaction.atomic
def _expire(request: UserTokenRequest, now: dt.datetime) -> bool:
    request = _lock_request(request)
    if not UserTokenRequest.objects.overdue(now).filter(pk=request.pk).exists():
        return False
    _mark_expired(request, now)
    return True


def _mark_expired(request: UserTokenRequest, now: dt.datetime) -> None:
    request.expired_at = now
    request.save(update_fields=["expired_at"])
    _record_event(EventType.USER_TOKEN_EXPIRED, request, SYSTEM)
    _notify(request.asked_by, request, "user_token_expired")


def _lock_request(request: UserTokenRequest) -> UserTokenRequest:
    """The request as it is now, with its connector, both held until the end of the transaction."""
    connector = Connector.objects.get_locked(request.connector.pk)
    rows = UserTokenRequest.objects.select_for_update(of=("self",), no_key=True)
    found = rows.select_related("person", "asked_by", "answered_by", "handoff").get(pk=request.pk)
    found.connector = connector
    return found


def _lock_answerable(request: UserTokenRequest, by: User) -> UserTokenRequest:
    request = _lock_request(request)
    if not policies.can_answer_user_token(by, request):
        raise NotFound
    return request


def _require_waiting(request: UserTokenRequest) -> None:
    if request.state is UserTokenRequestState.WAITING:
        return
    facts = {"who": request.answered_by.name if request.answered_by else "", "when": ""}
    answered_at = request.confirmed_at or request.refused_at or request.withdrawn_at or request.expires_at
    facts["when"] = moments.exact(answered_at)
    text = {
        UserTokenRequestState.CONFIRMED: _("%(who)s already confirmed this on %(when)s."),
        UserTokenRequestState.REFUSED: _("%(who)s already refused this on %(when)s."),
        UserTokenRequestState.WITHDRAWN: _("This was withdrawn on %(when)s."),
        UserTokenRequestState.EXPIRED: _("This expired on %(when)s. Request it again."),
    }[request.state]
    raise Conflict(text % facts, code="answered")


def _record_event(tag: EventType, request: UserTokenRequest, by: Actor) -> None:
    record(
        tag,
        by=by,
        subject=request,
        organisation=request.connector.organisation,
        connector_id=request.connector_id,
        person_id=request.person_id,
        after={
            "connector": request.connector.name,
            "target": get_target_name(request.person, request.connector),
            "permissions": to_stored(request.permissions),
        },
    )


def _notify(user: User, request: UserTokenRequest, template: str, **facts: str) -> None:
    notifications.queue(
        user=user,
        template=f"connectors/{template}",
        key=f"{template.replace('_', '-')}:{request.pk}:{user.pk}",
        context={
            "request_id": str(request.pk),
            **request.connector.mail_facts,
            "asked_by": request.asked_by.name,
            "expires_at": request.expires_at.isoformat(),
            **facts,
        },
    )


# ----------------------------------------------------------------------------------------------------
# Ending what acts for somebody, when their organisation takes them out of it.


def list_acting(*, person: Person, organisation: Organisation) -> QuerySet[Grant]:
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
        list_acting(person=person, organisation=organisation)
        .select_for_update(of=("self",), no_key=True)
        .select_related("connector__organisation", "person", "granted_by")
    )
    for grant in locked:
        grant.revoked_at = now
        grant.save(update_fields=["revoked_at"])
        ended = refresh_tokens.revoke_all([grant.pk], at=now)
        record(
            EventType.GRANT_REVOKED,
            by=by,
            subject=grant,
            before={**grant.audit_facts, "tokens_ended": ended},
        )
    refresh_tokens.withdraw_requests_for_more([grant.pk for grant in locked], at=now)
    return len(locked)
