"""How attempts end: each error and each order has its outcome, and an outage loses none."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from sqlalchemy.exc import DataError

from engines.base import Away as ServiceAway
from engines.base import BadInput, EngineError, Interrupted, OutOfMemory, Transient
from jobs.errors import LeaseLost, Unavailable
from storage.base import StorageUnavailable
from tests.workers.running import TEXT, Away, one
from workers import settings
from workers.attempt import Attempt
from workers.ending import Ending
from workers.lease import Flag, Lease, Stop


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("too dark"), "bad_input"),
        (OutOfMemory("too big"), "out_of_memory"),
        (EngineError("broken"), "engine_error"),
        (MemoryError(), "out_of_memory"),
        (ZeroDivisionError(), "engine_crashed"),
        (KeyError("x"), "engine_crashed"),
    ],
)
def test_an_error_fails_the_job_once_with_its_code_and_the_worker_goes_on(bench, error, code):
    def script(params, _context):
        if params.n == 1:
            raise error
        yield TEXT

    made = bench(script)
    job = made.run(n=1)
    assert (job.state, job.error_code, job.attempt) == ("failed", code, 1)
    assert "Traceback" not in job.error_detail
    assert made.run().state == "succeeded"


def test_a_transient_error_is_queued_again_with_a_growing_pause(bench):
    def script(_params, _context):
        raise Transient("hiccup")
        yield

    made = bench(script)
    job = made.run()
    assert (job.state, job.error_code, job.failures) == ("queued", "transient", 1)
    pause = (job.run_after - job.started_at).total_seconds()
    assert settings.RETRY_BASE_SECONDS * 0.5 <= pause <= settings.RETRY_BASE_SECONDS + 1


def test_parameters_that_an_older_api_let_through_fail_clearly(bench):
    job = bench(one).run(unknown=1)
    assert (job.state, job.error_code) == ("failed", "invalid_params")


def test_a_canceled_job_says_where_it_ran_and_no_more_what_it_is_doing(bench):
    def script(_params, context):
        made.store.cancel(job_id, None)
        while True:
            context.progress(0.2, "sleeping")
            time.sleep(0.02)
        yield

    made = bench(script)
    job_id = made.submit()
    made.runner.work()
    job = made.store.get(job_id)
    assert (job.state, job.device, job.message) == ("canceled", "test device", "")
    assert job.peak_memory > 2**20


def test_database_away_at_the_finish_is_waited_for(bench):
    made = bench(one)
    made.move_in(store=Away(made.store, Unavailable("away"), succeed=2, succeed_and_claim=1))
    assert made.run().state == "succeeded"
    assert made.store.page(None)[0].attempt == 1


def test_a_result_that_the_database_refuses_fails_the_job_once(bench):
    made = bench(one)
    refused = DataError("INSERT", {}, ValueError("refused"))
    made.move_in(store=Away(made.store, refused, succeed=99, succeed_and_claim=99))
    job = made.run()
    assert (job.state, job.error_code, job.attempt) == ("failed", "result_not_recorded", 1)


class Unheard:
    """A store that writes an end with a claim, and whose answer is lost."""

    def __init__(self, inner):
        self._inner = inner
        self.lost = []

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def succeed_and_claim(self, *args, **kwargs):
        self.lost += self._inner.succeed_and_claim(*args, **kwargs)
        raise Unavailable("the answer was lost")


def test_what_was_claimed_with_an_end_whose_answer_was_lost_is_given_back_uncharged(bench):
    """The end itself is found written; the claimed job runs in its next attempt."""
    made = bench(one)
    unheard = Unheard(made.store)
    made.move_in(store=unheard)
    first, second = made.submit(), made.submit()
    assert made.runner.work() == 2
    assert [job.id for job in unheard.lost] == [second]
    assert [(row.state, row.attempt, row.failures) for row in map(made.store.get, (first, second))] == [
        ("succeeded", 1, 0),
        ("succeeded", 2, 0),
    ]


def test_a_worker_that_records_an_outcome_is_not_ended_hard(bench, monkeypatch):
    """The database is away at the finish for longer than an engine may ignore an order to stop."""
    monkeypatch.setattr(settings, "HARD_STOP_SECONDS", 0.3)
    monkeypatch.setattr(settings, "GIVE_UP_SECONDS", 0.2)
    ends = []
    monkeypatch.setattr("workers.runner.Lease", lambda *a, **k: Lease(*a, **k, end_process=ends.append))
    made = bench(one)
    made.move_in(
        store=Away(
            made.store, Unavailable("away"), succeed=3, succeed_and_claim=1, cancel_requested=99, beat=99
        )
    )
    assert made.run().state == "succeeded"
    assert ends == []


class Judge:
    """What `workers.health` was told."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def judge(self, _job, outcome):
        self.outcomes.append(outcome)


