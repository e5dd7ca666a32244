"""The owner's pages of requests: sending one, its link, and the list by state and by names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.models import AccessRequest, Connector, RequestState
from connectors.permissions import Permission
from connectors.queries import access_requests as request_queries
from connectors.queries import connectors as connector_queries
from connectors.services import access_requests
from connectors.services.access_requests import new_once
from connectors.tests import factories
from connectors.tests.factories import COMMON, let_in
from connectors.tests.html_forms import count_queries, form_to, text_of
from kaizala_console.lib import clock, ids

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
Browser = Callable[..., Client]


def page_of(name: str, connector: Connector, *more: Any) -> str:
    return reverse(f"connectors:{name}", args=[connector.pk, *more])


def ask(connector: Connector, **options: Any) -> AccessRequest:
    return access_requests.ask(
        connector=connector, by=connector.owner, once=new_once(), **{"permissions": COMMON, "reason": "Why", **options}
    )


def send(owner: Client, connector: Connector, **changes: Any) -> Any:
    url = page_of("request_send", connector)
    return form_to(owner.get(url), url).send(owner, changes, follow=True)


def test_a_developer_sends_a_request_and_gets_its_link(connector: Connector, owner: Client, settings: Any) -> None:
    settings.CONSOLE_BASE_URL = "https://console.example"
    page = send(owner, connector, permissions=["textmessage"], reason="Tells shifts.", end_date="2090-01-31")
    asked = AccessRequest.objects.get()
    assert page.redirect_chain[-1][0] == page_of("request", connector, asked.pk)
    assert f'value="https://console.example/console/requests/{asked.pk}/"' in page.content.decode()
    assert (asked.by_link, asked.permissions) == (True, frozenset({Permission.TEXT_MESSAGE}))
    assert asked.ends_at is not None
    assert "Request link" in text_of(owner.get(page_of("requests", connector)))


@pytest.mark.parametrize("over", ["withdrawn_at", "expired_at"])
def test_asking_again_leads_to_the_form_filled_as_before(connector: Connector, owner: Client, over: str) -> None:
    group = ids.new_id()
    asked = ask(connector, permissions=["textmessage"], reason="Tells shifts.", target=f"group:{group}")
    url = page_of("request_send", connector)
    assert f"{url}?again=" not in owner.get(page_of("request", connector, asked.pk)).content.decode()
    AccessRequest.objects.filter(pk=asked.pk).update(**{over: clock.now()})
    again = f"{url}?again={asked.pk}"
    for page in (page_of("request", connector, asked.pk), page_of("requests", connector) + "?show=earlier"):
        assert f'href="{again}"' in owner.get(page).content.decode()
    page = form_to(owner.get(again), url).send(owner, {}, follow=True)
    new = AccessRequest.objects.exclude(pk=asked.pk).get()
    assert page.redirect_chain[-1][0] == page_of("request", connector, new.pk)
    assert (new.permissions, new.reason, new.target) == (asked.permissions, "Tells shifts.", f"group:{group}")


def test_asking_again_leaves_out_what_cannot_be_asked_any_more(connector: Connector, owner: Client) -> None:
    yesterday = clock.now() - dt.timedelta(days=1)
    asked = ask(
        connector, permissions=["textmessage", Permission.GROUP_MEMBER_LIST], ends_at=clock.now() + dt.timedelta(days=9)
    )
    refused = {"refused_at": yesterday, "decided_by": connector.owner, "ends_at": yesterday, "made_at": yesterday}
    # The answer of who got the link named the group; the developer did not.
    AccessRequest.objects.filter(pk=asked.pk).update(**refused, target=f"group:{ids.new_id()}", target_name="Sales")
    Connector.objects.filter(pk=connector.pk).update(permissions=frozenset({Permission.TEXT_MESSAGE}))
    url = page_of("request_send", connector)
    form = form_to(owner.get(f"{url}?again={asked.pk}"), url)
    assert form.fields["permissions"] == ["textmessage"]
    assert [form.fields[name] for name in ("group", "end_date", "reason")] == [[""], [""], ["Why"]]


def test_a_double_click_sends_one_request(connector: Connector, owner: Client) -> None:
    url = page_of("request_send", connector)
    form = form_to(owner.get(url), url)
    assert form.send(owner)["Location"] == form.send(owner)["Location"]
    assert AccessRequest.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"permissions": []},
        {"permissions": ["tenant"]},
        {"group": "Night shift"},
        {"end_date": "2001-01-01"},
        {"end_date": "soon"},
        {"reason": "x" * 501},
        {"once": ""},
    ],
)
def test_bad_input_asks_nothing(connector: Connector, owner: Client, changes: dict[str, Any]) -> None:
    page = send(owner, connector, **changes)
    assert page.status_code == 400
    assert not AccessRequest.objects.exists()


def test_a_group_that_was_asked_is_told_beside_its_field(connector: Connector, owner: Client) -> None:
    key = ids.new_id()
    ask(connector, target=f"group:{key}")
    page = send(owner, connector, group=str(key))
    assert page.status_code == 400
    assert "already waiting" in text_of(page)


def test_who_sent_too_many_loses_nothing(connector: Connector, owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_requests, "MOST_A_DAY", 0)
    page = send(owner, connector, reason="Tells shifts.")
    assert page.status_code == 400
    assert "too many requests today" in text_of(page)
    assert "Tells shifts." in page.content.decode()


def test_a_request_is_withdrawn_once(connector: Connector, owner: Client) -> None:
    asked = ask(connector)
    url = page_of("request_withdraw", connector, asked.pk)
    form = form_to(owner.get(page_of("request", connector, asked.pk)), url)
    for _twice in range(2):
        assert "withdrawn" in text_of(form.send(owner, follow=True))
    asked.refresh_from_db()
    assert asked.state is RequestState.WITHDRAWN
    earlier = owner.get(page_of("requests", connector), {"show": "earlier"})
    assert page_of("request", connector, asked.pk) in earlier.content.decode()


def test_a_request_is_found_under_its_own_connector_alone(connector: Connector, owner: Client) -> None:
    other = factories.make_connector(connector.owner)
    asked = ask(connector)
    assert owner.get(page_of("request", other, asked.pk)).status_code == 404
    assert owner.post(page_of("request_withdraw", other, asked.pk)).status_code == 404
    assert owner.get(page_of("request_send", other), {"again": str(asked.pk)}).status_code == 404, "it fills no form"
    assert owner.get(page_of("request_send", other), {"again": "nonsense"}).status_code == 200


@pytest.mark.parametrize("pasted", [" {} ", " https://console.example/console/groups/{}/connectors/?show=all "])
def test_a_group_is_named_by_its_id_or_address_there_or_not(connector: Connector, owner: Client, pasted: str) -> None:
    key = ids.new_id()
    page = send(owner, connector, group=pasted.format(str(key).upper()))
    assert AccessRequest.objects.get().target == f"group:{key}"
    assert f"Group {key}" in text_of(page)


@pytest.mark.parametrize("who", ["stranger", "group_admin", "outsider", "operator", "organisation_admin", "signed out"])
def test_others_find_none_of_the_pages_and_change_nothing(
    connector: Connector,
    who: str,
    request: pytest.FixtureRequest,
    browser_of: Browser,
    everything: Callable[[], Any],
) -> None:
    asked = ask(connector)

    def pages(of: Connector) -> list[tuple[str, str]]:
        names = ["requests", "request_send", "permissions"]
        one = [("request", page_of("request", of, asked.pk)), ("withdraw", page_of("request_withdraw", of, asked.pk))]
        return [(name, page_of(name, of)) for name in names] + one

    client = Client() if who == "signed out" else browser_of(request.getfixturevalue(who))
    before, expected = everything(), 302 if who == "signed out" else 404
    data = {"permissions": ["textmessage", "media"], "once": new_once(), "sure": "1"}
    for name, url in pages(connector) + pages(Connector(pk=ids.new_id())):
        if name != "withdraw":
            assert client.get(url).status_code == expected
        if name not in ("requests", "request"):
            assert client.post(url, data).status_code == expected
    assert everything() == before


def ask_and_update(connector: Connector, **fields: Any) -> AccessRequest:
    """A request; `fields` are written as an answer writes them."""
    asked = ask(connector)
    AccessRequest.objects.filter(pk=asked.pk).update(**fields)
    return asked


@pytest.fixture
def url(connector: Connector) -> str:
    return reverse("connectors:requests", args=[connector.pk])


@pytest.fixture
def asked(connector: Connector, group_admin: User, organisation_admin: User) -> dict[str, AccessRequest]:
    """A request in each state; those that were answered name their group."""
    now, grant = clock.now(), let_in(connector, group_admin).grant
    yesterday = now - dt.timedelta(days=1)
    return {
        "waiting": ask_and_update(connector, target=f"group:{ids.new_id()}"),
        "approved": ask_and_update(
            connector, approved_at=now, grant=grant, decided_by=group_admin, target_name="Depot Pune", given=COMMON
        ),
        "refused": ask_and_update(connector, refused_at=now, decided_by=organisation_admin, target_name="Harbour 50%"),
        "withdrawn": ask_and_update(connector, withdrawn_at=now),
        "expired": ask_and_update(connector, expired_at=now),
        "overdue": ask_and_update(connector, made_at=yesterday - dt.timedelta(days=7), expires_at=yesterday),
    }


def shown(owner: Client, address: str, asked: dict[str, AccessRequest]) -> set[str]:
    """Which of these the page lists."""
    page = owner.get(address).content.decode()
    return {state for state, one in asked.items() if f'requests/{one.pk}/"' in page}


@pytest.mark.parametrize(
    ("query", "states"),
    [
        ("", {"waiting"}),
        ("?show=earlier", {"approved", "refused", "withdrawn", "expired", "overdue"}),
        ("?show=approved", {"approved"}),
        ("?show=expired", {"expired", "overdue"}),
        ("?show=all", {"waiting", "approved", "refused", "withdrawn", "expired", "overdue"}),
        ("?show=nonsense", {"waiting"}),
        ("?show=all&q=PUNE", {"approved"}),
        ("?show=earlier&q=0%25", {"refused"}),
        ("?show=all&q=%25%25", set()),
        ("?show=refused&q=pune", set()),
        ("?q=pune", set()),
        ("?show=all&q=x%00y", set()),
    ],
)
def test_the_list_shows_a_state_and_what_has_this_in_its_name(
    owner: Client, url: str, asked: dict[str, AccessRequest], query: str, states: set[str]
) -> None:
    assert shown(owner, url + query, asked) == states


def test_requests_are_found_by_who_asked_and_by_who_answered(
    owner: Client, url: str, asked: dict[str, AccessRequest], developer: User, group_admin: User
) -> None:
    assert shown(owner, f"{url}?show=all&q={developer.name.upper()}", asked) == set(asked)
    assert shown(owner, f"{url}?show=all&q={group_admin.name}", asked) == {"approved"}


def test_a_group_is_found_by_its_whole_id_alone(owner: Client, url: str, asked: dict[str, AccessRequest]) -> None:
    asked["waiting"].refresh_from_db()
    key = asked["waiting"].target.removeprefix("group:")
    assert shown(owner, f"{url}?q={key.upper()}", asked) == {"waiting"}
    assert shown(owner, f"{url}?q={key[:8]}", asked) == set()


def test_what_is_asked_for_stays_in_the_fields(owner: Client, url: str, asked: dict[str, AccessRequest]) -> None:
    page = owner.get(f"{url}?show=refused&q=harbour").content.decode()
    assert '<option value="refused" selected>' in page
    assert 'name="q" value="harbour"' in page


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


def test_a_forged_page_mark_leads_to_the_first_page_of_the_search(owner: Client, url: str) -> None:
    assert owner.get(f"{url}?q=depot&show=all&cursor=forged")["Location"] == f"{url}?q=depot&show=all"
