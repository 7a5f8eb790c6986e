"""Whatever an engine does, its job ends as it should, and the worker lives."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy.exc import DataError

from engines.base import BadInput, EngineError, OutOfMemory, Output, Transient
from jobs.errors import Unavailable
from jobs.files import FileStore
from jobs.store import JobStore
from storage.base import StorageUnavailable
from tests.patience import PATIENCE
from workers import settings
from workers.lease import Keeper, Lease

TEXT = Output("a.txt", "text/plain", b"result", meta={"n": 1})


def one(_params, _context):
    yield TEXT


def read(bench, key):
    with bench.storage.open(key) as stream:
        return stream.read()


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


def test_a_model_is_loaded_once_for_many_jobs(bench):
    made = bench(one)
    for _ in range(5):
        made.submit()
    assert made.runner.work() == 5
    assert made.engine.setups == 1


def test_an_output_may_be_a_file_in_scratch_and_scratch_is_gone_after(bench):
    folders = []

    def script(_params, context):
        folders.append(context.scratch)
        path = context.scratch / "big.bin"
        path.write_bytes(b"x" * 100)
        yield Output("big.bin", "application/octet-stream", path)

    job = bench(script).run()
    assert job.state == "succeeded"
    assert not folders[0].exists()


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


def test_two_outputs_of_one_name_fail_rather_than_overwrite(bench):
    def script(_params, _context):
        yield TEXT
        yield TEXT

    assert bench(script).run().error_code == "engine_error"


def test_an_output_s_name_cannot_leave_its_folder(bench):
    def script(_params, _context):
        yield Output("../../../etc/passwd", "text/plain", b"x")

    made = bench(script)
    job = made.run()
    (artifact,) = made.store.artifacts([job.id])[job.id]
    assert artifact.key == f"jobs/{job.id}/1/out/_.._.._etc_passwd"


def steps(count, pause=0.05):
    def script(_params, context):
        for step in range(count):
            context.progress(step / count, f"step {step}", state=str(step).encode)
            time.sleep(pause)
        yield TEXT

    return script


def in_background(made):
    thread = threading.Thread(target=made.runner.work)
    thread.start()
    return thread


def until(condition, seconds=PATIENCE):
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "did not come true in time"
        time.sleep(0.02)


def test_progress_and_preview_reach_the_row_while_it_runs(bench):
    def script(_params, context):
        for step in range(60):
            context.progress(step / 60, "painting", preview=lambda: b"jpeg bytes")
            time.sleep(0.05)
        yield TEXT

    made = bench(script)
    job_id = made.submit()
    thread = in_background(made)
    until(lambda: made.store.get(job_id).progress > 0.1)
    row = made.store.get(job_id)
    assert row.message == "painting"
    assert read(made, row.preview_key) == b"jpeg bytes"
    thread.join()
    assert made.store.get(job_id).state == "succeeded"


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


def test_draining_gives_the_job_back_with_its_checkpoint_and_the_next_attempt_goes_on(bench):
    resumed = []

    def script(_params, context):
        start = int(context.restore() or 0)
        resumed.append(start)
        for step in range(start, 20):
            context.progress(step / 20, state=str(step).encode)
            time.sleep(0.05)
        yield TEXT

    made = bench(script)
    job_id = made.submit()
    thread = in_background(made)
    until(lambda: made.store.get(job_id).state == "running")
    time.sleep(0.4)
    made.runner.draining.set()
    thread.join()
    row = made.store.get(job_id)
    assert (row.state, row.failures, made.runner.work()) == ("queued", 0, 0)

    made.runner.draining.clear()
    made.runner.work()
    assert made.store.get(job_id).state == "succeeded"
    assert resumed[0] == 0
    assert resumed[1] > 0


@pytest.mark.parametrize(("takes", "stored"), [(0.0, 50), (0.1, 1)])
def test_a_checkpoint_that_takes_long_is_stored_less_often(bench, monkeypatch, takes, stored):
    monkeypatch.setattr(settings, "CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr(settings, "CHECKPOINT_REST", 20.0 if takes else 0.0)
    saved = []

    def state():
        time.sleep(takes)
        saved.append(1)
        return b"state"

    def script(_params, context):
        for step in range(50):
            context.progress(step / 50, state=state)
        yield TEXT

    assert bench(script).run().state == "succeeded"
    assert len(saved) == stored


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


class Away:
    """A store or storage whose named methods fail a number of times before they work."""

    def __init__(self, inner, error, **failures):
        self._inner, self._error, self._failures = inner, error, failures

    def __getattr__(self, name):
        if self._failures.get(name, 0) > 0:
            self._failures[name] -= 1

            def fail(*_, **__):
                raise self._error

            return fail
        return getattr(self._inner, name)


def test_storage_away_at_the_write_is_waited_for(bench):
    made = bench(one)
    made.runner._storage = Away(made.storage, StorageUnavailable("away"), put=2)
    assert made.run().state == "succeeded"


def test_storage_away_for_long_is_a_transient_error(bench, monkeypatch):
    monkeypatch.setattr(settings, "WRITE_PATIENCE_SECONDS", 0.5)
    made = bench(one)
    made.runner._storage = Away(made.storage, StorageUnavailable("away"), put=99)
    job = made.run()
    assert (job.state, job.error_code) == ("queued", "storage_unavailable")


def test_database_away_at_the_finish_is_waited_for(bench):
    made = bench(one)
    made.runner._store = Away(made.store, Unavailable("away"), succeed=2)
    assert made.run().state == "succeeded"
    assert made.store.page(None)[0].attempt == 1


def test_database_away_at_the_claim_claims_nothing_and_loses_nothing(bench):
    made = bench(one)
    made.runner._store = Away(made.store, Unavailable("away"), claim=1)
    assert made.run().state == "queued"
    made.runner.work()
    assert made.store.page(None)[0].state == "succeeded"


def test_database_away_while_running_does_not_stop_the_job(bench):
    made = bench(steps(40))
    made.runner._store = Away(made.store, Unavailable("away"), beat=3, cancel_requested=3)
    assert made.run().state == "succeeded"


def test_any_fault_of_the_database_leaves_the_lease_s_thread_alive(bench):
    """Without the thread nobody would renew, and nobody would hear of the cancel."""
    made = bench(steps(400))
    refused = DataError("UPDATE", {}, ValueError("refused"))
    made.runner._store = Away(made.store, refused, beat=2, cancel_requested=2)
    job_id = made.submit()
    thread = in_background(made)
    until(lambda: made.store.get(job_id).state == "running")
    time.sleep(1.5)
    made.store.cancel(job_id, None)
    thread.join(timeout=5)
    assert made.store.get(job_id).state == "canceled"


def test_a_result_that_the_database_refuses_fails_the_job_once(bench):
    made = bench(one)
    made.runner._store = Away(made.store, DataError("INSERT", {}, ValueError("refused")), succeed=99)
    job = made.run()
    assert (job.state, job.error_code, job.attempt) == ("failed", "result_not_recorded", 1)


def test_what_an_engine_says_of_a_result_must_be_json(bench):
    def script(_params, _context):
        yield Output("a.txt", "text/plain", b"x", meta={"loss": float("nan")})

    job = bench(script).run()
    assert (job.state, job.error_code) == ("failed", "engine_error")


def test_an_engine_whose_spec_breaks_fails_its_job_and_not_the_worker(bench, monkeypatch):
    made = bench(one)

    def broken(_name):
        raise NameError("half an upgrade")

    monkeypatch.setattr(made, "spec", broken)
    job = made.run()
    assert (job.state, job.error_code, job.attempt) == ("failed", "engine_crashed", 1)


def test_a_slow_input_holds_neither_a_cancel_nor_the_worker(bench, monkeypatch):
    waited = threading.Event()

    def drip(_url, _path, **_limits):
        waited.wait(20)

    monkeypatch.setattr("workers.context.fetch", drip)

    def script(params, context):
        context.input(params.picture)
        yield TEXT

    made = bench(script)
    job_id = made.submit(picture="https://example.org/drip.png")
    thread = in_background(made)
    until(lambda: made.store.get(job_id).state == "running")
    began = time.monotonic()
    made.store.cancel(job_id, None)
    thread.join(timeout=5)
    waited.set()
    assert made.store.get(job_id).state == "canceled"
    assert time.monotonic() - began < 2


def test_a_worker_that_records_an_outcome_is_not_ended_hard(bench, monkeypatch):
    """The database is away at the finish for longer than an engine may ignore an order to stop."""
    monkeypatch.setattr(settings, "HARD_STOP_SECONDS", 0.3)
    monkeypatch.setattr(settings, "GIVE_UP_SECONDS", 0.2)
    ends = []
    monkeypatch.setattr("workers.runner.Lease", lambda *a, **k: Lease(*a, **k, end_process=ends.append))
    made = bench(one)
    made.runner._store = Away(made.store, Unavailable("away"), succeed=4, cancel_requested=99, beat=99)
    assert made.run().state == "succeeded"
    assert ends == []


def test_previews_and_checkpoints_of_a_quick_job_are_not_kept_for_ever(bench):
    def script(_params, context):
        context.progress(0.5, preview=lambda: b"jpeg")
        yield TEXT

    made = bench(script)
    job = made.run()
    files = FileStore(made.store.database)
    files.database.write(
        lambda c: c.exec_driver_sql("UPDATE cleanups SET due_at = '2000-01-01 00:00:00.000'")
    )
    assert [c.prefix for c in files.due_cleanups()] == [f"jobs/{job.id}"]


def test_an_output_never_shares_a_name_with_the_house_s_own_objects(bench):
    def script(_params, context):
        yield Output("preview.jpg", "text/plain", b"result")
        context.progress(0.9, preview=lambda: b"PREVIEW")

    made = bench(script)
    job = made.run()
    (artifact,) = made.store.artifacts([job.id])[job.id]
    assert read(made, artifact.key) == b"result"


def test_a_missing_input_fails_clearly(bench):
    def script(params, context):
        context.input(params.picture)
        yield TEXT

    job = bench(script).run(picture="art_0")
    assert (job.state, job.error_code) == ("failed", "bad_input")
    assert "no longer there" in job.error_detail


def test_a_private_url_is_refused_by_the_worker(bench):
    def script(params, context):
        context.input(params.picture)
        yield TEXT

    job = bench(script).run(picture="https://127.0.0.1/secret.png")
    assert (job.state, job.error_code) == ("failed", "bad_input")
