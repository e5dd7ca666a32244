"""Work in a process that kills itself, -9, at a step: each statement that writes or locks, each commit, each message.

Before it, and before what follows it: after a commit, and after a message that has left. What only reads is no step:
who dies there has done no more and no less than who dies at the next one.

`tests/test_killed.py` starts it once, with the settings of `tests/worker.py`. It reads orders, one a line,
and forks a child for each: the child does the work, and at the step that the order names it is no more.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from functools import wraps
from typing import Any, Final

import django
from django.utils.module_loading import import_string

WRITES: Final = ("INSERT", "UPDATE", "DELETE")
PATIENCE_SECONDS: Final = 30  # of a child: it waits at most for the locks of the one before, whose end is noticed


def main() -> None:
    """Forks for each order, and tells what became of the child: on its output, where nothing else may stand."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    django.setup()
    from django.urls import get_resolver

    _ = get_resolver().url_patterns  # whatever the work imports is there before the first child is born
    for line in sys.stdin:
        print(json.dumps(_forked(json.loads(line))), file=answers, flush=True)


def request(*, method: str, path: str, data: Any, headers: dict[str, str], cookies: dict[str, str]) -> dict[str, Any]:
    """One request to the console, by all its middlewares: what a web process does."""
    from django.test import Client

    client = Client(headers={"Host": "localhost"})
    client.cookies.load(cookies)
    answer = client.generic(
        method, path, data["text"], content_type=data["type"], headers=headers, REMOTE_ADDR="198.51.100.9"
    )
    return {"status": answer.status_code, "text": answer.content.decode()}


def _forked(order: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(PATIENCE_SECONDS)
        os.close(reading)
        os.write(writing, json.dumps(_done(order)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _pid, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return {"killed": os.WTERMSIG(status) == signal.SIGKILL}
    answer: dict[str, Any] = json.loads(said) if said else {"failed": f"the child ended with {status} and said nothing"}
    return answer


def _done(order: dict[str, Any]) -> dict[str, Any]:
    steps = _Steps(order["die_at"])
    try:
        with steps.watched():
            result = import_string(order["call"])(**order["arguments"])
        return {"result": result, "steps": steps.names}
    except Exception:  # noqa: BLE001 (told to the test, which fails with it)
        return {"failed": traceback.format_exc()}


class _Steps:
    def __init__(self, last: int) -> None:
        self.names: list[str] = []
        self._last = last

    def come_to(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(self) -> Any:
        from django.db import connection

        from kaizala_console.lib import background

        commit, dispatch = connection.commit, background._dispatch

        @wraps(commit)
        def committed() -> None:
            self.come_to("commit")
            commit()
            self.come_to("committed")

        @wraps(dispatch)
        def dispatched(task: Any, kwargs: dict[str, Any]) -> None:
            self.come_to(f"message {task.name}")
            dispatch(task, kwargs)
            self.come_to(f"sent {task.name}")

        connection.commit = committed  # type: ignore[method-assign]
        background._dispatch = dispatched

        def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if sql.startswith(WRITES) or " FOR " in sql:
                self.come_to(sql[:60])
            return execute(sql, params, many, context)

        return connection.execute_wrapper(watch)


if __name__ == "__main__":
    main()
