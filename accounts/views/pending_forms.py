"""A form that was sent before its sender had signed in, added a phone number or confirmed; carried out afterwards.

The form waits in the session, encrypted, for as long as a PIN works. It belongs to one path and, once somebody is
signed in, to one account; a sign-out drops it with the session. Its random id, which is part of the key, is in the
address of the page that asks for the PIN and not in the session: so each tab has its own, and the session's row alone
opens nothing. CSRF was checked when the form was sent, and is checked again when it is carried out: the page that asks
for the PIN answers 307 (RFC 9110 §15.4.8), and the browser itself sends a POST to the path.

A form is carried out once. One that has an idempotency key may be sent again until its time is over, as ever: its
service answers with what the first one made.
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from kaizala_console.lib import clock, crypto

SESSION_KEY = "pending_forms"
FIELD, PAGE_FIELD = "pending_form", "pending_page"  # of the form that carries a pending form out
IDEMPOTENCY_KEY = "idempotency_key"
MAX_FORMS = 3
MAX_CHARACTERS = 100_000
MAX_PATH = 1_000


@dataclass(frozen=True)
class PendingForm:
    """One form as the session stores it, which has a digest (`tag`) in place of the `id`.

    `until` is in seconds since the epoch; `page` shows the form. `user` is the account that sent it, None when nobody
    was signed in. `needs_confirmation`: a PIN or a code carries it out; else its sender presses the button once more.
    `goes_to` is where a program's own page waits for the answer, as a source for CSP. `is_download`: the answer is a
    file. `was_opened`: the page that asks has been shown.
    """

    id: str
    tag: str
    path: str
    page: str
    button_label: str
    user: int | None
    needs_confirmation: bool
    until: float
    sealed: str
    goes_to: str = ""
    is_download: bool = False
    was_opened: bool = False

    @property
    def confirm_url(self) -> str:
        """The page that asks for the PIN, or for the button."""
        return f"{reverse('accounts:confirm')}?{urlencode({'pending': self.id, 'next': self.page})}"


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


def get_form_page(request: HttpRequest) -> str:
    """The page whose form was just sent: `Referer` names it (within the console, browsers send the whole address)."""
    carried_out: PendingForm | None = getattr(request, "pending_form", None)
    if carried_out is not None:
        return carried_out.page
    origin = f"{request.scheme}://{request.get_host()}"
    came_from = request.headers.get("HX-Current-URL") or request.headers.get("Referer", "")
    return safe_path(came_from.removeprefix(origin), safe_path(request.get_full_path()))


@sensitive_variables("body", "text")
def save_pending_form(
    request: HttpRequest,
    *,
    button_label: Any = "",
    needs_confirmation: bool = False,
    goes_to: str = "",
    is_download: bool = False,
) -> PendingForm | None:
    """Keeps the form that was just sent. None when it has a file or is too long: then it has to be sent again."""
    body = request.POST.copy()
    body.pop("csrfmiddlewaretoken", None)
    text, path = body.urlencode(), request.get_full_path()
    if request.FILES or len(text) > MAX_CHARACTERS or safe_path(path) != path:
        return None
    form_id = secrets.token_urlsafe(18)
    pending = PendingForm(
        id=form_id,
        tag=_tag(form_id),
        path=path,
        page=get_form_page(request),
        button_label=str(button_label)[:80],
        user=request.user.pk,
        needs_confirmation=needs_confirmation,
        goes_to=goes_to,
        is_download=is_download,
        until=_expiry(),
        sealed=crypto.seal_with_secret(text.encode(), context=_context(path), extra_secret=form_id.encode()).decode(),
    )
    _store(request, [*_stored(request)[1 - MAX_FORMS :], pending])
    return pending


def find(request: HttpRequest, form_id: str) -> PendingForm | None:
    """The form with this id, when it still waits in this session for this account."""
    tag = _tag(form_id)
    return next((replace(form, id=form_id) for form in _stored(request) if form.tag == tag), None)


def mark_opened(request: HttpRequest, pending: PendingForm) -> bool:
    """Notes that the page that asks was shown, and returns whether this was the first time."""
    if pending.was_opened:
        return False
    _store(request, [replace(form, was_opened=form.was_opened or form.tag == pending.tag) for form in _stored(request)])
    return True


def extend(request: HttpRequest, pending: PendingForm) -> None:
    """Lets it wait as long as the PIN that was just sent for it."""
    _store(
        request,
        [replace(form, until=_expiry()) if form.tag == pending.tag else form for form in _stored(request)],
    )


def carry_out(request: HttpRequest, pending: PendingForm) -> HttpResponse:
    """The answer that makes the browser send a POST to the form's path, with the id of the form in it.

    A download would leave the browser on the page that asks for the PIN: it goes back to the page with the button.
    """
    if pending.is_download:
        _store(request, [form for form in _stored(request) if form.tag != pending.tag])
        messages.info(request, _("Confirmed. Press “%(button)s” to finish.") % {"button": pending.button_label})
        return HttpResponseRedirect(pending.page)
    return HttpResponseRedirect(pending.path, preserve_request=True)


@sensitive_variables("body")
def restore(request: HttpRequest) -> bool:
    """Makes this POST the one that waited, and returns whether there was one. Of two at once one finds it."""
    if not isinstance(request.user, User):
        return False
    with transaction.atomic():
        User.objects.select_for_update().filter(pk=request.user.pk).first()
        # As the session is by now: another request may have taken the form since this one began.
        now_stored = type(request.session)(request.session.session_key).get(SESSION_KEY, [])
        request.session[SESSION_KEY] = now_stored
        pending = find(request, request.POST[FIELD])
        if pending is None or pending.path != request.get_full_path():
            return False
        try:
            body = crypto.open_with_secret(
                pending.sealed.encode(), context=_context(pending.path), extra_secret=pending.id.encode()
            ).decode()
        except crypto.WrongKey:  # the operator removed the key within the last minutes
            return False
        if IDEMPOTENCY_KEY not in (fields := QueryDict(body)):
            _store(request, [form for form in _stored(request) if form.tag != pending.tag])
            request.session.save()
    request.POST = fields
    request.pending_form = pending  # type: ignore[attr-defined]
    return True


def _tag(form_id: str) -> str:
    return crypto.hmac_tag("pending-form", form_id).hex()


def _context(path: str) -> bytes:
    return f"accounts.PendingForm:{path}".encode()


def _expiry() -> float:
    return (clock.now() + dt.timedelta(seconds=settings.PIN_SECONDS)).timestamp()


def _stored(request: HttpRequest) -> list[PendingForm]:
    now = clock.now().timestamp()
    forms = [PendingForm(**row) for row in request.session.get(SESSION_KEY, [])]
    return [form for form in forms if form.until > now and form.user in (None, request.user.pk)]


def _store(request: HttpRequest, forms: list[PendingForm]) -> None:
    request.session[SESSION_KEY] = [{**asdict(form), "id": ""} for form in forms]
