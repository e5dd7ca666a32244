"""What somebody typed, kept across a sign-in, a phone number or a confirmation, and put back into the form.

A kept form is never sent by itself: the person lands on the form again, filled, and presses the button. It lives in
the session (also the anonymous one, which Django carries through a sign-in), is bounded in number, size and time, and
holds neither secrets nor PINs. `?kept=<id>` names it, so that a reload shows it again and a fresh visit is empty.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.contrib import messages
from django.http import HttpRequest, QueryDict
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from kaizala_console.lib import clock

SESSION_KEY = "kept_forms"
PARAMETER = "kept"
MAX_FORMS = 3
MAX_CHARACTERS = 20_000
LIFETIME = dt.timedelta(hours=1)
MAX_PATH = 1_000
# Proofs and secrets are asked for again, never stored, by whichever way a form comes here.
CREDENTIALS = frozenset({"secret", "token", "refresh_token", "credential", "public_key"})  # perhaps the private one
NEVER_KEPT = frozenset({"csrfmiddlewaretoken", "pin", "code", "otp_token", "password"}) | CREDENTIALS
NOT_TYPED = frozenset({"csrfmiddlewaretoken", "form_key"})

SIGNED_OUT, CONFIRMED, PHONE_ADDED, OUT_OF_DATE = "signed_out", "confirmed", "phone_added", "out_of_date"
SIGNED_IN_AGAIN = "signed_in_again"


@dataclass(frozen=True)
class KeptForm:
    """One form as the session stores it. `until` is in seconds since the epoch; `complete`, whether all was kept.

    `is_to_be_typed_again` says that something was typed which is not kept on purpose.
    """

    id: str
    page: str
    fields: str
    reason: str
    press: str
    until: float
    complete: bool
    is_to_be_typed_again: bool = False


def safe_path(candidate: str | None, fallback: str = "/") -> str:
    """`candidate` when it is a path of this console, else `fallback`: no link leads a signed-in person elsewhere."""
    path = candidate or ""
    if (
        path.startswith("/")
        and not path.startswith("//")
        and len(path) <= MAX_PATH
        and path.isprintable()
        and url_has_allowed_host_and_scheme(path, allowed_hosts=None)
    ):
        return path
    return fallback


@sensitive_variables("fields")
def keep(request: HttpRequest, *, page: str, reason: str, press: str = "", sensitive: Collection[str] = ()) -> str:
    """Keeps the fields of this POST for the form at `page`, and returns the path that shows them there.

    `sensitive` names fields that must not be stored, besides `NEVER_KEPT`; files are never stored. `press` is the
    label of the button, for the message.
    """
    fields = request.POST.copy()
    left_out = {*NEVER_KEPT, *sensitive} & set(fields)
    is_to_be_typed_again = any(fields[name] for name in left_out - NOT_TYPED)
    for name in left_out:
        del fields[name]
    text = fields.urlencode()
    complete = len(text) <= MAX_CHARACTERS and not request.FILES
    kept = KeptForm(
        id=secrets.token_urlsafe(12),
        page=urlsplit(page).path,
        fields=text if len(text) <= MAX_CHARACTERS else "",
        reason=reason,
        press=str(press)[:80],
        until=(clock.now() + LIFETIME).timestamp(),
        complete=complete,
        is_to_be_typed_again=is_to_be_typed_again,
    )
    request.session[SESSION_KEY] = [*(asdict(form) for form in _stored(request)[1 - MAX_FORMS :]), asdict(kept)]
    return _with_parameter(page, kept.id)


def kept_form(request: HttpRequest) -> QueryDict | None:
    """What was typed into the form at this very page before the sign-in or confirmation, or None.

    Use it as the data of an unbound form's `initial`, or as bound data when errors should show at once.
    """
    kept = _find(request)
    return QueryDict(kept.fields) if kept is not None and kept.fields else None


def initial_of(request: HttpRequest, *, boxes: Collection[str] = ()) -> dict[str, Any]:
    """The kept fields as `initial` for a form: a list for what was sent several times, else the text.

    `boxes` are single boxes of this form: browsers send nothing for one that was cleared, and it stays cleared.
    """
    fields = kept_form(request)
    if fields is None:
        return {}
    texts = {name: values if len(values) > 1 else values[0] for name, values in fields.lists() if values}
    return {**dict.fromkeys(boxes, False), **texts}


def welcome_back(request: HttpRequest) -> None:
    """Tells the person, on the page that shows a kept form, what happened and what to press."""
    kept = _find(request)
    if kept is None:
        return
    happened = {
        SIGNED_OUT: _("You were signed out, and are signed in again."),
        CONFIRMED: _("Thank you, that was you."),
        SIGNED_IN_AGAIN: _("Thank you, you signed in again."),
        PHONE_ADDED: _("Your phone number is verified."),
        OUT_OF_DATE: _("This form had been open for too long, and is fresh again."),
    }.get(kept.reason, "")
    if not kept.complete:
        lost = _("The form was too large to keep, or held a file: please fill it in again.")
        messages.warning(request, f"{happened} {lost}".strip())
        return
    if kept.is_to_be_typed_again:
        again = (
            _("What may be a secret is not kept: enter it again, and press “%(button)s”.") % {"button": kept.press}
            if kept.press
            else _("What may be a secret is not kept: enter it again, and send the form.")
        )
        messages.info(request, f"{happened} {again}".strip())
        return
    if not kept.fields:  # a button alone: nothing to check
        again = _("Now press “%(button)s” once more.") % {"button": kept.press} if kept.press else ""
        messages.info(request, f"{happened} {again}".strip())
        return
    again = (
        _("Nothing was lost: check the form and press “%(button)s” again.") % {"button": kept.press}
        if kept.press
        else _("Nothing was lost: check the form and send it again.")
    )
    messages.info(request, f"{happened} {again}".strip())


def forget(request: HttpRequest) -> None:
    """Drops what was kept for the page this form came from, once it was sent."""
    kept_id = request.GET.get(PARAMETER)
    if kept_id and SESSION_KEY in request.session:
        request.session[SESSION_KEY] = [asdict(form) for form in _stored(request) if form.id != kept_id]


def _find(request: HttpRequest) -> KeptForm | None:
    kept_id = request.GET.get(PARAMETER, "")
    if not kept_id:
        return None
    return next((form for form in _stored(request) if form.id == kept_id and form.page == request.path), None)


def _stored(request: HttpRequest) -> list[KeptForm]:
    now = clock.now().timestamp()
    return [form for form in (KeptForm(**row) for row in request.session.get(SESSION_KEY, [])) if form.until > now]


def _with_parameter(page: str, kept_id: str) -> str:
    parts = urlsplit(page)
    query = QueryDict(parts.query, mutable=True)
    query[PARAMETER] = kept_id
    return urlunsplit(("", "", parts.path, urlencode(list(query.lists()), doseq=True), ""))
