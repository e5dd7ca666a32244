"""The frame as a Django app: it brings management commands, system checks and translations, and no model."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FrameConfig(AppConfig):
    """Registers the system checks, and the help pages with the search from anywhere, when Django starts."""

    name = "kaizala_console"
    verbose_name = _("Kaizala Console")

    def ready(self) -> None:
        import_module("kaizala_console.checks")
        from accounts import places
        from kaizala_console.help import places_of_help

        places.register(places_of_help)
