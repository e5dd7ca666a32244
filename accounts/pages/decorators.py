"""What a page asks of its visitor: signed in, a verified phone, a fresh confirmation, a sign-in of just now.

Each asks for all that stand before it. A form that meets a closed door is kept (accounts/pages/kept_forms.py): its
sender signs in, adds a phone number or confirms, lands on the form again, filled, and presses the button once more.
Nothing is ever done by the return itself.

    @require_http_methods(["GET", "POST"])
    @freshly_confirmed(press=_("Create Connector"), sensitive=["webhook_secret"])
    def create(request): ...

    @require_POST
    @freshly_confirmed(form_at="connectors:handoff", press=_("Claim"))
    def claim(request, handoff_id): ...
"""

from __future__ import annotations

from collections.abc import Callable, Collection
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
from accounts.pages import kept_forms
from accounts.pages.kept_forms import kept_form, safe_path
from accounts.services import confirmations, recent_sign_in
from kaizala_console.lib import live

__all__ = ["freshly_confirmed", "kept_form", "recently_signed_in", "safe_path", "signed_in", "user_of", "with_phone"]

View = Callable[..., HttpResponseBase]
# The door that is closed: its address, and why a form is kept there; None when it is open.
Door = Callable[[HttpRequest], "tuple[str, str] | None"]
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def user_of(request: HttpRequest) -> User:
    """The signed-in account; for views behind `signed_in`."""
    return cast(User, request.user)


def signed_in(
    view: View | None = None,
    *,
    form_at: str | Callable[..., str] | None = None,
    press: Any = "",
    sensitive: Collection[str] = (),
) -> Any:
    """Lets signed-in people in; others sign in first, and lose nothing that they typed.

    `form_at` is the URL name (reversed with this view's own arguments), or a function of them, of the page that shows
    the form, when that is another than this view's own. `press` is the label of its button. `sensitive` names fields
    that are not kept.
    """
    if view is None:
        return partial(signed_in, form_at=form_at, press=press, sensitive=sensitive)
    return _guarded(view, (_signed_in,), form_at=form_at, press=press, sensitive=sensitive)


def with_phone(
    view: View | None = None,
    *,
    form_at: str | Callable[..., str] | None = None,
    press: Any = "",
    sensitive: Collection[str] = (),
) -> Any:
    """Lets in who is signed in and holds a verified phone number; others add one first. Arguments: as `signed_in`."""
    if view is None:
        return partial(with_phone, form_at=form_at, press=press, sensitive=sensitive)
    return _guarded(view, (_signed_in, _with_phone), form_at=form_at, press=press, sensitive=sensitive)


def freshly_confirmed(
    view: View | None = None,
    *,
    on_get: bool = False,
    form_at: str | Callable[..., str] | None = None,
    press: Any = "",
    sensitive: Collection[str] = (),
) -> Any:
    """Lets in who confirmed by PIN or TOTP within `STEP_UP_SECONDS`; others with a phone confirm first.

    Asks on unsafe methods only, unless `on_get`: then the page itself is behind the confirmation, and its form is
    mostly sent without a second question. Other arguments as for `signed_in`.
    """
    if view is None:
        return partial(freshly_confirmed, on_get=on_get, form_at=form_at, press=press, sensitive=sensitive)

    def fresh(request: HttpRequest) -> tuple[str, str] | None:
        return None if request.method in SAFE_METHODS and not on_get else _freshly_confirmed(request)

    return _guarded(view, (_signed_in, _with_phone, fresh), form_at=form_at, press=press, sensitive=sensitive)


def recently_signed_in(
    view: View | None = None,
    *,
    on_get: bool = False,
    form_at: str | Callable[..., str] | None = None,
    press: Any = "",
    sensitive: Collection[str] = (),
) -> Any:
    """Lets in who signed in within `SIGN_IN_AGAIN_SECONDS`, and confirmed freshly if they hold a number to do so with.

    For what changes by which numbers somebody proves who they are. Arguments as for `freshly_confirmed`.
    """
    if view is None:
        return partial(recently_signed_in, on_get=on_get, form_at=form_at, press=press, sensitive=sensitive)

    def recent(request: HttpRequest) -> tuple[str, str] | None:
        if (request.method in SAFE_METHODS and not on_get) or recent_sign_in.is_recent(request):
            return None
        return reverse("accounts:sign_in_again"), kept_forms.SIGNED_IN_AGAIN

    def fresh(request: HttpRequest) -> tuple[str, str] | None:
        if request.method in SAFE_METHODS and not on_get:
            return None
        holds_a_number = queries.primary_person(user_of(request)) is not None
        return _freshly_confirmed(request) if holds_a_number else None

    return _guarded(view, (_signed_in, recent, fresh), form_at=form_at, press=press, sensitive=sensitive)


def _signed_in(request: HttpRequest) -> tuple[str, str] | None:
    return None if request.user.is_authenticated else (resolve_url(settings.LOGIN_URL), kept_forms.SIGNED_OUT)


def _with_phone(request: HttpRequest) -> tuple[str, str] | None:
    if queries.primary_person(user_of(request)) is not None:
        return None
    messages.info(request, _("Add a phone number first: it shows what you administer, and it confirms what you do."))
    return reverse("accounts:home"), kept_forms.PHONE_ADDED


def _freshly_confirmed(request: HttpRequest) -> tuple[str, str] | None:
    return None if confirmations.is_fresh(request) else (reverse("accounts:confirm"), kept_forms.CONFIRMED)


def _guarded(
    view: View,
    doors: tuple[Door, ...],
    *,
    form_at: str | Callable[..., str] | None,
    press: Any,
    sensitive: Collection[str],
) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        for door in doors:
            closed = door(request)
            if closed is not None:
                address, reason = closed
                back = _way_back(request, kwargs, form_at, reason=reason, press=press, sensitive=sensitive)
                return _sent_to(request, f"{address}?{urlencode({'next': back})}")
        if request.method in SAFE_METHODS:
            kept_forms.welcome_back(request)
        else:
            kept_forms.forget(request)
        response = view(request, *args, **kwargs)
        if not response.has_header("Cache-Control"):
            # What one person sees is nobody else's. Not no-store: the Back button must still hold what was typed; the
            # page after a sign-out empties the browser's cache instead, and pages that show a secret set their own.
            patch_cache_control(response, private=True, no_cache=True)
        return response

    return guarded


def _way_back(
    request: HttpRequest,
    kwargs: dict[str, Any],
    form_at: str | Callable[..., str] | None,
    *,
    reason: str,
    press: Any,
    sensitive: Collection[str],
) -> str:
    """Where the visitor returns to: this page, or the page of the form that was just sent, with what was typed."""
    here = safe_path(request.get_full_path())
    if request.method in SAFE_METHODS:
        return safe_path(_page_around(request)) if request.headers.get("HX-Request") else here
    page = here if form_at is None else form_at(**kwargs) if callable(form_at) else reverse(form_at, kwargs=kwargs)
    return kept_forms.keep(request, page=page, reason=reason, press=press, sensitive=sensitive)


def _page_around(request: HttpRequest) -> str:
    """The page in which htmx asked for a fragment: one returns to that, not to the fragment."""
    origin = f"{request.scheme}://{request.get_host()}"
    return request.headers.get("HX-Current-URL", "").removeprefix(origin)


def _sent_to(request: HttpRequest, address: str) -> HttpResponse:
    """A redirect of the whole window, also when only a fragment was asked for; not of one that asked by itself."""
    if live.is_poll(request):
        return live.ask_no_more()
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)
