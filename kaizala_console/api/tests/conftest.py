"""The sample wire in front of a sample console."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from kaizala_console.api.tests import sample_urls

# The test client adds json() and more to what it answers.
Send = Callable[..., Any]


@pytest.fixture
def sample_wire(settings: Settings) -> None:
    """Serve the sample wire, and nothing of the console but two pages."""
    settings.API_URLCONF = sample_urls.__name__
    settings.ROOT_URLCONF = "kaizala_console.api.tests.console_urls"
    settings.MIDDLEWARE = ["kaizala_console.api.middleware.ApiMiddleware"]


@pytest.fixture
def send(sample_wire: None) -> Send:
    """Send one request to the sample wire, with a good token unless another is given; no cookies are kept."""

    def send(method: str, path: str, body: str | bytes = b"", token: str = sample_urls.TOKEN, **options: Any) -> Any:
        headers = {"accessToken": token, **options.pop("headers", {})}
        content_type = options.pop("content_type", "application/json")
        client = Client(raise_request_exception=options.pop("raise_request_exception", True))
        return client.generic(method, path, body, content_type=content_type, headers=headers, **options)

    return send
