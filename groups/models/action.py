"""A card in a group: a picture, an announcement, a job, a poll, a meeting, a survey, or a package's own kind."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from groups.models.message import Post
from kaizala_console.lib import crypto
from kaizala_console.lib.fields import IdField

_PURPOSE: Final = "anonymous-responder"
_BYTES: Final = 24


class ActionQuerySet(models.QuerySet["Action"]):
    def spelled(self) -> ActionQuerySet:
        """With everything that a list needs of other tables to spell a row."""
        return self.select_related("person", "connector", "bot")


class Action(Post):
    """`id` is both the wire's `referenceId` and its `actionId`. `person` is whose role it was posted with.

    `body` is what the kind's card type has read, in the wire's spellings (`groups.action_types`). What rules and lists
    ask for stands in columns of its own.
    """

    class Kind(models.TextChoices):
        """The values are the wire's spellings (protocol §6), but for PACKAGE: the wire has the package's id instead."""

        IMAGE = "Image", _("picture")
        ALBUM = "Album", _("album")
        AUDIO = "Audio", _("sound")
        DOCUMENT = "Document", _("document")
        VIDEO = "Video", _("video")
        ANNOUNCEMENT = "Announcement", _("announcement")
        JOB = "Job", _("job")
        POLL = "Poll", _("poll")
        LETS_MEET = "LetsMeet", _("meeting")
        SURVEY = "Survey", _("survey")
        SHARE_LOCATION = "ShareLocation", _("place")
        PHOTO_WITH_LOCATION = "PhotoWithLocation", _("picture with its place")
        PACKAGE = "Package", _("action of a package")

    MAX_TITLE = 500

    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    package_id = models.CharField(_("package ID"), max_length=200, blank=True)
    title = models.CharField(
        _("title"), max_length=MAX_TITLE, blank=True, help_text=_("Its title, its question, or its caption.")
    )
    body = models.JSONField(_("content"), default=dict)

    assignees = models.ManyToManyField(
        "accounts.Person",
        verbose_name=_("assignees"),
        blank=True,
        related_name="assigned_actions",
        help_text=_("Who is to do the job."),
    )
    assignee_count = models.PositiveIntegerField(_("assignee count"), default=0)
    is_anonymous = models.BooleanField(_("hides who answered"), default=False)
    is_sender_only = models.BooleanField(_("only the sender sees the answers"), default=False)
    accepts_many = models.BooleanField(_("one person may answer several times"), default=False)
    response_count = models.PositiveIntegerField(
        _("response count"), default=0, help_text=_("How many people answered; for a job, how many did it.")
    )

    expires_at = models.DateTimeField(
        _("closes"), null=True, blank=True, help_text=_("No answers after that; empty for never.")
    )

    objects = ActionQuerySet.as_manager()

    class Meta(Post.Meta):
        verbose_name = _("action")
        verbose_name_plural = _("actions")
        indexes = [
            *Post.Meta.indexes,
            models.Index(fields=["group", "kind", "-sent_at", "-id"], name="action_by_group_and_kind"),
            models.Index(fields=["-sent_at", "-id"], name="action_by_time"),  # the newest of many groups
        ]
        constraints = [
            *Post.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(
                    kind__in=[
                        "Image",
                        "Album",
                        "Audio",
                        "Document",
                        "Video",
                        "Announcement",
                        "Job",
                        "Poll",
                        "LetsMeet",
                        "Survey",
                        "ShareLocation",
                        "PhotoWithLocation",
                        "Package",
                    ]
                ),
                name="action_kind_is_known",
            ),
            models.CheckConstraint(
                condition=(models.Q(kind="Package") & ~models.Q(package_id=""))
                | (~models.Q(kind="Package") & models.Q(package_id="")),
                name="action_package_has_an_id",
            ),
        ]

    def __str__(self) -> str:
        return f"Action {self.pk}"

    @property
    def type_on_the_wire(self) -> str:
        """The wire's `actionType`: the kind, or the package's id."""
        return self.package_id or self.kind

    def responder_keys(self, person_id: UUID) -> list[str]:
        """Returns what `Response.responder` may be for this person, as new answers have it first.

        It is the person's id; for an anonymous action a keyed digest of it, different for each action: nobody who
        reads the table finds the person. There are several while an older pepper is in the ring.
        """
        if not self.is_anonymous:
            return [str(person_id)]
        return [
            f"{key_id}:{crypto.hmac_tag(_PURPOSE, self.pk.bytes, person_id.bytes, key_id=key_id)[:_BYTES].hex()}"
            for key_id in crypto.known_key_ids()
        ]


# ----------------------------------------------------------------------------------------------------
# What somebody answered to a card.


class Response(models.Model):
    """An answer to an Action. To an anonymous one it holds neither who gave it, nor through what, nor when.

    `responder` tells one responder of the action from another: the person's id, or for an anonymous action a keyed
    digest, which leads nowhere (`Action.responder_keys`). `body` is what the action's card type has read.
    """

    id = IdField(_("response ID"))
    action = models.ForeignKey(
        "groups.Action",
        verbose_name=_("action"),
        on_delete=models.CASCADE,
        related_name="responses",
        db_index=False,  # response_by_action begins with it
    )
    person = models.ForeignKey(
        "accounts.Person", verbose_name=_("person"), on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    connector = models.ForeignKey(
        "connectors.Connector",
        verbose_name=_("connector"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    responder = models.CharField(_("responder"), max_length=80)
    is_first = models.BooleanField(
        _("is first"),
        default=True,
        help_text=_("The responder’s first answer; others only if the action takes several."),
    )
    body = models.JSONField(_("content"), default=dict)
    responded_at = models.DateTimeField(_("responded at"), null=True, blank=True)

    class Meta:
        verbose_name = _("response")
        verbose_name_plural = _("responses")
        ordering = ["id"]
        indexes = [models.Index(fields=["action", "id"], name="response_by_action")]
        constraints = [
            models.UniqueConstraint(
                fields=["action", "responder"], condition=models.Q(is_first=True), name="one_first_response"
            ),
            models.CheckConstraint(
                condition=models.Q(person__isnull=False, responded_at__isnull=False)
                | models.Q(person__isnull=True, connector__isnull=True, responded_at__isnull=True),
                name="response_is_named_or_anonymous",
            ),
        ]

    def __str__(self) -> str:
        return f"Response {self.pk}"
