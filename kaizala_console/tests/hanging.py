"""A task that hangs, for real workers (tests/worker.py loads it)."""

import time

from kaizala_console.celery import app


@app.task(name="tests.hang", time_limit=2)
def hang(**kwargs: object) -> None:
    """Does not come back."""
    time.sleep(600)
