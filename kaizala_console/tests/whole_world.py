"""One organisation with something of everything in it, for the tests that look at every page.

It stands on the demo organisation, whose people are everywhere: what they make is made by the services that pages and
programs call, so that each page has something to show.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from accounts.models import AuditEvent, AuthenticatorApp, User
from accounts.sandbox import BY_KEY
from accounts.services import phones, reauthentication
from accounts.tests import factories as people
from connectors.models import AccessRequest, CompatibilityQuirkDay, Connector, Grant, LeakReport, Webhook
from connectors.permissions import PERMISSIONS
from connectors.services import (
    access_requests,
    bots,
    handoffs,
    leak_reports,
    public_keys,
    refresh_tokens,
    token_cache,
    usage,
    user_tokens,
)
from connectors.services import connectors as connector_service
from connectors.services import grants as grant_service
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.keys import x25519
from connectors.tests.logos import put as put_logo
from connectors.tests.oauth_app import BACK
from connectors.tests.webhook_cast import make_handoff_webhook
from connectors.tests.webhook_history import eventful, quiet
from connectors.webhooks import management
from groups import access
from groups.models import Group
from groups.services import actions, connectors, directory, messages, reactions, responses
from groups.services import bots as group_bots
from groups.tests.bulk import checked, done, uploaded, uploaded_mapping
from groups.tests.cards import ANSWERS, MEETING, POLL, SURVEY
from groups.tests.factories import person_of
from groups.tests.test_archive_pages import FILE, uploaded_export
from kaizala_console.api.compatibility import CompatibilityQuirk
from kaizala_console.demo import organisation as demo
from kaizala_console.lib import clock

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
PEOPLE = ("developer", "group-admin", "member", "organisation-admin", "second-admin", "operator")


@dataclass
class World:
    """Who is there, by name, and what addresses call things: `facts["grant_id"]`."""

    users: dict[str, User] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> User:
        """`world.group_admin`."""
        try:
            return self.users[name]
        except KeyError:
            raise AttributeError(name) from None


def make_world() -> World:
    """Everything. Takes about two seconds."""
    demo.load()
    world = World()
    for key in PEOPLE:
        user = demo.get_user(BY_KEY[key])
        if not BY_KEY[key].phone_is_verified:
            people.verify(user, BY_KEY[key].number)
        world.users[key.replace("-", "_")] = user
    world.users["newcomer"] = people.make_user("Nina Joshi", user.organisation, number=None)
    world.users["new_operator"] = people.make_user("Olive Thomas", user.organisation, is_staff=True)
    world.users["stranger"] = people.make_user("Sunil Verma", user.organisation)
    _in_accounts(world)
    _connectors(world)
    _in_the_group(world)
    _asked(world)
    _user_tokens(world)
    _used_and_leaked(world)
    _webhooks(world)
    _posted(world)
    _bots(world)
    _uploaded(world)
    _told(world)
    return world


def group_called(name: str) -> Group:
    """A group of the demo organisation."""
    return Group.objects.get(name=name)


def _in_accounts(world: World) -> None:
    developer = world.developer
    world.facts["organisation_id"] = developer.organisation_id
    second = people.verify(developer, "+919820000061", is_primary=False)
    world.facts["phone_id"] = second.pk
    device = phones.send_pin(user=world.newcomer, number="+919820000062", by=world.newcomer)
    world.facts["device_id"] = device.pk
    reauthentication.send_pin(user=world.member, by=world.member)
    for key in ("operator", "second_admin"):
        AuthenticatorApp.objects.create(user=world.users[key], name="app", confirmed=True)


def _connectors(world: World) -> None:
    """The developer's: one at work, one of each other state, and one with its own key."""
    owner = world.developer
    made = {
        "connector_id": factories.make_connector(
            owner,
            "Shift Planner",
            description="Tells each shift where it works, and collects who is there.",
            home_page="https://planner.example/",
            redirect_urls=[BACK],
            permissions=PERMISSIONS,
        ),
        "another_id": factories.make_connector(owner, "Depot Stock", description="Counts what is left on the shelves."),
        "fresh_id": factories.make_connector(owner, "Just Registered"),
        "suspended_id": factories.make_connector(owner, "Suspended Sender"),
        "inactive_id": factories.make_connector(owner, "Old Roster"),
        "deleted_id": factories.make_connector(owner, "Gone For Good"),
        "resting_id": factories.make_connector(owner, "Resting"),
    }
    world.facts |= {name: connector.pk for name, connector in made.items()}
    put_logo(made["connector_id"])
    co_owner = people.make_user("Kabir Anand", owner.organisation)
    made["connector_id"].co_owners.add(co_owner)
    world.facts["co_owner_id"] = co_owner.pk
    connector_service.suspend(connector=made["suspended_id"], by=owner)
    connector_service.deactivate(connector=made["inactive_id"], by=owner)
    connector_service.delete(connector=made["deleted_id"], by=owner)
    secret, text = factories.make_secret(made["connector_id"])
    world.facts |= {"secret_id": secret.pk, "secret": text}
    key = public_keys.register(connector=made["another_id"], by=owner, public_key=x25519().public_jwk)
    world.facts |= {"key_id": key.pk, "public_key": x25519().public_jwk}


