"""User tokens: generated on a page, seen and ended by whom they act for; an organisation admin's by two admins."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts.audit.events import EventType
from accounts.models import AuditEvent, Notice, Person, User
from accounts.services import credential_hold, notifications
from accounts.tests.factories import make_person, make_user, verify
from connectors.models import Connector, Grant, Handoff, UserTokenRequest, UserTokenRequestState
from connectors.permissions import Permission, to_form_value, to_stored
from connectors.services import connectors, user_tokens
from connectors.tests.factories import make_connector, person_of
from connectors.tests.html_forms import count_queries
from kaizala_console.dashboard.pending_actions import list_pending_actions
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken

BrowserOf = Callable[..., Client]
Travel = Callable[..., dt.datetime]
State = UserTokenRequestState


def page_of(connector: Connector) -> str:
    return reverse("connectors:user_token", args=[connector.pk])


@pytest.fixture
def browser(member: User, browser_of: BrowserOf) -> Client:
    """The member's, freshly confirmed."""
    return browser_of(member)


def generate(browser: Client, connector: Connector, user: User, **other: str) -> Any:
    shown = to_form_value(Connector.objects.get(pk=connector.pk).permissions)
    return browser.post(
        page_of(connector), {"act": "generate", "person": str(person_of(user).pk), "shown": shown, **other}
    )


def test_a_colleague_finds_it_and_lets_it_act(connector: Connector, member: User, browser: Client) -> None:
    assert page_of(connector) in browser.get(reverse("connectors:details", args=[connector.pk])).content.decode()
    text = browser.get(page_of(connector)).content.decode()
    assert "Post messages" in text
    answer = generate(browser, connector, member)
    grant = Grant.objects.get()
    assert (grant.kind, grant.person, grant.granted_by) == ("user", person_of(member), member)
    assert grant.confirmed_by is None
    handoff = Handoff.objects.get()
    assert answer["Location"] == reverse("connectors:handoff", args=[handoff.pk])
    assert "to act for this person." in browser.get(answer["Location"]).content.decode()


def test_what_it_asks_for_meanwhile_is_shown_first(connector: Connector, member: User, browser: Client) -> None:
    shown = to_form_value(connector.permissions)
    assert f'name="shown" value="{shown}"' in browser.get(page_of(connector)).content.decode()
    Connector.objects.update(permissions=connector.permissions | {"tenant"})
    answer = generate(browser, connector, member, shown=shown)
    assert answer.status_code == 409
    assert "Read and change every group of the organisation" in answer.content.decode()
    assert not Grant.objects.exists()
    generate(browser, connector, member)
    assert "tenant" in Grant.objects.get().permissions


def test_pressed_twice_it_is_one_grant_and_one_token(connector: Connector, member: User, browser: Client) -> None:
    first, second = generate(browser, connector, member), generate(browser, connector, member)
    assert first["Location"] == second["Location"]
    assert (Grant.objects.count(), Handoff.objects.count()) == (1, 1)


def test_regenerate_pressed_twice_is_one_new_token(connector: Connector, member: User, browser: Client) -> None:
    generate(browser, connector, member)
    shown = browser.get(page_of(connector)).content.decode()
    instead_of = re.search(r'name="instead_of" value="([^"]+)"', shown)
    assert instead_of is not None
    form = {"act": "renew", "instead_of": instead_of.group(1)}
    first, second = (generate(browser, connector, member, **form) for _click in range(2))
    assert first["Location"] == second["Location"]
    assert Handoff.objects.count() == 2
    assert Handoff.objects.waiting().count() == 1
    assert Grant.objects.get().refresh_tokens.filter(revoked_at=None).count() == 1


def test_only_an_own_number_will_do(connector: Connector, stranger: User, browser: Client) -> None:
    assert generate(browser, connector, stranger).status_code == 400
    assert browser.post(page_of(connector), {"act": "generate"}).status_code == 400
    assert browser.post(page_of(connector), {"act": "generate", "person": "x"}).status_code == 400
    assert not Grant.objects.exists()


def test_who_has_two_numbers_has_a_panel_for_each(connector: Connector, member: User, browser: Client) -> None:
    second = verify(member, is_primary=False).person
    assert browser.get(page_of(connector)).content.decode().count('value="generate"') == 2
    generate(browser, connector, member, person=str(second.pk))
    assert Grant.objects.get().person == second