@pytest.fixture
def ending(bench):
    """Ends the next attempt of a bench as a test says; `judged` is what became of it."""

    class Ended:
        def __init__(self) -> None:
            self.bench = bench(one)
            self.judge = Judge()

        def attempts(self, count=1, store=None, **new):
            for _ in range(count):
                self.bench.submit(new=new)
            house = self.bench.house if store is None else replace(self.bench.house, store=store)
            self.ending = Ending(house.store, self.judge)
            return [
                Attempt(job, Lease(house.store, job.id, job.attempt, draining=Flag()), house)
                for job in self.bench.runner.claim("cpu")
            ]

        def end(self, attempt, error):
            self.ending.end(attempt, error, time.monotonic())
            return self.bench.store.get(attempt.job.id)

    return Ended()


@pytest.mark.parametrize(
    ("order", "state", "outcome"),
    [
        (Stop.CANCELED, "canceled", "canceled"),
        (Stop.RELEASED, "queued", "released"),
        (Stop.TIMED_OUT, "failed", "failed: timeout"),
        (Stop.LOST, "running", "lease_lost"),
    ],
    ids=lambda value: getattr(value, "value", None),
)
def test_an_order_to_stop_has_its_outcome(ending, order, state, outcome):
    (attempt,) = ending.attempts()
    attempt.lease._set(order)
    assert ending.end(attempt, Interrupted(order.value)).state == state
    assert ending.judge.outcomes == [outcome]


def test_a_fault_that_comes_with_an_order_to_stop_is_the_order(ending):
    """What breaks while the job is given back is no failure of the job's."""
    (attempt,) = ending.attempts()
    attempt.lease.release()
    row = ending.end(attempt, Transient("the device was being closed"))
    assert (row.state, row.failures, ending.judge.outcomes) == ("queued", 0, ["released"])


@pytest.mark.parametrize(
    ("error", "code", "failures"),
    [
        (Transient("hiccup"), "transient", 1),
        (StorageUnavailable("away"), "storage_unavailable", 0),
        (Unavailable("away"), "unavailable", 0),
    ],
    ids=["engine", "storage", "database"],
)
def test_what_passes_is_tried_again_and_only_an_engine_s_fault_is_charged(ending, error, code, failures):
    (attempt,) = ending.attempts()
    row = ending.end(attempt, error)
    assert (row.state, row.error_code, row.failures) == ("queued", code, failures)
    assert ending.judge.outcomes == [f"retry: {code}"]


@pytest.mark.parametrize("error", [LeaseLost("gone"), Unavailable("away")], ids=["lost", "away"])
def test_what_cannot_be_written_is_left_to_the_lease(ending, monkeypatch, error):
    monkeypatch.setattr(settings, "WRITE_PATIENCE_SECONDS", 0.0)
    (attempt,) = ending.attempts(store=Away(ending.bench.store, error, succeed=99))
    assert ending.end(attempt, None).state == "running"
    assert ending.judge.outcomes == ["lease_lost" if isinstance(error, LeaseLost) else "not_recorded"]


