"""The life of a job, statement by statement, on both databases."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from accounts.store import AccountStore
from jobs.errors import InUse, LeaseLost, NotFound, WrongState
from jobs.files import FileStore
from jobs.states import Priority, State
from jobs.store import MAX_FAILURES, MAX_POSITION, Claim, NewArtifact, NewJob, Success, Wanted
from tests.jobs.conftest import owner

LEASE = 30.0
RESULT = NewArtifact("a.png", "jobs/x/1/a.png", "image/png", 3, "0" * 64)


def claim(store, worker="wrk_1", *, lease=LEASE, limit=1, queue="cpu", meets=()):
    return [
        row
        for _ in range(limit)
        for row in store.claim(worker, queue, engines=["echo"], meets=meets, lease_seconds=lease)
    ]


def history(store, job_id):
    return [(event.state, event.attempt, event.reason) for event in store.events(job_id)]


class TestClaim:
    def test_the_highest_priority_goes_first_then_the_oldest(self, store, submit):
        ids = [submit(priority=p).id for p in (Priority.NORMAL, Priority.HIGH) * 2]
        assert [claim(store)[0].id for _ in range(4)] == [ids[1], ids[3], ids[0], ids[2]]
        assert claim(store) == []

    def test_only_its_queue_its_engines_and_what_is_due(self, store, submit):
        submit(queue="gpu")
        submit(engine="other")
        job = submit()
        row = claim(store)[0]
        store.retry_later(job.id, row.attempt, code="x", detail="", delay_seconds=60)
        assert claim(store) == []

    def test_many_workers_at_once_never_share_a_job(self, store, submit):
        for _ in range(40):
            submit()
        taken: list[str] = []
        lock = threading.Lock()

        def work(number):
            while rows := claim(store, f"wrk_{number}", limit=3):
                with lock:
                    taken.extend(row.id for row in rows)

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))
        assert len(taken) == len(set(taken)) == 40

    def test_a_claim_starts_the_next_attempt(self, store, submit):
        job = submit()
        row = claim(store)[0]
        assert (row.id, row.state, row.attempt, row.lease_owner) == (job.id, "running", 1, "wrk_1")
        assert row.lease_until > row.started_at

    def test_a_job_goes_only_to_a_worker_that_has_its_weights(self, store, submit):
        job = submit(weights=["vgg19"])
        assert claim(store) == []
        assert claim(store, meets=[["other"], ["other", "vgg19"]]) == []
        assert [row.id for row in claim(store, meets=[["other"], ["vgg19"]])] == [job.id]


class TestFence:
    @pytest.mark.parametrize(
        "write",
        [
            lambda s, j, a: s.beat(j, a, lease_seconds=LEASE, progress=0.5),
            lambda s, j, a: s.cancel_requested(j, a),
            lambda s, j, a: s.save_checkpoint(j, a, "key"),
            lambda s, j, a: s.succeed(j, a, [RESULT]),
            lambda s, j, a: s.fail(j, a, code="x", detail=""),
            lambda s, j, a: s.retry_later(j, a, code="x", detail="", delay_seconds=0),
            lambda s, j, a: s.release(j, a),
            lambda s, j, a: s.end_canceled(j, a),
        ],
    )
    def test_a_worker_that_lost_its_lease_changes_nothing(self, store, submit, write):
        submit()
        zombie = claim(store, lease=-1)[0]
        store.expire_leases()
        owner_now = claim(store, "wrk_2")[0]

        with pytest.raises(LeaseLost):
            write(store, zombie.id, zombie.attempt)

        assert store.get(zombie.id)._asdict().items() <= owner_now._asdict().items()
        assert store.artifacts([zombie.id])[zombie.id] == []

    def test_success_repeated_after_a_lost_answer_is_one_success(self, store, submit):
        submit()
        row = claim(store)[0]
        store.succeed(row.id, row.attempt, [RESULT])
        store.succeed(row.id, row.attempt, [RESULT])
        assert len(store.artifacts([row.id])[row.id]) == 1
        assert [state for state, _, _ in history(store, row.id)] == ["queued", "running", "succeeded"]

    def test_an_attempt_that_was_lost_claims_nothing_with_its_end(self, store, submit):
        submit()
        waiting = submit()
        (lost,) = claim(store, lease=-1)
        store.expire_leases()
        with pytest.raises(LeaseLost):
            store.succeed_and_claim(Success(lost.id, 1, [RESULT]), Claim("wrk_1", "cpu", ["echo"], LEASE))
        assert [store.get(job_id).state for job_id in (lost.id, waiting.id)] == ["queued", "queued"]
        assert store.artifacts([lost.id])[lost.id] == []


class TestEnds:
    def test_the_end_of_a_capped_owner_s_job_makes_room_for_the_claim_that_comes_with_it(self, store):
        """Their next job enters the line by that end, in the same transaction."""
        capped = owner(store.database, "capped")
        AccountStore(store.database).set_limits(capped, {"max_running": 1})
        new = {"owner_id": capped, "engine": "echo", "queue": "cpu", "params": {}, "seed": 1}
        first, second = (store.submit(NewJob(**new))[0].id for _ in range(2))
        (running,) = claim(store, limit=2)
        wanted = Claim("wrk_1", "cpu", ["echo"], LEASE)
        (next_one,) = store.succeed_and_claim(Success(running.id, 1, [RESULT]), wanted)
        assert (running.id, next_one.id, next_one.attempt) == (first, second, 1)
        assert history(store, first)[-1] == ("succeeded", 1, None)
        assert history(store, second)[-1] == ("running", 1, None)

    def test_success_stores_state_and_results_together(self, store, submit):
        submit()
        row = claim(store)[0]
        done = store.succeed(row.id, row.attempt, [RESULT], device="cpu")
        assert (done.state, done.progress, done.device, done.lease_until) == ("succeeded", 1.0, "cpu", None)
        assert [a.name for a in store.artifacts([row.id])[row.id]] == ["a.png"]

    def test_a_transient_error_is_tried_three_times(self, store, submit):
        submit()
        for attempt in range(1, MAX_FAILURES + 1):
            row = claim(store)[0]
            assert row.attempt == attempt
            after = store.retry_later(row.id, row.attempt, code="transient", detail="x", delay_seconds=0)
        assert (after.state, after.error_code, after.failures) == ("failed", "transient", MAX_FAILURES)
        assert after.finished_at is not None

    def test_giving_back_counts_as_no_failure(self, store, submit):
        submit()
        for _ in range(MAX_FAILURES + 2):
            row = claim(store)[0]
            store.release(row.id, row.attempt)
        assert store.get(row.id).failures == 0
        assert history(store, row.id)[-1] == ("queued", MAX_FAILURES + 2, "released")

    def test_what_postgresql_cannot_store_is_left_out(self, store, submit):
        submit()
        row = claim(store)[0]
        store.beat(row.id, row.attempt, lease_seconds=LEASE, progress=0.1, message="a\0b")
        assert store.get(row.id).message == "ab"
        assert store.fail(row.id, row.attempt, code="x", detail="c\0d").error_detail == "cd"


class TestWhatAnEndedAttemptSays:
    """Of a job that runs no more nothing is told that contradicts it."""

    RAN = {"device": "cuda: X", "peak_memory": 5}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("leave", "state"),
        [
            (lambda s, j, a, ran: s.fail(j, a, code="x", detail="", **ran), "failed"),
            (lambda s, j, a, ran: s.release(j, a, **ran), "queued"),
            (lambda s, j, a, ran: s.retry_later(j, a, code="x", detail="", delay_seconds=0, **ran), "queued"),
            (lambda s, j, a, ran: s.cancel(j, None) and s.end_canceled(j, a, **ran), "canceled"),
            (lambda s, j, a, ran: s.cancel(j, None) and s.release(j, a, **ran), "canceled"),
        ],
    )
    def test_it_names_the_device_and_no_present_work(self, store, submit, leave, state):
        job = submit()
        row = claim(store)[0]
        store.beat(job.id, row.attempt, lease_seconds=LEASE, progress=0.2, message="sleeping")
        ended = leave(store, job.id, row.attempt, self.RAN)
        assert (ended.state, ended.message) == (state, "")
        assert (ended.device, ended.peak_memory) == ("cuda: X", 5)
        assert ended.progress == (0.0 if state == "queued" else 0.2)

    def test_an_attempt_that_knows_nothing_takes_nothing_away(self, store, submit):
        job = submit()
        store.release(job.id, claim(store)[0].attempt, **self.RAN)
        ended = store.fail(job.id, claim(store)[0].attempt, code="x", detail="")
        assert ended.device == "cuda: X"


class TestCancel:
    def test_a_queued_job_is_canceled_at_once(self, store, submit):
        job = submit()
        assert store.cancel(job.id, job.owner_id).state == "canceled"
        assert claim(store) == []

    def test_a_running_job_is_asked_and_its_worker_ends_it(self, store, submit):
        job = submit()
        row = claim(store)[0]
        asked = store.cancel(job.id, None)
        assert (asked.state, asked.cancel_requested) == ("running", True)
        assert store.beat(job.id, row.attempt, lease_seconds=LEASE).cancel_requested
        assert store.end_canceled(job.id, row.attempt).state == "canceled"

    @pytest.mark.parametrize(
        "leave",
        [
            lambda s, j, a: s.release(j, a),
            lambda s, j, a: s.retry_later(j, a, code="x", detail="x", delay_seconds=60),
        ],
    )
    def test_a_job_that_was_asked_to_stop_is_not_queued_again(self, store, submit, leave):
        job = submit()
        row = claim(store)[0]
        store.cancel(job.id, None)
        ended = leave(store, job.id, row.attempt)
        assert (ended.state, ended.error_code) == ("canceled", None)
        assert ended.finished_at is not None

    def test_a_cancel_between_two_states_is_never_lost(self, store, submit):
        """A worker gives the job back again and again while its owner cancels it."""
        job = submit()
        stop = threading.Event()

        def work():
            while not stop.is_set():
                for row in claim(store):
                    with contextlib.suppress(LeaseLost):
                        store.release(row.id, row.attempt)

        with ThreadPoolExecutor(1) as pool:
            working = pool.submit(work)
            store.cancel(job.id, None)
            give_up = time.monotonic() + 10
            while store.get(job.id).state != "canceled":
                assert time.monotonic() < give_up
            stop.set()
            working.result()

    def test_asking_twice_is_asking_once(self, store, submit):
        job = submit()
        claim(store)
        assert store.cancel(job.id, None).version == store.cancel(job.id, None).version

    def test_a_success_on_its_way_may_win(self, store, submit):
        job = submit()
        row = claim(store)[0]
        store.cancel(job.id, None)
        assert store.succeed(job.id, row.attempt, []).state == "succeeded"
        assert store.cancel(job.id, None).state == "succeeded"

    def test_another_owner_cannot(self, store, submit):
        job = submit()
        with pytest.raises(NotFound):
            store.cancel(job.id, owner(store.database, "bob"))
        assert store.get(job.id).state == "queued"


class TestReading:
    def test_position_counts_what_goes_first(self, store, submit):
        first, second = submit(), submit()
        urgent = submit(priority=Priority.HIGH)
        submit(queue="gpu", priority=Priority.HIGH)
        assert [store.position(job) for job in (urgent, first, second)] == [1, 2, 3]

    def test_position_is_bounded(self, store, submit):
        for _ in range(MAX_POSITION + 1):
            last = submit()
        assert store.position(last) == MAX_POSITION

    def test_pages_newest_first_without_overlap(self, store, submit):
        ids = [submit().id for _ in range(7)]
        seen, before = [], None
        while page := store.page(None, before=before, limit=3):
            seen += [job.id for job in page]
            before = page[-1].id
        assert seen == ids[::-1]

    def test_filters(self, store, submit):
        job, other = submit(), submit(engine="other")
        store.cancel(job.id, None)
        assert [j.id for j in store.page(None, Wanted(states=[State.CANCELED]))] == [job.id]
        assert [j.id for j in store.page(None, Wanted(engine="other"))] == [other.id]
        assert store.page(owner(store.database, "bob")) == []

    def test_versions_and_events_after_a_version(self, store, submit):
        job = submit()
        claim(store)
        assert store.versions([job.id, "job_none"]) == {job.id: 2}
        assert [event.version for event in store.events(job.id, after=1)] == [2]

    def test_figures(self, store, submit):
        submit()
        submit(queue="gpu")
        claim(store)
        assert store.due_by_queue() == {"gpu": 1}
        kept = sorted((part.engine, part.queue, part.state, part.jobs) for part in store.kept())
        assert kept == [("echo", "cpu", "running", 1), ("echo", "gpu", "queued", 1)]


class TestDelete:
    def test_a_final_job_goes_with_its_results_and_its_objects_are_to_be_deleted(self, store, submit):
        submit()
        row = claim(store)[0]
        store.succeed(row.id, row.attempt, [RESULT])
        store.delete(row.id, row.owner_id)
        with pytest.raises(NotFound):
            store.get(row.id)
        assert [c.prefix for c in FileStore(store.database).due_cleanups()] == [f"jobs/{row.id}"]

    def test_a_running_job_is_not_deleted(self, store, submit):
        submit()
        row = claim(store)[0]
        with pytest.raises(WrongState):
            store.delete(row.id, None)

    def test_a_result_that_a_waiting_job_reads_is_kept(self, store, submit):
        submit()
        row = claim(store)[0]
        store.succeed(row.id, row.attempt, [RESULT])
        result = store.artifacts([row.id])[row.id][0]
        reader = submit(inputs=[result.id])
        with pytest.raises(InUse):
            store.delete(row.id, None)
        store.cancel(reader.id, None)
        store.delete(row.id, None)
