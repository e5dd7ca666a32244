"""A web process that kills itself before the statement that a request names. Installed by `tests/worker.py` alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse

HEADER = "X-Die-Before"
ANSWER = "answer"


class DyingMiddleware:
    """`X-Die-Before: 7` kills the process before the seventh statement that writes or locks of this request.

    `X-Die-Before: answer` kills it when all is committed, before the answer leaves.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Counts, and says in the answer how many there were."""
        named = request.headers.get(HEADER, "")
        last = int(named) if named.isdigit() else 0
        count = 0

        def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            nonlocal count
            if sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE", "SAVEPOINT")) or "FOR " in sql:
                count += 1
                if count == last:
                    os.kill(os.getpid(), signal.SIGKILL)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(watch):
            response = self.get_response(request)
        if named == ANSWER:
            os.kill(os.getpid(), signal.SIGKILL)
        response.headers["X-Statements"] = str(count)
        return response
