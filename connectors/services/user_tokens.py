"""User tokens: a connector acts for one person, in the person's groups and with the person's role (wire protocol §4).

Made in the console, by PIN or by OAuth; always under the one grant of this connector for this person. Who signs in
again gets a new refresh token, and the one before it ends ("regenerate"). What such a token reaches: `groups.access`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import partial

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.record import Actor, record
from accounts.audit.tags import Tag
from accounts.models import Person, User, VerifiedPhone
from accounts.policies import require_no_credential_hold
from accounts.services import credential_hold, login_pins, people
from accounts.services.pins import Program
from connectors import permissions as scopes
from connectors import policies
from connectors.models import Connector, ConnectorState, Grant, Handoff, RefreshToken
from connectors.permissions import Permission
from connectors.redirects import PermanentRedirect
from connectors.services import details, ending, grants, issuing, tokens, trail, words
from connectors.services.tokens import ConnectorActor
from kaizala_console.api.errors import WrongConnectorCredentials
from kaizala_console.lib import clock, ids, phone_numbers, rate_limit
from kaizala_console.lib.errors import NotAllowed, NotFound, RuleBroken, TooSoon
from kaizala_console.lib.rate_limit import Limit

TRIES_A_MINUTE = 60  # from one address, of ids, secrets and PINs together


@dataclass(frozen=True, slots=True)
class UserToken:
    """A refresh token that a program has just been given for a person, and under which grant."""

    text: str = field(repr=False)
    row: RefreshToken
    grant: Grant
    scopes: tuple[str, ...]


def target_of(person: Person) -> str:
    """The opaque key by which grants name a person."""
    return f"person:{person.pk}"


def name_of(person: Person) -> str:
    """What people call the person whom a token acts for; a number is masked."""
    return str(person)


@transaction.atomic
def generate(
    *, connector: Connector, person: Person, by: User, as_shown: Collection[Permission] | None = None
) -> Handoff:
    """ "Generate user token": the account lets the connector act for it; the token is sealed for the developer.

    Where it would reach the organisation, a second admin is asked first (`services.user_token_requests`): NotAllowed.
    Raises NotFound for a number that the account does not hold, Conflict for a connector that asks for more than
    `as_shown`, what the person saw, and what `grants.grant` raises.
    """
    connector = Connector.objects.select_for_update(no_key=True).get(pk=connector.pk)
    if not policies.holds(by, person):
        raise NotFound
    if policies.needs_second_admin(by, connector):
        raise NotAllowed(_("An organisation admin’s user token needs a second admin."), code="second_admin")
    details.require_shown(connector, as_shown)
    return grants.grant(
        connector=connector,
        kind=Grant.Kind.USER,
        target=target_of(person),
        target_name=name_of(person),
        person=person,
        by=by,
    ).handoff


@sensitive_variables("secret")
def send_pin(*, connector_id: str, secret: str, number: str) -> None:
    """Send a PIN by which the holder of `number` can let the connector act. Known or not, a number gets the same.

    Programs of the old protocol send no secret here: they get few PINs (ADR 0073). Raises WrongConnectorCredentials
    for a wrong secret and when there is no such connector at work, RuleBroken for a number that cannot exist or takes
    no SMS, TooSoon, GatewayDown, and PermanentRedirect.
    """
    if not secret and settings.PIN_WITHOUT_SECRET_PER_ADDRESS_PER_DAY:
        connector = _named(connector_id)
    else:
        connector = tokens.authenticate_client(connector_id=connector_id, secret=secret, at=clock.now())
        if connector.suspended_at is not None:
            raise WrongConnectorCredentials
    _require_here(connector, "v1/generatePin")
    e164 = _checked(number)
    program = _program(connector, with_secret=bool(secret))
    login_pins.send(number=e164, program=program, by=ConnectorActor(connector))


@sensitive_variables("secret", "pin")
def log_in(*, connector_id: str, secret: str, number: str, pin: str, address: str | None) -> UserToken:
    """Trade the PIN for a user token: the person of this number lets the connector act for them.

    Raises WrongConnectorCredentials (a missing secret too, unless the operator allows it), RuleBroken for a wrong PIN
    or number, NotAllowed when the person's account may not, TooSoon, and PermanentRedirect.
    """
    refusal = rate_limit.hit(Limit(f"pin-login:{address}", TRIES_A_MINUTE))
    if refusal is not None:
        raise TooSoon(_("Too many tries. Wait a minute, then try again."), retry_after=refusal.retry_after)
    if not secret and settings.PIN_LOGIN_WITHOUT_SECRET:
        connector = _named(connector_id)
    else:
        connector = tokens.authenticate_client(connector_id=connector_id, secret=secret, at=clock.now())
    _require_here(connector, "v1/loginWithPinAndApplicationId")
    e164 = _checked(number)
    return login_pins.accept(
        number=e164,
        program=_program(connector),
        pin=pin,
        by=ConnectorActor(connector),
        then=partial(_logged_in, connector, e164, address),
    )


def _logged_in(connector: Connector, number: str, address: str | None) -> UserToken:
    """Runs in the PIN's transaction. Whoever entered it holds the number; the account that does so too acts here."""
    person = Person.objects.select_for_update(no_key=True).get(pk=people.person_for(number).pk)
    people.provision(person=person)
    held = VerifiedPhone.objects.held().select_related("user").filter(person=person).first()
    if held is None:
        credential_hold.require_settled(person)
    return let_act(
        connector=connector,
        person=person,
        user=held.user if held is not None else None,
        permissions=None,
        by=ConnectorActor(connector),
        tag=Tag.USER_TOKEN_BY_PIN,
        address=address,
    )


