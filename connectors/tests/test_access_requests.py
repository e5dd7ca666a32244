"""Requests for access: asked on a page, listed by state and by names, withdrawn, and over when nobody says yes."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Notice, User
from connectors.models import AccessRequest, Connector, RequestState
from connectors.permissions import Permission
from connectors.queries import access_requests as request_queries
from connectors.queries import connectors as connector_queries
from connectors.services import access_requests, connectors, grants
from connectors.services.access_requests import new_once
from connectors.tests import factories
from connectors.tests.factories import COMMON, let_in
from connectors.tests.html_forms import count_queries, form_to, text_of
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import Conflict, RuleBroken, TooSoon

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
Travel = Callable[..., dt.datetime]
DAY = dt.timedelta(days=1)


def page_of(name: str, connector: Connector, *more: Any) -> str:
    return reverse(f"connectors:{name}", args=[connector.pk, *more])


def ask(connector: Connector, **options: Any) -> AccessRequest:
    """What the developer asks, of whoever gets the link unless said otherwise."""
    return access_requests.ask(
        connector=connector, by=connector.owner, once=new_once(), **{"permissions": COMMON, "reason": "Why", **options}
    )


def ask_and_update(connector: Connector, **fields: Any) -> AccessRequest:
    """A request; `fields` are written as an answer writes them."""
    asked = ask(connector)
    AccessRequest.objects.filter(pk=asked.pk).update(**fields)
    return asked


def some_group() -> str:
    return f"group:{ids.new_id()}"


def send(owner: Client, connector: Connector, **changes: Any) -> Any:
    url = page_of("request_send", connector)
    return form_to(owner.get(url), url).send(owner, changes, follow=True)


# Asking --------------------------------------------------------------------------------------------------------------


def test_a_developer_sends_a_request_and_gets_its_link(
    connector: Connector, owner: Client, settings: Any, everything: Callable[[], Any]
) -> None:
    settings.CONSOLE_BASE_URL, before = "https://console.example", everything()
    reason = "  Tells each shift\r\nwhere it works. "
    page = send(owner, connector, permissions=["textmessage"], reason=reason, end_date="2090-01-31")
    asked, after = AccessRequest.objects.get(), everything()
    assert [name for name in after if after[name] != before[name]] == ["AccessRequest"]
    assert page.redirect_chain[-1][0] == page_of("request", connector, asked.pk)
    assert f'value="https://console.example/console/requests/{asked.pk}/"' in page.content.decode()
    assert (asked.by_link, asked.target, asked.permissions) == (True, "", frozenset({Permission.TEXT_MESSAGE}))
    assert asked.reason == "Tells each shift\nwhere it works."
    assert asked.ends_at is not None
    assert AuditEvent.objects.get(tag="request:access:made").actor_id == str(connector.owner.pk)
    assert "Request link" in text_of(owner.get(page_of("requests", connector)))


@pytest.mark.parametrize("over", ["withdrawn_at", "expired_at"])
def test_asking_again_leads_to_the_form_filled_as_before(connector: Connector, owner: Client, over: str) -> None:
    asked = ask(connector, permissions=["textmessage"], target=some_group())
    url = page_of("request_send", connector)
    assert f"{url}?again=" not in owner.get(page_of("request", connector, asked.pk)).content.decode()
    AccessRequest.objects.filter(pk=asked.pk).update(**{over: clock.now()})
    again = f"{url}?again={asked.pk}"
    for page in (page_of("request", connector, asked.pk), page_of("requests", connector) + "?show=earlier"):
        assert f'href="{again}"' in owner.get(page).content.decode()
    form_to(owner.get(again), url).send(owner, {}, follow=True)
    new = AccessRequest.objects.exclude(pk=asked.pk).get()
    assert (new.permissions, new.reason, new.target) == (asked.permissions, "Why", asked.target)


def test_asking_again_leaves_out_what_cannot_be_asked_any_more(connector: Connector, owner: Client) -> None:
    yesterday = clock.now() - DAY
    asked = ask(
        connector, permissions=["textmessage", Permission.GROUP_MEMBER_LIST], ends_at=clock.now() + dt.timedelta(days=9)
    )
    refused = {"refused_at": yesterday, "decided_by": connector.owner, "ends_at": yesterday, "made_at": yesterday}
    # The answer of who got the link named the group; the developer did not.
    AccessRequest.objects.filter(pk=asked.pk).update(**refused, target=some_group(), target_name="Sales")
    Connector.objects.filter(pk=connector.pk).update(permissions=frozenset({Permission.TEXT_MESSAGE}))
    url = page_of("request_send", connector)
    form = form_to(owner.get(f"{url}?again={asked.pk}"), url)
    assert form.fields["permissions"] == ["textmessage"]
    assert [form.fields[name] for name in ("group", "end_date", "reason")] == [[""], [""], ["Why"]]


def test_another_connectors_request_fills_no_form(connector: Connector, owner: Client) -> None:
    url = page_of("request_send", factories.make_connector(connector.owner))
    assert owner.get(url, {"again": str(ask(connector).pk)}).status_code == 404
    assert owner.get(url, {"again": "nonsense"}).status_code == 200


def test_a_double_click_sends_one_request(connector: Connector, owner: Client) -> None:
    url = page_of("request_send", connector)
    form = form_to(owner.get(url), url)
    assert form.send(owner)["Location"] == form.send(owner)["Location"]
    assert AccessRequest.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("permissions", []),
        ("permissions", ["everything"]),
        ("permissions", [Permission.TENANT_DATA]),  # the connector has it not
        ("group", "Night shift"),
        ("end_date", "2001-01-01"),
        ("end_date", "soon"),
        ("reason", "x" * 501),
        ("once", ""),
        ("once", "x" * 65),
    ],
)
def test_bad_input_asks_nothing_and_names_its_field(
    connector: Connector, owner: Client, field: str, value: Any
) -> None:
    page = send(owner, connector, **{field: value})
    assert page.status_code == 400
    named = re.search(rf'id="(id_)?{field}[-_]error"', page.content.decode())
    assert (named is not None) is (field != "once")
    assert not AccessRequest.objects.exists()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"permissions": [Permission.TENANT_DATA]}, "permissions"),
        ({"reason": "x" * 501}, "reason"),
        ({"ends_at": dt.datetime(2001, 1, 1, tzinfo=dt.UTC)}, "end_date"),
    ],
)
def test_the_service_itself_refuses_what_no_form_should_let_through(
    connector: Connector, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(RuleBroken) as refusal:
        ask(connector, **options)
    assert refusal.value.field == field
    assert not AccessRequest.objects.exists()


@pytest.mark.parametrize("verb", ["deactivate", "suspend"])
def test_a_connector_that_takes_no_groups_asks_for_none(connector: Connector, developer: User, verb: str) -> None:
    getattr(connectors, verb)(connector=connector, by=developer)
    with pytest.raises(RuleBroken):
        ask(connector)


@pytest.mark.parametrize("pasted", [" {} ", " https://console.example/console/groups/{}/connectors/?show=all "])
def test_a_group_is_named_by_its_id_or_address_there_or_not_and_asked_once_at_a_time(
    connector: Connector, owner: Client, pasted: str
) -> None:
    key = ids.new_id()
    assert f"Group {key}" in text_of(send(owner, connector, group=pasted.format(str(key).upper())))
    asked = AccessRequest.objects.get()
    assert asked.target == f"group:{key}"
    page = send(owner, connector, group=str(key))
    assert page.status_code == 400
    assert "already waiting" in text_of(page)
    access_requests.withdraw(request=asked, by=connector.owner)
    assert send(owner, connector, group=str(key)).status_code == 200


def test_the_database_refuses_a_second_waiting_request_for_a_group(connector: Connector) -> None:
    first = ask(connector, target=some_group())
    with pytest.raises(IntegrityError, match=r"one_waiting_request_a_target|connector_id"), transaction.atomic():
        AccessRequest.objects.create(
            connector=connector,
            kind="access",
            target=first.target,
            permissions=COMMON,
            made_by=first.made_by,
            expires_at=first.expires_at,
        )


def test_a_group_that_has_the_connector_is_not_asked(connector: Connector, group_admin: User) -> None:
    granted = let_in(connector, group_admin)
    with pytest.raises(grants.AlreadyGranted):
        ask(connector, target=granted.grant.target)


def test_so_many_wait_and_no_more(connector: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_requests, "MOST_WAITING", 3)
    for _number in range(3):
        ask(connector)
    with pytest.raises(RuleBroken) as refusal:
        ask(connector)
    assert refusal.value.code == "too_many_waiting"


def test_so_many_are_sent_in_a_day_and_who_sends_more_loses_nothing(
    connector: Connector, developer: User, owner: Client, monkeypatch: pytest.MonkeyPatch, travel: Travel
) -> None:
    monkeypatch.setattr(access_requests, "MOST_A_DAY", 3)
    for _number in range(3):
        access_requests.withdraw(request=ask(connector), by=developer)
    with pytest.raises(TooSoon):
        ask(connector)
    page = send(owner, connector, reason="Tells shifts.")
    assert page.status_code == 400
    assert "Tells shifts." in page.content.decode()
    travel(days=1, seconds=1)
    ask(connector)


# Its end -------------------------------------------------------------------------------------------------------------


def test_a_request_can_be_answered_for_fourteen_days_but_not_after_what_it_asks_for_ends(connector: Connector) -> None:
    now = clock.now()
    assert 13.9 * DAY < ask(connector).expires_at - now < 14.1 * DAY
    assert ask(connector, ends_at=now + 2 * DAY).expires_at == now + 2 * DAY


def test_a_request_is_withdrawn_once(connector: Connector, owner: Client) -> None:
    asked = ask(connector)
    form = form_to(owner.get(page_of("request", connector, asked.pk)), page_of("request_withdraw", connector, asked.pk))
    for _twice in range(2):
        assert "withdrawn" in text_of(form.send(owner, follow=True))
    asked.refresh_from_db()
    assert asked.state is RequestState.WITHDRAWN
    assert AuditEvent.objects.filter(tag="request:access:withdrawn").count() == 1


def test_what_nobody_answers_expires_and_the_owner_is_told_once(
    connector: Connector,
    developer: User,
    travel: Travel,
    outbox: list[EmailMessage],
    django_capture_on_commit_callbacks: Any,
) -> None:
    asked = [ask(connector), ask(connector), ask(connector, target=some_group())]
    travel(days=14, minutes=1)
    with django_capture_on_commit_callbacks(execute=True):
        assert access_requests.expire_overdue() == 3
        assert access_requests.expire_overdue() == 0
    for request in asked:
        request.refresh_from_db()
        assert request.expired_at
    assert AuditEvent.objects.filter(tag="request:access:expired").count() == 3
    assert [notice.user for notice in Notice.objects.all()] == [developer]
    assert outbox[0].subject == f"3 requests for {connector.name} expired"


def test_an_overdue_one_is_over_and_keeps_no_other_from_being_asked(
    connector: Connector, developer: User, travel: Travel
) -> None:
    target = some_group()
    old = ask(connector, target=target)
    travel(days=15)
    with pytest.raises(Conflict, match="expired"):
        access_requests.withdraw(request=old, by=developer)
    assert ask(connector, target=target).state is RequestState.WAITING
    old.refresh_from_db()
    assert old.expired_at


def test_deleting_a_connector_ends_what_it_asked(connector: Connector, developer: User) -> None:
    request = ask(connector)
    connectors.delete(connector=connector, by=developer)
    request.refresh_from_db()
    assert request.state is RequestState.WITHDRAWN


# The list ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def url(connector: Connector) -> str:
    return page_of("requests", connector)


@pytest.fixture
def asked(connector: Connector, group_admin: User, organisation_admin: User) -> dict[str, AccessRequest]:
    """A request in each state; those that were answered name their group."""
    now, grant = clock.now(), let_in(connector, group_admin).grant
    return {
        "waiting": ask_and_update(connector, target=some_group()),
        "approved": ask_and_update(
            connector, approved_at=now, grant=grant, decided_by=group_admin, target_name="Depot Pune", given=COMMON
        ),
        "refused": ask_and_update(connector, refused_at=now, decided_by=organisation_admin, target_name="Harbour 50%"),
        "withdrawn": ask_and_update(connector, withdrawn_at=now),
        "expired": ask_and_update(connector, expired_at=now),
        "overdue": ask_and_update(connector, made_at=now - 8 * DAY, expires_at=now - DAY),
    }


def shown(owner: Client, address: str, asked: dict[str, AccessRequest]) -> set[str]:
    """Which of these the page lists."""
    page = owner.get(address).content.decode()
    return {state for state, one in asked.items() if f'requests/{one.pk}/"' in page}


ALL = {"waiting", "approved", "refused", "withdrawn", "expired", "overdue"}


@pytest.mark.parametrize(
    ("query", "states"),
    [
        ("", {"waiting"}),
        ("?show=earlier", ALL - {"waiting"}),
        ("?show=approved", {"approved"}),
        ("?show=expired", {"expired", "overdue"}),
        ("?show=all", ALL),
        ("?show=nonsense", {"waiting"}),
        ("?show=all&q=PUNE", {"approved"}),
        ("?show=earlier&q=0%25", {"refused"}),
        ("?show=all&q=%25%25", set()),
        ("?show=refused&q=pune", set()),
        ("?show=all&q=x%00y", set()),
        ("?show=all&q=devika", ALL),  # who asked
        ("?show=all&q=Arjun", {"approved"}),  # who answered
    ],
)
def test_the_list_shows_a_state_and_what_has_this_in_its_name(
    owner: Client, url: str, asked: dict[str, AccessRequest], query: str, states: set[str]
) -> None:
    assert shown(owner, url + query, asked) == states


def test_a_group_is_found_by_its_whole_id_alone(owner: Client, url: str, asked: dict[str, AccessRequest]) -> None:
    asked["waiting"].refresh_from_db()
    key = asked["waiting"].target.removeprefix("group:")
    assert shown(owner, f"{url}?q={key.upper()}", asked) == {"waiting"}
    assert shown(owner, f"{url}?q={key[:8]}", asked) == set()


def test_a_search_keeps_to_its_connector(owner: Client, url: str, developer: User, group_admin: User) -> None:
    other = factories.make_connector(developer, "Other")
    found = {"other": ask_and_update(other, refused_at=clock.now(), decided_by=group_admin, target_name="Depot Pune")}
    assert shown(owner, f"{url}?show=all&q=depot", found) == set()


def test_pages_of_a_search_go_on_with_it_and_cost_the_same(
    connector: Connector, group_admin: User, owner: Client, url: str
) -> None:
    def refuse(number: int) -> AccessRequest:
        return ask_and_update(connector, refused_at=clock.now(), decided_by=group_admin, target_name=f"Depot {number}")

    found = f"{url}?show=refused&q=depot"
    made = [refuse(number).pk for number in range(3)]
    few = count_queries(owner, found)
    made += [refuse(number).pk for number in range(2)]
    assert count_queries(owner, found) == few
    there, cursor = [], None
    for _page in range(3):
        page = request_queries.get_request_page(connector, show="refused", search="depot", cursor=cursor, size=2)
        there += [row.pk for row in page.items]
        cursor = page.next_cursor
    assert sorted(there) == sorted(made)
    assert cursor is None
    made += [refuse(number).pk for number in range(connector_queries.PAGE_SIZE)]
    assert f'href="{url}?show=refused&amp;q=depot&amp;cursor=' in owner.get(found).content.decode()
