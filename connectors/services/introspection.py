"""What is the matter with a credential? Its kind, whose it is, and the checks of the Token Service one by one.

Facts are told to two kinds of people only: who presents the whole, true credential, and who owns its connector or
administers what it reaches. To everybody else a credential that is not theirs and one that does not exist are the same,
also by the time that the answer takes.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from connectors import hooks, permissions, policies, token_format
from connectors.hooks import RequiredRole
from connectors.models import Bot, Connector, ConnectorSecret, Grant, RefreshToken
from connectors.permissions import PERMISSION_OF
from connectors.token_format import CredentialKind
from kaizala_console.api.endpoint import Operation
from kaizala_console.lib import clock, moments

LONGEST_TEXT = 2000
EVEN_SECONDS = 0.25
PUBLIC = re.compile(rf"[0-9A-Za-z]{{{token_format.PUBLIC_LENGTH}}}", re.ASCII)
SHORTEST_THAT_IS_FOUND = len(CredentialKind.REFRESH) + token_format.PUBLIC_LENGTH
WHOLE_LENGTH = (
    len(CredentialKind.REFRESH) + token_format.PUBLIC_LENGTH + token_format.SECRET_LENGTH + token_format.CHECKSUM_LENGTH
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at. `next_step` says what to do when it fails."""

    label: str
    passed: bool
    says: str
    next_step: str = ""


@dataclass(slots=True)
class Introspection:
    """What can be told. Without `connector` only the form was looked at, or the asker may not know more."""

    kind: CredentialKind | None = None
    checks: list[Check] = field(default_factory=list)
    connector: Connector | None = None
    grant: Grant | None = None
    bot: Bot | None = None
    public_part: str = ""
    made_at: dt.datetime | None = None
    ends_at: dt.datetime | None = None
    scopes: list[str] = field(default_factory=list)
    was_sought: bool = False  # in the tables, by what is public of it

    def add(self, *checks: Check) -> Introspection:
        self.checks += checks
        return self

    @property
    def works(self) -> bool:
        """Whether every check passed, on a credential that is known."""
        return self.connector is not None and all(check.passed for check in self.checks)

    @property
    def next_step(self) -> str:
        """What to do about the first check that failed."""
        return next((check.next_step for check in self.checks if not check.passed), "")


def find_credential(kind: CredentialKind, public_part: str) -> ConnectorSecret | RefreshToken | None:
    """The secret, or else the refresh token, with its connector, organisation and owner. It proves nothing."""
    if kind is CredentialKind.SECRET:
        secrets = ConnectorSecret.objects.select_related("connector__organisation", "connector__owner")
        return secrets.filter(public_part=public_part).first()
    tokens = RefreshToken.objects.select_related("grant__connector__organisation", "grant__connector__owner")
    return tokens.filter(public_part=public_part).first()


@sensitive_variables()
def introspect(*, text: str, by: User) -> Introspection:
    """Look at a credential, its first characters, or its public part alone. Nothing is stored, and nothing changes."""
    began = time.monotonic()
    found = _introspect(_extract_credential(text), by)
    if found.connector is None and found.was_sought:
        # Somebody else's costs more statements than one that does not exist: both wait for the same moment.
        time.sleep(EVEN_SECONDS - (time.monotonic() - began) % EVEN_SECONDS)
    return found


@sensitive_variables()
def _introspect(token: str, by: User) -> Introspection:
    kind = next((kind for kind in CredentialKind if token.startswith(kind)), None)
    if kind is None:
        if PUBLIC.fullmatch(token):
            return _introspect_public_part(Introspection(), token, by)
        return Introspection(checks=[_check_no_form(token)])
    found = Introspection(kind=kind)
    if kind is CredentialKind.ACCESS:
        return _introspect_access_token(found, token)
    parsed = token_format.parse(kind, token)
    if parsed is None:
        found.checks.append(_check_not_whole(token))
        public = token[len(kind) : len(kind) + token_format.PUBLIC_LENGTH]
        return _introspect_public_part(found, public, by) if PUBLIC.fullmatch(public) else found
    found.checks.append(Check(_("Format"), True, _("A complete credential of this console, with a valid checksum.")))
    found.was_sought = True
    row = find_credential(kind, parsed.public_part)
    if row is None or not parsed.matches(row.pepper_id, row.digest):
        return found.add(_check_unknown())
    return _fill_in(found, row)


