"""What the lists of bench/lists.py list: the demo organisation, grown to any size.

One group has everybody and every message; one connector acts everywhere; of the others each acts in a group of its own,
has a developer of its own, and asks for more. So every list of the console has somebody who sees all of it.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

from bench import lists_use
from bench.lists_rows import Rows, Sql

MOST_GROUPS = 100_000
FEW = 60
RARE = "Zubin"
SENDER = "+919820000011"
DAY = dt.timedelta(days=1)
# Kinds of rows, for their ids.
PERSON, MESSAGE, ACTION, EVENT, GROUP, PROGRAM, REQUEST, EVERYWHERE, HERE, HANDOFF = range(1, 11)


class World:
    """The demo organisation with one group that has everybody, every message and every connector."""

    def __init__(self) -> None:
        from accounts.models import Person
        from accounts.sandbox import BY_KEY
        from accounts.tests.factories import verify
        from connectors.models import Connector, Webhook
        from connectors.tests import factories
        from connectors.tests.webhook_cast import make_handoff_webhook
        from connectors.tests.webhook_history import quiet
        from groups.models import Group, PersonAttribute
        from groups.services import directory, grants
        from groups.tests.factories import person_of
        from kaizala_console.demo import organisation as demo
        from kaizala_console.lib import clock

        demo.load()
        self.developer, self.admin, self.boss = (
            demo.user_of(BY_KEY[key]) for key in ("developer", "group-admin", "organisation-admin")
        )
        self.another, self.operator = (demo.user_of(BY_KEY[key]) for key in ("second-admin", "operator"))
        self.rows = Person.objects.filter(number__startswith="+9199").count()
        for key in ("developer", "group-admin", "organisation-admin"):
            if not self.rows and not BY_KEY[key].phone_is_verified:
                verify(demo.user_of(BY_KEY[key]), BY_KEY[key].number)
        self.group = Group.objects.get(name="Field Service Mumbai")
        self.public = Group.objects.get(name="Service Notices")
        self.person = person_of(self.admin)
        self.now = clock.now()
        self.made = Rows()
        if self.rows:  # somebody has made them before
            self.department = PersonAttribute.objects.get(name="Department")
            self.connector = Connector.objects.get(name="Everywhere")
            self.webhook = Webhook.objects.get(connector=self.connector, grant__isnull=False)
            self.address = Webhook.objects.get(connector=self.connector, grant__isnull=True)
            return
        self.department = directory.add_attribute(name="Department", by=self.boss)
        self.connector = factories.make_connector(self.developer, "Everywhere")
        grant = grants.add_connector(group=self.group, connector_id=self.connector.pk, by=self.admin).grant
        self.webhook = quiet(grant)
        self.address = make_handoff_webhook(self.connector, "https://hooks.example.com/handoffs")

    def browser_of(self, user: Any) -> Any:
        from allauth.usersessions.models import UserSession
        from django.test import Client
        from django_otp import DEVICE_ID_SESSION_KEY

        from accounts.models import AuthenticatorApp
        from accounts.services import reauthentication, recent_login, sessions
        from kaizala_console.lib import clock

        client = Client(HTTP_HOST="127.0.0.1")
        client.force_login(user)
        session = client.session
        session[sessions.SESSION_KEY] = {"key": session.session_key, "at": clock.now().timestamp()}
        recent_login.note(session, user, claims={"auth_time": int(clock.now().timestamp())})
        reauthentication.remember(session, user)
        if user.is_staff:
            app, _made = AuthenticatorApp.objects.get_or_create(user=user, defaults={"name": "bench"})
            session[DEVICE_ID_SESSION_KEY] = app.persistent_id
        session.save()
        UserSession.objects.get_or_create(
            session_key=session.session_key, defaults={"user": user, "ip": "192.0.2.7", "user_agent": "bench"}
        )
        return client

    # What there is ------------------------------------------------------------------------------------------------

    def grow(self, rows: int, said: Callable[[str, float], None] = lambda _what, _seconds: None) -> None:
        """Makes as many of each as are still missing; `said` is told how long each took."""
        if rows <= self.rows:
            return
        numbers, groups = range(self.rows, rows), range(min(self.rows, MOST_GROUPS), min(rows, MOST_GROUPS))
        filled = [(fill, numbers) for fill in (self._people, self._posts, self._trail, self._archive, self._deliveries)]
        filled += [(fill, groups) for fill in (self._groups, self._connectors)]
        began = time.perf_counter()

        def done(what: str) -> None:
            nonlocal began
            said(what, time.perf_counter() - began)
            began = time.perf_counter()

        with self.made.quickly():
            for fill, some in filled:
                fill(some)
                done(fill.__name__.removeprefix("_"))
        done("indexes of names, statistics")
        self._settle()
        done("counts")
        self.rows = rows

    def _people(self, numbers: range) -> None:
        from accounts.models import Person
        from groups.models import Membership, PersonAttributeValue, Subscription

        write, person = self.made.write, self.made.key(PERSON)
        name = self._called("Person", "(n * 7919 % 1000003)")
        write(Person, numbers, id=person, number=Sql(f"'+9199' || {self.made.padded('n', 8)}"), name=name)
        write(Membership, numbers, group=self.group, person=person, role="Member")
        write(Subscription, numbers, group=self.public, person=person)
        department = self._called("Department", "(n % 100)")
        write(PersonAttributeValue, numbers, attribute=self.department, person=person, text=department)

    @staticmethod
    def _called(what: str, number: str) -> Sql:
        """The first `FEW` are called otherwise: who looks for these finds as many, whatever the size."""
        return Sql(f"CASE WHEN n < {FEW} THEN '{RARE} ' ELSE '' END || '{what} ' || {number}")

    def _posts(self, numbers: range) -> None:
        from groups.models import Action, Message

        common: dict[str, Any] = {
            "group": self.group,
            "person": self.person,
            "sent_at": self.made.moment(self.now - DAY, "n / 1000.0"),
        }
        body = {"question": "?", "choices": [{"title": "Yes"}, {"title": "No"}]}
        write, expires_at = self.made.write, self.now + DAY
        write(Message, numbers, id=self.made.key(MESSAGE), text=Sql("'Message ' || n"), **common)
        title = Sql("'Poll ' || n")
        write(
            Action,
            numbers,
            id=self.made.key(ACTION),
            kind="Poll",
            title=title,
            body=body,
            expires_at=expires_at,
            **common,
        )

    def _trail(self, numbers: range) -> None:
        from accounts.models import AuditEvent

        self.made.write(
            AuditEvent,
            numbers,
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

    def _archive(self, numbers: range) -> None:
        from groups.models import ArchivedMessage, ArchivedName, BulkJob

        job, _made = BulkJob.objects.get_or_create(
            kind="messages",
            organisation=self.group.organisation,
            by=self.boss,
            defaults={"file_name": "bench.csv", "file_size": 1, "sha256": "0" * 64},
        )
        self.made.write(
            ArchivedMessage,
            numbers,
            organisation=self.group.organisation,
            message_id=Sql("'m-' || n"),
            sent_at=self.made.moment(self.now, "n * -60"),
            group_name=Sql("'Group ' || (n % 500)"),
            sender=SENDER,
            message_type="Text",
            job=job,
        )
        names = [("group", f"Group {n}") for n in range(min(500, numbers.stop))] + [("sender", SENDER)]
        ArchivedName.objects.bulk_create(
            [ArchivedName(organisation=self.group.organisation, kind=kind, name=name) for kind, name in names],
            ignore_conflicts=True,
        )

    def _deliveries(self, numbers: range) -> None:
        from connectors.models import WebhookDelivery, WebhookEvent

        event, write = self.made.key(EVENT), self.made.write
        kind, data = "TextMessageCreated", {"text": "Hello"}
        write(WebhookEvent, numbers, id=event, event_type=kind, group_id=self.group.pk, data=data)
        write(
            WebhookDelivery,
            numbers,
            webhook=self.webhook,
            event=event,
            event_type=kind,
            lane=self.group.pk,
            state=WebhookDelivery.State.DELIVERED,
            next_attempt_at=None,
            finished_at=self.now,
            tries=1,
        )

    def _groups(self, numbers: range) -> None:
        from django.db import transaction

        from connectors.services import connector_use
        from groups.models import Group, GroupLink

        group, write = self.made.key(GROUP), self.made.write
        name, organisation = self._called("Depot", "n"), self.group.organisation
        write(Group, numbers, id=group, organisation=organisation, name=name, stands_below=True)
        write(GroupLink, numbers, parent=self.group, child=group)
        self._let_in(numbers, EVERYWHERE, connector=self.connector, claimed="n >= 0")
        lists_use.calls(self.made, numbers, grant=self.made.key(EVERYWHERE), connector=self.connector, at=self.now)
        handoff = self.made.key(EVERYWHERE + HANDOFF)
        lists_use.told(self.made, numbers, webhook=self.address, lane=handoff, at=self.now)
        lists_use.uploads(self.made, numbers, group=self.group, by=self.boss, at=self.now - DAY)
        with transaction.atomic():
            connector_use.keep({self.connector.pk: connector_use.Use(self.now, self.now)})

    def _connectors(self, numbers: range) -> None:
        """The first `FEW` are the developer's, in the one group; each of the others is in a group of its own."""
        from connectors.models import AccessRequest, Connector

        key = self.made.key(PROGRAM)
        for some, owner, group in self._owned(numbers):
            self.made.write(
                Connector,
                some,
                id=key,
                organisation=self.group.organisation,
                permissions=self.connector.permissions,
                name=Sql("'Program ' || n"),
                owner=owner,
            )
            self._let_in(some, HERE, connector=key, group=group, claimed="n % 2 = 1")
            target, name = self._target(group)
            self.made.write(
                AccessRequest,
                some,
                id=self.made.key(REQUEST),
                connector=key,
                kind="access",
                target=target,
                target_name=name,
                permissions=self.connector.permissions,
                made_by=owner,
                made_at=self.made.moment(self.now - DAY, "n / 1000.0"),
                expires_at=self.now + 7 * DAY,
                once=Sql("'request ' || n"),
            )

    def _owned(self, numbers: range) -> list[tuple[range, Any, Any]]:
        """Which of these are whose, and in which group: None for a group of each one's own."""
        few, others = range(numbers.start, min(FEW, numbers.stop)), range(max(FEW, numbers.start), numbers.stop)
        return [(few, self.developer, self.group), (others, self.another, None)]

    def _target(self, group: Any) -> tuple[Any, Any]:
        """As `groups.access.target_of` names it, and its name."""
        if group is not None:
            return f"group:{group.pk}", group.name
        return Sql(f"'group:' || {self.made.text_key(GROUP)}"), Sql("'Depot ' || n")

    def _let_in(self, numbers: range, kind: int, *, connector: Any, claimed: str, group: Any = None) -> None:
        """Grants, with a refresh token and its handoff: one that waits, or was claimed, as `claimed` says of `n`."""
        from connectors.models import Grant, Handoff, RefreshToken
        from groups.models import GroupGrant

        claimed_at = Sql(f"CASE WHEN {claimed} THEN {self.made.moment(self.now, '0')} END")
        claimed_by = Sql(f"CASE WHEN {claimed} THEN {self.developer.pk} END")
        made_at = self.made.moment(self.now - DAY, "n / 1000.0")
        write, grant, (target, name) = self.made.write, self.made.key(kind), self._target(group)
        write(
            Grant,
            numbers,
            id=grant,
            connector=connector,
            kind="group",
            target=target,
            target_name=name,
            person=self.person,
            granted_by=self.admin,
            granted_at=made_at,
            permissions=self.connector.permissions,
        )
        write(GroupGrant, numbers, grant=grant, group=group or self.made.key(GROUP))
        public = Sql(f"'{kind}-' || n")
        write(
            RefreshToken,
            numbers,
            grant=grant,
            connector=connector,
            public_part=public,
            pepper_id="x",
            digest=public,
            expires_at=self.made.moment(self.now + 90 * DAY, "n"),
            first_used_at=claimed_at,
        )
        write(
            Handoff,
            numbers,
            source=f"series JOIN {RefreshToken._meta.db_table} token ON token.public_part = {public}",
            id=self.made.key(kind + HANDOFF),
            connector=connector,
            grant=grant,
            refresh_token=Sql("token.id"),
            made_by=self.admin,
            made_at=made_at,
            sealed_to="server",
            expires_at=self.now + 7 * DAY,
            claimed_at=claimed_at,
            claimed_by=claimed_by,
        )

    def _settle(self) -> None:
        """What the worker does by itself in an installation that has grown slowly."""
        from django.db import transaction

        from groups.services import recounting

        with transaction.atomic():
            recounting.note(self.group.pk, self.public.pk)
        recounting.recount()
