"""`/v1/webhook` (wire protocol §6, Webhooks): set, validated, listed, changed, removed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import AuditEvent, User
from connectors.models import Connector, Webhook
from connectors.permissions import PERMISSIONS, Permission
from connectors.tests.receiver import Receiver, receiving
from connectors.tests.webhook_cast import states
from connectors.webhooks import delivery, signing
from groups.models import Action, Group
from groups.tests import factories
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, person_of, unknown_id
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
TOKEN = "their-token-J7Q2K9"


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.SANDBOX = True
    with receiving() as what:
        yield what


def asked(group: Group, receiver: Receiver, **other: Any) -> str:
    """The body of a program that wants to be told of messages."""
    return json.dumps(
        {
            "objectId": str(group.pk),
            "objectType": "Group",
            "eventTypes": ["TextMessageCreated", "MemberAdded"],
            "callBackUrl": receiver.url("/take?shop=7"),
            "callBackToken": TOKEN,
            "callBackContext": "shift 7",
            **other,
        }
    )


def make(wire: Wire, program: Program, group: Group, receiver: Receiver, **other: Any) -> str:
    answer = wire.post("/v1/webhook", asked(group, receiver, **other), program)
    assert answer.status_code == 200, answer.content
    return str(answer.json()["webhookId"])


def listed(wire: Wire, program: Program, group: Group) -> list[dict[str, Any]]:
    answer = wire.get(f"/v1/webhook?objectId={group.pk}&objectType=Group", program)
    assert answer.status_code == 200
    return list(answer.json()["webhooks"])


# Creating ------------------------------------------------------------------------------------------------------


def test_a_webhook_is_validated_made_and_told(wire: Wire, program: Program, group: Group, receiver: Receiver) -> None:
    webhook_id = make(wire, program, group, receiver)
    assert len(receiver.asked) == 1
    start, _equals, token = receiver.asked[0].partition("validationToken=")
    assert start == "/take?shop=7&"
    # Functions of 2018 answer JSON.parse(req.query.validationToken), PHP its query string as it came (ADR 0061).
    assert (len(token), token.isdecimal(), str(json.loads(token))) == (15, True, token)
    wire.post(f"/v1/groups/{group.pk}/messages", '{"message": "Rain"}', program)
    delivery.deliver_due()
    body = receiver.bodies("/take?shop=7")[0]
    assert (body["eventType"], body["data"]["text"], body["objectId"]) == ("TextMessageCreated", "Rain", str(group.pk))
    event = AuditEvent.objects.get(tag="connector:webhook:created")
    assert event.subject_id == webhook_id
    assert TOKEN not in json.dumps([event.before, event.after])


def test_it_is_listed_with_the_protocols_spellings(
    wire: Wire, program: Program, group: Group, receiver: Receiver
) -> None:
    webhook_id = make(wire, program, group, receiver)
    webhook = Webhook.objects.get()
    assert listed(wire, program, group) == [
        {
            "id": webhook_id,
            "objectId": str(group.pk),
            "objectType": "Group",
            "events": ["MemberAdded", "TextMessageCreated"],
            "filters": [],
            "callBackUrl": receiver.url("/take?shop=7"),
            "callbackUrl": receiver.url("/take?shop=7"),
            "callBackToken": TOKEN,
            "callbackToken": TOKEN,
            "callBackContext": "shift 7",
            "ts": clock.epoch_ms(webhook.changed_at),
            "validity": clock.epoch_ms(webhook.expires_at),
            "active": True,
        }
    ]
    assert dt.timedelta(days=729) < webhook.expires_at - clock.now() <= dt.timedelta(days=730)
    assert TOKEN.encode() not in bytes(webhook.sealed_token or b"")


@pytest.mark.parametrize(
    ("other", "at_fault"),
    [
        ({"objectType": "Channel"}, "objectType"),
        ({"objectType": "Connector"}, "objectType"),  # the owners', in the console alone
        ({"eventTypes": []}, "eventTypes"),
        ({"eventTypes": ["MessageEaten"]}, "eventTypes"),
        ({"callBackUrl": ""}, "callBackUrl"),
        ({"callBackUrl": "nonsense"}, "callBackUrl"),
        ({"callBackUrl": "http://hooks.example/"}, "callBackUrl"),
        ({"callBackUrl": "https://10.0.0.7/"}, "callBackUrl"),
        ({"callBackUrl": "https://x.example/" + "x" * 3000}, "callBackUrl"),
        ({"callBackToken": "snow ☃"}, "callBackToken"),
        ({"callBackToken": "x" * 2000}, "callBackToken"),
        ({"callBackContext": "x" * 5000}, "callBackContext"),
        ({"validity": 1}, "validity"),
        ({"validity": "soon"}, "validity"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    wire: Wire, program: Program, group: Group, receiver: Receiver, other: dict[str, Any], at_fault: str
) -> None:
    answer = wire.post("/v1/webhook", asked(group, receiver, **other), program)
    assert at_fault in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    ("path", "echo", "says"),
    [
        ("/take", "hello", "status 200, but with something else"),
        ("/take", "x" * 5000, "something else"),
        ("/500", "{token}", "status 500"),
        ("/moved", "{token}", "status 302"),
    ],
)
def test_an_address_that_does_not_echo_the_token_is_refused_and_its_answer_not_repeated(
    wire: Wire, program: Program, group: Group, receiver: Receiver, path: str, echo: str, says: str
) -> None:
    receiver.echo = echo
    answer = wire.post("/v1/webhook", asked(group, receiver, callBackUrl=receiver.url(path)), program)
    message = refused(answer, 400, "InvalidParameters", "ValidationException")
    assert says in message
    assert "hello" not in message
    assert not Webhook.objects.exists()


@pytest.mark.parametrize("echo", ["{token}", '"{token}"', "{token}\r\n", "\ufeff{token}"])
def test_the_token_may_come_back_as_frameworks_of_the_time_print_it(
    wire: Wire, program: Program, group: Group, receiver: Receiver, echo: str
) -> None:
    receiver.echo = echo
    make(wire, program, group, receiver)


def test_an_address_that_hangs_is_given_five_seconds(
    wire: Wire, program: Program, group: Group, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.webhooks.subscriptions.SECONDS", 0.2)
    receiver.hold.clear()
    answer = wire.post("/v1/webhook", asked(group, receiver, callBackUrl=receiver.url("/hang")), program)
    assert "in time" in refused(answer, 400, "InvalidParameters", "ValidationException")


def test_a_group_out_of_reach_and_one_that_is_not_there_are_the_same_answer(
    wire: Wire, program: Program, group: Group, receiver: Receiver, group_admin: User
) -> None:
    other = factories.make_group("Other", admins=[group_admin])
    theirs = wire.post("/v1/webhook", asked(other, receiver), program)
    nothing = wire.post("/v1/webhook", asked(group, receiver, objectId=str(unknown_id())), program)
    refused(theirs, 403, "Unauthorized")
    assert theirs.json() == nothing.json()
    assert receiver.asked == []
    assert not Webhook.objects.exists()


def test_an_action_within_reach_can_be_watched_and_no_other(
    wire: Wire, program: Program, group: Group, receiver: Receiver, group_admin: User
) -> None:
    def card(where: Group) -> Action:
        return Action.objects.create(group=where, person=person_of(group_admin), kind=Action.Kind.JOB, title="Sweep")

    make(wire, program, group, receiver, objectType="action", objectId=str(card(group).pk))
    elsewhere = card(factories.make_group("Other", admins=[group_admin]))
    answers = [
        wire.post("/v1/webhook", asked(group, receiver, objectType="Action", objectId=str(key)), program)
        for key in (elsewhere.pk, unknown_id(), "nonsense")
    ]
    for answer in answers:
        refused(answer, 404, "NotFound", "NotFoundException")
    assert len({answer.content for answer in answers}) == 1


def test_a_package_is_watched_by_its_name(wire: Wire, program: Program, group: Group, receiver: Receiver) -> None:
    make(wire, program, group, receiver, objectType="ActionPackage", objectId="com.contoso.inspection")
    assert Webhook.objects.get().object_id == "com.contoso.inspection"


def test_leniency_reaches_webhooks_too(wire: Wire, program: Program, group: Group, receiver: Receiver) -> None:
    body = (
        f"{{objectId:'{group.pk}@1', 'ObjectType': 'group', eventtypes:['textmessagecreated'],"
        f" callbackUrl:'{receiver.url()}', callbackToken: 12345,}}"
    )
    assert wire.post("/webhook/", body, program).status_code == 200
    webhook = Webhook.objects.get()
    assert (webhook.object_id, webhook.event_types) == (str(group.pk), ["TextMessageCreated"])
    assert signing.open_token(webhook) == "12345"


def test_there_is_an_end_to_how_many(
    wire: Wire, program: Program, group: Group, receiver: Receiver, settings: Settings
) -> None:
    settings.WEBHOOKS_PER_OBJECT = 1
    make(wire, program, group, receiver)
    answer = wire.post("/v1/webhook", asked(group, receiver), program)
    assert "as many" in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert len(receiver.asked) == 1


# Who may -------------------------------------------------------------------------------------------------------


def test_without_the_permission_every_door_names_it(
    wire: Wire, connector: Connector, group: Group, group_admin: User, receiver: Receiver
) -> None:
    less = factories.let_in(
        connector, group, group_admin, permissions=frozenset(PERMISSIONS) - {Permission.OUTGOING_WEBHOOKS}
    )
    some = f"/v1/webhook/{unknown_id()}"
    for answer in (
        wire.post("/v1/webhook", asked(group, receiver), less),
        wire.get("/v1/webhook", less),
        wire.put(some, "{}", less),
        wire.delete(some, less),
    ):
        assert "Outgoing Webhooks" in refused(answer, 403, "Unauthorized")
    refused(wire.post("/v1/webhook", asked(group, receiver)), 401, "InvalidToken")
    assert receiver.asked == []


def test_another_connector_in_the_same_group_sees_changes_and_removes_nothing(
    wire: Wire, program: Program, group: Group, receiver: Receiver, stranger: User, group_admin: User
) -> None:
    webhook_id = make(wire, program, group, receiver)
    before = Webhook.objects.values().get()
    other = factories.let_in(
        factories.make_connector(stranger, name="Nosy", permissions=PERMISSIONS), group, group_admin
    )
    assert listed(wire, other, group) == []
    refused(wire.put(f"/v1/webhook/{webhook_id}", '{"active": false}', other), 404, "NotFound", "NotFoundException")
    refused(wire.delete(f"/v1/webhook/{webhook_id}", other), 404, "NotFound", "NotFoundException")
    assert Webhook.objects.values().get() == before


def test_a_token_for_another_group_does_not_see_it(
    wire: Wire, program: Program, connector: Connector, group: Group, receiver: Receiver, group_admin: User
) -> None:
    webhook_id = make(wire, program, group, receiver)
    other = factories.let_in(connector, factories.make_group("Other", admins=[group_admin]), group_admin)
    refused(wire.get(f"/v1/webhook?objectId={group.pk}&objectType=Group", other), 403, "Unauthorized")
    assert wire.get("/v1/webhook", other).json() == {"webhooks": []}
    refused(wire.delete(f"/v1/webhook/{webhook_id}", other), 404, "NotFound", "NotFoundException")


# Changing and removing -----------------------------------------------------------------------------------------


def test_any_of_the_fields_can_be_changed(wire: Wire, program: Program, group: Group, receiver: Receiver) -> None:
    webhook_id = make(wire, program, group, receiver)
    answer = wire.put(
        f"/v1/webhook/{webhook_id}",
        json.dumps({"eventTypes": ["Announcement"], "callBackContext": "", "callBackToken": "new"}),
        program,
    )
    assert answer.json() == {"result": True}
    found = listed(wire, program, group)[0]
    assert (found["events"], found["callBackContext"], found["callBackToken"]) == (["Announcement"], "", "new")
    assert len(receiver.asked) == 1


def test_a_new_address_is_validated_and_an_old_one_stays_when_it_fails(
    wire: Wire, program: Program, group: Group, receiver: Receiver
) -> None:
    path = f"/v1/webhook/{make(wire, program, group, receiver)}"
    bad = wire.put(path, json.dumps({"callBackUrl": receiver.url("/500")}), program)
    refused(bad, 400, "InvalidParameters", "ValidationException")
    assert listed(wire, program, group)[0]["callBackUrl"].endswith("/take?shop=7")
    assert wire.put(path, json.dumps({"callbackUrl": receiver.url("/new")}), program).status_code == 200
    assert listed(wire, program, group)[0]["callbackUrl"].endswith("/new")
    assert len(receiver.asked) == 3


def test_inactive_it_keeps_what_happens_and_active_again_it_tells(
    wire: Wire, program: Program, group: Group, receiver: Receiver
) -> None:
    path = f"/v1/webhook/{make(wire, program, group, receiver)}"
    wire.put(path, '{"Active": "False"}', program)
    assert not listed(wire, program, group)[0]["active"]
    wire.post(f"/v1/groups/{group.pk}/messages", '{"message": "Rain"}', program)
    assert delivery.deliver_due() == 0
    wire.put(path, '{"Active": true}', program)
    delivery.deliver_due()
    assert [body["data"]["text"] for body in receiver.bodies("/take?shop=7")] == ["Rain"]


def test_it_wakes_under_a_new_grant_when_the_old_one_was_removed(
    wire: Wire, program: Program, connector: Connector, group: Group, receiver: Receiver, group_admin: User
) -> None:
    path = f"/v1/webhook/{make(wire, program, group, receiver)}"
    type(program.grant).objects.filter(pk=program.grant.pk).update(revoked_at=clock.now())
    again = factories.let_in(connector, group, group_admin)
    assert not listed(wire, again, group)[0]["active"]
    assert wire.put(path, '{"active": true}', again).status_code == 200
    assert Webhook.objects.get().grant == again.grant
    assert listed(wire, again, group)[0]["active"]


def test_its_time_over_it_wakes_with_a_later_one_alone(
    wire: Wire, program: Program, group: Group, receiver: Receiver
) -> None:
    path = f"/v1/webhook/{make(wire, program, group, receiver)}"
    over = clock.now() - dt.timedelta(days=1)
    Webhook.objects.update(expires_at=over, inactive_because="expired", inactive_at=over)
    assert "validity" in refused(
        wire.put(path, '{"active": true}', program), 400, "InvalidParameters", "ValidationException"
    )
    later = clock.epoch_ms(clock.now() + dt.timedelta(days=9))
    assert wire.put(path, json.dumps({"active": True, "validity": str(later)}), program).status_code == 200
    assert listed(wire, program, group)[0]["validity"] == later


def test_removed_it_is_gone_and_its_credentials_with_it(
    wire: Wire, program: Program, group: Group, receiver: Receiver
) -> None:
    webhook_id = make(wire, program, group, receiver)
    wire.post(f"/v1/groups/{group.pk}/messages", '{"message": "Rain"}', program)
    assert wire.delete(f"/v1/webhook/{webhook_id}", program).json() == {"result": True}
    assert listed(wire, program, group) == []
    refused(wire.delete(f"/v1/webhook/{webhook_id}", program), 404, "NotFound", "NotFoundException")
    webhook = Webhook.objects.get()
    assert (webhook.sealed_token, webhook.sealed_secret, states(webhook)) == (None, None, ["dropped"])
    assert delivery.deliver_due() == 0
    assert receiver.arrived == []