# Rows ----------------------------------------------------------------------------------------------------------------


def _introspect_public_part(found: Introspection, public_part: str, by: User) -> Introspection:
    """For those whose it is: they need not have the credential at hand to ask about it."""
    found.was_sought = True
    kinds = [found.kind] if found.kind else [CredentialKind.REFRESH, CredentialKind.SECRET]
    row = next((row for kind in kinds if (row := find_credential(kind, public_part)) is not None), None)
    if row is None or not _is_theirs(row, by):
        return found.add(_check_unknown())
    found.kind = CredentialKind.SECRET if isinstance(row, ConnectorSecret) else CredentialKind.REFRESH
    return _fill_in(found, row)


def _is_theirs(row: RefreshToken | ConnectorSecret, by: User) -> bool:
    if isinstance(row, ConnectorSecret):
        return policies.can_see_credentials(by, row.connector)
    return policies.is_owner(by, row.grant.connector) or policies.can_administer(by, row.grant)


def _fill_in(found: Introspection, row: RefreshToken | ConnectorSecret) -> Introspection:
    found.public_part = row.public_part
    if isinstance(row, ConnectorSecret):
        found.connector, found.made_at, found.ends_at = row.connector, row.created_at, row.expires_at
        found.checks += [_check_connector(row.connector), _check_secret(row)]
    else:
        _add_grant(found, row)
    return found


@sensitive_variables("token")
def _introspect_access_token(found: Introspection, token: str) -> Introspection:
    claims = token_format.read_access_token(token)
    if claims is None:
        says = _("Not signed by this console, or changed when it was copied.")
        next_step = _("The program must get a new access token (GET /v1/accessToken).")
        return found.add(Check(_("Signature"), False, says, next_step))
    found.checks.append(Check(_("Signature"), True, _("Signed by this console and unchanged.")))
    live = claims.expires_at > clock.now()
    found.checks.append(
        Check(
            _("Validity"),
            live,
            _("Valid until %(when)s.") % {"when": moments.exact(claims.expires_at)}
            if live
            else _("Expired on %(when)s. Access tokens live 24 hours.") % {"when": moments.exact(claims.expires_at)},
            _("The program must get a new access token (GET /v1/accessToken)."),
        )
    )
    rows = RefreshToken.objects.select_related("grant__connector__organisation", "grant__connector__owner")
    row = rows.filter(pk=claims.refresh_token_id, grant_id=claims.grant_id).first()
    if row is None:
        return found.add(_check_unknown())
    row.grant.scope_bits = claims.scope_bits
    _add_grant(found, row)
    found.public_part, found.made_at, found.ends_at = "", None, claims.expires_at
    if claims.bot_id is not None:
        _add_bot(found, row.grant.connector, claims.bot_id)
    return found


def _add_bot(found: Introspection, connector: Connector, bot_id: UUID) -> None:
    found.bot = bot = connector.bots.filter(pk=bot_id).first()
    found.checks.append(_check_bot(bot))
    found.scopes = permissions.list_bot_scopes(found.scopes)


def _add_grant(found: Introspection, row: RefreshToken) -> None:
    grant, connector = row.grant, row.grant.connector
    found.connector, found.grant = connector, grant
    found.made_at, found.ends_at = row.issued_at, row.expires_at
    found.scopes = grant.held_scopes()
    found.checks += [_check_connector(connector), _check_access(grant), _check_token(row)]


# Checks --------------------------------------------------------------------------------------------------------------


