"""The owners of a connector: a further one, one less, handing it on, and what has nobody left who looks after it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import AuditEvent, Notice, User, VerifiedPhone
from accounts.services import notifications, users
from accounts.tests.factories import make_user
from connectors.models import Connector, Orphan
from connectors.services import connectors, grants, owners
from connectors.tasks import watch_orphans
from connectors.tests import factories
from connectors.tests.factories import Program, make_connector
from connectors.tests.html_forms import form_to, text_of
from kaizala_console.lib import clock
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


def switched_off(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


# Co-owners -----------------------------------------------------------------------------------------------------------


def test_a_colleague_becomes_a_co_owner_by_their_e_mail_address(
    owner: Client, connector: Connector, developer: User, member: User, browser_of: Browser
) -> None:
    overview = owner.get(f"/console/connectors/{connector.pk}/")
    assert page_of(connector) in overview.content.decode()
    form = form_to(owner.get(page_of(connector)), page_of(connector))
    shown = text_of(form.send(owner, {"email": " Meera.Nair@Contoso.example "}, follow=True))
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
    "email", ["nobody@contoso.example", "olga.petrova@contoso.example", "devika.rao@contoso.example", "", "nobody"]
)
def test_who_cannot_be_a_co_owner_stays_typed(owner: Client, connector: Connector, outsider: User, email: str) -> None:
    answer = form_to(owner.get(page_of(connector)), page_of(connector)).send(owner, {"email": email})
    assert answer.status_code == 400
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


def test_co_owners_are_limited(connector: Connector, member: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "MOST_CO_OWNERS", 1)
    owners.add(connector=connector, email=member.email, by=connector.owner)
    another = make_user("Kabir Anand", connector.owner.organisation)
    with pytest.raises(RuleBroken, match="A connector can have at most 1 co-owners"):
        owners.add(connector=connector, email=another.email, by=connector.owner)


def test_the_owner_removes_a_co_owner_who_sees_nothing_from_the_next_request_on(
    owner: Client, connector: Connector, developer: User, member: User, browser_of: Browser
) -> None:
    connector.co_owners.add(member)
    theirs, url = browser_of(member), page_of(connector, f"{member.pk}/remove/")
    assert credentials(theirs, connector) == 200
    form_to(owner.get(url), url).send(owner)
    assert credentials(theirs, connector) == 404
    assert told("owner_removed") == {developer, member}
    assert tags() == ["connector:coowner:removed"]
    with pytest.raises(Conflict, match="Meera Nair is not a co-owner"):
        owners.remove(connector=connector, user=member, by=developer)
    assert owner.get(url).status_code == 404


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
    form_to(theirs.get(url), url).send(theirs)
    assert set(connector.co_owners.all()) == {stranger}


# Handing it on -------------------------------------------------------------------------------------------------------


def test_the_new_owner_has_everything_and_the_old_one_stays_if_so_chosen(
    owner: Client, connector: Connector, developer: User, member: User, browser_of: Browser
) -> None:
    url = page_of(connector, "transfer/")
    form = form_to(owner.get(url), url)
    assert "stay" in form.fields, "it is ticked"
    refused = form.send(owner, {"email": member.email, "stay": "on", "typed": "Shift"})
    assert refused.status_code == 400
    assert form_to(refused, url).fields["email"] == [member.email]
    form.send(owner, {"email": member.email, "stay": "on", "typed": "shift planner"})
    connector.refresh_from_db()
    assert connector.owner == member
    assert set(connector.co_owners.all()) == {developer}
    assert told("owner_changed") == {developer, member}
    assert tags() == ["connector:owner:changed"]
    assert owner.get(url).status_code == 404, "who handed it on cannot take it back"
    assert browser_of(member).get(url).status_code == 200


def test_a_co_owner_becomes_the_owner_when_nobody_stays(connector: Connector, developer: User, member: User) -> None:
    connector.co_owners.add(member)
    owners.transfer(connector=connector, email=member.email, stay=False, by=developer)
    connector.refresh_from_db()
    assert connector.owner == member
    assert not connector.co_owners.exists()


def test_a_name_the_new_owner_has_is_refused(owner: Client, connector: Connector, member: User) -> None:
    make_connector(member, "SHIFT planner")
    url = page_of(connector, "transfer/")
    answer = form_to(owner.get(url), url).send(owner, {"email": member.email, "typed": "Shift Planner"})
    assert "already has a connector named “Shift Planner”" in text_of(answer)
    assert Connector.objects.get(pk=connector.pk).owner == connector.owner != member
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
    form.send(stand_in, {"email": stranger.email, "typed": "Shift Planner"})
    connector.refresh_from_db()
    assert connector.owner == stranger
    assert set(connector.co_owners.all()) == {member}
    assert browser_of(stranger).get(page_of(connector, "transfer/")).status_code == 200
    assert stand_in.get(url).status_code == 404


def orphan_notices() -> set[tuple[str, str]]:
    return set(Notice.objects.filter(template__startswith="connectors/orphan").values_list("user__name", "template"))


def take_over(user: User, by: User) -> None:
    """The number of `user` is held by another account now."""
    phone = VerifiedPhone.objects.active().get(user=user)
    VerifiedPhone.objects.filter(pk=phone.pk).update(released_at=clock.now(), is_primary=False)
    VerifiedPhone.objects.create(user=by, person=phone.person)


@pytest.fixture
def abandoned(connector: Connector, developer: User, operator: User, organisation_admin: User, outsider: User) -> None:
    """The developer's account was deactivated."""
    users.deactivate(user=developer, by=operator)


