"""What webhooks are told of messages, actions, responses, members and sub-groups (wire protocol §6, Webhooks)."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction

from accounts.audit.record import SYSTEM
from accounts.models import Organisation, Person, User
from connectors.models import Connector, Webhook, WebhookDelivery, WebhookEvent
from connectors.webhooks import signing
from groups.models import Group
from groups.services import groups as group_services
from groups.services import hierarchy
from groups.services import members as member_service
from groups.tests.cards import ANSWERS, MEETING, POLL, SURVEY, TOLD_ANSWERS, give, listen, make_media, posted
from groups.tests.factories import Program, let_act_for, let_in, make_group, person_of


@pytest.fixture(autouse=True)
def hook(program: Program, group: Group) -> None:
    listen(program, group.pk)


def told(kind: str) -> WebhookEvent:
    """The only event of this type."""
    return WebhookEvent.objects.get(event_type=kind)


def test_a_text_message(members: Program, member: User, group: Group) -> None:
    members.post(f"/v1/groups/{group.pk}/messages", '{"message": "Rain tomorrow"}')
    event = told("TextMessageCreated")
    assert event.data == {"text": "Rain tomorrow"}
    assert event.sender["fromUser"] == person_of(member).number


@pytest.mark.parametrize("kind", ["Image", "Album", "Audio", "Document", "Video"])
def test_an_attachment(program: Program, group: Group, kind: str) -> None:
    posted(program, group, kind, {"mediaResource": make_media(program, kind), "caption": "Testing."})
    data = told("AttachmentCreated").data
    assert sorted(data) == ["actionType", "caption", "media"]
    assert (data["actionType"], data["caption"]) == (kind, "Testing.")
    assert sorted(data["media"][0]) == ["mediaFileName", "mediaUrl"]


def test_an_announcement(program: Program, group: Group) -> None:
    body = {"title": "Rain", "message": "Stay in.", "mediaResources": [make_media(program)]}
    posted(program, group, "Announcement", body)
    data = told("Announcement").data
    assert (data["title"], data["text"]) == ("Rain", "Stay in.")
    # Microsoft's table calls them as it does elsewhere, its sample as the protocol does (ADR 0061).
    assert sorted(data["media"][0]) == ["fileName", "mediaFileName", "mediaUrl", "url"]


def test_a_job_and_its_response(program: Program, members: Program, group: Group, member: User) -> None:
    number = person_of(member).number
    job = posted(program, group, "Job", {"title": "Test Job", "assignedTo": [number]})
    data = told("JobCreated").data
    assert sorted(data) == ["actionId", "assignedTo", "dueDate", "groupId", "title"]
    assert (data["actionId"], data["groupId"], data["assignedTo"]) == (str(job.pk), str(group.pk), [number])
    key = give(members, job, {"isCompleted": True})
    assert told("JobResponse").data == {
        "actionId": str(job.pk),
        "groupId": str(group.pk),
        "responseId": key,
        "title": "Test Job",
        "responseDetails": {
            "response": {
                "assignee": number,
                "assigneeName": person_of(member).name,
                "assigneeProfilePic": "",
                "isCompleted": True,
            }
        },
    }


@pytest.mark.parametrize(
    ("kind", "event"),
    [("Survey", "Survey"), ("com.contoso.inspection", "Action"), ("com.contoso.inspection.3", "Action")],
)
def test_a_survey_and_its_response(
    program: Program, members: Program, group: Group, member: User, kind: str, event: str
) -> None:
    card = posted(program, group, kind, SURVEY)
    created = told(f"{event}Created")
    assert (created.data["title"], len(created.data["questions"])) == ("Shift report", 6)
    assert created.package_id == card.package_id
    sender = card.person  # Microsoft's sample has these, in which nobody has responded
    assert {name: created.data[name] for name in created.data if "espon" in name or name == "isUpdateResponse"} == {
        "responseId": str(card.pk),
        "isUpdateResponse": False,
        "responder": sender.number,
        "responderId": str(sender.pk),
        "responderName": "Arjun Mehta",
        "responderProfilePic": "",
        "responseDetails": {
            "responseWithQuestions": [{**question, "answer": None} for question in card.body["questions"]]
        },
    }
    key = give(members, card, {"answers": ANSWERS})
    data = told(f"{event}Response").data
    assert data.pop("responseDetails") == {
        "responseWithQuestions": [
            {**question, "answer": answer}
            for question, answer in zip(card.body["questions"], TOLD_ANSWERS, strict=True)
        ]
    }
    # With responderId: ADR 0061. What is behind the package's name is its version: ADR 0061.
    package = {"actionPackageId": "com.contoso.inspection", "packageId": kind} if event == "Action" else {}
    assert {name: value for name, value in created.data.items() if "ackageId" in name} == package
    assert data == {
        **package,
        "actionId": str(card.pk),
        "groupId": str(group.pk),
        "responseId": key,
        "isUpdateResponse": False,
        "responder": person_of(member).number,
        "responderId": str(person_of(member).pk),
        "responderName": person_of(member).name,
        "responderProfilePic": "",
        "isAnonymous": False,
    }


def test_a_poll_a_meeting_and_a_changed_response(program: Program, members: Program, group: Group) -> None:
    for kind, body, answer in (("Poll", POLL, "No"), ("LetsMeet", MEETING, "Yes")):
        card = posted(program, group, kind, body)
        assert told(f"{kind}Created").data["actionId"] == str(card.pk)
        give(members, card, {"choice": answer})
        data = told(f"{kind}Response").data
        assert (data["isUpdateResponse"], data["responseDetails"]) == (False, {"response": {"choice": answer}})
    give(members, card, {"choice": "No"})
    changed = WebhookEvent.objects.filter(event_type="LetsMeetResponse").latest("id")
    assert changed.data["isUpdateResponse"] is True


@pytest.mark.parametrize("more", [{}, {"isSenderOnly": True}])
def test_an_anonymous_response_names_nobody(
    program: Program, members: Program, group: Group, group_admin: User, more: dict[str, bool]
) -> None:
    listen(members, group.pk)
    card = posted(members, group, "Survey", {**SURVEY, "isAnonymous": True, **more})
    give(program, card, {"answers": ["x", *ANSWERS[1:]], "responseName": "Arjun"})
    event, data = told("SurveyResponse"), sent_to(members)
    assert event.data["isAnonymous"] is True
    assert set(event.sender.values()) == {""}
    assert "responseDetails" in data
    person = person_of(group_admin)
    assert not any(who in str(data) + str(event.data) for who in (person.number, person.name, str(person.pk)))


def sent_to(token: Program) -> dict[str, Any]:
    """The `data` of the only delivery to this token's webhook, as it would be sent."""
    rows = WebhookDelivery.objects.filter(webhook__grant=token.grant, event__event_type="SurveyResponse")
    delivery = rows.select_related("webhook__grant", "event").get()
    data: dict[str, Any] = signing.build_body(delivery.webhook, delivery.event)["data"]
    return data