def _check_no_form(token: str) -> Check:
    prefixes = ", ".join(CredentialKind)
    says = (
        _("Nothing was pasted.")
        if not token
        else _("It does not begin with %(prefixes)s, so it is not from this console.") % {"prefixes": prefixes}
    )
    return Check(_("Format"), False, says, _("Tokens of the retired Kaizala service no longer work. Create new ones."))


def _check_not_whole(token: str) -> Check:
    next_step = _("Copy it again, complete, without line breaks.")
    if len(token) < SHORTEST_THAT_IS_FOUND:
        says = _("Only the first %(count)d of %(whole)d characters. For your own, 21 are enough to find it.")
    elif len(token) < WHOLE_LENGTH:
        says = _("Only the first %(count)d of %(whole)d characters: enough to find it, but not to use it.")
    elif len(token) > WHOLE_LENGTH:
        says = _("It has %(count)d characters instead of %(whole)d.")
    else:
        says = _("The checksum is wrong: a character changed when it was copied.")
    return Check(_("Format"), False, says % {"count": len(token), "whole": WHOLE_LENGTH}, next_step)


def _check_unknown() -> Check:
    return Check(
        _("Known"),
        False,
        _("It doesn’t exist, or you don’t have access."),
        _("Paste the complete credential, or ask the connector’s owner or a group admin."),
    )


def _check_connector(connector: Connector) -> Check:
    label = _("Connector")
    if connector.deleted_at:
        says = _("Deleted on %(when)s.") % {"when": moments.exact(connector.deleted_at)}
        return Check(label, False, says, _("Register the program as a new connector."))
    if connector.suspended_at:
        says = _("Suspended since %(when)s.") % {"when": moments.exact(connector.suspended_at)}
        return Check(label, False, says, _("Its owner can resume it on the connector’s page."))
    if connector.organisation.moved_to:
        says = _("Its organisation moved to %(address)s.") % {"address": connector.organisation.moved_to}
        return Check(label, False, says, _("Change the host name in the program."))
    return Check(label, True, _("Live."))


def _check_access(grant: Grant) -> Check:
    label, now = _("Access"), clock.now()
    if grant.revoked_at:
        says = _("Removed by an admin on %(when)s.") % {"when": moments.exact(grant.revoked_at)}
        return Check(label, False, says, _("Ask a group admin to add the connector again."))
    if grant.suspended_at:
        says = _("Suspended by an admin on %(when)s.") % {"when": moments.exact(grant.suspended_at)}
        return Check(label, False, says, _("Ask a group admin to resume it."))
    if grant.is_of_deactivated_user:
        says = _("Its user’s account is deactivated.")
        return Check(label, False, says, _("It works again once the account is reactivated."))
    if grant.ends_at and grant.ends_at <= now:
        says = _("Ended on its end date: %(when)s.") % {"when": moments.exact(grant.ends_at)}
        return Check(label, False, says, _("Ask a group admin to add the connector again."))
    return Check(label, True, _("Added by %(who)s.") % {"who": grant.granter_name})


def _check_bot(bot: Bot | None) -> Check:
    label = _("Bot")
    next_step = _("Create another bot (POST /v1/bot), or use the connector’s own access token.")
    if bot is None:
        return Check(label, False, _("There is no such bot of this connector."), next_step)
    if bot.removed_at:
        says = _("The bot “%(name)s” was deleted on %(when)s.")
        return Check(label, False, says % {"name": bot.name, "when": moments.exact(bot.removed_at)}, next_step)
    return Check(label, True, _("It acts as “%(name)s”, in the groups this bot was added to.") % {"name": bot.name})


def _check_token(row: RefreshToken) -> Check:
    label, now = _("Refresh token"), clock.now()
    if row.reported_at:
        says = _("Reported as leaked on %(when)s.") % {"when": moments.exact(row.reported_at)}
        return Check(label, False, says, _("The developer decides; a group admin can regenerate it."))
    if row.revoked_at and row.grant.revoked_at is None:
        says = _("Regenerated on %(when)s.") % {"when": moments.exact(row.revoked_at)}
        return Check(label, False, says, _("Use the new token from Handoffs."))
    if row.revoked_at:
        says = _("Ended with the access, on %(when)s.") % {"when": moments.exact(row.revoked_at)}
        return Check(label, False, says, _("Ask a group admin to add the connector again."))
    if row.expires_at <= now:
        says = _("Expired on %(when)s.") % {"when": moments.exact(row.expires_at)}
        return Check(label, False, says, _("Ask a group admin to regenerate it."))
    return Check(label, True, _("Valid until %(when)s.") % {"when": moments.exact(row.expires_at)})


