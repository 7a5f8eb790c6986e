"""Jobs that run together: each keeps its own result, cancel and failure."""

from __future__ import annotations

import time
from contextlib import suppress
from types import SimpleNamespace

import pytest

from engines.base import BadInput, Interrupted, Output
from jobs.errors import Unavailable
from tests.jobs.conftest import owner
from workers import settings
from workers.attempt import Attempt
from workers.lease import Flag, Lease
from workers.together import Together

TOGETHER = {"batch": "same", "batch_most": 16}


def text(params) -> Output:
    return Output("a.txt", "text/plain", f"{params.n:g}".encode())


def alone(params, _context):
    if params.n == 13:
        raise BadInput("unlucky")
    yield text(params)


@pytest.fixture
def batches(bench):
    """A bench whose engine also runs batches, and remembers how large they were."""

    def make(together, script=alone):
        made = bench(script)
        made.sizes = []

        def run_batch(items):
            made.sizes.append(len(items))
            return together(items)

        made.engine.together = run_batch
        return made

    return make


def each(items):
    for index, (params, _) in enumerate(items):
        yield index, text(params)


def results(made, ids):
    found = {}
    for job_id in ids:
        for artifact in made.store.artifacts([job_id])[job_id]:
            with made.storage.open(artifact.key) as stream:
                found[job_id] = stream.read()
    return found


def states(made, ids):
    return [made.store.get(job_id).state for job_id in ids]


def test_jobs_of_several_owners_run_as_one_batch_and_each_gets_its_own(batches):
    made = batches(each)
    owners = [owner(made.store.database, name) for name in ("bob", "eve")]
    ids = [made.submit(n=n, new=TOGETHER | {"owner_id": owners[n % 2]}) for n in range(6)]
    assert made.runner.work() == 6
    assert made.sizes == [6]
    assert states(made, ids) == ["succeeded"] * 6
    assert results(made, ids) == {job_id: f"{n}".encode() for n, job_id in enumerate(ids)}
    rows = [made.store.get(job_id) for job_id in ids]
    assert {row.batch_size for row in rows} == {6}
    assert all(row.device_seconds == pytest.approx(row.run_seconds / 6) for row in rows)


def test_a_batch_is_no_larger_than_its_jobs_allow(batches):
    made = batches(each)
    for n in range(5):
        made.submit(n=n, new=TOGETHER | {"batch_most": 2})
    made.runner.work()
    assert made.sizes == [2, 2]  # and the fifth alone, which is no batch


def test_only_jobs_with_the_same_key_run_together(batches):
    made = batches(each)
    for n in range(4):
        made.submit(n=n, new=TOGETHER | {"batch": f"key{n % 2}"})
    made.submit(n=9)
    made.runner.work()
    assert made.sizes == [2, 2]


def test_an_error_in_an_output_s_place_fails_that_job_alone(batches):
    def together(items):
        for index, (params, _) in enumerate(items):
            yield index, (BadInput("this one") if params.n == 1 else text(params))

    made = batches(together)
    ids = [made.submit(n=n, new=TOGETHER) for n in range(3)]
    made.runner.work()
    assert states(made, ids) == ["succeeded", "failed", "succeeded"]
    assert made.store.get(ids[1]).error_code == "bad_input"
    assert made.store.artifacts([ids[1]])[ids[1]] == []


def test_a_batch_that_breaks_down_is_run_job_by_job(batches):
    def together(items):
        yield 0, text(items[0][0])
        raise ZeroDivisionError

    made = batches(together)
    ids = [made.submit(n=n, new=TOGETHER) for n in (12, 13, 14)]
    made.runner.work()
    assert states(made, ids) == ["succeeded", "failed", "succeeded"]
    assert made.store.get(ids[1]).error_code == "bad_input"
    assert results(made, ids) == {ids[0]: b"12", ids[2]: b"14"}
    assert {made.store.get(job_id).attempt for job_id in ids} == {1}


def test_parameters_that_do_not_fit_fail_their_own_job(batches):
    made = batches(each)
    ids = [made.submit(n=1, new=TOGETHER), made.submit(unknown=1, new=TOGETHER), made.submit(new=TOGETHER)]
    made.runner.work()
    assert states(made, ids) == ["succeeded", "failed", "succeeded"]
    assert made.sizes == [2]


def test_two_outputs_of_one_name_fail_their_own_job(batches):
    def together(items):
        yield from each(items)
        yield 0, text(items[0][0])

    made = batches(together)
    ids = [made.submit(n=n, new=TOGETHER) for n in range(2)]
    made.runner.work()
    assert states(made, ids) == ["failed", "succeeded"]


