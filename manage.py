#!/usr/bin/env python
"""The command line of the console: `python manage.py help` lists what it can do."""

import os
import sys
from importlib import import_module


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaizala_console.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            f"Django cannot be imported ({error}). Run `make setup`, then use .venv/bin/python."
        ) from error
    if sys.argv[1:2] in (["generate_keys"], ["scan_secrets"]):
        # One prints what a configuration still lacks, the other runs where there is none: neither may need a complete
        # one, as Django's lookup does.
        import_module(f"kaizala_console.management.commands.{sys.argv[1]}").Command().run_from_argv(sys.argv)
        return
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # The message says what to mend; fifty lines of traceback before it would hide that.
        if "--traceback" in sys.argv:
            raise
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
