"""The runner: claims jobs and carries each through an engine to its end, whatever the engine does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import cycle

import structlog

import engines
from engines.base import Interrupted
from jobs.errors import Unavailable
from jobs.store import Claim, JobRow
from workers import settings
from workers.attempt import Attempt, named
from workers.ending import Ending
from workers.has import has
from workers.health import Health
from workers.house import House
from workers.lease import Flag, Keeper, Lease
from workers.loaded import Catalogue, Loaded, caught
from workers.memory import PeakMemory
from workers.together import Together

_log = structlog.get_logger(__name__)


class Runner:
    """Runs jobs one after the other in this process, or a few together where their engine can."""

    def __init__(
        self, house: House, *, worker_id: str, queues: Sequence[str], catalogue: Catalogue = engines
    ) -> None:
        self._house = house
        self._worker_id = worker_id
        self._queues = tuple(queues)
        self._catalogue = catalogue
        self._loaded = Loaded(catalogue)
        #: Set when the process is to end: claim nothing more, give back what runs.
        self.draining = Flag()
        self.health = Health(house.fleet, house.store, worker_id)
        self._ending = Ending(house.store, self.health)
        self._leases: tuple[Lease, ...] = ()
        self._keeper = Keeper()
        #: What the fleet page shows.
        self.job_ids: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """What is loaded, as `Job.model` names it."""
        return self._loaded.models

    @property
    def device(self) -> str | None:
        """Where the engine of the last job runs."""
        return self._loaded.device

    def work(self) -> int:
        """Run what waits in this worker's queues, in turn, until all are empty. Returns how many jobs ran."""
        count = empty = 0
        turns = cycle(self._queues)
        while empty < len(self._queues) and not self.draining.is_set() and self.health.ready():
            jobs = self.claim(next(turns))
            empty = 0 if jobs else empty + 1
            while jobs:
                count += len(jobs)
                jobs = self.run(jobs, then=turns)
        return count

    def claim(self, queue: str) -> list[JobRow]:
        """The jobs to run next, of which several run together."""
        wanted = self._wanted(queue)
        try:
            return self._house.store.claim(
                wanted.worker_id,
                wanted.queue,
                engines=wanted.engines,
                meets=wanted.meets,
                models=wanted.models,
                lease_seconds=wanted.lease_seconds,
            )
        except Unavailable as error:
            _log.warning("claim_failed", error=error.detail)
            self.health.claim_unanswered()
            return []

    def _wanted(self, queue: str) -> Claim:
        return Claim(
            self._worker_id,
            queue,
            engines=self._catalogue.names(),
            lease_seconds=settings.LEASE_SECONDS,
            meets=self._meets(),
            models=self.models,
        )

    def _meets(self) -> list[frozenset[str]]:
        """What jobs of its engines can need, as far as this machine has it."""
        here = frozenset(has())
        if not here:
            return []  # and no spec need be read for that
        specs = map(self._catalogue.spec, self._catalogue.names())
        return [needs for spec in specs for needs in spec.needs if needs <= here]

    def release(self) -> None:
        """Give back what runs now; for another thread to call, again while it is needed."""
        for lease in self._leases:
            lease.release()

    def run(self, jobs: Sequence[JobRow], *, then: Iterator[str] | None = None) -> list[JobRow]:
        """Carry jobs that were claimed together to the end of this attempt.

        Returns what was claimed with the end, of the next of the queues `then`; none after an end that was
        not a single job's success, or when this worker is to claim nothing now.
        """
        self.job_ids = tuple(job.id for job in jobs)
        try:
            attempts = [self._attempt(job) for job in jobs]
            self._leases = tuple(attempt.lease for attempt in attempts)
            with self._keeper.keeping(self._leases), ExitStack() as stack:
                for attempt in attempts:
                    stack.enter_context(attempt)
                if len(attempts) == 1:
                    return self._run_alone(attempts[0], then)
                self._run_together(attempts)
                return []
        finally:
            self.job_ids, self._leases = (), ()

    def _attempt(self, job: JobRow) -> Attempt:
        with named(job):  # the lease's thread logs with the job's ids, as this one does
            lease = Lease(self._house.store, job.id, job.attempt, draining=self.draining)
        return Attempt(job, lease, self._house)

    def _run_together(self, attempts: Sequence[Attempt]) -> None:
        began = time.monotonic()
        for attempt in Together(attempts, self._loaded, self._ending).run():
            if attempt.lease.stop is None:
                self._run_alone(attempt)
            else:
                with attempt.named():
                    self._ending.end(attempt, Interrupted(), began)

    def _run_alone(self, attempt: Attempt, then: Iterator[str] | None = None) -> list[JobRow]:
        with attempt.named():
            began = time.monotonic()
            _log.info("job_started")
            error = self._make(attempt)
            made = error is None and not attempt.parts
            if made and then is not None and not self.draining.is_set() and self.health.at_ease:
                return self._ending.succeed_and_claim(attempt, began, self._wanted(next(then)))
            self._ending.end(attempt, error, began)
            return []

    def _make(self, attempt: Attempt) -> Exception | None:
        """Let the engine make one job; what it raised, or None."""
        attempt.forget()
        attempt.lease.engine_began()

        def make() -> None:
            engine, params = self._loaded.prepare(attempt)
            for given in engine.run(params, attempt.context):
                attempt.take(given)
            attempt.finish()

        with PeakMemory() as peak:
            error = caught(make)
        attempt.peak_memory = peak.bytes
        return error
