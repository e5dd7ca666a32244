"""Who is signed out over an attribute of people finds the box that they had cleared still cleared."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.tests.html_forms import form_to
from groups.models import PersonAttribute

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("shown", [True, False])
def test_a_box_is_as_it_was_left(organisation_admin: User, shown: bool) -> None:
    made = PersonAttribute.objects.create(
        organisation=organisation_admin.organisation, name="Department", for_colleagues=not shown
    )
    url, client = reverse("groups:attribute", args=[made.pk]), Client()
    sent = client.post(url, {"name": "Office", **({"for_colleagues": "on"} if shown else {})})
    client.force_login(organisation_admin)
    form = form_to(client.get(parse_qs(urlsplit(sent["Location"]).query)["next"][0]), url)
    assert form.fields["name"] == ["Office"]
    assert ("for_colleagues" in form.fields) is shown
