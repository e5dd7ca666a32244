"""The developer's pages: "Send a request", its link, and "Change permissions"."""

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
from connectors.services import access_requests, usage
from connectors.services.access_requests import new_once
from connectors.tests import factories
from connectors.tests.factories import COMMON, Program
from connectors.tests.html_forms import form_to, text_of
from kaizala_console.lib import clock, ids

pytestmark = pytest.mark.django_db

Browser = Callable[..., Client]
POLLS = Permission.ACTION_AND_RESPONSES


def page_of(name: str, connector: Connector, *more: Any) -> str:
    return reverse(f"connectors:{name}", args=[connector.pk, *more])


def ask(connector: Connector, **options: Any) -> AccessRequest:
    return access_requests.ask(
        connector=connector, by=connector.owner, once=new_once(), **{"permissions": COMMON, "reason": "Why", **options}
    )


def send(client: Client, connector: Connector, **changes: Any) -> Any:
    url = page_of("request_send", connector)
    return form_to(client.get(url), url).send(client, changes, follow=True)


def test_a_developer_sends_a_request_and_gets_a_link_to_copy(
    connector: Connector, developer: User, browser_of: Browser, settings: Any
) -> None:
    settings.CONSOLE_BASE_URL = "https://console.example"
    client = browser_of(developer)
    page = send(client, connector, permissions=["textmessage"], reason="Tells shifts.", end_date="2090-01-31")
    asked = AccessRequest.objects.get()
    assert page.redirect_chain[-1][0] == page_of("request", connector, asked.pk)
    assert f'value="https://console.example/console/requests/{asked.pk}/"' in page.content.decode()
    assert (asked.by_link, asked.permissions) == (True, frozenset({Permission.TEXT_MESSAGE}))
    assert asked.ends_at is not None
    assert "Request link" in text_of(client.get(page_of("requests", connector)))


@pytest.mark.parametrize("over", ["withdrawn_at", "expired_at"])
def test_asking_again_takes_one_click_to_the_form_filled_as_before(
    connector: Connector, developer: User, browser_of: Browser, over: str
) -> None:
    group = ids.new_id()
    asked = ask(connector, permissions=["textmessage"], reason="Tells shifts.", target=f"group:{group}")
    client, url = browser_of(developer), page_of("request_send", connector)
    assert f"{url}?again=" not in client.get(page_of("request", connector, asked.pk)).content.decode()
    AccessRequest.objects.filter(pk=asked.pk).update(**{over: clock.now()})
    again = f"{url}?again={asked.pk}"
    for page in (page_of("request", connector, asked.pk), page_of("requests", connector) + "?show=earlier"):
        assert f'href="{again}"' in client.get(page).content.decode()
    page = form_to(client.get(again), url).send(client, {}, follow=True)
    new = AccessRequest.objects.exclude(pk=asked.pk).get()
    assert page.redirect_chain[-1][0] == page_of("request", connector, new.pk)
    assert (new.permissions, new.reason, new.target) == (asked.permissions, "Tells shifts.", f"group:{group}")


def test_asking_again_leaves_out_what_cannot_be_asked_any_more(
    connector: Connector, developer: User, browser_of: Browser
) -> None:
    yesterday = clock.now() - dt.timedelta(days=1)
    asked = ask(
        connector, permissions=["textmessage", Permission.GROUP_MEMBER_LIST], ends_at=clock.now() + dt.timedelta(days=9)
    )
    refused = {"refused_at": yesterday, "decided_by": developer, "ends_at": yesterday, "made_at": yesterday}
    # The answer of who got the link named the group; the developer did not.
    AccessRequest.objects.filter(pk=asked.pk).update(**refused, target=f"group:{ids.new_id()}", target_name="Sales")
    Connector.objects.filter(pk=connector.pk).update(permissions=frozenset({Permission.TEXT_MESSAGE}))
    url = page_of("request_send", connector)
    form = form_to(browser_of(developer).get(f"{url}?again={asked.pk}"), url)
    assert form.fields["permissions"] == ["textmessage"]
    assert [form.fields[name] for name in ("group", "end_date", "reason")] == [[""], [""], ["Why"]]


def test_another_connectors_request_fills_no_form(
    connector: Connector, developer: User, stranger: User, browser_of: Browser
) -> None:
    asked = ask(connector)
    other = factories.make_connector(stranger, "Other")
    url = page_of("request_send", other)
    assert browser_of(stranger).get(f"{url}?again={asked.pk}").status_code == 404
    assert browser_of(stranger).get(f"{url}?again=nonsense").status_code == 200


def test_a_double_click_sends_one_request(connector: Connector, developer: User, browser_of: Browser) -> None:
    client = browser_of(developer)
    url = page_of("request_send", connector)
    form = form_to(client.get(url), url)
    assert form.send(client)["Location"] == form.send(client)["Location"]
    assert AccessRequest.objects.count() == 1


