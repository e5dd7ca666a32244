"""Posting text messages."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.audit.record import Actor, record
from accounts.audit.tags import Tag
from accounts.models import Person
from connectors.models import Connector
from groups.models import Group, Message, Subscription
from groups.services.members import read_numbers
from groups.services.texts import checked
from kaizala_console.lib.errors import Conflict, RuleBroken

Audience = Message.Audience


@transaction.atomic
def post(
    *,
    group: Group,
    text: str,
    person: Person,
    by: Actor,
    connector: Connector | None = None,
    to_all_subscribers: bool = False,
    subscribers: Iterable[str] = (),
    message_id: UUID | None = None,
) -> Message:
    """Posts `text` in the name of `person`; `connector` is the program that does it, if one does.

    Asked again for the same `message_id`, it gives the message that it posted then; Conflict when that is another
    person's, or another group's.

    In a managed public group it can go to all subscribers instead, or to chosen ones by phone number. Raises
    RuleBroken for a blank or too long text, for subscribers of a plain group, and when one of the chosen is no
    subscriber: then nobody gets anything. The audit row tells that a message was posted, not what it says.
    """
    checked(text, "message", longest=Message.MAX_CHARACTERS, required=_("A message needs some text."))
    chosen = _chosen(group, list(subscribers), to_all_subscribers=to_all_subscribers)
    fields = {
        "group": group,
        "person": person,
        "connector": connector,
        "text": text,
        "audience": _audience(to_all_subscribers=to_all_subscribers, chosen=chosen),
    }
    if message_id is None:
        message = Message.objects.create(**fields)
    else:
        message, is_new = Message.objects.get_or_create(pk=message_id, defaults=fields)
        if not is_new:
            if (message.group_id, message.person_id) != (group.pk, person.pk):
                raise Conflict(_("This form was used for another message. Reload the page, and send it again."))
            return message
    if chosen:
        message.recipients.set(chosen)
    record(
        Tag.MESSAGE_POSTED,
        by=by,
        subject=message,
        organisation=group.organisation,
        connector_id=connector.pk if connector else None,
        group_id=group.pk,
        person_id=person.pk,
        after={"group": group.name, "sent_to": message.audience},
    )
    return message


def _audience(*, to_all_subscribers: bool, chosen: list[Person]) -> str:
    if to_all_subscribers:
        return Audience.SUBSCRIBERS
    return Audience.CHOSEN if chosen else Audience.MEMBERS


def _chosen(group: Group, numbers: list[str], *, to_all_subscribers: bool) -> list[Person]:
    """The people behind the numbers of chosen subscribers; none when it goes to all, or to the members."""
    if not numbers and not to_all_subscribers:
        return []
    if group.group_type != Group.Type.CONNECT:
        raise RuleBroken(
            _("This is a plain group, which has no subscribers. Leave sendToAllSubscribers and subscribers out."),
            field="sendToAllSubscribers" if to_all_subscribers else "subscribers",
            code="no_subscribers",
        )
    if numbers and to_all_subscribers:
        raise RuleBroken(
            _("Send to all subscribers, or name some of them: not both."), field="subscribers", code="both_audiences"
        )
    valid, failed = read_numbers(numbers)
    following = {
        subscription.person.number: subscription.person
        for subscription in Subscription.objects.filter(group=group, person__number__in=valid).select_related("person")
    }
    refused = [failure.number for failure in failed] + [number for number in valid if number not in following]
    if refused:
        raise RuleBroken(
            _("Not subscribers of this group: %(numbers)s. Nothing was sent.") % {"numbers": ", ".join(refused[:20])},
            field="subscribers",
            code="not_subscribers",
        )
    return [following[number] for number in valid]