@sensitive_variables("text")
@transaction.atomic
def let_act(
    *,
    connector: Connector,
    person: Person,
    user: User | None,
    permissions: Iterable[Permission] | None,
    by: Actor,
    tag: Tag,
    address: str | None,
) -> UserToken:
    """Let the connector act for the person, and make the token that it is given at once; one before it ends.

    `user` is the account that holds the person's number, None when no account does. `permissions` are what the person
    was shown; None for what the connector asks for now. What a second admin has confirmed does not grow.

    Raises NotAllowed for an account that is closed or of another organisation, and for access that was suspended;
    RuleBroken for a connector that takes no new grants.
    """
    # Locks go connector → grant → token, as everywhere.
    connector = Connector.objects.select_for_update(no_key=True).get(pk=connector.pk)
    if connector.deleted_at:
        raise WrongConnectorCredentials
    if user is not None and not policies.can_see(user, connector):
        raise NotAllowed(
            _("This account cannot let the connector act: it is closed, or belongs to another organisation."),
            code="not_of_organisation",
        )
    require_no_credential_hold(user)  # by PIN and by OAuth as well: who has just come by a number is let wait
    now = clock.now()
    shown = connector.permissions if permissions is None else frozenset(permissions) & connector.permissions
    grant = Grant.objects.present().filter(connector=connector, target=target_of(person)).first()
    if grant is None:
        grants.require_grantable(connector)
        grant = Grant.objects.create(
            connector=connector,
            kind=Grant.Kind.USER,
            target=target_of(person),
            target_name=name_of(person),
            person=person,
            granted_by=user,
            permissions=shown,
            granted_at=now,
        )
    else:
        grant = _renewed(grants.lock(grant.pk), user, shown, now)
    row, text = issuing.make(grant=grant, at=now)
    record(
        tag,
        by=by,
        subject=grant,
        **trail.of_grant(grant),
        after={
            "connector": connector.name,
            "target": grant.target_name,
            "permissions": words.names(grant.permissions),
            "public_part": row.public_part,
            "address": address or "",
        },
    )
    return UserToken(text, row, grant, tuple(scopes.scopes_of(grant.permissions & connector.permissions)))


def _renewed(grant: Grant, user: User | None, shown: frozenset[Permission], now: dt.datetime) -> Grant:
    """The grant that stands goes on, with what the person agreed to now; its tokens end."""
    connector = grant.connector
    if connector.state is ConnectorState.SUSPENDED:
        grants.require_grantable(connector)
    if grant.suspended_at is not None:
        raise NotAllowed(
            _("What “%(connector)s” may do for you is suspended since %(when)s.")
            % {"connector": connector.name, "when": words.utc(grant.suspended_at)},
            code="grant_suspended",
        )
    if grant.confirmed_by_id is None or grant.granted_by_id != (user.pk if user else None):
        grant.confirmed_by = None
        grant.permissions = shown
    grant.granted_by = user
    grant.target_name = name_of(grant.person)
    if grant.ends_at is not None and grant.ends_at <= now:
        grant.ends_at = None
    grant.save(update_fields=["granted_by", "confirmed_by", "permissions", "target_name", "ends_at"])
    ending.end_tokens([grant.pk], at=now)
    return grant


def _named(connector_id: str) -> Connector:
    """A connector at work, by its id alone. Raises WrongConnectorCredentials."""
    key = ids.parse_guid(connector_id)
    connector = key and Connector.objects.present().select_related("organisation", "owner").filter(pk=key).first()
    if not connector or connector.suspended_at is not None:
        raise WrongConnectorCredentials
    return connector


def _require_here(connector: Connector, path: str) -> None:
    if connector.organisation.moved_to:
        raise PermanentRedirect(connector.organisation.moved_to, path)


def _checked(number: str) -> str:
    try:
        return phone_numbers.parse(number, must_be_valid=True)
    except RuleBroken as error:
        raise RuleBroken(error.message, code=error.code, field="mobileNumber") from None


def _program(connector: Connector, *, with_secret: bool = True) -> Program:
    return Program(str(connector.pk), connector.name, connector.organisation, with_secret)
