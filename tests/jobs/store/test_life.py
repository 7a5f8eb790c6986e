"""A model of the whole life of jobs, driven at random: in whatever order, the promises hold."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from jobs.database import Database
from jobs.errors import LeaseLost
from jobs.states import FINAL, TRANSITIONS, State
from jobs.store import MAX_FAILURES, Claim, JobStore, NewArtifact, NewJob, Success
from tests.examples import examples
from tests.jobs.conftest import owner

_numbers = itertools.count()


class Life(RuleBasedStateMachine):
    """Attempts that are alive, attempts that are zombies, owners who cancel, a sweeper."""

    database: Database
    jobs = Bundle("jobs")
    attempts = Bundle("attempts")

    def __init__(self) -> None:
        super().__init__()
        self.store = JobStore(self.database)
        self.owner = owner(self.database)
        self.engine = f"life-{next(_numbers)}"  # an earlier example's leftovers are not claimed
        self.final: dict[str, tuple] = {}
        self.ids: list[str] = []

    @rule(target=jobs)
    def submit(self):
        row, _ = self.store.submit(
            NewJob(owner_id=self.owner, engine=self.engine, queue="cpu", params={}, seed=1)
        )
        self.ids.append(row.id)
        return row.id

    @rule(target=attempts, expired=st.booleans(), limit=st.integers(1, 3))
    def claim(self, expired, limit):
        lease = -1 if expired else 60
        rows = [
            row
            for _ in range(limit)
            for row in self.store.claim("wrk_1", "cpu", engines=[self.engine], lease_seconds=lease)
        ]
        return multiple(*((row.id, row.attempt) for row in rows))

    @rule(job=jobs)
    def cancel(self, job):
        self.store.cancel(job, None)

    @rule()
    def sweep(self):
        self.store.expire_leases()

    @rule(attempt=attempts)
    def beat(self, attempt):
        self._write(lambda: self.store.beat(*attempt, lease_seconds=60, progress=0.5))

    @rule(attempt=consumes(attempts))
    def succeed(self, attempt):
        result = NewArtifact("a", f"jobs/{attempt[0]}/{attempt[1]}/a", "text/plain", 1, "0" * 64)
        self._write(lambda: self.store.succeed(*attempt, [result]))

    @rule(target=attempts, attempt=consumes(attempts))
    def succeed_and_claim(self, attempt):
        result = NewArtifact("a", f"jobs/{attempt[0]}/{attempt[1]}/a", "text/plain", 1, "0" * 64)
        wanted = Claim("wrk_1", "cpu", [self.engine], 60)
        try:
            rows = self.store.succeed_and_claim(Success(*attempt, [result]), wanted)
        except LeaseLost:
            return multiple()
        return multiple(*((row.id, row.attempt) for row in rows))

    @rule(attempt=attempts)
    def fail(self, attempt):
        self._write(lambda: self.store.fail(*attempt, code="x", detail="x"))

    @rule(attempt=attempts)
    def retry(self, attempt):
        self._write(lambda: self.store.retry_later(*attempt, code="x", detail="x", delay_seconds=-1))

    @rule(attempt=attempts)
    def release(self, attempt):
        self._write(lambda: self.store.release(*attempt))

    @rule(attempt=attempts)
    def stop(self, attempt):
        self._write(lambda: self.store.end_canceled(*attempt))

    def _write(self, call):
        try:
            call()
        except LeaseLost:
            return

    @invariant()
    def promises_hold(self):
        artifacts = self.store.artifacts(self.ids) if self.ids else {}
        for job_id in self.ids:
            row = self.store.get(job_id)
            events = self.store.events(job_id)
            states = [State(event.state) for event in events]
            # Every change was a legal one, and each is on record.
            assert all(b in TRANSITIONS[a] for a, b in itertools.pairwise(states))
            assert states[-1] == row.state
            # Versions and attempts only grow.
            assert [e.version for e in events] == sorted({e.version for e in events})
            assert [e.attempt for e in events] == sorted(e.attempt for e in events)
            # A final state never changes.
            if row.state in FINAL:
                assert self.final.setdefault(job_id, tuple(row)) == tuple(row)
                assert row.finished_at is not None
            else:
                assert job_id not in self.final
                assert row.finished_at is None
            assert (row.lease_until is not None) == (row.state == State.RUNNING)
            # Exactly one result set, and only of a success.
            assert len(artifacts[job_id]) == (row.state == State.SUCCEEDED)
            if artifacts[job_id]:
                assert artifacts[job_id][0].key == f"jobs/{job_id}/{row.attempt}/a"
            assert row.failures <= MAX_FAILURES
            # A cancel that was accepted is never forgotten.
            assert not (row.state == State.QUEUED and row.cancel_requested)


def test_life(database):
    machine = type("Life", (Life,), {"database": database})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples(30) if database.is_sqlite else 15,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
