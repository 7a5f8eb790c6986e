"""A worker rests when told, trusts itself no more after strangers' failures, owes nothing after an outage."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import update

from engines.base import BadInput, EngineError, OutOfMemory, Output, Transient
from fleet.store import FleetStore
from jobs.errors import Unavailable
from jobs.ids import new_id
from jobs.models import Job
from jobs.store import MAX_FAILURES
from storage.base import StorageUnavailable
from tests.jobs.conftest import owner
from workers import health, settings
from workers.context import InputAway
from workers.health import Health, blame
from workers.lease import Flag, Stop

TEXT = Output("a.txt", "text/plain", b"result")


class Guarded:
    """A bench whose worker has a row, and owners enough."""

    def __init__(self, bench) -> None:
        self.bench = bench
        self.store = bench.store
        self.health = bench.runner.health
        self.fleet = FleetStore(bench.store.database)
        self.report()
        self._owners = [owner(bench.store.database, f"owner {n}") for n in range(4)]

    def report(self):
        return self.health.report(
            hostname="h", pid=1, queues=["cpu"], engines=["scripted"], weights=[], device=None
        )

    def run(self, of: int = 0, **params):
        """A job of one of the owners, run to its end."""
        job_id = self.submit(of, **params)
        self.bench.runner.work()
        return self.store.get(job_id)

    def submit(self, of: int = 0, **params) -> str:
        return self.bench.submit(new={"owner_id": self._owners[of]}, **params)

    def attempt(self):
        """One attempt at the next job in line, whatever comes of it."""
        self.bench.runner.run(self.store.claim("wrk_1", "cpu", engines=["scripted"], lease_seconds=60))

    @property
    def suspected(self):
        return [self._owners.index(one) for one in self.fleet.orders("wrk_1").suspected]

    @property
    def quarantined(self):
        return self.fleet.orders("wrk_1").quarantined


@pytest.fixture
def guarded(bench, monkeypatch):
    monkeypatch.setattr(settings, "RETRY_BASE_SECONDS", 0.0)
    monkeypatch.setattr(settings, "WRITE_PATIENCE_SECONDS", 0.0)
    return lambda script, **spec: Guarded(bench(script, **spec))


def failing(error):
    def script(params, _context):
        if params.n:
            raise error
        yield TEXT

    return script


FAULTS = [
    pytest.param(ZeroDivisionError(), id="crash"),
    pytest.param(OutOfMemory("too big"), id="out of memory"),
    pytest.param(MemoryError(), id="no memory"),
    pytest.param(Transient("hiccup"), id="transient"),
]


class TestQuarantine:
    @pytest.mark.parametrize("error", FAULTS)
    def test_three_owners_failures_in_a_row_are_the_machine_s(self, guarded, error):
        made = guarded(failing(error))
        for of in (0, 1):
            made.run(of, n=1)
        assert (made.suspected, made.quarantined) == ([0, 1], False)
        made.run(2, n=1)
        assert made.quarantined
        assert made.run(3).state == "queued", "it claims nothing more"

    @pytest.mark.parametrize("error", FAULTS)
    def test_one_owner_alone_never_causes_it(self, guarded, error):
        made = guarded(failing(error))
        for _ in range(6):
            made.run(0, n=1)
        assert (made.suspected, made.quarantined) == ([0], False)
        assert made.run(1).state == "succeeded"

    def test_a_success_between_resets(self, guarded):
        made = guarded(failing(ZeroDivisionError()))
        made.run(0, n=1)
        made.run(1, n=1)
        made.run(2)
        assert made.suspected == []
        made.run(2, n=1)
        assert (made.suspected, made.quarantined) == ([2], False)

    @pytest.mark.parametrize(
        "error",
        [BadInput("dark"), EngineError("no"), InputAway("404"), StorageUnavailable("x"), Unavailable("x")],
    )
    def test_what_is_not_the_machine_s_fault_is_not(self, guarded, error):
        made = guarded(failing(error))
        for of in (0, 1, 2, 3):
            made.submit(of, n=1)
            made.attempt()
        assert (made.suspected, made.quarantined) == ([], False)

    def test_a_job_that_ran_too_long_or_was_refused_is_nobody_s_fault(self, guarded):
        made = guarded(failing(ZeroDivisionError()))
        for of, outcome in enumerate(["failed: timeout", "failed: invalid_params", "canceled", "released"]):
            made.health.judge(made.store.get(made.submit(of)), outcome)
        assert made.suspected == []

    def test_a_resume_lifts_it_and_the_worker_goes_on(self, guarded):
        made = guarded(failing(ZeroDivisionError()))
        for of in (0, 1, 2):
            made.run(of, n=1)
        waiting = made.submit(3)
        made.fleet.resume("wrk_1")
        made.report()
        made.bench.runner.work()
        assert made.store.get(waiting).state == "succeeded"

    def test_a_successor_of_a_dead_process_stays_in_it(self, guarded):
        made = guarded(failing(ZeroDivisionError()))
        for of in (0, 1, 2):
            made.fleet.suspect("wrk_1", made._owners[of])
        successor = Health(made.fleet, made.store, "wrk_1")
        assert not successor.ready()
        assert successor.resting

    def test_the_log_says_so_once(self, guarded, caplog):
        made = guarded(failing(ZeroDivisionError()))
        for of in (0, 1, 2):
            made.run(of, n=1)
        made.report()
        made.report()
        said = [record.msg["event"] for record in caplog.records if record.name == "workers.health"]
        assert said.count("quarantined") == 1


class TestBlame:
    def died(self, store, worker_id):
        return store.expire_leases(worker_id=worker_id)

    def claimed(self, made, worker_id):
        return made.store.claim(worker_id, "cpu", engines=["scripted"], lease_seconds=60)

    def test_a_death_is_a_reason_for_suspicion(self, guarded):
        made = guarded(failing(None))
        for of in (0, 1, 2):
            made.submit(of)
            self.claimed(made, "wrk_1")
            died = self.died(made.store, "wrk_1")
            made.store.cancel(died[0].id, None)
            blame(made.fleet, "wrk_1", died)
            assert made.quarantined is (of == 2)

    def test_a_death_among_several_says_nothing_of_any_of_them(self, guarded):
        made = guarded(failing(None), max_batch=4)
        for of in (0, 1, 2, 3):
            made.bench.submit(new={"owner_id": made._owners[of], "batch": "b", "batch_most": 4})
        assert len(self.claimed(made, "wrk_1")) == 4
        blame(made.fleet, "wrk_1", self.died(made.store, "wrk_1"))
        assert made.suspected == []

    def test_nor_does_the_last_one_left_of_a_batch(self, guarded):
        made = guarded(failing(None), max_batch=2)
        for of in (0, 1):
            made.bench.submit(new={"owner_id": made._owners[of], "batch": "b", "batch_most": 2})
        first, _ = self.claimed(made, "wrk_1")
        made.store.succeed(first.id, first.attempt, [])
        blame(made.fleet, "wrk_1", self.died(made.store, "wrk_1"))
        assert made.suspected == []

    def test_two_owners_poison_behind_strangers_jobs_quarantines_nobody(self, guarded):
        """It kills twice: first in a batch whose first job is somebody else's, then alone."""
        made = guarded(failing(None), max_batch=2)
        for innocent, guilty in ((0, 1), (2, 3)):
            both = [
                made.bench.submit(new={"owner_id": made._owners[of], "batch": f"b{of}", "batch_most": 2})
                for of in (innocent, guilty)
            ]
            together = update(Job).where(Job.id.in_(both)).values(batch="b")
            made.store.database.write(lambda c, together=together: c.execute(together))
            assert [row.id for row in self.claimed(made, "wrk_1")] == both
            blame(made.fleet, "wrk_1", self.died(made.store, "wrk_1"))
            made.store.cancel(both[0], None)
            (alone,) = self.claimed(made, "wrk_1")
            assert alone.id == both[1]
            blame(made.fleet, "wrk_1", self.died(made.store, "wrk_1"))
            made.store.cancel(both[1], None)
        assert (made.suspected, made.quarantined) == ([1, 3], False)

    def test_nobody_is_blamed_for_poison(self, guarded):
        made = guarded(failing(None))
        job_id = made.submit(0)
        made.fleet.report(
            "wrk_2", hostname="h", pid=2, queues=["cpu"], engines=["scripted"], weights=[], device=None
        )
        for worker_id in ("wrk_1", "wrk_2"):
            self.claimed(made, worker_id)
            blame(made.fleet, worker_id, self.died(made.store, worker_id))
        assert made.store.get(job_id).error_code == "poison_job"
        assert made.fleet.orders("wrk_1").suspected == ()
        assert made.fleet.orders("wrk_2").suspected == ()

    def test_a_job_that_was_to_be_canceled_anyway_blames_nobody(self, guarded):
        made = guarded(failing(None))
        job_id = made.submit(0)
        self.claimed(made, "wrk_1")
        made.store.cancel(job_id, None)
        blame(made.fleet, "wrk_1", self.died(made.store, "wrk_1"))
        assert made.suspected == []