def test_a_group_that_is_there_and_one_that_is_not_are_answered_alike(
    connector: Connector, developer: User, browser_of: Browser
) -> None:
    key = ids.new_id()
    page = send(browser_of(developer), connector, group=f" {str(key).upper()} ")
    assert AccessRequest.objects.get().target == f"group:{key}"
    assert f"Group {key}" in text_of(page)


def test_the_address_of_the_group_that_an_admin_sent_says_which_one_it_is(
    connector: Connector, developer: User, browser_of: Browser
) -> None:
    key, client = ids.new_id(), browser_of(developer)
    pasted = f" https://console.example/console/groups/{key}/connectors/?show=all "
    send(client, connector, group=pasted)
    assert AccessRequest.objects.get().target == f"group:{key}"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"permissions": []}, "Choose at least one permission"),
        ({"permissions": ["tenant"]}, "not a permission"),
        ({"group": "Night shift"}, "A group ID looks like"),
        ({"end_date": "2001-01-01"}, "This day has passed"),
        ({"end_date": "soon"}, "Enter a date"),
        ({"reason": "x" * 501}, "500"),
        ({"once": ""}, "This form has expired. Open it again."),
    ],
)
def test_bad_input_is_named_and_asks_nothing(
    connector: Connector, developer: User, browser_of: Browser, changes: dict[str, Any], says: str
) -> None:
    page = send(browser_of(developer), connector, **changes)
    assert page.status_code == 400
    assert says in text_of(page)
    assert not AccessRequest.objects.exists()


def test_who_sent_too_many_today_is_told_so_and_loses_nothing(
    connector: Connector, developer: User, browser_of: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_requests, "MOST_A_DAY", 0)
    page = send(browser_of(developer), connector, reason="Tells shifts.")
    assert page.status_code == 400
    assert "You sent too many requests today. Try again tomorrow." in text_of(page)
    assert "Tells shifts." in page.content.decode()


def test_a_second_request_to_the_same_group_is_told_of_the_first(
    connector: Connector, developer: User, browser_of: Browser
) -> None:
    key = ids.new_id()
    ask(connector, target=f"group:{key}")
    assert "A request for this group is already waiting." in text_of(
        send(browser_of(developer), connector, group=str(key))
    )


def test_the_form_offers_only_what_the_connector_has(
    connector: Connector, developer: User, browser_of: Browser
) -> None:
    url = page_of("request_send", connector)
    form = form_to(browser_of(developer).get(url), url)
    assert set(form.fields["permissions"]) == {permission.value for permission in COMMON}


def test_a_request_is_withdrawn_once(connector: Connector, developer: User, browser_of: Browser) -> None:
    asked, client = ask(connector), browser_of(developer)
    url = page_of("request_withdraw", connector, asked.pk)
    form = form_to(client.get(page_of("request", connector, asked.pk)), url)
    assert "Request withdrawn. Its link no longer works." in text_of(form.send(client, follow=True))
    assert "This request was withdrawn on" in text_of(form.send(client, follow=True))
    asked.refresh_from_db()
    assert asked.state is RequestState.WITHDRAWN
    earlier = client.get(page_of("requests", connector), {"show": "earlier"})
    assert page_of("request", connector, asked.pk) in earlier.content.decode()


def pages(connector: Connector, asked: AccessRequest) -> dict[str, str]:
    return {
        "requests": page_of("requests", connector),
        "request_send": page_of("request_send", connector),
        "request": page_of("request", connector, asked.pk),
        "request_withdraw": page_of("request_withdraw", connector, asked.pk),
        "permissions": page_of("permissions", connector),
    }


@pytest.mark.parametrize("who", ["stranger", "group_admin", "outsider", "operator", "organisation_admin"])
def test_strangers_find_none_of_the_pages_and_change_nothing(
    connector: Connector,
    who: str,
    request: pytest.FixtureRequest,
    browser_of: Browser,
    everything: Callable[[], Any],
) -> None:
    asked = ask(connector)
    client, before = browser_of(request.getfixturevalue(who)), everything()
    data = {"permissions": ["textmessage", "media"], "once": new_once(), "sure": "1"}
    nothing = Connector(pk=ids.new_id())
    for name, url in pages(connector, asked).items():
        missing = pages(nothing, asked)[name]
        if name != "request_withdraw":
            assert client.get(url).status_code == client.get(missing).status_code == 404
        if name not in ("requests", "request"):
            assert client.post(url, data).status_code == client.post(missing, data).status_code == 404
    assert everything() == before


