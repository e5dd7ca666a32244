"""The outbox of messages to people: a row is written with the change it tells of, a worker sends it."""

from __future__ import annotations

import datetime as dt

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import outbox
from kaizala_console.lib.fields import IdField


class NoticeQuerySet(models.QuerySet["Notice"]):
    def due(self, at: dt.datetime) -> NoticeQuerySet:
        return self.filter(outbox.due(at))


class Notice(models.Model):
    """One message to one account. `context` feeds the template and never holds a secret.

    With a `number` (E.164) it goes there by SMS; without, by mail to the account's address.
    Waiting rows have `next_attempt_at`; it is cleared when the notice was sent or given up.
    `key` makes a notice unique, so that the same fact is told once.
    """

    id = IdField(_("id"))
    user = models.ForeignKey("accounts.User", verbose_name=_("user"), on_delete=models.CASCADE, related_name="notices")
    template = models.CharField(_("template"), max_length=80)
    number = models.CharField(_("number"), max_length=16, blank=True)
    context = models.JSONField(_("context"), default=dict, encoder=DjangoJSONEncoder)
    key = models.CharField(_("key"), max_length=160, unique=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True, blank=True, default=timezone.now)
    scheduled_at = models.DateTimeField(_("scheduled at"), default=timezone.now, editable=False)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    gave_up_at = models.DateTimeField(_("gave up at"), null=True, blank=True)
    last_error = models.CharField(_("last error"), max_length=200, blank=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(next_attempt_at__isnull=False),
                name="notice_waiting",
            ),
            models.Index(fields=["user", "-created_at"], name="notice_by_user"),
            models.Index(fields=["gave_up_at"], condition=models.Q(gave_up_at__isnull=False), name="notice_given_up"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(sent_at__isnull=True) | models.Q(next_attempt_at__isnull=True),
                name="sent_notice_is_not_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"{self.template} → {self.user_id}"
