"""A form that makes something carries a random key: see `connectors.views.once`."""

from connectors.views.once import form_key_of, id_for

__all__ = ["form_key_of", "id_for"]
