"""Webhooks: who wants to be told of what, what happened, and what became of telling it (wire protocol §6)."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connectors.models.connector import AuditScope
from kaizala_console.lib import outbox
from kaizala_console.lib.fields import IdField

MOST_URL_CHARACTERS: Final = 2048
MOST_TOKEN_CHARACTERS: Final = 1024
MOST_CONTEXT_CHARACTERS: Final = 4096
MOST_OBJECT_ID_CHARACTERS: Final = 200
MOST_ANSWER_CHARACTERS: Final = 2000


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def carrying(self, **facts: Any) -> WebhookQuerySet:
        """`annotate`, for what the model declares below: the type checker takes a second declaration amiss."""
        return self.annotate(**facts)

    def present(self) -> WebhookQuerySet:
        """Those that were not removed, active or not."""
        return self.filter(deleted_at__isnull=True)

    def active(self) -> WebhookQuerySet:
        """Those that are told, as far as the webhook itself decides."""
        return self.present().filter(inactive_because="")

    def live(self, at: dt.datetime) -> WebhookQuerySet:
        """Those that are told at `at`: active, and the grant and the connector behind them work."""
        return self.active().under_right(at)

    def under_right(self, at: dt.datetime) -> WebhookQuerySet:
        """Those that are neither over nor without a right at `at`, be they active or not."""
        return self.filter(
            models.Q(grant__ends_at__isnull=True) | models.Q(grant__ends_at__gt=at),
            expires_at__gt=at,
            grant__revoked_at__isnull=True,
            grant__suspended_at__isnull=True,
            connector__suspended_at__isnull=True,
            connector__deleted_at__isnull=True,
        )


class Webhook(models.Model):
    """An address that is told what happens to one object, under the right of one grant.

    Or, under none, what becomes of a connector's handoffs.

    `object_id` is a GUID as `str(UUID)` prints it, or the name of an action package. The token is a credential of
    theirs, and the secrets sign what is sent to them: all are sealed, and wiped when the webhook is removed.
    """

    class ObjectType(models.TextChoices):
        """The wire's spellings."""

        GROUP = "Group", _("group")
        ACTION = "Action", _("action")
        PACKAGE = "ActionPackage", _("action package")
        CONNECTOR = "Connector", _("connector")  # not the wire's: set in the console alone (ADR 0070)

    class InactiveReason(models.TextChoices):
        """Why a webhook is inactive. What happens during the first two is kept, and told when it wakes."""

        PAUSED = "paused", _("paused")
        FAILED = "failed", _("its endpoint failed six times in two days")
        EXPIRED = "expired", _("its validity has ended")
        GRANT_ENDED = "grant", _("the access it was created under has ended")
        PERMISSION = "permission", _("the connector may no longer use webhooks")
        REACH = "reach", _("its object is out of reach")

    BUFFERING_STATES: Final = (InactiveReason.PAUSED, InactiveReason.FAILED)

    id = IdField(_("webhook ID"))
    connector = models.ForeignKey(
        "connectors.Connector",
        verbose_name=_("connector"),
        on_delete=models.PROTECT,
        related_name="webhooks",
        db_index=False,  # webhook_by_connector begins with it
    )
    grant = models.ForeignKey(
        "connectors.Grant",
        verbose_name=_("grant"),
        on_delete=models.PROTECT,
        related_name="webhooks",
        null=True,
        blank=True,
        help_text=_("Empty for the address for the connector’s handoffs, which belongs to no grant."),
    )
    object_type = models.CharField(_("object type"), max_length=16, choices=ObjectType.choices)
    object_id = models.CharField(_("object id"), max_length=MOST_OBJECT_ID_CHARACTERS)
    event_types = models.JSONField(_("event types"), default=list)
    callback_url = models.CharField(_("callback address"), max_length=MOST_URL_CHARACTERS)
    host = models.CharField(
        _("host"),
        max_length=255,
        help_text=_("The host of the address only: the rest may hold a secret."),
    )
    callback_context = models.TextField(_("context"), max_length=MOST_CONTEXT_CHARACTERS, blank=True)
    sealed_token = models.BinaryField(_("sealed token"), null=True, blank=True, editable=False)
    sealed_secret = models.BinaryField(_("sealed secret"), null=True, blank=True, editable=False)
    secret_shown_at = models.DateTimeField(_("secret shown at"), null=True, blank=True)
    sealed_old_secret = models.BinaryField(_("sealed old secret"), null=True, blank=True, editable=False)
    old_secret_until = models.DateTimeField(
        _("old secret until"),
        null=True,
        blank=True,
        help_text=_("Until then, deliveries are also signed with the previous secret."),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    changed_at = models.DateTimeField(_("changed at"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("valid until"))
    inactive_because = models.CharField(
        _("inactive because"), max_length=12, choices=InactiveReason.choices, blank=True
    )
    inactive_at = models.DateTimeField(_("inactive at"), null=True, blank=True)
    failures = models.PositiveIntegerField(_("failures"), default=0, help_text=_("Failed tries in a row."))
    delivered_at = models.DateTimeField(_("last delivery"), null=True, blank=True)
    leased_until = models.DateTimeField(
        _("busy until"),
        db_column="busy_until",
        null=True,
        blank=True,
        help_text=_("Until then, a worker is delivering; a killed worker loses it after that."),
    )
    backoff_until = models.DateTimeField(
        _("rests until"),
        db_column="rests_until",
        null=True,
        blank=True,
        help_text=_("The endpoint asked not to be called until then."),
    )
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True)
    reminded_for = models.DateTimeField(
        _("reminded for"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Which reminder was sent last, in days."),
    )

    # What `webhook_queries` adds to a row.
    waiting_count: int
    kept_count: int
    failed_count: int

    objects = WebhookQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                fields=["object_id", "object_type"],
                condition=models.Q(deleted_at__isnull=True),
                name="webhook_by_object",
            ),
            models.Index(fields=["connector", "-created_at", "-id"], name="webhook_by_connector"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(object_type__in=["Group", "Action", "ActionPackage", "Connector"]),
                name="webhook_object_type_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(object_type="Connector", grant__isnull=True)
                | (~models.Q(object_type="Connector") & models.Q(grant__isnull=False)),
                name="webhook_stands_under_a_grant_or_its_connector",
            ),
            models.UniqueConstraint(
                fields=["connector"],
                condition=models.Q(object_type="Connector", deleted_at__isnull=True),
                name="one_handoff_webhook_a_connector",
            ),
            models.CheckConstraint(
                condition=models.Q(inactive_because="", inactive_at__isnull=True)
                | (~models.Q(inactive_because="") & models.Q(inactive_at__isnull=False)),
                name="inactive_webhook_says_why",
            ),
            models.CheckConstraint(
                condition=models.Q(deleted_at__isnull=True)
                | models.Q(sealed_token__isnull=True, sealed_secret__isnull=True, sealed_old_secret__isnull=True),
                name="deleted_webhook_holds_nothing",
            ),
        ]

    def __str__(self) -> str:
        return f"Webhook {self.pk}"

    @property
    def is_active(self) -> bool:
        """Whether it is told, as far as the webhook itself decides."""
        return not self.inactive_because and self.deleted_at is None

    @property
    def audit_scope(self) -> AuditScope:
        """An event about the webhook is part of the history of the grant that it was made under, if it was."""
        return {**self.connector.audit_scope, **(self.grant.target_audit_scope if self.grant is not None else {})}

    @property
    def target_name(self) -> str:
        """The name of the target of its grant; "" without a grant."""
        return self.grant.target_name if self.grant is not None else ""

    def is_under_right(self, at: dt.datetime) -> bool:
        """As `WebhookQuerySet.under_right`, for a row at hand with its grant and connector."""
        connector = self.connector
        return (
            self.expires_at > at
            and (self.grant is None or self.grant.is_live(at))
            and connector.suspended_at is None
            and connector.deleted_at is None
        )


