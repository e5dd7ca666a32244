"""A file of many lines at work: uploaded, checked, gone on with, done line by line. The row is the queue."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from groups import bulk_files
from kaizala_console.lib import outbox
from kaizala_console.lib.fields import IdField

LEASE: Final = dt.timedelta(minutes=2)  # longer than a chunk may take
_FORETOLD: Final = "removing"  # in `counts`, until something has come of it


class BulkJobQuerySet(models.QuerySet["BulkJob"]):
    def going(self) -> BulkJobQuerySet:
        """Those at which a worker is, or has to be: to be checked, or to be run."""
        return self.filter(
            Q(checked_at__isnull=True) | Q(approved_at__isnull=False),
            awaits_columns=False,
            finished_at__isnull=True,
            cancelled_at__isnull=True,
            failed_at__isnull=True,
        )

    def due(self, now: dt.datetime) -> BulkJobQuerySet:
        """Those that go, and that no worker holds."""
        return self.going().filter(outbox.free("leased_until", now, LEASE))


class BulkJob(models.Model):
    """`group` is empty for what is about the whole organisation; `organisation` is empty for a private group.

    The check reads every line and writes down what is wrong (`BulkLine`); the run goes on, in chunks, with the lines
    that are good. `done_lines` moves in the transaction of its chunk, so whoever resumes begins right after it.
    """

    class Kind(models.TextChoices):
        USERS = "users", _("users of a group")
        MAPPING = "mapping", _("groups and their parent groups")
        MESSAGES = "messages", _("messages of an old tenant")
        PEOPLE = "people", _("names and attributes of people")

    id = IdField(_("job ID"))
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    group = models.ForeignKey(
        "groups.Group",
        verbose_name=_("group"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="bulk_jobs",
        db_index=False,  # bulk_job_by_group begins with it
    )
    organisation = models.ForeignKey(
        "accounts.Organisation",
        verbose_name=_("organisation"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="bulk_jobs",
        db_index=False,  # bulk_job_by_organisation begins with it
    )
    by = models.ForeignKey("accounts.User", verbose_name=_("by"), on_delete=models.PROTECT, related_name="+")
    file_name = models.CharField(_("file"), max_length=255, help_text=_("As the uploader named it."))
    file_size = models.PositiveBigIntegerField(_("size in bytes"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    file_deleted_at = models.DateTimeField(_("file deleted at"), null=True, blank=True)
    region = models.CharField(_("country"), max_length=2, blank=True, help_text=_("For numbers without +."))
    language = models.CharField(_("language"), max_length=16, help_text=_("Of what is said where there is no code."))
    # Its first line names other columns than the template: the sender says first which is which.
    awaits_columns = models.BooleanField(_("awaits columns"), default=False)
    headers = models.JSONField(
        _("headers"),
        default=dict,
        blank=True,
        help_text=_("Which column is which: our keys, their headers."),
    )
    total_lines = models.PositiveIntegerField(_("lines"), default=0)
    bad_lines = models.PositiveIntegerField(_("bad lines"), default=0)
    checked_lines = models.PositiveIntegerField(_("lines checked"), default=0)
    done_lines = models.PositiveIntegerField(_("lines done"), default=0, help_text=_("Including skipped bad lines."))
    counts = models.JSONField(_("result"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    checked_at = models.DateTimeField(_("checked at"), null=True, blank=True)
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True, blank=True)
    failed_at = models.DateTimeField(_("failed at"), null=True, blank=True)
    # Why: a code of `bulk_files` with what its sentence names; or the sentence, of rows without a code.
    failed_code = models.CharField(_("failed code"), max_length=40, blank=True)
    failed_params = models.JSONField(_("failed params"), default=dict, blank=True)
    failed_because = models.CharField(_("failed because"), max_length=300, blank=True)
    # Whoever holds the lease works at it; a worker that was killed loses it when the time is over. `tries` counts those
    # that came no further.
    tries = models.PositiveSmallIntegerField(_("tries"), default=0, editable=False)
    lease = models.UUIDField(_("lease"), null=True, blank=True, editable=False)
    leased_until = models.DateTimeField(_("leased until"), null=True, blank=True, editable=False)

    objects = BulkJobQuerySet.as_manager()

    class Meta:
        verbose_name = _("bulk upload")
        verbose_name_plural = _("bulk uploads")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["group", "kind", "-created_at", "-id"], name="bulk_job_by_group"),
            models.Index(fields=["organisation", "kind", "-created_at", "-id"], name="bulk_job_by_organisation"),
            models.Index(
                fields=["leased_until"],
                condition=Q(finished_at__isnull=True, cancelled_at__isnull=True, failed_at__isnull=True),
                name="bulk_job_going",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["users", "mapping", "messages", "people"]), name="bulk_job_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(kind="users", group__isnull=False) | Q(group__isnull=True, organisation__isnull=False),
                name="bulk_job_has_its_place",
            ),
            models.CheckConstraint(
                condition=Q(approved_at__isnull=True) | Q(checked_at__isnull=False),
                name="bulk_job_is_checked_before_it_runs",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | Q(approved_at__isnull=False),
                name="bulk_job_is_approved_before_it_ends",
            ),
            models.CheckConstraint(
                condition=Q(cancelled_at__isnull=True) | Q(finished_at__isnull=True, failed_at__isnull=True),
                name="bulk_job_ends_once",
            ),
            models.CheckConstraint(
                condition=Q(done_lines__lte=F("total_lines")) & Q(bad_lines__lte=F("checked_lines")),
                name="bulk_job_counts_fit",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def state(self) -> str:
        """The name of its pill (`kaizala_console.statuses`)."""
        if self.finished_at is not None:
            return "done"
        if self.cancelled_at is not None:
            return "cancelled"
        if self.failed_at is not None:
            return "failed"
        if self.awaits_columns or (self.checked_at is not None and self.approved_at is None):
            return "waiting"
        return "running" if self.lease is not None else "queued"

    @property
    def why_it_failed(self) -> str:
        """In the reader's language; empty when it did not fail."""
        return bulk_files.format_reason(self.failed_code, self.failed_params, self.failed_because)

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "cancelled", "failed")

    @property
    def is_going(self) -> bool:
        return self.state in ("queued", "running")

    @property
    def good_lines(self) -> int:
        return self.total_lines - self.bad_lines

    def foretell(self, *, removing: int) -> None:
        """What the check says will come of it; it stands where what came of it will."""
        self.counts = {_FORETOLD: removing} if removing else {}

    @property
    def removing(self) -> int:
        """How many of the good lines take something away, while it waits to be gone on with; 0 afterwards."""
        return int(self.counts.get(_FORETOLD, 0)) if self.state == "waiting" else 0

    def forget_what_was_foretold(self) -> None:
        """Before something comes of it, or nothing will."""
        self.counts.pop(_FORETOLD, None)

    @property
    def stored_as(self) -> str:
        """The name in the storage: never what the sender calls the file."""
        return f"{self.pk}.csv"


