"""Every page of the console: its address in the whole world, and who opens it. A new page stands in one of the tables.

`PAGES` are looked at (test_every_page.py, test_every_link.py, scripts/screenshots.py); not_pages.py names the addresses
that show none, and why. `test_every_page.py` fails for an address of the URL configuration that stands in neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from connectors.tests.oauth_app import AUTHORIZE, BACK
from kaizala_console import help
from kaizala_console.tests.whole_world import World

NOBODY = ""
DEVELOPER, GROUP_ADMIN, MEMBER = "developer", "group_admin", "member"
BOSS, OPERATOR, NEWCOMER, STRANGER = "organisation_admin", "operator", "newcomer", "stranger"


@dataclass(frozen=True)
class Visit:
    """One page in one state.

    `ids` replaces facts of the world in the address ({"grant_id": "paused_id"}), or is the value itself; `query` names
    them as `{facts}`. `form` is posted there, for what only the answer to a form shows. `confirmed=False`: the visitor
    has not entered a PIN lately.
    """

    name: str
    who: str
    query: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    form: dict[str, Any] | None = None
    confirmed: bool = True
    status: int = 200
    state: str = ""

    def __str__(self) -> str:
        parts = (self.name.replace(":", "-"), self.state or "-".join(sorted(self.ids.values())), self.query.strip("?"))
        words = "-".join(filter(None, parts))
        return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in words)[:90]

    def address(self, world: World) -> str:
        """The path, and the query."""
        if self.name == "connectors:consent":  # a program sends the browser there
            return f"{AUTHORIZE}?{urlencode({'client_id': world.facts['connector_id'], 'redirect_uri': BACK})}"
        known = {name: self.ids.get(name, name) for name in parameters()[self.name]}
        path = reverse(self.name, kwargs={name: world.facts.get(key, key) for name, key in known.items()})
        return path + self.query.format(**world.facts)

    def fields(self, world: World) -> dict[str, Any]:
        """What is posted, with `{facts}` filled in."""
        return {
            name: value.format(**world.facts) if isinstance(value, str) else value
            for name, value in (self.form or {}).items()
        }


KEY = {"idempotency_key": "k" * 32}
ENDING = ("deactivate", "suspend", "delete")
NEW = {"name": "Canteen", "description": "", "home_page": "", "redirect_urls": ""}


def _each(who: str, *names: str, app: str, **more: Any) -> list[Visit]:
    return [Visit(f"{app}:{name}", who, **more) for name in names]


PAGES: dict[str, list[Visit]] = {
    "outside": [
        Visit("account_login", NOBODY),
        Visit("account_inactive", NOBODY),
        Visit("socialaccount_login_cancelled", NOBODY),
        Visit("socialaccount_login_error", NOBODY, status=401),
        Visit("accounts:signed_out", NOBODY),
        Visit("accounts:identities", NOBODY),
        Visit("accounts:sms", NOBODY),
        Visit("connectors:leak_report", NOBODY),
        Visit("connectors:leak_report", NOBODY, "?thanks=1"),
        Visit("connectors:leak_report", NOBODY, form={"text": ""}, status=400, state="refused"),
    ],
    "accounts": [
        Visit("home", NEWCOMER, state="first-visit"),
        Visit("accounts:phone_pin", NEWCOMER),
        Visit("home", DEVELOPER),
        Visit("home", GROUP_ADMIN, state="group-admin"),
        Visit("home", STRANGER, state="nothing-yet"),
        Visit("accounts:sign_in_again", DEVELOPER, confirmed=False),
        Visit("accounts:confirm", DEVELOPER, confirmed=False),
        Visit("accounts:confirm", MEMBER, confirmed=False, state="pin-sent"),
        Visit("activity", DEVELOPER),
        Visit("activity", STRANGER, state="nothing-yet"),
        Visit("activity", DEVELOPER, "?q=nowhere"),
        Visit("activity_event", BOSS),
        Visit("accounts:settings", DEVELOPER),
        Visit("accounts:organisation", BOSS),
        Visit("accounts:settings", "second_admin", state="with-an-app"),
        Visit("accounts:confirm", "second_admin", confirmed=False, state="with-an-app"),
        Visit("accounts:authenticator_set_up", DEVELOPER),
        Visit("accounts:authenticator_set_up", DEVELOPER, form={"pin": "12"}, status=400, state="refused"),
        Visit("accounts:authenticator_remove", "second_admin"),
        Visit("accounts:sessions", DEVELOPER),
        Visit("account_logout", DEVELOPER),
        Visit("accounts:phone_add", DEVELOPER),
        Visit("accounts:phone_release", DEVELOPER),
    ],
    "help": [
        Visit("help", DEVELOPER),
        Visit("help", DEVELOPER, "?q=nowhere"),
        *(Visit("help_page", DEVELOPER, ids={"slug": slug}) for slug in help.PAGES),
    ],
    "connectors": [
        Visit("connectors:list", DEVELOPER),
        Visit("connectors:list", DEVELOPER, "?show=all"),
        Visit("connectors:list", DEVELOPER, "?q=nowhere"),
        Visit("connectors:list", STRANGER, state="nothing-yet"),
        Visit("connectors:create", DEVELOPER),
        Visit("connectors:create", DEVELOPER, form={"name": ""}, state="refused"),
        Visit("connectors:create", DEVELOPER, form=NEW, state="permissions"),
        Visit("connectors:inspector", DEVELOPER),
        Visit("connectors:explorer", DEVELOPER),
        Visit("connectors:logo", DEVELOPER),
        Visit("connectors:logo", DEVELOPER, form={"logo": ""}, status=400, state="refused"),
        *_each(DEVELOPER, "details", "change", "permissions", "sign_in", "compatibility", "activity", app="connectors"),
        Visit("connectors:usage", DEVELOPER),
        Visit("connectors:usage", DEVELOPER, ids={"connector_id": "fresh_id"}),
        *(Visit(name, BOSS) for name in ("connectors:organisation_usage", "groups:ending")),
        Visit("connectors:details", DEVELOPER, ids={"connector_id": "suspended_id"}),
        Visit("connectors:details", DEVELOPER, ids={"connector_id": "inactive_id"}),
        Visit("connectors:details", DEVELOPER, ids={"connector_id": "fresh_id"}),
        Visit("connectors:details", STRANGER, state="a-colleague"),
        Visit("connectors:compatibility", DEVELOPER, ids={"connector_id": "fresh_id"}),
        Visit("connectors:permissions", DEVELOPER, form={"permissions": ["textmessage"]}, state="preview"),
        *(
            Visit("connectors:change_state", DEVELOPER, ids={"verb": verb})
            for verb in ("deactivate", "suspend", "delete")
        ),
        Visit("connectors:change_state", DEVELOPER, ids={"verb": "resume", "connector_id": "suspended_id"}),
        Visit("connectors:change_state", DEVELOPER, ids={"verb": "reactivate", "connector_id": "inactive_id"}),
    ],
    "bots": [
        *_each(DEVELOPER, "bots", "bot_add", "bot_change", "bot_remove", app="connectors"),
        Visit("connectors:bots", DEVELOPER, ids={"connector_id": "fresh_id"}),
        Visit("connectors:bot_add", DEVELOPER, form={"name": "", "picture": "x", **KEY}, status=400, state="refused"),
        Visit("groups:bot_remove", GROUP_ADMIN),
    ],
    "credentials": [
        *_each(DEVELOPER, "owners", "owner_transfer", app="connectors"),
        Visit("connectors:owner_remove", DEVELOPER, ids={"user_id": "co_owner_id"}),
        Visit(
            "connectors:owner_transfer", DEVELOPER, form={"email": "nobody", "typed": ""}, status=400, state="refused"
        ),
        *_each(DEVELOPER, "credentials", "secret_end_date", "secret_revoke", app="connectors"),
        Visit("connectors:credentials", DEVELOPER, ids={"connector_id": "another_id"}),
        *_each(DEVELOPER, "leak", "keys", "key_add", app="connectors"),
        Visit("connectors:keys", DEVELOPER, ids={"connector_id": "another_id"}),
        Visit("connectors:key_remove", DEVELOPER, ids={"connector_id": "another_id"}),
        Visit("connectors:key_add", DEVELOPER, form={"public_key": "no key"}, status=400, state="refused"),
        Visit("connectors:groups", DEVELOPER),
        Visit("connectors:groups", DEVELOPER, "?show=ended"),
        Visit("connectors:groups", DEVELOPER, ids={"connector_id": "fresh_id"}),
        Visit("connectors:cached_token", DEVELOPER),
        Visit("connectors:cached_token", DEVELOPER, ids={"connector_id": "another_id", "grant_id": "ending_id"}),
        *_each(DEVELOPER, "requests", "request_send", app="connectors", ids={"connector_id": "fresh_id"}),
        Visit("connectors:requests", DEVELOPER, "?show=earlier", ids={"connector_id": "fresh_id"}),
        Visit("connectors:requests", DEVELOPER, "?show=all&q=devika", ids={"connector_id": "fresh_id"}),
        Visit("connectors:requests", DEVELOPER, "?show=refused&q=nowhere", ids={"connector_id": "fresh_id"}),
        Visit("connectors:requests", DEVELOPER, "?show=refused", ids={"connector_id": "fresh_id"}),
        Visit("connectors:request", DEVELOPER, ids={"connector_id": "fresh_id"}),
        Visit("connectors:request", DEVELOPER, ids={"connector_id": "fresh_id", "request_id": "linked_request_id"}),
        Visit("connectors:request", DEVELOPER, ids={"connector_id": "fresh_id", "request_id": "withdrawn_request_id"}),
        Visit("handoffs", DEVELOPER),
        Visit("handoffs", DEVELOPER, "?show=earlier"),
        Visit("handoffs", DEVELOPER, "?q=depot"),
        Visit("handoffs", DEVELOPER, "?q=nowhere"),
        Visit("handoffs", STRANGER, state="nothing-yet"),
        Visit("connectors:handoff", DEVELOPER),
        Visit("connectors:handoff", DEVELOPER, ids={"handoff_id": "claimed_handoff_id"}),
        Visit("connectors:handoff", DEVELOPER, ids={"handoff_id": "refused_handoff_id"}),
        Visit("connectors:handoff_refuse", DEVELOPER),
        Visit("connectors:handoff_reissue", DEVELOPER, ids={"handoff_id": "refused_handoff_id"}),
    ],
    "acting": [
        Visit("connectors:consent", MEMBER),
        Visit("connectors:user_token", MEMBER),
        Visit("connectors:user_token", BOSS, state="waits-for-a-second-admin"),
        Visit("connectors:user_token_request", "second_admin", ids={"request_id": "user_token_request_id"}),
        Visit("connectors:acting", MEMBER),
        Visit("connectors:acting", STRANGER, state="nothing-yet"),
        Visit("connectors:acting_end", MEMBER, ids={"grant_id": "acting_id"}),
    ],
    "webhooks": [
        *_each(DEVELOPER, "webhooks", "webhook", "webhook_delivery", "webhook_settings", app="connectors"),
        Visit("connectors:webhooks", DEVELOPER, ids={"connector_id": "fresh_id"}),
        Visit("connectors:webhook_handoffs", DEVELOPER),
        Visit("connectors:webhook_handoffs", DEVELOPER, ids={"connector_id": "fresh_id"}),
        Visit("connectors:webhook_settings", DEVELOPER, ids={"webhook_id": "paused_webhook_id"}),
        Visit("connectors:webhook", DEVELOPER, ids={"webhook_id": "handoff_webhook_id"}, state="handoffs"),
        Visit("connectors:webhook_settings", DEVELOPER, ids={"webhook_id": "handoff_webhook_id"}, state="handoffs"),
        Visit("connectors:webhook", DEVELOPER, ids={"webhook_id": "paused_webhook_id"}),
        Visit("connectors:webhook", DEVELOPER, ids={"webhook_id": "still_webhook_id"}),
        Visit("connectors:webhook", DEVELOPER, "?state=held"),
        Visit("connectors:webhook_delivery", DEVELOPER, ids={"delivery_id": "dropped_delivery_id"}),
        Visit("connectors:webhook_replay", DEVELOPER),
        Visit("connectors:webhook_replay", DEVELOPER, "?since=2020-01-01T00:00"),
        Visit("connectors:webhook_state", DEVELOPER, ids={"verb": "pause"}),
        Visit("connectors:webhook_state", DEVELOPER, ids={"verb": "delete"}),
        Visit("connectors:webhook_state", DEVELOPER, ids={"verb": "wake", "webhook_id": "paused_webhook_id"}),
    ],
    "groups": [
        Visit("groups:list", GROUP_ADMIN),
        Visit("groups:list", GROUP_ADMIN, "?q=nowhere"),
        Visit("groups:list", BOSS, "?only=run"),
        Visit("groups:list", BOSS, "?let_in={connector_id}"),
        Visit("groups:list", STRANGER, state="nothing-yet"),
        Visit("groups:list", GROUP_ADMIN, "?view=tree"),
        Visit("groups:list", STRANGER, "?view=tree", state="nothing-yet"),
        Visit("groups:list", GROUP_ADMIN, "?view=tree&under={group_id}", state="branch"),
        Visit("search", GROUP_ADMIN),
        Visit("search", GROUP_ADMIN, "?q=crew"),
        Visit("search", BOSS, "?q=connector"),
        Visit("search", GROUP_ADMIN, "?q=nowhere"),
        Visit("groups:create", GROUP_ADMIN),
        Visit("groups:create", GROUP_ADMIN, form={"name": "", **KEY}, status=400, state="refused"),
        *_each(GROUP_ADMIN, "details", "user_remove", "sub_groups", "sub_group_find", "sub_group_detach", app="groups"),
        Visit("groups:details", MEMBER, state="a-member"),
        Visit("groups:details", GROUP_ADMIN, "?only=not-registered"),
        Visit("groups:users_several", GROUP_ADMIN, "?act=remove&person={person_id}"),
        Visit("groups:details", GROUP_ADMIN, "?show=subscribers", ids={"group_id": "beside_id"}),
        Visit("groups:subscriber_remove", GROUP_ADMIN, ids={"group_id": "beside_id", "person_id": "follower_id"}),
        Visit("groups:sub_groups", GROUP_ADMIN, ids={"group_id": "empty_group_id"}),
        Visit("groups:sub_group_attach", GROUP_ADMIN, ids={"sub_group_id": "beside_id"}),
        *_each(GROUP_ADMIN, "policies", "group_remove", "messages", "activity", app="groups"),
        Visit("groups:messages", MEMBER, state="a-member"),
        Visit("groups:messages", GROUP_ADMIN, ids={"group_id": "empty_group_id"}),
        Visit("groups:action", MEMBER),
        *(Visit("groups:action", MEMBER, ids={"action_id": f"{kind}_id"}) for kind in ("survey", "announcement")),
        *(Visit("groups:action", MEMBER, ids={"action_id": f"{kind}_id"}) for kind in ("meeting", "job_card")),
        Visit("groups:action", GROUP_ADMIN, ids={"action_id": "survey_id"}, state="survey-of-the-admin"),
        Visit("groups:action", GROUP_ADMIN, ids={"action_id": "anonymous_id"}),
        Visit("groups:reactions", MEMBER),
        Visit("groups:reactions", MEMBER, form={"comment": "", **KEY}, status=400, state="refused"),
    ],
    "directory": [
        Visit("groups:directory", GROUP_ADMIN),
        Visit("groups:directory", BOSS, state="organisation"),
        Visit("groups:directory", BOSS, "?q=nowhere"),
        Visit("groups:person", GROUP_ADMIN),
        *_each(BOSS, "person", "person_remove", "attributes", "attribute", "attribute_remove", app="groups"),
        Visit("groups:people_upload", BOSS),
    ],
    "group-connectors": [
        Visit("groups:connectors", GROUP_ADMIN),
        Visit("groups:connectors", MEMBER, state="a-member"),
        Visit("groups:connectors", GROUP_ADMIN, ids={"group_id": "empty_group_id"}),
        Visit("groups:grant", GROUP_ADMIN),
        Visit("groups:grant", GROUP_ADMIN, ids={"grant_id": "paused_id"}),
        Visit("groups:grant", GROUP_ADMIN, ids={"grant_id": "ending_id"}),
        Visit("groups:grant", GROUP_ADMIN, ids={"grant_id": "claimed_grant_id", "group_id": "second_group_id"}),
        *_each(GROUP_ADMIN, "grant_regenerate", "grant_suspend", "grant_remove", app="groups"),
        Visit("groups:grant_resume", GROUP_ADMIN, ids={"grant_id": "paused_id"}),
        Visit("groups:grant_end_date", GROUP_ADMIN, ids={"grant_id": "ending_id"}),
        Visit("groups:requests", GROUP_ADMIN),
        Visit("groups:requests", STRANGER, state="nothing-yet"),
        Visit("groups:requests_several", GROUP_ADMIN, "?act=approve&request={request_id}"),
        Visit("groups:request", GROUP_ADMIN),
        Visit("groups:request", GROUP_ADMIN, ids={"request_id": "linked_request_id"}),
    ],
    "bulk": [
        Visit("groups:bulk", GROUP_ADMIN),
        Visit("groups:bulk_job", GROUP_ADMIN),
        Visit("groups:bulk_job", GROUP_ADMIN, ids={"job_id": "done_job_id"}),
        Visit("groups:mapping", BOSS),
        Visit("groups:bulk_job", BOSS, ids={"job_id": "mapping_job_id"}),
        Visit("groups:archive", BOSS),
        Visit("groups:archive", BOSS, "?group=nowhere"),
        Visit("groups:archive_import", BOSS),
        Visit("groups:archive_columns", BOSS, ids={"job_id": "columns_job_id"}),
        Visit("groups:bulk_job", BOSS, ids={"job_id": "archive_job_id"}),
    ],
    # What the answer to a form alone shows.
    "shown-once": [
        Visit("connectors:create_permissions", DEVELOPER, form={**NEW, "permissions": "", **KEY}, state="none"),
        Visit(
            "connectors:create_permissions",
            DEVELOPER,
            form={**NEW, "permissions": "textmessage", "idempotency_key": "a" * 32},
            state="shown-once",
        ),
        Visit("connectors:secret_add", DEVELOPER, ids={"connector_id": "another_id"}, form=KEY, state="shown-once"),
        Visit("connectors:handoff_claim", DEVELOPER, form={"idempotency_key": "c" * 32}, state="shown-once"),
        Visit(
            "connectors:handoff_claim",
            DEVELOPER,
            ids={"handoff_id": "sealed_handoff_id"},
            form={"idempotency_key": "d" * 32},
            state="sealed",
        ),
        Visit("connectors:webhook_secret", DEVELOPER, form={"idempotency_key": "e" * 32}, state="shown-once"),
        Visit("groups:grant_show", GROUP_ADMIN, form={"idempotency_key": "f" * 32}, status=409, state="claimed-before"),
    ],
    "operators": [
        Visit("operators:index", OPERATOR),
        Visit("operators:accounts_user_changelist", OPERATOR, "?q=a"),
        Visit("operators:accounts_auditevent_changelist", OPERATOR),
        Visit("operators:accounts_organisation_change", OPERATOR, ids={"object_id": "organisation_id"}),
        Visit("operators:connectors_connector_change", OPERATOR, ids={"object_id": "connector_id"}),
        Visit("operators_queues", OPERATOR),
        Visit("operators:second_factor", OPERATOR, confirmed=False),
        Visit("operators:second_factor_set_up", "new_operator"),
    ],
}


def visits() -> Iterator[Visit]:
    """All of them."""
    for several in PAGES.values():
        yield from several


def parameters() -> dict[str, list[str]]:
    """Every named address of the console, with the names of what stands in it; of Django's admin, one of a kind."""
    lists = ("accounts_user_changelist", "accounts_auditevent_changelist")
    own: dict[str, list[str]] = {
        **{f"operators:{name}": [] for name in ("index", "second_factor", "second_factor_set_up", *lists)},
        "operators:accounts_organisation_change": ["object_id"],
        "operators:connectors_connector_change": ["object_id"],
    }
    return {**dict(_walk(get_resolver().url_patterns, "")), **own}


def _walk(patterns: list[Any], namespace: str) -> Iterator[tuple[str, list[str]]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{pattern.namespace}:" if pattern.namespace else ""
            yield from _walk(pattern.url_patterns, namespace + inner)
        elif isinstance(pattern, URLPattern) and pattern.name and namespace != "operators:":
            yield namespace + pattern.name, list(pattern.pattern.converters or pattern.pattern.regex.groupindex)
