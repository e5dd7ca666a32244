"""The sealed handoff of one refresh token to the developer of its connector."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from functools import reduce
from operator import or_

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connectors.models.connector import AuditScope
from kaizala_console.lib.fields import IdField

SEALED_TO_SERVER = "server"
NOT_ENDED = models.Q(
    claimed_at__isnull=True,
    refused_at__isnull=True,
    expired_at__isnull=True,
    withdrawn_at__isnull=True,
)
_ENDINGS = ("claimed_at", "refused_at", "expired_at", "withdrawn_at")
ENDED_AT_MOST_ONCE = NOT_ENDED | reduce(
    or_,
    (models.Q(**{f"{other}__isnull": other != ending for other in _ENDINGS}) for ending in _ENDINGS),
)


class HandoffState(StrEnum):
    WAITING = "waiting"
    CLAIMED = "claimed"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class HandoffQuerySet(models.QuerySet["Handoff"]):
    def waiting(self) -> HandoffQuerySet:
        """Those that can still be claimed, their deadline aside."""
        return self.filter(NOT_ENDED)

    def ended(self) -> HandoffQuerySet:
        """All others."""
        return self.exclude(NOT_ENDED)

    def overdue(self, at: dt.datetime) -> HandoffQuerySet:
        return self.waiting().filter(expires_at__lte=at)


class Handoff(models.Model):
    """`sealed` is ciphertext; it is wiped in the statement that ends the handoff, and a constraint says so.

    The line people see: made (`made_at`) → sealed (`sealed_at`) → told (`notice.sent_at`) → opened
    (`claimed_at`) → works (`refresh_token.first_used_at`).
    """

    id = IdField(_("id"))
    connector = models.ForeignKey(
        "connectors.Connector",
        verbose_name=_("connector"),
        on_delete=models.PROTECT,
        related_name="handoffs",
        db_index=False,  # handoff_by_connector begins with it
    )
    grant = models.ForeignKey(
        "connectors.Grant", verbose_name=_("grant"), on_delete=models.PROTECT, related_name="handoffs"
    )
    refresh_token = models.ForeignKey(
        "connectors.RefreshToken", verbose_name=_("refresh token"), on_delete=models.PROTECT, related_name="handoffs"
    )
    made_by = models.ForeignKey(
        "accounts.User",
        verbose_name=_("made by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Who created the token; empty when the console did, near the end of the previous one."),
    )
    notice = models.ForeignKey(
        "accounts.Notice", verbose_name=_("notice"), on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    sealed = models.BinaryField(_("sealed"), null=True, blank=True, editable=False)
    sealed_to = models.CharField(
        _("sealed to"), max_length=80, help_text=_("`server`, or the fingerprint of the connector's public key.")
    )
    made_at = models.DateTimeField(_("made at"), default=timezone.now)
    sealed_at = models.DateTimeField(_("sealed at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"))
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    claimed_by = models.ForeignKey(
        "accounts.User", verbose_name=_("claimed by"), on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    claimed_from = models.GenericIPAddressField(_("claimed from"), null=True, blank=True)
    claimed_by_program = models.BooleanField(
        _("claimed by program"),
        default=False,
        help_text=_("Whether the program claimed it, with the connector’s ID and secret."),
    )
    refused_at = models.DateTimeField(_("refused at"), null=True, blank=True)
    expired_at = models.DateTimeField(_("expired at"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)
    revealed_at = models.DateTimeField(
        _("revealed at"), null=True, blank=True, help_text=_("When the admin viewed the token once.")
    )
    revealed_to = models.ForeignKey(
        "accounts.User",
        verbose_name=_("revealed to"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )

    objects = HandoffQuerySet.as_manager()

    class Meta:
        verbose_name = _("handoff")
        verbose_name_plural = _("handoffs")
        ordering = ["-made_at", "-id"]
        indexes = [
            # Of all connectors, for who owns very many of them.
            models.Index(fields=["-made_at", "-id"], name="handoff_newest"),
            models.Index(fields=["-made_at", "-id"], condition=NOT_ENDED, name="handoff_newest_waiting"),
            models.Index(fields=["connector", "-made_at", "-id"], name="handoff_by_connector"),
            models.Index(fields=["connector", "-made_at", "-id"], condition=NOT_ENDED, name="handoff_waiting_newest"),
            models.Index(fields=["expires_at", "id"], condition=NOT_ENDED, name="handoff_waiting"),
            models.Index(fields=["connector", "expires_at"], condition=NOT_ENDED, name="handoff_waiting_of_connector"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["grant"], condition=NOT_ENDED, name="one_waiting_handoff_a_grant"),
            models.CheckConstraint(
                condition=models.Q(sealed__isnull=True) | NOT_ENDED,
                name="ended_handoff_holds_no_ciphertext",
            ),
            models.CheckConstraint(condition=ENDED_AT_MOST_ONCE, name="handoff_ended_once"),
            models.CheckConstraint(
                condition=models.Q(claimed_at__isnull=True, claimed_by__isnull=True, claimed_by_program=False)
                | models.Q(claimed_at__isnull=False, claimed_by__isnull=False, claimed_by_program=False)
                | models.Q(claimed_at__isnull=False, claimed_by__isnull=True, claimed_by_program=True),
                name="claimed_handoff_names_who",
            ),
            models.CheckConstraint(
                condition=models.Q(revealed_at__isnull=True, revealed_to__isnull=True)
                | models.Q(revealed_at__isnull=False, revealed_to__isnull=False),
                name="revealed_handoff_names_who",
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("made_at")),
                name="handoff_expires_after_it_was_made",
            ),
        ]

    def __str__(self) -> str:
        return f"Handoff {self.pk}"

    @property
    def audit_scope(self) -> AuditScope:
        """An event about the handoff is part of the history of its grant."""
        return self.grant.audit_scope

    @property
    def is_sealed_to_key(self) -> bool:
        """Whether only the holder of the connector's private key can open it: neither this console nor an admin."""
        return self.sealed_to != SEALED_TO_SERVER

    @property
    def claimer_name(self) -> str:
        """Who opened it, for people: a person, or the connector whose program did; "" before that."""
        if self.claimed_by_program:
            return self.connector.name
        return self.claimed_by.name if self.claimed_by is not None else ""

    @property
    def maker_name(self) -> str:
        """Who had the token made, as people read it; the console's own name for a token that it made in time."""
        return self.made_by.name if self.made_by is not None else "Kaizala Console"

    @property
    def state(self) -> HandoffState:
        if self.claimed_at:
            return HandoffState.CLAIMED
        if self.refused_at:
            return HandoffState.REFUSED
        if self.withdrawn_at:
            return HandoffState.WITHDRAWN
        if self.expired_at:
            return HandoffState.EXPIRED
        return HandoffState.WAITING
