"""The four steps in a real browser, as two people do them on their first day; with and without scripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from django.core import mail
from django.core.management import call_command
from playwright.sync_api import Page, expect

from accounts.sandbox import IDENTITIES
from kaizala_console.lib.tests.cast import OpenPage
from kaizala_console.tests.browser import assert_accessible, assert_fits
from kaizala_console.tests.visitor import Visitor

pytestmark = [pytest.mark.capability, pytest.mark.journey, pytest.mark.django_db(transaction=True)]
CONNECTOR = "Shift Planner"


@pytest.fixture
def visitor(open_page: OpenPage, phones: Any) -> Callable[..., Visitor]:
    """`visitor("developer", scripts=…)`: one of the sandbox's ready identities, before their first sign-in."""

    def visitor(key: str, **options: Any) -> Visitor:
        identity = next(identity for identity in IDENTITIES if identity.key == key)
        return Visitor(open_page(**options), identity.name, identity.number, phones.pin)

    return visitor


@pytest.mark.postgresql
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_two_people_do_the_four_steps_and_a_program_posts_a_message(
    visitor: Callable[..., Visitor], live_server: Any, settings: Any, scripts: bool
) -> None:
    settings.CONSOLE_BASE_URL = live_server.url
    call_command("demo", first_run=True, verbosity=0)
    developer, admin = visitor("developer", scripts=scripts), visitor("group-admin", scripts=scripts)

    connector_id, secret = _register_a_connector(developer)
    group = _grant_it(admin)
    told = [message for message in mail.outbox if group in message.body]
    assert [message.to for message in told] == [["devika.rao@contoso.example"]]
    refresh_token = _claim_the_handoff(developer, group)

    access_token = _exchange(live_server.url, connector_id, secret, refresh_token)
    _post(live_server.url, access_token, "Hello from the depot")

    admin.page.reload()
    line = admin.page.get_by_role("list", name="Handoff progress")
    expect(line.get_by_role("listitem").filter(has_text="Works")).to_contain_text("done")
    admin.page.get_by_role("link", name=group, exact=True).click()
    admin.page.get_by_role("link", name="Messages & Actions").click()
    expect(admin.page.get_by_text("Hello from the depot", exact=True)).to_be_visible()
    expect(admin.page.get_by_text(f"by the connector “{CONNECTOR}”")).to_be_visible()

    for address in developer.visited + admin.visited:
        assert secret not in address
        assert refresh_token not in address


def test_the_way_is_open_on_a_narrow_screen_in_the_dark(visitor: Callable[..., Visitor]) -> None:
    call_command("demo", first_run=True, verbosity=0)
    developer = visitor("developer", width=360, height=740, dark=True)
    developer.sign_in()
    _looks_right(developer.page)
    developer.add_a_phone_number()
    developer.page.goto("/console/connectors/add/")
    _looks_right(developer.page)
    developer.page.get_by_label("Name", exact=True).fill(CONNECTOR)
    developer.press("Continue")
    _looks_right(developer.page)
    developer.page.get_by_label("Text Message", exact=True).check()
    developer.press_and_confirm("Create Connector")
    _looks_right(developer.page)


def test_a_credential_is_gone_from_the_page_that_the_back_button_shows(visitor: Callable[..., Visitor]) -> None:
    call_command("demo", first_run=True, verbosity=0)
    developer = visitor("developer")
    _connector_id, secret = _register_a_connector(developer)
    for _page_before in range(2):
        # Chromium does not even offer an answer to a POST that no cache kept, so this is no ordinary navigation.
        with developer.page.expect_event("framenavigated"):
            developer.page.evaluate("void setTimeout(() => history.back(), 0)")  # later: leaving takes the answer away
        developer.page.wait_for_load_state()
        assert secret not in developer.page.content()


# The steps -----------------------------------------------------------------------------------------------------------


def _register_a_connector(developer: Visitor) -> tuple[str, str]:
    """Step 1; gives the connector ID and its secret."""
    page = developer.page
    developer.sign_in()
    developer.add_a_phone_number()
    developer.open("Connectors")
    page.get_by_role("link", name="Add Connector").first.click()
    page.get_by_label("Name", exact=True).fill(CONNECTOR)
    page.get_by_label("Description").fill("Tells each shift where it works.")
    developer.press("Continue")
    for permission in ("Group Information", "Group Member List", "Text Message"):
        page.get_by_label(permission, exact=True).check()
    developer.press_and_confirm("Create Connector")
    connector_id, secret = developer.shown("Connector ID"), developer.shown("Connector secret")
    page.get_by_label("I have stored it").check()
    developer.press("Done")
    expect(page.get_by_role("heading", name=CONNECTOR)).to_be_visible()
    assert secret not in page.content()
    return connector_id, secret


def _grant_it(admin: Visitor) -> str:
    """Step 2; gives the name of the group."""
    page = admin.page
    admin.sign_in()
    admin.add_a_phone_number()
    admin.open("Groups")
    link = page.get_by_role("row").filter(has_text="Admin").get_by_role("link").first
    group = link.inner_text()
    link.click()
    page.get_by_role("navigation", name="Parts of this group").get_by_role("link", name="Connectors").click()
    choice = page.locator("select[name=connector]")
    value = choice.locator("option", has_text=CONNECTOR).get_attribute("value")
    choice.select_option(value, force=True)
    admin.press_and_confirm("Add Connector")
    expect(page.get_by_role("list", name="Handoff progress")).to_be_visible()
    return group


def _claim_the_handoff(developer: Visitor, group: str) -> str:
    """Step 3; gives the refresh token."""
    page = developer.page
    page.goto("/console/")
    page.get_by_role("main").get_by_role("link", name="Claim").or_(
        page.get_by_role("main").get_by_role("link", name="Open")
    ).first.click()
    expect(page.get_by_text(group).first).to_be_visible()
    developer.press_and_confirm("Claim")
    refresh_token = developer.shown("Refresh token")
    page.get_by_label("I have stored it").check()
    developer.press("Done")
    assert refresh_token not in page.content()
    return refresh_token


def _exchange(base_url: str, connector_id: str, secret: str, refresh_token: str) -> str:
    """Step 4, as an ordinary program does it (wire protocol §4); gives the access token."""
    headers = {"applicationId": connector_id, "applicationSecret": secret, "refreshToken": refresh_token}
    answer = requests.get(f"{base_url}/v1/accessToken", headers=headers, timeout=10)
    assert answer.status_code == 200, answer.text
    assert answer.json()["endpointUrl"] == base_url
    token: str = answer.json()["accessToken"]
    return token


def _post(base_url: str, access_token: str, text: str) -> None:
    headers = {"accessToken": access_token}
    groups = requests.get(f"{base_url}/v1/groups", headers=headers, timeout=10).json()["groups"]
    answer = requests.post(
        f"{base_url}/v1/groups/{groups[0]['groupId']}/messages", headers=headers, json={"message": text}, timeout=10
    )
    assert answer.status_code == 200, answer.text


def _looks_right(page: Page) -> None:
    assert_fits(page)
    assert_accessible(page)
