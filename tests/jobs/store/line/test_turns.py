"""Nobody gets more than their share by a trick: what an owner was given is remembered."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from jobs.models import Flow, Job
from jobs.states import Priority
from tests.jobs.conftest import owner


@pytest.fixture
def tricky(store):
    return owner(store.database, "tricky")


@pytest.fixture
def others(store, submit):
    """Five owners with plenty of jobs each."""
    names = [owner(store.database, f"other {n}") for n in range(5)]
    for name in names:
        for _ in range(30):
            submit(owner_id=name)
    return names


def run_one(store):
    """One worker's next job, which is over at once; its owner."""
    (row,) = store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
    store.succeed(row.id, row.attempt, [])
    return row.owner_id


def share(store, tricky, trick, turns=60):
    """How many of so many turns the tricky owner gets, who plays the trick before each."""
    count = 0
    for _ in range(turns):
        trick()
        count += run_one(store) == tricky
    return count


FAIR = 60 // 6


def test_jobs_that_are_submitted_at_once_get_turns_of_their_own(store, submit, tricky):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: submit(owner_id=tricky), range(80)))
    turns = Counter(store.database.read(lambda c: list(c.execute(select(Job.turn)).scalars())))
    assert max(turns.values()) == 1


@pytest.mark.usefixtures("others")
def test_bursts_of_urgent_jobs_go_ahead_once(store, submit, tricky):
    def burst():
        if store.waiting(tricky, 100) == 0:
            for _ in range(10):
                submit(owner_id=tricky, priority=Priority.HIGH)

    assert share(store, tricky, burst) <= 10 + FAIR


@pytest.mark.usefixtures("others")
def test_urgent_jobs_one_at_a_time_go_ahead_once(store, submit, tricky):
    def one():
        if store.waiting(tricky, 100) == 0:
            submit(owner_id=tricky, priority=Priority.HIGH)

    assert share(store, tricky, one) <= 10 + FAIR


@pytest.mark.usefixtures("others")
def test_three_priorities_are_one_owner(store, submit, tricky):
    for _ in range(40):
        for priority in Priority:
            submit(owner_id=tricky, priority=priority)
    share(store, tricky, lambda: None)  # the urgent ones have gone ahead
    assert share(store, tricky, lambda: None) <= FAIR + 4


@pytest.mark.usefixtures("others")
def test_canceling_does_not_bring_the_next_job_forward(store, submit, tricky):
    for _ in range(60):
        submit(owner_id=tricky)
    spare = [submit(owner_id=tricky).id for _ in range(60)]
    assert share(store, tricky, lambda: store.cancel(spare.pop(), None)) <= FAIR + 1


@pytest.mark.usefixtures("others")
def test_an_old_job_that_is_released_from_hold_does_not_go_before_the_others(store, submit, tricky):
    # The others' jobs are younger than these, as ids go.
    old = [submit(owner_id=tricky, held=True, id=f"job_{n:032x}").id for n in range(60)]
    assert share(store, tricky, lambda: store.release_hold(old.pop(), None)) <= FAIR + 1


@pytest.mark.usefixtures("others")
def test_who_cancels_everything_and_starts_again_lost_nothing(store, submit, tricky):
    for _ in range(30):
        store.cancel(submit(owner_id=tricky).id, None)
    job = submit(owner_id=tricky)
    first = [store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)[0].id for _ in range(6)]
    assert job.id in first


def test_a_gap_is_closed_wherever_it_is(store, submit, tricky):
    ids = [submit(owner_id=tricky).id for _ in range(8)]
    for job_id in (ids[0], ids[3], ids[7]):
        store.cancel(job_id, None)
    left = [ids[n] for n in (1, 2, 4, 5, 6)]
    assert [store.get(job_id).turn for job_id in left] == [0, 1, 2, 3, 4]
    assert store.database.read(lambda c: c.execute(select(Flow.turn)).scalar_one()) == 4
    assert submit(owner_id=tricky).turn == 5
