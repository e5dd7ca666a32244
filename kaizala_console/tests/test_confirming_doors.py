"""Which doors ask "is it you?" before they act: each page that takes a form stands in one of the two tables below.

A door that is new stands in neither, and fails here until somebody has decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.apps import apps
from django.test import Client
from django.urls import URLPattern, reverse

import accounts.views.urls
import connectors.views.urls
import groups.views.urls
import kaizala_console.urls
from accounts.models import AuthenticatorApp, Session, User
from accounts.services import reauthentication, totp
from accounts.tests import pins
from accounts.tests.authenticator import CodeNow
from accounts.tests.factories import make_user, verify
from connectors.models import Connector, LeakReport, Webhook
from connectors.permissions import PERMISSIONS, list_scopes
from connectors.services import (
    access_requests,
    bots,
    leak_reports,
    public_keys,
    refresh_tokens,
    token_cache,
    user_tokens,
)
from connectors.services import connectors as connector_service
from connectors.services import grants as grant_service
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.keys import x25519
from connectors.tests.logos import PngFile, with_logo
from connectors.tests.webhook_history import quiet
from connectors.views.states import VERBS
from connectors.views.webhooks import VERBS as WEBHOOK_VERBS
from connectors.webhooks import management
from groups import access
from groups.models import PersonAttribute
from groups.services import actions
from groups.services import bots as group_bots
from groups.services import connectors as grants
from groups.tests.bulk import checked, uploaded
from groups.tests.cards import POLL
from groups.tests.factories import make_group, make_public_group, person_of
from kaizala_console.lib import ids
from kaizala_console.tests.at_each import at_each
from kaizala_console.tests.open_doors import OPEN
from kaizala_console.tests.rows import rows_of

pytestmark = [pytest.mark.django_db, pytest.mark.once]  # whether a form asks is no matter of the database
CONFIRM, SIGN_IN_AGAIN = "/console/confirm/", "/console/sign-in-again/"
PATTERNS = {
    "accounts:": accounts.views.urls.urlpatterns,
    "connectors:": connectors.views.urls.urlpatterns,
    "groups:": groups.views.urls.urlpatterns,
    "": [
        pattern
        for pattern in kaizala_console.urls.urlpatterns
        if isinstance(pattern, URLPattern) and pattern.name and str(pattern.pattern).startswith("console/")
    ],
}


@dataclass
class World:
    """One of everything that a door may be about, by the names that addresses and forms use."""

    facts: dict[str, Any] = field(default_factory=dict)

    def form(self, form: dict[str, str]) -> dict[str, Any]:
        """The form with `{names}` filled in."""
        return {name: value.format(**self.facts) if isinstance(value, str) else value for name, value in form.items()}


@dataclass(frozen=True)
class Door:
    """Who may do it, with which form, and what it asks first. `ids` replaces facts in the address."""

    who: str
    form: dict[str, Any] = field(default_factory=dict)
    asks: str = CONFIRM
    ids: dict[str, str] = field(default_factory=dict)


# Makes, shows, widens or ends a right; changes who one is; takes data out.
CONFIRMING: dict[str, list[Door]] = {
    "activity_export": [Door("developer", {"format": "csv"})],
    "accounts:authenticator_set_up": [Door("developer", {"pin": "{code}"})],
    "accounts:authenticator_remove": [Door("member")],
    "accounts:organisation_policy": [Door("organisation_admin", {"form": "policy"})],
    "accounts:phone_add": [
        Door("developer", {"region": "IN", "number": "98200 12345"}, SIGN_IN_AGAIN),
        Door("developer", {"region": "IN", "number": "98200 12345"}),
    ],
    "accounts:phone_pin_again": [Door("developer", asks=SIGN_IN_AGAIN), Door("developer")],
    "accounts:phone_primary": [Door("developer", asks=SIGN_IN_AGAIN), Door("developer")],
    "accounts:phone_release": [Door("developer", asks=SIGN_IN_AGAIN), Door("developer")],
    "connectors:create_permissions": [
        Door("developer", {"name": "Canteen", "permissions": ["textmessage"], "idempotency_key": "{idempotency_key}"})
    ],
    "connectors:change": [Door("developer", {"name": "Shift Planner", "redirect_urls": "https://new.example/"})],
    "connectors:logo": [Door("developer", {"logo": PngFile()})],
    "connectors:logo_remove": [Door("developer", ids={"connector_id": "another_id"})],
    "connectors:permissions": [
        Door("developer", {"permissions": ["textmessage"], "sure": "1", "typed": "Shift Planner"})
    ],
    "connectors:sign_in": [Door("developer", {"pkce_required": "on"})],
    "connectors:change_state": [
        Door("developer", {"typed": "Shift Planner"}, ids={"verb": "suspend"}),
        Door("developer", {"typed": "Shift Planner"}, ids={"verb": "delete"}),
        Door("developer", ids={"verb": "resume", "connector_id": "suspended_id"}),
        Door("developer", ids={"verb": "deactivate"}),
        Door("developer", ids={"verb": "reactivate", "connector_id": "inactive_id"}),
    ],
    "connectors:owners": [Door("developer", {"email": "meera.nair@contoso.example"})],
    "connectors:owner_remove": [Door("developer", ids={"user_id": "co_owner_id"})],
    "connectors:owner_transfer": [
        Door("developer", {"email": "meera.nair@contoso.example", "stay": "on", "typed": "Shift Planner"})
    ],
    "connectors:secret_add": [
        Door("developer", {"idempotency_key": "{idempotency_key}"}, ids={"connector_id": "another_id"})
    ],
    "connectors:secret_end_date": [Door("developer", {"end_date": "2099-12-31"})],
    "connectors:secret_revoke": [Door("developer", {"typed": "Shift Planner", "why": "unused"})],
    "connectors:leak_revoke": [Door("developer")],
    "connectors:leak_restore": [Door("developer")],
    "connectors:key_add": [Door("developer", {"public_key": "{public_key}"})],
    "connectors:key_remove": [Door("developer", ids={"connector_id": "another_id"})],
    "connectors:cached_token": [Door("developer", {"secret": "{secret}", "refresh_token": "{refresh_token}"})],
    "connectors:cached_token_stop": [Door("developer")],
    "connectors:consent": [
        Door("member", {"decision": "allow", "person": "{member_person}", "shown": "{shown_scopes}"})
    ],
    "connectors:user_token": [Door("member", {"act": "generate", "person": "{member_person}", "shown": "{shown}"})],
    "connectors:user_token_request": [
        Door("second_admin", {"act": act}, ids={"request_id": "user_token_request_id"}) for act in ("confirm", "refuse")
    ],
    "connectors:acting_end": [Door("member", {"typed": "Another"}, ids={"grant_id": "acting_id"})],
    "connectors:handoff_claim": [Door("developer", {"idempotency_key": "{idempotency_key}"})],
    "connectors:handoff_refuse": [Door("developer")],
    "connectors:handoff_reissue": [Door("developer")],
    "connectors:webhook_handoffs": [Door("developer", {"address": "{listens_at}"})],
    "connectors:webhook_state": [
        Door("developer", {"typed": "hooks.example.com"}, ids={"verb": "delete_verb"}),
        Door("developer", ids={"verb": "pause", "webhook_id": "other_webhook_id"}),
        Door("developer", ids={"verb": "wake", "connector_id": "listening_id", "webhook_id": "paused_webhook_id"}),
    ],
    "connectors:webhook_secret": [Door("developer", {"idempotency_key": "{idempotency_key}"})],
    "connectors:webhook_secret_rotate": [Door("developer", {"idempotency_key": "{idempotency_key}"})],
    "connectors:bot_change": [Door("developer", {"name": "Rota", "picture": ""})],
    "connectors:bot_remove": [Door("developer", {"typed": "Shift reminders"})],
    "groups:connector_add": [Door("group_admin", {"connector": "{another_id}"})],
    "groups:bot_add": [Door("group_admin", {"bot": "{spare_bot_id}"})],
    "groups:bot_remove": [Door("group_admin")],
    "groups:grant_show": [Door("group_admin", {"idempotency_key": "{idempotency_key}"})],
    "groups:grant_regenerate": [Door("group_admin", {"handoff": "{handoff_id}"})],
    "groups:grant_suspend": [Door("group_admin")],
    "groups:grant_resume": [Door("group_admin", ids={"grant_id": "paused_id"})],
    "groups:grant_end_date": [Door("group_admin", {"end_date": "2099-12-31"})],
    "groups:grant_remove": [Door("group_admin", {"typed": "Shift Planner"})],
    "groups:request_approve": [Door("group_admin", {"permissions": ["textmessage"], "shown": "{shown}"})],
    "groups:request_refuse": [Door("group_admin")],
    "groups:requests_several": [Door("group_admin", {"act": "refuse", "request": "{request_id}"})],
    "groups:user_role": [Door("group_admin", {"role": "Admin"})],
    "groups:user_remove": [Door("group_admin")],
    "groups:users_several": [Door("group_admin", {"act": "remove", "person": "{member_person}"})],
    "groups:subscriber_remove": [Door("group_admin", ids={"group_id": "public_id"})],
    "groups:sub_group_attach": [Door("group_admin", ids={"sub_group_id": "beside_id"})],
    "groups:sub_group_detach": [Door("group_admin")],
    "groups:policies_rules": [Door("group_admin", {"post": "admins", "members": "admins"})],
    "groups:group_remove": [Door("group_admin", {"typed": "Night Shift"})],
    "groups:people_export": [Door("organisation_admin")],
    "groups:person_remove": [Door("organisation_admin", {"typed": "Meera Nair"})],
    "groups:attribute_remove": [Door("organisation_admin", {"typed": "Department"})],
    "groups:bulk_go": [Door("group_admin")],
    "groups:bulk_export": [Door("group_admin")],
    "groups:action_export": [Door("group_admin")],
    "groups:mapping_export": [Door("organisation_admin")],
}


def doors() -> Iterator[tuple[str, URLPattern]]:
    """Every page of the three apps, and of the frame."""
    for namespace, patterns in PATTERNS.items():
        for pattern in patterns:
            yield f"{namespace}{pattern.name}", pattern


def takes_forms(pattern: URLPattern) -> bool:
    """Whether a POST is refused as such, before anything else is looked at."""
    samples: dict[str, Any] = {"uuid": ids.new_id(), "int": 1, "slug": "x", "str": "x"}
    kinds = {name: type(converter).__name__ for name, converter in pattern.pattern.converters.items()}
    kwargs = {
        name: samples[kind.removesuffix("Converter").lower().replace("string", "str")] for name, kind in kinds.items()
    }
    namespace = next(namespace for namespace, patterns in PATTERNS.items() if pattern in patterns)
    return bool(Client().post(reverse(f"{namespace}{pattern.name}", kwargs=kwargs)).status_code != 405)


def test_every_door_that_takes_a_form_stands_in_exactly_one_table() -> None:
    found = {name for name, pattern in doors() if takes_forms(pattern)} - {"accounts:phones"}  # a redirect
    assert found == set(CONFIRMING) | set(OPEN)
    assert not set(CONFIRMING) & set(OPEN)


def test_every_verb_of_a_connectors_state_was_decided() -> None:
    assert {door.ids["verb"] for door in CONFIRMING["connectors:change_state"]} == set(VERBS)


def test_every_verb_of_a_webhooks_state_was_decided() -> None:
    asking = {door.ids["verb"].removesuffix("_verb") for door in CONFIRMING["connectors:webhook_state"]}
    assert asking == set(WEBHOOK_VERBS)


ALL_DOORS = {f"{name} {place}": door for name, several in CONFIRMING.items() for place, door in enumerate(several)}


def name_of(key: str) -> str:
    """The door's name, without which of its forms it is."""
    return key.rpartition(" ")[0]


