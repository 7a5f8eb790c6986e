"""The real thing: worker and sweeper processes, a real Redis, both databases, and signals."""

from __future__ import annotations

import os
import signal
import time

import boto3
import pytest
from moto.server import ThreadedMotoServer

from jobs.database import Database
from jobs.errors import Unavailable
from jobs.migrate import migrate
from tests.services import free_port, postgres_server, redis_server
from tests.workers.house import House
from workers import settings


@pytest.fixture
def house(database, tmp_path, monkeypatch):
    with redis_server() as redis:
        made = House(database, tmp_path, redis, monkeypatch)
        yield made
        made.close()


def states(house, job_id):
    return [event.state for event in house.store.events(job_id)]


def test_a_killed_worker_s_job_is_finished_by_another_once(house):
    worker = house.start("workers")
    house.start("workers.sweep")
    job_id = house.submit(2)
    house.until(job_id, "running")
    house.kill_all(worker)
    killed = time.monotonic()
    house.start("workers")

    row = house.until(job_id, "succeeded")

    assert time.monotonic() - killed < settings.LEASE_SECONDS + 10
    assert row.attempt == 2
    assert len(house.store.artifacts([job_id])[job_id]) == 1
    assert states(house, job_id) == ["queued", "running", "queued", "running", "succeeded"]


def test_a_killed_child_s_job_is_freed_at_once_and_a_poison_job_ends(house):
    house.start("workers")
    house.start("workers.sweep")
    job_id = house.submit(30)
    began = time.monotonic()
    for attempt in (1, 2, 3):
        give_up = time.monotonic() + 20
        while (row := house.store.get(job_id)).state != "running" or row.attempt != attempt:
            assert time.monotonic() < give_up, f"attempt {attempt}: {row.state}"
            time.sleep(0.05)
        before = house.child()
        os.kill(before, signal.SIGKILL)
        while attempt < 3 and house.child() == before:
            time.sleep(0.1)
    row = house.until(job_id, "failed")
    assert (row.error_code, row.attempt) == ("worker_lost", 3)
    assert time.monotonic() - began < 3 * settings.LEASE_SECONDS
    assert house.until(house.submit(0), "succeeded").attempt == 1, "the worker lives"


def test_sigterm_gives_the_job_back_at_once_with_its_checkpoint(house):
    worker = house.start("workers")
    job_id = house.submit(3)
    house.until(job_id, "running")
    time.sleep(1.5)
    worker.send_signal(signal.SIGTERM)
    told = time.monotonic()
    house.until(job_id, "queued")
    assert time.monotonic() - told < 3
    assert worker.wait(timeout=20) == 0

    house.start("workers")
    house.start("workers.sweep")  # nobody rings for a job that was given back but the sweeper
    row = house.until(job_id, "succeeded")
    assert (row.attempt, row.failures) == (2, 0)
    assert (row.finished_at - row.started_at).total_seconds() < 2.5, "resumed, not repeated"


def test_a_lost_broker_delays_and_loses_nothing(house):
    house.start("workers")
    house.start("workers.sweep")
    first = house.submit(2)
    house.until(first, "running")
    house.redis.stop()
    second = house.submit(0)
    house.until(first, "succeeded")
    house.redis.start()
    house.until(second, "succeeded")
    assert states(house, second) == ["queued", "running", "succeeded"]


def test_a_frozen_worker_that_wakes_after_its_lease_changes_nothing(house):
    house.start("workers")
    house.start("workers.sweep")
    job_id = house.submit(2)
    house.until(job_id, "running")
    zombie = house.child()
    os.kill(zombie, signal.SIGSTOP)
    house.start("workers")
    house.until(job_id, "queued", seconds=settings.LEASE_SECONDS + 10)
    row = house.until(job_id, "succeeded")
    os.kill(zombie, signal.SIGCONT)
    time.sleep(3)
    assert house.store.get(job_id) == row
    assert row.attempt == 2
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
    port = free_port()
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
