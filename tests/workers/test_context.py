"""What a running engine gets from the house: inputs, scratch, progress, previews, checkpoints."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from engines.base import Interrupted, Output, Transient
from jobs.errors import LeaseLost, Unavailable
from jobs.files import FileStore
from storage.base import StorageUnavailable
from storage.memory import MemoryStorage
from tests.workers.running import TEXT, in_background, read, until
from workers import settings
from workers.context import JobContext, NetworkGone
from workers.lease import Stop


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


class Lease:
    """The orders and the reports of one."""

    def __init__(self) -> None:
        self.stop = None
        self.reports: list[tuple] = []

    def report(self, *what):
        self.reports.append(what)


class Checkpoints:
    """A store that is told where checkpoints are."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.error: Exception | None = None

    def save_checkpoint(self, _job_id, _attempt, key):
        if self.error is not None:
            raise self.error
        self.keys.append(key)


@pytest.fixture
def made():
    """A context with a storage in memory and everything else of the test's."""
    job = SimpleNamespace(id="job_1", attempt=2, owner_id="usr_1", checkpoint_key=None, progress=0.0)
    house = SimpleNamespace(store=Checkpoints(), storage=MemoryStorage())
    lease = Lease()
    context = JobContext(job, lease, house)
    return SimpleNamespace(job=job, house=house, lease=lease, context=context)


@pytest.mark.parametrize(
    ("told", "kept"), [(-1.0, 0.0), (0.5, 0.5), (2.0, 1.0)], ids=["below", "within", "above"]
)
def test_a_fraction_is_kept_within_its_bounds(made, told, kept):
    made.context.progress(told, "painting")
    assert made.lease.reports == [(kept, "painting", None)]


@pytest.mark.parametrize("told", [float("nan"), float("inf")], ids=str)
def test_one_that_is_no_number_is_not_reported(made, told):
    made.context.progress(told)
    assert made.lease.reports == []


def test_a_preview_is_shown_with_what_is_reported_and_made_now_and_then(made):
    calls = []
    for _ in range(3):
        made.context.progress(0.5, preview=lambda: (calls.append(1), b"jpeg")[1])
    assert calls == [1]
    assert [report[2] for report in made.lease.reports] == ["jobs/job_1/2/preview.jpg"] * 3
    assert made.context.stored_more


def test_a_preview_that_cannot_be_stored_is_no_matter(made, monkeypatch):
    def away(*_, **__):
        raise StorageUnavailable("away")

    monkeypatch.setattr(made.house.storage, "put", away)
    made.context.progress(0.5, preview=lambda: b"jpeg")
    assert made.lease.reports == [(0.5, "", None)]


class TestStops:
    @pytest.mark.parametrize("stop", Stop, ids=lambda stop: stop.value)
    def test_an_order_is_handed_on_and_remembered(self, made, stop):
        assert not made.context.interrupted
        made.lease.stop = stop
        with pytest.raises(Interrupted, match=stop.value):
            made.context.progress(0.5)
        assert made.context.interrupted
        assert made.lease.reports == []

    @pytest.mark.parametrize(
        ("stop", "saved"),
        [(stop, stop is Stop.RELEASED) for stop in Stop],
        ids=lambda v: getattr(v, "value", None),
    )
    def test_only_a_job_that_is_given_back_leaves_a_checkpoint(self, made, stop, saved):
        made.lease.stop = stop
        with pytest.raises(Interrupted):
            made.context.progress(0.5, state=lambda: b"half")
        assert made.house.store.keys == (["jobs/job_1/2/checkpoint"] if saved else [])

    def test_one_whose_checkpoint_belongs_to_another_stops(self, made, monkeypatch):
        monkeypatch.setattr(settings, "CHECKPOINT_SECONDS", -1.0)
        context = JobContext(made.job, made.lease, made.house)
        made.house.store.error = LeaseLost("gone")
        with pytest.raises(Interrupted):
            context.progress(0.5, state=lambda: b"half")

    def test_one_whose_checkpoint_cannot_be_written_goes_on(self, made, monkeypatch):
        monkeypatch.setattr(settings, "CHECKPOINT_SECONDS", -1.0)
        context = JobContext(made.job, made.lease, made.house)
        made.house.store.error = Unavailable("away")
        context.progress(0.5, state=lambda: b"half")
        assert len(made.lease.reports) == 1


def test_who_watches_hears_of_each_report_until_he_stops(made):
    heard = []
    with made.context.watched(lambda: heard.append(1)):
        made.context.progress(0.1)
        made.context.progress(0.2)
    made.context.progress(0.3)
    assert heard == [1, 1]
    with pytest.raises(ZeroDivisionError), made.context.watched(lambda: heard.append(2)):
        raise ZeroDivisionError
    made.context.progress(0.4)
    assert heard == [1, 1]


class TestRestore:
    def test_without_a_checkpoint_it_begins(self, made):
        assert made.context.restore() is None

    def test_an_earlier_attempt_s_is_there(self, made):
        made.context.progress(0.1)
        made.lease.stop = Stop.RELEASED
        with pytest.raises(Interrupted):
            made.context.progress(0.5, state=lambda: b"half")
        made.job.checkpoint_key = made.house.store.keys[0]
        assert JobContext(made.job, Lease(), made.house).restore() == b"half"

    def test_one_that_is_gone_is_begun_anew(self, made):
        made.job.checkpoint_key = "jobs/job_1/1/checkpoint"
        assert made.context.restore() is None


def test_a_network_that_was_not_pinned_is_refused(made):
    with pytest.raises(NetworkGone, match="not pinned"):
        made.context.network("net_1")


@pytest.mark.parametrize("error", [Transient("x"), TimeoutError("x")], ids=["transient", "timeout"])
def test_what_an_input_s_thread_raises_is_raised_to_the_engine(made, monkeypatch, error):
    def broken(*_):
        raise error

    monkeypatch.setattr(made.context, "_download", broken)
    try:
        with pytest.raises(type(error)):
            made.context.input("art_1")
    finally:
        made.context.close()