class BulkLine(models.Model):
    """A line about which there is something to say. Lines that were simply done have no row."""

    class Kind(models.TextChoices):
        BAD = "bad", _("bad")  # said by the check: passed by
        REFUSED = "refused", _("refused")  # said by the run: a rule forbade it
        LATER = "later", _("waiting")  # takes an admin away: after all others have been added

    job = models.ForeignKey(
        BulkJob,
        verbose_name=_("job"),
        on_delete=models.CASCADE,
        related_name="lines",
        db_index=False,  # bulk_line_once begins with it
    )
    line = models.PositiveIntegerField(_("line"), help_text=_("In the file; the first line is 1."))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    text = models.CharField(_("what it says"), max_length=200, blank=True)
    # A code of `bulk_files` with what its sentence names; or the sentence itself, of rows without a code.
    code = models.CharField(_("code of the reason"), max_length=40, blank=True)
    params = models.JSONField(_("params"), default=dict, blank=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    # Whom a line that waits is about, and what that person is to be: "Member", or "" for removed.
    person = models.ForeignKey(
        "accounts.Person", verbose_name=_("person"), on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    wants = models.CharField(_("wants"), max_length=8, blank=True)

    class Meta:
        verbose_name = _("line of a bulk upload")
        verbose_name_plural = _("lines of bulk uploads")
        ordering = ["line"]
        constraints = [
            models.UniqueConstraint(fields=["job", "line"], name="bulk_line_once"),
            models.CheckConstraint(condition=Q(kind__in=["bad", "refused", "later"]), name="bulk_line_kind_is_known"),
        ]

    def __str__(self) -> str:
        return f"BulkLine {self.job_id}:{self.line}"

    @property
    def said(self) -> str:
        """The reason in the reader's language."""
        return bulk_files.format_reason(self.code, self.params, self.reason)
