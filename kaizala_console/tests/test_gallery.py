"""The gallery of components in a browser: seen, used by keyboard, without scripts, narrow, dark, from right to left."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from kaizala_console.lib.tests.cast import OpenPage
from kaizala_console.tests.browser import assert_accessible
from kaizala_console.tests.looking import findings

pytestmark = pytest.mark.django_db
SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")


def test_in_production_there_is_no_gallery(client: Client, settings: Any) -> None:
    settings.SANDBOX = settings.DEBUG = False
    assert client.get("/gallery/").status_code == 404


@pytest.mark.journey
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_every_component_can_be_used_by_everybody_and_fits(open_page: OpenPage, direction: str) -> None:
    """Wide and narrow, light and dark, spaced, at four times the size."""
    page = open_page(width=360)
    page.goto(f"/gallery/?dir={direction}")
    assert findings(page) == []


@pytest.mark.journey
def test_the_open_menu_and_dialog_are_accessible(open_page: OpenPage) -> None:
    page = open_page(width=360)
    page.goto("/gallery/")
    page.get_by_role("button", name="Menu").click()
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert_accessible(page, "#menu")
    page.get_by_role("link", name="Close the menu").click()
    page.get_by_role("button", name="Open a dialog").click()
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert_accessible(page, "#sample-dialog")


@pytest.mark.journey
def test_the_menu_opens_takes_the_focus_and_gives_it_back(open_page: OpenPage) -> None:
    page = open_page(width=360)
    page.goto("/gallery/")
    opener = page.get_by_role("button", name="Menu")
    home = page.locator("#menu").get_by_role("link", name="Kaizala Console")
    expect(home).to_be_hidden()
    opener.press("Enter")
    expect(home).to_be_visible()
    expect(opener).to_have_attribute("aria-expanded", "true")
    assert page.evaluate("document.getElementById('menu').contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(home).to_be_hidden()
    expect(opener).to_be_focused()


@pytest.mark.journey
def test_without_scripts_the_menu_opens_and_closes_all_the_same(open_page: OpenPage) -> None:
    page = open_page(width=360, scripts=False)
    page.goto("/gallery/")
    home = page.locator("#menu").get_by_role("link", name="Kaizala Console")
    expect(home).to_be_hidden()
    page.get_by_role("link", name="Menu").click()
    expect(home).to_be_visible()
    page.get_by_role("link", name="Close the menu").click()
    expect(home).to_be_hidden()


@pytest.mark.journey
@pytest.mark.capability
def test_without_scripts_nothing_is_offered_that_needs_them(plain_page: Page) -> None:
    plain_page.goto("/gallery/")
    assert plain_page.get_by_role("button", name="Copy").count() == 0
    assert plain_page.get_by_role("button", name="Download").count() == 0
    expect(plain_page.get_by_label("Connector secret")).to_have_value("SAMPLE-not-a-secret-0000000000")
    expect(plain_page.locator("select#id_phone-country")).to_be_visible()
    expect(plain_page.get_by_role("button", name="Done", exact=True)).to_be_enabled()


@pytest.mark.journey
def test_a_country_is_found_by_typing_and_chosen_by_keyboard(page: Page) -> None:
    page.goto("/gallery/")
    box = page.locator("#id_phone-country")
    expect(box).to_have_attribute("role", "combobox")
    options = page.locator("#id_phone-country-list").get_by_role("option")
    box.fill("kin")
    assert options.all_inner_texts() == ["United Kingdom (+44)"]
    box.press("Enter")
    expect(box).to_have_value("United Kingdom (+44)")
    assert page.locator("#id_phone-country-select").input_value() == "GB"
    box.fill("nowhere")
    box.press("Tab")
    expect(box).to_have_value("United Kingdom (+44)")
    box.click()
    assert options.count() == 10
    options.filter(has_text="Kenya").click()
    assert page.locator("#id_phone-country-select").input_value() == "KE"
    box.press("ArrowDown")
    assert_accessible(page, ".phone-parts")
    box.press("Escape")
    expect(box).to_have_value("Kenya (+254)")


@pytest.mark.journey
def test_a_pin_can_be_pasted_with_a_space_in_it(open_page: OpenPage) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto("/gallery/")
    page.evaluate("navigator.clipboard.writeText('123 456')")
    pin = page.locator("#id_pin-pin")
    pin.focus()
    page.keyboard.press("Control+v")
    expect(pin).to_have_value("123456")
    pin.press("End")
    pin.press_sequentially("7")
    expect(pin).to_have_value("123456")


@pytest.mark.journey
@pytest.mark.capability
def test_a_secret_is_wiped_from_the_page_when_it_is_left(page: Page) -> None:
    page.goto("/gallery/")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    assert "SAMPLE-not-a-secret" not in page.content()
    assert page.get_by_label("Connector secret").input_value() == ""


@pytest.mark.journey
def test_the_choice_of_dark_is_kept_and_there_before_the_first_paint(open_page: OpenPage) -> None:
    page = open_page(dark=False)
    page.goto("/gallery/")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 21, 34)"
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => (window.early = document.documentElement.dataset.theme))"
    )
    page.reload()
    assert page.evaluate("window.early") == "dark"
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")


@pytest.mark.journey
@pytest.mark.capability
def test_a_form_that_is_on_its_way_is_not_sent_twice(page: Page) -> None:
    sent: list[str] = []
    page.goto("/gallery/")
    page.route("**/gallery/?**", lambda route: sent.append(route.request.url))
    page.locator("#id_good-name").fill("Depot Bot")
    button = page.locator("form").filter(has=page.locator("#id_good-name")).get_by_role("button", name="Continue")
    with page.expect_request("**/gallery/?**"):
        button.evaluate("button => { button.click(); button.click(); }")
    page.wait_for_timeout(300)  # in which a second one would come
    assert len(sent) == 1


@pytest.mark.journey
def test_a_table_stays_a_table_when_it_is_drawn_as_cards(open_page: OpenPage) -> None:
    page = open_page(width=360)
    page.goto("/gallery/")
    table = page.get_by_role("table", name="Connectors")
    assert table.get_by_role("row").count() == 5
    assert table.get_by_role("rowheader", name="Depot Bot").count() == 1
    expect(table.locator("td[data-label=Owner]").first).to_have_css("display", "grid")
