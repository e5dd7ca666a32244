"""The audit trail: one row an act, in the act's own transaction, readable for ever, without secrets."""

from __future__ import annotations

import re
import string
from typing import Any, cast

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, SystemActor, record
from accounts.audit.sentences import SENTENCES, sentence
from accounts.models import AuditEvent, Organisation, User
from kaizala_console.lib import request_context


@pytest.mark.parametrize("tag", EventType)
def test_every_tag_is_noun_noun_verb_and_has_a_sentence(tag: EventType) -> None:
    assert re.fullmatch(r"[a-z]+:[a-z]+:[a-z]+", tag)
    assert str(SENTENCES[tag]).endswith(".")
    assert len(tag) <= 64  # the column


def test_a_row_tells_who_did_what_to_what_and_from_where(developer: User, organisation: Organisation) -> None:
    here = request_context.RequestContext(request_id="abcdef0123456789", client_address="192.0.2.7")
    with request_context.use(here):
        record(
            EventType.ORGANISATION_CHANGED,
            by=developer,
            subject=organisation,
            organisation=organisation,
            before={"moved_to": ""},
            after={"moved_to": "https://elsewhere.example"},
        )
    event = AuditEvent.objects.get()
    assert (event.tag, event.actor_kind, event.actor_id, event.actor_name) == (
        "organisation:settings:changed",
        "user",
        str(developer.pk),
        "Devika Rao",
    )
    assert (event.subject_kind, event.subject_id, event.subject_name) == (
        "organisation",
        str(organisation.pk),
        "Contoso Logistics",
    )
    assert event.organisation == organisation
    assert event.before == {"moved_to": ""}
    assert event.after == {"moved_to": "https://elsewhere.example"}
    assert (event.client_address, event.request_id) == ("192.0.2.7", "abcdef0123456789")
    assert sentence(event) == "Devika Rao changed the settings of the organisation “Contoso Logistics”."


def test_the_console_itself_is_an_actor_too(organisation: Organisation) -> None:
    event = record(
        EventType.HANDOFF_EXPIRED, by=SYSTEM, subject=organisation, after={"connector": "Depot", "target": "Fleet"}
    )
    assert (event.actor_kind, event.actor_id) == ("system", "")
    assert event.client_address is None
    assert sentence(event) == "The handoff of “Depot” for “Fleet” expired; its token was deleted."


@pytest.mark.postgresql
def test_a_row_outlives_the_name_of_its_actor_and_subject(developer: User, organisation: Organisation) -> None:
    event = record(EventType.USER_CHANGED, by=developer, subject=developer)
    User.objects.filter(pk=developer.pk).update(name="Devika Sharma")
    event.refresh_from_db()
    assert event.subject_name == "Devika Rao"


def test_a_tag_of_another_version_and_missing_facts_still_read(organisation: Organisation) -> None:
    event = record(EventType.GRANT_MADE, by=SYSTEM, subject=organisation)
    assert sentence(event) == "Kaizala Console added “…” to “…”."
    event.tag = "grant:access:doubled"
    assert sentence(event) == "Kaizala Console: grant:access:doubled (Contoso Logistics)"


def test_what_looks_like_a_credential_never_gets_into_a_row(organisation: Organisation) -> None:
    token = "kzrt_" + string.ascii_letters
    event = record(EventType.ORGANISATION_CHANGED, by=SYSTEM, subject=organisation, after={"note": f"see {token}"})
    event.refresh_from_db()
    assert token not in str(event.after)


@pytest.mark.postgresql
@pytest.mark.django_db
def test_nor_does_it_by_the_names_of_whom_and_what_it_tells() -> None:
    token = "kzcs_" + string.ascii_letters
    organisation = Organisation.objects.create(name=f"Contoso {token}", entra_tenant_id="tid")
    with request_context.use(request_context.RequestContext(request_id=f"r-{token}")):
        record(EventType.ORGANISATION_CHANGED, by=SystemActor(f"Bot {token}"), subject=organisation)
    row = AuditEvent.objects.values().get()
    assert row["subject_name"] == "Contoso kzcs_[redacted]"
    assert row["actor_name"] == "Bot kzcs_[redacted]"
    assert token[6:40] not in str(row)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_no_row_is_written_outside_the_transaction_of_its_act() -> None:
    organisation = Organisation.objects.create(name="Contoso", entra_tenant_id="tid")
    with pytest.raises(RuntimeError):
        record(EventType.ORGANISATION_CHANGED, by=SYSTEM, subject=organisation)
    assert not AuditEvent.objects.exists()


def test_nobody_signed_in_is_no_actor(organisation: Organisation) -> None:
    with pytest.raises(AttributeError):
        record(EventType.ORGANISATION_CHANGED, by=cast(Any, AnonymousUser()), subject=organisation)
    assert not AuditEvent.objects.exists()
