"""How many deliveries of one turn may be under way at once, and of whom: nobody's slowness may take everybody's place.

Every worker process counts its own: a share of each turn's places is that share of all of them. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Final
from uuid import UUID

from connectors.models import Webhook, WebhookDelivery

_TROUBLED: Final = "troubled"


class Slots:
    """A webhook has one place: its events go one after the other, in the order in which they happened.

    Of all places, a connector has a quarter and a host a half, rounded up to one. Webhooks whose last try failed share
    a half, so that the other half is always for those that answer.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._most = {"webhook": 1, "connector": max(1, total // 4), "host": max(1, total // 2)}
        self._most_troubled = max(1, total // 2)
        self._taken: Counter[Hashable] = Counter()
        self._all = 0

    @property
    def free(self) -> int:
        return self.total - self._all

    @property
    def is_short(self) -> bool:
        """Whether somebody's share is used up, so that more may wait than this turn has places for."""
        return self.free < 1 or bool(self.full_connectors() or self.full_hosts()) or self.is_full_of_troubled

    def allows(self, webhook: Webhook) -> bool:
        """Whether one more of this webhook may go."""
        if self.free < 1 or (webhook.failures and self.is_full_of_troubled):
            return False
        return all(self._taken[key] < self._most[key[0]] for key in _keys(webhook))

    def take(self, webhook: Webhook) -> None:
        self._count(webhook, 1)

    def give_back(self, webhook: Webhook) -> None:
        """The same webhook, as it was when the place was taken."""
        self._count(webhook, -1)

    def choose(self, deliveries: Iterable[WebhookDelivery]) -> list[WebhookDelivery]:
        """Those of them that have a place if all before them that have one take it. None is taken by this."""
        chosen: list[WebhookDelivery] = []
        for delivery in deliveries:
            if self.allows(delivery.webhook):
                self.take(delivery.webhook)
                chosen.append(delivery)
        for delivery in chosen:
            self.give_back(delivery.webhook)
        return chosen

    @property
    def is_full_of_troubled(self) -> bool:
        return self._taken[_TROUBLED] >= self._most_troubled

    def full_connectors(self) -> list[UUID]:
        """The connectors that have all their places, for a query to leave out."""
        return self._full("connector")

    def full_hosts(self) -> list[str]:
        return self._full("host")

    def _full(self, kind: str) -> list:
        most = self._most[kind]
        return [
            key[1] for key, count in self._taken.items() if isinstance(key, tuple) and key[0] == kind and count >= most
        ]

    def _count(self, webhook: Webhook, by: int) -> None:
        self._all += by
        for key in (*_keys(webhook), *([_TROUBLED] if webhook.failures else [])):
            self._taken[key] += by
            if not self._taken[key]:
                del self._taken[key]


def _keys(webhook: Webhook) -> tuple[tuple[str, Hashable], ...]:
    return ("webhook", webhook.pk), ("connector", webhook.connector_id), ("host", webhook.host)
