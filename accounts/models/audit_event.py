"""The audit trail: what happened, who did it, to what, from where. Append-only."""

from __future__ import annotations

import hmac
import secrets
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import crypto
from kaizala_console.lib.fields import without_default


def new_event_mac() -> str:
    """Return a MAC for one more event: the id of the pepper, a nonce, and the nonce's keyed digest."""
    key_id, nonce = crypto.current_key_id(), secrets.token_urlsafe(12)
    return f"{key_id}.{nonce}.{_tag(key_id, nonce)}"


class EventMacField(models.CharField):
    """A MAC that only the console can make, so a row that somebody else adds is never chained."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"max_length": 100, "unique": True, "editable": False, "default": new_event_mac}
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        return without_default(super().deconstruct(), "django.db.models.CharField")


class AuditEvent(models.Model):
    """One security-relevant act. Names are copied in, so that the row reads the same for ever.

    `connector_id`, `group_id` and `person_id` are plain ids (the apps above are not imported):
    they let a connector's, a group's or a person's page list its own history.
    """

    at = models.DateTimeField(_("at"), default=timezone.now)
    tag = models.CharField(_("tag"), max_length=64)
    actor_kind = models.CharField(_("actor kind"), max_length=16)
    actor_id = models.CharField(_("actor id"), max_length=64, blank=True)
    actor_name = models.CharField(_("actor name"), max_length=120, blank=True)
    organisation = models.ForeignKey(
        "accounts.Organisation",
        verbose_name=_("organisation"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    subject_kind = models.CharField(_("subject kind"), max_length=32)
    subject_id = models.CharField(_("subject id"), max_length=64)
    subject_name = models.CharField(_("subject name"), max_length=200, blank=True)
    connector_id = models.UUIDField(_("connector id"), null=True, blank=True)
    group_id = models.UUIDField(_("group id"), null=True, blank=True)
    person_id = models.UUIDField(_("person id"), null=True, blank=True)
    before = models.JSONField(_("before"), default=dict, blank=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(_("after"), default=dict, blank=True, encoder=DjangoJSONEncoder)
    client_address = models.GenericIPAddressField(_("client address"), null=True, blank=True)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)
    # The names in its sentence, for the search in Activity; derived from the above, so not chained.
    search_text = models.TextField(_("search text"), blank=True, editable=False)
    mac = EventMacField(_("MAC"))
    # Its place in the chain (accounts/audit/chain.py), given by the worker; empty until then.
    position = models.BigIntegerField(_("position"), null=True, blank=True, unique=True, editable=False)
    previous_hash = models.CharField(_("previous hash"), max_length=64, blank=True, editable=False)
    hash = models.CharField(_("hash"), max_length=64, blank=True, editable=False)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["organisation", "-id"], name="audit_by_organisation"),
            models.Index(fields=["actor_kind", "actor_id", "-id"], name="audit_by_actor"),
            models.Index(fields=["connector_id", "-id"], name="audit_by_connector"),
            models.Index(fields=["group_id", "-id"], name="audit_by_group"),
            models.Index(fields=["person_id", "-id"], name="audit_by_person"),
            models.Index(fields=["tag", "id"], name="audit_by_tag"),
            models.Index(fields=["at"], name="audit_by_time"),
            models.Index(fields=["request_id"], name="audit_by_request", condition=~models.Q(request_id="")),
            models.Index(fields=["id"], condition=models.Q(position__isnull=True), name="audit_not_chained"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(position__isnull=True, hash="", previous_hash="")
                | (models.Q(position__gt=0) & ~models.Q(hash="") & ~models.Q(previous_hash="")),
                name="chained_audit_event_has_its_hashes",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tag} {self.subject_kind} {self.subject_id}"

    def has_own_mac(self) -> bool:
        """Return whether the console added this row. Raises `crypto.UnknownKey`."""
        parts = self.mac.rsplit(".", 2)
        return len(parts) == 3 and hmac.compare_digest(_tag(parts[0], parts[1]).encode(), parts[2].encode())


class AuditCheckpoint(models.Model):
    """How far the chain goes, signed by the worker each time that it has chained events; one row."""

    id = models.PositiveSmallIntegerField(_("ID"), primary_key=True, default=1, editable=False)
    position = models.BigIntegerField(_("position"))
    hash = models.CharField(_("hash"), max_length=64)
    # Where the worker went on although the chain was not as it had signed it; stays for ever.
    broken_at = models.BigIntegerField(_("broken at"), null=True)
    # The last event that is gone because its time was over, and its hash; where the trail begins is signed, too.
    pruned_to = models.BigIntegerField(_("pruned to"), default=0)
    pruned_hash = models.CharField(_("hash of the last that is gone"), max_length=64, blank=True)
    key_id = models.CharField(_("key id"), max_length=16)
    mac = models.CharField(_("MAC"), max_length=64)
    signed_at = models.DateTimeField(_("signed at"), default=timezone.now)

    class Meta:
        verbose_name = _("audit checkpoint")
        verbose_name_plural = _("audit checkpoints")
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_audit_checkpoint")]

    def __str__(self) -> str:
        return f"AuditCheckpoint {self.position}"


def _tag(key_id: str, nonce: str) -> str:
    return crypto.hmac_tag("audit-event", nonce, key_id=key_id).hex()