class TestOrders:
    def test_a_drained_worker_claims_nothing_until_it_is_resumed(self, guarded):
        made = guarded(failing(None))
        made.fleet.drain("wrk_1")
        made.report()
        waiting = made.submit()
        assert made.bench.runner.work() == 0
        made.fleet.resume("wrk_1")
        made.report()
        assert made.bench.runner.work() == 1
        assert made.store.get(waiting).state == "succeeded"

    def test_a_running_job_goes_on_to_its_end(self, guarded):
        def script(_params, context):
            made.fleet.drain("wrk_1")
            made.report()
            context.progress(0.5)
            yield TEXT

        made = guarded(script)
        first, second = made.submit(), made.submit()
        assert made.bench.runner.work() == 1
        assert (made.store.get(first).state, made.store.get(second).state) == ("succeeded", "queued")

    def test_or_is_given_back_with_its_checkpoint(self, guarded):
        restored = []

        def script(_params, context):
            restored.append(context.restore())
            if made.report().releasing:
                made.bench.runner.release()
            context.progress(0.5, state=lambda: b"half")
            yield TEXT

        made = guarded(script)
        job_id = made.submit()
        made.health.ready()
        made.fleet.drain("wrk_1", release=True)
        made.bench.runner.work()
        row = made.store.get(job_id)
        assert (row.state, row.attempt, row.failures) == ("queued", 1, 0)
        made.fleet.resume("wrk_1")
        made.report()
        made.bench.runner.work()
        assert made.store.get(job_id).state == "succeeded"
        assert restored == [None, b"half"]

    def test_it_waits_while_it_rests_and_goes_on_when_it_may(self, guarded):
        made = guarded(failing(None))
        made.fleet.drain("wrk_1")
        made.report()
        threading.Timer(0.6, lambda: (made.fleet.resume("wrk_1"), made.report())).start()
        began = time.monotonic()
        assert made.health.pause(Flag())
        assert time.monotonic() - began >= 0.5

    def test_it_waits_no_longer_when_its_process_ends(self, guarded):
        made = guarded(failing(None))
        made.fleet.drain("wrk_1")
        made.report()
        ended = Flag()
        threading.Timer(0.3, ended.set).start()
        assert not made.health.pause(ended)

    def test_with_nothing_to_wait_for_it_does_not_wait(self, guarded):
        made = guarded(failing(None))
        made.bench.runner.work()
        began = time.monotonic()
        assert not made.health.pause(Flag())
        assert time.monotonic() - began < 0.2


