"""The "Bots" tab of a connector: made, changed and deleted by its owners, with what stops said before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors.models import Bot, Connector
from connectors.permissions import PERMISSIONS, Permission
from connectors.services import bots
from connectors.tests import factories
from connectors.tests.html_forms import text_of

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
KEY = {"idempotency_key": "k" * 32}


@pytest.fixture
def connector(developer: User) -> Connector:
    return factories.make_connector(developer, "Shift Planner", permissions=PERMISSIONS)


@pytest.fixture
def bot(connector: Connector, developer: User) -> Bot:
    picture = "https://pictures.example/rota.png"
    return bots.create(connector=connector, name="Rota", picture_url=picture, by=developer)


def at(name: str, *ids: Any) -> str:
    return reverse(f"connectors:{name}", args=ids)


def test_without_the_permission_to_post_it_leads_to_that_instead(developer: User, browser_of: Browser) -> None:
    mute = factories.make_connector(developer, "Reader", permissions=frozenset({Permission.GROUP_INFORMATION}))
    client = browser_of(developer)
    page = client.get(at("bots", mute.pk))
    assert "A bot is a name and picture a program posts under." in text_of(page)
    assert at("bot_add", mute.pk) not in page.content.decode()
    for answer in (client.get(at("bot_add", mute.pk)), client.post(at("bot_add", mute.pk), {"name": "Rota", **KEY})):
        assert answer["Location"] == at("bots", mute.pk)
    assert not Bot.objects.exists()


@pytest.mark.parametrize("who", ["developer", "co_owner"])
def test_an_owner_makes_one_and_a_double_click_makes_no_second(
    connector: Connector, who: str, request: pytest.FixtureRequest, member: User, browser_of: Browser
) -> None:
    connector.co_owners.add(member)
    client = browser_of(member if who == "co_owner" else request.getfixturevalue(who))
    form = {"name": " Shift  reminders ", "picture": "https://pictures.example/a.png", **KEY}
    for _click in range(2):
        answer = client.post(at("bot_add", connector.pk), form, follow=True)
        assert "“Shift reminders” created. Add it to a group next." in text_of(answer)
    made = Bot.objects.get()
    assert (made.connector, made.name, made.picture_url) == (connector, "Shift reminders", form["picture"])
    event = AuditEvent.objects.get(tag="connector:bot:created")
    assert (event.actor_kind, event.connector_id) == ("user", connector.pk)


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"name": "", "picture": "https://pictures.example/a.png"}, "Give the bot a name."),
        ({"name": "Rota", "picture": "rota.png"}, "begins with https:// or http://"),
    ],
)
def test_what_is_refused_stays_in_the_form_with_its_reason(
    connector: Connector, developer: User, browser_of: Browser, form: dict[str, str], says: str
) -> None:
    page = browser_of(developer).post(at("bot_add", connector.pk), {**form, **KEY})
    assert page.status_code == 400
    assert says in text_of(page)
    assert f'value="{form["picture"]}"' in page.content.decode()
    assert not Bot.objects.exists()


def test_the_list_says_whose_picture_and_that_it_stands_nowhere(
    connector: Connector, bot: Bot, developer: User, browser_of: Browser
) -> None:
    page = browser_of(developer).get(at("bots", connector.pk))
    text = text_of(page)
    assert "Rota Picture at pictures.example no group yet not yet" in text
    assert "Bots 1" in text


def test_a_full_connector_offers_no_more_and_says_why(
    connector: Connector, developer: User, browser_of: Browser
) -> None:
    Bot.objects.bulk_create(Bot(connector=connector, name=str(n)) for n in range(bots.MOST_BOTS))
    client = browser_of(developer)
    page = client.get(at("bots", connector.pk))
    assert at("bot_add", connector.pk) not in page.content.decode()
    assert "A connector can have at most 50 bots. Delete one to add another." in text_of(page)
    refused = client.post(at("bot_add", connector.pk), {"name": "One more", **KEY})
    assert "Delete one that is not needed" in text_of(refused)


def test_more_bots_cost_no_more_statements(
    connector: Connector, bot: Bot, developer: User, browser_of: Browser, django_assert_max_num_queries: Any
) -> None:
    client = browser_of(developer)
    costs = []
    for _times in range(2):
        with django_assert_max_num_queries(40) as seen:
            client.get(at("bots", connector.pk))
        costs.append(len(seen))
        Bot.objects.bulk_create(Bot(connector=connector, name=f"{n}") for n in range(20))
    assert costs[0] == costs[1]


def test_a_change_is_saved_after_a_fresh_confirmation(
    connector: Connector, bot: Bot, developer: User, browser_of: Browser
) -> None:
    url, form = at("bot_change", connector.pk, bot.pk), {"name": "Rota 2", "picture": ""}
    asked = browser_of(developer, confirmed=False).post(url, form)
    assert asked["Location"].startswith(reverse("accounts:confirm"))
    client = browser_of(developer)
    assert str(bot.pk) in client.get(url).content.decode()
    assert client.post(url, form)["Location"] == at("bots", connector.pk)
    bot.refresh_from_db()
    assert (bot.name, bot.picture_url) == ("Rota 2", "")


def test_deleting_says_what_stops_and_wants_the_name(
    connector: Connector, bot: Bot, developer: User, browser_of: Browser
) -> None:
    client, url = browser_of(developer), at("bot_remove", connector.pk, bot.pk)
    page = text_of(client.get(url))
    assert "What will stop" in page
    assert "posts in the last 7 days" in page
    refused = client.post(url, {"typed": "Shift Planner"})
    assert refused.status_code == 400
    assert "Type the name exactly: “Rota”." in text_of(refused)
    assert Bot.objects.present().exists()
    assert "“Rota” deleted. Its tokens are refused." in text_of(client.post(url, {"typed": "rota"}, follow=True))
    assert not Bot.objects.present().exists()
    assert "is already deleted." in text_of(client.post(url, {"typed": "rota"}, follow=True))
    assert AuditEvent.objects.filter(tag="connector:bot:removed").count() == 1


@pytest.mark.parametrize("name", ["bot_change", "bot_remove"])
def test_pages_that_were_open_when_the_bot_was_deleted_lead_to_the_others(
    connector: Connector, bot: Bot, name: str, developer: User, browser_of: Browser
) -> None:
    bots.remove(connector=connector, bot_id=bot.pk, by=developer)
    client, url = browser_of(developer), at(name, connector.pk, bot.pk)
    for answer in (client.get(url), client.post(url, {"name": "Rota 2", "typed": "Rota"})):
        assert answer["Location"] == at("bots", connector.pk)
    assert "is already deleted." in text_of(client.get(at("bots", connector.pk)))


@pytest.mark.parametrize("name", ["bot_change", "bot_remove"])
def test_a_bot_is_found_under_its_own_connector_alone(
    bot: Bot, name: str, developer: User, browser_of: Browser
) -> None:
    other = factories.make_connector(developer, "Other", permissions=PERMISSIONS)
    client, url = browser_of(developer), at(name, other.pk, bot.pk)
    assert client.get(url).status_code == 404
    assert client.post(url, {"name": "Taken over", "typed": "Rota"}).status_code == 404
    bot.refresh_from_db()
    assert (bot.name, bot.removed_at) == ("Rota", None)
