"""The real thing: worker and sweeper processes, a real Redis, real databases, and signals.

Nearly all of it over PostgreSQL: what the store does is tested over both in tests/jobs. Two recoveries, that
of a killed worker and that of a killed child, are tested over SQLite too.
"""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime

import boto3
import pytest
from moto.server import ThreadedMotoServer

from jobs.database import Database
from jobs.errors import Unavailable
from jobs.migrate import migrate
from jobs.pace import PACE
from tests.ports import own_port
from tests.services import postgres_server, redis_server
from tests.workers.house import House
from workers import settings

pytestmark = pytest.mark.waits


@pytest.fixture
def house(database, tmp_path, monkeypatch):
    with redis_server() as redis:
        made = House(database, tmp_path, redis, monkeypatch)
        yield made
        made.close()


#: For what is about processes, and the same over SQLite.
ON_A_SERVER = pytest.mark.parametrize("database", ["postgres"], indirect=True)


@pytest.fixture(scope="module")
def lasting(postgres, migrated_postgres, tmp_path_factory):
    """A house with one worker and a sweeper, for tests that end none of them; it was found untidy."""
    folder = tmp_path_factory.mktemp("lasting")
    left = folder / "tmp" / "atelier-scratch-left"
    left.mkdir(parents=True)
    (left / "input-0").write_bytes(b"a picture")
    database = Database(postgres.create("lasting", template=migrated_postgres))
    with redis_server() as redis, pytest.MonkeyPatch.context() as monkeypatch:
        made = House(database, folder, redis, monkeypatch, TMPDIR=str(left.parent))
        made.start("workers")
        made.start("workers.sweep")
        yield made
        made.close()
    database.close()
    postgres.drop("lasting")


def states(house, job_id):
    return [event.state for event in house.store.events(job_id)]


def test_a_killed_worker_s_job_is_finished_by_another_once(house):
    """The promise, at the pace of a house in use: a lease of 12 s, a sweep every 2."""
    house.set(ATELIER_PACE="1")
    worker = house.start("workers")
    house.start("workers.sweep")
    job_id = house.submit(2)
    house.until(job_id, "running")
    house.kill_all(worker)
    killed = datetime.now(UTC)
    house.start("workers")

    row = house.until(job_id, "succeeded", seconds=120)

    (freed,) = [event.at for event in house.store.events(job_id) if event.state == "queued"][1:]
    longest = (settings.LEASE_SECONDS + settings.SWEEP_SECONDS) * PACE
    assert (freed - killed).total_seconds() < longest + 5, "5 s: the machine may be busy"
    assert row.attempt == 2
    assert len(house.store.artifacts([job_id])[job_id]) == 1
    assert states(house, job_id) == ["queued", "running", "queued", "running", "succeeded"]


def test_a_killed_child_s_job_is_freed_at_once_and_a_poison_job_ends(house):
    house.start("workers")  # and no sweeper: who frees it is the parent, and no lease is waited for
    job_id = house.submit(30)
    for attempt in (1, 2, 3):
        house.doorbell.wake("cpu")
        give_up = time.monotonic() + 60
        while (row := house.store.get(job_id)).state != "running" or row.attempt != attempt:
            assert time.monotonic() < give_up, f"attempt {attempt}: {row.state}"
            time.sleep(0.05)
        before = house.child()
        os.kill(before, signal.SIGKILL)
        while attempt < 3 and house.child() == before:
            time.sleep(0.1)
    row = house.until(job_id, "failed")
    assert (row.error_code, row.attempt) == ("worker_lost", 3)
    assert house.until(house.submit(0), "succeeded").attempt == 1, "the worker lives"


def test_a_worker_that_starts_removes_what_killed_ones_left(lasting, tmp_path_factory):
    lasting.until(lasting.submit(0), "succeeded")
    assert list((tmp_path_factory.getbasetemp()).glob("lasting*/tmp/atelier-scratch-left")) == []


def test_a_lost_broker_delays_and_loses_nothing(lasting):
    first = lasting.submit(2)
    lasting.until(first, "running")
    lasting.redis.stop()
    second = lasting.submit(0)
    lasting.until(first, "succeeded")
    lasting.redis.start()
    lasting.until(second, "succeeded")
    assert states(lasting, second) == ["queued", "running", "succeeded"]


