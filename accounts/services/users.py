"""Accounts: what their holders choose for themselves; and roles and sign-in, as operators manage them."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.http import HttpResponseBase
from django.utils.translation import gettext as _

from accounts import policies
from accounts.audit.events import EventType
from accounts.audit.record import Actor, record
from accounts.models import User
from accounts.services import sessions
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotAllowed, RuleBroken


def set_time_zone(*, user: User, name: str) -> None:
    """Stores the zone (IANA) of a user's mails. It concerns the user alone: no audit row."""
    if user.time_zone != name:
        User.objects.filter(pk=user.pk).update(time_zone=name)
        user.time_zone = name


@transaction.atomic
def set_roles(
    *, user: User, by: Actor, is_organisation_admin: bool | None = None, is_staff: bool | None = None
) -> User:
    """Makes somebody an organisation admin or an operator, or no longer one; None leaves a role as it is.

    NotAllowed unless `by` is an operator or the console itself; and nobody stops being an operator by their own hand,
    so that one is always left. Conflict when the roles are like that already.
    """
    policies.require_operator(by)
    locked = User.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=user.pk)
    if is_staff is False and by == locked:
        raise NotAllowed(_("Only another operator can take this role from you."))
    before = {"is_organisation_admin": locked.is_organisation_admin, "is_staff": locked.is_staff}
    wanted = {"is_organisation_admin": is_organisation_admin, "is_staff": is_staff}
    after = before | {role: value for role, value in wanted.items() if value is not None}
    if before == after:
        raise Conflict(_("The roles are already set."), code="nothing_changed")
    locked.is_organisation_admin, locked.is_staff = after["is_organisation_admin"], after["is_staff"]
    locked.save(update_fields=["is_organisation_admin", "is_staff"])
    record(
        EventType.USER_ROLES_CHANGED,
        by=by,
        subject=locked,
        organisation=locked.organisation,
        before=before,
        after=after,
    )
    return locked


@transaction.atomic
def deactivate(*, user: User, by: Actor, reason: str = "") -> User:
    """Blocks sign-in and ends all sessions. User tokens are refused until the account is active again; the access that
    they gave to groups goes on.

    NotAllowed unless `by` is another operator or the console itself; Conflict when it is so already.
    """
    policies.require_operator(by)
    if by == user:
        raise NotAllowed(_("Only another operator can deactivate your account."))
    deactivated = _set_active(user, active=False, by=by, reason=reason)
    sessions.end_all(user=deactivated)
    return deactivated


@transaction.atomic
def activate(*, user: User, by: Actor) -> User:
    """Lets somebody sign in again. NotAllowed and Conflict as for `deactivate`."""
    policies.require_operator(by)
    return _set_active(user, active=True, by=by)


def _set_active(user: User, *, active: bool, by: Actor, reason: str = "") -> User:
    locked = User.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=user.pk)
    if locked.is_active is active:
        raise Conflict(_("The account is already in this state."), code="nothing_changed")
    locked.is_active = active
    locked.save(update_fields=["is_active"])
    tag = EventType.USER_ACTIVATED if active else EventType.USER_DEACTIVATED
    after = {"reason": reason} if reason else None
    record(tag, by=by, subject=locked, organisation=locked.organisation, after=after)
    return locked


def dismiss_onboarding(*, user: User) -> None:
    """Hide the onboarding steps on every device. It concerns the user alone: no audit row. Idempotent."""
    User.objects.filter(pk=user.pk, first_steps_put_away_at=None).update(first_steps_put_away_at=clock.now())
    user.refresh_from_db(fields=["first_steps_put_away_at"])


def restore_onboarding(*, user: User) -> None:
    User.objects.filter(pk=user.pk).update(first_steps_put_away_at=None)
    user.first_steps_put_away_at = None


def set_language(*, user: User, language: str) -> None:
    """Keeps the language that somebody reads in; "" for the one that their browser asks for.

    RuleBroken for a language that the console does not have. It concerns the user alone: no audit row.
    """
    if language and language not in dict(settings.LANGUAGES):
        raise RuleBroken(_("This language is not available."), field="language")
    User.objects.filter(pk=user.pk).update(language=language)
    user.language = language


def set_language_cookie(response: HttpResponseBase, user: User) -> None:
    """Tells this browser what the person has chosen; nothing chosen takes an earlier choice back."""
    if not user.language:
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
        return
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        user.language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite="Lax",
    )