@pytest.mark.parametrize("stop", [connectors.suspend, connectors.deactivate])
def test_a_stopped_connector_is_no(connector: Connector, member: User, browser: Client, stop: Any) -> None:
    stop(connector=connector, by=connector.owner)
    assert generate(browser, connector, member).status_code == 409
    assert not Grant.objects.exists()


def test_not_theirs_and_not_there_are_one_answer(connector: Connector, outsider: User, browser_of: BrowserOf) -> None:
    browser = browser_of(outsider)
    for address in (page_of(connector), reverse("connectors:user_token", args=[uuid4()])):
        assert browser.get(address).status_code == 404
        assert browser.post(address, {"act": "generate", "person": str(person_of(outsider).pk)}).status_code == 404
    assert not Grant.objects.exists()


def let_in_by_pin(connector: Connector, user: User | None, person: Person | None = None) -> Grant:
    if user is not None:
        person = person_of(user)
    assert person is not None
    return user_tokens.let_act(
        connector=connector,
        person=person,
        user=user,
        scopes=None,
        by=user or connector.owner,
        tag=EventType.USER_TOKEN_BY_PIN,
        address=None,
    ).grant


def end_of(grant: Grant) -> str:
    return reverse("connectors:acting_end", args=[grant.pk])


def test_everything_that_acts_for_one_is_listed_however_it_came_to_that(
    connector: Connector, developer: User, member: User, stranger: User, browser: Client
) -> None:
    let_in_by_pin(connector, member)
    user_tokens.generate(connector=make_connector(developer, "Canteen"), person=person_of(member), by=member)
    let_in_by_pin(make_connector(developer, "Elsewhere"), stranger)
    text = browser.get(reverse("connectors:acting")).content.decode()
    assert "Shift Planner" in text
    assert "Canteen" in text
    assert "Elsewhere" not in text
    assert person_of(member).number not in text
    assert reverse("connectors:acting") in browser.get(reverse("accounts:settings")).content.decode()


def test_the_list_costs_as_much_for_many_as_for_one(connector: Connector, member: User, browser: Client) -> None:
    page = reverse("connectors:acting")
    let_in_by_pin(connector, member)
    browser.get(page)
    few = count_queries(browser, page)
    for n in range(6):
        let_in_by_pin(make_connector(connector.owner, f"Connector {n}"), member)
    assert count_queries(browser, page) == few


def test_its_name_ends_it_and_twice_is_once(connector: Connector, member: User, browser: Client) -> None:
    grant = let_in_by_pin(connector, member)
    assert browser.get(end_of(grant)).status_code == 200
    assert Grant.objects.present().exists(), "looking ends nothing"
    for _click in range(2):
        assert browser.post(end_of(grant), {"typed": "shift planner"})["Location"] == reverse("connectors:acting")
    grant.refresh_from_db()
    assert grant.revoked_at is not None
    assert not grant.refresh_tokens.filter(revoked_at=None).exists()
    assert AuditEvent.objects.filter(tag="grant:access:revoked").count() == 1


def test_somebody_elses_and_a_groups_grant_cannot_be_ended_here(
    program: Any, developer: User, member: User, stranger: User, browser_of: BrowserOf
) -> None:
    grant = let_in_by_pin(make_connector(developer, "Canteen"), member)
    addresses = [end_of(grant), end_of(program.grant), reverse("connectors:acting_end", args=[uuid4()])]
    for user in (stranger, program.grant.granted_by):
        browser = browser_of(user)
        for address in addresses:
            assert browser.get(address).status_code == browser.post(address).status_code == 404
    assert Grant.objects.present().count() == 2


def test_who_got_the_number_later_can_end_what_still_acts_with_it(
    connector: Connector, member: User, stranger: User, browser_of: BrowserOf
) -> None:
    grant = let_in_by_pin(connector, member)
    number = person_of(member).number
    member.verified_phones.update(released_at=grant.granted_at, is_primary=False)
    verify(stranger, number, is_primary=False)
    text = browser_of(stranger).get(reverse("connectors:acting")).content.decode()
    assert "not through this account" in text
    browser_of(stranger).post(end_of(grant), {"typed": "Shift Planner"})
    assert not Grant.objects.present().exists()


