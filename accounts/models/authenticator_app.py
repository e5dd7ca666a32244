"""An operator's authenticator app: a TOTP device of django-otp whose key cannot be read from the database alone."""

from __future__ import annotations

import secrets
from typing import Any, Final

from django.db import models
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_totp.models import TOTPDevice

from kaizala_console.lib import crypto

_PURPOSE: Final = "authenticator-app"
_BYTES: Final = 20  # of a handle and of the key that it leads to (RFC 4226 §4, R6: 160 bits)
_BETWEEN: Final = "$"


class AuthenticatorAppManager(models.Manager["AuthenticatorApp"]):
    """Makes devices with a handle where django-otp would put the key."""

    def create(self, **fields: Any) -> AuthenticatorApp:
        """A device with a new key, which is derived from what is stored and from the newest pepper."""
        fields.setdefault("key", _BETWEEN.join([crypto.current_key_id(), secrets.token_hex(_BYTES)]))
        return super().create(**fields)


class AuthenticatorApp(TOTPDevice):
    """Codes by the clock (RFC 6238), each accepted once: `django_otp.verify_token` alone checks them.

    The server must know the key itself, so no digest will do. `key` holds a pepper's id and a random handle; the key is
    an HMAC of the handle under that pepper, which is kept apart from the database (docs/adr/0063).
    """

    objects = AuthenticatorAppManager()

    class Meta:
        proxy = True
        verbose_name = _("authenticator app")
        verbose_name_plural = _("authenticator apps")

    @property
    def has_key(self) -> bool:
        """Whether the pepper that the app was set up with is still in the ring."""
        pepper_id, between, _handle = self.key.partition(_BETWEEN)
        return not between or pepper_id in crypto.known_key_ids()

    @property
    def bin_key(self) -> bytes:
        """The 20 bytes that the app has too. Raises crypto.UnknownKey when the pepper is not in the ring any more."""
        pepper_id, between, handle = self.key.partition(_BETWEEN)
        if not between:  # set up before handles: the column is the key
            return super().bin_key
        return crypto.hmac_tag(_PURPOSE, bytes.fromhex(handle), key_id=pepper_id)[:_BYTES]
