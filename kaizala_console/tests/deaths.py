"""Has the same work killed at its first step, at its second, and so on, until it is done; and tells what each left."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from accounts.models import AuditEvent, Notice
from connectors.models import AuthorizationCode, Grant, Handoff, OneTimeSecret, RefreshToken

ROOT = Path(__file__).resolve().parent.parent.parent
MOST_STEPS = 250
ANSWER_SECONDS = 60
ENDS = ("claimed_at", "refused_at", "expired_at", "withdrawn_at", "revealed_at")
MODELS: dict[Any, tuple[str, ...]] = {
    Grant: ("pk", "revoked_at", "suspended_at", "permissions"),
    RefreshToken: ("pk", "grant_id", "predecessor_id", "revoked_at", "first_used_at"),
    Handoff: ("pk", "refresh_token_id", "notice_id", *ENDS),
    Notice: ("template", "user_id"),
    AuditEvent: ("tag", "subject_id"),
    OneTimeSecret: ("subject_id",),
    AuthorizationCode: ("used_at", "refresh_token_id"),
}
State = dict[str, list[tuple[Any, ...]]]


def state() -> State:
    """Everything that a handoff and a rotation write, but for what chance and the clock say of it."""
    found = {model.__name__: sorted(model.objects.values_list(*names), key=repr) for model, names in MODELS.items()}
    sealed = Handoff.objects.exclude(sealed=None).values_list("pk", flat=True)
    return {**found, "sealed": sorted((pk,) for pk in sealed)}


class Deaths:
    """One process, whose children die."""

    def __init__(self, smtp_port: int = 1) -> None:
        variables = {
            "DJANGO_SETTINGS_MODULE": "kaizala_console.tests.worker",
            "CONSOLE_TEST_DATABASE": str(connection.settings_dict["NAME"]),
            "CONSOLE_TEST_SMTP_PORT": str(smtp_port),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kaizala_console.tests.dying_process"],
            cwd=ROOT,
            env=os.environ | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def order(self, call: str, *, die_at: int = 0, **arguments: Any) -> dict[str, Any]:
        """Have it done; `{"killed": True}` when it died at that step."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"call": call, "arguments": arguments, "die_at": die_at}) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_SECONDS)
        assert ready, f"no answer to {call} in {ANSWER_SECONDS} seconds"
        line = self._process.stdout.readline()
        assert line, "the process itself has ended: what it said stands above"
        answer: dict[str, Any] = json.loads(line)
        assert answer.get("killed", True), "it died of something else than this test"
        assert "failed" not in answer, answer.get("failed")
        return answer

    def everywhere(self, call: str, **arguments: Any) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each step's number, when the work has died there; and the last time what came of it."""
        for step in range(1, MOST_STEPS):
            answer = self.order(call, die_at=step, **arguments)
            yield step, answer
            if "killed" not in answer:
                return
        pytest.fail(f"{call} is not done after {MOST_STEPS} steps")

    def leave_all_or_nothing(self, call: str, **arguments: Any) -> dict[str, Any]:
        """The answer of the first work that was let live, after as many deaths as there are steps.

        No death leaves anything else than what was before, or what is there when all is done.
        """
        before, seen, answers = state(), [], []
        for _step, answer in self.everywhere(call, **arguments):
            answers.append(answer)
            seen.append(state())
        after = seen[-1]
        assert after != before, "nothing was done"
        first = next(number for number, one in enumerate(seen) if one != before)
        assert first, "it was never killed before it wrote"
        for number, one in enumerate(seen[first:], first + 1):
            assert one == after, f"killed at step {number} it leaves something half done: {_difference(one, after)}"
        return answers[-1]

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=10)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


def _difference(one: State, other: State) -> dict[str, Any]:
    return {name: (rows, other[name]) for name, rows in one.items() if rows != other[name]}