def test_no_list_names_who_is_not_there(connector: Connector, owner: Client) -> None:
    """A grant by PIN of somebody without an account has no account that granted it."""
    let_in_by_pin(connector, None, make_person("Lakshmi Iyer"))
    assert "by Lakshmi Iyer" in owner.get(reverse("connectors:groups", args=[connector.pk])).content.decode()


# Two admins for an organisation admin's: asked, confirmed, refused, withdrawn, expired; each once --------------------


@pytest.fixture
def reaching(connector: Connector) -> Connector:
    """A connector that asks to reach the organisation."""
    connector.permissions = frozenset(connector.permissions) | {Permission.TENANT_DATA}
    connector.save(update_fields=["permissions"])
    return connector


@pytest.fixture
def asked(reaching: Connector, organisation_admin: User, second_admin: User) -> UserTokenRequest:
    """The first admin has asked; the second has not answered."""
    return user_tokens.ask(connector=reaching, person=person_of(organisation_admin), by=organisation_admin)


@pytest.fixture
def asker(organisation_admin: User, browser_of: BrowserOf) -> Client:
    """The browser of the first admin."""
    return browser_of(organisation_admin)


@pytest.fixture
def second(second_admin: User, browser_of: BrowserOf) -> Client:
    """The browser of the second admin."""
    return browser_of(second_admin)


def request_page(request: UserTokenRequest) -> str:
    return reverse("connectors:user_token_request", args=[request.pk])


def tags() -> list[str]:
    return list(AuditEvent.objects.filter(tag__startswith="grant:user:").order_by("id").values_list("tag", flat=True))


def test_without_tenant_data_none_is_asked(connector: Connector, organisation_admin: User, asker: Client) -> None:
    handoff = user_tokens.generate(connector=connector, person=person_of(organisation_admin), by=organisation_admin)
    assert handoff.grant.confirmed_by is None
    page = asker.get(reverse("connectors:user_token", args=[connector.pk]))
    assert "second admin" not in page.content.decode()


def test_the_page_asks_instead_of_granting(
    reaching: Connector, organisation_admin: User, second_admin: User, asker: Client
) -> None:
    address = reverse("connectors:user_token", args=[reaching.pk])
    assert "Ask a second admin" in asker.get(address).content.decode()
    form = {
        "act": "generate",
        "person": str(person_of(organisation_admin).pk),
        "shown": to_form_value(reaching.permissions),
    }
    first, second = asker.post(address, form), asker.post(address, form)
    request = UserTokenRequest.objects.get()
    assert first["Location"] == second["Location"] == request_page(request)
    assert not Grant.objects.exists()
    assert "Waiting for a second admin." in asker.get(address).content.decode()


def test_the_other_admins_are_told_by_mail_and_on_home(
    asked: UserTokenRequest,
    organisation_admin: User,
    second_admin: User,
    stranger: User,
    django_capture_on_commit_callbacks: Any,
    outbox: list[EmailMessage],
) -> None:
    for notice in Notice.objects.filter(template="connectors/user_token_asked"):
        notifications.deliver(notice_id=notice.pk)
    assert [mail.to for mail in outbox] == [[second_admin.email]]
    assert request_page(asked) in outbox[0].body
    for user, is_told in ((second_admin, True), (organisation_admin, False), (stranger, False)):
        assert (request_page(asked) in [action.href for action in list_pending_actions(user)]) is is_told


def test_without_a_second_admin_it_cannot_be_asked(reaching: Connector, organisation_admin: User) -> None:
    with pytest.raises(RuleBroken, match="no second admin"):
        user_tokens.ask(connector=reaching, person=person_of(organisation_admin), by=organisation_admin)
    assert not UserTokenRequest.objects.exists()


def test_admins_cannot_generate_one_alone_and_others_cannot_ask(
    reaching: Connector, organisation_admin: User, member: User, outsider: User
) -> None:
    with pytest.raises(NotAllowed):
        user_tokens.generate(connector=reaching, person=person_of(organisation_admin), by=organisation_admin)
    with pytest.raises(NotAllowed):
        user_tokens.ask(connector=reaching, person=person_of(member), by=member)
    with pytest.raises(NotFound):
        user_tokens.ask(connector=reaching, person=person_of(outsider), by=outsider)
    with pytest.raises(NotFound):
        user_tokens.ask(connector=reaching, person=person_of(member), by=organisation_admin)
    assert not Grant.objects.exists()


