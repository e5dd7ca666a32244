"""The queue's application: every task is found, and everything on the timetable exists."""

from kaizala_console.celery import app


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