@pytest.fixture
def world(
    developer: User, group_admin: User, member: User, organisation_admin: User, second_admin: User, listens_at: str
) -> World:
    """The developer's connector in a group, with everything about it that waits for an answer."""
    connector = factories.make_connector(developer, "Shift Planner")
    another = with_logo(factories.make_connector(developer, "Another"))
    connector.co_owners.add(co_owner := make_user("Kabir Anand", developer.organisation))
    suspended = factories.make_connector(developer, "Suspended")
    connector_service.suspend(connector=suspended, by=developer)
    listening = factories.make_connector(developer, "Listening", permissions=PERMISSIONS)
    inactive = factories.make_connector(developer, "Inactive")
    connector_service.deactivate(connector=inactive, by=developer)
    secret, text = factories.make_secret(connector)
    group = make_group(organisation=developer.organisation, admins=[group_admin], members=[member])
    below = make_group("Gate", organisation=group.organisation, under=group)
    beside = make_group("Office", organisation=group.organisation, admins=[group_admin])
    public = make_public_group("Notices", organisation=group.organisation, admins=[group_admin], subscribers=[member])
    granted = grants.add_connector(group=group, connector_id=connector.pk, by=group_admin)
    hears = grants.add_connector(group=group, connector_id=listening.pk, by=group_admin).grant
    resting = factories.make_connector(developer, "Resting")
    paused = grants.add_connector(group=group, connector_id=resting.pk, by=group_admin).grant
    grant_service.suspend(grant=paused, by=group_admin)
    reported_secret, reported_text = factories.make_secret(connector, 2)
    leak_reports.report(text=reported_text, address="192.0.2.7")
    asked = access_requests.ask(
        connector=another,
        by=developer,
        permissions=another.permissions,
        once=access_requests.new_once(),
        target=access.get_target(group),
    )
    waiting = user_tokens.ask(connector=connector, person=person_of(organisation_admin), by=organisation_admin)
    acting = user_tokens.generate(connector=another, person=person_of(member), by=member)
    key = public_keys.register(connector=another, by=developer, public_key=x25519().public_jwk)
    refresh_token = refresh_tokens.unseal(granted.handoff)
    token_cache.enable(grant=granted.grant, by=developer, secret=text, refresh_token=refresh_token)
    bot = bots.create(connector=connector, name="Shift reminders", picture_url="", by=developer)
    spare = bots.create(connector=connector, name="Spare", picture_url="", by=developer)
    group_bots.add(group=group, bot_ids=[bot.pk], by=group_admin)
    AuthenticatorApp.objects.create(user=member, confirmed=True)
    return World(
        {
            "bot_id": bot.pk,
            "spare_bot_id": spare.pk,
            "connector_id": connector.pk,
            "another_id": another.pk,
            "suspended_id": suspended.pk,
            "inactive_id": inactive.pk,
            "listening_id": listening.pk,
            "secret_id": secret.pk,
            "co_owner_id": co_owner.pk,
            "report_id": LeakReport.objects.get(secret=reported_secret).pk,
            "key_id": key.pk,
            "grant_id": granted.grant.pk,
            "paused_id": paused.pk,
            "handoff_id": granted.handoff.pk,
            "request_id": asked.pk,
            "user_token_request_id": waiting.pk,
            "group_id": group.pk,
            "sub_group_id": below.pk,
            "beside_id": beside.pk,
            "public_id": public.pk,
            "person_id": person_of(member).pk,
            "attribute_id": PersonAttribute.objects.create(organisation=developer.organisation, name="Department").pk,
            "member_person": person_of(member).pk,
            "phone_id": verify(developer, is_primary=False).pk,
            "device_id": pins.sent_long_ago(developer),
            "acting_id": acting.grant_id,
            "secret": text,
            "refresh_token": refresh_token,
            "public_key": x25519().public_jwk,
            "action_id": actions.post(
                group=group, action_type="Poll", body=POLL, person=person_of(group_admin), by=group_admin
            ).pk,
            "job_id": checked(uploaded(group, group_admin, "Phone number\n+91 98765 43210\n")).pk,
            "code": CodeNow(totp.begin(user=developer)),
            "shown": ",".join(another.permissions),
            "shown_scopes": " ".join(list_scopes(another.permissions)),
            "idempotency_key": new_form_key(),
            "listens_at": listens_at,
            "verb": "suspend",
            "delete_verb": "delete",
            "webhook_id": quiet(granted.grant).pk,
            "other_webhook_id": quiet(granted.grant).pk,
            "paused_webhook_id": _paused(quiet(hears), developer).pk,
        }
    )


