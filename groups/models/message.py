"""A text message in a group."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Length
from django.db.models.lookups import LessThanOrEqual
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib.fields import IdField

MAX_CHARACTERS = 4000  # wire protocol §6, Messages


class Sent(models.Model):
    """`person` is whose role it was sent with; `connector` the program that sent it, if one did."""

    person = models.ForeignKey("accounts.Person", verbose_name=_("person"), on_delete=models.PROTECT, related_name="+")
    connector = models.ForeignKey(
        "connectors.Connector",
        verbose_name=_("connector"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )

    class Meta:
        abstract = True


class Post(Sent):
    """What a group's timeline shows: a message, or an action. Indexes begin with `group` and with `bot`."""

    class Audience(models.TextChoices):
        """The last two exist in managed public groups alone."""

        MEMBERS = "members", _("the members")
        SUBSCRIBERS = "subscribers", _("all subscribers")
        CHOSEN = "chosen", _("chosen subscribers")

    id = IdField(_("reference ID"))
    group = models.ForeignKey(
        "groups.Group",
        verbose_name=_("group"),
        on_delete=models.CASCADE,
        related_name="%(class)ss",
        db_index=False,
    )
    bot = models.ForeignKey(
        "connectors.Bot",
        verbose_name=_("bot"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text=_("The connector’s bot, shown as the sender."),
    )
    audience = models.CharField(_("sent to"), max_length=12, choices=Audience.choices, default=Audience.MEMBERS)
    recipients = models.ManyToManyField(
        "accounts.Person",
        verbose_name=_("recipients"),
        blank=True,
        related_name="+",
        help_text=_("The chosen subscribers, when sent only to them."),
    )
    sent_at = models.DateTimeField(_("sent at"), default=timezone.now)

    class Meta:
        abstract = True
        ordering = ["-sent_at", "-id"]
        indexes = [
            models.Index(fields=["group", "-sent_at", "-id"], name="%(class)s_by_group"),
            models.Index(
                fields=["bot", "-sent_at", "-id"], name="%(class)s_by_bot", condition=models.Q(bot__isnull=False)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(audience__in=["members", "subscribers", "chosen"]),
                name="%(class)s_audience_is_known",
            ),
        ]


class Message(Post):
    """A text."""

    MAX_CHARACTERS = MAX_CHARACTERS

    text = models.TextField(_("message"), max_length=MAX_CHARACTERS)

    class Meta(Post.Meta):
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [
            *Post.Meta.constraints,
            models.CheckConstraint(condition=~models.Q(text=""), name="message_says_something"),
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("text"), MAX_CHARACTERS), name="message_is_not_too_long"
            ),
        ]

    def __str__(self) -> str:
        return f"Message {self.pk}"


# ----------------------------------------------------------------------------------------------------
# What an organisation said in its old tenant: read, searched, never changed.


class ArchivedMessage(models.Model):
    """A line of `MicrosoftKaizala_TenantMessages.csv`. Texts as they stood there; links are text, never fetched."""

    organisation = models.ForeignKey(
        "accounts.Organisation",
        verbose_name=_("organisation"),
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,  # archived_once begins with it
    )
    message_id = models.CharField(_("message ID"), max_length=120)
    sent_at = models.DateTimeField(_("sent at"))
    group_name = models.CharField(_("group"), max_length=200, blank=True)
    sender = models.CharField(_("sender"), max_length=200, blank=True)
    message_type = models.CharField(_("type"), max_length=60, blank=True)
    attachments = models.TextField(_("attachments"), blank=True, help_text=_("One a line."))
    job = models.ForeignKey("groups.BulkJob", on_delete=models.PROTECT, related_name="+", verbose_name=_("import"))
    archived_at = models.DateTimeField(_("archived at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("archived message")
        verbose_name_plural = _("archived messages")
        ordering = ["-sent_at", "-id"]
        indexes = [
            models.Index(fields=["organisation", "-sent_at", "-id"], name="archived_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "message_id"], name="archived_once"),
            models.CheckConstraint(condition=~models.Q(message_id=""), name="archived_message_has_its_id"),
        ]

    def __str__(self) -> str:
        return self.message_id
