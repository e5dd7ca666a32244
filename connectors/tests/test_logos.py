"""The logo of a connector: who puts it there, what is taken, and what the trail keeps."""

from __future__ import annotations

import hashlib

import pytest
from django.db import IntegrityError, transaction

from accounts.models import AuditEvent, User
from connectors.models import Connector, ConnectorLogo
from connectors.services import connectors
from connectors.tests.logos import put
from kaizala_console.lib.errors import NotFound, RuleBroken
from kaizala_console.lib.tests import picture_files as files

pytestmark = pytest.mark.django_db


def changes() -> list[tuple[object, object]]:
    events = AuditEvent.objects.filter(tag="connector:details:changed").order_by("pk")
    return [(event.before, event.after) for event in events]


def test_an_owner_puts_replaces_and_removes_it_and_the_trail_has_hashes(
    connector: Connector, developer: User, member: User
) -> None:
    connector.co_owners.add(member)
    first = put(connector)
    second = put(connector, by=member, content=files.WITH_TEXTS)
    assert ConnectorLogo.objects.get().sha256 == second.sha256 == connector.logo_sha256
    assert hashlib.sha256(second.content).hexdigest() == second.sha256
    assert (second.content_type, second.width, second.height) == ("image/png", 40, 33)
    assert b"taken at home" not in second.content
    connectors.remove_logo(connector=connector, by=developer)
    connector.refresh_from_db()
    assert connector.logo_sha256 == ""
    assert not ConnectorLogo.objects.exists()
    assert changes() == [
        ({"logo": ""}, {"logo": first.sha256}),
        ({"logo": first.sha256}, {"logo": second.sha256}),
        ({"logo": second.sha256}, {"logo": ""}),
    ]


def test_the_same_again_is_nothing(connector: Connector, developer: User) -> None:
    assert put(connector).changed_at == put(connector).changed_at
    connectors.remove_logo(connector=connector, by=developer)
    connectors.remove_logo(connector=connector, by=developer)
    assert len(changes()) == 2


@pytest.mark.parametrize("who", ["stranger", "organisation_admin", "outsider", "operator"])
def test_nobody_else_puts_one_there(connector: Connector, who: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(NotFound):
        put(connector, by=request.getfixturevalue(who))
    assert not ConnectorLogo.objects.exists()


@pytest.mark.parametrize("who", ["stranger", "organisation_admin", "outsider"])
def test_nobody_else_but_operators_removes_it(
    connector: Connector, operator: User, who: str, request: pytest.FixtureRequest
) -> None:
    put(connector)
    with pytest.raises(NotFound):
        connectors.remove_logo(connector=connector, by=request.getfixturevalue(who))
    assert ConnectorLogo.objects.exists()
    connectors.remove_logo(connector=connector, by=operator)
    assert not ConnectorLogo.objects.exists()


@pytest.mark.parametrize(
    ("content", "name", "content_type", "says"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg", "image/svg+xml", "Choose a .png, .jpg or .webp file."),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            "a.png",
            "image/png",
            "This file is not a valid picture. Save it as PNG, JPEG or WebP.",
        ),
        (
            b"\x89PNG\r\n\x1a\n<html><script>alert(1)</script>",
            "a.png",
            "image/png",
            "This file is not a valid picture. Save it as PNG, JPEG or WebP.",
        ),
        (files.JPEG, "a.png", "image/png", "This file is not a valid picture. Save it as PNG, JPEG or WebP."),
        (files.JPEG, "a.jpg", "image/png", "Choose a .png, .jpg or .webp file."),
        (files.MOVING, "a.webp", "image/webp", "This file is not a valid picture. Save it as PNG, JPEG or WebP."),
        (files.png(31, 48), "a.png", "image/png", "31 × 48 pixels"),
        (files.png(48, 1025), "a.png", "image/png", "48 × 1025 pixels"),
        (files.png() + bytes(connectors.MOST_LOGO_BYTES), "a.png", "image/png", "larger than 256 kB"),
    ],
)
def test_what_is_no_such_picture_is_refused(
    connector: Connector, developer: User, content: bytes, name: str, content_type: str, says: str
) -> None:
    with pytest.raises(RuleBroken, match=says) as refused:
        connectors.set_logo(connector=connector, by=developer, content=content, name=name, content_type=content_type)
    assert refused.value.field == "logo"
    assert not ConnectorLogo.objects.exists()
    assert changes() == []


@pytest.mark.parametrize("side", [32, 1024])
def test_the_bounds_themselves_are_taken(connector: Connector, side: int) -> None:
    assert put(connector, content=files.png(side, side)).width == side


def test_a_polyglot_is_kept_without_what_it_hides(connector: Connector) -> None:
    hidden = b"<html><script>alert(1)</script>"
    logo = put(connector, content=files.png() + hidden)
    assert hidden not in logo.content


def test_a_deleted_connector_has_none_and_gets_none(connector: Connector, developer: User, operator: User) -> None:
    put(connector)
    connectors.delete(connector=connector, by=developer)
    connector.refresh_from_db()
    assert connector.logo_sha256 == ""
    assert not ConnectorLogo.objects.exists()
    for by in (developer, operator):
        with pytest.raises(NotFound):
            connectors.remove_logo(connector=connector, by=by)
    with pytest.raises(NotFound):
        put(connector, by=developer)


def test_the_table_takes_no_other_type(connector: Connector) -> None:
    with pytest.raises(IntegrityError, match="logo_is_a_picture"), transaction.atomic():
        ConnectorLogo.objects.create(
            connector=connector, content=b"<svg/>", content_type="image/svg+xml", sha256="0" * 64, width=48, height=48
        )
