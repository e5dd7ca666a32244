"""An organisation admin's user token reaches the whole organisation, so a second admin confirms it first.

Asked for, confirmed, refused, withdrawn, expired: each once, and told to the other side (ADR 0030).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit.record import SYSTEM, Actor, record
from accounts.audit.tags import Tag
from accounts.models import Person, User
from accounts.policies import require_no_credential_hold
from accounts.services import notifications
from connectors import policies
from connectors.models import Connector, Grant, Handoff, UserTokenRequest, UserTokenRequestState
from connectors.permissions import Permission
from connectors.services import details, grants, user_tokens, words
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken

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
    connector = _locked(connector)
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
    details.require_shown(connector, as_shown)
    others = list(policies.other_admins(by))
    if not others:
        raise RuleBroken(
            _("Your organisation has no second admin who could confirm it. Ask the operator to name one."),
            code="no_second_admin",
        )
    if waiting is not None:
        _expired(waiting, now)
    made = UserTokenRequest.objects.create(
        connector=connector,
        person=person,
        asked_by=by,
        permissions=connector.permissions,
        asked_at=now,
        expires_at=now + dt.timedelta(days=settings.USER_TOKEN_REQUEST_DAYS),
    )
    _tell_trail(Tag.USER_TOKEN_ASKED, made, by)
    for admin in others:
        _notify(admin, made, "user_token_asked")
    return made


@transaction.atomic
def confirm(*, request: UserTokenRequest, by: User) -> Handoff:
    """The second admin agrees: the token is made and sealed for the connector's developer. Confirmed twice is once.

    Raises NotFound for who may not answer, the asker above all; Conflict when it was answered otherwise or expired;
    RuleBroken when the asker is no admin any more or cools off, or the connector takes no new grants.
    """
    request = _answerable(request, by)
    require_no_credential_hold(by)
    if request.handoff is not None and request.answered_by_id == by.pk:
        return request.handoff
    _require_waiting(request)
    asker, connector = request.asked_by, request.connector
    if not (asker.is_active and asker.is_organisation_admin and policies.holds(asker, request.person)):
        raise RuleBroken(
            _("%(who)s is no admin with this phone number any more, so there is nothing left to confirm.")
            % {"who": asker.name},
            code="asker_changed",
        )
    require_no_credential_hold(asker)  # whose number may have come to somebody else since the question
    permissions = details.checked_permissions(request.permissions & connector.permissions)
    existing = Grant.objects.present().filter(connector=connector, target=user_tokens.target_of(request.person)).first()
    if existing is None:
        handoff = grants.grant(
            connector=connector,
            kind=Grant.Kind.USER,
            target=user_tokens.target_of(request.person),
            target_name=user_tokens.name_of(request.person),
            person=request.person,
            permissions=permissions,
            by=asker,
            confirmed_by=by,
        ).handoff
    else:
        grants.require_grantable(connector)
        grant = grants.lock(existing.pk)
        grant.granted_by, grant.confirmed_by, grant.permissions = asker, by, permissions
        grant.save(update_fields=["granted_by", "confirmed_by", "permissions"])
        handoff = grants.replace_token(grant=grant, by=asker)
    request.confirmed_at, request.answered_by, request.handoff = clock.now(), by, handoff
    request.save(update_fields=["confirmed_at", "answered_by", "handoff"])
    _tell_trail(Tag.USER_TOKEN_CONFIRMED, request, by)
    _notify(asker, request, "user_token_confirmed", answered_by=by.name, handoff_id=str(handoff.pk))
    return handoff


@transaction.atomic
def refuse(*, request: UserTokenRequest, by: User) -> UserTokenRequest:
    """The second admin does not agree; the asker is told. Raises NotFound and Conflict as `confirm`."""
    request = _answerable(request, by)
    if request.refused_at is not None and request.answered_by_id == by.pk:
        return request
    _require_waiting(request)
    request.refused_at, request.answered_by = clock.now(), by
    request.save(update_fields=["refused_at", "answered_by"])
    _tell_trail(Tag.USER_TOKEN_REFUSED, request, by)
    _notify(request.asked_by, request, "user_token_refused", answered_by=by.name)
    return request


@transaction.atomic
def withdraw(*, request: UserTokenRequest, by: User) -> UserTokenRequest:
    """The asker does not want it any more. Raises NotFound for others, Conflict when it was answered or expired."""
    request = _read(request)
    if request.asked_by_id != by.pk or not by.is_active:
        raise NotFound
    if request.withdrawn_at is not None:
        return request
    _require_waiting(request)
    request.withdrawn_at = clock.now()
    request.save(update_fields=["withdrawn_at"])
    _tell_trail(Tag.USER_TOKEN_WITHDRAWN, request, by)
    return request


def expire_overdue() -> int:
    """End what no second admin answered in time, and tell the asker; the number of them."""
    now = clock.now()
    overdue = UserTokenRequest.objects.overdue(now).order_by("expires_at")[:EXPIRED_AT_ONCE]
    return sum(_expire(request, now) for request in overdue)


@transaction.atomic
def _expire(request: UserTokenRequest, now: dt.datetime) -> bool:
    request = _read(request)
    if not UserTokenRequest.objects.overdue(now).filter(pk=request.pk).exists():
        return False
    _expired(request, now)
    return True


def _expired(request: UserTokenRequest, now: dt.datetime) -> None:
    request.expired_at = now
    request.save(update_fields=["expired_at"])
    _tell_trail(Tag.USER_TOKEN_EXPIRED, request, SYSTEM)
    _notify(request.asked_by, request, "user_token_expired")


def _locked(connector: Connector) -> Connector:
    """Locks go connector → request → grant → token → handoff."""
    return Connector.objects.select_for_update(no_key=True).get(pk=connector.pk)


def _read(request: UserTokenRequest) -> UserTokenRequest:
    """The request as it is now, with its connector, both held until the end of the transaction."""
    connector = _locked(request.connector)
    rows = UserTokenRequest.objects.select_for_update(of=("self",), no_key=True)
    found = rows.select_related("person", "asked_by", "answered_by", "handoff").get(pk=request.pk)
    found.connector = connector
    return found


def _answerable(request: UserTokenRequest, by: User) -> UserTokenRequest:
    request = _read(request)
    if not policies.can_answer_user_token(by, request):
        raise NotFound
    return request


def _require_waiting(request: UserTokenRequest) -> None:
    if request.state is UserTokenRequestState.WAITING:
        return
    facts = {"who": request.answered_by.name if request.answered_by else "", "when": ""}
    answered_at = request.confirmed_at or request.refused_at or request.withdrawn_at or request.expires_at
    facts["when"] = words.moment(answered_at)
    text = {
        UserTokenRequestState.CONFIRMED: _("%(who)s confirmed this on %(when)s already."),
        UserTokenRequestState.REFUSED: _("%(who)s refused this on %(when)s already."),
        UserTokenRequestState.WITHDRAWN: _("This was withdrawn on %(when)s."),
        UserTokenRequestState.EXPIRED: _("This expired on %(when)s. It has to be asked for anew."),
    }[request.state]
    raise Conflict(text % facts, code="answered")


def _tell_trail(tag: Tag, request: UserTokenRequest, by: Actor) -> None:
    record(
        tag,
        by=by,
        subject=request,
        organisation=request.connector.organisation,
        connector_id=request.connector_id,
        person_id=request.person_id,
        after={
            "connector": request.connector.name,
            "target": user_tokens.name_of(request.person),
            "permissions": words.names(request.permissions),
        },
    )


def _notify(user: User, request: UserTokenRequest, template: str, **facts: str) -> None:
    notifications.queue(
        user=user,
        template=f"connectors/{template}",
        key=f"{template.replace('_', '-')}:{request.pk}:{user.pk}",
        context={
            "request_id": str(request.pk),
            "connector_name": request.connector.name,
            "connector_id": str(request.connector_id),
            "asked_by": request.asked_by.name,
            "expires_at_text": words.utc(request.expires_at),
            **facts,
        },
    )
