"""The language that a person reads in: kept with the account, and where LocaleMiddleware looks for it, in a cookie."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponseBase
from django.utils.translation import gettext as _

from accounts.models import User
from kaizala_console.lib.errors import RuleBroken


def set_language(*, user: User, language: str) -> None:
    """Keeps the language that somebody reads in; "" for the one that their browser asks for.

    RuleBroken for a language that the console does not speak. It is nobody else's business, so no audit row.
    """
    if language and language not in dict(settings.LANGUAGES):
        raise RuleBroken(_("The console does not speak this language."), field="language")
    User.objects.filter(pk=user.pk).update(language=language)
    user.language = language


def set_language_cookie(response: HttpResponseBase, user: User) -> None:
    """Tells this browser what the person has chosen; nothing chosen takes an earlier choice back."""
    if not user.language:
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
        return
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        user.language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite="Lax",
    )
