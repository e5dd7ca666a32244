"""The owners of a connector: a further one, one less, and handing it on. Whoever owns it can make secrets for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import AuditEvent, Notice, User
from accounts.services import credential_hold
from accounts.tests.factories import make_user
from connectors.models import Connector
from connectors.services import owners
from connectors.tests.factories import make_connector
from connectors.tests.html_forms import form_to, text_of
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


def page_of(connector: Connector, rest: str = "") -> str:
    return f"/console/connectors/{connector.pk}/owners/{rest}"


def told(template: str) -> set[User]:
    return {notice.user for notice in Notice.objects.filter(template=f"connectors/{template}") if notice.user}


def tags() -> list[str]:
    return list(AuditEvent.objects.filter(tag__contains="owner").order_by("pk").values_list("tag", flat=True))


def credentials(browser: Client, connector: Connector) -> int:
    return browser.get(f"/console/connectors/{connector.pk}/credentials/").status_code


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


def switched_off(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


# Co-owners -----------------------------------------------------------------------------------------------------------


def test_a_colleague_becomes_a_co_owner_by_their_e_mail_address(
    client: Client, connector: Connector, developer: User, member: User, browser_of: Browser
) -> None:
    overview = client.get(f"/console/connectors/{connector.pk}/")
    assert page_of(connector) in overview.content.decode()
    form = form_to(client.get(page_of(connector)), page_of(connector))
    shown = text_of(form.send(client, {"email": " Meera.Nair@Contoso.example "}, follow=True))
    assert "Meera Nair is now a co-owner. We notified them." in shown
    assert "Meera Nair meera.nair@contoso.example Co-owner" in shown
    assert credentials(browser_of(member), connector) == 200
    assert told("owner_added") == {developer, member}
    assert tags() == ["connector:coowner:added"]


def test_who_is_a_co_owner_already_stays_one(connector: Connector, developer: User, member: User) -> None:
    for _twice in range(2):
        assert owners.add(connector=connector, email=member.email, by=developer) == member
    assert connector.co_owners.count() == 1
    assert tags() == ["connector:coowner:added"]


@pytest.mark.parametrize(
    ("email", "says"),
    [
        ("nobody@contoso.example", "No one in your organisation has signed in with this e-mail address."),
        ("olga.petrova@contoso.example", "No one in your organisation has signed in with this e-mail address."),
        ("devika.rao@contoso.example", "Devika Rao is already the owner."),
        ("", "Enter a colleague’s e-mail address."),
        ("nobody", "Enter a valid email address."),
    ],
)
def test_what_no_co_owner_can_be_is_told_beside_the_field_and_stays_typed(
    client: Client, connector: Connector, outsider: User, email: str, says: str
) -> None:
    answer = form_to(client.get(page_of(connector)), page_of(connector)).send(client, {"email": email})
    assert answer.status_code == 400
    assert says in text_of(answer)
    assert form_to(answer, page_of(connector)).fields["email"] == [email]
    assert not connector.co_owners.exists()


def test_an_account_that_is_switched_off_and_one_of_two_with_an_address_are_nobody(
    connector: Connector, developer: User, member: User, stranger: User
) -> None:
    switched_off(member)
    with pytest.raises(RuleBroken, match="No one in your organisation"):
        owners.add(connector=connector, email=member.email, by=developer)
    User.objects.filter(pk=stranger.pk).update(email=developer.email.upper())
    with pytest.raises(RuleBroken, match="Several accounts"):
        owners.add(connector=connector, email=developer.email, by=developer)


def test_there_is_an_end_to_co_owners(
    connector: Connector, developer: User, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owners, "MOST_CO_OWNERS", 1)
    owners.add(connector=connector, email=member.email, by=developer)
    another = make_user("Kabir Anand", developer.organisation)
    with pytest.raises(RuleBroken, match="A connector can have at most 1 co-owners"):
        owners.add(connector=connector, email=another.email, by=developer)


def test_the_owner_removes_a_co_owner_who_sees_nothing_from_the_next_request_on(
    client: Client, connector: Connector, developer: User, member: User, browser_of: Browser
) -> None:
    connector.co_owners.add(member)
    theirs, url = browser_of(member), page_of(connector, f"{member.pk}/remove/")
    assert credentials(theirs, connector) == 200
    page = client.get(url)
    assert "They lose access to its credentials, tokens and usage at once, and are notified." in text_of(page)
    shown = text_of(form_to(page, url).send(client, follow=True))
    assert "Meera Nair is no longer a co-owner." in shown
    assert credentials(theirs, connector) == 404
    assert told("owner_removed") == {developer, member}
    assert tags() == ["connector:coowner:removed"]
    with pytest.raises(Conflict, match="Meera Nair is not a co-owner"):
        owners.remove(connector=connector, user=member, by=developer)
    assert client.get(url).status_code == 404


def test_a_co_owner_leaves_but_names_and_removes_nobody_else(
    connector: Connector, developer: User, member: User, stranger: User, browser_of: Browser
) -> None:
    connector.co_owners.add(member, stranger)
    theirs = browser_of(member)
    shown = theirs.get(page_of(connector)).content.decode()
    assert page_of(connector, f"{member.pk}/remove/") in shown
    assert page_of(connector, f"{stranger.pk}/remove/") not in shown
    assert 'name="email"' not in shown
    for url in (page_of(connector, "transfer/"), page_of(connector, f"{stranger.pk}/remove/")):
        assert theirs.get(url).status_code == 404
        assert theirs.post(url, {"email": member.email, "typed": "Shift Planner"}).status_code == 404
    assert theirs.post(page_of(connector), {"email": "arjun.mehta@contoso.example"}).status_code == 404
    for act in (
        lambda: owners.add(connector=connector, email=developer.email, by=member),
        lambda: owners.transfer(connector=connector, email=member.email, stay=True, by=member),
        lambda: owners.remove(connector=connector, user=stranger, by=member),
    ):
        with pytest.raises(NotFound):
            act()
    url = page_of(connector, f"{member.pk}/remove/")
    shown = text_of(form_to(theirs.get(url), url).send(theirs, follow=True))
    assert "You are no longer a co-owner." in shown
    assert set(connector.co_owners.all()) == {stranger}


# Handing it on -------------------------------------------------------------------------------------------------------


def test_the_new_owner_has_everything_and_the_old_one_stays_if_so_chosen(
    client: Client, connector: Connector, developer: User, member: User, browser_of: Browser
) -> None:
    url = page_of(connector, "transfer/")
    form = form_to(client.get(url), url)
    assert "stay" in form.fields, "it is ticked"
    refused = form.send(client, {"email": member.email, "stay": "on", "typed": "Shift"})
    assert "Type the name exactly" in text_of(refused)
    assert form_to(refused, url).fields["email"] == [member.email]
    typed = {"email": member.email, "stay": "on", "typed": "shift planner"}
    shown = text_of(form.send(client, typed, follow=True))
    assert "Meera Nair is now the owner. We notified them." in shown
    connector.refresh_from_db()
    assert connector.owner == member
    assert set(connector.co_owners.all()) == {developer}
    assert told("owner_changed") == {developer, member}
    assert tags() == ["connector:owner:changed"]
    assert client.get(url).status_code == 404, "who handed it on cannot take it back"
    assert browser_of(member).get(url).status_code == 200


def test_who_does_not_stay_owns_it_no_more_and_a_co_owner_becomes_the_owner_alone(
    connector: Connector, developer: User, member: User
) -> None:
    connector.co_owners.add(member)
    owners.transfer(connector=connector, email=member.email, stay=False, by=developer)
    connector.refresh_from_db()
    assert connector.owner == member
    assert not connector.co_owners.exists()


def test_a_name_that_the_new_owner_has_already_is_told_and_nothing_changes(
    client: Client, connector: Connector, developer: User, member: User
) -> None:
    make_connector(member, "SHIFT planner")
    url = page_of(connector, "transfer/")
    answer = form_to(client.get(url), url).send(client, {"email": member.email, "typed": "Shift Planner"})
    assert "Meera Nair already has a connector named “Shift Planner”. Rename one first." in text_of(answer)
    connector.refresh_from_db()
    assert connector.owner == developer
    assert tags() == []


def test_nobody_names_owners_while_their_credentials_are_locked(
    connector: Connector, developer: User, member: User
) -> None:
    credential_hold.start(user=developer, number="+919820000011", by=developer)
    for act in (
        lambda: owners.add(connector=connector, email=member.email, by=developer),
        lambda: owners.transfer(connector=connector, email=member.email, stay=True, by=developer),
    ):
        with pytest.raises(RuleBroken, match="locked"):
            act()
    assert tags() == []


@pytest.mark.parametrize("who", ["co_owner", "organisation_admin"])
def test_others_step_in_for_an_owner_whose_account_is_switched_off(
    connector: Connector,
    developer: User,
    member: User,
    stranger: User,
    organisation_admin: User,
    browser_of: Browser,
    who: str,
) -> None:
    connector.co_owners.add(member)
    stand_in = browser_of(member if who == "co_owner" else organisation_admin)
    url = page_of(connector, "transfer/")
    assert stand_in.get(url).status_code == 404
    switched_off(developer)
    overview = stand_in.get(f"/console/connectors/{connector.pk}/").content.decode()
    assert page_of(connector) in overview
    assert "The owner’s account is deactivated." in text_of(stand_in.get(page_of(connector)))
    form = form_to(stand_in.get(url), url)
    assert "stay" not in form.fields
    shown = text_of(form.send(stand_in, {"email": stranger.email, "typed": "Shift Planner"}, follow=True))
    assert "Sunil Verma is now the owner. We notified them." in shown
    connector.refresh_from_db()
    assert connector.owner == stranger
    assert set(connector.co_owners.all()) == {member}
    assert browser_of(stranger).get(page_of(connector, "transfer/")).status_code == 200
    assert stand_in.get(url).status_code == 404
