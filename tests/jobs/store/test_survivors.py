"""A worker that was cut off and lives takes its mark back; one that died cannot."""

from __future__ import annotations

import pytest

from jobs.store import MAX_FAILURES
from jobs.store.statements import JOBS


def claimed_by(store, worker_id):
    (row,) = store.claim(worker_id, "cpu", engines=["echo"], lease_seconds=60)
    return row


def test_a_survivor_s_mark_and_the_failure_with_it_are_gone(store, submit):
    job_id = submit().id
    claimed_by(store, "wrk_1")
    (lost,) = store.expire_leases(worker_id="wrk_1")
    assert (lost.died_on, lost.failures) == ("wrk_1", 1)
    store.survived(job_id, "wrk_1")
    after = store.get(job_id)
    assert (after.state, after.died_on, after.failures) == ("queued", None, 0)


def test_while_another_worker_runs_it_already_too(store, submit):
    job_id = submit().id
    claimed_by(store, "wrk_1")
    store.expire_leases(worker_id="wrk_1")
    claimed_by(store, "wrk_2")
    store.survived(job_id, "wrk_1")
    (lost,) = store.expire_leases(worker_id="wrk_2")
    assert (lost.state, lost.died_on, lost.failures) == ("queued", "wrk_2", 1), "one death, not two"


@pytest.mark.parametrize("who", ["wrk_2", "wrk_3"])
def test_nobody_takes_back_another_s_mark(store, submit, who):
    job_id = submit().id
    claimed_by(store, "wrk_1")
    store.expire_leases(worker_id="wrk_1")
    store.survived(job_id, who)
    assert (store.get(job_id).died_on, store.get(job_id).failures) == ("wrk_1", 1)


def test_a_job_that_ended_meanwhile_stays_as_it_ended(store, submit):
    job_id = submit().id
    for worker_id in ("wrk_1", "wrk_2"):
        claimed_by(store, worker_id)
        store.expire_leases(worker_id=worker_id)
    ended = store.get(job_id)
    assert (ended.state, ended.error_code) == ("failed", "poison_job")
    store.survived(job_id, "wrk_1")
    assert store.get(job_id) == ended


def test_a_mark_without_a_failure_leaves_none_below_zero(store, submit):
    job_id = submit().id
    store.database.write(lambda c: c.execute(JOBS.update().values(died_on="wrk_1", failures=0)))
    store.survived(job_id, "wrk_1")
    assert store.get(job_id).failures == 0


def test_two_different_deaths_are_a_poison_job_before_the_failures_are_used_up(store, submit):
    job_id = submit().id
    for worker_id in ("wrk_1", "wrk_2"):
        claimed_by(store, worker_id)
        (row,) = store.expire_leases(worker_id=worker_id)
    assert (row.id, row.error_code, row.died_on) == (job_id, "poison_job", "wrk_1")
    assert row.failures < MAX_FAILURES
