"""The secrets of a connector: a second one beside the first, and the end of one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from connectors import token_format
from connectors.models import Connector, ConnectorSecret
from connectors.tests import factories
from connectors.tests.html_forms import HtmlForm, Page, count_queries, form_to, forms_of, text_of
from connectors.tests.test_create_pages import secret_on
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


def tab(connector: Connector) -> str:
    return f"/console/connectors/{connector.pk}/credentials/"


def add_form(client: Client, connector: Connector) -> HtmlForm:
    return form_to(client.get(tab(connector)), f"{tab(connector)}add/")


def add(client: Client, connector: Connector) -> Page:
    return add_form(client, connector).send(client)


@pytest.fixture
def connector(developer: User) -> Connector:
    connector = factories.make_connector(developer, "Shift Planner")
    factories.make_secret(connector)
    return connector


def test_a_second_secret_is_shown_once_and_a_double_click_adds_one(owner: Client, connector: Connector) -> None:
    form = add_form(owner, connector)
    page = form.send(owner)
    parsed = token_format.parse(token_format.CredentialKind.SECRET, secret_on(page))
    stored = connector.secrets.get(slot=2)
    assert parsed is not None
    assert parsed.matches(stored.pepper_id, stored.digest)
    assert "no-store" in page["Cache-Control"]
    assert secret_on(form.send(owner)) == secret_on(page)
    assert ConnectorSecret.objects.live(clock.now()).count() == 2


def test_with_two_live_secrets_a_third_is_neither_offered_nor_made(owner: Client, connector: Connector) -> None:
    old_page = add_form(owner, connector)
    add(owner, connector)
    assert not [form for form in forms_of(owner.get(tab(connector))) if form.action.endswith("/add/")]
    answer = old_page.send(owner, {"idempotency_key": "n" * 32})
    assert answer["Location"] == tab(connector)
    assert "This connector already has two secrets." in text_of(owner.get(tab(connector)))
    assert connector.secrets.count() == 2


def test_revoking_twice_is_once(owner: Client, connector: Connector) -> None:
    secret = connector.secrets.get()
    url = f"{tab(connector)}{secret.pk}/revoke/"
    form = form_to(owner.get(url), url)
    revoked_at = []
    for _ in range(2):
        assert form.send(owner, {"typed": "shift planner"})["Location"] == tab(connector)
        secret.refresh_from_db()
        revoked_at.append(secret.revoked_at)
    assert revoked_at[0] == revoked_at[1] is not None
    assert owner.get(url)["Location"] == tab(connector)
    assert "This secret is already revoked." in text_of(owner.get(tab(connector)))


@pytest.mark.parametrize("is_last", [True, False])
def test_a_look_and_another_name_revoke_nothing_but_warn(owner: Client, connector: Connector, is_last: bool) -> None:
    secret = connector.secrets.get()
    if not is_last:
        add(owner, connector)
    url = f"{tab(connector)}{secret.pk}/revoke/"
    page = owner.post(url, {"typed": "Shift"})
    assert page.status_code == 400
    assert "Type the name exactly: “Shift Planner”." in text_of(page)
    for shown in (page, owner.get(url)):
        assert ("This is the only live secret." in text_of(shown)) is is_last
    secret.refresh_from_db()
    assert secret.revoked_at is None


@pytest.mark.parametrize(
    ("old", "new", "safe"),
    [
        (20, 0, True),
        (20, 6, True),
        (20, 15, False),  # neither is in use: a job of once a month may hold the old one
        (20, 30, False),  # the new one was tried once, and the program went back to the old one
        (20, None, False),
        (6, 0, False),
    ],
)
def test_only_a_program_that_has_moved_on_needs_the_old_one_no_more(
    owner: Client, connector: Connector, old: int, new: int | None, safe: bool
) -> None:
    add(owner, connector)
    now = clock.now()
    for slot, days in ((1, old), (2, new)):
        used = None if days is None else now - dt.timedelta(days=days)
        made = now - dt.timedelta(days=60 - slot)
        connector.secrets.filter(slot=slot).update(last_used_at=used, created_at=made)
    assert (f"Secret 1 was not used for {old} days" in text_of(owner.get(tab(connector)))) is safe


def test_an_end_date_may_be_chosen_and_is_shown(owner: Client, connector: Connector) -> None:
    chosen = (clock.now() + dt.timedelta(days=20)).date()
    assert secret_on(add_form(owner, connector).send(owner, {"end_date": chosen.isoformat()}))
    secret = connector.secrets.get(slot=2)
    assert secret.expires_at == dt.datetime.combine(chosen + dt.timedelta(days=1), dt.time.min, dt.UTC)
    assert "Ends in 2" in text_of(owner.get(tab(connector)))


@pytest.mark.parametrize("chosen", ["2020-01-01", "tomorrow", "9999-12-31", "2030-13-01\0"])
def test_an_end_date_that_cannot_be_is_refused(owner: Client, connector: Connector, chosen: str) -> None:
    page = add_form(owner, connector).send(owner, {"end_date": chosen})
    assert page.status_code == 400
    assert b"id_end_date_error" in page.content
    assert connector.secrets.count() == 1


def test_more_secrets_cost_no_more_queries(owner: Client, connector: Connector) -> None:
    few = count_queries(owner, tab(connector))
    for _ in range(5):
        connector.secrets.filter(revoked_at=None).update(revoked_at=clock.now())
        factories.make_secret(connector)
    assert count_queries(owner, tab(connector)) == few