def _paused(webhook: Webhook, by: User) -> Webhook:
    management.pause(webhook=webhook, by=by)
    return webhook


def everything() -> dict[str, list[str]]:
    """All rows of the three apps, to see that nothing has changed; but for sessions, in which forms wait."""
    models = [
        model
        for app in ("accounts", "connectors", "groups")
        for model in apps.get_app_config(app).get_models(include_auto_created=True)
    ]
    return rows_of(model for model in models if model is not Session)


def address_of(name: str, door: Door, world: World, browser: Client) -> str:
    if name == "connectors:consent":
        return consent_page(world, browser)
    pattern = dict(doors())[name]
    named = {key: door.ids.get(key, key) for key in pattern.pattern.converters}
    return reverse(name, kwargs={key: world.facts.get(value, value) for key, value in named.items()})


def consent_page(world: World, browser: Client) -> str:
    """A program sends the browser to the question whether it may act."""
    back = "https://planner.example/callback"
    Connector.objects.filter(pk=world.facts["connector_id"]).update(redirect_urls=[back])
    query = {"client_id": str(world.facts["connector_id"]), "redirect_uri": back}
    return str(browser.get("/api/oauth/authorize", query)["Location"])


@pytest.fixture
def people(request: pytest.FixtureRequest) -> dict[str, User]:
    """Who comes to any of the doors."""
    return {door.who: request.getfixturevalue(door.who) for door in ALL_DOORS.values()}


