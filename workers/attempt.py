"""One attempt at a job: its lease, its context, what it has made so far, and how it ends."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypedDict, TypeVar

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from engines.base import EngineError, Interrupted, OutOfMemory, Output, Transient
from jobs.errors import LeaseLost, Unavailable
from jobs.files import FileStore
from jobs.networks import NetworkStore
from jobs.states import State
from jobs.store import JobRow, JobStore, NewArtifact, Success
from storage.base import Storage, StorageUnavailable
from workers import settings
from workers.context import JobContext
from workers.lease import Lease, Stop
from workers.networks import NetworkCache
from workers.outputs import safe_name, store_output

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Ran(TypedDict):
    """Where an attempt ran, as the store's ends of one take it."""

    device: str | None
    peak_memory: int | None


class Attempt:
    """One claimed job, while it is entered. It ends by `end`, or by `succeed_together`."""

    def __init__(
        self,
        job: JobRow,
        lease: Lease,
        *,
        store: JobStore,
        files: FileStore,
        networks: NetworkStore,
        cache: NetworkCache,
        storage: Storage,
    ) -> None:
        self.job = job
        self.lease = lease
        self.context = JobContext(
            job, lease, store=store, files=files, networks=networks, cache=cache, storage=storage
        )
        #: What it ran on, and the bytes that took; for the job's record.
        self.device: str | None = None
        self.peak_memory: int | None = None
        #: Whether `end` was called.
        self.ended = False
        self._store = store
        self._storage = storage
        self._kept: dict[str, NewArtifact] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.context.close()

    def keep(self, output: Output) -> None:
        """Store one output. Raises EngineError, StorageUnavailable."""
        name = safe_name(output)
        if name in self._kept:
            raise EngineError(f"The engine made two outputs named {name}.")
        self._kept[name] = patiently(
            lambda: store_output(self._storage, output, name, self.context.key(f"out/{name}")),
            StorageUnavailable,
            until=lambda: self.lease.stop is not None,
        )

    def forget(self) -> None:
        """What was kept so far is made again."""
        self._kept.clear()

    @property
    def success(self) -> Success:
        """Its results, for the store."""
        return Success(
            self.job.id,
            self.job.attempt,
            tuple(self._kept.values()),
            leftovers=self.context.stored_more,
        )

    @property
    def _ran(self) -> Ran:
        return {"device": self.device, "peak_memory": self.peak_memory}

    def end(self, error: Exception | None) -> str:
        """Record how it ended: well, or with what was raised. Returns the outcome in a word or two."""
        self.ended = True
        self.lease.engine_ended()
        try:
            return self._succeed() if error is None else self._end_with(error)
        except LeaseLost:
            return "lease_lost"
        except Unavailable:
            return "not_recorded"  # the database stayed away: `workers.health` gives it back later

    def _end_with(self, error: Exception) -> str:
        match error:
            case Interrupted():
                return self._interrupted()
            case ValidationError():
                return self._fail("invalid_params", f"This worker does not take these parameters: {error}")
            case Transient() | StorageUnavailable() | Unavailable():
                if self.lease.stop is not None:
                    return self._interrupted()
                code = "storage_unavailable" if isinstance(error, StorageUnavailable) else error.code
                return self._retry(code, str(error), charge=isinstance(error, Transient))
            case EngineError():
                return self._fail(error.code, str(error))
            case MemoryError():
                return self._fail(OutOfMemory.code, "The job did not fit into memory; try a smaller size.")
            case _:
                _log.error("engine_crashed", exc_info=error)
                return self._fail("engine_crashed", f"The engine broke down ({type(error).__name__}).")

    def _succeed(self) -> str:
        try:
            patiently(
                lambda: self._store.succeed(
                    self.job.id,
                    self.job.attempt,
                    self.success.artifacts,
                    **self._ran,
                    leftovers=self.success.leftovers,
                ),
                Unavailable,
            )
        except SQLAlchemyError:  # the database refuses what the engine says of its result
            _log.exception("result_refused")
            return self._fail("result_not_recorded", "The result could not be recorded.")
        return "succeeded"

    def _interrupted(self) -> str:
        job = self.job
        match self.lease.stop:
            case Stop.CANCELED:
                patiently(lambda: self._store.end_canceled(job.id, job.attempt, **self._ran), Unavailable)
                return "canceled"
            case Stop.RELEASED:
                row = patiently(lambda: self._store.release(job.id, job.attempt, **self._ran), Unavailable)
                return "released" if row.state == State.QUEUED else str(row.state)
            case Stop.TIMED_OUT:
                return self._fail("timeout", "The job ran for too long.")
            case _:
                return "lease_lost"

    def _fail(self, code: str, detail: str) -> str:
        patiently(
            lambda: self._store.fail(
                self.job.id,
                self.job.attempt,
                code=code,
                detail=detail,
                **self._ran,
            ),
            Unavailable,
        )
        return f"failed: {code}"

    def _retry(self, code: str, detail: str, *, charge: bool) -> str:
        # Whatever the reason, longer each time; an outage that lasts counts attempts and not failures.
        before = self.job.failures if charge else min(self.job.attempt, 16)
        delay = min(settings.RETRY_CAP_SECONDS, settings.RETRY_BASE_SECONDS * 2**before)
        # Full jitter on the upper half, so that a fleet does not come back in step.
        delay *= random.uniform(0.5, 1.0)
        patiently(
            lambda: self._store.retry_later(
                self.job.id,
                self.job.attempt,
                code=code,
                detail=detail,
                delay_seconds=delay,
                charge=charge,
                **self._ran,
            ),
            Unavailable,
        )
        _log.warning("job_retried", code=code, detail=detail, delay=round(delay, 1), charged=charge)
        return f"retry: {code}"


def patiently(
    call: Callable[[], T], passing: type[Exception], *, until: Callable[[], bool] = lambda: False
) -> T:
    """Call again, with pauses, while it raises `passing`; after WRITE_PATIENCE_SECONDS let the error out."""
    give_up = time.monotonic() + settings.WRITE_PATIENCE_SECONDS
    pause = 0.2
    while True:
        try:
            return call()
        except passing as error:
            if until() or time.monotonic() + pause > give_up:
                raise
            _log.warning("write_repeated", error=str(error), pause=pause)
        time.sleep(pause)
        pause = min(pause * 2, 5.0)
