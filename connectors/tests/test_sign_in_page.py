"""The switch that requires PKCE: who confirms first is back at it as they set it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.models import Connector

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


def test_a_fresh_visit_shows_how_it_is(connector: Connector, developer: User, browser_of: Browser) -> None:
    Connector.objects.filter(pk=connector.pk).update(pkce_required=True)
    page = browser_of(developer).get(reverse("connectors:sign_in", args=[connector.pk]))
    assert page.context["pkce_required"] is True
