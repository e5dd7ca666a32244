"""Posting text messages."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.audit.event_types import EventType
from accounts.audit.record import Actor, record
from accounts.models import Person
from connectors.models import Bot, Connector
from connectors.webhooks import publish
from connectors.webhooks.events import Event, WebhookEventType
from groups.models import Group, Message
from groups.services import audience, policies
from groups.services.texts import checked
from kaizala_console.lib.errors import Conflict


@transaction.atomic
def post(
    *,
    group: Group,
    text: str,
    person: Person,
    by: Actor,
    connector: Connector | None = None,
    bot: Bot | None = None,
    to_all_subscribers: bool = False,
    subscribers: Iterable[str] = (),
    message_id: UUID | None = None,
) -> Message:
    """Posts `text` in the name of `person`; `connector` is the program that does it, if one does, and `bot`
    the name under which it does.

    Asked again for the same `message_id`, it gives the message that it posted then; Conflict when that is another
    person's, or another group's.

    In a managed public group it can go to all subscribers instead, or to chosen ones by phone number. Raises
    RuleBroken for a blank or too long text, for subscribers of a plain group, and when one of the chosen is no
    subscriber: then nobody gets anything. Raises NotAllowed where only admins post (`policies`). The audit row tells
    that a message was posted, not what it says.
    """
    policies.require_may_post(group=group, by=by)
    checked(text, "message", longest=Message.MAX_CHARACTERS, required=_("A message needs some text."))
    to = audience.read_audience(group, to_all_subscribers=to_all_subscribers, subscribers=subscribers)
    fields = {
        "group": group,
        "person": person,
        "connector": connector,
        "bot": bot,
        "text": text,
        "audience": to.kind,
    }
    if message_id is None:
        message = Message.objects.create(**fields)
    else:
        message, is_new = Message.objects.get_or_create(pk=message_id, defaults=fields)
        if not is_new:
            if (message.group_id, message.person_id) != (group.pk, person.pk):
                raise Conflict(_("This form was used for another message. Reload the page, and send it again."))
            return message
    if to.chosen:
        message.recipients.set(to.chosen)
    record(
        EventType.MESSAGE_POSTED,
        by=by,
        subject=message,
        organisation=group.organisation,
        connector_id=connector.pk if connector else None,
        group_id=group.pk,
        person_id=person.pk,
        after={"group": group.name, "sent_to": message.audience},
    )
    publish.publish(
        Event(
            type=WebhookEventType.TEXT_MESSAGE_CREATED,
            group_id=group.pk,
            data={"text": text},
            person=person,
            bot=bot,
            only_for=audience.get_event_readers(to.kind, to.chosen),
        )
    )
    return message
