"""The operators' pages of this app's models."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from accounts.admin.site import site
from accounts.models import AuthenticatorApp, User
from connectors.models import Bot, Connector
from groups.models import (
    Action,
    ArchivedMessage,
    BulkLine,
    Group,
    GroupBot,
    GroupChange,
    GroupCount,
    MediaStore,
    Message,
    PersonAttribute,
    PersonAttributeValue,
    Reaction,
    Response,
    Subscription,
)
from groups.tests.bulk import uploaded
from groups.tests.cards import make_media
from groups.tests.factories import Program, let_in, make_group, person_of


@pytest.fixture
def program(connector: Connector, group: Group, group_admin: User) -> Program:
    """With the handoff of its token."""
    return let_in(connector, group, group_admin)


@pytest.fixture
def operators_browser(operator: User) -> Client:
    """An operator who has passed the second factor."""
    device = AuthenticatorApp.objects.create(user=operator, name="phone", confirmed=True)
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
    person = person_of(group_admin)
    message = Message.objects.create(group=group, person=person, text="for members only")
    action = Action.objects.create(
        group=group, person=person, kind="Poll", title="for members only", body={"question": "for members only"}
    )
    Response.objects.create(
        action=action, person=person, responder=str(person.pk), body={"choice": 0}, responded_at=action.sent_at
    )
    bot = Bot.objects.create(connector=program.connector, name="Rota")
    GroupBot.objects.create(group=group, bot=bot)
    GroupCount.objects.create(group=group, level=3, level_unprovisioned=1, total=3, total_unprovisioned=1, unique=3)
    GroupChange.objects.create(group=group)
    Reaction.objects.create(
        group=group, reference_id=message.pk, person=person, reaction_type="Comment", comment="for members only"
    )
    make_media(program, "Image", "for members only.png")
    MediaStore.objects.create(organisation=program.connector.organisation, bytes_used=1)
    job = uploaded(group, group_admin, "number\nfor members only\n")
    BulkLine.objects.create(job=job, line=2, kind="bad", reason="no number", text="for members only", person=person)
    attribute = PersonAttribute.objects.create(organisation=program.connector.organisation, name="Department")
    PersonAttributeValue.objects.create(attribute=attribute, person=person, text="for members only")
    ArchivedMessage.objects.create(
        organisation=program.connector.organisation,
        job=job,
        message_id="m-1",
        sent_at=action.sent_at,
        group_name="for members only",
        sender=person.number,
    )


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


def test_the_pages_are_closed_to_everybody_else(everything: None, group_admin: User, operator: User) -> None:
    for user in (group_admin, operator):  # the operator without the second factor
        client = Client()
        client.force_login(user)
        answer = client.get(reverse("operators:groups_group_changelist"))
        assert answer.status_code in {302, 403}
        assert b"Night Shift" not in answer.content


def test_rows_are_found_by_the_names_of_what_they_belong_to(program: Program, operators_browser: Client) -> None:
    for model, *found in (
        ("groups/membership", "Night Shift", "Arjun"),
        ("connectors/grant", "Night Shift", "Shift Planner"),
        ("connectors/refreshtoken", "Night Shift", "Shift Planner"),
        ("connectors/handoff", "Night Shift", "Shift Planner"),
    ):
        for words in found:
            answer = operators_browser.get(f"/operators/{model}/", {"q": words})
            assert re.search(rf"/operators/{model}/[^/\"]+/change/", answer.content.decode()), (model, words)


def test_a_whole_number_still_finds_its_person(everything: None, operators_browser: Client, group_admin: User) -> None:
    number = person_of(group_admin).number.replace("+", "%2B")
    answer = operators_browser.get(f"{reverse('operators:groups_membership_changelist')}?q={number}")
    assert {row.person for row in answer.context["cl"].result_list} == {person_of(group_admin)}