def test_a_request_is_found_under_its_own_connector_alone(
    connector: Connector, developer: User, browser_of: Browser
) -> None:
    other = factories.make_connector(developer)
    asked, client = ask(connector), browser_of(developer)
    assert client.get(page_of("request", other, asked.pk)).status_code == 404
    assert client.post(page_of("request_withdraw", other, asked.pk)).status_code == 404


def test_who_is_signed_out_signs_in_first(connector: Connector, everything: Callable[[], Any]) -> None:
    asked = ask(connector)
    before = everything()
    for name, url in pages(connector, asked).items():
        if name != "request_withdraw":
            assert Client().get(url).status_code == 302
        if name not in ("requests", "request"):
            assert Client().post(url, {"permissions": ["textmessage"], "sure": "1"}).status_code == 302
    assert everything() == before


def test_the_list_costs_the_same_however_long(
    connector: Connector, developer: User, browser_of: Browser, django_assert_max_num_queries: Any
) -> None:
    for _number in range(30):
        ask(connector)
    client = browser_of(developer)
    with django_assert_max_num_queries(22):
        page = client.get(page_of("requests", connector))
    assert page.content.decode().count('data-label="Asked for"') == 25


def test_a_wrong_cursor_leads_to_the_first_page(connector: Connector, developer: User, browser_of: Browser) -> None:
    answer = browser_of(developer).get(page_of("requests", connector), {"cursor": "nonsense"})
    assert answer["Location"] == page_of("requests", connector)


# Change permissions --------------------------------------------------------------------------------------------------


def to_preview(client: Client, connector: Connector, *chosen: str) -> Any:
    url = page_of("permissions", connector)
    return form_to(client.get(url), url).send(client, {"permissions": list(chosen), "reason": "For polls."})


def test_the_preview_tells_both_sides_and_changes_nothing(
    program: Program, developer: User, browser_of: Browser, everything: Callable[[], Any]
) -> None:
    usage.count(
        program.grant.pk, "POST v1/groups/<group_id>/messages", status=200, at=clock.now(), scope="textmessage.write"
    )
    usage.flush()
    before = everything()
    words = text_of(to_preview(browser_of(developer), program.connector, "groupinfo", "groupmember", "action"))
    assert "Post polls, surveys, jobs and other actions, and read the responses" in words
    assert "1 group or person must approve them." in words
    assert "Post messages" in words
    assert "1 calls of the last 30 days that would have failed" in words
    assert "POST /v1/groups/{groupId}/messages 1" in words
    assert everything() == before


def test_the_change_is_made_after_the_preview_and_asks_the_group(
    program: Program, developer: User, browser_of: Browser
) -> None:
    client, url = browser_of(developer), page_of("permissions", program.connector)
    preview = to_preview(client, program.connector, "groupinfo", "groupmember", "action")
    page = form_to(preview, url).send(client, {"sure": "1", "typed": "Shift Planner"}, follow=True)
    assert "Permissions changed." in text_of(page)
    assert "1 group must approve the added permissions." in text_of(page)
    program.connector.refresh_from_db()
    assert POLLS in program.connector.permissions
    assert Permission.TEXT_MESSAGE not in program.connector.permissions
    asked = AccessRequest.objects.get()
    assert (asked.permissions, asked.reason, asked.grant) == (frozenset({POLLS}), "For polls.", program.grant)
    assert "more permissions" in text_of(client.get(page_of("requests", program.connector)))
    again = form_to(preview, url).send(client, {"sure": "1"}, follow=True)
    assert "Nothing changed" in text_of(again)
    assert AccessRequest.objects.count() == 1


def test_changing_permissions_asks_whether_it_is_you(
    program: Program, developer: User, browser_of: Browser, everything: Callable[[], Any]
) -> None:
    client, url = browser_of(developer, confirmed=False), page_of("permissions", program.connector)
    preview = to_preview(client, program.connector, "textmessage", "action")
    before = everything()
    answer = form_to(preview, url).send(client, {"sure": "1", "typed": "Shift Planner"})
    assert answer["Location"].startswith(reverse("accounts:confirm"))
    assert everything() == before


@pytest.mark.parametrize("chosen", [[], ["everything"]])
def test_no_permission_at_all_and_an_unknown_one_are_refused(
    program: Program, developer: User, browser_of: Browser, chosen: list[str]
) -> None:
    assert to_preview(browser_of(developer), program.connector, *chosen).status_code == 400
    program.connector.refresh_from_db()
    assert program.connector.permissions == COMMON


def test_back_from_the_preview_keeps_what_was_ticked(program: Program, developer: User, browser_of: Browser) -> None:
    client, url = browser_of(developer), page_of("permissions", program.connector)
    preview = to_preview(client, program.connector, "textmessage", "action")
    form = form_to(form_to(preview, url).send(client, {"back": "1"}), url)
    assert form.fields["permissions"] == ["textmessage", "action"]
    assert form.fields["reason"] == ["For polls."]
