"""How many of an owner's jobs may wait: counted seldom, exact within a process."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event, insert, text

from accept import quota
from accept.quota import Quota
from accounts.store import AccountStore
from jobs.errors import NotFound, TooManyQueued
from jobs.models import Job
from jobs.store import JobStore, NewJob
from tests.jobs.ageing import pass_days
from tests.jobs.conftest import owner


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Process:
    """The quota of one API process, and what it lets through."""

    def __init__(self, database, clock):
        self.store = JobStore(database)
        self.quota = Quota(self.store, AccountStore(database), clock)
        self.counts = 0
        waiting = self.store.waiting

        def counted(*args):
            self.counts += 1
            return waiting(*args)

        self.store.waiting = counted

    def submit(self, owner_id):
        """Whether the job was accepted."""
        try:
            self.quota.check(owner_id)
        except TooManyQueued:
            return False
        self.store.submit(NewJob(owner_id=owner_id, engine="e", queue="cpu", params={}, seed=1))
        return True


@pytest.fixture
def capped(database):
    """An owner who may have 320 jobs waiting."""
    owner_id = owner(database)
    AccountStore(database).set_limits(owner_id, {"max_queued": 320})
    return owner_id


def test_one_process_is_exact_and_counts_seldom(database, capped):
    process = Process(database, Clock())
    assert [process.submit(capped) for _ in range(330)] == [True] * 320 + [False] * 10
    assert process.counts < 90, "20 at first, then a sixteenth of the room each; a refusal is remembered"
    assert process.store.waiting(capped, 1000) == 320


def test_several_processes_stay_within_a_sixteenth_of_the_cap_for_each_further_one(database, capped):
    """The worst order: all have counted while there was all the room, and one of them fills it."""
    processes = [Process(database, Clock()) for _ in range(4)]
    assert all(process.submit(capped) for process in processes)
    for process in processes:
        while process.submit(capped):
            pass
    waiting = processes[0].store.waiting(capped, 1000)
    assert 320 < waiting <= 320 + 3 * 320 // 16


def test_a_count_is_old_after_ten_seconds_and_a_refusal_after_one(database, capped):
    clock = Clock()
    first, second = Process(database, clock), Process(database, clock)
    assert first.submit(capped)
    while second.submit(capped):
        pass
    clock.now += quota.TTL + 0.1
    assert not first.submit(capped), "counted anew"

    second.store.cancel(second.store.page(capped, limit=1)[0].id, None)
    assert not first.submit(capped), "it was full a moment ago"
    clock.now += quota.FULL_TTL + 0.1
    assert first.submit(capped)


def test_without_a_cap_nothing_is_counted(database):
    owner_id = owner(database)
    AccountStore(database).set_limits(owner_id, {"max_queued": 0})
    process = Process(database, Clock())
    assert all(process.submit(owner_id) for _ in range(3))
    assert process.counts == 0


def test_a_count_that_was_overtaken_is_not_remembered(database, capped):
    """Another thread counted, and went on, while this one's count was on its way."""
    process = Process(database, Clock())
    slow = process.store.waiting

    def overtaken(*args):
        found = slow(*args)
        process.store.waiting = slow
        while process.submit(capped):
            pass
        return found

    process.store.waiting = overtaken
    assert process.submit(capped), "there was room when it was counted"
    assert not process.submit(capped)
    assert process.store.waiting(capped, 1000) == 321


def test_how_long_to_wait_is_how_often_a_job_ends(database, capped):
    process = Process(database, Clock())
    AccountStore(database).set_limits(capped, {"max_queued": 10})
    for _ in range(10):
        assert process.submit(capped)
    for _ in range(4):
        (row,) = process.store.claim("wrk_1", "cpu", engines=["e"], lease_seconds=60)
        process.store.succeed(row.id, row.attempt, [])
        pass_days(database, 5 / 86400)
    process.quota.forget(capped)
    for _ in range(4):
        assert process.submit(capped)
    with pytest.raises(TooManyQueued) as refused:
        process.quota.check(capped)
    assert 5 <= refused.value.extra["retry_after"] <= 6, "four in twenty seconds"
    pass_days(database, 1)
    process.quota.forget(capped)
    with pytest.raises(TooManyQueued) as refused:
        process.quota.check(capped)
    assert refused.value.extra["retry_after"] == quota.MOST_RETRY_SECONDS


def test_an_owner_who_is_not_there_is_somebody_else_s_to_refuse(database):
    process = Process(database, Clock())
    process.quota.check("usr_none")
    with pytest.raises(NotFound):
        process.quota.limits("usr_none")


def test_the_counts_stay_on_their_indexes(database):
    """With 20,000 jobs of 20 owners, in every state, neither reads the table from end to end."""
    store = JobStore(database)
    owners = [owner(database, f"o{n}") for n in range(20)]
    standings = [
        {"state": "queued", "hold": None, "turn": 7},
        {"state": "queued", "hold": "behind", "turn": None},
        {"state": "queued", "hold": "owner", "turn": None},
        {"state": "running", "hold": None, "turn": 7},
        {"state": "succeeded", "hold": None, "turn": None},
    ]

    def fill(connection):
        values = {"engine": "e", "queue": "cpu", "params": {}, "seed": 1}
        rows = [
            values | standings[n // 20 % 5] | {"id": f"job_{n:032x}", "owner_id": owners[n % 20]}
            for n in range(20_000)
        ]
        connection.execute(insert(Job), rows)

    database.write(fill)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    plans = []

    def explain(connection, _cursor, statement, parameters, _context, _many):
        cursor = connection.connection.cursor()
        cursor.execute(("EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN ") + statement, parameters)
        plans.append("\n".join(str(row) for row in cursor.fetchall()))
        cursor.close()

    event.listen(database.engine, "before_cursor_execute", explain)
    try:
        assert store.waiting(owners[3], 10_000) == 600
        assert store.standing(owners[3:5]) == {owners[3]: (600, 200), owners[4]: (600, 200)}
    finally:
        event.remove(database.engine, "before_cursor_execute", explain)
    for plan in plans:
        assert not re.search(r"Seq Scan on jobs|SCAN jobs\b(?! USING)", plan), plan
    (counting, *_) = plans
    assert "ix_jobs_turns" in counting, counting
    assert "ix_jobs_behind" in counting, counting
