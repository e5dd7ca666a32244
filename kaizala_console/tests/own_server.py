"""The ``live_server`` of pytest-django, by the console's own web server: journeys go through what users have.

The root conftest.py loads this as a pytest plugin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
import uvicorn
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.db import connections
from django.test.testcases import LiveServerThread

from kaizala_console.server.worker import bound, configured

MOST_CONNECTIONS = 400


class OwnServer:
    """What Django's thread for tests expects of a server of wsgiref."""

    def __init__(
        self, address: tuple[str, int], *_handler: Any, connections_override: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        self._override = connections_override or {}
        self._listener = bound(*address)
        self._listener.listen(128)  # whoever calls before the loop runs waits for it
        self.server_address: tuple[str, int] = self._listener.getsockname()[:2]

    def set_app(self, _handler: Any) -> None:
        """Take the application that is served in earnest, with static files as Django's own server gives them."""
        from kaizala_console import wsgi
        from kaizala_console.server.connection import Connection
        from kaizala_console.server.serving import Worker

        inner = wsgi.with_the_scheme_of_the_proxy(StaticFilesHandler(wsgi.handler), settings.TRUSTED_PROXIES)

        def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            for alias, connection in self._override.items():  # a database in memory is the test's own connection
                connections[alias] = connection
            return inner(environ, start_response)

        class Here(Connection):
            worker = Worker(application, self.server_address, connections_most=MOST_CONNECTIONS)

        self._server = uvicorn.Server(configured(Here))

    def serve_forever(self) -> None:
        self._server.run(sockets=[self._listener])

    def shutdown(self) -> None:
        self._server.should_exit = True

    def server_close(self) -> None:
        """The loop closes its socket."""


@pytest.fixture(scope="session")
def _own_server() -> Iterator[None]:
    server: Any = LiveServerThread
    before, server.server_class = server.server_class, OwnServer
    yield
    server.server_class = before


@pytest.fixture(scope="session")
def live_server(_own_server: None, live_server: Any) -> Any:
    return live_server