def slow(canceling):
    """A batch that takes two seconds, and leaves out the jobs that are told to stop."""

    def together(items):
        left = dict(enumerate(items))
        canceling()
        for step in range(40):
            for index, (_, context) in list(left.items()):
                try:
                    context.progress(step / 40, f"step {step}", state=str(step).encode)
                except Interrupted:
                    del left[index]
            time.sleep(0.05)
        yield from ((index, text(params)) for index, (params, _) in left.items())

    return together


def test_a_cancel_takes_one_job_out_of_its_batch(batches):
    ids = []
    made = batches(slow(lambda: made.store.cancel(ids[1], None)))
    ids += [made.submit(n=n, new=TOGETHER) for n in range(3)]
    made.runner.work()
    assert states(made, ids) == ["succeeded", "canceled", "succeeded"]
    assert made.store.get(ids[0]).progress == 1.0


def test_a_worker_that_shuts_down_gives_back_every_job_with_its_checkpoint(batches):
    made = batches(slow(lambda: made.runner.draining.set()))
    ids = [made.submit(n=n, new=TOGETHER) for n in range(3)]
    made.runner.work()
    assert states(made, ids) == ["queued"] * 3
    rows = [made.store.get(job_id) for job_id in ids]
    assert all(row.checkpoint_key and row.failures == 0 for row in rows)


def test_each_job_has_its_own_time_limit(batches):
    made = batches(slow(lambda: None))
    ids = [made.submit(new=TOGETHER | {"timeout_seconds": seconds}) for seconds in (None, 0.5, 60)]
    made.runner.work()
    assert states(made, ids) == ["succeeded", "failed", "succeeded"]
    assert made.store.get(ids[1]).error_code == "timeout"


class TestHardStop:
    """An engine that hangs is ended with its process; one that goes on with the other jobs does not hang."""

    @pytest.fixture
    def ended(self, monkeypatch):
        monkeypatch.setattr(settings, "HARD_STOP_SECONDS", 0.5)
        monkeypatch.setattr(settings, "POLL_SECONDS", 0.05)
        codes = []
        real = Lease.__init__
        monkeypatch.setattr(
            Lease, "__init__", lambda *args, **more: real(*args, **more, end_process=codes.append)
        )
        return codes

    def test_a_job_that_is_canceled_ends_at_once_and_its_batch_goes_on(self, batches, ended):
        ids, seen = [], []

        def together(items):
            yield from slow(lambda: made.store.cancel(ids[1], None))(items)
            seen.extend(states(made, ids))

        made = batches(together)
        ids += [made.submit(n=n, new=TOGETHER) for n in range(3)]
        made.runner.work()
        assert ended == []
        assert seen == ["running", "canceled", "running"]
        assert states(made, ids) == ["succeeded", "canceled", "succeeded"]

    def test_a_job_whose_results_are_made_waits_for_its_batch_in_peace(self, batches, ended):
        def together(items):
            yield 0, text(items[0][0])
            yield from ((index + 1, output) for index, output in slow(lambda: None)(items[1:]))

        made = batches(together)
        ids = [made.submit(n=n, new=TOGETHER | {"timeout_seconds": s}) for n, s in enumerate((0.3, None))]
        made.runner.work()
        assert ended == []
        assert states(made, ids) == ["succeeded"] * 2

    def test_an_engine_that_hangs_in_a_batch_is_ended(self, batches, ended):
        def together(items):
            time.sleep(1.5)
            yield from each(items)

        made = batches(together)
        for n in range(2):
            made.submit(n=n, new=TOGETHER | {"timeout_seconds": 0.2})
        made.runner.work()
        assert 70 in ended

    def test_jobs_of_a_batch_that_broke_wait_for_their_turn_in_peace(self, batches, ended):
        def together(_items):
            raise ZeroDivisionError
            yield

        def one(params, context):
            for step in range(16):
                context.progress(step / 16)
                time.sleep(0.05)
            yield text(params)

        made = batches(together, one)
        ids = [made.submit(n=n, new=TOGETHER | {"timeout_seconds": 1.2}) for n in range(4)]
        made.runner.work()
        assert ended == []
        assert states(made, ids) == ["succeeded"] * 4

    def test_one_that_is_canceled_while_it_waits_for_its_turn_is_not_begun(self, batches, ended):
        def together(_items):
            raise ZeroDivisionError
            yield

        def one(params, context):
            begun.append(params.n)
            made.store.cancel(ids[1], None)
            for _ in range(20):
                context.progress(0)
                time.sleep(0.05)
            yield text(params)

        ids, begun = [], []
        made = batches(together, one)
        ids += [made.submit(n=n, new=TOGETHER) for n in range(3)]
        made.runner.work()
        assert ended == []
        assert begun == [0, 2]
        assert states(made, ids) == ["succeeded", "canceled", "succeeded"]


