"""Posting text messages, and forgetting what was posted in groups, after `MESSAGE_DAYS`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.audit.record import Actor
from accounts.models import Person
from connectors.models import Bot, Connector
from connectors.webhooks import publish
from connectors.webhooks.events import Event, WebhookEventType
from groups.models import Action, Group, Message, Reaction, Subscription
from groups.services import groups
from groups.services.members import Failed, find_named, read_numbers
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, RuleBroken
from kaizala_console.lib.texts import check_text

_PRUNED_AT_ONCE: Final = 500  # messages or actions in one transaction


@dataclass(frozen=True, slots=True)
class Audience:
    """`kind` is a `Message.Audience`; `chosen` are the subscribers that were named, when some were."""

    kind: str
    chosen: list[Person] = field(default_factory=list)


def read_audience(group: Group, *, to_all_subscribers: bool, subscribers: Iterable[str]) -> Audience:
    """Whom a program means by `sendToAllSubscribers` and `subscribers` (phone numbers).

    "All" goes before those that are named; a plain group passes it over. Raises RuleBroken for subscribers of a plain
    group, and when one of the chosen is no subscriber: then nobody gets anything.
    """
    numbers = list(subscribers)
    is_plain = group.group_type != Group.Type.CONNECT
    if is_plain and numbers:
        raise RuleBroken(
            _("This is a plain group, which has no subscribers. Leave subscribers out."),
            field="subscribers",
            code="no_subscribers",
        )
    if is_plain or not (numbers or to_all_subscribers):
        return Audience(Message.Audience.MEMBERS)
    if to_all_subscribers:  # old programs name some of them besides
        return Audience(Message.Audience.SUBSCRIBERS)
    return Audience(Message.Audience.CHOSEN, _chosen(group, numbers))


def split_subscribers(group: Group, numbers: Iterable[str]) -> tuple[list[str], list[Failed]]:
    """The numbers of subscribers of this group, and the others, each with the reason why it can get nothing."""
    valid, failed = read_numbers(numbers)
    found, refused = find_named(Subscription.objects.filter(group=group), valid)
    reason = str(_("Not a subscriber of this group."))
    return [person.number for person in found], failed + [Failed(number, reason) for number in refused]


def get_event_readers(sent_to: str, chosen: Iterable[Person] = ()) -> frozenset[UUID] | None:
    """Of whom an event may tell that went to these: everybody, or admins and the chosen subscribers."""
    if sent_to == Message.Audience.MEMBERS:
        return None
    return frozenset(person.pk for person in chosen)


def _chosen(group: Group, numbers: list[str]) -> list[Person]:
    found, refused = find_named(Subscription.objects.filter(group=group), numbers)
    if refused:
        raise RuleBroken(
            _("Not subscribers of this group: %(numbers)s. Nothing was sent.") % {"numbers": ", ".join(refused[:20])},
            field="subscribers",
            code="not_subscribers",
        )
    return found


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
    subscriber: then nobody gets anything. Raises NotAllowed where only admins post (`policies`). The message itself
    tells who posted it, when and through which connector: it is no matter for the audit trail.
    """
    groups.require_may_post(group=group, by=by)
    check_text(text, "message", longest=Message.MAX_CHARACTERS, required=_("A message needs some text."))
    to = read_audience(group, to_all_subscribers=to_all_subscribers, subscribers=subscribers)
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
    publish.publish(
        Event(
            type=WebhookEventType.TEXT_MESSAGE_CREATED,
            group_id=group.pk,
            data={"text": text},
            person=person,
            bot=bot,
            only_for=get_event_readers(to.kind, to.chosen),
        )
    )
    return message


def list_expired() -> list[QuerySet[Any]]:
    """Messages and actions of more than `MESSAGE_DAYS` ago, but for those that close later than today."""
    if not settings.MESSAGE_DAYS:
        return []
    now = clock.now()
    before = now - dt.timedelta(days=settings.MESSAGE_DAYS)
    over = Q(expires_at__isnull=True) | Q(expires_at__lt=now)
    return [Message.objects.filter(sent_at__lt=before), Action.objects.filter(over, sent_at__lt=before)]


def prune() -> int:
    """Delete them, with recipients, responses and reactions; returns how many messages and actions."""
    deleted = 0
    for rows in list_expired():
        while ids := list(rows.order_by().values_list("pk", flat=True)[:_PRUNED_AT_ONCE]):
            with transaction.atomic():
                Reaction.objects.filter(reference_id__in=ids).delete()
                rows.filter(pk__in=ids).delete()
            deleted += len(ids)
    return deleted
