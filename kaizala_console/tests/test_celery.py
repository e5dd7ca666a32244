"""The queue's application: every task is found, and everything on the timetable exists."""

from types import SimpleNamespace

import pytest

from accounts import tasks as accounts_tasks
from connectors import tasks as connectors_tasks
from kaizala_console.celery import app, collect_beat_schedule


def test_everything_on_the_timetable_is_a_task_that_a_worker_knows() -> None:
    app.finalize()
    timetable = app.conf.beat_schedule
    assert timetable
    for name, entry in timetable.items():
        assert entry["task"] in app.tasks, name


def test_a_task_is_taken_one_at_a_time_and_acknowledged_when_it_is_done() -> None:
    assert app.conf.task_acks_late is True
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.task_ignore_result is True
    assert set(app.conf.accept_content) == {"json"}


def test_every_app_contributes_to_the_timetable() -> None:
    app.finalize()
    tasks = [entry["task"].split(".")[0] for entry in app.conf.beat_schedule.values()]
    assert {"accounts", "connectors"} <= set(tasks)


def test_a_name_on_the_timetable_belongs_to_one_app(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = {"sweep": {"task": "accounts.tasks.sweep", "schedule": 60.0}}
    monkeypatch.setattr(accounts_tasks, "BEAT_SCHEDULE", schedule, raising=False)
    monkeypatch.setattr(connectors_tasks, "BEAT_SCHEDULE", schedule, raising=False)
    with pytest.raises(RuntimeError, match="'sweep'"):
        collect_beat_schedule(SimpleNamespace(conf=SimpleNamespace(beat_schedule={})))
