"""What the sweeper does to jobs nobody looks after."""

from __future__ import annotations

from fleet.store import FleetStore
from jobs.store import MAX_FAILURES

LEASE = 30.0


def claim(store, worker="wrk_1", *, lease=LEASE, limit=1, queue="cpu", meets=()):
    return [
        row
        for _ in range(limit)
        for row in store.claim(worker, queue, engines=["echo"], meets=meets, lease_seconds=lease)
    ]


def test_a_poison_job_fails_as_worker_lost(store, submit):
    submit()
    for _ in range(MAX_FAILURES):
        claim(store, lease=-1)
        (row,) = store.expire_leases()
    assert (row.state, row.error_code, row.attempt) == ("failed", "worker_lost", MAX_FAILURES)
    assert claim(store) == []


def test_a_dead_worker_s_jobs_are_freed_before_their_lease_ends(store, submit):
    submit()
    claim(store, "wrk_dead")
    assert store.expire_leases() == []
    (row,) = store.expire_leases(worker_id="wrk_dead")
    assert row.state == "queued"


def test_a_worker_that_was_ended_on_purpose_costs_its_job_nothing(store, submit):
    submit()
    claim(store, "wrk_1")
    (row,) = store.expire_leases(worker_id="wrk_1", charge=False)
    assert (row.state, row.failures) == ("queued", 0)


def test_a_job_of_an_engine_that_was_removed_ends(store, submit):
    old, other = submit(engine="removed"), submit()
    assert store.fail_orphans(["echo"], after_seconds=60) == []
    (row,) = store.fail_orphans(["echo"], after_seconds=-1)
    assert (row.id, row.state, row.error_code) == (old.id, "failed", "engine_gone")
    assert store.get(other.id).state == "queued"


def test_of_a_lost_worker_its_own_report_says_on_what(store, submit):
    FleetStore(store.database).report(
        "wrk_1", hostname="h", pid=1, queues=["cpu"], engines=["echo"], weights=[], device="cuda: Y"
    )
    job = submit()
    row = claim(store, lease=-1)[0]
    store.cancel(job.id, None)
    (ended,) = store.expire_leases()
    assert (ended.state, ended.device, ended.message) == ("canceled", "cuda: Y", "")
    assert row.device is None


def test_a_canceled_job_whose_worker_dies_is_canceled_not_repeated(store, submit):
    job = submit()
    claim(store, lease=-1)
    store.cancel(job.id, None)
    assert store.expire_leases()[0].state == "canceled"
