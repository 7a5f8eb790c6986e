"""The runner: claims jobs and carries each through an engine to its end, whatever the engine does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, Protocol, cast

import structlog
from sqlalchemy.exc import SQLAlchemyError

import engines
from engines.base import BatchEngine, Engine, EngineError, EngineSpec, Interrupted, Output
from engines.weights import installed
from jobs.database import Database
from jobs.errors import Unavailable
from jobs.files import FileStore
from jobs.fleet import FleetStore
from jobs.networks import NetworkStore
from jobs.store import JobRow, JobStore
from storage.base import Storage
from workers import settings
from workers.attempt import Attempt, patiently
from workers.health import Health
from workers.lease import Flag, Keeper, Lease
from workers.memory import PeakMemory
from workers.networks import NetworkCache


class Catalogue(Protocol):
    """Where engines come from: the module `engines`, or a test's own."""

    def names(self) -> tuple[str, ...]: ...

    def spec(self, name: str) -> EngineSpec: ...

    def load(self, name: str) -> Engine: ...


_log = structlog.get_logger(__name__)


class Runner:
    """Runs jobs one after the other in this process. Engines are loaded at their first job and kept."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        *,
        worker_id: str,
        queues: Sequence[str],
        catalogue: Catalogue = engines,
    ) -> None:
        self._store = JobStore(database)
        self._files = FileStore(database)
        self._networks = NetworkStore(database)
        self._cache = NetworkCache(settings.networks_dir(), settings.networks_bytes())
        self._storage = storage
        self._worker_id = worker_id
        self._queues = tuple(queues)
        self._catalogue = catalogue
        self._engines: dict[str, Engine] = {}
        #: Set when the process is to end: claim nothing more, give back what runs.
        self.draining = Flag()
        self.health = Health(FleetStore(database), self._store, worker_id)
        self._leases: tuple[Lease, ...] = ()
        self._keeper = Keeper()
        #: What the fleet page shows.
        self.job_ids: tuple[str, ...] = ()
        self.device: str | None = None

    @property
    def models(self) -> tuple[str, ...]:
        """What is loaded, as `Job.model` names it: jobs that need it come first."""
        found = []
        for name, engine in tuple(self._engines.items()):
            found.append(name)
            found += [f"{name}:{model}" for model in getattr(engine, "loaded", ())]
        return tuple(found)

    def work(self) -> int:
        """Run what waits in this worker's queues, in turn, until all are empty. Returns how many jobs ran."""
        count = 0
        while not self.draining.is_set():
            before = count
            for queue in self._queues:
                if self.draining.is_set() or not self.health.ready():
                    break
                jobs = self._claim(queue)
                if jobs:
                    self.run(jobs)
                count += len(jobs)
            if count == before:
                break
        return count

    def _claim(self, queue: str) -> list[JobRow]:
        try:
            return self._store.claim(
                self._worker_id,
                queue,
                engines=self._catalogue.names(),
                meets=self._meets(),
                models=self.models,
                lease_seconds=settings.LEASE_SECONDS,
            )
        except Unavailable as error:
            _log.warning("claim_failed", error=error.detail)
            self.health.claim_unanswered()
            return []

    def _meets(self) -> list[frozenset[str]]:
        """What jobs of its engines can need, as far as this machine has it."""
        has = frozenset(installed())
        if not has:
            return []  # and no spec need be read for that
        specs = map(self._catalogue.spec, self._catalogue.names())
        return [needs for spec in specs for needs in spec.needs if needs <= has]

    def release(self) -> None:
        """Give back what runs now; for another thread to call, again while it is needed."""
        for lease in self._leases:
            lease.release()

    def run(self, jobs: Sequence[JobRow]) -> None:
        """Carry jobs that were claimed together to the end of this attempt."""
        self.job_ids = tuple(job.id for job in jobs)
        try:
            attempts = [self._attempt(job) for job in jobs]
            self._leases = tuple(attempt.lease for attempt in attempts)
            with self._keeper.keeping(self._leases), ExitStack() as stack:
                for attempt in attempts:
                    stack.enter_context(attempt)
                if len(attempts) == 1:
                    self._run_alone(attempts[0])
                else:
                    self._run_together(attempts)
        finally:
            self.job_ids, self._leases = (), ()

    def _attempt(self, job: JobRow) -> Attempt:
        with _named(job):  # the lease's thread logs with the job's ids, as this one does
            lease = Lease(self._store, job.id, job.attempt, draining=self.draining)
        return Attempt(
            job,
            lease,
            store=self._store,
            files=self._files,
            networks=self._networks,
            cache=self._cache,
            storage=self._storage,
        )

    def _run_alone(self, attempt: Attempt) -> None:
        with _named(attempt.job):
            began = time.monotonic()
            _log.info("job_started")
            self._end(attempt, self._made(attempt), began)

    def _end(self, attempt: Attempt, error: Exception | None, began: float) -> None:
        outcome = attempt.end(error)
        self.health.judge(attempt.job, outcome)
        _log.info("job_ended", outcome=outcome, seconds=round(time.monotonic() - began, 3))

    def _made(self, attempt: Attempt) -> Exception | None:
        """Let the engine make one job; what it raised, or None."""
        attempt.forget()
        attempt.context.on_progress = None
        attempt.lease.engine_began()

        def make() -> None:
            engine, params = self._prepare(attempt)
            for output in engine.run(params, attempt.context):
                attempt.keep(output)

        with PeakMemory() as peak:
            error = _caught(make)
        attempt.peak_memory = peak.bytes
        return error

    def _prepare(self, attempt: Attempt) -> tuple[Engine, Any]:
        job = attempt.job
        spec = attempt.context.spec = self._catalogue.spec(job.engine)
        attempt.lease.limit(min(spec.time_limit, job.timeout_seconds or spec.time_limit))
        self.device = None
        engine = self._engine(job.engine)
        self.device = attempt.device = engine.device
        return engine, spec.params.model_validate(dict(job.params) | {"seed": job.seed})

    def _engine(self, name: str) -> Engine:
        if name not in self._engines:
            began = time.monotonic()
            self._engines[name] = self._catalogue.load(name)
            _log.info("engine_loaded", engine=name, seconds=round(time.monotonic() - began, 3))
        return self._engines[name]

    def _run_together(self, attempts: Sequence[Attempt]) -> None:
        began = time.monotonic()
        _log.info("batch_started", engine=attempts[0].job.engine, jobs=[a.job.id for a in attempts])
        errors = self._made_together(attempts, began)
        alone = [a for a in attempts if isinstance(errors.get(a.job.id), _BatchBroke)]
        for attempt in alone:
            attempt.lease.engine_ended()  # until its own turn comes
        whole = [a for a in attempts if a.job.id not in errors]
        self._succeed_together(whole, began)
        for attempt in attempts:
            error = errors.get(attempt.job.id)
            if error is not None and attempt not in alone and not attempt.ended:
                with _named(attempt.job):
                    self._end(attempt, error, began)
        _log.info("batch_ended", succeeded=len(whole), seconds=round(time.monotonic() - began, 3))
        for attempt in alone:
            if attempt.lease.stop is None:
                self._run_alone(attempt)
            else:
                with _named(attempt.job):
                    self._end(attempt, Interrupted(), began)

    def _made_together(self, attempts: Sequence[Attempt], began: float) -> dict[str, Exception]:
        """Let the engine make all of them; what stands in the way of each that did not come out well."""
        errors: dict[str, Exception] = {}
        ready: list[tuple[Attempt, Engine, Any]] = []

        def goes_on() -> None:
            for attempt in attempts:
                attempt.lease.engine_lives()
                if attempt.context.interrupted and not attempt.ended:
                    # At once: whoever canceled one job need not wait for the others.
                    with _named(attempt.job):
                        self._end(attempt, Interrupted(), began)

        for attempt in attempts:
            wrong = _caught(partial(self._ready, attempt, ready))
            if wrong is not None:
                errors[attempt.job.id] = wrong

        def make() -> None:
            engine = cast(BatchEngine, ready[0][1])
            for index, output in engine.run_batch([(params, a.context) for a, _, params in ready]):
                goes_on()
                attempt = ready[index][0]
                if attempt.job.id not in errors and not attempt.ended:
                    wrong = _caught(partial(_keep, attempt, output))
                    if wrong is not None:
                        errors[attempt.job.id] = wrong

        for attempt in attempts:
            attempt.context.on_progress = goes_on
        with PeakMemory() as peak:
            broke = _caught(make) if ready else None
        if broke is not None:
            _log.warning("batch_broke", error=repr(broke))
        for attempt, _, _ in ready:
            attempt.peak_memory = peak.bytes
            if broke is not None:
                errors.setdefault(attempt.job.id, _BatchBroke())
            if attempt.context.interrupted:
                errors[attempt.job.id] = Interrupted()
        return errors

    def _ready(self, attempt: Attempt, ready: list[tuple[Attempt, Engine, Any]]) -> None:
        ready.append((attempt, *self._prepare(attempt)))

    def _succeed_together(self, attempts: Sequence[Attempt], began: float) -> None:
        if not attempts:
            return
        for attempt in attempts:
            attempt.lease.engine_ended()
        successes = [attempt.success for attempt in attempts]
        try:
            rows = patiently(
                lambda: self._store.succeed_together(
                    successes, device=attempts[0].device, peak_memory=attempts[0].peak_memory
                ),
                Unavailable,
            )
        except Unavailable:
            _log.warning("batch_not_recorded")
            for attempt in attempts:
                self.health.judge(attempt.job, "not_recorded")
        except SQLAlchemyError as error:
            # One result that the database refuses must not take the others with it.
            _log.warning("recorded_one_by_one", error=repr(error))
            for attempt in attempts:
                with _named(attempt.job):
                    self._end(attempt, None, began)
        else:
            for attempt, row in zip(attempts, rows, strict=True):
                self.health.judge(attempt.job, "lease_lost" if row is None else "succeeded")


class _BatchBroke(EngineError):
    """The batch broke down; its jobs are run alone."""


def _caught(call: Callable[[], object]) -> Exception | None:
    """What `call` raised, if anything."""
    try:
        call()
    except Exception as error:  # noqa: BLE001  # the one place: whatever an engine raises ends its job, not its worker
        return error
    return None


def _keep(attempt: Attempt, output: Output | EngineError) -> None:
    if isinstance(output, EngineError):
        raise output
    attempt.keep(output)


def _named(job: JobRow) -> Any:
    """Log lines meanwhile carry the job's and the request's id."""
    return structlog.contextvars.bound_contextvars(
        job_id=job.id, request_id=job.request_id, attempt=job.attempt, engine=job.engine
    )
