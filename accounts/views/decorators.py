"""What a page asks of its visitor: signed in, a verified phone, a fresh confirmation, a sign-in of just now.

Each asks for all that come before it. A form that was sent too early waits (accounts/views/pending_forms.py), and is
carried out by itself after the confirmation; after a sign-in or a new phone number its sender presses its button once
more.

    @require_http_methods(["GET", "POST"])
    @with_phone(button_label=_("Create Connector"))
    def create(request):
        form = ConnectorForm(request.POST or None)
        if form.is_valid():
            require_reauthentication(request)
            ...

    @require_POST
    @reauthentication_required(button_label=_("Refuse"))
    def refuse(request, handoff_id): ...
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, cast
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _

from accounts import queries
from accounts.models import User
from accounts.services import reauthentication
from accounts.views import pending_forms
from accounts.views.pending_forms import FIELD, PAGE_FIELD, safe_path
from kaizala_console.lib import live

__all__ = [
    "reauthentication_required",
    "recent_login_required",
    "require_reauthentication",
    "safe_path",
    "signed_in",
    "user_of",
    "with_phone",
]

View = Callable[..., HttpResponseBase]
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class ReauthenticationRequired(Exception):
    """Raised in a view that is about to act, when its sender has to confirm first; the decorators here answer it."""

    def __init__(self, *, button_label: Any) -> None:
        super().__init__()
        self.button_label = button_label


# A condition: the address at which it is met, and whether a PIN or a code meets it; None when it is met already.
Condition = Callable[[HttpRequest], "tuple[str, bool] | None"]


def user_of(request: HttpRequest) -> User:
    """The signed-in account; for views behind `signed_in`."""
    return cast(User, request.user)


def signed_in(view: View | None = None, *, button_label: Any = "") -> Any:
    """Lets signed-in people in; others sign in first. `button_label` is what the button of the view's form says."""
    if view is None:
        return partial(signed_in, button_label=button_label)
    return _guarded(view, (_signed_in,), button_label)


def with_phone(view: View | None = None, *, button_label: Any = "", goes_to: Callable[..., str] | None = None) -> Any:
    """Lets in who is signed in and holds a verified phone number; others add one first. Arguments: as `signed_in`.

    `goes_to`, called as the view is, gives the source (CSP) of the program's page to which the answer redirects, if it
    does: the page on which the form waits must let it.
    """
    if view is None:
        return partial(with_phone, button_label=button_label, goes_to=goes_to)
    return _guarded(view, (_signed_in, _with_phone), button_label, goes_to=goes_to)


def reauthentication_required(
    view: View | None = None, *, on_get: bool = False, button_label: Any = "", is_download: bool = False
) -> Any:
    """Lets in who confirmed by PIN or TOTP within `STEP_UP_SECONDS`; others with a phone confirm first.

    Asks on unsafe methods only, unless `on_get`: then the page itself is behind the confirmation. A view whose form
    can be wrong is `with_phone`, and calls `require_reauthentication` once the form is right. A file that `is_download`
    leaves the browser on the page that it has: there the button is pressed once more.
    """
    if view is None:
        return partial(reauthentication_required, on_get=on_get, button_label=button_label, is_download=is_download)

    def confirmed(request: HttpRequest) -> tuple[str, bool] | None:
        return None if request.method in SAFE_METHODS and not on_get else _confirmed(request)

    return _guarded(view, (_signed_in, _with_phone, confirmed), button_label, is_download)


def require_reauthentication(request: HttpRequest, *, button_label: Any = "") -> None:
    """For a view behind one of these decorators, right before it acts on a form that it has found right.

    Unless its sender confirmed within `STEP_UP_SECONDS`, the view ends here, and runs again after the confirmation.
    """
    if not reauthentication.is_confirmed(request):
        raise ReauthenticationRequired(button_label=button_label)