def test_the_second_admin_confirms_and_the_token_is_sealed_for_the_developer(
    asked: UserTokenRequest, organisation_admin: User, second_admin: User, asker: Client, second: Client
) -> None:
    text = second.get(request_page(asked)).content.decode()
    assert "every group of Contoso Logistics" in text
    assert "Post messages" in text
    assert not Grant.objects.exists(), "looking confirms nothing"
    for _click in range(2):
        assert second.post(request_page(asked), {"act": "confirm"})["Location"] == request_page(asked)
    grant, handoff = Grant.objects.get(), Handoff.objects.get()
    assert (grant.granted_by, grant.confirmed_by) == (organisation_admin, second_admin)
    asked.refresh_from_db()
    assert (asked.state, asked.handoff, asked.answered_by) == (State.CONFIRMED, handoff, second_admin)
    assert tags() == ["grant:user:requested", "grant:user:granted", "grant:user:confirmed"]
    assert reverse("connectors:handoff", args=[handoff.pk]) in asker.get(request_page(asked)).content.decode()


def test_nobody_confirms_their_own(asked: UserTokenRequest, organisation_admin: User, asker: Client) -> None:
    assert 'value="confirm"' not in asker.get(request_page(asked)).content.decode()
    for act in ("confirm", "refuse"):
        assert asker.post(request_page(asked), {"act": act}).status_code == 404
    assert not Grant.objects.exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        UserTokenRequest.objects.update(answered_by=organisation_admin)
    grant = {"connector": asked.connector, "person": asked.person, "granted_by": organisation_admin, "kind": "user"}
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.create(**grant, target="person:x", target_name="x", confirmed_by=organisation_admin)


def test_strangers_get_the_same_answer_for_not_theirs_and_not_there(
    asked: UserTokenRequest, member: User, outsider: User, developer: User, browser_of: BrowserOf
) -> None:
    nowhere = reverse("connectors:user_token_request", args=[uuid4()])
    for user in (member, outsider, developer):
        browser = browser_of(user)
        for address in (request_page(asked), nowhere):
            assert browser.get(address).status_code == 404
            for act in ("confirm", "refuse", "withdraw", ""):
                assert browser.post(address, {"act": act}).status_code == 404
    asked.refresh_from_db()
    assert asked.state is State.WAITING
    assert not Grant.objects.exists()


def test_a_refusal_gives_nothing_and_is_told(asked: UserTokenRequest, organisation_admin: User, second: Client) -> None:
    for _click in range(2):
        assert second.post(request_page(asked), {"act": "refuse"}).status_code == 302
    assert second.post(request_page(asked), {"act": "confirm"}).status_code == 409
    assert not Grant.objects.exists()
    assert Notice.objects.get(template="connectors/user_token_refused").user == organisation_admin
    again = user_tokens.ask(connector=asked.connector, person=asked.person, by=organisation_admin)
    assert again.pk != asked.pk


def test_the_asker_can_withdraw_until_it_is_answered(asked: UserTokenRequest, asker: Client, second: Client) -> None:
    for _click in range(2):
        assert asker.post(request_page(asked), {"act": "withdraw"}).status_code == 302
    assert second.post(request_page(asked), {"act": "confirm"}).status_code == 409
    assert not Grant.objects.exists()


def test_what_nobody_answers_expires_and_is_told_once(
    asked: UserTokenRequest, second_admin: User, travel: Travel
) -> None:
    travel(days=7)
    with pytest.raises(Conflict, match="expired"):
        user_tokens.confirm(request=asked, by=second_admin)
    assert [user_tokens.expire_overdue() for _twice in range(2)] == [1, 0]
    assert Notice.objects.filter(template="connectors/user_token_expired").count() == 1
    assert not Grant.objects.exists()


def test_an_expired_one_that_no_worker_ended_does_not_stand_in_the_way(asked: UserTokenRequest, travel: Travel) -> None:
    travel(days=8)
    again = user_tokens.ask(connector=asked.connector, person=asked.person, by=asked.asked_by)
    assert again.pk != asked.pk


