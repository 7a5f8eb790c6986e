"""Leases: renewed, watched for an order to stop, and the end of an engine that ignores it."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import DataError

from jobs.errors import LeaseLost, Unavailable
from jobs.store import JobStore
from tests.workers.running import TEXT, Away, in_background, one, steps, until
from workers import settings
from workers.lease import Flag, Keeper, Lease, Stop


def test_a_short_job_costs_no_write_between_its_claim_and_its_end(bench, monkeypatch):
    """The claim has said that nothing is done yet; the next word is due a while later."""
    monkeypatch.setattr(settings, "PROGRESS_SECONDS", 60.0)
    beats = []
    beat = JobStore.beat
    monkeypatch.setattr(JobStore, "beat", lambda *a, **k: (beats.append(k), beat(*a, **k))[1])

    def script(_params, context):
        context.progress(0.1)
        time.sleep(2.5 * settings.POLL_SECONDS)
        yield TEXT

    assert bench(script).run().state == "succeeded"
    assert [one for one in beats if one.get("progress") is not None] == []


def test_a_cancel_stops_a_running_job_within_two_seconds(bench):
    made = bench(steps(400))
    job_id = made.submit()
    thread = in_background(made)
    until(lambda: made.store.get(job_id).state == "running")
    began = time.monotonic()
    made.store.cancel(job_id, None)
    thread.join()
    assert made.store.get(job_id).state == "canceled"
    assert time.monotonic() - began < 2


def test_a_worker_that_lost_its_lease_stops_and_writes_nothing(bench):
    made = bench(steps(400))
    job_id = made.submit()
    thread = in_background(made)
    until(lambda: made.store.get(job_id).state == "running")
    made.store.expire_leases(worker_id="wrk_1")
    (taken,) = made.store.claim("wrk_2", "cpu", engines=["scripted"], lease_seconds=60)
    thread.join(timeout=5)
    assert not thread.is_alive()
    row = made.store.get(job_id)
    assert (row.state, row.attempt, row.lease_owner) == ("running", taken.attempt, "wrk_2")
    assert list(made.storage.list(f"jobs/{job_id}/1/out")) == []


def test_a_job_over_its_time_limit_fails_as_timeout(bench):
    job = bench(steps(400), time_limit=0.3).run()
    assert (job.state, job.error_code) == ("failed", "timeout")


def test_an_engine_that_ignores_everything_is_ended_with_its_process(bench, monkeypatch):
    made = bench(one)
    monkeypatch.setattr(settings, "HARD_STOP_SECONDS", 0.3)
    job_id = made.submit()
    (job,) = made.store.claim("wrk_1", "cpu", engines=["scripted"], lease_seconds=60)
    ended = threading.Event()
    codes = []

    def end(code):
        codes.append(code)
        ended.set()

    lease = Lease(made.store, job.id, job.attempt, draining=threading.Event(), end_process=end)
    with Keeper().keeping([lease]):
        lease.limit(0.2)
        assert ended.wait(5)
    assert codes[0] == 70
    assert made.store.get(job_id).error_code == "timeout"


def test_database_away_while_running_does_not_stop_the_job(bench):
    made = bench(steps(40))
    made.move_in(store=Away(made.store, Unavailable("away"), beat=3, cancel_requested=3))
    assert made.run().state == "succeeded"


def test_any_fault_of_the_database_leaves_the_lease_s_thread_alive(bench):
    """Without the thread nobody would renew, and nobody would hear of the cancel."""
    made = bench(steps(400))
    refused = DataError("UPDATE", {}, ValueError("refused"))
    made.move_in(store=Away(made.store, refused, beat=2, cancel_requested=2))
    job_id = made.submit()
    thread = in_background(made)
    until(lambda: made.store.get(job_id).state == "running")
    time.sleep(1.5)
    made.store.cancel(job_id, None)
    thread.join(timeout=5)
    assert made.store.get(job_id).state == "canceled"


class Database:
    """A store that answers as a test wants, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: Exception | None = None
        self.canceled = False

    def _answer(self, what):
        self.asked.append(what)
        if self.error is not None:
            raise self.error

    def beat(self, _job_id, _attempt, *, lease_seconds, progress=None, message=None, preview_key=None):  # noqa: ARG002
        self._answer("renew" if progress is None else f"report {progress}")
        return SimpleNamespace(cancel_requested=self.canceled)

    def cancel_requested(self, _job_id, _attempt):
        self._answer("look")
        return self.canceled

    def end_canceled(self, _job_id, _attempt):
        self._answer("end_canceled")

    def fail(self, _job_id, _attempt, *, code, detail):  # noqa: ARG002
        self._answer(f"fail {code}")

    def release(self, _job_id, _attempt):
        self._answer("release")


