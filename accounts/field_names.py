"""The names of models' fields on the operators' pages, in the reader's language.

Where a model names no field, Django makes a name of the field's own, in English. Each app lists those of its models
in its `field_names.py`, so that our catalogue has them; an upper app does not list again what a lower one has.
Migrations know nothing of this: they look at what the model says.
"""

from __future__ import annotations

from typing import Final

from django.apps import AppConfig
from django.db.models import Field
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as _

NAMES: Final = (
    _("ID"),
    _("actor id"),
    _("actor kind"),
    _("actor name"),
    _("after"),
    _("at"),
    _("attempts"),
    _("audience"),
    _("before"),
    _("block"),
    _("client address"),
    _("confirmed"),
    _("connector id"),
    _("context"),
    _("created at"),
    _("digest"),
    _("digits"),
    _("drift"),
    _("first steps put away at"),
    _("gave up at"),
    _("group id"),
    _("hash"),
    _("id"),
    _("key"),
    _("key id"),
    _("last error"),
    _("last t"),
    _("last used at"),
    _("mark"),
    _("name"),
    _("next attempt at"),
    _("number"),
    _("number tag"),
    _("organisation"),
    _("pepper id"),
    _("person"),
    _("person id"),
    _("position"),
    _("previous hash"),
    _("provisioned at"),
    _("released at"),
    _("request id"),
    _("salt"),
    _("sealed at"),
    _("sent at"),
    _("sms"),
    _("step"),
    _("subject id"),
    _("subject kind"),
    _("subject name"),
    _("superseded at"),
    _("t0"),
    _("tag"),
    _("throttling failure count"),
    _("throttling failure timestamp"),
    _("tolerance"),
    _("used at"),
    _("user"),
    _("valid until"),
    _("verified at"),
)


def translate(app: AppConfig) -> None:
    """Has the names that Django made for this app's models looked up in the catalogue."""
    for model in app.get_models():
        for field in model._meta.get_fields():
            # What a model itself says is a lazy text already.
            if isinstance(field, Field) and type(field.verbose_name) is str:
                field.verbose_name = gettext_lazy(field.verbose_name)
