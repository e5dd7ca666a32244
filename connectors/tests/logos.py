"""Logos for tests: a file as browsers send it, and a connector that has one."""

from __future__ import annotations

from accounts.models import User
from connectors.models import Connector, ConnectorLogo
from connectors.services import connectors
from kaizala_console.lib.tests.picture_files import png


class PngFile:
    """A file in a form; it can be sent again and again."""

    def __init__(self, content: bytes = b"", name: str = "logo.png", content_type: str = "image/png") -> None:
        self.content, self.name, self.content_type = content or png(), name, content_type

    def read(self) -> bytes:
        """All of it, each time."""
        return self.content


def put(connector: Connector, *, by: User | None = None, content: bytes = b"") -> ConnectorLogo:
    """A grey square, or this PNG."""
    content = content or png()
    logo = connectors.set_logo(
        connector=connector, by=by or connector.owner, content=content, name="a.png", content_type="image/png"
    )
    connector.refresh_from_db()
    return logo


def with_logo(connector: Connector) -> Connector:
    """The connector, with a logo."""
    put(connector)
    return connector
