"""The frame: settings, URLs, entry points, shared tools and the wire. No business rule, no model."""

from kaizala_console.celery import app as celery_app

__all__ = ["celery_app"]