class TestOneBeat:
    """A lease without its thread, on a clock of the test's."""

    @pytest.fixture
    def clock(self, monkeypatch):
        made = SimpleNamespace(now=1000.0)
        monkeypatch.setattr("workers.lease.time", SimpleNamespace(monotonic=lambda: made.now))
        return made

    @pytest.fixture
    def database(self):
        return Database()

    @pytest.fixture
    def exits(self):
        return []

    @pytest.fixture
    def lease(self, clock, database, exits):  # noqa: ARG002  # it is begun now
        return Lease(database, "job_1", 1, draining=Flag(), end_process=exits.append)

    def test_it_looks_often_reports_sometimes_and_renews_before_it_is_late(self, lease, clock, database):
        for passed in (0.5, settings.PROGRESS_SECONDS, settings.PROGRESS_SECONDS + 0.5):
            clock.now = 1000.0 + passed
            lease.report(0.5, "half", None)
            assert lease.keep()
        clock.now += settings.RENEW_SECONDS
        lease._report = None
        assert lease.keep()
        assert database.asked == ["look", "report 0.5", "look", "renew"]

    def test_what_was_reported_is_written_once(self, lease, clock, database):
        lease.report(0.5, "half", None)
        for _ in range(2):
            clock.now += settings.PROGRESS_SECONDS
            lease.keep()
        assert [one for one in database.asked if one.startswith("report")] == ["report 0.5"]
        assert len(database.asked) == 2

    def test_a_cancel_is_heard_by_any_of_its_questions(self, lease, clock, database):
        assert lease.stop is None
        database.canceled = True
        clock.now += 0.5
        lease.keep()
        assert lease.stop is Stop.CANCELED

    def test_the_first_reason_to_stop_stays(self, lease, database):
        lease.release()
        database.canceled = True
        lease.keep()
        assert lease.stop is Stop.RELEASED

    def test_a_process_that_ends_releases_what_runs(self, clock, database):  # noqa: ARG002
        draining = Flag()
        lease = Lease(database, "job_1", 1, draining=draining)
        draining.set()
        assert lease.stop is Stop.RELEASED

    def test_one_that_belongs_to_another_is_lost(self, lease, database):
        database.error = LeaseLost()
        assert lease.keep(), "the database has answered"
        assert lease.stop is Stop.LOST

    def test_an_outage_is_sat_out_for_a_while_and_not_for_ever(self, lease, clock, database):
        database.error = Unavailable()
        clock.now += settings.GIVE_UP_SECONDS
        assert not lease.keep()
        assert lease.stop is None
        clock.now += 1
        lease.keep()
        assert lease.stop is Stop.LOST

    def test_without_a_question_only_the_clock_is_looked_at(self, lease, clock, database):
        lease.limit(10)
        clock.now += 11
        assert not lease.keep(ask=False)
        assert database.asked == []
        assert lease.stop is Stop.TIMED_OUT

    @pytest.mark.parametrize(
        ("stop", "written"),
        [
            (Stop.CANCELED, "end_canceled"),
            (Stop.TIMED_OUT, "fail timeout"),
            (Stop.RELEASED, "release"),
            (Stop.LOST, "release"),
        ],
        ids=lambda value: getattr(value, "value", value),
    )
    def test_an_engine_that_ignores_an_order_is_ended_with_what_it_means(
        self, lease, clock, database, exits, stop, written
    ):
        lease.engine_began()
        lease._set(stop)
        clock.now += settings.HARD_STOP_SECONDS
        lease.keep()
        assert exits == []
        clock.now += 1
        lease.keep(ask=False)
        assert exits == [70]
        assert database.asked[-1] == written

    def test_the_process_ends_although_that_cannot_be_written(self, lease, clock, database, exits):
        lease.release()
        database.error = Unavailable()
        clock.now += settings.HARD_STOP_SECONDS + 1
        lease.keep()
        assert exits == [70]

    def test_an_engine_that_goes_on_with_others_or_has_ended_is_left_alone(self, lease, clock, exits):
        lease.release()
        for _ in range(3):
            clock.now += settings.HARD_STOP_SECONDS - 1
            lease.engine_lives()
            lease.keep(ask=False)
        lease.engine_ended()
        clock.now += settings.HARD_STOP_SECONDS + 1
        lease.keep(ask=False)
        assert exits == []


def test_what_a_keeper_let_go_is_looked_at_no_more(monkeypatch):
    monkeypatch.setattr(settings, "POLL_SECONDS", 0.01)
    database = Database()
    keeper = Keeper()
    for _ in range(2):
        lease = Lease(database, "job_1", 1, draining=Flag())
        with keeper.keeping([lease]):
            before = len(database.asked)
            until(lambda before=before: len(database.asked) > before + 2)
        asked = len(database.asked)
        time.sleep(0.1)
        assert len(database.asked) == asked


def test_in_an_outage_several_leases_cost_one_question(monkeypatch):
    monkeypatch.setattr(settings, "POLL_SECONDS", 0.01)
    first, second = Database(), Database()
    first.error = Unavailable()
    leases = [Lease(each, "job_1", 1, draining=Flag()) for each in (first, second)]
    with Keeper().keeping(leases):
        until(lambda: len(first.asked) > 3)
    assert second.asked == []
