"""What an attempt keeps, and how patient it is with a storage that is away."""

from __future__ import annotations

import pytest
import structlog

from engines.base import EngineError, Output
from jobs.errors import Unavailable
from storage.base import StorageUnavailable
from tests.workers.running import TEXT, Away, one
from workers import settings
from workers.attempt import Attempt, patiently
from workers.lease import Flag, Lease


def test_two_outputs_of_one_name_fail_rather_than_overwrite(bench):
    def script(_params, _context):
        yield TEXT
        yield TEXT

    assert bench(script).run().error_code == "engine_error"


def test_storage_away_at_the_write_is_waited_for(bench):
    made = bench(one)
    made.move_in(storage=Away(made.storage, StorageUnavailable("away"), put=2))
    assert made.run().state == "succeeded"


def test_storage_away_for_long_is_a_transient_error(bench, monkeypatch):
    monkeypatch.setattr(settings, "WRITE_PATIENCE_SECONDS", 0.5)
    made = bench(one)
    made.move_in(storage=Away(made.storage, StorageUnavailable("away"), put=99))
    job = made.run()
    assert (job.state, job.error_code) == ("queued", "storage_unavailable")


@pytest.fixture
def attempt(bench):
    """An attempt at a job that was claimed, entered."""
    made = bench(one)
    made.submit()
    (job,) = made.runner.claim("cpu")
    with Attempt(job, Lease(made.store, job.id, job.attempt, draining=Flag()), made.house) as entered:
        yield entered


def text(name, data=b"result"):
    return Output(name, "text/plain", data)


def test_what_was_kept_are_its_results_in_order(attempt):
    for name in ("b.txt", "a.txt"):
        attempt.keep(text(name))
    success = attempt.success
    assert (success.job_id, success.attempt) == (attempt.job.id, attempt.job.attempt)
    assert [one.name for one in success.artifacts] == ["b.txt", "a.txt"]
    assert success.artifacts[0].key == f"jobs/{attempt.job.id}/1/out/b.txt"
    assert not success.leftovers


def test_names_that_become_one_are_two_outputs_of_one_name(attempt):
    attempt.keep(text("a b.txt"))
    with pytest.raises(EngineError, match="two outputs"):
        attempt.keep(text("a_b.txt"))
    assert [one.name for one in attempt.success.artifacts] == ["a_b.txt"]


def test_what_is_forgotten_can_be_made_again(attempt):
    attempt.keep(text("a.txt", b"first"))
    attempt.forget()
    attempt.keep(text("a.txt", b"second"))
    (made,) = attempt.success.artifacts
    assert made.size == len(b"second")


def test_a_preview_is_a_leftover(attempt):
    attempt.context.progress(0.5, preview=lambda: b"jpeg")
    assert attempt.success.leftovers


def test_a_storage_that_is_away_is_not_waited_for_once_the_job_must_stop(attempt, monkeypatch):
    calls = []

    def away(*_, **__):
        calls.append(1)
        raise StorageUnavailable("away")

    monkeypatch.setattr("workers.attempt.store_output", away)
    attempt.lease.release()
    with pytest.raises(StorageUnavailable):
        attempt.keep(text("a.txt"))
    assert calls == [1]


def test_its_log_lines_name_the_job_and_the_attempt(attempt):
    with attempt.named():
        bound = structlog.contextvars.get_contextvars()
    assert (bound["job_id"], bound["attempt"], bound["engine"]) == (attempt.job.id, 1, "scripted")
    assert "job_id" not in structlog.contextvars.get_contextvars()


def test_it_says_where_it_ran(attempt):
    attempt.device, attempt.peak_memory = "cuda:0", 5
    assert attempt.ran == {"device": "cuda:0", "peak_memory": 5}


class TestPatiently:
    @pytest.fixture
    def time(self, monkeypatch):
        """A clock that only sleeping moves; it remembers the pauses."""

        class Time:
            def __init__(self):
                self.now, self.pauses = 0.0, []

            def monotonic(self):
                return self.now

            def sleep(self, seconds):
                self.pauses.append(seconds)
                self.now += seconds

        made = Time()
        monkeypatch.setattr("workers.attempt.time", made)
        return made

    def away(self, times):
        left = iter(range(times))

        def call():
            if next(left, None) is not None:
                raise Unavailable
            return "answer"

        return call

    def test_pauses_grow_to_a_bound(self, time):
        assert patiently(self.away(7), Unavailable) == "answer"
        assert time.pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]

    def test_patience_ends(self, time):
        with pytest.raises(Unavailable):
            patiently(self.away(1000), Unavailable)
        assert settings.WRITE_PATIENCE_SECONDS - 5 <= time.now <= settings.WRITE_PATIENCE_SECONDS

    def test_another_error_is_not_waited_for(self, time):
        with pytest.raises(Unavailable):
            patiently(self.away(1), StorageUnavailable)
        assert time.pauses == []

    def test_it_stops_when_there_is_nothing_to_wait_for(self, time):
        with pytest.raises(Unavailable):
            patiently(self.away(5), Unavailable, until=lambda: len(time.pauses) == 2)
        assert len(time.pauses) == 2
