"""The frame as a Django app: it brings management commands, system checks and translations, and no model."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from kaizala_console import telemetry


class FrameConfig(AppConfig):
    """Registers the system checks, and begins to report, when Django starts."""

    name = "kaizala_console"
    verbose_name = _("Kaizala Console")

    def ready(self) -> None:
        import_module("kaizala_console.checks")
        telemetry.start()
