"""Whatever an engine does, its job ends as it should, and the worker lives."""

from __future__ import annotations

import pytest

from jobs.errors import Unavailable
from tests.workers.running import TEXT, Away, one, read


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
    monkeypatch.setattr("workers.runner.installed", lambda: here)
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