def connector_of(world: World, name: str) -> Connector:
    """A connector by the name of its id among the facts."""
    return Connector.objects.select_related("owner", "organisation").get(pk=world.facts[name])


def _in_the_group(world: World) -> None:
    """Field Service Mumbai, which the group admin runs: grants of every kind, and the ways of their tokens."""
    admin, group, now = world.group_admin, group_called("Field Service Mumbai"), clock.now()
    world.facts |= {
        "group_id": group.pk,
        "sub_group_id": group_called("Thane Crew").pk,
        "beside_id": group_called("Service Notices").pk,
        "follower_id": group_called("Service Notices").subscriptions.earliest("pk").person_id,
        "attribute_id": directory.add_attribute(name="Department", by=world.organisation_admin).pk,
        "second_attribute_id": directory.add_attribute(name="Location", by=world.organisation_admin).pk,
        "empty_group_id": group_called("Sunday Cricket").pk,
        "person_id": person_of(world.member).pk,
    }
    granted = connectors.add_connector(group=group, connector_id=world.facts["connector_id"], by=admin)
    world.facts |= {"grant_id": granted.grant.pk, "handoff_id": granted.handoff.pk}
    world.facts["refresh_token"] = refresh_tokens.unseal(granted.handoff)
    ending = connectors.add_connector(
        group=group, connector_id=world.facts["another_id"], by=admin, ends_at=now + 5 * DAY
    )
    world.facts |= {"ending_id": ending.grant.pk, "sealed_handoff_id": ending.handoff.pk}
    paused = connectors.add_connector(group=group, connector_id=world.facts["resting_id"], by=admin).grant
    grant_service.suspend(grant=paused, by=admin)
    world.facts["paused_id"] = paused.pk
    elsewhere = group_called("Andheri Crew")
    claimed = connectors.add_connector(group=elsewhere, connector_id=world.facts["connector_id"], by=admin)
    handoffs.claim(handoff=claimed.handoff, by=world.developer, idempotency_key=new_form_key(), address=None)
    world.facts |= {
        "second_group_id": elsewhere.pk,
        "claimed_grant_id": claimed.grant.pk,
        "claimed_handoff_id": claimed.handoff.pk,
    }
    refused = connectors.add_connector(group=elsewhere, connector_id=world.facts["resting_id"], by=admin)
    handoffs.refuse(handoff=refused.handoff, by=world.developer)
    world.facts |= {"refused_handoff_id": refused.handoff.pk}
    notices = group_called("Service Notices")
    ended = connectors.add_connector(group=notices, connector_id=world.facts["resting_id"], by=admin).grant
    connectors.remove_connector(grant=ended, group=notices, by=admin)
    token_cache.enable(
        grant=granted.grant,
        by=world.developer,
        secret=world.facts["secret"],
        refresh_token=world.facts["refresh_token"],
    )


