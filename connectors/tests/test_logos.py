"""The logo of a connector: who puts it there, what is taken, how it is served and where it is shown."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors.models import Connector, ConnectorLogo
from connectors.services import connectors
from connectors.tests import factories
from connectors.tests.html_forms import form_to
from connectors.tests.logos import PngFile, put
from kaizala_console.lib.errors import NotFound, RuleBroken
from kaizala_console.lib.tests import picture_files as files

pytestmark = pytest.mark.django_db

Browser = Callable[..., Client]
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
HTML = b"<html><script>alert(1)</script>"
OTHER_FILE, NO_PICTURE = "Choose a .png, .jpg or .webp file.", "This file is not a valid picture."


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


def changes() -> list[tuple[object, object]]:
    events = AuditEvent.objects.filter(tag="connector:details:changed").order_by("pk")
    return [(event.before, event.after) for event in events]


def test_an_owner_changes_it_and_the_trail_has_hashes(connector: Connector, developer: User, member: User) -> None:
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


@pytest.mark.parametrize(
    ("content", "name", "content_type", "says"),
    [
        (SVG, "a.svg", "image/svg+xml", OTHER_FILE),
        (SVG, "a.png", "image/png", NO_PICTURE),
        (b"\x89PNG\r\n\x1a\n" + HTML, "a.png", "image/png", NO_PICTURE),
        (files.JPEG, "a.png", "image/png", NO_PICTURE),
        (files.JPEG, "a.jpg", "image/png", OTHER_FILE),
        (files.MOVING, "a.webp", "image/webp", NO_PICTURE),
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
def test_the_bounds_themselves_are_taken_and_what_a_polyglot_hides_is_not(connector: Connector, side: int) -> None:
    logo = put(connector, content=files.png(side, side) + HTML)
    assert logo.width == side
    assert HTML not in logo.content


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


def at(name: str, connector: Connector, *more: Any) -> str:
    return reverse(f"connectors:{name}", args=[connector.pk, *more])


def picture(connector: Connector) -> str:
    """Where the logo is served."""
    return at("logo_file", connector, connector.logo_sha256)


def test_an_owner_puts_replaces_and_removes_it(connector: Connector, developer: User, browser_of: Browser) -> None:
    client = browser_of(developer)
    assert at("logo", connector) in client.get(at("change", connector)).content.decode()
    form = form_to(client.get(at("logo", connector)), at("logo", connector))
    for content in (files.png(), files.WITH_TEXTS):
        answer = form.send(client, {"logo": PngFile(content)}, follow=True)
        connector.refresh_from_db()
        assert picture(connector) in answer.content.decode()
    remove = form_to(client.get(at("logo", connector)), at("logo_remove", connector))
    for _ in range(2):  # pressed twice
        assert remove.send(client).status_code == 302
    assert not ConnectorLogo.objects.exists()
    assert at("logo_remove", connector) not in client.get(at("logo", connector)).content.decode()


@pytest.mark.parametrize("file", ["", PngFile(SVG), PngFile(files.png() + bytes(256 * 1024))])
def test_what_is_refused_is_told_at_the_field(client: Client, connector: Connector, file: Any) -> None:
    page = client.post(at("logo", connector), {"logo": file})
    assert page.status_code == 400
    assert 'id="id_logo_error"' in page.content.decode()
    assert not ConnectorLogo.objects.exists()


@pytest.mark.parametrize("who", ["developer", "member", "stranger", "organisation_admin"])
def test_who_may_see_the_connector_gets_the_picture(
    connector: Connector, who: str, request: pytest.FixtureRequest, browser_of: Browser
) -> None:
    put(connector)
    answer = browser_of(request.getfixturevalue(who)).get(picture(connector))
    assert answer.status_code == 200
    assert answer.content == bytes(ConnectorLogo.objects.get().content)
    assert answer["Content-Type"] == "image/png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"


def test_to_others_there_is_none(connector: Connector, outsider: User, member: User, browser_of: Browser) -> None:
    put(connector)
    url = picture(connector)
    for client in (Client(), browser_of(outsider)):
        assert client.get(url).status_code == 404
        assert client.head(url).status_code == 404
    User.objects.filter(pk=member.pk).update(is_active=False)
    assert browser_of(member).get(url).status_code == 404
    assert Client().post(url).status_code == 405


def test_an_address_is_of_one_picture_alone(connector: Connector, developer: User, browser_of: Browser) -> None:
    client, other = browser_of(developer), factories.make_connector(developer, "Other")
    put(connector)
    old = picture(connector)
    assert client.get(at("logo_file", other, connector.logo_sha256)).status_code == 404
    assert client.get(at("logo_file", connector, "0" * 64)).status_code == 404
    put(connector, content=files.png(shade=9))
    assert client.get(old).status_code == 404
    assert client.get(picture(connector)).status_code == 200
    url = picture(connector)
    connectors.delete(connector=connector, by=developer)
    assert client.get(url).status_code == 404


def test_a_list_with_logos_asks_no_more_and_reads_no_picture(client: Client, developer: User) -> None:
    several = [factories.make_connector(developer) for _number in range(4)]
    client.get(reverse("connectors:list"))  # what is asked once only
    with CaptureQueriesContext(connection) as without:
        client.get(reverse("connectors:list"))
    for number, connector in enumerate(several):
        put(connector, content=files.png(shade=number))
    with CaptureQueriesContext(connection) as with_logos:
        page = client.get(reverse("connectors:list"))
    assert page.content.decode().count("avatar-logo") == 4
    assert len(with_logos) == len(without)
    assert not [query for query in with_logos if "connectorlogo" in query["sql"]]
