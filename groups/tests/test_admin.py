"""The operators' pages of this app's models."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User
from accounts.operators import site
from groups.models import Group, Message, Subscription
from groups.tests.factories import Program, make_group, person_of


@pytest.fixture
def operators_browser(operator: User) -> Client:
    """An operator who has passed the second factor."""
    device = TOTPDevice.objects.create(user=operator, name="phone", confirmed=True)
    client = Client()
    client.force_login(operator)
    session = client.session
    session["otp_device_id"] = device.persistent_id
    session.save()
    return client


@pytest.fixture
def everything(program: Program, group: Group, group_admin: User) -> None:
    """A row in every table of this app."""
    make_group("Below", organisation=group.organisation, under=group)
    Subscription.objects.create(group=group, person=person_of(group_admin))
    Message.objects.create(group=group, person=person_of(group_admin), text="for members only")


MODELS = [model for model in apps.get_app_config("groups").get_models() if not model._meta.auto_created]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_operators_can_list_search_and_open_every_model(
    everything: None, operators_browser: Client, model: type, group_admin: User
) -> None:
    assert site.is_registered(model)
    name = f"operators:groups_{model._meta.model_name}"  # type: ignore[attr-defined]
    row = model.objects.first()  # type: ignore[attr-defined]
    pages = [
        reverse(f"{name}_changelist"),
        f"{reverse(f'{name}_changelist')}?q=Night",
        reverse(f"{name}_change", args=[row.pk]),
    ]
    for page in pages:
        answer = operators_browser.get(page)
        assert answer.status_code == 200, page
        assert b"for members only" not in answer.content
        assert person_of(group_admin).number.encode() not in answer.content
    assert operators_browser.get(reverse(f"{name}_delete", args=[row.pk])).status_code == 403


def test_a_whole_number_still_finds_its_person(everything: None, operators_browser: Client, group_admin: User) -> None:
    number = person_of(group_admin).number.replace("+", "%2B")
    answer = operators_browser.get(f"{reverse('operators:groups_membership_changelist')}?q={number}")
    assert "Arjun Mehta" in answer.content.decode()


def test_the_pages_are_closed_to_everybody_else(everything: None, group_admin: User, operator: User) -> None:
    for user in (group_admin, operator):  # the operator without the second factor
        client = Client()
        client.force_login(user)
        answer = client.get(reverse("operators:groups_group_changelist"))
        assert answer.status_code in {302, 403}
        assert b"Night Shift" not in answer.content