@pytest.mark.postgresql
def test_a_connector_whose_owner_is_gone_is_told_once(abandoned: None, connector: Connector) -> None:
    watch_orphans()
    watch_orphans()
    assert orphan_notices() == {
        ("Omar Dsouza", "connectors/orphan_connector"),
        ("Farah Khan", "connectors/orphan_connector"),
    }
    assert Notice.objects.filter(template="connectors/orphan_connector").count() == 2
    event = AuditEvent.objects.get(tag="grant:orphan:found")
    assert (event.actor_kind, event.connector_id, event.after["name"]) == ("system", connector.pk, "Shift Planner")


def test_the_link_in_the_mail_leads_to_a_list_that_has_it(
    abandoned: None, connector: Connector, organisation_admin: User, browser_of: Callable[..., Client]
) -> None:
    watch_orphans()
    notice = Notice.objects.get(template="connectors/orphan_connector", user=organisation_admin)
    (address,) = re.findall(rf"{re.escape(settings.CONSOLE_BASE_URL)}(\S+)", notifications.render(notice)[1])
    assert str(connector.pk) in browser_of(organisation_admin).get(address).content.decode()


@pytest.mark.postgresql
def test_many_at_once_are_one_mail(developer: User, operator: User) -> None:
    for number in range(60):
        factories.make_connector(developer, f"Planner {number:02}")
    users.deactivate(user=developer, by=operator)
    assert owners.find_orphans() == 60
    (notice,) = Notice.objects.filter(template="connectors/orphan_connector")
    subject, body = notifications.render(notice)
    assert subject == "60 connectors have no active owner"
    assert "and 10 more" in body


def test_only_an_active_co_owner_looks_after_it(connector: Connector, member: User, operator: User) -> None:
    connector.co_owners.add(member)
    users.deactivate(user=connector.owner, by=operator)
    assert owners.find_orphans() == 0
    users.deactivate(user=member, by=operator)
    assert owners.find_orphans() == 1


@pytest.mark.postgresql
def test_what_was_settled_and_comes_again_is_told_again(abandoned: None, developer: User, operator: User) -> None:
    assert owners.find_orphans() == 1
    users.activate(user=developer, by=operator)
    assert owners.find_orphans() == 0
    assert Orphan.objects.get().settled_at is not None
    users.deactivate(user=developer, by=operator)
    assert owners.find_orphans() == 1
    assert Orphan.objects.count() == 2


def test_a_deleted_connector_is_nobodys_concern(abandoned: None, connector: Connector, operator: User) -> None:
    connectors.delete(connector=connector, by=operator)
    assert owners.find_orphans() == 0


@pytest.mark.postgresql
def test_access_of_a_number_that_changed_hands(
    program: Program, group_admin: User, stranger: User, operator: User
) -> None:
    assert owners.find_orphans() == 0
    take_over(group_admin, stranger)
    assert owners.find_orphans() == 1
    assert orphan_notices() == {("Omar Dsouza", "connectors/orphan_phone")}
    orphan = Orphan.objects.get()
    assert (orphan.kind, orphan.name) == ("phone", "Shift Planner → Night shift")
    grants.revoke(grant=program.grant, by=group_admin)
    assert owners.find_orphans() == 0
    orphan.refresh_from_db()
    assert orphan.settled_at is not None
