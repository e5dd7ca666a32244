"""Which doors ask "is it you?" before they act: each page that takes a form stands in one of the two tables below.

A door that is new stands in neither, and fails here until somebody has decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from accounts.models import Session
from accounts.services import reauthentication, totp
from accounts.tests import pins
from accounts.tests.authenticator import CodeNow
from connectors.permissions import list_scopes
from connectors.services.one_time_secrets import new_form_key
from connectors.tests.logos import PngFile
from connectors.tests.oauth_app import AUTHORIZE, BACK
from connectors.views.states import CONNECTOR_CHANGES
from connectors.views.webhooks import WEBHOOK_CHANGES
from kaizala_console.lib import ids
from kaizala_console.lib.tests.cast import BrowserOf
from kaizala_console.tests.at_each import at_each
from kaizala_console.tests.open_doors import OPEN
from kaizala_console.tests.rows import rows_of
from kaizala_console.tests.whole_world import World, connector_of

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
    "accounts:authenticator_remove": [Door("second_admin")],
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
    "connectors:logo": [Door("developer", {"logo": PngFile()}, ids={"connector_id": "another_id"})],
    "connectors:logo_remove": [Door("developer")],
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
    "connectors:consent": [Door("member", {"decision": "allow", "person": "{person_id}", "shown": "{shown_scopes}"})],
    "connectors:user_token": [
        Door("member", {"act": "generate", "person": "{person_id}", "shown": "{shown_permissions}"})
    ],
    "connectors:user_token_request": [
        Door("second_admin", {"act": act}, ids={"request_id": "user_token_request_id"}) for act in ("confirm", "refuse")
    ],
    "connectors:acting_end": [Door("member", {"typed": "Depot Stock"}, ids={"grant_id": "acting_id"})],
    "connectors:handoff_claim": [Door("developer", {"idempotency_key": "{idempotency_key}"})],
    "connectors:handoff_refuse": [Door("developer")],
    "connectors:handoff_reissue": [Door("developer")],
    "connectors:webhook_handoffs": [Door("developer", {"address": "{listens_at}"}, ids={"connector_id": "another_id"})],
    "connectors:webhook_state": [
        Door("developer", {"typed": "hooks.example.com"}, ids={"verb": "delete"}),
        Door("developer", ids={"verb": "pause", "webhook_id": "still_webhook_id"}),
        Door("developer", ids={"verb": "wake", "webhook_id": "paused_webhook_id"}),
    ],
    "connectors:webhook_secret": [Door("developer", {"idempotency_key": "{idempotency_key}"})],
    "connectors:webhook_secret_rotate": [Door("developer", {"idempotency_key": "{idempotency_key}"})],
    "connectors:bot_change": [Door("developer", {"name": "Rota", "picture": ""})],
    "connectors:bot_remove": [Door("developer", {"typed": "Shift reminders"})],
    "groups:connector_add": [Door("group_admin", {"connector": "{fresh_id}"})],
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
    "groups:users_several": [Door("group_admin", {"act": "remove", "person": "{person_id}"})],
    "groups:subscriber_remove": [Door("group_admin", ids={"group_id": "beside_id", "person_id": "follower_id"})],
    "groups:sub_group_attach": [Door("group_admin", ids={"sub_group_id": "beside_id"})],
    "groups:sub_group_detach": [Door("group_admin")],
    "groups:policies_rules": [Door("group_admin", {"post": "admins", "members": "admins"})],
    "groups:group_remove": [Door("group_admin", {"typed": "Field Service Mumbai"})],
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


def any_address(name: str, pattern: URLPattern) -> str:
    samples: dict[str, Any] = {"uuid": ids.new_id(), "int": 1, "slug": "x", "string": "x"}
    kinds = {key: type(converter).__name__ for key, converter in pattern.pattern.converters.items()}
    return reverse(name, kwargs={key: samples[kind.removesuffix("Converter").lower()] for key, kind in kinds.items()})


def test_every_door_that_takes_a_form_stands_in_exactly_one_table() -> None:
    """What takes none refuses a POST as such, before anything else is looked at."""
    found = {name for name, pattern in doors() if Client().post(any_address(name, pattern)).status_code != 405}
    found -= {"accounts:phones"}  # a redirect
    assert found == set(CONFIRMING) | set(OPEN)
    assert not set(CONFIRMING) & set(OPEN)


@pytest.mark.parametrize(
    ("name", "verbs"), [("connectors:change_state", CONNECTOR_CHANGES), ("connectors:webhook_state", WEBHOOK_CHANGES)]
)
def test_every_verb_of_a_state_was_decided(name: str, verbs: Iterable[str]) -> None:
    assert {door.ids["verb"] for door in CONFIRMING[name]} == set(verbs)


# Of pages for everybody, and of those that lead on.
FOR_EVERYBODY = {
    "accounts:identities",
    "accounts:signed_out",
    "accounts:sms",
    "accounts:dummy_authenticate",
    "accounts:phones",
    "accounts:office365_callback",
    "connectors:leak_report",
    "connectors:authorize",
    "connectors:logo_file",  # to whom it may not be shown it is not there
}


def test_without_a_session_every_door_leads_to_the_sign_in() -> None:
    addresses = {name: any_address(name, pattern) for name, pattern in doors() if name not in FOR_EVERYBODY}
    answers = [
        (name, method(address)) for name, address in addresses.items() for method in (Client().get, Client().post)
    ]
    led = [name for name, answer in answers if "/accounts/login/?next=" in answer.get("Location", "")]
    assert [name for name, answer in answers if answer.status_code != 405 and name not in led] == []


ALL_DOORS = {f"{name} {place}": door for name, several in CONFIRMING.items() for place, door in enumerate(several)}


def name_of(key: str) -> str:
    """The door's name, without which of its forms it is."""
    return key.rpartition(" ")[0]


