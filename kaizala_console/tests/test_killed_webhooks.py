"""A real worker is killed in the middle of a delivery: the event still arrives, under the same id, and in order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accounts.models import User
from connectors.models import WebhookAttempt, WebhookDelivery
from connectors.permissions import PERMISSIONS
from connectors.tasks import deliver_webhooks
from connectors.tests.factories import make_connector
from connectors.tests.receiver import Receiver, receiving
from connectors.tests.webhook_cast import happen, make_webhook, time_passes
from groups.tests.factories import let_in, make_group
from kaizala_console.tests.real_worker import StartWorker, kill
from kaizala_console.tests.test_processes import eventually

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as what:
        yield what


def test_killed_in_the_middle_of_a_delivery_the_worker_loses_nothing(
    start_worker: StartWorker, receiver: Receiver, developer: User, group_admin: User
) -> None:
    group = make_group(organisation=group_admin.organisation, admins=[group_admin])
    program = let_in(make_connector(developer, "Shift Planner", permissions=PERMISSIONS), group, group_admin)
    webhook = make_webhook(program.grant, receiver.url("/held"), group.pk)

    receiver.hold.clear()
    worker = start_worker()
    happen(group.pk, "a", "b")
    assert eventually(lambda: receiver.count() == 1, seconds=30)
    kill(worker)
    assert list(webhook.deliveries.order_by("pk").values_list("state", "tries")) == [("waiting", 1), ("waiting", 0)]
    assert not WebhookAttempt.objects.exists()

    receiver.hold.set()
    start_worker()
    # The lease of the killed worker runs out, and the timetable wakes the next one.
    time_passes()
    deliver_webhooks.apply_async()
    assert eventually(lambda: not WebhookDelivery.objects.waiting().exists(), seconds=30)
    bodies = receiver.bodies("/held")
    assert [body["data"]["text"] for body in bodies] == ["a", "a", "b"]
    assert bodies[0]["eventId"] == bodies[1]["eventId"]
