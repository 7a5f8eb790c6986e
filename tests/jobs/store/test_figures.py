"""The counts behind the metrics, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import event, update

from accounts.store import AccountStore
from jobs.clock import now
from jobs.models import Delivery, Job
from jobs.store import JobStore
from jobs.store.line import admitting
from webhooks.deliveries import DeliveryStore


def claim(store, queue="cpu", engines=("echo",)):
    (row,) = store.claim("wrk_1", queue, engines=engines, lease_seconds=60)
    return row


def change(store, job_id, **values):
    store.database.write(lambda c: c.execute(update(Job).where(Job.id == job_id).values(**values)))


def test_what_waits_in_line_is_put_together_by_what_runs_it(store, submit):
    for cost in (1.0, 2.5):
        submit(cost=cost)
    submit(weights=["vgg19"])
    submit(queue="gpu", engine="other")
    claim(store, queue="gpu", engines=["other"])

    found = {(p.engine, p.queue, p.needs, p.due): (p.jobs, p.cost) for p in store.in_line()}

    assert found == {("echo", "cpu", "", True): (2, 3.5), ("echo", "cpu", "vgg19", True): (1, 1.0)}


def test_its_age_is_that_of_its_waiting_and_what_pauses_is_told_apart(store, submit):
    first, second, later = (submit().id for _ in range(3))
    change(store, first, run_after=now(-100.0))
    change(store, second, run_after=now(-10.0))
    change(store, later, run_after=now(60.0))

    due, paused = sorted(store.in_line(), key=lambda part: not part.due)

    assert (due.due, due.jobs, paused.due, paused.jobs) == (True, 2, False, 1)
    assert 100 <= due.oldest < 130
    assert -61 < paused.oldest < -30


def test_the_time_under_a_cap_is_not_time_that_more_workers_would_have_saved(store, submit):
    first, second = submit(), submit()
    AccountStore(store.database).set_limits(first.owner_id, {"max_running": 1})
    row = claim(store)
    change(store, second.id, run_after=now(-100.0))
    store.succeed(row.id, row.attempt, [])

    (waiting,) = store.in_line()
    assert (waiting.jobs, waiting.oldest < 50) == (1, True)
    assert claim(store).queue_seconds >= 100, "to its owner it is time in the queue"


def test_the_time_behind_one_s_own_backlog_is(store, submit, monkeypatch):
    monkeypatch.setattr(admitting, "LINE", 1)
    first, second = submit(), submit()
    change(store, second.id, run_after=now(-100.0))
    row = claim(store)
    store.succeed(row.id, row.attempt, [])
    store.top_up()

    (waiting,) = store.in_line()
    assert (first.id, waiting.jobs, waiting.oldest >= 100) == (row.id, 1, True)


def test_the_front_of_a_line_is_told_in_its_order(store, submit):
    for cost in (3.0, 1.0, 2.0):
        submit(cost=cost)
    submit(queue="gpu", cost=9.0)
    submit(held=True, cost=8.0)

    assert store.front("cpu", 9) == [("echo", 3.0), ("echo", 1.0), ("echo", 2.0)]
    assert store.front("cpu", 2) == [("echo", 3.0), ("echo", 1.0)]


def test_what_is_under_way_says_how_far_it_is(store, submit):
    submit(cost=3.0)
    submit(cost=4.0)
    row = claim(store)
    store.beat(row.id, row.attempt, lease_seconds=60, progress=0.25)
    change(store, row.id, started_at=now(-30.0))

    (job,) = store.under_way("cpu", 9)
    assert (job.worker, job.engine, job.cost, job.progress) == ("wrk_1", "echo", 3.0, 0.25)
    assert 30 <= job.ran < 60
    assert store.under_way("gpu", 9) == []


def test_what_the_last_jobs_took_newest_first(store, submit, monkeypatch):
    monkeypatch.setattr("jobs.store.usage.LATELY", 2)
    for number, device in enumerate(("cpu", "cpu", "cuda: A")):
        submit(cost=float(number))
        row = claim(store)
        store.succeed(row.id, row.attempt, [], device=device)
        change(store, row.id, run_seconds=10.0 * number, device_seconds=5.0, finished_at=now(number - 10.0))

    assert store.ran("echo") == [("cuda: A", 2.0, 20.0, 5.0), ("cpu", 1.0, 10.0, 5.0)]
    assert store.ran("other") == []


def test_what_is_not_in_line_is_counted_by_reason(store, submit, monkeypatch):
    monkeypatch.setattr(admitting, "LINE", 2)
    for _ in range(5):
        submit()
    submit(held=True, queue="gpu")

    assert store.not_in_line() == {("cpu", "behind"): 3, ("gpu", "owner"): 1}
    assert [part.jobs for part in store.in_line()] == [2]


def test_what_runs_and_what_is_kept(store, submit):
    for _ in range(4):
        submit()
    done, failed, running = (claim(store) for _ in range(3))
    store.succeed(done.id, done.attempt, [])
    store.fail(failed.id, failed.attempt, code="x", detail="")
    change(store, done.id, run_seconds=7.0, failures=1, attempt=2)

    found = {part.state: part for part in store.kept()}

    assert store.running() == [("echo", "cpu", 1)]
    assert {state: part.jobs for state, part in found.items()} == dict.fromkeys(
        ("succeeded", "failed", "running", "queued"), 1
    )
    assert (found["succeeded"].ran, found["succeeded"].run_seconds) == (1, 7.0)
    assert (found["succeeded"].attempts, found["succeeded"].failures) == (2, 1)
    assert (found["queued"].ran, found["queued"].attempts) == (0, 0)
    assert running.id


@pytest.mark.parametrize("waited", [0.0, 90.0])
def test_messages_that_wait_to_be_sent(store, submit, waited):
    deliveries = DeliveryStore(store.database)
    assert deliveries.backlog() == (0, 0.0)
    job = submit(webhook={"url": "https://example.org/", "events": ["queued"]})
    submit(webhook={"url": "https://example.net/", "events": ["queued"]})
    store.database.write(
        lambda c: c.execute(update(Delivery).where(Delivery.job_id == job.id).values(due_at=now(-waited)))
    )

    pending, late = deliveries.backlog()

    assert pending == 2
    assert waited - 0.01 <= late < waited + 30  # a Julian day in a double is good to some 50 microseconds


def test_messages_of_later_are_not_late(store, submit):
    submit(webhook={"url": "https://example.org/", "events": ["queued"]})
    store.database.write(lambda c: c.execute(update(Delivery).values(due_at=now(600.0))))

    assert DeliveryStore(store.database).backlog() == (1, 0.0)


def plan(database, ask):
    """How PostgreSQL would answer the statement that `ask` sends, were the table large."""
    sent = []
    event.listen(database.engine, "before_cursor_execute", lambda *a: sent.append(a[2:4]))
    ask()
    statement, values = sent[-1]

    def explain(connection):
        connection.exec_driver_sql("SET enable_seqscan = off")
        try:
            return "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values))
        finally:
            connection.exec_driver_sql("RESET enable_seqscan")

    return database.read(explain)


def test_what_a_fleet_is_steered_by_is_read_from_indexes_of_what_waits(postgres_database):
    """However many rows there are of finished jobs."""
    store = JobStore(postgres_database)

    assert "ix_jobs_line" in plan(postgres_database, store.in_line)
    assert "Index Only Scan using ix_jobs_behind" in plan(postgres_database, store.not_in_line)
    assert "ix_jobs_running" in plan(postgres_database, store.running)
    assert "ix_jobs_line" in plan(postgres_database, lambda: store.front("cpu", 9))
    assert "ix_jobs_running" in plan(postgres_database, lambda: store.under_way("cpu", 9))
    assert "ix_jobs_succeeded" in plan(postgres_database, lambda: store.ran("echo"))
    assert "ix_deliveries_due" in plan(postgres_database, DeliveryStore(postgres_database).backlog)