def _told(world: World) -> None:
    """One event of the trail, with what it tells."""
    world.facts["event_id"] = AuditEvent.objects.filter(tag="grant:access:granted").latest("pk").pk


def _ask(world: World, connector: str, group: str = "", **more: Any) -> AccessRequest:
    made = connector_of(world, connector)
    return access_requests.ask(
        connector=made,
        by=world.developer,
        permissions=made.permissions,
        once=access_requests.new_once(),
        reason="The depot wants to see each morning who comes and what is missing.",
        target=access.get_target(group_called(group)) if group else "",
        **more,
    )


def _asked(world: World) -> None:
    """Requests: one that waits in a group, one for whoever has the link, one withdrawn."""
    waiting = _ask(world, "fresh_id", "Field Service Mumbai")
    linked = _ask(world, "fresh_id", ends_at=clock.now() + 90 * DAY)
    withdrawn = _ask(world, "fresh_id", "Andheri Crew")
    access_requests.withdraw(request=withdrawn, by=world.developer)
    world.facts |= {
        "request_id": waiting.pk,
        "linked_request_id": linked.pk,
        "withdrawn_request_id": withdrawn.pk,
        "shown": ",".join(waiting.permissions),
    }


def _user_tokens(world: World) -> None:
    """The member lets a connector act for them; an organisation admin's waits for a second one."""
    acting = user_tokens.generate(
        connector=connector_of(world, "another_id"), person=person_of(world.member), by=world.member
    )
    waiting = user_tokens.ask(
        connector=connector_of(world, "connector_id"),
        person=person_of(world.organisation_admin),
        by=world.organisation_admin,
    )
    world.facts |= {"acting_id": acting.grant_id, "user_token_request_id": waiting.pk}


def _used_and_leaked(world: World) -> None:
    connector = connector_of(world, "connector_id")
    grant = Grant.objects.get(pk=world.facts["grant_id"])
    for operation, calls, ago, scope in (
        ("GET v1/groups/<group_id>/members", 5, HOUR, "groupmember.read"),
        ("POST v1/groups/<group_id>/messages", 1204, 3 * DAY, "textmessage.write"),
    ):
        factories.make_use(grant, operation, calls=calls, at=clock.now() - ago, scope=scope)
    for number, habit in enumerate(list(CompatibilityQuirk)[:6]):
        CompatibilityQuirkDay.objects.create(
            connector=connector,
            habit=habit,
            day=clock.now().date() - number * DAY,
            times=345 - number,
            seen_at=clock.now() - number * DAY,
            example="POST v1/groups/<group_id>/actions/<action_id>/responses",
        )
    usage.note_secret_used(world.facts["secret_id"], at=clock.now())
    usage.flush()
    second, text = factories.make_secret(connector, 2)
    leak_reports.report(text=text, where="https://paste.example/a-file-that-anybody-can-read", address="192.0.2.7")
    world.facts |= {"leaked_secret_id": second.pk, "report_id": LeakReport.objects.get(secret=second).pk}


def _webhooks(world: World) -> None:
    """One in trouble, one paused, one to which nothing has happened, and the address of the handoffs."""
    grant = Grant.objects.get(pk=world.facts["grant_id"])
    troubled = eventful(grant)
    paused = quiet(grant, url="https://stock.example.org/hook", event_types=["JobResponse"])
    management.pause(webhook=paused, by=world.developer)
    Webhook.objects.filter(pk=paused.pk).update(secret_shown_at=clock.now())
    still = quiet(grant, url="https://still.example.org/hook", callback_context="")
    world.facts |= {
        "webhook_id": troubled.pk,
        "paused_webhook_id": paused.pk,
        "still_webhook_id": still.pk,
        "handoff_webhook_id": make_handoff_webhook(grant.connector, "https://vault.example.org/handoffs").pk,
        "delivery_id": troubled.deliveries.get(state="failed").pk,
        "dropped_delivery_id": troubled.deliveries.get(state="dropped").pk,
    }


