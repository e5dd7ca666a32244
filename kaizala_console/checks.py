"""System checks: advice about a configuration that starts but deserves a second look (`manage.py check --deploy`).

What must never start is refused by settings.py itself.
"""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register


@register(Tags.security, deploy=True)
def a_sandbox_is_no_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """`check --deploy` asks about production."""
    if not settings.SANDBOX:
        return []
    return [
        Warning(
            "The console is a sandbox: demo identities, and an inbox instead of SMS.",
            hint="Configure production as .env.example explains.",
            id="console.W001",
        )
    ]


@register(Tags.security, deploy=True)
def the_data_folder_is_private(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """It holds uploads and, without Redis and PostgreSQL, the database and the queue."""
    if not settings.DATA_DIR.stat().st_mode & 0o077:
        return []
    return [
        Warning(
            "CONSOLE_DATA_DIR can be read by other users of this machine.",
            hint="chmod 700 the folder.",
            id="console.W002",
        )
    ]
