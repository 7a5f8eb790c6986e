"""A child died: its jobs are free at once or as soon as the database answers; its successor keeps its own."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from structlog.testing import CapturingLogger

from fleet.store import FleetStore
from jobs.database import Database
from jobs.errors import Unavailable
from jobs.store import JobStore, NewJob
from tests.jobs.conftest import owner
from workers import lost_child, settings
from workers.lost_child import free_leases


@pytest.fixture
def away(monkeypatch):
    """Whether the database is away for whoever opens it anew, as a parent does."""

    class Away(Database):
        now = False
        closed = 0

        def write(self, work, **how):
            if Away.now:
                raise Unavailable
            return super().write(work, **how)

        def close(self):
            Away.closed += 1
            super().close()

    monkeypatch.setattr(lost_child, "Database", Away)
    monkeypatch.setattr(lost_child, "ASK_AGAIN_SECONDS", 0.1)
    return Away


@pytest.fixture
def store(sqlite_database, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", sqlite_database.url.render_as_string())
    monkeypatch.setenv("ATELIER_WORKER_ID", "wrk_1")
    FleetStore(sqlite_database).report(
        "wrk_1", hostname="h", pid=1, queues=["cpu"], engines=["e"], weights=[], device=None
    )
    return JobStore(sqlite_database)


def claimed(store, name="ada"):
    """A job of this owner that the worker runs."""
    new = NewJob(owner_id=owner(store.database, name), engine="e", queue="cpu", params={}, seed=1)
    store.submit(new)
    (row,) = store.claim("wrk_1", "cpu", engines=["e"], lease_seconds=60)
    return row


def suspected(store):
    return len(FleetStore(store.database).orders("wrk_1").suspected)


def closed(away):
    give_up = time.monotonic() + 10
    while not away.closed:
        assert time.monotonic() < give_up, "it tries for ever"
        time.sleep(0.02)


def test_its_job_is_free_at_once_and_the_worker_suspected(store, away):
    job = claimed(store)
    free_leases(charge=True)
    row = store.get(job.id)
    assert (row.state, row.failures, row.died_on, suspected(store)) == ("queued", 1, "wrk_1", 1)
    assert away.closed == 1


def test_a_child_that_was_ended_on_purpose_is_charged_to_nobody(store, away):
    job = claimed(store)
    free_leases(charge=False)
    assert (store.get(job.id).state, store.get(job.id).failures, suspected(store)) == ("queued", 0, 0)
    assert away.closed == 1


def test_after_an_outage_its_job_is_free_and_its_successor_keeps_its_own(store, away):
    job = claimed(store)
    time.sleep(0.05)
    away.now = True
    began = time.monotonic()
    free_leases(charge=True)
    assert time.monotonic() - began < 1.0, "the parent goes on"
    time.sleep(0.3)  # the new child starts, and the database is back before the parent hears of it
    theirs = claimed(store, "bob")
    assert store.get(job.id).state == "running"

    away.now = False
    closed(away)

    row = store.get(job.id)
    assert (row.state, row.failures, row.died_on) == ("queued", 0, None), "an outage blames nobody"
    assert suspected(store) == 0
    assert store.get(theirs.id).state == "running"


def test_it_gives_up_when_the_lease_is_long_over(store, away, monkeypatch):
    # Not what is printed: a logger that another test used first keeps writing where that one's output went.
    log = CapturingLogger()
    monkeypatch.setattr(lost_child, "_log", log)
    monkeypatch.setattr(settings, "WRITE_PATIENCE_SECONDS", 0.3)
    job = claimed(store)
    away.now = True
    free_leases(charge=True)
    closed(away)
    assert store.get(job.id).state == "running"
    assert "leases_left" in [call.args[0] for call in log.calls]


def test_a_pool_without_children_has_none_to_lose(store, away, monkeypatch):
    monkeypatch.delenv("ATELIER_WORKER_ID")
    job = claimed(store)
    free_leases(charge=True)
    assert (store.get(job.id).state, away.closed) == ("running", 0)


def test_who_waits_for_a_freed_job_is_woken_once_it_is_free(store, away):
    rung = []
    claimed(store)
    away.now = True
    free_leases(charge=True, ring=rung.append)
    assert rung == []
    away.now = False
    closed(away)
    assert rung == ["cpu"]


def test_nobody_is_woken_for_nothing(store, away):  # noqa: ARG001
    rung = []
    free_leases(charge=True, ring=rung.append)
    assert rung == []


@pytest.mark.parametrize(("told", "state"), [(b"\n", "queued"), (b"", "running")], ids=["told", "not told"])
def test_as_a_process_it_frees_when_it_is_told_and_charges_nobody(store, told, state):
    job = claimed(store)
    subprocess.run([sys.executable, "-m", "workers.lost_child"], input=told, check=True, timeout=60)
    row = store.get(job.id)
    assert (row.state, row.failures, row.died_on, suspected(store)) == (state, 0, None, 0)
