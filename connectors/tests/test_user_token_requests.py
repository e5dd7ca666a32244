"""An organisation admin's user token needs a second admin: asked, confirmed, refused, withdrawn, expired; each once."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts.audit.events import EventType
from accounts.models import AuditEvent, Notice, User
from accounts.services import credential_hold, notifications
from accounts.tests.factories import make_user
from connectors.models import Connector, Grant, Handoff, UserTokenRequest, UserTokenRequestState
from connectors.permissions import Permission, to_form_value, to_stored
from connectors.services import connectors, user_tokens
from connectors.tests.factories import person_of
from kaizala_console.dashboard.pending_actions import list_pending_actions
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken

BrowserOf = Callable[..., Client]
Travel = Callable[..., dt.datetime]
State = UserTokenRequestState


@pytest.fixture
def connector(connector: Connector) -> Connector:
    """One that asks to reach the organisation."""
    connector.permissions = frozenset(connector.permissions) | {Permission.TENANT_DATA}
    connector.save(update_fields=["permissions"])
    return connector


@pytest.fixture
def asked(connector: Connector, organisation_admin: User, second_admin: User) -> UserTokenRequest:
    """The first admin has asked; the second has not answered."""
    return user_tokens.ask(connector=connector, person=person_of(organisation_admin), by=organisation_admin)


def page_of(request: UserTokenRequest) -> str:
    return reverse("connectors:user_token_request", args=[request.pk])


def tags() -> list[str]:
    return list(AuditEvent.objects.filter(tag__startswith="grant:user:").order_by("id").values_list("tag", flat=True))


def test_without_tenant_data_none_is_asked(
    connector: Connector, organisation_admin: User, browser_of: BrowserOf
) -> None:
    connector.permissions = frozenset(connector.permissions) - {Permission.TENANT_DATA}
    connector.save(update_fields=["permissions"])
    handoff = user_tokens.generate(connector=connector, person=person_of(organisation_admin), by=organisation_admin)
    assert handoff.grant.confirmed_by is None
    page = browser_of(organisation_admin).get(reverse("connectors:user_token", args=[connector.pk]))
    assert "second admin" not in page.content.decode()


def test_the_page_asks_instead_of_granting(
    connector: Connector, organisation_admin: User, second_admin: User, browser_of: BrowserOf
) -> None:
    browser = browser_of(organisation_admin)
    address = reverse("connectors:user_token", args=[connector.pk])
    assert "Ask a second admin" in browser.get(address).content.decode()
    form = {
        "act": "generate",
        "person": str(person_of(organisation_admin).pk),
        "shown": to_form_value(connector.permissions),
    }
    first, second = browser.post(address, form), browser.post(address, form)
    request = UserTokenRequest.objects.get()
    assert first["Location"] == second["Location"] == page_of(request)
    assert not Grant.objects.exists()
    assert "Waiting for a second admin." in browser.get(address).content.decode()


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
    assert page_of(asked) in outbox[0].body
    for user, is_told in ((second_admin, True), (organisation_admin, False), (stranger, False)):
        assert (page_of(asked) in [action.href for action in list_pending_actions(user)]) is is_told


def test_without_a_second_admin_it_cannot_be_asked(connector: Connector, organisation_admin: User) -> None:
    with pytest.raises(RuleBroken, match="no second admin"):
        user_tokens.ask(connector=connector, person=person_of(organisation_admin), by=organisation_admin)
    assert not UserTokenRequest.objects.exists()


def test_admins_cannot_generate_one_alone_and_others_cannot_ask(
    connector: Connector, organisation_admin: User, member: User, outsider: User
) -> None:
    with pytest.raises(NotAllowed):
        user_tokens.generate(connector=connector, person=person_of(organisation_admin), by=organisation_admin)
    with pytest.raises(NotAllowed):
        user_tokens.ask(connector=connector, person=person_of(member), by=member)
    with pytest.raises(NotFound):
        user_tokens.ask(connector=connector, person=person_of(outsider), by=outsider)
    with pytest.raises(NotFound):
        user_tokens.ask(connector=connector, person=person_of(member), by=organisation_admin)
    assert not Grant.objects.exists()


def test_the_second_admin_confirms_and_the_token_is_sealed_for_the_developer(
    asked: UserTokenRequest, organisation_admin: User, second_admin: User, browser_of: BrowserOf
) -> None:
    browser = browser_of(second_admin)
    text = browser.get(page_of(asked)).content.decode()
    assert "every group of Contoso Logistics" in text
    assert "Post messages" in text
    assert not Grant.objects.exists(), "looking confirms nothing"
    for _click in range(2):
        assert browser.post(page_of(asked), {"act": "confirm"})["Location"] == page_of(asked)
    grant, handoff = Grant.objects.get(), Handoff.objects.get()
    assert (grant.granted_by, grant.confirmed_by) == (organisation_admin, second_admin)
    asked.refresh_from_db()
    assert (asked.state, asked.handoff, asked.answered_by) == (State.CONFIRMED, handoff, second_admin)
    assert tags() == ["grant:user:requested", "grant:user:granted", "grant:user:confirmed"]
    assert reverse("connectors:handoff", args=[handoff.pk]) in (
        browser_of(organisation_admin).get(page_of(asked)).content.decode()
    )


def test_nobody_confirms_their_own(asked: UserTokenRequest, organisation_admin: User, browser_of: BrowserOf) -> None:
    browser = browser_of(organisation_admin)
    assert 'value="confirm"' not in browser.get(page_of(asked)).content.decode()
    for act in ("confirm", "refuse"):
        assert browser.post(page_of(asked), {"act": act}).status_code == 404
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
        for address in (page_of(asked), nowhere):
            assert browser.get(address).status_code == 404
            for act in ("confirm", "refuse", "withdraw", ""):
                assert browser.post(address, {"act": act}).status_code == 404
    assert Client().get(page_of(asked))["Location"].startswith("/accounts/login/")
    asked.refresh_from_db()
    assert asked.state is State.WAITING
    assert not Grant.objects.exists()


def test_a_refusal_gives_nothing_and_is_told(
    asked: UserTokenRequest, organisation_admin: User, second_admin: User, browser_of: BrowserOf
) -> None:
    browser = browser_of(second_admin)
    for _click in range(2):
        assert browser.post(page_of(asked), {"act": "refuse"}).status_code == 302
    assert browser.post(page_of(asked), {"act": "confirm"}).status_code == 409
    assert not Grant.objects.exists()
    assert Notice.objects.get(template="connectors/user_token_refused").user == organisation_admin
    again = user_tokens.ask(connector=asked.connector, person=asked.person, by=organisation_admin)
    assert again.pk != asked.pk


def test_the_asker_can_withdraw_until_it_is_answered(
    asked: UserTokenRequest, organisation_admin: User, second_admin: User, browser_of: BrowserOf
) -> None:
    browser = browser_of(organisation_admin)
    for _click in range(2):
        assert browser.post(page_of(asked), {"act": "withdraw"}).status_code == 302
    assert browser_of(second_admin).post(page_of(asked), {"act": "confirm"}).status_code == 409
    assert not Grant.objects.exists()


def test_what_nobody_answers_expires_and_is_told_once(
    connector: Connector, organisation_admin: User, second_admin: User, travel: Travel
) -> None:
    travel()
    asked = user_tokens.ask(connector=connector, person=person_of(organisation_admin), by=organisation_admin)
    travel(days=7)
    with pytest.raises(Conflict, match="expired"):
        user_tokens.confirm(request=asked, by=second_admin)
    assert user_tokens.expire_overdue() == 1
    assert user_tokens.expire_overdue() == 0
    assert Notice.objects.filter(template="connectors/user_token_expired").count() == 1
    assert not Grant.objects.exists()


def test_an_expired_one_that_no_worker_ended_does_not_stand_in_the_way(
    asked: UserTokenRequest, organisation_admin: User, travel: Travel
) -> None:
    travel(days=8)
    again = user_tokens.ask(connector=asked.connector, person=asked.person, by=organisation_admin)
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


def test_a_connector_that_takes_nobody_cannot_be_confirmed(
    asked: UserTokenRequest, second_admin: User, developer: User, browser_of: BrowserOf
) -> None:
    connectors.deactivate(connector=asked.connector, by=developer)
    answer = browser_of(second_admin).post(page_of(asked), {"act": "confirm"})
    assert answer.status_code == 409
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


def test_what_is_there_is_not_renewed_while_the_asker_cools_off(
    asked: UserTokenRequest, organisation_admin: User, second_admin: User
) -> None:
    before = acts_already(asked)
    credential_hold.start(user=organisation_admin, number="+919876543210", by=organisation_admin)
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
    connector: Connector,
    organisation: Any,
    organisation_admin: User,
    second_admin: User,
    together: Callable[..., list[Any]],
) -> None:
    third = make_user("Hari Rao", organisation, is_organisation_admin=True)
    asked = user_tokens.ask(connector=connector, person=person_of(organisation_admin), by=organisation_admin)
    acts = [
        lambda: user_tokens.confirm(request=asked, by=second_admin),
        lambda: user_tokens.refuse(request=asked, by=third),
        lambda: user_tokens.withdraw(request=asked, by=organisation_admin),
    ]
    done = together(3, lambda: acts.pop()())
    assert sum(isinstance(answer, Conflict) for answer in done) == 2
    asked.refresh_from_db()
    assert Grant.objects.exists() is (asked.state is State.CONFIRMED)


def test_what_waits_for_a_connector_that_is_deleted_waits_no_more(
    asked: UserTokenRequest, developer: User, second_admin: User, organisation_admin: User, browser_of: BrowserOf
) -> None:
    connectors.delete(connector=asked.connector, by=developer)
    asked.refresh_from_db()
    assert asked.state is UserTokenRequestState.WITHDRAWN
    assert page_of(asked) not in [action.href for action in list_pending_actions(second_admin)]
    with pytest.raises(Conflict, match="withdrawn"):
        user_tokens.confirm(request=asked, by=second_admin)
    assert user_tokens.expire_overdue() == 0
    assert "withdrawn" in browser_of(organisation_admin).get(page_of(asked)).content.decode().lower()
