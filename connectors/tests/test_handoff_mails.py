"""The mails about a handoff: who gets which, and that none holds a secret."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.core.mail import EmailMessage
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts.models import Notice, User
from accounts.services import notifications
from connectors import tasks
from connectors.models import Connector, Handoff
from connectors.services import grants, handoffs, public_keys, refresh_tokens, user_tokens
from connectors.tests.factories import Program, let_in, person_of
from connectors.tests.keys import registered, x25519
from connectors.tests.test_claims import claim as program_claims
from connectors.tests.test_handoffs import ADDRESS, claim


def test_every_mail_says_what_happened_and_where_to_go_and_holds_no_secret(
    connector: Connector,
    developer: User,
    group_admin: User,
    outbox: list[EmailMessage],
    settings: Settings,
    travel: Callable[..., dt.datetime],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    tokens = []
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(3):
            tokens.append(refresh_tokens.unseal(let_in(connector, group_admin, target_name="Q&A").handoff))
    with django_capture_on_commit_callbacks(execute=True):
        one, two, _three = Handoff.objects.order_by("pk")
        claim(one, developer)
        handoffs.refuse(handoff=two, by=developer)
        travel(days=7)
        tasks.expire_handoffs()
    notifications.sweep()
    texts = {notice.template.rpartition("_")[2]: notifications.render(notice) for notice in Notice.objects.all()}
    assert set(texts) == {"made", "claimed", "refused", "expired"}
    for subject, body in texts.values():
        assert connector.name in subject
        assert "Q&A" in body
        assert f"{settings.CONSOLE_BASE_URL}/console/handoffs/" in body
        assert not [token for token in tokens if token[5:] in subject + body]
    assert "Devika Rao claimed" in texts["claimed"][1]
    assert ADDRESS in texts["claimed"][1]
    assert len(outbox) == 3 + 2 + 1 + 2
    assert {mail.to[0] for mail in outbox} == {developer.email, group_admin.email}


def test_the_mails_about_programs_and_keys_say_whose_act_it_was_and_what_to_do(
    program: Program, developer: User, settings: Settings
) -> None:
    pair = x25519()
    public_keys.remove(key=registered(program.connector, pair), by=developer)
    secret = program_claims(program).json()["refreshToken"]
    told = Notice.objects.filter(user=developer)
    texts = {notice.template.partition("/")[2]: notifications.render(notice) for notice in told}
    subject, body = texts["handoff_claimed_by_program"]
    assert "The program of Shift Planner claimed its refresh token for Night shift" in subject
    assert "(from 198.51.100.9)" in body
    for name in ("key_registered", "key_removed"):
        subject, body = texts[name]
        assert "Shift Planner" in subject
        assert f"Devika Rao {name.partition('_')[2]}" in body
        assert pair.fingerprint in body
        assert f"{settings.CONSOLE_BASE_URL}/console/connectors/{program.connector.pk}/keys/" in body
    assert secret not in str(texts)


def test_a_waiting_handoff_is_told_with_when_it_was_mailed(
    connector: Connector,
    group_admin: User,
    outbox: list[EmailMessage],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        let_in(connector, group_admin)
    handoff = Handoff.objects.select_related("notice").get()
    assert handoff.notice is not None
    assert handoff.notice.sent_at is not None
    assert len(outbox) == 1


def test_the_receipt_of_one_issued_again_goes_to_the_admin_who_granted(
    program: Program, developer: User, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    travel(minutes=1)
    again = handoffs.reissue(handoff=program.handoff, by=developer)
    claim(again, developer)
    receipts = Notice.objects.filter(template="connectors/handoff_claimed")
    assert {notice.user for notice in receipts} == {group_admin, developer}


def test_a_receipt_says_what_its_side_can_do_if_it_was_somebody_else(
    program: Program, developer: User, group_admin: User
) -> None:
    claim(program.handoff, developer)
    told = {
        notice.user: notifications.render(notice)[1]
        for notice in Notice.objects.filter(template="connectors/handoff_claimed")
    }
    assert "remove the connector from the group" in told[group_admin]
    assert "remove the connector from the group" not in told[developer]
    assert "If you did not expect this, regenerate the token: the claimed one is revoked then." in told[developer]
    assert all(f"from {ADDRESS}" in text for text in told.values())


def test_a_co_owner_who_had_it_issued_again_gets_the_receipt_of_anothers_claim(
    program: Program, developer: User, group_admin: User, member: User, travel: Callable[..., dt.datetime]
) -> None:
    program.connector.co_owners.add(member)
    travel(minutes=1)
    again = handoffs.reissue(handoff=program.handoff, by=member)
    handoffs.refuse(handoff=again, by=developer)
    refused = Notice.objects.filter(template="connectors/handoff_refused")
    assert {notice.user for notice in refused} == {group_admin, member}


def test_of_a_user_token_no_receipt_speaks_of_a_group_and_each_says_how_to_end_it(
    program: Program, developer: User, member: User, travel: Callable[..., dt.datetime]
) -> None:
    handoff = user_tokens.generate(connector=program.connector, person=person_of(member), by=member)
    claim(handoff, developer)
    travel(minutes=1)
    handoff = grants.regenerate(grant=handoff.grant, by=member)
    program_claims(program, {"handoffId": str(handoff.pk)})
    travel(minutes=1)
    handoffs.refuse(handoff=grants.regenerate(grant=handoff.grant, by=member), by=developer)
    told = {notice.template: notifications.render(notice)[1] for notice in Notice.objects.filter(user=member)}
    assert {template.rpartition("_")[2] for template in told} == {"claimed", "program", "refused"}
    for body in told.values():
        assert "the group" not in body
        assert "“Connectors acting for you”" in body
    assert "/console/acting/" in told["connectors/handoff_claimed"]