def test_a_batch_that_lost_its_leases_changes_nothing(batches):
    def lose():
        for job_id in ids:
            made.store.expire_leases(worker_id="wrk_1", charge=False)
            assert made.store.get(job_id).state == "queued"

    ids = []
    made = batches(slow(lose))
    ids += [made.submit(n=n, new=TOGETHER) for n in range(2)]
    made.runner.run(made.runner.claim("cpu"))
    assert states(made, ids) == ["queued"] * 2
    assert results(made, ids) == {}


def test_a_database_that_is_away_for_a_moment_loses_no_batch(batches, monkeypatch):
    made = batches(each)
    ids = [made.submit(n=n, new=TOGETHER) for n in range(2)]
    real = made.house.store.succeed_together
    failing = iter([True, True])

    def flaky(*args, **kwargs):
        if next(failing, False):
            raise Unavailable
        return real(*args, **kwargs)

    monkeypatch.setattr(made.house.store, "succeed_together", flaky)
    made.runner.work()
    assert states(made, ids) == ["succeeded"] * 2


def test_a_job_whose_worker_died_runs_alone_from_then_on(batches):
    made = batches(each)
    ids = [made.submit(n=n, new=TOGETHER) for n in range(3)]
    made.runner.claim("cpu")
    made.store.expire_leases(worker_id="wrk_1")
    made.runner.work()
    assert states(made, ids) == ["succeeded"] * 3
    assert made.sizes == []


class Endings:
    """Stands for `workers.ending`: what was written, in order."""

    def __init__(self) -> None:
        self.written: list[tuple[str, object]] = []

    def end(self, attempt, error, _began):
        self.written.append((attempt.job.id, error))

    def succeed_together(self, attempts, _began):
        if attempts:
            self.written.append(("together", [attempt.job.id for attempt in attempts]))


class TestByItself:
    """One batch of three, and nothing else of the house."""

    @pytest.fixture
    def ending(self):
        return Endings()

    @pytest.fixture
    def attempts(self, bench):
        made = bench(alone)
        for n in range(3):
            made.submit(n=n, new=TOGETHER)
        house = made.house
        return [
            Attempt(job, Lease(house.store, job.id, job.attempt, draining=Flag()), house)
            for job in made.runner.claim("cpu")
        ]

    def run(self, attempts, ending, run_batch, *, refuse=()):
        class Engine:
            device = "test device"

            def run_batch(self, items):
                return run_batch(items)

        class Loaded:
            def prepare(self, attempt):
                if attempt in refuse:
                    raise ZeroDivisionError
                return Engine(), SimpleNamespace(n=attempts.index(attempt))

        return Together(attempts, Loaded(), ending).run()

    def test_what_came_out_well_is_one_write_and_is_written_first(self, attempts, ending):
        def some(items):
            for index, (params, _) in enumerate(items):
                yield index, BadInput("no") if params.n == 1 else text(params)

        assert self.run(attempts, ending, some) == []
        (together, whole), (job_id, error) = ending.written
        assert (together, whole) == ("together", [attempts[0].job.id, attempts[2].job.id])
        assert (job_id, type(error)) == (attempts[1].job.id, BadInput)
        assert all(attempt.peak_memory for attempt in attempts)

    def test_none_that_is_ready_calls_no_engine(self, attempts, ending):
        called = []
        assert self.run(attempts, ending, called.append, refuse=attempts) == []
        assert called == []
        assert [type(error) for _, error in ending.written] == [ZeroDivisionError] * 3

    def test_of_one_that_broke_those_are_left_that_nothing_else_stands_in_the_way_of(self, attempts, ending):
        def broken(items):
            assert len(items) == 2
            yield 0, BadInput("no")
            raise MemoryError

        first, second, third = attempts
        assert self.run(attempts, ending, broken, refuse=[first]) == [third]
        assert [(job_id, type(error)) for job_id, error in ending.written] == [
            (first.job.id, ZeroDivisionError),
            (second.job.id, BadInput),
        ]

    def test_who_stops_ends_once_and_at_once_and_is_watched_no_more(self, attempts, ending):
        seen = []

        def one_stops(items):
            attempts[1].lease.release()
            for step in range(3):
                for index, (_, context) in enumerate(items):
                    if index == 1 and step:
                        continue
                    with suppress(Interrupted):
                        context.progress(step / 3)
            seen.extend(ending.written)
            yield from ((index, text(params)) for index, (params, _) in enumerate(items))

        assert self.run(attempts, ending, one_stops) == []
        assert [(job_id, type(error)) for job_id, error in seen] == [(attempts[1].job.id, Interrupted)]
        assert ending.written[1:] == [("together", [attempts[0].job.id, attempts[2].job.id])]
        attempts[0].context.progress(1.0)
        assert len(ending.written) == 2
