"""Names of eighty letters in one word: wherever they stand, the page stays as wide as the screen and nothing is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page

from accounts.models import PersonName, User
from connectors.models import Bot, Connector
from groups.models import Group
from kaizala_console.tests.browser import AXE
from kaizala_console.tests.every_page import BOSS, DEVELOPER, GROUP_ADMIN, MEMBER, Visit
from kaizala_console.tests.looking import NARROW, findings
from kaizala_console.tests.visiting import Visitors
from kaizala_console.tests.whole_world import World

NAME = "Nachtschichtvertretungsplanung" * 3

PAGES = [
    *(Visit(f"connectors:{name}", DEVELOPER) for name in ("list", "details", "owners", "groups", "bots")),
    *(Visit(f"connectors:{name}", DEVELOPER) for name in ("handoff", "webhooks", "webhook", "usage", "activity")),
    Visit("connectors:change_state", DEVELOPER, ids={"verb": "delete"}),
    Visit("connectors:consent", MEMBER),
    Visit("connectors:acting", MEMBER),
    *(
        Visit(f"groups:{name}", GROUP_ADMIN)
        for name in ("details", "connectors", "grant", "grant_remove", "sub_groups")
    ),
    *(Visit(f"groups:{name}", GROUP_ADMIN) for name in ("request", "requests", "messages", "policies", "list")),
    Visit("groups:list", GROUP_ADMIN, "?view=tree"),
    Visit("search", GROUP_ADMIN, "?q=nacht"),
    *(Visit(f"groups:{name}", BOSS) for name in ("directory", "person", "person_remove")),
    Visit("handoffs", DEVELOPER),
    *(Visit(name, GROUP_ADMIN) for name in ("home", "activity", "accounts:settings")),
]


@pytest.mark.once
@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_a_name_of_one_long_word_breaks_no_page(
    whole_world: World, open_page: Callable[..., Page], browser_of: Callable[..., Client], live_server: Any
) -> None:
    named: tuple[Any, ...] = (Connector, Group, Bot, PersonName, User)
    for model in named:
        for number, pk in enumerate(model.objects.values_list("pk", flat=True)):
            model.objects.filter(pk=pk).update(name=f"{NAME[:77]}{number:03}")
    visitors = Visitors(whole_world, open_page, browser_of, {"width": NARROW}, live_server.url, (AXE.read_text(),))
    wrong = []
    for visit in PAGES:
        page = visitors.open(visit)
        wrong += [f"{visit}: {what}" for what in findings(page, frame=visit.name == "home", stay=True)]
    assert wrong == [], "\n".join(wrong)
