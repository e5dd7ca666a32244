"""Pictures of people, groups and bots as programs name them: by an address, or by what they uploaded (ADR 0061)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from connectors.authentication import Caller
from groups.media import urls
from groups.media.kinds import MediaKind
from groups.services import media
from kaizala_console.lib import ids


@contextmanager
def address_of(given: str | None, *, caller: Caller, field: str) -> Iterator[str | None]:
    """The address to keep, for the time of a transaction: of a mediaResource its own, everything else as it came.

    Raises RuleBroken for `field` when there is no such media, when this caller may not use it, and when it is no image.
    """
    with transaction.atomic():
        if given is not None and ids.parse_guid(given) is not None:
            resource = media.resource_for(resource=given, caller=caller, kinds=(MediaKind.IMAGE,), field=field)
            given = urls.lasting_url_of(resource.files.get())
        yield given
