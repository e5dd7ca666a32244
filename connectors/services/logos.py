"""The logo of a connector: put there, replaced and removed. What was uploaded is checked, and kept without metadata."""

from __future__ import annotations

import hashlib
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import User
from connectors import policies
from connectors.models import Connector, ConnectorLogo
from connectors.services import trail
from kaizala_console.lib import clock, pictures
from kaizala_console.lib.errors import NotFound, RuleBroken

MOST_KILOBYTES: Final = 256
MOST_BYTES: Final = MOST_KILOBYTES * 1024
MOST_PIXELS: Final = 1024
FEWEST_PIXELS: Final = 32


@transaction.atomic
def put(*, connector: Connector, by: User, content: bytes, name: str, content_type: str) -> ConnectorLogo:
    """Give the connector this logo, instead of any that it has. The same again changes nothing.

    Raises NotFound for who does not own it, and RuleBroken for what is no such picture.
    """
    connector = _locked(connector)
    policies.require_owner(by, connector)
    picture = _checked(content, name, content_type)
    sha256 = hashlib.sha256(picture.content).hexdigest()
    before = connector.logo_sha256
    if before == sha256:
        return ConnectorLogo.objects.get(connector=connector)
    logo, _made = ConnectorLogo.objects.update_or_create(
        connector=connector,
        defaults={
            "content": picture.content,
            "content_type": picture.content_type,
            "sha256": sha256,
            "width": picture.width,
            "height": picture.height,
            "changed_at": clock.now(),
        },
    )
    _note(connector, by, sha256)
    return logo


@transaction.atomic
def remove(*, connector: Connector, by: User) -> Connector:
    """Take the logo away; for owners, and operators. Without one nothing happens. Raises NotFound."""
    connector = _locked(connector)
    policies.require_owner_or_operator(by, connector)
    if connector.deleted_at:
        raise NotFound
    if connector.logo_sha256:
        ConnectorLogo.objects.filter(connector=connector).delete()
        _note(connector, by, "")
    return connector


def _note(connector: Connector, by: User, sha256: str) -> None:
    before, connector.logo_sha256 = connector.logo_sha256, sha256
    connector.save(update_fields=["logo_sha256"])
    record(
        EventType.CONNECTOR_CHANGED,
        by=by,
        subject=connector,
        **trail.of_connector(connector),
        before={"logo": before},
        after={"logo": sha256},
    )


def _locked(connector: Connector) -> Connector:
    return Connector.objects.select_for_update(no_key=True).get(pk=connector.pk)


def _checked(content: bytes, name: str, content_type: str) -> pictures.Picture:
    if len(content) > MOST_BYTES:
        raise _refused(_("The picture is larger than %(most)d kB. Choose a smaller one.") % {"most": MOST_KILOBYTES})
    claim = pictures.claimed(name, content_type)
    if claim is None:
        raise _refused(_("Choose a picture whose name ends in .png, .jpg or .webp."))
    try:
        picture = pictures.read(content, most_pixels=MOST_PIXELS)
    except pictures.NotAPicture:
        picture = None
    except pictures.TooManyPixels as problem:
        raise _wrong_size(problem.width, problem.height) from problem
    if picture is None or picture.content_type != claim:
        raise _refused(_("This file is not the still picture that its name says. Save it as PNG, JPEG or WebP."))
    if min(picture.width, picture.height) < FEWEST_PIXELS:
        raise _wrong_size(picture.width, picture.height)
    return picture


def _wrong_size(width: int, height: int) -> RuleBroken:
    return _refused(
        _("The picture has %(width)d × %(height)d pixels: each side must have between %(fewest)d and %(most)d.")
        % {"width": width, "height": height, "fewest": FEWEST_PIXELS, "most": MOST_PIXELS}
    )


def _refused(text: str) -> RuleBroken:
    return RuleBroken(text, code="logo", field="logo")
