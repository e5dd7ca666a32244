"""What the tests of pages share: the address of every page, a form that would do harm anywhere, and all rows."""

from __future__ import annotations

import re
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.shortcuts import resolve_url
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, reverse

from accounts.models import AuditEvent, Notice, Person
from connectors.models import AccessRequest, Connector, Grant
from connectors.tests.html_forms import text_of
from groups.models import Group
from kaizala_console.lib import ids
from kaizala_console.tests.rows import rows_of

ANYBODY = ("list", "create", "directory", "requests", "search", "bulk_template")
OF_MEMBERS = (
    "details",
    "sub_groups",
    "connectors",
    "policies",
    "messages",
    "poll_post",
    "announcement_post",
    "files_post",
    "action",
    "reactions",
    "like",
)
OF_ADMINS = (
    "policies_rules",
    "group_remove",
    "users_add",
    "user_role",
    "user_remove",
    "users_several",
    "subscribers_add",
    "subscriber_remove",
    "sub_group_find",
    "sub_group_attach",
    "sub_group_detach",
    "connector_add",
    "bot_add",
    "bot_remove",
    "grant",
    "grant_show",
    "grant_show_download",
    "grant_show_done",
    "grant_regenerate",
    "grant_suspend",
    "grant_resume",
    "grant_end_date",
    "grant_remove",
    "activity",
    "action_export",
    "bulk",
    "bulk_export",
    "bulk_job",
    "bulk_go",
    "bulk_cancel",
    "bulk_file",
    "bulk_log",
    "bulk_problems",
)
# For admins of the organisation alone (test_bulk_mapping.py).
OF_ORGANISATION_ADMINS = (
    "ending",
    "mapping",
    "mapping_export",
    "archive",
    "archive_import",
    "archive_columns",
    "attributes",
    "attribute",
    "attribute_up",
    "attribute_remove",
    "person_attributes",
    "person_remove",
    "people_upload",
    "people_export",
)
# What a developer asks of a group: for its admins, and for the developer (test_request_pages.py).
OF_REQUESTS = ("request", "request_approve", "request_refuse")
# For who has requests in their inbox (test_request_pages.py).
OF_INBOXES = ("requests_several",)
# For who sees the person (test_person_pages.py).
OF_PEOPLE = ("person",)
ALL = (*OF_PEOPLE, *OF_INBOXES, *ANYBODY, *OF_MEMBERS, *OF_ADMINS, *OF_REQUESTS, *OF_ORGANISATION_ADMINS)
# What only takes a form, and what takes none.
FORMS_ALONE = (
    "people_export",
    "attribute_up",
    "person_attributes",
    "policies_rules",
    "poll_post",
    "announcement_post",
    "files_post",
    "like",
    "action_export",
    "users_add",
    "user_role",
    "subscribers_add",
    "connector_add",
    "bot_add",
    "grant_show_download",
    "grant_show_done",
    "request_approve",
    "request_refuse",
    "bulk_export",
    "bulk_go",
    "bulk_cancel",
    "mapping_export",
)
NO_FORMS = (
    "person",
    "sub_group_find",
    "list",
    "search",
    "directory",
    "ending",
    "details",
    "connectors",
    "grant",
    "activity",
    "requests",
    "request",
    "bulk_template",
    "archive",
    "bulk_job",
    "bulk_file",
    "bulk_log",
    "bulk_problems",
)
KEY = "k" * 32


class Addresses:
    """The address of every page, for one group with a connector in it, a member, and a request."""

    def __init__(self, group: Group, grant: Grant, person: Person, asked: AccessRequest | None = None) -> None:
        self.ids: dict[str, Any] = {"group_id": group.pk, "grant_id": grant.pk, "person_id": person.pk}
        self.ids["kind"] = "users"  # of a template
        if asked is not None:
            self.ids["request_id"] = asked.pk

    def of(self, name: str, **changed: Any) -> str:
        """The address of a page; `changed` replaces ids by name."""
        if name == "search":  # it shows things from all apps, and stands in kaizala_console/urls.py
            return reverse(name)
        known = {**self.ids, **changed}
        pattern = _patterns()[name][0][0][1]
        return reverse(f"groups:{name}", kwargs={key: known[key] for key in pattern})

    def missing(self, name: str) -> str:
        """The same page of a group that is not there."""
        return self.of(name, **{key: ids.new_id() for key in self.ids})


def names_of_all_pages() -> set[str]:
    """The URL names of groups/views/urls.py."""
    return {name for name in _patterns() if isinstance(name, str)}


def _patterns() -> Any:
    return get_resolver().namespace_dict["groups"][1].reverse_dict


def send(client: Client, url: str, **fields: Any) -> Any:
    """Posts a form that every page would take, if it took one from this person."""
    other = Connector.objects.exclude(grants__revoked_at__isnull=True).order_by("pk").first()
    form = {
        "idempotency_key": KEY,
        "name": "Taken over",
        "numbers": "+919930000077",
        "role": "Admin",
        "connector": str(other.pk) if other else "",
        "typed": "Shift Planner",
        "message": "I was here",
        "comment": "I was here",
        "stored": "1",
        "kind": "env",
    }
    return client.post(url, {**form, **fields})


def everything() -> dict[str, list[str]]:
    """All rows of groups and connectors, notices and the audit trail: to see that nothing has changed."""
    models: list[Any] = [
        *apps.get_app_config("groups").get_models(include_auto_created=True),
        *apps.get_app_config("connectors").get_models(include_auto_created=True),
        Notice,
        AuditEvent,
    ]
    return rows_of(models)


def without_ids(answer: Any) -> str:
    """The words of a page, but for ids and the number of the request."""
    return re.sub(r"[0-9a-f-]{36}|\b[0-9a-f]{32}\b", "", text_of(answer))


def titles_of(answer: Any) -> list[str]:
    """The links of the rows of a table, in their order."""
    return re.findall(r'<th scope="row"><a href="[^"]+">([^<]+)</a>', answer.content.decode())


def count_statements(client: Client, *urls: str) -> list[int]:
    """How many statements each of these pages takes."""
    counted = []
    for url in urls:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(url).status_code == 200
        counted.append(len(seen))
    return counted


def step_up_is_asked(answer: Any) -> bool:
    """Whether the console asks "is it you?" instead of doing it."""
    return bool(answer.status_code == 302 and answer["Location"].startswith(reverse("accounts:confirm")))


def sign_in_is_asked(answer: Any) -> bool:
    """Whether the console asks to sign in first."""
    return bool(answer.status_code == 302 and answer["Location"].startswith(f"{resolve_url(settings.LOGIN_URL)}?next="))
