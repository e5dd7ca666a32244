"""Watches all that outlives a request, to look for credentials in it: logs, SQL, mail, tasks, addresses, tables."""

from __future__ import annotations

import base64
import binascii
import logging
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery.signals import task_prerun
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Session

# Made to show it: the phone of the sandbox.
SHOWN_ON_PURPOSE = {"accounts_sandboxsms"}
# What a log record says of its own moment and thread: six digits of these are nobody's PIN.
OF_THE_RECORD = {"created", "msecs", "relativeCreated", "thread", "process"}
SHORTEST_DIGEST = 12  # letters and digits in one word; the last part of a UUID


class Everything(logging.Handler):
    """What was written anywhere, by place; `where(secret)` names the places that hold it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.logged: list[str] = []
        self.tasks: list[str] = []
        self.addresses: list[str] = []
        self.queries: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps all of a record, also what a formatter would leave out, before anything is struck out."""
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        facts = {name: value for name, value in record.__dict__.items() if name not in OF_THE_RECORD}
        self.logged.append(f"{record.getMessage()} {facts!r} {trace}")

    def saw(self, response: Any) -> Any:
        """Keeps where a request went and where its answer leads."""
        self.addresses.append(response.request["PATH_INFO"] + "?" + response.request.get("QUERY_STRING", ""))
        self.addresses.append(response.headers.get("Location", ""))
        return response

    def where(self, secret: str) -> list[str]:
        """The places in which this secret stands; what was sealed or digested does not count."""
        found = [
            name
            for name, texts in self._places()
            for text in texts
            if holds(text, secret) and not any(table in text for table in SHOWN_ON_PURPOSE)
        ]
        return sorted(set(found))

    def _places(self) -> Iterator[tuple[str, list[str]]]:
        yield "log", self.logged
        yield "task", self.tasks
        yield "address", self.addresses
        yield "sql", self.queries
        yield "mail", [f"{message.message()} {message.body}" for message in mail.outbox]
        yield "session", [repr(session.get_decoded()) for session in Session.objects.all()]
        for table in connection.introspection.table_names():
            if table not in SHOWN_ON_PURPOSE:
                yield f"table {table}", list(_rows(table))


@contextmanager
def watching() -> Iterator[Everything]:
    """Watches the logs at their most talkative, every statement, and every task, of this thread's requests."""
    everything = Everything()
    root = logging.getLogger()
    loggers = [root, *(logging.getLogger(name) for name in ("django", "celery", "accounts", "connectors", "groups"))]
    levels = [logger.level for logger in loggers]

    def ran(task_id: str, task: Any, args: Any, kwargs: Any, **more: Any) -> None:
        everything.tasks.append(f"{task.name} {args!r} {kwargs!r}")

    root.addHandler(everything)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    task_prerun.connect(ran)
    try:
        with CaptureQueriesContext(connection) as queries:
            yield everything
        everything.queries += [query["sql"] for query in queries.captured_queries]
    finally:
        task_prerun.disconnect(ran)
        root.removeHandler(everything)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _rows(table: str) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 (a name from the schema itself)
        for row in cursor.fetchall():
            for value in row:
                yield from _readings(value)


def _readings(value: Any) -> Iterator[str]:
    """A value as it stands, and as it reads once taken out of base 64 and deflate: sessions and caches are kept so."""
    if value is None or isinstance(value, bool | int | float):
        return
    raw = bytes(value) if isinstance(value, memoryview | bytes | bytearray) else str(value).encode()
    yield raw.decode("utf-8", "replace")
    for part in (raw, *raw.split(b":")):
        try:
            inner = base64.urlsafe_b64decode(part.replace(b"+", b"-").replace(b"/", b"_") + b"=" * (-len(part) % 4))
        except (binascii.Error, ValueError):
            continue
        yield inner.decode("utf-8", "replace")
        try:
            yield zlib.decompress(inner).decode("utf-8", "replace")
        except zlib.error:
            continue


def holds(text: str, secret: str) -> bool:
    """Whether a text tells a secret. A PIN has six digits, which by chance stand in other texts as well: in
    microseconds, in longer numbers, and in ids and digests, long words that have other digits besides.
    """
    if secret not in text or not secret.isdigit():
        return secret in text
    words = re.findall(rf"[0-9A-Za-z]*(?<![\d.]){secret}(?!\d)[0-9A-Za-z]*", text)
    return any(len(word) < SHORTEST_DIGEST or word.replace(secret, "").isalpha() for word in words)