class WebhookEvent(models.Model):
    """What happened, written in the transaction in which it did, when somebody listened. Kept for some days.

    `sender` holds the `fromUser…` fields as they were then; `data` is the wire's, and `private` what stands in it
    besides for the tokens of some people alone. None of them goes into a log.
    """

    id = IdField(_("event ID"))
    event_type = models.CharField(_("event type"), max_length=32)
    group_id = models.UUIDField(
        _("group id"), null=True, blank=True, help_text=_("Empty for handoffs, which belong to no group.")
    )
    action_id = models.UUIDField(_("action id"), null=True, blank=True)
    package_id = models.CharField(_("package id"), max_length=MOST_OBJECT_ID_CHARACTERS, blank=True)
    sender = models.JSONField(_("sender"), default=dict)
    data = models.JSONField(_("data"), default=dict)
    only_for = models.JSONField(
        _("only for"),
        null=True,
        blank=True,
        help_text=_("People, by id, who can get it in addition to admins; empty for all members."),
    )
    private = models.JSONField(_("private"), default=dict)
    private_for = models.JSONField(
        _("private for"), default=list, help_text=_("People, by id, who can get the private part.")
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    class Meta:
        verbose_name = _("webhook event")
        verbose_name_plural = _("webhook events")
        indexes = [models.Index(fields=["created_at"], name="webhook_event_by_age")]

    def __str__(self) -> str:
        return f"{self.event_type} {self.pk}"


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def carrying(self, **facts: Any) -> WebhookDeliveryQuerySet:
        """`annotate`, for what the model declares below: the type checker takes a second declaration amiss."""
        return self.annotate(**facts)

    def waiting(self) -> WebhookDeliveryQuerySet:
        """Those that are still to be sent, be they due or not."""
        return self.filter(state=WebhookDelivery.State.WAITING)

    def due(self, at: dt.datetime) -> WebhookDeliveryQuerySet:
        """Those whose time has come at `at`; an earlier one of the same ordering_key may stand before them."""
        return self.filter(outbox.due(at), state=WebhookDelivery.State.WAITING)


class WebhookDelivery(models.Model):
    """One event on its way to one webhook. The row is the queue; its id is its place in it.

    `ordering_key` is what the event is about: the action, else the group; or the handoff.
    Of one webhook and ordering_key, one is sent after the other.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        HELD = "held", _("buffered until the webhook is resumed")
        DELIVERED = "delivered", _("delivered")
        FAILED = "failed", _("given up")
        DROPPED = "dropped", _("not sent: the access has ended")

    webhook = models.ForeignKey(
        Webhook,
        verbose_name=_("webhook"),
        on_delete=models.CASCADE,
        related_name="deliveries",
        db_index=False,  # webhook_delivery_log begins with it
    )
    event = models.ForeignKey(
        WebhookEvent, verbose_name=_("event"), on_delete=models.CASCADE, related_name="deliveries"
    )
    # The event's, which never changes: so the log of a webhook can be narrowed to it by an index.
    event_type = models.CharField(_("event type"), max_length=32)
    ordering_key = models.UUIDField(_("lane"), db_column="lane")
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(
        _("tries"), default=0, help_text=_("Tries since it was queued or redelivered.")
    )
    first_tried_at = models.DateTimeField(_("first tried at"), null=True, blank=True)
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True, blank=True, default=timezone.now)
    scheduled_at = models.DateTimeField(_("scheduled at"), default=timezone.now, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    # What `list_deliveries` adds to a row; a delivery that was read plainly has none of it.
    last_status: int | None
    last_problem: str | None
    last_milliseconds: int | None
    attempt_count: int

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["webhook", "-id"], name="webhook_delivery_log"),
            models.Index(
                fields=["webhook", "ordering_key", "id"],
                condition=models.Q(state="waiting"),
                name="webhook_delivery_queue",
            ),
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(state="waiting"),
                name="webhook_delivery_due",
            ),
            models.Index(fields=["finished_at"], condition=models.Q(state="failed"), name="webhook_delivery_failed"),
            models.Index(fields=["webhook", "state", "-id"], name="webhook_delivery_by_state"),
            models.Index(fields=["webhook", "event_type", "-id"], name="webhook_delivery_by_type"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event"], name="one_delivery_an_event_and_webhook"),
            models.CheckConstraint(
                condition=models.Q(state="waiting", next_attempt_at__isnull=False)
                | (~models.Q(state="waiting") & models.Q(next_attempt_at__isnull=True)),
                name="waiting_webhook_delivery_has_a_time",
            ),
            models.CheckConstraint(condition=~models.Q(event_type=""), name="webhook_delivery_has_a_type"),
            models.CheckConstraint(
                condition=models.Q(state__in=["waiting", "held", "delivered", "failed", "dropped"]),
                name="webhook_delivery_state_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"WebhookDelivery {self.pk}"


# ----------------------------------------------------------------------------------------------------
# One try of a delivery to a webhook, and what came back.


class WebhookAttempt(models.Model):
    """One try: when, how long it took, and what came back (`connectors.webhooks.delivery`).

    What a receiver answers is a stranger's text: shown to the connector's owners, and never interpreted.
    """

    class Problem(models.TextChoices):
        """Why there was no answer that counts. The first two are the console's; `status` is any answer but 2xx."""

        KEY = "key", _("the encryption key of the webhook’s secrets is missing")
        REFUSED = "refused", _("this address can’t be called")
        UNREACHABLE = "unreachable", _("the endpoint can’t be reached")
        TIMEOUT = "timeout", _("the endpoint did not answer in time")
        TLS = "tls", _("the endpoint’s certificate is not trusted")
        PROTOCOL = "protocol", _("the endpoint did not answer in HTTP")
        REDIRECT = "redirect", _("the endpoint redirected, which is not followed")
        STATUS = "status", _("the endpoint answered with an error")

    class Body(models.TextChoices):
        """What the answer's body was, as far as it was read; empty when it was not."""

        EMPTY = "empty", _("empty")
        TEXT = "text", _("text")
        CUT = "cut", _("the beginning of a text")
        BINARY = "binary", _("not text")

    delivery = models.ForeignKey(
        WebhookDelivery, verbose_name=_("delivery"), on_delete=models.CASCADE, related_name="attempts"
    )
    began_at = models.DateTimeField(_("began at"), default=timezone.now)
    milliseconds = models.PositiveIntegerField(_("milliseconds"), default=0)
    status = models.PositiveSmallIntegerField(_("status"), null=True, blank=True)
    problem = models.CharField(_("problem"), max_length=12, choices=Problem.choices, blank=True)
    answer_headers = models.JSONField(_("answer headers"), default=dict, blank=True)
    answer_body = models.CharField(_("answer body"), max_length=8, choices=Body.choices, blank=True)
    answer_text = models.TextField(_("answer text"), max_length=MOST_ANSWER_CHARACTERS, blank=True)

    class Meta:
        verbose_name = _("webhook attempt")
        verbose_name_plural = _("webhook attempts")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(problem="", status__isnull=True), name="webhook_attempt_says_what_came"
            ),
            models.CheckConstraint(
                condition=models.Q(answer_text="") | models.Q(answer_body__in=["text", "cut"]),
                name="webhook_answer_text_is_text",
            ),
        ]

    def __str__(self) -> str:
        return f"WebhookAttempt {self.pk}"
