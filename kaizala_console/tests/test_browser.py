"""The looks at a page wait for the page: a busy machine is slow, not wrong. And a browser that is kept forgets."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from accounts.models import User
from kaizala_console.tests.browser import assert_accessible, assert_fits, emptied

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
WIDE = b"<!doctype html><html lang=en><title>Slow</title><main><h1 style='width: 5000px'>Slow</h1><img src=x></main>"


@pytest.fixture
def slow_page(browser: Browser) -> Iterator[Page]:
    """A page whose head has come; half a second later it is wider than the screen, and has a picture without words."""
    with socket.create_server(("127.0.0.1", 0)) as server, browser.new_context() as context:
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.getsockname()[1]}/", wait_until="commit")
        yield page


def _serve(server: socket.socket) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:  # the test is over
            return
        threading.Thread(target=_answer, args=(client,), daemon=True).start()


def _answer(client: socket.socket) -> None:
    with client, suppress(OSError):
        if client.recv(65536):  # a browser also opens connections that it does not use
            client.sendall(HEAD % len(WIDE))
            time.sleep(0.5)
            client.sendall(WIDE)


@pytest.mark.journey
def test_the_look_at_the_width_waits_for_a_page_that_has_begun_to_arrive(slow_page: Page) -> None:
    with pytest.raises(AssertionError, match="stick out"):
        assert_fits(slow_page)


@pytest.mark.journey
def test_the_look_of_axe_waits_for_a_page_that_has_begun_to_arrive(slow_page: Page) -> None:
    with pytest.raises(AssertionError, match="image-alt"):
        assert_accessible(slow_page)


@pytest.mark.journey
def test_colours_that_fade_are_looked_at_when_they_have_faded(browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.set_content(
            "<!doctype html><html lang=en><title>Fading</title><main><h1>Fading</h1><p>Text</p></main>"
            "<style>p { color: white; transition: color 0.5s } p.there { color: black }</style>"
        )
        page.evaluate("document.querySelector('p').getBoundingClientRect()")
        page.evaluate("document.querySelector('p').className = 'there'")
        assert_accessible(page)


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_a_context_that_is_kept_knows_nothing_of_who_had_it(
    open_page: Callable[..., Page], developer: User, live_server: Any
) -> None:
    page = open_page(user=developer)
    page.goto("/console/settings/")
    page.evaluate("localStorage.setItem('theme', 'dark')")
    emptied(page.context, live_server.url)
    again = page.context.new_page()
    again.goto("/console/settings/")
    expect(again.get_by_role("button", name="Sign in with Office365")).to_be_visible()
    assert again.evaluate("localStorage.length") == 0
