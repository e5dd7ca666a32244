"""Measures how soon "ended" is true: from the commit that ends a right to the first request that is refused.

    python -m bench.revocation                              SQLite, database cache
    DATABASE_URL=… REDIS_URL=… python -m bench.revocation   PostgreSQL and Redis (for trials: rows go into them)

A real console answers while programs exchange and call without a pause. In their midst a service ends something, in
another process, as a worker or another web process would. A request that began after the commit and was accepted is
counted as late; there must be none, and the exit status is 1 when there is one. A first refusal below zero came before
the service had returned from its commit.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.servers import ROOT, console, free_port

REFUSED = (401, 403)  # the second for what was taken out of the permissions
WARM_SECONDS = 0.4
AFTER_SECONDS = 0.4
PATIENCE_SECONDS = 30


@dataclass
class Sent:
    """One request: when it began and ended (`time.perf_counter`), and the status of its answer."""

    name: str
    began: float
    ended: float
    status: int


@dataclass
class Traffic:
    """Clients that send one request after the other, each on its connection, until told to stop."""

    port: int
    calls: list[tuple[str, str, dict[str, str]]]
    clients: int
    sent: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._begun = [0.0] * self.clients  # when each has begun the last round that it has ended
        self._threads = [threading.Thread(target=self._run, args=(place,)) for place in range(self.clients)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def go_on(self, since: float, seconds: float) -> None:
        """For so long; and until each client has made all its calls since then, however slow the machine is."""
        time.sleep(seconds)
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while min(self._begun) <= since:
            if time.perf_counter() > deadline:
                raise SystemExit(f"A client has not been answered for {PATIENCE_SECONDS} seconds.")
            time.sleep(0.02)

    def _run(self, place: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        mine: list[Sent] = []
        while not self._stop.is_set():
            round_began = time.perf_counter()
            for name, path, headers in self.calls:
                began = time.perf_counter()
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                answer.read()
                mine.append(Sent(name, began, time.perf_counter(), answer.status))
            self._begun[place] = round_began
        connection.close()
        with self._lock:
            self.sent += mine


@dataclass
class Line:
    """What the rounds of one ending came to. Times in milliseconds, from the commit's return."""

    ending: str
    first_refusals: list[float] = field(default_factory=list)
    requests: int = 0
    after: int = 0
    late: int = 0
    wrong: int = 0

    def take(self, sent: list[Sent], committed: float, refused: frozenset[str]) -> None:
        """Judge the requests of one round; `refused` names the calls that the ending must refuse."""
        self.requests += len(sent)
        self.wrong += sum(1 for one in sent if one.status not in (200, *REFUSED))
        self.wrong += sum(1 for one in sent if one.name not in refused and one.status != 200)
        judged = [one for one in sent if one.name in refused]
        after = [one for one in judged if one.began > committed]
        self.after += len(after)
        self.late += sum(1 for one in after if one.status == 200)
        refusals = [one.ended for one in judged if one.status in REFUSED]
        if refusals:
            self.first_refusals.append((min(refusals) - committed) * 1000)
        else:
            self.wrong += 1

    def facts(self) -> dict[str, Any]:
        ordered = sorted(self.first_refusals)
        return {
            "ending": self.ending,
            "rounds": len(ordered),
            "first_refusal_median_ms": round(statistics.median(ordered), 2) if ordered else None,
            "first_refusal_worst_ms": round(ordered[-1], 2) if ordered else None,
            "requests": self.requests,
            "begun_after_the_commit": self.after,
            "of_these_accepted": self.late,
            "not_as_expected": self.wrong,
        }


EXCHANGE, CALL = "exchange", "call"
OF_A_PERSON = "end the user token"
BOTH = frozenset({EXCHANGE, CALL})


