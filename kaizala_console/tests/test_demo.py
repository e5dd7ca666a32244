"""`python manage.py demo`: the organisation, the connector, the full database."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Organisation, Person, User, VerifiedPhone
from accounts.sandbox import TENANT_ID
from connectors.models import Connector, Grant, RefreshToken
from connectors.services import token_exchange
from groups import access
from groups.models import Group, GroupLink, Membership, Message, Subscription
from groups.queries.hierarchy import tally_groups
from kaizala_console.demo import organisation as demo
from kaizala_console.lib import phone_numbers

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[str, str]:
    """Standard output and standard error."""
    out, err = StringIO(), StringIO()
    call_command("demo", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def rows() -> dict[str, int]:
    models: tuple[Any, ...] = (
        Organisation,
        User,
        Person,
        VerifiedPhone,
        Group,
        GroupLink,
        Membership,
        Message,
        Connector,
    )
    return {model.__name__: model.objects.count() for model in (*models, Grant, Subscription)}


# ---------------------------------------------------------------- --first-run


def test_the_first_run_loads_the_organisation_and_the_next_changes_nothing() -> None:
    out, err = run("--first-run")
    assert (out, "Contoso Field Services" in err) == ("", True)
    loaded = rows()
    assert loaded["User"] == 6
    assert loaded["Group"] == len(demo.PLANS)
    assert run("--first-run") == ("", "")
    assert rows() == loaded


def test_there_is_something_of_everything_to_look_at() -> None:
    run("--first-run")
    assert GroupLink.objects.count() == 3
    assert Group.objects.filter(organisation=None).exists()
    assert Subscription.objects.filter(group__group_type="ConnectGroup").exists()
    assert Person.objects.filter(provisioned_at=None, memberships__isnull=False).exists()
    assert Message.objects.count() >= 8
    for message in Message.objects.select_related("person"):
        assert Membership.objects.filter(group=message.group, person=message.person).exists(), message.text
    assert not Membership.objects.filter(person__names=None).exists()


def test_somebody_who_signed_in_before_the_demo_was_loaded_keeps_the_account() -> None:
    organisation = Organisation.objects.create(name="Mine", entra_tenant_id=TENANT_ID)
    early = User.objects.create_user(demo.DEVELOPER.subject, organisation=organisation, name="Early Bird")
    run("--first-run")
    early.refresh_from_db()
    assert (early.name, early.organisation) == ("Early Bird", organisation)
    assert Group.objects.filter(organisation=organisation).exists()


# ---------------------------------------------------------------- --json


def test_json_prints_one_object_with_what_a_program_needs(settings: Any) -> None:
    out, _err = run("--json")
    given = json.loads(out)
    assert sorted(given) == [
        "baseUrl",
        "connectorId",
        "connectorSecret",
        "groupId",
        "refreshToken",
        "tenantRefreshToken",
        "webhookLoopbackAllowed",
    ]
    assert (given["baseUrl"], given["webhookLoopbackAllowed"]) == (settings.CONSOLE_BASE_URL, True)
    for token, kind in (("refreshToken", "group"), ("tenantRefreshToken", "user")):
        exchanged = token_exchange.exchange(
            connector_id=given["connectorId"],
            secret=given["connectorSecret"],
            refresh_token=given[token],
            address="::1",
        )
        assert "textmessage.write" in exchanged.scopes
        assert RefreshToken.objects.get(first_used_at__isnull=False, grant__kind=kind)


def test_every_connector_is_fresh_and_has_a_group_of_its_own() -> None:
    first, second = (json.loads(run("--json")[0]) for _ in range(2))
    for key in ("connectorId", "connectorSecret", "groupId", "refreshToken", "tenantRefreshToken"):
        assert first[key] != second[key]
    group = Group.objects.get(pk=first["groupId"])
    assert GroupLink.objects.filter(parent=group).count() == 1
    assert set(Membership.objects.admins().filter(group=group).values_list("person__number", flat=True)) == {
        demo.ORGANISATION_ADMIN.number,
        demo.GROUP_ADMIN.number,
    }


# ---------------------------------------------------------------- Sizes


def test_the_database_is_filled_to_the_sizes_that_were_asked_for() -> None:
    run("--first-run")
    before = rows()
    _out, err = run("--groups", "30", "--members", "500", "--connectors", "7", "--messages", "90")
    after = rows()
    assert "30 groups, 500 members, 7 connectors, 90 messages" in err
    added = {name: after[name] - before[name] for name in ("Group", "Membership", "Connector", "Message", "Grant")}
    assert added == {"Group": 30, "Membership": 500, "Connector": 7, "Message": 90, "Grant": 7}


def test_trial_data_keeps_the_rules_of_the_house() -> None:
    run("--first-run")
    made_before = set(Group.objects.values_list("pk", flat=True))
    run("--groups", "40", "--members", "400", "--messages", "50", "--connectors", "4")
    trial = Group.objects.exclude(pk__in=made_before)
    for group in trial:
        assert Membership.objects.admins().filter(group=group).exists()
        assert group not in Group.objects.under([group.pk])
    counts = tally_groups(trial)
    assert any(tally.unique < tally.total for tally in counts.values())
    for number in Person.objects.filter(number__startswith="+917").values_list("number", flat=True)[:20]:
        assert phone_numbers.parse(number, must_be_valid=True) == number
    for message in Message.objects.filter(group__in=trial):
        assert Membership.objects.filter(group=message.group, person=message.person).exists()
    for grant in Grant.objects.filter(connector__name__startswith="Trial"):
        assert (
            access.list_administered_groups(demo.get_user(demo.ORGANISATION_ADMIN))
            .filter(group_grants=grant.group_grant)
            .exists()
        )


# ---------------------------------------------------------------- Refusals


@pytest.mark.parametrize("arguments", [["--first-run"], ["--json"], ["--groups", "1"], []])
def test_outside_of_a_sandbox_nothing_is_made_without_the_word_for_it(settings: Any, arguments: list[str]) -> None:
    settings.SANDBOX = False
    with pytest.raises(CommandError) as error:
        run(*arguments)
    assert "--yes-this-is-a-trial-database" in str(error.value)
    assert set(rows().values()) == {0}
