"""A like, or a comment, on a message or an action."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Length
from django.db.models.lookups import LessThanOrEqual
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from groups.models.message import Sent
from kaizala_console.lib.fields import IdField

MAX_COMMENT = 1000
LIKE = models.Q(reaction_type="Like")


class Reaction(Sent):
    """`group` is where what it answers was posted, `person` whose role it was given with; the types are the wire's.

    `reference_id` is the id of a message or of an action. `modified_at` orders the reactions of a group, each at a
    moment of its own: it is what cursors hold (protocol §6, Reactions).
    """

    MAX_COMMENT = MAX_COMMENT

    class Type(models.TextChoices):
        LIKE = "Like", _("like")
        COMMENT = "Comment", _("comment")

    id = IdField(_("reaction ID"))
    group = models.ForeignKey(
        "groups.Group",
        verbose_name=_("group"),
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,  # reaction_has_its_moment begins with it
    )
    reference_id = models.UUIDField(_("reference ID"))
    reaction_type = models.CharField(_("kind"), max_length=8, choices=Type.choices)
    comment = models.TextField(_("comment"), max_length=MAX_COMMENT, blank=True)
    bot = models.ForeignKey(
        "connectors.Bot", verbose_name=_("bot"), on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    modified_at = models.DateTimeField(_("modified at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("reaction")
        verbose_name_plural = _("reactions")
        ordering = ["modified_at", "id"]
        indexes = [
            models.Index(fields=["reference_id", "modified_at"], name="reaction_by_reference"),
            models.Index(fields=["reference_id", "reaction_type", "modified_at"], name="reaction_by_type"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["group", "modified_at"], name="reaction_has_its_moment"),
            models.UniqueConstraint(
                fields=["reference_id", "person"],
                condition=LIKE & models.Q(bot__isnull=True),
                name="one_like_a_person",
            ),
            models.UniqueConstraint(
                fields=["reference_id", "bot"],
                condition=LIKE & models.Q(bot__isnull=False),
                name="one_like_a_bot",
            ),
            models.CheckConstraint(
                condition=models.Q(reaction_type="Like", comment="")
                | (models.Q(reaction_type="Comment") & ~models.Q(comment="")),
                name="comment_says_something",
            ),
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("comment"), MAX_COMMENT), name="comment_is_not_too_long"
            ),
        ]

    def __str__(self) -> str:
        return f"Reaction {self.pk}"
