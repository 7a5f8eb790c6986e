"""Nothing referenced is ever deleted, nothing unreferenced is kept: whatever happens, in whatever order."""

from __future__ import annotations

import io
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, text

from accounts.store import AccountStore
from jobs.errors import InUse, LeaseLost, NotFound, WrongState
from jobs.files import FileStore
from jobs.models import Artifact, Job
from jobs.store import JobStore, NewArtifact, NewJob
from storage.memory import MemoryStorage
from tests.examples import examples
from tests.jobs.ageing import pass_days
from tests.jobs.conftest import owner
from workers import settings as worker_settings
from workers.sweep import Sweeper

KEEP_DAYS = 3.0
#: One rule, and dice for what it does: of many rules hypothesis leaves most out of each example, and a result
#: that expires takes an upload, a submission, a claim, a success and time.
SEEDS = st.integers(0, 2**63)
#: What may happen, the ordinary more often.
CLIENTS = (
    *["upload", "submit", "submit"],
    *["begin_an_upload_and_hang_up", "cancel", "delete_job", "delete_file"],
)
WORKERS = (
    *["claim", "succeed", "succeed"],
    *["end_otherwise", "lose_the_lease", "write_after_that"],
)
HOUSE = ("clean", "expire", "a_day", "two_days", "a_day_passes_and_all_is_cleaned")