def test_what_only_the_sender_sees_is_told_to_the_senders_own_webhooks_alone(
    program: Program, members: Program, group: Group
) -> None:
    listen(members, group.pk)
    card = posted(members, group, "Survey", {**SURVEY, "isSenderOnly": True})
    give(program, card, {"answers": ANSWERS})
    assert "responseDetails" not in sent_to(program)
    found = sent_to(members)["responseDetails"]["responseWithQuestions"]
    assert [question["answer"] for question in found] == TOLD_ANSWERS
    assert {**sent_to(members), "responseDetails": None} == {**sent_to(program), "responseDetails": None}


def test_the_senders_webhook_reads_them_under_the_senders_own_grants_alone(
    program: Program, members: Program, group: Group
) -> None:
    listen(members, group.pk)
    card = posted(members, group, "Survey", {**SURVEY, "isSenderOnly": True})
    give(program, card, {"answers": ANSWERS})
    Webhook.objects.filter(grant=members.grant).update(grant=program.grant)
    rows = WebhookDelivery.objects.select_related("webhook__grant", "event")
    for row in rows.filter(event__event_type="SurveyResponse"):
        assert "responseDetails" not in signing.build_body(row.webhook, row.event)["data"]


@pytest.mark.parametrize("what", ["message", "card"])
def test_what_a_bot_posts_comes_from_the_bot(program: Program, group: Group, group_admin: User, what: str) -> None:
    made = program.post("/v1/bot", '{"name": "Rota", "profilePic": "https://pics.example/rota.png"}').json()
    program.put(f"/v1/groups/{group.pk}/bot", f'{{"botIds": ["{made["id"]}"]}}')
    as_bot = program.with_token(program.get(f"/v1/bot/accessToken/{made['id']}").json()["accessToken"])
    if what == "message":
        as_bot.post(f"/v1/groups/{group.pk}/messages", '{"message": "Rain tomorrow"}')
    else:
        posted(as_bot, group, "Survey", SURVEY)
    event = told("TextMessageCreated" if what == "message" else "SurveyCreated")
    assert event.sender == {
        "fromUser": "",
        "fromUserId": made["id"],
        "fromUserName": "Rota",
        "fromUserProfilePic": "https://pics.example/rota.png",
        "isBotfromUser": True,
    }
    person = person_of(group_admin)
    assert not any(who in str(event.data) for who in (person.number, str(person.pk)))