def endings(admin: Any) -> dict[str, tuple[Callable[[Any], Any], frozenset[str]]]:
    """What can end, by which service, and which of the two calls it must refuse."""
    from connectors.models import RefreshToken
    from connectors.services import connectors, grants, leak_reports, permissions, secrets

    return {
        "remove from the group": (lambda program: grants.revoke(grant=program.grant, by=admin), BOTH),
        "suspend the access": (lambda program: grants.suspend(grant=program.grant, by=admin), BOTH),
        "regenerate the token": (lambda program: grants.regenerate(grant=program.grant, by=admin), BOTH),
        "suspend the connector": (
            lambda program: connectors.suspend(connector=program.connector, by=program.connector.owner),
            BOTH,
        ),
        "delete the connector": (
            lambda program: connectors.delete(connector=program.connector, by=program.connector.owner),
            BOTH,
        ),
        "shrink the permissions": (
            lambda program: permissions.change(
                connector=program.connector, permissions=["textmessage"], by=program.connector.owner
            ),
            frozenset({CALL}),
        ),
        OF_A_PERSON: (lambda program: grants.revoke(grant=program.grant, by=admin), BOTH),
        "revoke the secret": (
            lambda program: secrets.revoke(secret=program.connector.secrets.get(), by=program.connector.owner),
            frozenset({EXCHANGE}),
        ),
        "report the token as leaked": (
            lambda program: leak_reports.report(
                text=program.refresh_token,
                address=str(RefreshToken.objects.get(grant=program.grant).pk),  # each round from elsewhere: throttled
            ),
            BOTH,
        ),
    }


def run(port: int, rounds: int, clients: int) -> list[dict[str, Any]]:
    """Every ending, so many times, each with a program of its own."""
    import django

    django.setup()
    from accounts.tests.factories import make_organisation, make_user
    from connectors.services import refresh_tokens, user_tokens
    from connectors.tests.factories import Program, make_connector, make_secret, person_of
    from groups.services.connectors import add_connector
    from groups.tests.factories import make_group

    number = time.time_ns() % 10**7
    organisation = make_organisation(f"Bench {number}")
    owner, admin = (make_user(f"{n}", organisation, number=f"+9197{n}{number:07d}") for n in (1, 2))
    group = make_group("Night Shift", organisation=organisation, admins=[admin])

    def program_at_work(ending: str) -> Program:
        connector = make_connector(owner, f"Bench {time.time_ns()}")
        _row, secret = make_secret(connector)
        if ending == OF_A_PERSON:
            handoff = user_tokens.generate(connector=connector, person=person_of(admin), by=admin)
        else:
            handoff = add_connector(group=group, connector_id=connector.pk, by=admin).handoff
        return Program(connector, secret, handoff.grant, handoff, refresh_tokens.unseal(handoff))

    lines = []
    for name, (act, refused) in endings(admin).items():
        line = Line(name)
        for _ in range(rounds):
            program = program_at_work(name)
            headers = program.headers()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/v1/accessToken", headers=headers)
            token = json.loads(connection.getresponse().read())["accessToken"]
            connection.close()
            calls = [(EXCHANGE, "/v1/accessToken", headers), (CALL, "/v1/groups", {"accessToken": token})]
            traffic = Traffic(port, calls, clients)
            traffic.start()
            time.sleep(WARM_SECONDS)
            act(program)
            committed = time.perf_counter()
            traffic.go_on(committed, AFTER_SECONDS)
            traffic.stop()
            line.take(traffic.sent, committed, refused)
        lines.append(line.facts())
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.revocation", description="Measures how soon an ended right is refused."
    )
    parser.add_argument("--rounds", type=int, default=10, help="for each way to end (10)")
    parser.add_argument("--clients", type=int, default=4, help="at once (4)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    port = free_port()
    with console(port) as environment:
        os.environ |= environment | {"DJANGO_SETTINGS_MODULE": "kaizala_console.settings"}
        os.chdir(ROOT)
        lines = run(port, options.rounds, options.clients)
    if options.json:
        print(json.dumps({"endings": lines}))
    else:
        print("first refusal after the commit (median, worst)   begun after it / of these accepted")
        for line in lines:
            print(
                "{first_refusal_median_ms:>10} ms  {first_refusal_worst_ms:>10} ms  {begun_after_the_commit:>8} / "
                "{of_these_accepted}  {ending}".format_map(line)
            )
    if any(line["of_these_accepted"] or line["not_as_expected"] for line in lines):
        sys.exit(1)


if __name__ == "__main__":
    main()
