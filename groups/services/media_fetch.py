"""Fetching media from an address that a program names (wire protocol §6, Media: `mediaUrl`)."""

from __future__ import annotations

from contextlib import suppress
from typing import Final
from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext as _

from connectors.authentication import Caller
from groups.media.upload import Incoming, header_parameter, largest_file
from groups.models import MediaResource
from groups.services import media
from kaizala_console.api.errors import PayloadTooLarge
from kaizala_console.lib import http_client
from kaizala_console.lib.errors import RuleBroken
from kaizala_console.lib.outbound_slots import outbound_slot

_SECONDS: Final = 30
_OK: Final = 200
_FIELD: Final = "mediaUrl"


def fetch_and_store(*, url: str, by: Caller) -> MediaResource:
    """Fetches one file from a public https address, and keeps it as `services.media.store` does.

    Its name is what the other side calls it, else the end of the address. Raises RuleBroken for `mediaUrl` when it may
    not be called or gives no file, PayloadTooLarge when the file is too large, TooSoon as `outbound_slot`, and as
    `store` does.
    """
    with Incoming("") as incoming:
        try:
            with outbound_slot(str(by.connector.pk), seconds=_SECONDS):
                answer = http_client.download(url.strip(), incoming.write, deadline=_SECONDS, max_bytes=largest_file())
        except http_client.OutboundError as problem:
            if problem.reason == "too_large":
                raise PayloadTooLarge(str(problem)) from problem
            raise RuleBroken(str(problem), field=_FIELD, code="not_fetched") from problem
        if answer.status != _OK:
            raise RuleBroken(
                _("The other side answered with status %(status)d; expected 200. Redirects are not followed.")
                % {"status": answer.status},
                field=_FIELD,
                code="not_fetched",
            )
        if not incoming.size:
            raise RuleBroken(_("The other side sent an empty file."), field=_FIELD, code="not_fetched")
        incoming.finish()
        incoming.name = _name_of(url, answer.headers.get("Content-Disposition", ""))
        incoming.content_type = answer.headers.get("Content-Type", "")
        return media.store(files=[incoming], by=by)


def _name_of(url: str, disposition: str) -> str:
    """What a Content-Disposition header calls the file (RFC 6266), else the last part of the address's path."""
    with suppress(UnicodeError):  # headers are read as Latin-1, and many servers write UTF-8
        disposition = disposition.encode("latin-1").decode()
    return header_parameter(disposition, "filename") or unquote(
        urlsplit(url.strip()).path.rpartition("/")[2], errors="replace"
    )