def _check_secret(row: ConnectorSecret) -> Check:
    label, now = _("Secret"), clock.now()
    if row.reported_at and row.revoked_at is None:
        says = _("Reported as leaked on %(when)s.") % {"when": moments.exact(row.reported_at)}
        return Check(label, False, says, _("The connector’s owner can revoke or restore it under Credentials."))
    if row.revoked_at:
        says = _("Revoked on %(when)s.") % {"when": moments.exact(row.revoked_at)}
        return Check(label, False, says, _("Use another secret of the connector."))
    if row.expires_at and row.expires_at <= now:
        says = _("Expired on %(when)s.") % {"when": moments.exact(row.expires_at)}
        return Check(label, False, says, _("Use another secret of the connector."))
    return Check(label, True, _("Live."))


def _extract_credential(text: str) -> str:
    """The credential itself, when a whole header line or a shell variable was pasted."""
    token = text.strip()[:LONGEST_TEXT]
    found: Any = re.search(r"kz(?:cs|rt|at)_[\w.-]*", token, re.ASCII)
    return found.group() if found else token


# ----------------------------------------------------------------------------------------------------
# Would this call work? Said beforehand, for a token that the inspector has told about: permission, reach, and role.


def explain_call(found: Introspection, operation: Operation, group_id: str) -> list[Check]:
    """Whether a call of this operation would be let through, with a token that `introspect` has told about."""
    grant = found.grant
    if grant is None or found.connector is None:
        return []
    checks = []
    if operation.scope:
        held = operation.scope in found.scopes
        permission = str(permissions.DESCRIPTIONS[PERMISSION_OF[operation.scope]].label)
        checks.append(
            Check(
                _("Permission"),
                held,
                _("Has “%(permission)s” (%(scope)s).") % {"permission": permission, "scope": operation.scope}
                if held
                else _("Lacks “%(permission)s” (%(scope)s): the answer is 403.")
                % {"permission": permission, "scope": operation.scope},
                _("Ask the connector’s owner to add the permission, and a group admin to approve it."),
            )
        )
    if group_id.strip():
        checks += _check_group(grant, group_id, operation, found.bot)
    return checks


def _check_group(grant: Grant, group_id: str, operation: Operation, bot: Bot | None) -> list[Check]:
    access = hooks.token_access(grant, group_id, bot)
    reached = Check(
        _("Group"),
        access is not None,
        _("Reaches this group, as %(role)s.") % {"role": access.role}
        if access
        else _("Does not reach this group: the answer is 403."),
        _("Check the group ID, or ask a group admin to add the connector.")
        if bot is None
        else _("Check the group ID, and add the bot to the group (PUT /v1/groups/…/bot)."),
    )
    if access is None or not operation.in_group or operation.in_group in access.allows:
        return [reached]
    says, next_step = {
        RequiredRole.ADMIN: (
            _("Only a group admin can do this; the token’s user is a member: the answer is 403."),
            _("Ask a group admin to add the connector, or to make the token’s user an admin."),
        ),
        RequiredRole.READ_MEMBERS: (
            _("Only admins can see this group’s members: the answer is 403."),
            _("Ask a group admin to add the connector, or to change the group’s policies."),
        ),
        RequiredRole.POST: (
            _("Only admins can post in this group; the token’s user is a member: the answer is 403."),
            _("Ask a group admin to add the connector, or to change the group’s policies."),
        ),
    }[RequiredRole(operation.in_group)]
    return [reached, Check(_("Role"), False, says, next_step)]
