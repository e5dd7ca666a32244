"""A form that makes something carries a random key: see `connectors.pages.once`."""

from connectors.pages.once import form_key_of, id_for

__all__ = ["form_key_of", "id_for"]
