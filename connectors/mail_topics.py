"""What this app writes mails about (`accounts.mail_topics`). Leaks, changed keys and owners are told in any case."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from accounts.mail_topics import Topic


def _named(*names: str) -> frozenset[str]:
    return frozenset(f"connectors/{name}" for name in names)


TOPICS: Final = (
    Topic(
        "requests",
        _("Requests"),
        _("Somebody asks you to let a connector in, or has answered what you asked."),
        _named(
            "requests_made",
            "requests_expired",
            "request_approved",
            "request_refused",
            "user_token_asked",
            "user_token_confirmed",
            "user_token_expired",
            "user_token_refused",
        ),
    ),
    Topic(
        "handoffs",
        _("Handoffs"),
        _("A refresh token waits for you, was taken, or was not taken in time."),
        _named(
            "handoff_made",
            "handoff_claimed",
            "handoff_claimed_by_program",
            "handoff_expired",
            "handoff_refused",
            "handoff_rotated",
        ),
    ),
    Topic(
        "ends",
        _("What ends soon"),
        _("A secret, a refresh token, a grant or a webhook ends in 90, 30, 14, 7, 3 or 1 days, or a grant has ended."),
        _named("grant_ended", "grant_ends", "secret_ends", "token_ends", "webhook_ends"),
    ),
    Topic(
        "faults",
        _("What stopped working"),
        _("A webhook that nobody answers, a warm token that is refused, a connector or a group that nobody runs."),
        _named("orphan_connector", "orphan_group", "orphan_phone", "warm_token_refused", "webhook_ended"),
    ),
)