TOGETHER = {"batch": "same", "batch_most": 4}


def together(ending, **failures):
    store = Away(ending.bench.store, **failures) if failures else None
    attempts = ending.attempts(3, store, **TOGETHER)
    assert len(attempts) == 3
    return attempts


def states(ending, attempts):
    return [ending.bench.store.get(attempt.job.id).state for attempt in attempts]


def test_several_end_well_in_one_write(ending):
    attempts = together(ending)
    ending.ending.succeed_together(attempts, time.monotonic())
    assert states(ending, attempts) == ["succeeded"] * 3
    assert ending.judge.outcomes == ["succeeded"] * 3


def test_none_end_well_without_a_write(ending):
    Ending(None, ending.judge).succeed_together([], time.monotonic())
    assert ending.judge.outcomes == []


def test_of_several_the_one_that_was_lost_is_told_apart(ending):
    attempts = together(ending)
    ending.bench.store.release(attempts[1].job.id, 1)
    ending.ending.succeed_together(attempts, time.monotonic())
    assert states(ending, attempts) == ["succeeded", "queued", "succeeded"]
    assert ending.judge.outcomes == ["succeeded", "lease_lost", "succeeded"]


def test_several_whose_write_is_refused_are_written_one_by_one(ending):
    refused = DataError("INSERT", {}, ValueError("refused"))
    attempts = together(ending, error=refused, succeed_together=1, succeed=1)
    ending.ending.succeed_together(attempts, time.monotonic())
    assert states(ending, attempts) == ["failed", "succeeded", "succeeded"]
    assert ending.judge.outcomes == ["failed: result_not_recorded", "succeeded", "succeeded"]


def test_several_that_cannot_be_written_are_all_left_to_their_leases(ending, monkeypatch):
    monkeypatch.setattr(settings, "WRITE_PATIENCE_SECONDS", 0.0)
    attempts = together(ending, error=Unavailable("away"), succeed_together=99)
    ending.ending.succeed_together(attempts, time.monotonic())
    assert states(ending, attempts) == ["running"] * 3
    assert ending.judge.outcomes == ["not_recorded"] * 3


def test_a_service_that_is_away_costs_neither_the_job_nor_the_worker_anything(bench):
    def script(_params, _context):
        raise ServiceAway("The service chat answered 503.")
        yield

    made = bench(script)
    for _ in range(5):
        job_id = made.submit()
        made.runner.work()
        job = made.store.get(job_id)
        assert (job.state, job.error_code, job.failures) == ("queued", "provider_unavailable", 0)
        assert job.error_detail == "The service chat answered 503."
    made.runner.health.report(
        hostname="h", pid=1, queues=["cpu"], engines=["scripted"], weights=[], device=None
    )
    (worker,) = made.house.fleet.workers()
    assert (worker.suspected, worker.quarantined_at) == ([], None)


@pytest.mark.parametrize(
    ("told", "least", "most"),
    [
        pytest.param(100.0, 100.0, 111.0, id="longer-than-ours"),
        pytest.param(0.0, 0.0, 5.0, id="at-once"),
        pytest.param(
            1e9, settings.RETRY_AFTER_CAP_SECONDS, settings.RETRY_AFTER_CAP_SECONDS * 1.1 + 1, id="ages"
        ),
    ],
)
def test_a_service_that_says_when_to_come_back_is_believed_within_bounds(bench, told, least, most):
    def script(_params, _context):
        raise ServiceAway("busy", retry_after=told)
        yield

    job = bench(script).run()
    pause = (job.run_after - job.started_at).total_seconds()
    assert least <= pause <= most


def test_a_job_of_a_service_that_is_away_is_canceled_when_it_was_asked_to_stop(bench):
    def script(_params, _context):
        made.store.cancel(job_id, None)
        raise ServiceAway("away")
        yield

    made = bench(script)
    job_id = made.submit()
    made.runner.work()
    assert made.store.get(job_id).state == "canceled"