@pytest.fixture
def world(whole_world: World, listens_at: str) -> World:
    """With what only forms need."""
    developer, connector = whole_world.developer, connector_of(whole_world, "connector_id")
    whole_world.facts |= {
        "code": CodeNow(totp.begin(user=developer)),
        "device_id": pins.sent_long_ago(developer),
        "idempotency_key": new_form_key(),
        "listens_at": listens_at,
        "shown_permissions": ",".join(connector.permissions),
        "shown_scopes": " ".join(list_scopes(connector.permissions)),
    }
    return whole_world


def everything() -> dict[str, list[str]]:
    """All rows of the three apps, to see that nothing has changed; but for sessions, in which forms wait."""
    models = [
        model
        for app in ("accounts", "connectors", "groups")
        for model in apps.get_app_config(app).get_models(include_auto_created=True)
    ]
    return rows_of(model for model in models if model is not Session)


def address_of(name: str, door: Door, world: World, browser: Client) -> str:
    if name == "connectors:consent":  # a program sends the browser there
        query = {"client_id": str(world.facts["connector_id"]), "redirect_uri": BACK}
        return str(browser.get(AUTHORIZE, query)["Location"])
    pattern = dict(doors())[name]
    named = {key: door.ids.get(key, key) for key in pattern.pattern.converters}
    return reverse(name, kwargs={key: world.facts.get(value, value) for key, value in named.items()})


def send(name: str, door: Door, world: World, browser: Client) -> Any:
    """The door's form, with `{facts}` filled in."""
    form = {
        field: value.format(**world.facts) if isinstance(value, str) else value for field, value in door.form.items()
    }
    return browser.post(address_of(name, door, world, browser), form)


def test_a_door_asks_who_sits_there_and_does_nothing_before(world: World, browser_of: BrowserOf) -> None:
    def at(key: str) -> None:
        door = ALL_DOORS[key]
        browser = browser_of(world.users[door.who], confirmed=False, recent=door.asks == CONFIRM)
        before = everything()
        answer = send(name_of(key), door, world, browser)
        assert answer.status_code == 302, answer
        assert urlsplit(answer["Location"]).path == door.asks
        assert everything() == before

    at_each(ALL_DOORS, at)


def test_the_same_form_is_taken_once_it_is_known_who_sits_there(world: World, browser_of: BrowserOf) -> None:
    def at(key: str) -> None:
        door = ALL_DOORS[key]
        browser = browser_of(world.users[door.who])
        before = everything()
        answer = send(name_of(key), door, world, browser)
        assert answer.status_code in (200, 302), answer.content
        assert everything() != before
        assert urlsplit(answer.get("Location", "")).path not in (CONFIRM, SIGN_IN_AGAIN)

    at_each(ALL_DOORS, at)


def test_the_form_is_carried_out_by_itself_after_the_confirmation(world: World, browser_of: BrowserOf) -> None:
    def at(key: str) -> None:
        door = ALL_DOORS[key]
        browser = browser_of(world.users[door.who], confirmed=False)
        confirm = send(name_of(key), door, world, browser)["Location"]
        session = browser.session
        reauthentication.remember_confirmation(session, world.users[door.who])
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


def test_a_form_that_is_wrong_says_so_before_it_asks_for_a_confirmation(world: World, browser_of: BrowserOf) -> None:
    def at(key: str) -> None:
        door = ALL_DOORS[key]
        browser = browser_of(world.users[door.who], confirmed=False)
        answer = browser.post(address_of(name_of(key), door, world, browser), {})
        assert urlsplit(answer.get("Location", "")).path != CONFIRM

    at_each([key for key, door in ALL_DOORS.items() if name_of(key) in CAN_BE_WRONG and door.form], at)
