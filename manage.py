#!/usr/bin/env python
"""The command line of the console: `python manage.py help` lists what it can do."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaizala_console.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            f"Django cannot be imported ({error}). Run `make setup` and use .venv/bin/python, or activate that environment."
        ) from error
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
