"""Until when: a day, as people choose it, and the moment that it stands for."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kaizala_console.lib import clock

MOST_YEARS = 100


class WithEndDate(forms.Form):
    """A form with an end date that may be left empty."""

    end_date = forms.DateField(
        label=gettext_lazy("End date"),
        required=False,
        help_text=gettext_lazy("The access ends at the end of this day. Leave it empty for no end date."),
        error_messages={"invalid": gettext_lazy("Enter a date, like 2030-12-31, or leave it empty.")},
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def clean_end_date(self) -> dt.date | None:
        chosen: dt.date | None = self.cleaned_data["end_date"]
        if chosen is None:
            return None
        today = timezone.localdate(clock.now())
        if chosen < today:
            raise forms.ValidationError(_("This day has passed. Choose today or a later day, or leave it empty."))
        if chosen.year > today.year + MOST_YEARS:
            raise forms.ValidationError(_("Choose a day within the next hundred years, or leave it empty."))
        return chosen

    def ends_at(self) -> dt.datetime | None:
        """The first moment after the chosen day in the reader's zone; None for no end."""
        chosen = self.cleaned_data["end_date"]
        if chosen is None:
            return None
        return timezone.make_aware(dt.datetime.combine(chosen + dt.timedelta(days=1), dt.time.min))


class SecretEndForm(WithEndDate):
    """A secret, the first or a further one, which may end by itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["end_date"].label = gettext_lazy("End date of the secret")
        self.fields["end_date"].help_text = gettext_lazy(
            "The secret is refused from the end of this day on. Leave it empty for no end date."
        )
        self.fields["end_date"].widget.attrs["min"] = timezone.localdate(clock.now()).isoformat()


def last_day(ends_at: dt.datetime | None) -> dt.date | None:
    """The day that `ends_at` came from."""
    return None if ends_at is None else timezone.localdate(ends_at - dt.timedelta(microseconds=1))