def _posted(world: World) -> None:
    """Messages and cards, with answers, by people and by a connector."""
    group, admin, member = group_called("Field Service Mumbai"), world.group_admin, world.member
    connector = connector_of(world, "connector_id")
    said = messages.post(
        group=group, text="Shift 2 begins an hour later today.", person=person_of(admin), by=admin, connector=connector
    )
    world.facts["reference_id"] = said.pk
    posted = {}
    cards: dict[str, tuple[str, dict[str, Any]]] = {
        "action_id": ("Poll", POLL),
        "survey_id": ("Survey", SURVEY),
        "anonymous_id": ("Survey", {**SURVEY, "isAnonymous": True}),
        "meeting_id": ("LetsMeet", MEETING),
        "announcement_id": (
            "Announcement",
            {"title": "New vests", "message": "Please wear them from Monday."},
        ),
        "job_card_id": (
            "Job",
            {"title": "Replace meter 4417", "assignedTo": [BY_KEY["member"].number], "dueDate": 48},
        ),
    }
    for name, (kind, body) in cards.items():
        posted[name] = actions.post(group=group, body=body, person=person_of(admin), by=admin, action_type=kind)
        world.facts[name] = posted[name].pk
    for who, choice in ((member, "Yes"), (admin, "No"), (world.organisation_admin, "Yes")):
        responses.give(action=posted["action_id"], body={"choice": choice}, person=person_of(who))
    for of in (said, posted["action_id"]):
        for who, words in (
            (member, "Good, then I bring the long ladder."),
            (admin, "Thank you.\nSee you at the gate."),
        ):
            about: dict[str, Any] = {"group": access.require_member(who, group.pk), "reference_id": of.pk, "by": who}
            reactions.react(kind="Comment", comment=words, person=person_of(who), **about)
            reactions.react(kind="Like", comment="", person=person_of(who), **about)
    for name in ("survey_id", "anonymous_id"):
        responses.give(action=posted[name], body={"answers": ANSWERS}, person=person_of(member))


def _bots(world: World) -> None:
    """One that stands in the group and has posted there, and one that stands nowhere."""
    connector, group, admin = (
        connector_of(world, "connector_id"),
        group_called("Field Service Mumbai"),
        world.group_admin,
    )
    picture = "https://planner.example/reminders.png"
    bot = bots.create(connector=connector, name="Shift reminders", picture_url=picture, by=world.developer)
    spare = bots.create(connector=connector, name="Canteen news", picture_url="", by=world.developer)
    group_bots.add(group=group, bot_ids=[bot.pk], by=admin)
    text = "Shift 2 begins in half an hour."
    messages.post(group=group, text=text, person=person_of(admin), by=admin, connector=connector, bot=bot)
    world.facts |= {"bot_id": bot.pk, "spare_bot_id": spare.pk}


def _uploaded(world: World) -> None:
    """Bulk uploads that wait and are done, of users and of parent groups; an archive, and a file of columns."""
    group, admin, boss = group_called("Field Service Mumbai"), world.group_admin, world.organisation_admin
    bad = "Phone number,Name\n+91 98200 00071,Asha\nnobody,somebody\n9.18E+11,y\n"
    mapping = f"Group ID,Parent Group ID\n{world.facts['beside_id']},{group.pk}\n"
    jobs = {
        "job_id": checked(uploaded(group, admin, bad)),
        "done_job_id": done(uploaded(group, admin, "Phone number,Name\n+91 98200 00072,Bala\n", name="more.csv")),
        "mapping_job_id": checked(uploaded_mapping(boss.organisation, boss, mapping)),
        "archive_job_id": done(uploaded_export(boss, FILE)),
        "columns_job_id": uploaded_export(boss, "When;Key;A quite long header\n2019-03-01T09:30:00Z;k;xx\n"),
    }
    world.facts |= {name: job.pk for name, job in jobs.items()}