def recent_login_required(view: View | None = None, *, on_get: bool = False, button_label: Any = "") -> Any:
    """Lets in who signed in within `SIGN_IN_AGAIN_SECONDS`, and confirmed freshly if they hold a number to do so with.

    For what changes by which numbers somebody proves who they are. Arguments as for `reauthentication_required`.
    """
    if view is None:
        return partial(recent_login_required, on_get=on_get, button_label=button_label)

    def recent(request: HttpRequest) -> tuple[str, bool] | None:
        if (request.method in SAFE_METHODS and not on_get) or reauthentication.has_recent_login(request):
            return None
        return reverse("accounts:sign_in_again"), False

    def confirmed(request: HttpRequest) -> tuple[str, bool] | None:
        if request.method in SAFE_METHODS and not on_get:
            return None
        holds_a_number = queries.primary_person(user_of(request)) is not None
        return _confirmed(request) if holds_a_number else None

    return _guarded(view, (_signed_in, recent, confirmed), button_label)


def _signed_in(request: HttpRequest) -> tuple[str, bool] | None:
    return None if request.user.is_authenticated else (resolve_url(settings.LOGIN_URL), False)


def _with_phone(request: HttpRequest) -> tuple[str, bool] | None:
    if queries.primary_person(user_of(request)) is not None:
        return None
    messages.info(request, _("Add a phone number first. We use it to find your groups and to confirm it's you."))
    return reverse("home"), False


def _confirmed(request: HttpRequest) -> tuple[str, bool] | None:
    return None if reauthentication.is_confirmed(request) else (reverse("accounts:confirm"), True)


def _guarded(
    view: View,
    conditions: tuple[Condition, ...],
    button_label: Any,
    is_download: bool = False,
    goes_to: Callable[..., str] | None = None,
) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # The page that asks for the PIN has the field too, and sends it on.
        carries_out = request.method == "POST" and request.path != reverse("accounts:confirm")
        if carries_out and FIELD in request.POST and not pending_forms.restore(request):
            messages.info(request, _("This form was already sent or has expired. Send it again if needed."))
            return HttpResponseRedirect(safe_path(request.POST.get(PAGE_FIELD), request.get_full_path()))
        for condition in conditions:
            unmet = condition(request)
            if unmet is not None:
                program = goes_to(request, *args, **kwargs) if goes_to else ""
                return _redirect_unmet(
                    request, *unmet, button_label=button_label, goes_to=program, is_download=is_download
                )
        try:
            response = view(request, *args, **kwargs)
        except ReauthenticationRequired as required:
            unmet = _with_phone(request) or _confirmed(request) or (reverse("accounts:confirm"), True)
            label = required.button_label or button_label
            program = goes_to(request, *args, **kwargs) if goes_to else ""
            return _redirect_unmet(request, *unmet, button_label=label, goes_to=program)
        if not response.has_header("Cache-Control"):
            # What one person sees is nobody else's. Not no-store: the Back button must still hold what was typed; the
            # page after a sign-out empties the browser's cache instead, and pages that show a secret set their own.
            patch_cache_control(response, private=True, no_cache=True)
        return response

    return guarded


def _redirect_unmet(
    request: HttpRequest,
    address: str,
    confirms: bool,
    *,
    button_label: Any,
    goes_to: str = "",
    is_download: bool = False,
) -> HttpResponse:
    """A redirect of the whole window, also when only a fragment was asked for; not of one that asked by itself."""
    if live.is_poll(request):
        return live.ask_no_more()
    way_back = safe_path(request.get_full_path())
    if request.method in SAFE_METHODS:
        if request.headers.get("HX-Request"):
            way_back = safe_path(_enclosing_page(request))
    else:
        pending = pending_forms.save_pending_form(
            request,
            button_label=button_label,
            needs_confirmation=confirms,
            goes_to=goes_to,
            is_download=is_download,
        )
        if pending is None:
            way_back = pending_forms.get_form_page(request)
            messages.warning(request, _("A form with a file, or a very long one, must be sent again."))
        elif confirms:
            return _whole_window(request, pending.confirm_url)
        else:
            way_back = pending.confirm_url
    return _whole_window(request, f"{address}?{urlencode({'next': way_back})}")


def _enclosing_page(request: HttpRequest) -> str:
    """The page in which htmx asked for a fragment: one returns to that, not to the fragment."""
    origin = f"{request.scheme}://{request.get_host()}"
    return request.headers.get("HX-Current-URL", "").removeprefix(origin)


def _whole_window(request: HttpRequest, address: str) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)
