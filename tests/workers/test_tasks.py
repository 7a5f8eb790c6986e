"""The child: frees what its predecessor held, reports, works, and says good-bye."""

from __future__ import annotations

import pytest

from fleet.store import FleetStore
from jobs.store import JobStore, NewJob
from tests.jobs.conftest import owner
from tests.workers.running import until
from workers import settings, tasks
from workers.tasks import Child


@pytest.fixture
def fleet(sqlite_database, tmp_path, monkeypatch):
    """What the fleet knows, and the environment of a child."""
    monkeypatch.setenv("DATABASE_URL", sqlite_database.url.render_as_string())
    monkeypatch.setenv("STORAGE_URL", f"file://{tmp_path}/objects")
    monkeypatch.setenv("ATELIER_WORKER_ID", "wrk_1")
    monkeypatch.setenv("ATELIER_QUEUES", "cpu")
    monkeypatch.delenv("ATELIER_CHILD_DIED", raising=False)
    return FleetStore(sqlite_database)


@pytest.fixture
def start(fleet):  # noqa: ARG001
    """Starts children; all say good-bye in the end."""
    children = []

    def make():
        children.append(Child())
        return children[-1]

    yield make
    for child in children:
        child.end()


@pytest.fixture
def rung(monkeypatch):
    """The queues that were woken."""
    queues = []

    class Doorbell:
        def wake(self, queue):
            queues.append(queue)

    monkeypatch.setattr(tasks, "Doorbell", Doorbell)
    return queues


def submit(database):
    new = NewJob(owner_id=owner(database), engine="echo", queue="cpu", params={"text": "x"}, seed=1)
    return JobStore(database).submit(new)[0].id


def claimed(database):
    """A job that the child before this one held when it died."""
    job_id = submit(database)
    JobStore(database).claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
    return job_id


def test_it_reports_under_the_name_it_was_given_until_it_leaves(start, fleet):
    child = start()
    until(lambda: [row.id for row in fleet.workers()] == ["wrk_1"])
    assert child.worker_id == "wrk_1"
    child.end()
    assert fleet.workers() == []


def test_it_runs_what_waits(start, sqlite_database):
    job_id = submit(sqlite_database)
    start().work()
    assert JobStore(sqlite_database).get(job_id).state == "succeeded"


def test_one_that_is_to_end_takes_nothing_more(start, sqlite_database):
    job_id = submit(sqlite_database)
    child = start()
    child.drain()
    child.work()
    assert JobStore(sqlite_database).get(job_id).state == "queued"


def test_a_successor_frees_and_charges_what_the_one_before_held_and_rings_for_it(
    start, fleet, sqlite_database, monkeypatch, rung
):
    fleet.report("wrk_1", hostname="h", pid=1, queues=["cpu"], engines=["echo"], weights=[], device=None)
    job_id = claimed(sqlite_database)
    monkeypatch.setenv("ATELIER_CHILD_DIED", "1")
    start()
    row = JobStore(sqlite_database).get(job_id)
    assert (row.state, row.failures, row.died_on) == ("queued", 1, "wrk_1")
    assert len(fleet.orders("wrk_1").suspected) == 1, "before it asks what is thought of it"
    assert rung == ["cpu"]


def test_a_first_child_frees_nothing(start, sqlite_database, rung):
    job_id = claimed(sqlite_database)
    start()
    assert JobStore(sqlite_database).get(job_id).state == "running"
    assert rung == []


def test_it_removes_what_killed_ones_left(start, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / "atelier-scratch-left"
    left.mkdir()
    start()
    assert not left.exists()


def test_a_release_that_is_ordered_reaches_the_runner(start, fleet, monkeypatch):
    monkeypatch.setattr(settings, "REPORT_SECONDS", 0.05)
    child = start()
    released = []
    monkeypatch.setattr(child.runner, "release", lambda: released.append(1))
    until(lambda: fleet.workers())
    fleet.drain("wrk_1", release=True)
    until(lambda: released)
