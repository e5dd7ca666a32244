"""A leaked credential: refused from the report on, until an owner of its connector revokes or restores it.

Anyone who holds a whole credential may report it, signed in or not; the answer never says whether it was known. Who has
only a part of one, or a guess, changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import User
from accounts.policies import require_no_credential_hold
from accounts.services import notifications
from connectors import policies, token_format
from connectors.models import Connector, ConnectorSecret, Grant, LeakReport, RefreshToken
from connectors.models.connector import AuditScope
from connectors.services import refresh_tokens, secrets
from connectors.services.introspection import find_credential
from connectors.services.owners import list_watchers
from connectors.token_format import CredentialKind, Parsed
from kaizala_console.lib import clock, rate_limit
from kaizala_console.lib.errors import Conflict, RuleBroken, TooSoon
from kaizala_console.lib.logging import redact
from kaizala_console.lib.rate_limit import Limit

LONGEST_TEXT = 20_000
LONGEST_WHERE = 500
AN_HOUR_SECONDS = 3600
Row = ConnectorSecret | RefreshToken


@dataclass(frozen=True, slots=True)
class Finder:
    """The unknown person or scanner that reported."""

    def audit_actor(self) -> tuple[str, str, str]:
        """Kind, id and name (`accounts.audit.record.Actor`)."""
        return "finder", "", _("Somebody who found it")


@sensitive_variables("text", "found")
def report(*, text: str, where: str = "", address: str) -> None:
    """Refuse every credential of ours in `text` from now on, and tell their owners. Says nothing about what was known.

    `where` is told to the owners. Raises RuleBroken when nothing in the text has the form of a credential (which
    anybody can see for themselves) or when it is too long to be read whole, and TooSoon for the same `address` over and
    over.
    """
    most = settings.LEAK_REPORTS_PER_ADDRESS_PER_HOUR
    refusal = rate_limit.hit(Limit(f"leak-report:{address}", most, AN_HOUR_SECONDS))
    if refusal is not None:
        raise TooSoon(_("Too many reports from this address. Please wait a while."), retry_after=refusal.retry_after)
    if len(text) > LONGEST_TEXT:
        raise RuleBroken(
            _("At most 20,000 characters: the credential, and a few lines around it."),
            code="too_long",
            field="credential",
        )
    found = _find_credentials(text)
    if not found:
        raise RuleBroken(
            _("No complete credential found. They begin with kzcs_, kzrt_ or kzat_."),
            code="no_credential",
            field="credential",
        )
    for parsed in found:
        row = _find_row(parsed)
        if row is not None:
            _suspend(row, parsed.kind, where=_tidy(where))


@transaction.atomic
def revoke(*, report: LeakReport, by: User, end_access_tokens: bool = True) -> LeakReport:
    """The owner confirms: the credential has ended for good, and all access tokens of the connector if it is a secret,
    unless the owner lets them go on. Raises NotFound for others, Conflict when answered.
    """
    policies.require_owner(by, report.connector)
    _close(report, by, LeakReport.Outcome.REVOKED)
    if report.secret is not None:
        if report.secret.revoked_at is None:
            secrets.revoke(secret=report.secret, by=by, end_access_tokens=end_access_tokens)
    elif report.refresh_token is not None:
        _lock_grant(report.refresh_token)
        refresh_tokens.revoke_chain(report.refresh_token, at=clock.now())
    record(EventType.LEAK_CONFIRMED, by=by, subject=report, **_get_audit_scope(_row(report)), before=_get_facts(report))
    return report


@transaction.atomic
def restore(*, report: LeakReport, by: User) -> LeakReport:
    """The owner knows better: accept it again, unless it has ended. Raises NotFound and Conflict."""
    policies.require_owner(by, report.connector)
    require_no_credential_hold(by)
    _close(report, by, LeakReport.Outcome.RESTORED)
    row = _row(report)
    _lock_grant(row)
    if isinstance(row, RefreshToken):
        _restore_line(row)
    else:
        row.reported_at = None
        row.save(update_fields=["reported_at"])
    record(EventType.LEAK_RESTORED, by=by, subject=report, **_get_audit_scope(row), before=_get_facts(report))
    return report


# Finding --------------------------------------------------------------------------------------------------------------


@sensitive_variables()
def _find_credentials(text: str) -> list[Parsed]:
    """The different credentials in a text, by their form and checksum alone."""
    candidates = dict.fromkeys(match.group() for match in token_format.PATTERN.finditer(text))
    parsed = (token_format.begins(candidate) for candidate in candidates)
    return [one for one in parsed if one is not None]


@sensitive_variables()
def _find_row(parsed: Parsed) -> Row | None:
    """The row of a credential that is proven, by its digest or signature, and that could still do harm."""
    now = clock.now()
    if parsed.kind is not CredentialKind.ACCESS:
        row = find_credential(parsed.kind, parsed.public_part)
        return row if row and row.is_live(now) and parsed.matches(row.pepper_id, row.digest) else None
    claims = token_format.read_access_token(parsed.token)
    if claims is None or claims.expires_at <= now:
        return None
    tokens = RefreshToken.objects.select_related("grant__connector__organisation", "grant__connector__owner")
    token = tokens.filter(pk=claims.refresh_token_id, grant_id=claims.grant_id).first()
    return token if token and token.is_live(now) else None


# Suspending -----------------------------------------------------------------------------------------------------------


@transaction.atomic
def _suspend(row: Row, kind: CredentialKind, *, where: str) -> None:
    """Set `reported_at`, write the report and notify the owners; a second report changes nothing."""
    _lock_grant(row)
    now = clock.now()
    model = type(row)
    if not model.objects.filter(pk=row.pk, reported_at__isnull=True, revoked_at__isnull=True).update(reported_at=now):
        return
    if isinstance(row, RefreshToken):
        # With the secret, it may have been traded for what was derived from it.
        successors = RefreshToken.objects.filter(pk__in=refresh_tokens.list_chain(row), reported_at__isnull=True)
        successors.filter(revoked_at__isnull=True).update(reported_at=now)
    connector = _get_connector(row)
    report = LeakReport.objects.create(
        connector=connector,
        secret=row if isinstance(row, ConnectorSecret) else None,
        refresh_token=row if isinstance(row, RefreshToken) else None,
        prefix=kind.value,
        where=where,
        reported_at=now,
    )
    record(EventType.LEAK_REPORTED, by=Finder(), subject=report, **_get_audit_scope(row), after=_get_facts(report))
    _notify(report, row)


def _notify(report: LeakReport, row: Row) -> None:
    """The owners, who decide; and the admins of what the token reaches, who may regenerate or remove it.

    When no owner is left, those who hear of connectors without one.
    """
    owners = report.connector.list_active_owners()
    admins = policies.list_administrators(row.grant) if isinstance(row, RefreshToken) else []
    instead = [] if owners else list_watchers(report.connector.organisation_id)
    for user in dict.fromkeys([*owners, *admins, *instead]):
        notifications.queue(
            user=user,
            template="connectors/credential_leaked",
            key=f"credential-leaked:{report.pk}:{user.pk}",
            context=_get_facts(report)
            | {
                "report_id": str(report.pk),
                "connector_id": str(report.connector_id),
                "is_owner": user in owners,
                "is_admin": user in admins,
                "is_left": not owners,
                "is_user_token": isinstance(row, RefreshToken) and row.grant.kind == Grant.Kind.USER,
                "reported_at": report.reported_at.isoformat(),
            },
        )


def _close(report: LeakReport, by: User, outcome: LeakReport.Outcome) -> None:
    """One conditional UPDATE decides between two owners who answer at once."""
    now = clock.now()
    closing = {"closed_at": now, "closed_by": by, "outcome": outcome}
    if not LeakReport.objects.open().filter(pk=report.pk).update(**closing):
        raise Conflict(_("This report was already answered."), code="leak_answered")
    report.refresh_from_db()


def _lock_grant(row: Row) -> None:
    """Make an exchange wait that would derive a successor: otherwise that successor would be missed."""
    if isinstance(row, RefreshToken):
        Grant.objects.select_for_update(no_key=True).get(pk=row.grant_id)


def _restore_line(token: RefreshToken) -> None:
    """The token, and its successors down to one that has a report of its own."""
    restored = [token.pk]
    for pk in refresh_tokens.list_chain(token)[1:]:
        if LeakReport.objects.open().filter(refresh_token_id=pk).exists():
            break
        restored.append(pk)
    RefreshToken.objects.filter(pk__in=restored).update(reported_at=None)
    token.reported_at = None


# Pieces ---------------------------------------------------------------------------------------------------------------


def _row(report: LeakReport) -> Row:
    row = report.secret or report.refresh_token
    assert row is not None  # noqa: S101 (a constraint says so)
    return row


def _get_connector(row: Row) -> Connector:
    return row.connector if isinstance(row, ConnectorSecret) else row.grant.connector


def _get_audit_scope(row: Row) -> AuditScope:
    return row.connector.audit_scope if isinstance(row, ConnectorSecret) else row.grant.audit_scope


def _get_facts(report: LeakReport) -> dict[str, Any]:
    """What the trail and the mails say of it. Nothing secret is among it."""
    row = _row(report)
    return {
        "connector": report.connector.name,
        "kind": KIND_NAMES[CredentialKind(report.prefix)],
        "public_part": row.public_part,
        "target": row.grant.target_name if isinstance(row, RefreshToken) else "",
        "where": report.where,
    }


KIND_NAMES = {
    CredentialKind.SECRET: "secret",
    CredentialKind.REFRESH: "refresh token",
    CredentialKind.ACCESS: "access token",
}


def _tidy(where: str) -> str:
    """One line, without what is no text, and without any credential that somebody pasted along."""
    line = " ".join("".join(c if c.isprintable() else " " for c in where[: 4 * LONGEST_WHERE]).split())
    return str(redact(line))[:LONGEST_WHERE]