def test_webhooks_on_the_action_and_on_its_package_are_told(program: Program, members: Program, group: Group) -> None:
    listen(program, "com.contoso.inspection", "ActionPackage")
    card = posted(program, group, "com.contoso.inspection", SURVEY)
    listen(program, card.pk, "Action")
    give(members, card, {"answers": ANSWERS})
    deliveries = WebhookDelivery.objects.values_list("webhook__object_type", "event__event_type")
    assert sorted(deliveries) == [
        ("Action", "ActionResponse"),
        ("ActionPackage", "ActionCreated"),
        ("ActionPackage", "ActionResponse"),
        ("Group", "ActionCreated"),
        ("Group", "ActionResponse"),
    ]


def test_members_webhooks_are_not_told_what_went_to_subscribers(
    connector: Connector, public: Group, group_admin: User, member: User
) -> None:
    admins = let_in(connector, public, group_admin)
    listen(let_act_for(connector, member), public.pk)
    posted(admins, public, "Poll", POLL, sendToAllSubscribers=True)
    admins.post(f"/v1/groups/{public.pk}/messages", '{"message": "x", "subscribers": ["+919820000041"]}')
    assert not WebhookDelivery.objects.exists()
    posted(admins, public, "Poll", POLL)
    assert WebhookDelivery.objects.count() == 1


def events() -> list[tuple[str, Any, Any]]:
    """Kind, data and who did it, in their order."""
    rows = WebhookEvent.objects.order_by("pk")
    return [(event.event_type, event.data, event.sender.get("fromUserName") or None) for event in rows]


def test_members_who_come_and_go(program: Program, group: Group, newcomer: Person, group_admin: User) -> None:
    Person.objects.filter(pk=newcomer.pk).update(picture_url="https://img.example/l.png")
    program.put(f"/v1/groups/{group.pk}/members", '{"members": ["+919930000001", "12"]}')
    program.put(f"/v1/groups/{group.pk}/members", '{"members": ["+919930000001"]}')  # is in already
    program.delete(f"/v1/groups/{group.pk}/members/{newcomer.pk}")
    added = {
        "member": "+919930000001",
        "memberId": str(Person.objects.get(number="+919930000001").pk),  # ADR 0061
        "memberName": "",
        "memberProfilePic": "",
        "type": "Member",
    }
    removed = {
        "member": newcomer.number,
        "memberId": str(newcomer.pk),
        "memberName": newcomer.name,
        "memberProfilePic": "https://img.example/l.png",
        "type": "Member",
    }
    assert events() == [("MemberAdded", added, group_admin.name), ("MemberRemoved", removed, group_admin.name)]


def test_groups_that_come_to_stand_under_it_and_go(group: Group, organisation: Organisation, group_admin: User) -> None:
    made = group_services.create(
        name="Gate", organisation=organisation, admin=person_of(group_admin), parent=group, by=group_admin
    ).group
    other = make_group("Office", organisation=organisation)
    hierarchy.link(parent=group, child=other, by=SYSTEM)
    hierarchy.link(parent=group, child=other, by=SYSTEM)  # stands there already
    hierarchy.unlink(parent=group, child=other, by=group_admin)
    # With the kind of group, which a program in Java reads (ADR 0061)
    gate = {"groupId": str(made.pk), "groupName": "Gate", "groupImageUrl": "", "groupType": "Group"}
    office = {"groupId": str(other.pk), "groupName": "Office", "groupImageUrl": "", "groupType": "Group"}
    assert events() == [
        ("GroupAdded", gate, group_admin.name),
        ("GroupAdded", office, None),
        ("GroupRemoved", office, group_admin.name),
    ]


def test_what_was_undone_is_never_told(group: Group, group_admin: User) -> None:
    with transaction.atomic():
        member_service.add(group=group, numbers=["+919930000001"], by=group_admin)
        transaction.set_rollback(True)
    assert events() == []


def test_five_hundred_people_take_few_statements_more_than_one(
    group: Group, group_admin: User, django_assert_max_num_queries: Any
) -> None:
    # SQLite takes 999 values in a statement, so lines of the audit trail, events and deliveries go in some portions.
    with django_assert_max_num_queries(20 if connection.vendor == "postgresql" else 44):
        member_service.add(group=group, numbers=[f"+9199301{n:05}" for n in range(500)], by=group_admin)
    assert len(events()) == 500
