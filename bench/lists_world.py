"""What the lists of bench/lists.py list: the demo organisation, grown to any size.

One group has everybody and every message; one connector acts everywhere; of the others each acts in a group of its own,
has a developer of its own, and asks for more. So every list of the console has somebody who sees all of it.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

MOST_GROUPS = 100_000
FEW = 60
UNPAGED = ("Requests to an admin",)  # the first 200: what expires first stands in front
DAY = dt.timedelta(days=1)


class World:
    """The demo organisation with one group that has everybody, every message and every connector."""

    def __init__(self) -> None:
        from accounts.sandbox import BY_KEY
        from accounts.tests.factories import verify
        from connectors.tests import factories
        from groups.models import Group
        from groups.services import directory, grants
        from groups.tests.factories import person_of
        from kaizala_console.demo import organisation as demo
        from kaizala_console.lib import clock

        demo.load()
        self.developer, self.admin, self.boss = (
            demo.user_of(BY_KEY[key]) for key in ("developer", "group-admin", "organisation-admin")
        )
        self.another = demo.user_of(BY_KEY["second-admin"])
        for key in ("developer", "group-admin", "organisation-admin"):
            if not BY_KEY[key].phone_is_verified:
                verify(demo.user_of(BY_KEY[key]), BY_KEY[key].number)
        self.group = Group.objects.get(name="Field Service Mumbai")
        self.public = Group.objects.get(name="Service Notices")
        self.person = person_of(self.admin)
        self.department = directory.add_attribute(name="Department", by=self.boss)
        self.connector = factories.make_connector(self.developer, "Everywhere")
        self.grant = grants.add_connector(group=self.group, connector_id=self.connector.pk, by=self.admin).grant
        self.now = clock.now()
        self.rows = 0

    def browser_of(self, user: Any) -> Any:
        from allauth.usersessions.models import UserSession
        from django.test import Client

        from accounts.services import confirmations, recent_sign_in, sessions
        from kaizala_console.lib import clock

        client = Client(HTTP_HOST="127.0.0.1")
        client.force_login(user)
        session = client.session
        session[sessions.SESSION_KEY] = {"key": session.session_key, "at": clock.now().timestamp()}
        recent_sign_in.note(session, user, claims={}, asked_anew=True)
        confirmations.remember(session, user)
        session.save()
        UserSession.objects.get_or_create(
            session_key=session.session_key, defaults={"user": user, "ip": "192.0.2.7", "user_agent": "bench"}
        )
        return client

    def lists(self) -> Iterator[tuple[str, Any, str]]:
        """Name, who looks, and the address; `next:` for the page after it."""
        group, connector = f"/console/groups/{self.group.pk}/", f"/console/connectors/{self.connector.pk}/"
        found = [
            ("Groups", self.boss, "/console/groups/"),
            ("Users of a group", self.admin, group),
            ("Messages & Actions", self.admin, f"{group}messages/"),
            ("Connectors of a group", self.admin, f"{group}connectors/"),
            ("Activity of a group", self.admin, f"{group}activity/"),
            ("Sub-Groups", self.admin, f"{group}sub-groups/"),
            ("Requests to an admin", self.admin, "/console/groups/requests/"),
            ("All Connectors", self.developer, "/console/connectors/?show=all"),
            ("Groups of a connector", self.developer, f"{connector}groups/"),
            ("Deliveries of a webhook", self.developer, f"{connector}webhooks/{self.webhook.pk}/"),
            ("Activity of a connector", self.developer, f"{connector}activity/"),
            ("Handoffs", self.developer, "/console/handoffs/"),
            ("Handoffs of earlier", self.developer, "/console/handoffs/?show=earlier"),
            ("Directory", self.boss, "/console/directory/"),
            ("Archive", self.boss, "/console/archive/"),
            ("Activity", self.boss, "/console/activity/"),
        ]
        for name, user, path in found:
            yield name, user, path
        for name, user, path in found:
            if name not in UNPAGED:
                yield f"{name}, page 2", user, f"next:{path}"
        yield "Home", self.developer, "/console/"
        yield "Home of an admin", self.boss, "/console/"
        yield "Search: everything", self.boss, "/console/search/?q=Person%20777"
        yield "Groups, by name", self.boss, "/console/groups/?q=Depot%20777"
        yield "Directory, by name", self.boss, "/console/directory/?q=Person%20777"
        yield "Directory, by attribute", self.boss, f"/console/directory/?{self.department.pk}=Department%207"
        yield "Users of a group, by name", self.admin, f"{group}?q=Person%20777"

    # What there is ------------------------------------------------------------------------------------------------

    def grow(self, rows: int) -> None:
        """Makes as many of each as are still missing."""
        numbers, groups = range(self.rows, rows), range(min(self.rows, MOST_GROUPS), min(rows, MOST_GROUPS))
        for fill in (self._people, self._posts, self._trail, self._archive, self._deliveries):
            fill(numbers)
        for fill in (self._groups, self._connectors):
            fill(groups)
        self._settle()
        self.rows = rows

    def _people(self, numbers: range) -> None:
        from accounts.models import Person
        from groups.models import Membership, PersonAttributeValue, Subscription

        def made(people: list[Person]) -> None:
            Membership.objects.bulk_create(Membership(group=self.group, person=one, role="Member") for one in people)
            Subscription.objects.bulk_create(Subscription(group=self.public, person=one) for one in people)
            PersonAttributeValue.objects.bulk_create(
                PersonAttributeValue(attribute=self.department, person=one, text=f"Department {n % 100}")
                for n, one in enumerate(people)
            )

        _create(Person, (Person(number=f"+9199{n:08}", name=f"Person {n * 7919 % 1_000_003}") for n in numbers), made)

    def _posts(self, numbers: range) -> None:
        from groups.models import Action, Message

        def when(n: int) -> dt.datetime:
            return self.now - DAY + dt.timedelta(milliseconds=n)

        _create(
            Message,
            (Message(group=self.group, person=self.person, text=f"Message {n}", sent_at=when(n)) for n in numbers),
        )
        body = {"question": "?", "choices": [{"title": "Yes"}, {"title": "No"}]}
        _create(
            Action,
            (
                Action(
                    group=self.group,
                    person=self.person,
                    kind="Poll",
                    title=f"Poll {n}",
                    body=body,
                    sent_at=when(n),
                    expires_at=self.now + DAY,
                )
                for n in numbers
            ),
        )

    def _trail(self, numbers: range) -> None:
        from accounts.models import AuditEvent

        _create(
            AuditEvent,
            (
                AuditEvent(
                    tag="group:member:added",
                    actor_kind="user",
                    actor_id=str(self.admin.pk),
                    actor_name=self.admin.name,
                    organisation=self.group.organisation,
                    subject_kind="group",
                    subject_id=str(self.group.pk),
                    subject_name=self.group.name,
                    connector_id=self.connector.pk,
                    group_id=self.group.pk,
                )
                for _n in numbers
            ),
        )

    def _archive(self, numbers: range) -> None:
        from groups.models import ArchivedMessage, BulkJob

        job, _made = BulkJob.objects.get_or_create(
            kind="messages",
            organisation=self.group.organisation,
            by=self.boss,
            defaults={"file_name": "bench.csv", "file_size": 1, "sha256": "0" * 64},
        )
        _create(
            ArchivedMessage,
            (
                ArchivedMessage(
                    organisation=self.group.organisation,
                    message_id=f"m-{n}",
                    sent_at=self.now - dt.timedelta(minutes=n),
                    group_name=f"Group {n % 500}",
                    sender="+919820000011",
                    message_type="Text",
                    job=job,
                )
                for n in numbers
            ),
        )

    def _deliveries(self, numbers: range) -> None:
        from connectors.models import Webhook, WebhookDelivery, WebhookEvent
        from connectors.tests.webhook_history import quiet

        self.webhook = Webhook.objects.filter(grant=self.grant).first() or quiet(self.grant)
        lane = str(self.group.pk)

        def made(events: list[WebhookEvent]) -> None:
            WebhookDelivery.objects.bulk_create(
                WebhookDelivery(
                    webhook=self.webhook,
                    event=event,
                    lane=lane,
                    state=WebhookDelivery.State.DELIVERED,
                    next_attempt_at=None,
                    finished_at=self.now,
                    tries=1,
                )
                for event in events
            )

        _create(
            WebhookEvent,
            (
                WebhookEvent(event_type="TextMessageCreated", group_id=self.group.pk, data={"text": "Hello"})
                for _n in numbers
            ),
            made,
        )

    def _groups(self, numbers: range) -> None:
        from groups.models import Group, GroupLink

        def made(groups: list[Group]) -> None:
            GroupLink.objects.bulk_create(GroupLink(parent=self.group, child=one) for one in groups)
            self._let_in([(self.connector, one) for one in groups], claimed=True)

        organisation = self.group.organisation
        _create(Group, (Group(organisation=organisation, name=f"Depot {n}") for n in numbers), made)

    def _connectors(self, numbers: range) -> None:
        """The first `FEW` are the developer's, in the one group; each of the others is in a group of its own."""
        from connectors.models import AccessRequest, Connector
        from groups.models import Group
        from groups.services import grants

        homes = dict(Group.objects.filter(name__startswith="Depot ").values_list("name", "pk"))
        found = {group.pk: group for group in Group.objects.filter(pk__in=homes.values())}

        def home(connector: Connector) -> Any:
            number = int(connector.name.removeprefix("Program "))
            return self.group if number < FEW else found[homes[f"Depot {number}"]]

        def made(connectors: list[Connector]) -> None:
            rows = [(one, home(one)) for one in connectors]
            self._let_in(rows, claimed=False)
            AccessRequest.objects.bulk_create(
                AccessRequest(
                    connector=one,
                    kind="access",
                    target=grants.target_of(group),
                    target_name=group.name,
                    permissions=one.permissions,
                    made_by=one.owner,
                    expires_at=self.now + 7 * DAY,
                    once=one.pk.hex,
                )
                for one, group in rows
            )

        common = {"organisation": self.group.organisation, "permissions": self.connector.permissions}
        _create(
            Connector,
            (
                Connector(name=f"Program {n}", owner=self.developer if n < FEW else self.another, **common)
                for n in numbers
            ),
            made,
        )

    def _let_in(self, rows: list[tuple[Any, Any]], *, claimed: bool) -> None:
        """Grants, with a refresh token and its handoff: one that waits, or one that was claimed."""
        from connectors.models import Grant, Handoff, RefreshToken
        from groups.models import GroupGrant
        from groups.services.grants import target_of

        made = [
            Grant(
                connector=connector,
                kind="group",
                target=target_of(group),
                target_name=group.name,
                person=self.person,
                granted_by=self.admin,
                permissions=connector.permissions,
            )
            for connector, group in rows
        ]
        Grant.objects.bulk_create(made)
        GroupGrant.objects.bulk_create(
            GroupGrant(grant=grant, group=group) for grant, (_one, group) in zip(made, rows, strict=True)
        )
        tokens = [
            RefreshToken(
                grant=one, public_part=one.pk.hex, pepper_id="x", digest=one.pk.hex, expires_at=self.now + 90 * DAY
            )
            for one in made
        ]
        RefreshToken.objects.bulk_create(tokens)
        Handoff.objects.bulk_create(
            Handoff(
                connector=grant.connector,
                grant=grant,
                refresh_token=token,
                made_by=self.admin,
                sealed_to="server",
                expires_at=self.now + 7 * DAY,
                claimed_at=self.now if claimed else None,
                claimed_by=self.developer if claimed else None,
            )
            for grant, token in zip(made, tokens, strict=True)
        )

    def _settle(self) -> None:
        """What a database and the worker do by themselves in an installation that has grown slowly."""
        from django.db import connection, transaction

        from groups.services import recounting

        with transaction.atomic():
            recounting.note(self.group.pk, self.public.pk)
        recounting.recount()
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def _create(model: Any, rows: Iterable[Any], then: Callable[[list[Any]], None] | None = None) -> None:
    """Writes in portions, each in a transaction of its own."""
    from django.db import transaction

    rows = iter(rows)
    while portion := list(itertools.islice(rows, 5_000)):
        with transaction.atomic():
            model.objects.bulk_create(portion)
            if then is not None:
                then(portion)