class House(RuleBasedStateMachine):
    """Two owners, one of whom keeps everything for ever; workers that die, hang and come back."""

    def __init__(self, database) -> None:
        super().__init__()
        for table in ("cleanups", "users"):
            database.write(lambda c, table=table: c.execute(text(f"DELETE FROM {table}")))
        self.database = database
        self.store = JobStore(database)
        self.files = FileStore(database)
        self.storage = MemoryStorage()
        self.sweeper = Sweeper(database, self.storage, doorbell=None)
        self.ada, self.bob = (owner(database, name) for name in ("ada", "bob"))
        for owner_id, days in ((self.ada, KEEP_DAYS), (self.bob, 0)):
            AccountStore(database).set_limits(owner_id, {"keep_days": days})
        #: Days that have passed.
        self.day = 0.0
        #: Of each job: the files it reads, and the day it ended; of each upload: the day it was made.
        self.inputs: dict[str, list[str]] = {}
        self.ended: dict[str, float] = {}
        self.uploads: dict[str, float] = {}
        #: The rows as they are.
        self.there: dict[str, Any] = {}
        self.jobs: dict[str, Any] = {}
        #: Files that a client deleted, by themselves or with their job.
        self.deleted: set[str] = set()
        #: The job of each result there ever was.
        self.results: dict[str, str] = {}
        #: (job, attempt, worker), and of lost ones the day.
        self.attempts: list[tuple[str, int, str]] = []
        self.zombies: list[tuple[tuple[str, int, str], float]] = []
        self.workers = 0

    @rule(seed=SEEDS)
    def something_happens(self, seed):
        """What cannot be done now is left."""
        dice = Random(seed)
        note(what := dice.choice(dice.choice((CLIENTS, CLIENTS, WORKERS, WORKERS, HOUSE))))
        getattr(self, what)(dice.randrange(256), dice.randrange(256))

    # --- clients -------------------------------------------------------------------------------

    def upload(self, n, _m):
        file_id = self.files.reserve()
        key = f"files/{file_id}/a.png"
        self.put(key)
        self.files.add(file_id, self.bob if n % 4 == 0 else self.ada, result(key))
        self.uploads[file_id] = self.day

    def begin_an_upload_and_hang_up(self, _n, _m):
        self.put(f"files/{self.files.reserve()}/a.png")

    def submit(self, n, m):
        there = list(self.there.values()) if n % 5 else []
        owner_id = there[n % len(there)].owner_id if there else self.ada
        wanted = {there[number % len(there)].id for number in (n, m) if there}
        mine = sorted(self.files.get_many(sorted(wanted), owner_id))
        new = NewJob(owner_id=owner_id, engine="e", queue="cpu", params={}, seed=1, inputs=mine)
        self.inputs[self.store.submit(new)[0].id] = mine

    def cancel(self, n, _m):
        if self.jobs:
            self.store.cancel(pick(self.jobs, n), None)

    def delete_job(self, n, _m):
        if self.jobs:
            job_id = pick(self.jobs, n)
            if self.tried(lambda: self.store.delete(job_id, None)):
                self.deleted |= {result for result, job in self.results.items() if job == job_id}

    def delete_file(self, n, _m):
        if self.there:
            file_id = pick(self.there, n)
            if self.tried(lambda: self.files.delete(file_id, None)):
                self.deleted.add(file_id)

    # --- workers -------------------------------------------------------------------------------

    def claim(self, n, _m):
        """And begin: with an output that has no row yet, a preview, a checkpoint, or not."""
        self.workers += 1
        worker = f"wrk_{self.workers}"
        for row in self.store.claim(worker, "cpu", engines=["e"], lease_seconds=3600):
            if row.checkpoint_key:
                self.storage.stat(row.checkpoint_key)  # what it goes on from is there
            attempt = (row.id, row.attempt, worker)
            for bit, name in enumerate(("out/0.txt", "preview.jpg", "checkpoint")):
                if n >> bit & 1:
                    self.put(key_of(attempt, name))
            if n & 4:
                self.store.save_checkpoint(row.id, row.attempt, key_of(attempt, "checkpoint"))
            self.attempts.append(attempt)

    def succeed(self, n, m):
        if not self.attempts:
            return self.claim(n, m)
        job_id, number, _ = attempt = self.attempts.pop(n % len(self.attempts))
        keys = [key_of(attempt, f"out/{one}.txt") for one in range(m % 3)]
        for key in keys:
            self.put(key)
        # `leftovers` is what a worker knows of itself: it stored more than its outputs.
        more = any(one.key not in keys for one in self.storage.list(f"jobs/{job_id}/{number}"))
        made = [result(key) for key in keys]
        if not self.tried(lambda: self.store.succeed(job_id, number, made, leftovers=more)):
            self.store.abandoned(job_id)

    def end_otherwise(self, n, m):
        if not self.attempts:
            return self.claim(n, m)
        job_id, number, _ = self.attempts.pop(n % len(self.attempts))
        ends = (
            lambda: self.store.fail(job_id, number, code="c", detail="d"),
            lambda: self.store.end_canceled(job_id, number),
            lambda: self.store.release(job_id, number),
            lambda: self.store.retry_later(job_id, number, code="c", detail="d", delay_seconds=0),
        )
        if not self.tried(ends[m % len(ends)]):
            self.store.abandoned(job_id)

    def lose_the_lease(self, n, m):
        if not self.attempts:
            return self.claim(n, m)
        attempt = self.attempts.pop(n % len(self.attempts))
        self.store.expire_leases(worker_id=attempt[2])
        self.zombies.append((attempt, self.day))

    def write_after_that(self, n, _m):
        """Within the grace a worker may be killed right then; a later one lives, and says that it stops."""
        if self.zombies:
            attempt, day = self.zombies.pop(n % len(self.zombies))
            self.put(key_of(attempt, "out/late.txt"))
            if self.day > day:
                self.store.abandoned(attempt[0])

    # --- the sweeper, and time -----------------------------------------------------------------

    def clean(self, _n, _m):
        self.sweeper.clean()

    def a_day(self, _n, _m, days=1.0):
        pass_days(self.database, days)
        self.day += days

    def two_days(self, n, m):
        self.a_day(n, m, 2.0)

    def expire(self, _n, _m):
        self.sweeper.expire()
        self.all_is_as_it_must_be()
        going_on = {i for job in self.jobs.values() if not job.finished_at for i in self.inputs[job.id]}
        read = {row.job_id for row in self.there.values() if row.id in going_on}
        for job in self.jobs.values():
            if job.owner_id == self.ada and self.day - self.ended.get(job.id, self.day) > KEEP_DAYS:
                assert job.data_removed or job.id in read
        for row in self.there.values():
            if row.owner_id == self.ada and row.job_id is None and row.id not in going_on:
                assert self.day - self.last_used(row.id) <= KEEP_DAYS

    def a_day_passes_and_all_is_cleaned(self, n, m):
        self.a_day(n, m)
        self.expire(n, m)
        self.sweeper.clean()
        assert self.files.orphans([one.key for one in self.storage.list("")]) == []

    # --- what must hold --------------------------------------------------------------------------

    @invariant()
    def all_is_as_it_must_be(self):
        self.there = {row.id: row for row in self.rows(Artifact)}
        self.jobs = {row.id: row for row in self.rows(Job)}
        self.every_row_has_its_object()
        self.what_can_still_run_has_its_inputs()
        self.no_job_s_results_go_before_their_time()
        self.no_file_goes_before_its_time()

    def every_row_has_its_object(self):
        for row in self.there.values():
            self.storage.stat(row.key)
            if row.job_id is not None:
                self.results[row.id] = row.job_id

    def what_can_still_run_has_its_inputs(self):
        for job in self.jobs.values():
            assert job.finished_at is not None or self.there.keys() >= set(self.inputs[job.id])

    def no_job_s_results_go_before_their_time(self):
        for job in self.jobs.values():
            if job.finished_at is not None:
                self.ended.setdefault(job.id, self.day)
            if job.data_removed:
                assert job.owner_id == self.ada
                assert self.day - self.ended[job.id] >= KEEP_DAYS

    def no_file_goes_before_its_time(self):
        for file_id in self.uploads.keys() - self.there.keys() - self.deleted:
            assert self.day - self.last_used(file_id) >= KEEP_DAYS
        for file_id in self.results.keys() - self.there.keys() - self.deleted:
            assert self.jobs[self.results[file_id]].data_removed

    # --- helpers ---------------------------------------------------------------------------------

    def last_used(self, file_id) -> float:
        """The day an upload was made, or the last of its readers ended that are still there."""
        readers = [job for job in self.jobs if file_id in self.inputs[job]]
        return max([self.uploads[file_id], *(self.ended.get(job, self.day) for job in readers)])

    def put(self, key):
        self.storage.put(key, io.BytesIO(b"x"))

    def rows(self, model):
        return self.database.read(lambda c: list(c.execute(select(model.__table__).order_by(model.id))))

    def tried(self, call) -> bool:
        """Whether it could be done."""
        try:
            call()
        except (NotFound, InUse, WrongState, LeaseLost):
            return False
        return True


def pick(things, n):
    return list(things)[n % len(things)]


def result(key):
    return NewArtifact(key.rpartition("/")[2], key, "text/plain", 1, "0" * 64)


def key_of(attempt, name):
    return f"jobs/{attempt[0]}/{attempt[1]}/{name}"


def test_nothing_referenced_is_deleted_and_nothing_else_is_kept(database, monkeypatch):
    monkeypatch.setattr(worker_settings, "EXPIRY_SECONDS", 0.0)
    run_state_machine_as_test(
        lambda: House(database),
        settings=settings(
            max_examples=examples(60) if database.is_sqlite else 25,
            stateful_step_count=50,
            # Without shrinking, which would take minutes where a failure's walk is short enough to read.
            phases=[Phase.generate],
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
