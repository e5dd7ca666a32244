"""Measures the exchange and an authenticated call inside one process: what our own code and the database cost, no HTTP.

    python -m bench.token_exchange                      SQLite in a folder of its own
    DATABASE_URL=… python -m bench.token_exchange       PostgreSQL (a database for trials: rows go into it)

One thread, one connection. The figures are for comparing two states of this code on one machine.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable


def measure(act: Callable[[], object], seconds: float) -> dict[str, float]:
    """How long one takes, in microseconds, how many there are in a second, and what this process computes for one.

    The last says something on a busy machine too: it leaves out the waiting, and the database's own work.
    """
    act()
    times = []
    computed = time.process_time()
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        act()
        times.append((time.perf_counter() - began) * 1_000_000)
    computed = time.process_time() - computed
    times.sort()
    return {
        "per_second": round(len(times) / seconds, 1),
        "median_us": round(statistics.median(times), 1),
        "p99_us": round(times[int(len(times) * 0.99)], 1),
        "computing_us": round(computed / len(times) * 1_000_000, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.token_exchange", description="Measures the exchange and a call inside one process."
    )
    parser.add_argument("--seconds", type=float, default=3, help="for each (3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="console-bench-", ignore_cleanup_errors=True) as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "kaizala_console.settings",
            "CONSOLE_DATA_DIR": folder,
            "SANDBOX_ON_POSTGRESQL": "1",
            "THROTTLE_CONNECTOR_PER_MINUTE": "100000000",
            "THROTTLE_TENANT_PER_MINUTE": "100000000",
        }
        figures = run(options.seconds)
    if options.json:
        print(json.dumps(figures))
        return
    for name, line in figures.items():
        print(
            "{median_us:>9} µs  {p99_us:>9} µs (99 %)  {computing_us:>9} µs (computing)  {per_second:>9} /s".format_map(
                line
            ),
            f" {name}",
        )


def run(seconds: float) -> dict[str, dict[str, float]]:
    """Makes a program and measures it; the name of each figure says how many statements it is."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import RequestFactory
    from django.test.utils import CaptureQueriesContext

    from accounts.tests.factories import make_organisation, make_user
    from connectors import authentication, token_format
    from connectors.services import token_exchange, usage
    from connectors.tests.factories import make_connector, make_program
    from kaizala_console.lib import clock, ids

    call_command("migrate", verbosity=0)
    organisation = make_organisation("Bench")
    owner, admin = (make_user(name, organisation, number=f"+9197{time.time_ns() % 10**8:08d}") for name in ("O", "A"))
    program = make_program(make_connector(owner), admin)

    def exchange() -> token_exchange.Exchange:
        return token_exchange.exchange(
            connector_id=str(program.connector.pk),
            secret=program.secret,
            refresh_token=program.refresh_token,
            address="192.0.2.1",
        )

    access_token = exchange().access_token
    request = RequestFactory().get("/v1/users/me", headers={"accessToken": access_token})
    grant_id, end = ids.new_id(), clock.now()
    acts: dict[str, Callable[[], object]] = {
        "mint an access token": lambda: token_format.mint_access_token(
            refresh_token_id=1, grant_id=grant_id, generation=0, expires_at=end
        ),
        "read an access token": lambda: token_format.read_access_token(access_token),
        "exchange": exchange,
        "authenticate a call": lambda: authentication.authenticate(request),
        "count a call against both limits": lambda: usage.check_rate_limit(program.connector),
    }
    figures = {}
    for name, act in acts.items():
        with CaptureQueriesContext(connection) as captured:
            act()
        figures[f"{name} ({len(captured)} statements)"] = measure(act, seconds)
    connection.close()
    return figures


if __name__ == "__main__":
    main()