class Away:
    """A database that is away for as long as `away` says."""

    def __init__(self, database, monkeypatch) -> None:
        self.away = False
        self.lose_answer = False
        write = database.write

        def flaky(work, **how):
            if self.away:
                raise Unavailable
            result = write(work, **how)
            if self.lose_answer:
                self.lose_answer = False
                raise Unavailable
            return result

        monkeypatch.setattr(database, "write", flaky)


class TestOutages:
    @pytest.fixture
    def away(self, sqlite_database, monkeypatch):
        monkeypatch.setattr(health, "ASK_AGAIN_SECONDS", 0.0)
        return Away(sqlite_database, monkeypatch)

    def test_a_storage_that_is_away_for_long_never_fails_a_job(self, guarded):
        made = guarded(failing(StorageUnavailable("away")))
        job_id = made.submit(n=1)
        for attempt in range(1, 4 * MAX_FAILURES):
            made.attempt()
            row = made.store.get(job_id)
            assert (row.state, row.attempt, row.failures) == ("queued", attempt, 0)
            assert row.error_code == "storage_unavailable"
        assert made.suspected == []

    def test_a_result_that_could_not_be_recorded_costs_its_job_nothing(self, guarded, away):
        def script(params, _context):
            away.away = bool(params.n) and not tries
            tries.append(1)
            yield TEXT

        tries: list[int] = []
        made = guarded(script)
        job_id = made.submit(n=1)
        made.bench.runner.work()
        away.away = False
        assert made.store.get(job_id).state == "running", "nobody could tell"
        assert made.health.pause(Flag()), "it is to try again"
        made.bench.runner.work()
        row = made.store.get(job_id)
        assert (row.state, row.attempt, row.failures, row.died_on) == ("succeeded", 2, 0, None)

    def test_a_claim_whose_answer_was_lost_is_undone_without_a_failure(self, guarded, away):
        made = guarded(failing(None))
        made.bench.runner.work()
        job_id = made.submit()
        away.lose_answer = True
        made.bench.runner.work()
        assert made.store.get(job_id).state == "running", "claimed, and nobody knows"
        assert made.health.pause(Flag())
        made.bench.runner.work()
        row = made.store.get(job_id)
        assert (row.state, row.attempt, row.failures, row.died_on) == ("succeeded", 2, 0, None)

    def test_who_was_cut_off_and_lives_takes_its_mark_back(self, guarded):
        def script(params, _context):
            if params.n and not lost:
                lost.extend(made.store.expire_leases(worker_id="wrk_1"))
            yield TEXT

        lost: list = []
        made = guarded(script)
        job_id = made.submit(n=1)
        made.bench.runner.work()
        assert (lost[0].died_on, lost[0].failures) == ("wrk_1", 1)
        row = made.store.get(job_id)
        assert (row.state, row.attempt, row.failures, row.died_on) == ("succeeded", 2, 0, None)

    def test_who_gave_up_without_the_database_gives_back_what_it_held(self, guarded):
        def script(params, context):
            if params.n and not told:
                told.append(context)
                context._lease._set(Stop.LOST)
            context.progress(0.5)
            yield TEXT

        told: list = []
        made = guarded(script)
        job_id = made.submit(n=1)
        made.bench.runner.work()
        row = made.store.get(job_id)
        assert (row.state, row.attempt, row.failures, row.died_on) == ("succeeded", 2, 0, None)

    def test_what_it_gives_back_wipes_out_no_real_death(self, guarded, away):
        def script(params, _context):
            away.away = bool(params.n) and not tries
            tries.append(1)
            yield TEXT

        tries: list[int] = []
        made = guarded(script)
        job_id = made.submit(n=1)
        made.store.claim("wrk_1", "cpu", engines=["scripted"], lease_seconds=60)
        made.store.expire_leases(worker_id="wrk_1")
        made.bench.runner.work()
        away.away = False
        made.bench.runner.work()
        row = made.store.get(job_id)
        assert (row.state, row.attempt, row.failures, row.died_on) == ("succeeded", 3, 1, "wrk_1")

    def test_while_the_database_is_away_nothing_is_claimed_and_it_tries_again(self, guarded, away):
        made = guarded(failing(None))
        job_id = made.submit()
        away.away = True
        assert made.bench.runner.work() == 0
        assert made.health.pause(Flag())
        away.away = False
        assert made.bench.runner.work() == 1
        assert made.store.get(job_id).state == "succeeded"

    def test_without_its_orders_it_claims_nothing(self, guarded, monkeypatch):
        made = guarded(failing(None))
        made.submit()
        fresh = Health(made.fleet, made.store, new_id("wrk"))

        def away(*_args):
            raise Unavailable

        monkeypatch.setattr(made.fleet, "orders", away)
        assert not fresh.ready()
        monkeypatch.undo()
        assert fresh.ready()
