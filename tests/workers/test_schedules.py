"""The chore that fires schedules: each due time one job, what was missed, what is refused, who dies."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

import engines
from accept import Means
from accounts.store import AccountStore
from engines.base import EngineSpec, Params
from jobs.errors import Unavailable
from jobs.models import Schedule
from jobs.store import JobStore
from schedules.keys import of_due_time, schedule_of
from schedules.store import MAX_REFUSALS, ScheduleStore
from schedules.times import times
from storage.memory import MemoryStorage
from tests.schedules.conftest import Bench
from workers.schedules import Schedules
from workers.sweep import Sweeper

OFTEN = "*/5 * * * *"


@pytest.fixture
def bench(sqlite_database) -> Bench:
    return Bench(sqlite_database)


@pytest.fixture
def both(database) -> Bench:
    """On each kind of database."""
    return Bench(database)


def chore(bench) -> Schedules:
    return Schedules(Means.build(JobStore(bench.database), MemoryStorage()))


def jobs(bench):
    """Oldest first."""
    return JobStore(bench.database).page(bench.owner_id)[::-1]


def due(bench, ago=timedelta(seconds=1), **values):
    """A schedule that has been due since the last of its times before then."""
    row = bench.create(**{"cron": OFTEN} | values)
    when = times(row.cron, row.zone)
    begin = datetime.now(UTC) - ago - timedelta(days=2)
    first = when.after(begin)
    assert first is not None
    at = when.latest(first, datetime.now(UTC) - ago)
    set_next(bench, row, at)
    return bench.store.get(row.id)


def set_next(bench, row, at):
    setting = update(Schedule).where(Schedule.id == row.id).values(next_at=at)
    bench.database.write(lambda c: c.execute(setting))


def test_what_is_due_is_made_and_due_again_later(bench):
    row, later = due(bench), bench.create()

    chore(bench).fire()
    chore(bench).fire()

    (job,) = jobs(bench)
    after = bench.store.get(row.id)
    assert job.idempotency_key == of_due_time(row.id, row.next_at)
    assert schedule_of(job.idempotency_key) == row.id
    assert (after.last_job_id, after.last_at, after.error_code) == (job.id, row.next_at, None)
    assert after.next_at == row.next_at + timedelta(minutes=5)
    assert bench.store.get(later.id) == later


def test_two_sweepers_that_fire_at_once_make_one_job_of_each_due_time(both):
    rows = [due(both) for _ in range(6)]
    chores = [chore(both) for _ in range(3)]
    gate = threading.Barrier(len(chores))

    def fire(one):
        gate.wait()
        one.fire()

    threads = [threading.Thread(target=fire, args=(one,)) for one in chores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    made = {job.idempotency_key: job.id for job in jobs(both)}
    assert len(jobs(both)) == len(rows)
    for row in rows:
        after = both.store.get(row.id)
        assert after.last_job_id == made[of_due_time(row.id, row.next_at)]
        assert after.next_at == row.next_at + timedelta(minutes=5)


def test_a_sweeper_that_dies_before_it_can_say_so_makes_no_second_job(bench, monkeypatch):
    row = due(bench)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ScheduleStore, "made", die)
        with pytest.raises(KeyboardInterrupt):
            chore(bench).fire()
    assert bench.store.get(row.id).next_at == row.next_at

    chore(bench).fire()
    (job,) = jobs(bench)
    assert bench.store.get(row.id).last_job_id == job.id


def test_what_was_due_while_nobody_swept_is_left_out(bench):
    row = due(bench, timedelta(days=1), cron="0 12 * * *")
    hour = (datetime.now(UTC) - timedelta(hours=2)).hour
    setting = update(Schedule).where(Schedule.id == row.id).values(cron=f"0 {hour} * * *")
    bench.database.write(lambda c: c.execute(setting))

    chore(bench).fire()

    after = bench.store.get(row.id)
    assert jobs(bench) == []
    assert (after.error_code, after.refusals, after.last_job_id) == ("missed", 0, None)
    assert after.next_at > datetime.now(UTC)


def test_or_made_up_for_once(bench):
    hour = (datetime.now(UTC) - timedelta(hours=2)).hour
    row = due(bench, timedelta(days=1), cron=f"0 {hour} * * *", misses="once")
    assert datetime.now(UTC) - row.next_at > timedelta(days=1)

    chore(bench).fire()
    chore(bench).fire()

    (job,) = jobs(bench)
    after = bench.store.get(row.id)
    assert job.idempotency_key == of_due_time(row.id, after.last_at)
    assert timedelta(hours=1) < datetime.now(UTC) - after.last_at < timedelta(hours=24)
    assert after.next_at > datetime.now(UTC)


@pytest.mark.parametrize("misses", ["skip", "once"])
def test_of_many_missed_ones_the_one_that_is_just_due_is_made(bench, misses):
    row = due(bench, timedelta(hours=20), misses=misses)

    chore(bench).fire()

    (job,) = jobs(bench)
    after = bench.store.get(row.id)
    assert datetime.now(UTC) - after.last_at < timedelta(minutes=5)
    assert job.idempotency_key == of_due_time(row.id, after.last_at)
    assert after.next_at == after.last_at + timedelta(minutes=5)


def test_what_is_refused_is_said_and_goes_on_and_at_last_pauses(bench):
    row = due(bench, params={"text": 7})
    fire = chore(bench).fire
    for n in range(MAX_REFUSALS):
        fire()
        after = bench.store.get(row.id)
        assert (after.error_code, after.refusals, after.last_at) == ("invalid_params", n + 1, row.next_at)
        assert "text" in after.error_detail
        if n + 1 < MAX_REFUSALS:
            assert after.next_at == row.next_at + timedelta(minutes=5)
            set_next(bench, row, row.next_at)
    assert (after.next_at, jobs(bench)) == (None, [])
    assert after.paused_at is not None


def test_one_that_is_refused_holds_up_no_other(bench):
    due(bench, params={"text": 7})
    due(bench, engine="gone")
    good = due(bench)
    chore(bench).fire()
    (job,) = jobs(bench)
    assert bench.store.get(good.id).last_job_id == job.id


def test_an_engine_whose_own_checks_break_is_a_refusal(bench, monkeypatch):
    def breaks(_params):
        raise ZeroDivisionError

    spec = EngineSpec("echo", "", "", ("text/plain",), {}, "cpu", Params, cost=breaks)
    monkeypatch.setattr(engines, "spec", lambda _name: spec)
    row = due(bench, params={})

    chore(bench).fire()
    after = bench.store.get(row.id)
    assert (after.error_code, after.refusals) == ("internal", 1)
    assert after.next_at > row.next_at


def test_a_full_queue_is_said(bench, monkeypatch):
    monkeypatch.setenv("ATELIER_MAX_QUEUED", "1")
    rows = [due(bench), due(bench)]
    chore(bench).fire()
    assert sorted(str(bench.store.get(row.id).error_code) for row in rows) == ["None", "too_many_queued"]


def test_nothing_is_made_for_an_owner_whose_keys_are_all_revoked(bench):
    accounts = AccountStore(bench.database)
    for key in accounts.keys(bench.owner_id):
        accounts.revoke(key.id)
    row = due(bench)

    chore(bench).fire()
    assert jobs(bench) == []
    assert bench.store.get(row.id).error_code == "no_key"


def test_what_is_due_stays_so_while_the_database_is_away(bench, monkeypatch):
    row = due(bench)

    def away(*_args, **_more):
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(JobStore, "submit", away)
        with pytest.raises(Unavailable):
            chore(bench).fire()
    assert bench.store.get(row.id) == row
    chore(bench).fire()
    assert len(jobs(bench)) == 1


def test_one_whose_zone_is_gone_pauses(bench):
    row = due(bench)
    setting = update(Schedule).where(Schedule.id == row.id).values(zone="Mars/Olympus")
    bench.database.write(lambda c: c.execute(setting))

    chore(bench).fire()
    after = bench.store.get(row.id)
    assert (after.next_at, after.error_code) == (None, "bad_schedule")
    assert after.paused_at is not None


def test_a_sweep_rings_for_what_it_fired(bench):
    class Doorbell:
        rung = 0

        def waiting(self, _queue):
            return 0

        def ring(self, _queue):
            self.rung += 1

    bell = Doorbell()
    due(bench)
    Sweeper(bench.database, MemoryStorage(), bell).sweep()  # type: ignore[arg-type]
    assert len(jobs(bench)) == 1
    assert bell.rung == 1
