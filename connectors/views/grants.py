"""Where a connector may act: its groups, and the refresh token of each. For owners."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET

from accounts.views.decorators import signed_in, user_of
from connectors import usage_counts
from connectors.models import Grant
from connectors.permissions import labels_of_scopes
from connectors.queries import connectors
from connectors.views import connectors as details
from connectors.views import handoffs, links, usage_charts
from kaizala_console.lib import clock, keyset


@require_GET
@signed_in
def grants(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """One page of grants, those in force or those that ended, the newest first."""
    connector, context = details.own(user_of(request), connector_id, "groups")
    ended = request.GET.get("show") == "ended"
    search = request.GET.get("q", "").strip()[:120]
    try:
        page = connectors.grant_page(connector, ended=ended, search=search, cursor=request.GET.get("cursor"))
    except keyset.BadCursor:
        return redirect(links.url_with(request, cursor=None))
    sparks = usage_counts.grant_sparks(page.items)
    context |= {
        "rows": [{**row_of(grant), "spark": usage_charts.spark_of(sparks, grant)} for grant in page.items],
        "ended": ended,
        "search": search,
        "toggle_url": links.url_with(request, show=None if ended else "ended", cursor=None),
        **links.pagination_links(request, page),
    }
    return render(request, "connectors/groups.html", context)


def row_of(grant: Any) -> dict[str, Any]:
    """What a line about a grant says. Expects what `queries.with_line` adds."""
    token = grant.live_tokens[0] if grant.live_tokens else None
    handoff = grant.handoffs_newest_first[0] if grant.handoffs_newest_first else None
    return {
        "grant": grant,
        "state": _state(grant),
        "permissions": labels_of_scopes(grant.allowed_scopes()),
        "how_many": ngettext("%(n)d permission", "%(n)d permissions", len(grant.permissions))
        % {"n": len(grant.permissions)},
        "token": token,
        "used_at": token and max(filter(None, (token.last_used_at, token.first_used_at)), default=None),
        "handoff": handoff,
        "handoff_state": handoff and _handoff_state(handoffs.state_of(handoff).value),
    }


def _state(grant: Grant) -> str:
    if grant.revoked_at:
        return "removed"
    if grant.ends_at is not None and grant.ends_at <= clock.now():
        return "ended"
    return "suspended" if grant.suspended_at else "live"


def _handoff_state(state: str) -> str:
    return {"claimed": "opened"}.get(state, state)


# ----------------------------------------------------------------------------------------------------
# Until when: a day, as people choose it, and the moment that it stands for.


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
