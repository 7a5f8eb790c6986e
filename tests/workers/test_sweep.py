"""The sweeper: leases, doorbells, clean-up; with a real Redis, and without."""

from __future__ import annotations

import io
import time

import pytest

from jobs.errors import Unavailable
from jobs.files import FileStore
from jobs.store import JobStore, NewArtifact, NewJob
from queue_config import Doorbell, publisher_app
from tests.jobs.conftest import owner
from tests.services import redis_server
from workers import settings
from workers.sweep import MOST_RINGS, Sweeper


@pytest.fixture
def broker(redis_broker, monkeypatch):
    """An empty broker, and REDIS_URL that names it."""
    import redis  # noqa: PLC0415

    with redis.Redis(port=redis_broker.port) as client:
        client.flushall()
    monkeypatch.setenv("REDIS_URL", redis_broker.url)
    return redis_broker


@pytest.fixture
def doorbell(broker):  # noqa: ARG001  # it must run
    return Doorbell(publisher_app())


def submit(database, count=1, **values):
    store = JobStore(database)
    owner_id = owner(database)
    defaults = {"owner_id": owner_id, "engine": "e", "queue": "cpu", "params": {}, "seed": 1}
    return [store.submit(NewJob(**(defaults | values)))[0] for _ in range(count)]


def put(storage, key):
    storage.put(key, io.BytesIO(b"x"))


def keys(storage, prefix):
    return sorted(info.key for info in storage.list(prefix))


def test_waiting_jobs_that_nobody_heard_of_are_rung_for_once(sqlite_database, storage, doorbell):
    submit(sqlite_database, 5)
    sweeper = Sweeper(sqlite_database, storage, doorbell)
    assert doorbell.waiting("cpu") == 0
    sweeper.sweep()
    sweeper.sweep()
    assert doorbell.waiting("cpu") == 5


def test_a_flushed_broker_is_filled_again(sqlite_database, storage, doorbell, broker):
    import redis  # noqa: PLC0415

    submit(sqlite_database, 3)
    sweeper = Sweeper(sqlite_database, storage, doorbell)
    sweeper.sweep()
    with redis.Redis(port=broker.port) as client:
        client.flushall()
    sweeper.sweep()
    assert doorbell.waiting("cpu") == 3


def test_rings_are_bounded(sqlite_database, storage, doorbell):
    submit(sqlite_database, MOST_RINGS + 10)
    Sweeper(sqlite_database, storage, doorbell).sweep()
    assert doorbell.waiting("cpu") == MOST_RINGS


def test_a_dead_broker_costs_a_sweep_a_moment_and_the_rest_is_done(sqlite_database, storage, monkeypatch):
    with redis_server() as server:
        monkeypatch.setenv("REDIS_URL", server.url)
        doorbell = Doorbell(publisher_app())
    (job,) = submit(sqlite_database)
    store = JobStore(sqlite_database)
    store.claim("wrk_1", "cpu", engines=["e"], lease_seconds=-1)
    began = time.monotonic()
    Sweeper(sqlite_database, storage, doorbell).sweep()
    assert store.get(job.id).state == "queued"
    assert time.monotonic() - began < 5


def test_one_sweeper_at_a_time(sqlite_database, storage, doorbell):
    first, second = (Sweeper(sqlite_database, storage, doorbell) for _ in range(2))
    first.sweep()
    submit(sqlite_database)
    second.sweep()
    assert doorbell.waiting("cpu") == 0
    first.sweep()
    assert doorbell.waiting("cpu") == 1


def test_after_a_database_outage_living_workers_get_time_to_renew(sqlite_database, storage, doorbell):
    class Outage(Sweeper):
        failing = True

        def sweep(self):
            if self.failing:
                self.failing = False
                raise Unavailable
            super().sweep()
            self.done.set()

    import threading  # noqa: PLC0415

    (job,) = submit(sqlite_database)
    store = JobStore(sqlite_database)
    store.claim("wrk_1", "cpu", engines=["e"], lease_seconds=-1)
    sweeper = Outage(sqlite_database, storage, doorbell)
    sweeper.done = threading.Event()
    ended = threading.Event()
    thread = threading.Thread(target=sweeper.run, args=(ended,))
    thread.start()
    assert sweeper.done.wait(4 * settings.SWEEP_SECONDS)
    ended.set()
    thread.join()
    assert store.get(job.id).state == "running"


def test_what_lost_attempts_left_is_deleted_and_results_are_kept(sqlite_database, storage, doorbell):
    (job,) = submit(sqlite_database)
    store = JobStore(sqlite_database)
    store.claim("wrk_1", "cpu", engines=["e"], lease_seconds=-1)
    store.expire_leases()
    (row,) = store.claim("wrk_2", "cpu", engines=["e"], lease_seconds=60)
    for attempt in (1, 2):
        put(storage, f"jobs/{job.id}/{attempt}/a.txt")
        put(storage, f"jobs/{job.id}/{attempt}/preview.jpg")
    store.succeed(
        job.id, row.attempt, [NewArtifact("a.txt", f"jobs/{job.id}/2/a.txt", "text/plain", 1, "0" * 64)]
    )
    files = FileStore(sqlite_database)
    assert files.due_cleanups() == [], "a zombie may still write: not yet"

    files.database.write(
        lambda c: c.exec_driver_sql("UPDATE cleanups SET due_at = '2000-01-01 00:00:00.000'")
    )
    Sweeper(sqlite_database, storage, doorbell).sweep()
    assert keys(storage, f"jobs/{job.id}") == [f"jobs/{job.id}/2/a.txt"]
    assert files.due_cleanups() == []


def test_a_deleted_job_s_objects_go(sqlite_database, storage, doorbell):
    job, other = submit(sqlite_database, 2)
    put(storage, f"jobs/{job.id}/1/a.txt")
    put(storage, f"jobs/{other.id}/1/a.txt")
    JobStore(sqlite_database).delete(job.id, job.owner_id)
    Sweeper(sqlite_database, storage, doorbell).sweep()
    assert keys(storage, f"jobs/{job.id}") == []
    assert len(keys(storage, f"jobs/{other.id}")) == 1
