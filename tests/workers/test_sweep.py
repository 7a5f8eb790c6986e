"""The sweeper: leases, doorbells, clean-up; with a real Redis, and without."""

from __future__ import annotations

import io
import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import redis
from kombu.exceptions import OperationalError
from sqlalchemy import update
from sqlalchemy.exc import DataError

from accounts.store import AccountStore
from engines.base import Output
from fleet.store import FleetStore
from jobs.clock import now
from jobs.errors import Unavailable
from jobs.files import FileStore
from jobs.models import Worker
from jobs.store import JobStore, NewArtifact, NewJob
from queue_config import Doorbell, publisher_app
from storage.base import StorageUnavailable
from tests.jobs.ageing import pass_days
from tests.jobs.conftest import owner
from tests.services import redis_server
from workers import settings, sweep
from workers.sweep import EXPIRE_AT_ONCE, SPARE_RINGS, Sweeper


@pytest.fixture(autouse=True)
def _no_grace_for_a_new_sweeper(request, monkeypatch):
    """A sweeper that just began gives living workers some seconds; most tests do not wait for that."""
    if "grace" not in request.keywords:
        monkeypatch.setattr(settings, "RENEW_SECONDS", -settings.MARGIN_SECONDS)
        monkeypatch.setattr(settings, "RETURN_SECONDS", 0.0)


@pytest.fixture
def broker(redis_broker, monkeypatch):
    """An empty broker, and REDIS_URL that names it."""
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


def hurry(sweeper):
    """Everything is due now."""
    for chore in (*sweeper.chores, *sweeper.slow_chores):
        chore.due = 0.0


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
    submit(sqlite_database, 3)
    sweeper = Sweeper(sqlite_database, storage, doorbell)
    sweeper.sweep()
    with redis.Redis(port=broker.port) as client:
        client.flushall()
    sweeper.sweep()
    assert doorbell.waiting("cpu") == 3


def alive(database, worker_id="wrk_1", engines=("e",)):
    """A worker reports."""
    FleetStore(database).report(
        worker_id, hostname="h", pid=1, queues=["cpu"], engines=engines, weights=[], device=None
    )


def test_no_more_rings_lie_there_than_workers_could_hear(sqlite_database, storage, doorbell):
    """Each further one would wake a worker for nothing when the jobs are done."""
    for n in range(3):
        alive(sqlite_database, f"wrk_{n}")
    submit(sqlite_database, SPARE_RINGS + 10)
    sweeper = Sweeper(sqlite_database, storage, doorbell)
    for _ in range(3):
        sweeper.sweep()
    assert doorbell.waiting("cpu") == SPARE_RINGS + 3


def test_rings_of_one_sweep_are_bounded(sqlite_database, storage, doorbell, monkeypatch):
    monkeypatch.setattr(sweep, "MOST_RINGS", 4)
    submit(sqlite_database, 10)
    Sweeper(sqlite_database, storage, doorbell).sweep()
    assert doorbell.waiting("cpu") == 4


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


def test_a_statement_that_is_refused_holds_up_no_other_chore(sqlite_database, storage, doorbell, monkeypatch):
    (job,) = submit(sqlite_database)
    store = JobStore(sqlite_database)
    store.claim("wrk_1", "cpu", engines=["e"], lease_seconds=-1)

    def refused(*_, **__):
        raise DataError("UPDATE", {}, ValueError("refused"))

    monkeypatch.setattr(JobStore, "end_late", refused)
    sweeper = Sweeper(sqlite_database, storage, doorbell)
    for _ in range(2):
        sweeper.sweep()
    assert (store.get(job.id).state, doorbell.waiting("cpu")) == ("queued", 1)
    assert {chore.name: chore.failures for chore in sweeper.chores if chore.failures} == {"late jobs": 2}


def test_one_sweeper_at_a_time(sqlite_database, storage, doorbell):
    first, second = (Sweeper(sqlite_database, storage, doorbell) for _ in range(2))
    first.sweep()
    submit(sqlite_database)
    second.sweep()
    assert doorbell.waiting("cpu") == 0
    first.sweep()
    assert doorbell.waiting("cpu") == 1


@pytest.mark.grace
def test_after_a_pause_of_the_machine_living_workers_get_time_to_renew(sqlite_database, storage, doorbell):
    (job,) = submit(sqlite_database)
    store = JobStore(sqlite_database)
    store.claim("wrk_1", "cpu", engines=["e"], lease_seconds=-1)
    sweeper = Sweeper(sqlite_database, storage, doorbell)
    sweeper.sweep()
    assert store.get(job.id).state == "running", "a sweeper that just began has seen nothing yet"
    hurry(sweeper)
    sweeper._swept -= 60  # the machine slept
    sweeper.sweep()
    assert store.get(job.id).state == "running"
    hurry(sweeper)
    sweeper.sweep()
    assert store.get(job.id).state == "queued"


