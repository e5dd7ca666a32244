"""The page of a connector's logo, the picture as it is served, and where it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from connectors.models import Connector, ConnectorLogo
from connectors.services import connectors
from connectors.tests import factories
from connectors.tests.html_forms import form_to, text_of
from connectors.tests.logos import PngFile, put
from kaizala_console.lib.tests import picture_files as files

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


def at(name: str, connector: Connector, *more: Any) -> str:
    return reverse(f"connectors:{name}", args=[connector.pk, *more])


def picture(connector: Connector) -> str:
    """Where the logo is served."""
    return at("logo_file", connector, connector.logo_sha256)


# The page ------------------------------------------------------------------------------------------------------------


def test_an_owner_puts_replaces_and_removes_it(connector: Connector, developer: User, browser_of: Browser) -> None:
    client = browser_of(developer)
    assert at("logo", connector) in client.get(at("change", connector)).content.decode()
    form = form_to(client.get(at("logo", connector)), at("logo", connector))
    for content in (files.png(), files.WITH_TEXTS):
        answer = form.send(client, {"logo": PngFile(content)}, follow=True)
        assert "Logo saved." in text_of(answer)
        connector.refresh_from_db()
        assert picture(connector) in answer.content.decode()
    page = client.get(at("logo", connector))
    answer = form_to(page, at("logo_remove", connector)).send(client, follow=True)
    assert "Logo removed." in text_of(answer)
    assert not ConnectorLogo.objects.exists()
    assert "Remove logo" not in text_of(client.get(at("logo", connector)))
    assert client.post(at("logo_remove", connector)).status_code == 302  # pressed twice


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("", "Choose a picture."),
        (PngFile(b"<svg onload='alert(1)'/>"), "This file is not a valid picture. Save it as PNG, JPEG or WebP."),
        (PngFile(files.JPEG), "This file is not a valid picture. Save it as PNG, JPEG or WebP."),
        (PngFile(files.png() + bytes(256 * 1024)), "The picture is larger than 256 kB."),
        (PngFile(files.png(), "logo.svg", "image/svg+xml"), "Choose a .png, .jpg or .webp file."),
        (PngFile(files.png(16, 16)), "The picture is 16 × 16 pixels. Each side must be"),
    ],
)
def test_what_is_refused_is_told_beside_the_field(
    connector: Connector, developer: User, browser_of: Browser, file: Any, says: str
) -> None:
    page = browser_of(developer).post(at("logo", connector), {"logo": file})
    assert page.status_code == 400
    assert says in text_of(page)
    assert 'id="id_logo_error"' in page.content.decode()
    assert not ConnectorLogo.objects.exists()


def test_one_is_asked_who_sits_there_before_a_file_is_chosen(
    connector: Connector, developer: User, browser_of: Browser
) -> None:
    answer = browser_of(developer, confirmed=False).get(at("logo", connector))
    assert answer["Location"].startswith("/console/confirm/?next=")


# The picture ---------------------------------------------------------------------------------------------------------


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


def test_for_everybody_else_there_is_none(
    connector: Connector, outsider: User, member: User, browser_of: Browser
) -> None:
    put(connector)
    url = picture(connector)
    for client in (Client(), browser_of(outsider)):
        assert client.get(url).status_code == 404
        assert client.head(url).status_code == 404
    User.objects.filter(pk=member.pk).update(is_active=False)
    assert browser_of(member).get(url).status_code == 404
    assert Client().post(url).status_code == 405


def test_an_address_is_of_one_connector_and_one_picture(
    connector: Connector, developer: User, browser_of: Browser
) -> None:
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


# Where it is shown ---------------------------------------------------------------------------------------------------


def test_a_list_of_connectors_with_logos_asks_no_more_and_reads_no_picture(
    developer: User, browser_of: Browser
) -> None:
    client = browser_of(developer)
    several = [factories.make_connector(developer) for _number in range(4)]
    client.get(reverse("connectors:list"))  # what is asked once only
    with CaptureQueriesContext(
        connection,
    ) as without:
        client.get(reverse("connectors:list"))
    for number, connector in enumerate(several):
        put(connector, content=files.png(shade=number))
    with CaptureQueriesContext(connection) as with_logos:
        page = client.get(reverse("connectors:list"))
    assert page.content.decode().count("avatar-logo") == 4
    assert len(with_logos) == len(without)
    assert not [query for query in with_logos if "connectorlogo" in query["sql"]]