@pytest.mark.parametrize("who", ["organisation_admin", "second_admin"])
def test_both_must_be_admins_at_this_moment(
    asked: UserTokenRequest, second_admin: User, who: str, request: pytest.FixtureRequest
) -> None:
    User.objects.filter(pk=request.getfixturevalue(who).pk).update(is_organisation_admin=False)
    second_admin.refresh_from_db()
    with pytest.raises((RuleBroken, NotFound)):
        user_tokens.confirm(request=asked, by=second_admin)
    assert not Grant.objects.exists()


def test_what_was_shown_and_is_still_asked_for_is_given(asked: UserTokenRequest, second_admin: User) -> None:
    Connector.objects.update(permissions={"textmessage", "media"})
    user_tokens.confirm(request=asked, by=second_admin)
    assert to_stored(Grant.objects.get().permissions) == ["textmessage"]


def test_a_connector_that_takes_nobody_cannot_be_confirmed(asked: UserTokenRequest, second: Client) -> None:
    connectors.deactivate(connector=asked.connector, by=asked.connector.owner)
    assert second.post(request_page(asked), {"act": "confirm"}).status_code == 409
    assert not Grant.objects.exists()


def acts_already(asked: UserTokenRequest) -> user_tokens.UserToken:
    """The asker has let the connector act by OAuth, before any second admin answers."""
    return user_tokens.let_act(
        connector=asked.connector,
        person=asked.person,
        user=asked.asked_by,
        scopes=None,
        by=asked.asked_by,
        tag=EventType.USER_TOKEN_BY_OAUTH,
        address=None,
    )


def test_confirming_widens_the_grant_and_ends_its_token(asked: UserTokenRequest, second_admin: User) -> None:
    before = acts_already(asked)
    assert before.grant.confirmed_by is None
    user_tokens.confirm(request=asked, by=second_admin)
    grant = Grant.objects.get()
    assert (grant.pk, grant.confirmed_by) == (before.grant.pk, second_admin)
    before.row.refresh_from_db()
    assert before.row.revoked_at is not None


def test_what_is_there_is_not_renewed_while_the_asker_cools_off(asked: UserTokenRequest, second_admin: User) -> None:
    before = acts_already(asked)
    credential_hold.start(user=asked.asked_by, number="+919876543210", by=asked.asked_by)
    with pytest.raises(RuleBroken) as caught:
        user_tokens.confirm(request=asked, by=second_admin)
    assert caught.value.code == "cooling_off"
    before.row.refresh_from_db()
    assert before.row.revoked_at is None


def test_no_number_stands_in_the_trail(asked: UserTokenRequest, second_admin: User) -> None:
    user_tokens.confirm(request=asked, by=second_admin)
    told = json.dumps([[e.before, e.after, e.subject_name] for e in AuditEvent.objects.all()])
    assert asked.person.number not in told


@pytest.mark.django_db(transaction=True)
def test_of_two_answers_at_the_same_moment_one_counts(
    asked: UserTokenRequest, organisation: Any, second_admin: User, together: Callable[..., list[Any]]
) -> None:
    third = make_user("Hari Rao", organisation, is_organisation_admin=True)
    acts = [
        lambda: user_tokens.confirm(request=asked, by=second_admin),
        lambda: user_tokens.refuse(request=asked, by=third),
        lambda: user_tokens.withdraw(request=asked, by=asked.asked_by),
    ]
    done = together(3, lambda: acts.pop()())
    assert sum(isinstance(answer, Conflict) for answer in done) == 2
    asked.refresh_from_db()
    assert Grant.objects.exists() is (asked.state is State.CONFIRMED)


def test_what_waits_for_a_connector_that_is_deleted_waits_no_more(
    asked: UserTokenRequest, second_admin: User, asker: Client
) -> None:
    connectors.delete(connector=asked.connector, by=asked.connector.owner)
    asked.refresh_from_db()
    assert asked.state is UserTokenRequestState.WITHDRAWN
    assert request_page(asked) not in [action.href for action in list_pending_actions(second_admin)]
    with pytest.raises(Conflict, match="withdrawn"):
        user_tokens.confirm(request=asked, by=second_admin)
    assert user_tokens.expire_overdue() == 0
    assert "withdrawn" in asker.get(request_page(asked)).content.decode().lower()