def test_a_drained_worker_finishes_its_job_takes_no_more_and_goes_on_when_resumed(lasting):
    running = lasting.submit(3 * settings.REPORT_SECONDS + 1)
    lasting.until(running, "running")
    (worker,) = lasting.fleet.workers()
    lasting.fleet.drain(worker.id)
    row = lasting.until(running, "succeeded")
    assert row.attempt == 1

    waiting = lasting.submit(0)
    time.sleep(3 * settings.SWEEP_SECONDS)
    assert lasting.store.get(waiting).state == "queued"
    assert [worker.draining for worker in lasting.fleet.workers()] == [True]
    assert lasting.fleet.worker(worker.id).alive, "and visible"

    lasting.fleet.resume(worker.id)
    assert lasting.until(waiting, "succeeded").attempt == 1


@ON_A_SERVER
def test_a_frozen_worker_that_wakes_after_its_lease_changes_nothing(house):
    house.start("workers")
    house.start("workers.sweep")
    job_id = house.submit(2)
    house.until(job_id, "running")
    zombie = house.child()
    os.kill(zombie, signal.SIGSTOP)
    house.start("workers")
    row = house.until(job_id, "succeeded")
    os.kill(zombie, signal.SIGCONT)
    time.sleep(3 * settings.RENEW_SECONDS + 1)
    assert house.store.get(job_id) == row
    assert row.attempt == 2
    assert len(house.store.artifacts([job_id])[job_id]) == 1


@ON_A_SERVER
def test_a_frozen_worker_that_wakes_takes_back_that_it_died(house):
    house.start("workers")
    house.start("workers.sweep")
    job_id = house.submit(12)
    house.until(job_id, "running")
    zombie = house.child()
    os.kill(zombie, signal.SIGSTOP)
    house.start("workers")
    house.until_progress(job_id, 0.01, attempt=2)
    assert house.store.get(job_id).died_on is not None
    os.kill(zombie, signal.SIGCONT)
    row = house.until(job_id, "succeeded")
    assert (row.attempt, row.failures, row.died_on) == (2, 0, None)
    assert len(house.store.artifacts([job_id])[job_id]) == 1


@pytest.mark.parametrize(
    ("seconds", "down"),
    [
        pytest.param(5, 2, id="while it runs"),
        pytest.param(2, 4, id="when it finishes"),
    ],
)
def test_a_database_restart_repeats_no_work(tmp_path, monkeypatch, seconds, down):
    """PostgreSQL goes down hard under a running job and comes back: the same attempt ends the job."""
    with postgres_server() as server, redis_server() as redis:
        database = Database(server.url())
        migrate(database)
        house = House(database, tmp_path, redis, monkeypatch)
        try:
            house.start("workers")
            house.start("workers.sweep")
            house.until(house.submit(0), "succeeded")
            job_id = house.submit(seconds)
            house.until(job_id, "running")
            time.sleep(0.5)

            server.stop()
            with pytest.raises(Unavailable):
                house.submit(0)
            time.sleep(down)
            server.start()

            row = house.until(job_id, "succeeded")
            assert (row.attempt, row.failures) == (1, 0)
            assert len(house.store.artifacts([job_id])[job_id]) == 1
            assert house.until(house.submit(0), "succeeded").attempt == 1
        finally:
            house.close()
            database.close()