def test_hundreds_of_leases_lost_at_once_are_taken_back_in_one_pass(sqlite_database, storage, doorbell):
    submit(sqlite_database, EXPIRE_AT_ONCE * 2 + 5)
    store = JobStore(sqlite_database)
    for _ in range(EXPIRE_AT_ONCE * 2 + 5):
        store.claim("wrk_1", "cpu", engines=["e"], lease_seconds=-1)
    Sweeper(sqlite_database, storage, doorbell).sweep()
    assert {part.state for part in store.kept()} == {"queued"}


def test_a_broker_that_breaks_off_is_a_broker_that_is_away(monkeypatch):
    """Redis answers, then drops the connection in the middle of the question."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        broken = Doorbell(publisher_app())

        def hang_up():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(100)

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        with pytest.raises(OperationalError):
            broken.waiting("cpu")
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)


def test_one_folder_that_cannot_be_cleaned_does_not_hold_up_the_others(sqlite_database, storage, doorbell):
    bad, good = submit(sqlite_database, 2)
    store = JobStore(sqlite_database)
    for job in (bad, good):
        put(storage, f"jobs/{job.id}/1/a.txt")
        store.delete(job.id, None)

    class Stubborn:
        def __getattr__(self, name):
            return getattr(storage, name)

        def delete(self, key):
            if bad.id in key:
                raise StorageUnavailable("locked")
            storage.delete(key)

    sweeper = Sweeper(sqlite_database, Stubborn(), doorbell)
    sweeper.clean()
    sweeper.clean()
    assert keys(storage, f"jobs/{good.id}") == []
    assert len(keys(storage, f"jobs/{bad.id}")) == 1


def test_jobs_of_an_engine_that_was_removed_end(sqlite_database, storage, doorbell, monkeypatch):
    monkeypatch.setattr(settings, "ENGINE_GONE_SECONDS", -1.0)
    (gone,) = submit(sqlite_database)
    (kept,) = submit(sqlite_database, engine="echo")
    Sweeper(sqlite_database, storage, doorbell).sweep()
    store = JobStore(sqlite_database)
    assert (store.get(gone.id).state, store.get(gone.id).error_code) == ("failed", "engine_gone")
    assert store.get(kept.id).state == "queued"


def test_hundreds_of_late_jobs_are_ended_in_bounded_sweeps(sqlite_database, storage, doorbell, monkeypatch):
    monkeypatch.setattr(sweep, "LATE_AT_ONCE", 2)
    monkeypatch.setattr(sweep, "LATE_TURNS", 2)
    monkeypatch.setattr(settings, "ENGINE_GONE_SECONDS", -1.0)
    submit(sqlite_database, 6, start_by=datetime.now(UTC) - timedelta(seconds=1))
    removed = submit(sqlite_database, 6, engine="removed", owner_id=owner(sqlite_database, "bob"))
    store = JobStore(sqlite_database)
    sweeper = Sweeper(sqlite_database, storage, doorbell)
    alive(sqlite_database)
    ended = []
    for _ in range(2):
        sweeper.sweep()
        codes = [row.error_code for row in store.page(None, limit=100)]
        ended.append((codes.count("start_by_passed"), codes.count("engine_gone")))
    assert ended == [(4, 4), (6, 6)]
    assert {store.get(row.id).state for row in removed} == {"failed"}


@pytest.mark.grace
@pytest.mark.parametrize("why", ["a new sweeper", "the machine slept", "an outage"])
def test_nobody_is_forgotten_who_could_not_report(sqlite_database, storage, doorbell, monkeypatch, why):
    """After an hour without the database every worker has been silent for an hour."""
    monkeypatch.setattr(settings, "ENGINE_GONE_SECONDS", -1.0)
    (job,) = submit(sqlite_database, engine="theirs")
    alive(sqlite_database, engines=["theirs"])
    FleetStore(sqlite_database).drain("wrk_1")
    sweeper = Sweeper(sqlite_database, storage, doorbell)
    if why == "an outage":
        sweeper.sweep()
        hurry(sweeper)
        sweeper.after_outage()
    if why == "the machine slept":
        sweeper.sweep()
        hurry(sweeper)
        sweeper._swept -= 3600.0
    long_ago = update(Worker).values(heartbeat_at=now(-2 * 3600.0))
    sqlite_database.write(lambda c: c.execute(long_ago))

    sweeper.sweep()
    assert JobStore(sqlite_database).get(job.id).state == "queued", "its engine's workers are coming back"
    alive(sqlite_database, engines=["theirs"])
    hurry(sweeper)
    sweeper.sweep()

    assert FleetStore(sqlite_database).orders("wrk_1").draining
    assert JobStore(sqlite_database).get(job.id).state == "queued"


def test_after_a_database_outage_living_workers_get_time_to_renew(
    sqlite_database, storage, doorbell, monkeypatch
):
    class Outage(Sweeper):
        failing = True

        def sweep(self):
            if self.failing:
                self.failing = False
                raise Unavailable
            super().sweep()
            self.done.set()

    (job,) = submit(sqlite_database)
    store = JobStore(sqlite_database)
    store.claim("wrk_1", "cpu", engines=["e"], lease_seconds=-1)
    monkeypatch.setattr(settings, "REUNION_SECONDS", 60.0)
    sweeper = Outage(sqlite_database, storage, doorbell)
    sweeper.done = threading.Event()
    ended = threading.Event()
    thread = threading.Thread(target=sweeper.run, args=(ended,))
    thread.start()
    assert sweeper.done.wait(4 * settings.SWEEP_SECONDS + 20)
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
    Sweeper(sqlite_database, storage, doorbell).clean()
    assert keys(storage, f"jobs/{job.id}") == [f"jobs/{job.id}/2/a.txt"]
    assert files.due_cleanups() == []


def test_a_deleted_job_s_objects_go(sqlite_database, storage, doorbell):
    job, other = submit(sqlite_database, 2)
    put(storage, f"jobs/{job.id}/1/a.txt")
    put(storage, f"jobs/{other.id}/1/a.txt")
    JobStore(sqlite_database).delete(job.id, job.owner_id)
    Sweeper(sqlite_database, storage, doorbell).clean()
    assert keys(storage, f"jobs/{job.id}") == []
    assert len(keys(storage, f"jobs/{other.id}")) == 1


def test_a_job_that_is_too_late_is_ended_and_a_raised_cap_lets_jobs_in(
    sqlite_database, storage, doorbell, monkeypatch
):
    monkeypatch.setenv("ATELIER_MAX_RUNNING", "1")
    first, second = submit(sqlite_database, 2)
    store = JobStore(sqlite_database)
    late, _ = store.submit(
        NewJob(
            owner_id=first.owner_id, engine="e", queue="cpu", params={}, seed=1,
            start_by=datetime.now(UTC) - timedelta(seconds=1),
        )
    )  # fmt: skip
    monkeypatch.setenv("ATELIER_MAX_RUNNING", "2")
    assert store.get(second.id).hold == "behind"
    Sweeper(sqlite_database, storage, doorbell).sweep()
    assert store.get(second.id).hold is None
    assert (store.get(late.id).state, store.get(late.id).error_code) == ("failed", "start_by_passed")


def finished(storage, store, name="a.txt"):
    """The next job, done: with one result and a preview."""
    (row,) = store.claim("wrk_1", "cpu", engines=["e"], lease_seconds=60)
    key = f"jobs/{row.id}/{row.attempt}/out/{name}"
    put(storage, key)
    put(storage, f"jobs/{row.id}/{row.attempt}/preview.jpg")
    made = NewArtifact(name, key, "text/plain", 1, "0" * 64)
    return store.succeed(row.id, row.attempt, [made], leftovers=True)


def test_results_and_uploads_of_owners_who_do_not_keep_them_go_with_their_objects(
    sqlite_database, storage, doorbell, monkeypatch
):
    monkeypatch.setenv("ATELIER_KEEP_DAYS", "7")
    store, files = JobStore(sqlite_database), FileStore(sqlite_database)
    (short,) = submit(sqlite_database)
    bob = owner(sqlite_database, "bob")
    AccountStore(sqlite_database).set_limits(bob, {"keep_days": 0})
    (kept,) = submit(sqlite_database, owner_id=bob)
    for _ in range(2):
        finished(storage, store)
    file_id = files.reserve()
    put(storage, f"files/{file_id}/a.png")
    files.add(
        file_id, short.owner_id, NewArtifact("a.png", f"files/{file_id}/a.png", "image/png", 1, "0" * 64)
    )
    sweeper = Sweeper(sqlite_database, storage, doorbell)
    sweeper.expire()
    assert not store.get(short.id).data_removed

    pass_days(sqlite_database, 8)
    sweeper.expire()
    assert not store.get(short.id).data_removed, "it was looked a moment ago"
    hurry(sweeper)
    sweeper.expire()
    sweeper.clean()
    assert store.get(short.id).data_removed
    assert not store.get(kept.id).data_removed
    assert keys(storage, "") == [f"jobs/{kept.id}/1/out/a.txt"]


def test_hundreds_of_folders_are_cleaned_in_one_pass(sqlite_database, storage, doorbell):
    for job in submit(sqlite_database, 250):
        put(storage, f"jobs/{job.id}/1/a.txt")
        JobStore(sqlite_database).delete(job.id, None)
    Sweeper(sqlite_database, storage, doorbell).clean()
    assert keys(storage, "") == []


def test_what_a_worker_stored_after_its_job_had_ended_elsewhere_goes_too(bench, storage, doorbell):
    def frozen_and_late(_params, _context):
        """While this worker stands still, another one has the job, ends it, and its leftovers are cleaned."""
        store.expire_leases(worker_id="wrk_1")
        (row,) = store.claim("wrk_2", "cpu", engines=["scripted"], lease_seconds=60)
        store.succeed(row.id, row.attempt, [])
        pass_days(made.store.database, 1)
        sweeper.clean()
        yield Output(name="late.txt", data=b"late", media_type="text/plain")

    made = bench(frozen_and_late)
    store = made.store
    sweeper = Sweeper(store.database, storage, doorbell)
    job_id = made.submit()
    made.runner.work()
    assert store.get(job_id).attempt == 2
    assert keys(storage, "") == [f"jobs/{job_id}/1/out/late.txt"]
    sweeper.clean()
    assert keys(storage, "") == []