def test_a_door_asks_who_sits_there_and_does_nothing_before(
    world: World, people: dict[str, User], browser_of: Callable[..., Client]
) -> None:
    def at(key: str) -> None:
        door = ALL_DOORS[key]
        browser = browser_of(people[door.who], confirmed=False, recent=door.asks == CONFIRM)
        address = address_of(name_of(key), door, world, browser)
        before = everything()
        answer = browser.post(address, world.form(door.form))
        assert answer.status_code == 302, answer
        assert urlsplit(answer["Location"]).path == door.asks
        assert everything() == before

    at_each(ALL_DOORS, at)


def test_the_same_form_is_taken_once_it_is_known_who_sits_there(
    world: World, people: dict[str, User], browser_of: Callable[..., Client]
) -> None:
    def at(key: str) -> None:
        door = ALL_DOORS[key]
        browser = browser_of(people[door.who])
        address = address_of(name_of(key), door, world, browser)
        before = everything()
        answer = browser.post(address, world.form(door.form))
        assert answer.status_code in (200, 302), answer.content
        assert everything() != before
        assert urlsplit(answer.get("Location", "")).path not in (CONFIRM, SIGN_IN_AGAIN)

    at_each(ALL_DOORS, at)


def test_the_form_is_carried_out_by_itself_after_the_confirmation(
    world: World, people: dict[str, User], browser_of: Callable[..., Client]
) -> None:
    def at(key: str) -> None:
        door = ALL_DOORS[key]
        browser = browser_of(people[door.who], confirmed=False)
        confirm = browser.post(address_of(name_of(key), door, world, browser), world.form(door.form))["Location"]
        session = browser.session
        reauthentication.remember_confirmation(session, people[door.who])
        session.save()
        before = everything()
        page = browser.get(confirm)
        assert everything() == before
        if page.status_code == 302:  # behind the confirmation as a whole, or with a file
            assert parse_qs(urlsplit(confirm).query)["next"] == [page["Location"]]
            return
        pending = page.context["pending"]
        answer = browser.post(confirm, {"pending_form": pending.id})
        assert answer["Location"] == (pending.page if pending.is_download else pending.path)
        if not pending.is_download:
            assert browser.post(answer["Location"], {"pending_form": pending.id}).status_code in (200, 302)
            assert everything() != before

    at_each([key for key, door in ALL_DOORS.items() if door.asks == CONFIRM], at)


