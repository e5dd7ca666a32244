"""Whether Home shows the onboarding steps: they can be dismissed, and restored from the help pages."""

from __future__ import annotations

from accounts.models import User
from kaizala_console.lib import clock


def dismiss_onboarding(*, user: User) -> None:
    """Home shows them no more, on no device. It is nobody else's business, so no audit row. Twice is once."""
    User.objects.filter(pk=user.pk, first_steps_put_away_at=None).update(first_steps_put_away_at=clock.now())
    user.refresh_from_db(fields=["first_steps_put_away_at"])


def restore_onboarding(*, user: User) -> None:
    """Home shows them again while something of them is to be done."""
    User.objects.filter(pk=user.pk).update(first_steps_put_away_at=None)
    user.first_steps_put_away_at = None
