"""To whom a message or an Action goes: the members, all subscribers, or chosen ones (wire protocol §6, Messages)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from accounts.models import Person
from groups.models import Group, Message, Subscription
from groups.services.members import Failed, named_in, read_numbers
from kaizala_console.lib.errors import RuleBroken


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
    found, refused = named_in(Subscription.objects.filter(group=group), valid)
    reason = str(_("Not a subscriber of this group."))
    return [person.number for person in found], failed + [Failed(number, reason) for number in refused]


def get_event_readers(sent_to: str, chosen: Iterable[Person] = ()) -> frozenset[UUID] | None:
    """Of whom an event may tell that went to these: everybody, or admins and the chosen subscribers."""
    if sent_to == Message.Audience.MEMBERS:
        return None
    return frozenset(person.pk for person in chosen)


def _chosen(group: Group, numbers: list[str]) -> list[Person]:
    found, refused = named_in(Subscription.objects.filter(group=group), numbers)
    if refused:
        raise RuleBroken(
            _("Not subscribers of this group: %(numbers)s. Nothing was sent.") % {"numbers": ", ".join(refused[:20])},
            field="subscribers",
            code="not_subscribers",
        )
    return found