# Forms that can be sent empty, or with the wrong name typed.
CAN_BE_WRONG = frozenset(
    {
        "connectors:create_permissions",
        "connectors:change",
        "connectors:permissions",
        "connectors:change_state",
        "connectors:owners",
        "connectors:owner_transfer",
        "connectors:secret_revoke",
        "connectors:cached_token",
        "connectors:consent",
        "connectors:user_token",
        "connectors:acting_end",
        "connectors:webhook_handoffs",
        "connectors:webhook_state",
        "connectors:bot_change",
        "connectors:bot_remove",
        "groups:connector_add",
        "groups:bot_add",
        "groups:grant_remove",
        "groups:request_approve",
        "groups:requests_several",
        "groups:user_role",
        "groups:users_several",
        "groups:policies_rules",
        "groups:group_remove",
        "groups:person_remove",
        "groups:attribute_remove",
    }
)


def test_a_form_that_is_wrong_says_so_before_it_asks_for_a_confirmation(
    world: World, people: dict[str, User], browser_of: Callable[..., Client]
) -> None:
    def at(key: str) -> None:
        door = ALL_DOORS[key]
        browser = browser_of(people[door.who], confirmed=False)
        answer = browser.post(address_of(name_of(key), door, world, browser), {})
        assert urlsplit(answer.get("Location", "")).path != CONFIRM

    at_each([key for key, door in ALL_DOORS.items() if name_of(key) in CAN_BE_WRONG and door.form], at)
