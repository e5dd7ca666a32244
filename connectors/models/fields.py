"""A set of permissions in one readable column."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from connectors import permissions
from connectors.permissions import Permission

if TYPE_CHECKING:
    _CharField = models.CharField[Iterable[str], frozenset[Permission]]
else:
    _CharField = models.CharField


@lru_cache(maxsize=512)
def _read(stored: str) -> frozenset[Permission]:
    """The set behind what a column holds; there are 512 at the most."""
    return frozenset(Permission(part) for part in stored.split(",") if part)


class PermissionSetField(_CharField):
    """Holds a `frozenset[Permission]`, stored comma-separated in the portal's order, e.g. `groupinfo,textmessage`."""

    description = _("A set of connector permissions")

    if TYPE_CHECKING:  # what the type checker is to take for an attribute of this kind
        _pyi_private_set_type: Iterable[str]  # type: ignore[assignment]
        _pyi_private_get_type: frozenset[Permission]  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 120)
        kwargs.setdefault("default", frozenset)
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return _read(value or "")

    def to_python(self, value: Any) -> frozenset[Permission]:
        if isinstance(value, str):
            value = [part for part in value.split(",") if part]
        if not isinstance(value, Iterable):
            value = []
        try:
            return frozenset(Permission(part) for part in value)
        except ValueError as error:
            raise ValidationError(_("This is not a permission of a connector.")) from error

    def get_prep_value(self, value: Any) -> str:
        return ",".join(permissions.in_order(self.to_python(value)))

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj))

    def formfield(self, **kwargs: Any) -> Any:
        # A set is edited by the console's own form, never as free text in the operators' pages.
        return None
