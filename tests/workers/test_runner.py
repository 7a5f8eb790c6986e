"""Whatever an engine does, its job ends as it should, and the worker lives."""

from __future__ import annotations

import pytest

from fleet.store import FleetStore
from jobs.errors import Unavailable
from tests.workers.running import TEXT, Away, one, read
from workers.runner import Runner


def test_a_result_is_stored_with_its_bytes_device_and_meta(bench):
    made = bench(one)
    job = made.run()
    (artifact,) = made.store.artifacts([job.id])[job.id]
    assert (job.state, job.attempt, job.device) == ("succeeded", 1, "test device")
    assert job.peak_memory > 2**20
    assert 0 < job.run_seconds < 60
    assert job.device_seconds == job.run_seconds
    assert (artifact.name, artifact.size, artifact.meta) == ("a.txt", 6, {"n": 1})
    assert read(made, artifact.key) == b"result"


def test_the_seed_reaches_the_engine(bench):
    seen = []

    def script(params, _context):
        seen.append((params.seed, params.n))
        yield TEXT

    bench(script).run(n=3)
    assert seen == [(7, 3)]


def test_database_away_at_the_claim_claims_nothing_and_loses_nothing(bench):
    made = bench(one)
    made.move_in(store=Away(made.store, Unavailable("away"), claim=1))
    assert made.run().state == "queued"
    made.runner.work()
    assert made.store.page(None)[0].state == "succeeded"


class Counting:
    """A store that counts how often each way of claiming was called."""

    def __init__(self, inner):
        self._inner = inner
        self.calls = []

    def __getattr__(self, name):
        if name in ("claim", "succeed_and_claim"):
            self.calls.append(name)
        return getattr(self._inner, name)


def test_the_next_job_is_claimed_with_the_end_of_the_last(bench):
    made = bench(one)
    counting = Counting(made.store)
    made.move_in(store=counting)
    for _ in range(3):
        made.submit()
    assert made.runner.work() == 3
    assert counting.calls == ["claim", "succeed_and_claim", "succeed_and_claim", "succeed_and_claim", "claim"]


def test_queues_are_served_in_turn_by_claims_with_an_end_as_well(bench):
    order = []

    def script(params, _context):
        order.append(params.n)
        yield TEXT

    made = bench(script)
    made.runner = Runner(made.house, worker_id="wrk_1", queues=["cpu", "gpu"], catalogue=made)
    for n in (1, 3, 5):
        made.submit(n=n)
        made.submit(n=n + 1, new={"queue": "gpu"})
    assert made.runner.work() == 6
    assert order == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("told", ["to drain", "to shut down"])
def test_a_worker_that_is_told_to_stop_claims_nothing_with_an_end(bench, told):
    def report():
        made.runner.health.report(
            hostname="h", pid=1, queues=["cpu"], engines=["scripted"], weights=[], device=None
        )

    def script(_params, _context):
        yield TEXT
        if told == "to drain":
            fleet.drain("wrk_1")
            report()
        else:
            made.runner.draining.set()

    made = bench(script)
    fleet = FleetStore(made.store.database)
    report()
    first, second = made.submit(), made.submit()
    assert made.runner.work() == 1
    assert [(row.state, row.attempt) for row in map(made.store.get, (first, second))] == [
        ("succeeded", 1),
        ("queued", 0),
    ]


def test_an_engine_whose_spec_breaks_fails_its_job_and_not_the_worker(bench, monkeypatch):
    made = bench(one)

    def broken(_name):
        raise NameError("half an upgrade")

    monkeypatch.setattr(made, "spec", broken)
    job = made.run()
    assert (job.state, job.error_code, job.attempt) == ("failed", "engine_crashed", 1)


def test_a_model_is_loaded_once_for_many_jobs(bench):
    made = bench(one)
    for _ in range(5):
        made.submit()
    assert made.runner.work() == 5
    assert made.engine.setups == 1


@pytest.mark.parametrize(
    ("here", "runs"),
    [
        ((), {"nothing"}),
        (("a",), {"nothing", "a"}),
        (("a", "b"), {"nothing", "a", "a and b"}),
        (("b", "c"), {"nothing"}),
    ],
    ids=["none", "some", "all", "others"],
)
def test_a_worker_takes_the_jobs_whose_needs_it_has(bench, monkeypatch, here, runs):
    # given: an engine that for some params needs one thing, and for others two
    monkeypatch.setattr("workers.runner.has", lambda: here)
    made = bench(one, needs=(frozenset("a"), frozenset("ab")))
    jobs = {
        "nothing": made.submit(),
        "a": made.submit(new={"weights": ["a"]}),
        "a and b": made.submit(new={"weights": ["b", "a"]}),
    }
    # when
    made.runner.work()
    # then
    assert {name for name, job_id in jobs.items() if made.store.get(job_id).state == "succeeded"} == runs
