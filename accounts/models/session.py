"""Sessions of the console: Django's own, but a row's key is a keyed digest of the cookie (docs/adr/0074)."""

from __future__ import annotations

from typing import Any, Final, cast

from django.contrib import auth
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import clock
from kaizala_console.lib.prepared import Prepared


class Session(AbstractBaseSession):
    """A session, and whose it is. Who reads this table cannot tell any cookie."""

    session_key = models.CharField(_("session key"), max_length=64, primary_key=True)
    user = models.ForeignKey(
        "accounts.User", verbose_name=_("user"), on_delete=models.CASCADE, null=True, related_name="sessions"
    )

    class Meta:
        verbose_name = _("session")  # in our words, because Django has none in Hindi
        verbose_name_plural = _("sessions")

    @classmethod
    def get_session_store_class(cls) -> type[SessionStore]:
        return SessionStore


class SessionStore(DatabaseSessionStore):
    """As Django's; `session_key` is the cookie's value, and stands in no table."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def load(self) -> dict[str, Any]:
        row = _ROW.first(key=row_key(self.session_key), now=clock.now())
        if row is None:
            self._session_key = None  # a cookie that opens nothing is not taken over
            return {}
        return self.decode(row.session_data)

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(pk=row_key(session_key)).exists()

    def delete(self, session_key: str | None = None) -> None:
        Session.objects.filter(pk=row_key(session_key or self.session_key)).delete()

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        row = cast(Session, super().create_model_instance(data))
        row.session_key, row.user_id = row_key(row.session_key), data.get(auth.SESSION_KEY)
        return row


_ROW: Final = Prepared(
    lambda key, now: Session.objects.filter(pk=key, expire_date__gt=now),
    key=models.CharField(),
    now=models.DateTimeField(),
)


def row_key(cookie: str | None) -> str:
    """Return the key of the row of the session that this cookie opens; "" without a cookie."""
    if not cookie:
        return ""
    return salted_hmac("kaizala_console.session", cookie, algorithm="sha256").hexdigest()
