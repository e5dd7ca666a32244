"""What a developer asks of the admins of a group: access for a connector, or more permissions for one that has it."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from functools import reduce
from operator import or_

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connectors.models.connector import PermissionSetField
from kaizala_console.lib import clock
from kaizala_console.lib.fields import IdField

_ENDINGS = ("approved_at", "refused_at", "withdrawn_at", "expired_at")
UNANSWERED = models.Q(**{f"{ending}__isnull": True for ending in _ENDINGS})
ENDED_AT_MOST_ONCE = UNANSWERED | reduce(
    or_,
    (models.Q(**{f"{other}__isnull": other != ending for other in _ENDINGS}) for ending in _ENDINGS),
)
ANSWERED = models.Q(approved_at__isnull=False) | models.Q(refused_at__isnull=False)


class RequestState(StrEnum):
    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class AccessRequestQuerySet(models.QuerySet["AccessRequest"]):
    def waiting(self) -> AccessRequestQuerySet:
        """Those without an answer, whatever their deadline."""
        return self.filter(UNANSWERED)

    def open(self, at: dt.datetime) -> AccessRequestQuerySet:
        """Those that can be answered at `at`."""
        return self.waiting().filter(expires_at__gt=at)

    def overdue(self, at: dt.datetime) -> AccessRequestQuerySet:
        return self.waiting().filter(expires_at__lte=at)


class AccessRequest(models.Model):
    """Changes nothing by itself: only an admin's answer does.

    `target` is the opaque key that a grant would have (`group:<id>`). A request that travels as a link has none until
    it is answered: whoever opens the link chooses among the groups that they run. `target_name` is filled by the
    answer, so that naming an id tells a developer nothing about the group behind it.
    """

    class Kind(models.TextChoices):
        ACCESS = "access", _("access")
        MORE = "more", _("more permissions")

    id = IdField(_("id"))
    connector = models.ForeignKey(
        "connectors.Connector",
        verbose_name=_("connector"),
        on_delete=models.PROTECT,
        related_name="requests",
        db_index=False,  # request_by_connector begins with it
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    grant = models.ForeignKey(
        "connectors.Grant",
        verbose_name=_("grant"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="requests",
        help_text=_("What the answer created, or what is to get more permissions."),
    )
    by_link = models.BooleanField(_("by link"), default=False)
    target = models.CharField(_("target"), max_length=64, blank=True)
    target_name = models.CharField(_("target name"), max_length=200, blank=True)
    permissions = PermissionSetField(_("permissions"))
    given = PermissionSetField(_("permissions given"))
    ends_at = models.DateTimeField(_("end date"), null=True, blank=True)
    reason = models.TextField(_("reason"), max_length=500, blank=True)
    once = models.CharField(
        _("once"), max_length=64, blank=True, help_text=_("Names the form, so that sending it twice is once.")
    )
    made_by = models.ForeignKey("accounts.User", verbose_name=_("made by"), on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(_("made at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"))
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    refused_at = models.DateTimeField(_("refused at"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)
    expired_at = models.DateTimeField(_("expired at"), null=True, blank=True)
    decided_by = models.ForeignKey(
        "accounts.User", verbose_name=_("decided by"), on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    objects = AccessRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("request")
        verbose_name_plural = _("requests")
        ordering = ["-made_at", "-id"]
        indexes = [
            models.Index(fields=["connector", "-made_at", "-id"], name="request_by_connector"),
            models.Index(fields=["target", "-made_at", "-id"], name="request_by_target"),
            models.Index(fields=["expires_at"], condition=UNANSWERED, name="request_waiting"),
            models.Index(fields=["connector", "expires_at"], condition=UNANSWERED, name="request_waiting_of_connector"),
            models.Index(
                fields=["grant"],
                condition=UNANSWERED & models.Q(grant__isnull=False),
                name="request_waiting_of_grant",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["connector", "target"],
                condition=UNANSWERED & ~models.Q(target=""),
                name="one_waiting_request_a_target",
            ),
            models.UniqueConstraint(
                fields=["made_by", "once"], condition=~models.Q(once=""), name="request_made_once_a_form"
            ),
            models.CheckConstraint(condition=ENDED_AT_MOST_ONCE, name="request_ended_once"),
            models.CheckConstraint(
                condition=(ANSWERED & models.Q(decided_by__isnull=False))
                | (~ANSWERED & models.Q(decided_by__isnull=True)),
                name="answered_request_names_who",
            ),
            models.CheckConstraint(
                condition=models.Q(approved_at__isnull=True) | models.Q(grant__isnull=False),
                name="approved_request_names_its_grant",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="access") | models.Q(grant__isnull=False),
                name="request_for_more_names_its_grant",
            ),
            models.CheckConstraint(
                condition=models.Q(by_link=True) | ~models.Q(target=""), name="request_without_link_has_a_target"
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("made_at")), name="request_expires_after_it_was_made"
            ),
        ]

    def __str__(self) -> str:
        return f"AccessRequest {self.pk}"

    @property
    def state(self) -> RequestState:
        if self.approved_at:
            return RequestState.APPROVED
        if self.refused_at:
            return RequestState.REFUSED
        if self.withdrawn_at:
            return RequestState.WITHDRAWN
        if self.expired_at or self.expires_at <= clock.now():
            return RequestState.EXPIRED
        return RequestState.WAITING

    @property
    def decided_at(self) -> dt.datetime | None:
        """When an admin answered; None before that."""
        return self.approved_at or self.refused_at
