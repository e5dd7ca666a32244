"""`/v1/webhook` (wire protocol §6, Webhooks): set, validated, listed, changed, removed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import AuditEvent, User
from connectors.models import Connector, Grant, Webhook
from connectors.permissions import PERMISSIONS
from connectors.tests.receiver import Receiver, receiving
from connectors.tests.webhook_cast import states
from connectors.webhooks import delivery, signing
from groups.models import Action, Group
from groups.tests import factories
from groups.tests.conftest import invalid, not_found, refused
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


def make(program: Program, group: Group, receiver: Receiver, **other: Any) -> str:
    answer = program.post("/v1/webhook", asked(group, receiver, **other))
    assert answer.status_code == 200, answer.content
    return str(answer.json()["webhookId"])


@pytest.fixture
def path(program: Program, group: Group, receiver: Receiver) -> str:
    """Of a webhook of the program, on the group."""
    return f"/v1/webhook/{make(program, group, receiver)}"


def listed(program: Program, group: Group) -> list[dict[str, Any]]:
    answer = program.get(f"/v1/webhook?objectId={group.pk}&objectType=Group")
    assert answer.status_code == 200
    return list(answer.json()["webhooks"])


def test_a_webhook_is_validated_made_and_told(program: Program, group: Group, receiver: Receiver) -> None:
    webhook_id = make(program, group, receiver)
    assert len(receiver.asked) == 1
    start, _equals, token = receiver.asked[0].partition("validationToken=")
    assert start == "/take?shop=7&"
    # Functions of 2018 answer JSON.parse(req.query.validationToken), PHP its query string as it came (ADR 0061).
    assert (len(token), token.isdecimal(), str(json.loads(token))) == (15, True, token)
    program.post(f"/v1/groups/{group.pk}/messages", '{"message": "Rain"}')
    delivery.deliver_due()
    body = receiver.bodies("/take?shop=7")[0]
    assert (body["eventType"], body["data"]["text"], body["objectId"]) == ("TextMessageCreated", "Rain", str(group.pk))
    event = AuditEvent.objects.get(tag="connector:webhook:created")
    assert event.subject_id == webhook_id
    assert TOKEN not in json.dumps([event.before, event.after])


def test_it_is_listed_with_the_protocols_spellings(
    program: Program, group: Group, receiver: Receiver, path: str
) -> None:
    webhook = Webhook.objects.get()
    assert listed(program, group) == [
        {
            "id": path.removeprefix("/v1/webhook/"),
            "objectId": str(group.pk),
            "objectType": "Group",
            "events": ["MemberAdded", "TextMessageCreated"],
            "filters": [],
            **dict.fromkeys(("callBackUrl", "callbackUrl"), receiver.url("/take?shop=7")),
            **dict.fromkeys(("callBackToken", "callbackToken"), TOKEN),
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
    program: Program, group: Group, receiver: Receiver, other: dict[str, Any], at_fault: str
) -> None:
    answer = program.post("/v1/webhook", asked(group, receiver, **other))
    assert at_fault in invalid(answer)
    assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    ("path", "echo", "says"),
    [
        ("/take", "hello", "status 200, but with something else"),
        ("/take", "x" * 5000, "something else"),
        ("/500", "{token}", "status 500"),
        ("/moved", "{token}", "status 302"),
        ("/hang", "{token}", "in time"),
    ],
)
def test_an_address_that_does_not_echo_the_token_in_time_is_refused_and_its_answer_not_repeated(
    program: Program, group: Group, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, path: str, echo: str, says: str
) -> None:
    if path == "/hang":
        monkeypatch.setattr("connectors.webhooks.subscriptions.SECONDS", 0.2)
        receiver.hold.clear()
    receiver.echo = echo
    message = invalid(program.post("/v1/webhook", asked(group, receiver, callBackUrl=receiver.url(path))))
    assert says in message
    assert "hello" not in message
    assert not Webhook.objects.exists()


@pytest.mark.parametrize("echo", ["{token}", '"{token}"', "{token}\r\n", "\ufeff{token}"])
def test_the_token_may_come_back_as_frameworks_of_the_time_print_it(
    program: Program, group: Group, receiver: Receiver, echo: str
) -> None:
    receiver.echo = echo
    make(program, group, receiver)


def test_a_group_out_of_reach_and_one_that_is_not_there_are_the_same_answer(
    program: Program, group: Group, receiver: Receiver, group_admin: User
) -> None:
    other = factories.make_group("Other", admins=[group_admin])
    theirs = program.post("/v1/webhook", asked(other, receiver))
    nothing = program.post("/v1/webhook", asked(group, receiver, objectId=str(unknown_id())))
    refused(theirs, 403, "Unauthorized")
    assert theirs.json() == nothing.json()
    assert receiver.asked == []
    assert not Webhook.objects.exists()


def test_a_package_and_an_action_within_reach_can_be_watched_and_no_other(
    program: Program, group: Group, receiver: Receiver, group_admin: User
) -> None:
    def card(where: Group) -> Action:
        return Action.objects.create(group=where, person=person_of(group_admin), kind=Action.Kind.JOB, title="Sweep")

    make(program, group, receiver, objectType="ActionPackage", objectId="com.contoso.inspection")
    assert Webhook.objects.get().object_id == "com.contoso.inspection"
    make(program, group, receiver, objectType="action", objectId=str(card(group).pk))
    elsewhere = card(factories.make_group("Other", admins=[group_admin]))
    answers = {
        not_found(program.post("/v1/webhook", asked(group, receiver, objectType="Action", objectId=str(key))))
        for key in (elsewhere.pk, unknown_id(), "nonsense")
    }
    assert len(answers) == 1


def test_leniency_reaches_webhooks_too(program: Program, group: Group, receiver: Receiver) -> None:
    body = (
        f"{{objectId:'{group.pk}@1', 'ObjectType': 'group', eventtypes:['textmessagecreated'],"
        f" callbackUrl:'{receiver.url()}', callbackToken: 12345,}}"
    )
    assert program.post("/webhook/", body).status_code == 200
    webhook = Webhook.objects.get()
    assert (webhook.object_id, webhook.event_types) == (str(group.pk), ["TextMessageCreated"])
    assert signing.open_token(webhook) == "12345"


def test_there_is_an_end_to_how_many(
    program: Program, group: Group, receiver: Receiver, settings: Settings, path: str
) -> None:
    settings.WEBHOOKS_PER_OBJECT = 1
    assert "as many" in invalid(program.post("/v1/webhook", asked(group, receiver)))
    assert len(receiver.asked) == 1


def test_neither_another_connector_nor_a_token_for_another_group_sees_changes_or_removes_it(
    program: Program, group: Group, path: str, stranger: User, group_admin: User
) -> None:
    before = Webhook.objects.values().get()
    nosy = factories.make_connector(stranger, name="Nosy", permissions=PERMISSIONS)
    beside = factories.make_group("Other", admins=[group_admin])
    other = factories.let_in(program.connector, beside, group_admin)
    refused(other.get(f"/v1/webhook?objectId={group.pk}&objectType=Group"), 403, "Unauthorized")
    for token in (other, factories.let_in(nosy, group, group_admin)):
        assert token.get("/v1/webhook").json() == {"webhooks": []}
        not_found(token.put(path, {"active": False}))
        not_found(token.delete(path))
    assert Webhook.objects.values().get() == before


def test_any_of_the_fields_can_be_changed(program: Program, group: Group, receiver: Receiver, path: str) -> None:
    changes = {"eventTypes": ["Announcement"], "callBackContext": "", "callBackToken": "new"}
    assert program.put(path, changes).json() == {"result": True}
    found = listed(program, group)[0]
    assert (found["events"], found["callBackContext"], found["callBackToken"]) == (["Announcement"], "", "new")
    assert len(receiver.asked) == 1


def test_a_new_address_is_validated_and_an_old_one_stays_when_it_fails(
    program: Program, group: Group, receiver: Receiver, path: str
) -> None:
    invalid(program.put(path, {"callBackUrl": receiver.url("/500")}))
    assert listed(program, group)[0]["callBackUrl"].endswith("/take?shop=7")
    assert program.put(path, {"callbackUrl": receiver.url("/new")}).status_code == 200
    assert listed(program, group)[0]["callbackUrl"].endswith("/new")
    assert len(receiver.asked) == 3


def test_inactive_it_keeps_what_happens_and_active_again_it_tells(
    program: Program, group: Group, receiver: Receiver, path: str
) -> None:
    program.put(path, '{"Active": "False"}')
    assert not listed(program, group)[0]["active"]
    program.post(f"/v1/groups/{group.pk}/messages", {"message": "Rain"})
    assert delivery.deliver_due() == 0
    program.put(path, '{"Active": true}')
    delivery.deliver_due()
    assert [body["data"]["text"] for body in receiver.bodies("/take?shop=7")] == ["Rain"]


def test_it_wakes_under_a_new_grant_when_the_old_one_was_removed(
    program: Program, connector: Connector, group: Group, path: str, group_admin: User
) -> None:
    Grant.objects.filter(pk=program.grant.pk).update(revoked_at=clock.now())
    again = factories.let_in(connector, group, group_admin)
    assert not listed(again, group)[0]["active"]
    assert again.put(path, {"active": True}).status_code == 200
    assert Webhook.objects.get().grant == again.grant
    assert listed(again, group)[0]["active"]


def test_its_time_over_it_wakes_with_a_later_one_alone(program: Program, group: Group, path: str) -> None:
    over = clock.now() - dt.timedelta(days=1)
    Webhook.objects.update(expires_at=over, inactive_because="expired", inactive_at=over)
    assert "validity" in invalid(program.put(path, {"active": True}))
    later = clock.epoch_ms(clock.now() + dt.timedelta(days=9))
    assert program.put(path, {"active": True, "validity": str(later)}).status_code == 200
    assert listed(program, group)[0]["validity"] == later


def test_removed_it_is_gone_and_its_credentials_with_it(
    program: Program, group: Group, receiver: Receiver, path: str
) -> None:
    program.post(f"/v1/groups/{group.pk}/messages", {"message": "Rain"})
    assert program.delete(path).json() == {"result": True}
    assert listed(program, group) == []
    not_found(program.delete(path))
    webhook = Webhook.objects.get()
    assert (webhook.sealed_token, webhook.sealed_secret, states(webhook)) == (None, None, ["dropped"])
    assert delivery.deliver_due() == 0
    assert receiver.arrived == []
