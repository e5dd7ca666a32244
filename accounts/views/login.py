"""Signing in by allauth, with Office365 alone (in a sandbox, with its identities), and the page after signing out.

allauth stores nothing of it. Our `User` row is found by tenant and object id (accounts.services.login), so there are
no social accounts to connect, no sign-up form, and no token of Office365 in any session or table. The pages are
allauth's, drawn with our components (templates/account/login.html).
"""

from __future__ import annotations

from typing import Any

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base.constants import AuthError, AuthProcess
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.services import login as sign_in
from accounts.services import reauthentication, sessions, users
from kaizala_console.lib.errors import NotAllowed

logger = structlog.get_logger(__name__)

OFFICE365 = "office365"
SANDBOX = "dummy"


class AccountAdapter(DefaultAccountAdapter):
    """There are no local accounts."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def post_login(self, request: HttpRequest, user: Any, **hook: Any) -> HttpResponse:
        """Notes when this was."""
        login: SocialLogin = hook["signal_kwargs"]["sociallogin"]
        reauthentication.note_login(request.session, user, claims=_get_claims(login))
        sessions.note_sign_in(request.session)
        answer: HttpResponse = super().post_login(request, user, **hook)
        if user.language:
            users.set_language_cookie(answer, user)
        return answer


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Decides who comes in, after allauth has checked issuer, audience, expiry, state and PKCE."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Puts our account in place of what allauth would look up or make; refuses with a page that says why."""
        sociallogin.token = (
            None  # allauth would put it into the session; nothing here calls Office365 in anybody's name
        )
        try:
            if sociallogin.state.get("process", AuthProcess.LOGIN) != AuthProcess.LOGIN:
                raise NotAllowed(_("Accounts can’t be linked here."), code="no_connect")
            identity = sign_in.read_identity(_get_claims(sociallogin))
            sociallogin.user = sign_in.sign_in(identity=identity)
            _handle_existing_session(request, sociallogin)
        except NotAllowed as error:
            answer = render_authentication_error(
                request,
                sociallogin.provider,
                error=AuthError.DENIED,
                exception=error,
                extra_context={"reason": str(error), "reason_code": error.code},
            )
            raise ImmediateHttpResponse(answer) from error

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def get_requests_session(self) -> Any:
        """The session by which allauth asks the provider; a provider that is down gets a page, not a stack trace.

        allauth itself catches what fails while a code is traded, but not while it reads the provider's addresses.
        """
        session = super().get_requests_session()
        ask = session.request

        def ask_or_tell(method: str, url: str, **options: Any) -> Any:
            try:
                answer = ask(method, url, **options)
                if method.upper() == "GET":
                    answer.raise_for_status()
                    answer.json()
            except (OSError, ValueError) as error:  # those of requests are both
                raise ImmediateHttpResponse(_unavailable_page(error)) from error
            return answer

        session.request = ask_or_tell
        return session

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """Notes what happened; of the exception only its kind, since its text may hold an answer of the provider."""
        logger.warning(
            "sign_in.failed",
            provider=getattr(provider, "sub_id", ""),
            error=error,
            exception=type(exception).__name__ if exception else "",
            code=getattr(exception, "code", ""),
        )


def _handle_existing_session(request: HttpRequest, sociallogin: SocialLogin) -> None:
    """What happens to the session that the browser has: the same person keeps it, anybody else begins at Home.

    allauth would sign the same person out first, and with the session would go what they had typed and confirmed.
    """
    if request.user.is_authenticated:
        if request.user == sociallogin.user:
            request.user = AnonymousUser()
            request.session.cycle_key()
        else:
            sociallogin.state["next"] = reverse("home")


def _unavailable_page(error: Exception) -> HttpResponse:
    reason = _("Office365 isn’t responding. Try again in a few minutes.")
    answer = render_authentication_error(context.request, None, exception=error, extra_context={"reason": reason})
    answer.status_code = 503
    return answer


def _get_claims(sociallogin: SocialLogin) -> dict[str, Any]:
    """The claims of the id token; of the sandbox's identity page only in a sandbox. Empty for anything else."""
    provider, found = sociallogin.account.provider, sociallogin.account.extra_data
    if provider == OFFICE365:
        claims = found.get("id_token")
    else:
        claims = found if provider == SANDBOX and settings.SANDBOX else None
    return claims if isinstance(claims, dict) else {}


@require_GET
@never_cache
def signed_out(request: HttpRequest) -> HttpResponse:
    """Says so, and has the browser forget the pages it kept, so that the Back button shows none of them."""
    if request.user.is_authenticated:
        return redirect("home")
    response = render(request, "accounts/signed_out.html")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response
