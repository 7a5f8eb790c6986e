"""How attempts end, well or not: the one place where a worker writes a job's end."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from engines.base import Away, EngineError, Interrupted, OutOfMemory, Transient
from jobs.errors import LeaseLost, PartConflict, Unavailable
from jobs.states import State
from jobs.store import Claim, JobRow, JobStore
from storage.base import StorageUnavailable
from workers import settings
from workers.attempt import Attempt, patiently
from workers.health import Health
from workers.lease import Stop

_log = structlog.get_logger(__name__)


class Ending:
    """Of a worker's attempts. Each end is written, judged (`workers.health`) and logged."""

    def __init__(self, store: JobStore, health: Health) -> None:
        self._store = store
        self._health = health

    def end(self, attempt: Attempt, error: Exception | None, began: float) -> None:
        """End an attempt well, or with what was raised."""
        attempt.lease.engine_ended()
        self._judge(attempt, self._write(attempt, error), began)

    def succeed_and_claim(self, attempt: Attempt, began: float, wanted: Claim) -> list[JobRow]:
        """End an attempt well, and take what is next in line in the same commit, if that can be done."""
        attempt.lease.engine_ended()
        try:
            jobs = self._store.succeed_and_claim(attempt.success, wanted, **attempt.ran)
        except LeaseLost:
            jobs, outcome = [], "lease_lost"
        except (Unavailable, SQLAlchemyError) as error:
            # Whichever half it was: the attempt ends by itself, and what was claimed is given back.
            _log.warning("not_ended_with_a_claim", error=repr(error))
            self._health.claim_unanswered()
            jobs, outcome = [], self._write(attempt, None)
        else:
            outcome = "succeeded"
        self._judge(attempt, outcome, began)
        return jobs

    def _judge(self, attempt: Attempt, outcome: str, began: float) -> None:
        self._health.judge(attempt.job, outcome)
        _log.info("job_ended", outcome=outcome, seconds=round(time.monotonic() - began, 3))

    def succeed_together(self, attempts: Sequence[Attempt], began: float) -> None:
        """End attempts that ran together, all well."""
        if not attempts:
            return
        for attempt in attempts:
            attempt.lease.engine_ended()
        successes = [attempt.success for attempt in attempts]
        try:
            rows = patiently(
                lambda: self._store.succeed_together(successes, **attempts[0].ran),
                Unavailable,
            )
        except Unavailable:
            _log.warning("batch_not_recorded")
            for attempt in attempts:
                self._health.judge(attempt.job, "not_recorded")
        except SQLAlchemyError as error:
            # One result that the database refuses must not take the others with it.
            _log.warning("recorded_one_by_one", error=repr(error))
            for attempt in attempts:
                with attempt.named():
                    self.end(attempt, None, began)
        else:
            for attempt, row in zip(attempts, rows, strict=True):
                self._health.judge(attempt.job, "lease_lost" if row is None else "succeeded")

    def _write(self, attempt: Attempt, error: Exception | None) -> str:
        """Record how it ended. Returns the outcome in a word or two."""
        try:
            if error is not None:
                return self._end_with(attempt, error)
            return self._put_aside(attempt) if attempt.parts else self._succeed(attempt)
        except LeaseLost:
            return "lease_lost"
        except Unavailable:
            return "not_recorded"  # the database stayed away: `workers.health` gives it back later

    def _end_with(self, attempt: Attempt, error: Exception) -> str:
        match error:
            case Interrupted():
                return self._interrupted(attempt)
            case ValidationError():
                return self._fail(
                    attempt, "invalid_params", f"This worker does not take these parameters: {error}"
                )
            case Transient() | StorageUnavailable() | Unavailable() if attempt.lease.stop is not None:
                return self._interrupted(attempt)
            case Away():
                least = error.retry_after or 0.0
                return self._retry(attempt, error.code, str(error), charge=False, least=least)
            case Transient() | StorageUnavailable() | Unavailable():
                code = "storage_unavailable" if isinstance(error, StorageUnavailable) else error.code
                return self._retry(attempt, code, str(error), charge=isinstance(error, Transient))
            case EngineError():
                return self._fail(attempt, error.code, str(error))
            case MemoryError():
                return self._fail(
                    attempt, OutOfMemory.code, "The job did not fit into memory; try a smaller size."
                )
            case _:
                _log.error("engine_crashed", exc_info=error)
                return self._fail(
                    attempt, "engine_crashed", f"The engine broke down ({type(error).__name__})."
                )

    def _succeed(self, attempt: Attempt) -> str:
        made = attempt.success
        try:
            patiently(
                lambda: self._store.succeed(
                    made.job_id, made.attempt, made.artifacts, **attempt.ran, leftovers=made.leftovers
                ),
                Unavailable,
            )
        except SQLAlchemyError:  # the database refuses what the engine says of its result
            _log.exception("result_refused")
            return self._fail(attempt, "result_not_recorded", "The result could not be recorded.")
        return "succeeded"

    def _put_aside(self, attempt: Attempt) -> str:
        job, parts = attempt.job, attempt.parts
        try:
            patiently(
                lambda: self._store.wait_for(
                    job.id, job.attempt, parts, progress=job.progress, **attempt.ran
                ),
                Unavailable,
            )
        except (PartConflict, IntegrityError) as error:  # what it names went meanwhile, or is another's
            _log.warning("parts_refused", error=repr(error))
            return self._fail(attempt, "bad_part", "Its parts could not be asked for.")
        return "waits_for_parts"

    def _interrupted(self, attempt: Attempt) -> str:
        job = attempt.job
        match attempt.lease.stop:
            case Stop.CANCELED:
                patiently(lambda: self._store.end_canceled(job.id, job.attempt, **attempt.ran), Unavailable)
                return "canceled"
            case Stop.RELEASED:
                row = patiently(lambda: self._store.release(job.id, job.attempt, **attempt.ran), Unavailable)
                return "released" if row.state == State.QUEUED else str(row.state)
            case Stop.TIMED_OUT:
                return self._fail(attempt, "timeout", "The job ran for too long.")
            case _:
                return "lease_lost"

    def _fail(self, attempt: Attempt, code: str, detail: str) -> str:
        job = attempt.job
        patiently(
            lambda: self._store.fail(job.id, job.attempt, code=code, detail=detail, **attempt.ran),
            Unavailable,
        )
        return f"failed: {code}"

    def _retry(self, attempt: Attempt, code: str, detail: str, *, charge: bool, least: float = 0.0) -> str:
        job = attempt.job
        # Whatever the reason, longer each time; an outage that lasts counts attempts and not failures.
        before = job.failures if charge else min(job.attempt, 16)
        delay = min(settings.RETRY_CAP_SECONDS, settings.RETRY_BASE_SECONDS * 2**before)
        # Full jitter on the upper half, so that a fleet does not come back in step.
        delay *= random.uniform(0.5, 1.0)
        if least > delay:  # somebody said when to come back: not before, and not all at once
            delay = min(least, settings.RETRY_AFTER_CAP_SECONDS) * random.uniform(1.0, 1.1)
        patiently(
            lambda: self._store.retry_later(
                job.id,
                job.attempt,
                code=code,
                detail=detail,
                delay_seconds=delay,
                charge=charge,
                **attempt.ran,
            ),
            Unavailable,
        )
        _log.warning("job_retried", code=code, detail=detail, delay=round(delay, 1), charged=charge)
        return f"retry: {code}"