def test_an_object_store_that_is_away_at_the_write_is_waited_for(sqlite_database, tmp_path, monkeypatch):
    port = own_port()
    with redis_server() as redis:
        house = House(
            sqlite_database,
            tmp_path,
            redis,
            monkeypatch,
            STORAGE_URL=f"s3://studio/objects?endpoint=http://127.0.0.1:{port}&region=us-east-1",
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
        )
        store = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        try:
            house.start("workers")
            job_id = house.submit(0)
            house.until(job_id, "running")
            time.sleep(2)
            assert house.store.get(job_id).state == "running"

            store.start()
            client = boto3.client(
                "s3",
                endpoint_url=f"http://127.0.0.1:{port}",
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            client.create_bucket(Bucket="studio")

            assert house.until(job_id, "succeeded").attempt == 1
            (artifact,) = house.store.artifacts([job_id])[job_id]
            stored = client.get_object(Bucket="studio", Key=f"objects/{artifact.key}")["Body"].read()
            assert stored == b"x\n"
            client.close()
        finally:
            house.close()
            store.stop()


@ON_A_SERVER
def test_a_released_job_goes_on_elsewhere_while_its_worker_stays(house):
    first = house.start("workers")
    job_id = house.submit(25)
    done = house.until_progress(job_id, 0.1)
    (worker,) = house.fleet.workers()
    house.start("workers")
    house.start("workers.sweep")

    house.fleet.drain(worker.id, release=True)
    assert house.until_progress(job_id, 0.01, attempt=2) >= done - 0.1
    row = house.until(job_id, "running", "succeeded")
    assert row.failures == 0
    assert row.lease_owner != worker.id
    assert first.poll() is None
    assert house.fleet.worker(worker.id).alive
    house.store.cancel(job_id, None)


def killed_in(house, job_id, attempt):
    """Kill the child of the one worker that runs this attempt; the worker's id."""
    give_up = time.monotonic() + 60
    while (row := house.store.get(job_id)).state != "running" or row.attempt != attempt:
        assert time.monotonic() < give_up, f"attempt {attempt}: {row.state}"
        time.sleep(0.05)
    while row.lease_owner not in {worker.id for worker in house.fleet.workers()}:
        assert time.monotonic() < give_up, "it claims, but has not reported yet"
        time.sleep(0.05)
    before = house.fleet.worker(row.lease_owner).pid
    os.kill(before, signal.SIGKILL)
    while house.fleet.worker(row.lease_owner).pid == before:
        time.sleep(0.1)
    return row.lease_owner


@ON_A_SERVER
def test_a_machine_on_which_three_owners_jobs_die_takes_no_more_and_another_does(house):
    # Blame is the dead child's successor's, which has to be there before the lease has run out; how long a
    # process takes to start, no pace divides.
    house.set(ATELIER_PACE="1")
    house.start("workers")
    house.start("workers.sweep")
    for name in ("bob", "cyd", "dan"):
        job_id = house.submit(60, of=house.owner(name))
        worker_id = killed_in(house, job_id, attempt=1)
        house.store.cancel(job_id, None)
        house.until(job_id, "canceled")
    give_up = time.monotonic() + 60
    while house.fleet.worker(worker_id).quarantined_at is None:
        assert time.monotonic() < give_up
        time.sleep(0.1)

    waiting = house.submit(0)
    time.sleep(3 * settings.SWEEP_SECONDS * PACE)
    assert house.store.get(waiting).state == "queued", "its new child knows"
    house.start("workers")
    assert house.until(waiting, "succeeded").attempt == 1
    assert "quarantined" in house.log_file.read_text()


@ON_A_SERVER
def test_a_job_in_which_two_workers_died_fails_and_neither_is_blamed(house):
    house.set(ATELIER_PACE="1")  # for the same reason
    house.start("workers")
    house.start("workers.sweep")
    job_id = house.submit(60)
    first = killed_in(house, job_id, attempt=1)
    assert house.fleet.worker(first).suspected == [house.store.get(job_id).owner_id]
    house.fleet.drain(first, release=True)
    house.start("workers")
    second = None
    attempt = 2
    while second in (None, first):
        row = house.until(job_id, "running")
        if row.lease_owner == first:  # until it is given back
            time.sleep(0.2)
            continue
        attempt = row.attempt
        second = killed_in(house, job_id, attempt)
    row = house.until(job_id, "failed")
    assert (row.error_code, row.attempt) == ("poison_job", attempt)
    give_up = time.monotonic() + 60
    while any(worker.suspected for worker in house.fleet.workers()):
        assert time.monotonic() < give_up, "somebody is still blamed"
        time.sleep(0.1)


def test_a_worker_lost_while_the_database_was_away_costs_its_job_no_failure(tmp_path, monkeypatch):
    """A lease that ran out meanwhile tells nothing: the worker may have been cut off, and alive."""
    with postgres_server() as server, redis_server() as redis:
        database = Database(server.url())
        migrate(database)
        house = House(database, tmp_path, redis, monkeypatch)
        try:
            worker = house.start("workers")
            house.start("workers.sweep")
            job_id = house.submit(8)
            house.until(job_id, "running")
            time.sleep(1)
            server.stop()
            house.kill_all(worker)
            time.sleep(1.5 * settings.LEASE_SECONDS)
            server.start()
            house.start("workers")
            row = house.until(job_id, "succeeded")
            assert (row.attempt, row.failures, row.died_on) == (2, 0, None)
        finally:
            house.close()
            database.close()
