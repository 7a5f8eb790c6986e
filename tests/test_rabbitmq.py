"""RabbitMQ in the place of Redis: REDIS_URL=amqp://... is all there is to change."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from kombu.exceptions import OperationalError

from accounts.store import AccountStore
from api import create_app
from api.settings import Settings
from jobs.store import JobStore
from queue_config import Doorbell
from storage.memory import MemoryStorage
from tests.api.helpers import Api
from tests.conftest import missing
from tests.rabbit import RabbitServer, rabbit_server
from tests.services import MissingService

# Erlang starts slowly, and some of these start it twice.
pytestmark = [pytest.mark.waits, pytest.mark.timeout(300)]

#: A broker that is away or frozen may cost a caller this long, and not more.
PATIENCE = 2.5


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitServer]:
    try:
        with rabbit_server() as server:
            yield server
    except MissingService as error:
        missing(error)


@pytest.fixture(autouse=True)
def _the_one_variable(broker, monkeypatch):
    monkeypatch.setenv("REDIS_URL", broker.url)


@pytest.fixture
def doorbell():
    return Doorbell()


@pytest.fixture
def app(sqlite_database):
    return create_app(
        JobStore(sqlite_database),
        MemoryStorage(),
        Doorbell(),
        Settings.model_validate({"rate_per_minute": 5}),
    )


@pytest.fixture
def api(app, sqlite_database):
    return Api(app, AccountStore(sqlite_database).create_key("ada")[0])


@contextmanager
def process(module: str, database, tmp_path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker or a sweeper, ended with its children."""
    environment = os.environ | {
        "DATABASE_URL": database.url.render_as_string(hide_password=False),
        "STORAGE_URL": f"file://{tmp_path}/objects",
    }
    with (tmp_path / f"{module}.log").open("ab") as log:
        started = subprocess.Popen([sys.executable, "-m", module], env=environment, stdout=log, stderr=log)
    try:
        yield started
    finally:
        started.terminate()
        assert started.wait(timeout=30) == 0


def until(true, seconds=60.0):
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up, f"not within {seconds} s"
        time.sleep(0.05)


def seconds_of(call) -> float:
    """How long it takes to fail."""
    began = time.monotonic()
    with pytest.raises(OperationalError):
        call()
    return time.monotonic() - began


def test_rings_are_counted_until_they_are_heard(doorbell, api, sqlite_database, tmp_path):
    assert doorbell.waiting("gpu") == 0, "a queue that nobody has declared is empty"
    job = api.post("/v1/jobs", json={"engine": "echo", "params": {"text": "hi"}})
    assert job.status_code == 202
    until(lambda: doorbell.waiting("cpu") == 1)

    with process("workers", sqlite_database, tmp_path):
        until(lambda: JobStore(sqlite_database).get(job.json["id"]).state == "succeeded")
        assert doorbell.waiting("cpu") == 0


def test_jobs_that_wait_while_the_broker_restarts_are_done(broker, api, sqlite_database, tmp_path, doorbell):
    store = JobStore(sqlite_database)
    with (
        process("workers", sqlite_database, tmp_path),
        process("workers.sweep", sqlite_database, tmp_path),
    ):
        first = api.post("/v1/jobs", json={"engine": "echo"}).json["id"]
        until(lambda: store.get(first).state == "succeeded")
        broker.stop()
        waiting = [api.post("/v1/jobs", json={"engine": "echo"}) for _ in range(3)]
        assert {answer.status_code for answer in waiting} == {202}, "accepted without a broker"

        broker.forget()  # not even the queues are left
        broker.start()

        until(lambda: all(store.get(answer.json["id"]).state == "succeeded" for answer in waiting))
    until(lambda: doorbell.waiting("cpu") == 0)


def test_a_broker_that_is_away_or_frozen_costs_little_time(broker, doorbell):
    doorbell.ring("gpu")
    os.kill(broker.pid, signal.SIGSTOP)
    until(lambda: psutil.Process(broker.pid).status() == psutil.STATUS_STOPPED)
    try:
        began = time.monotonic()
        doorbell.ring("gpu")  # into the socket; what becomes of it is the sweeper's business
        assert time.monotonic() - began < PATIENCE
        assert seconds_of(lambda: doorbell.waiting("gpu")) < PATIENCE
        assert seconds_of(doorbell.check) < PATIENCE
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    broker.stop()
    try:
        assert seconds_of(lambda: doorbell.ring("gpu")) < PATIENCE
        assert seconds_of(lambda: doorbell.waiting("gpu")) < PATIENCE
        assert seconds_of(doorbell.check) < PATIENCE
    finally:
        broker.start()


def test_a_restart_costs_no_ring_before_or_after_it(broker, doorbell):
    doorbell.ring("gpu")
    before = doorbell.waiting("gpu")
    broker.stop()
    broker.start()

    doorbell.ring("gpu")

    until(lambda: doorbell.waiting("gpu") == before + 1)


def test_the_api_is_ready_and_counts_requests_in_its_memory(api):
    # when / then: five a minute, without a Redis to count in
    assert api.get("/readyz").json["status"] == "ok"
    codes = [api.get("/v1/me").status_code for _ in range(6)]
    assert codes == [200] * 5 + [429]
