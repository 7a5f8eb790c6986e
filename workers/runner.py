"""The runner: claims jobs and carries each through an engine to its end, whatever the engine does."""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import BinaryIO, Protocol, TypeVar

import structlog
from PIL import Image
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

import engines
from engines.base import Engine, EngineError, EngineSpec, Interrupted, OutOfMemory, Output, Transient
from engines.weights import installed
from jobs.database import Database
from jobs.errors import LeaseLost, Unavailable
from jobs.files import FileStore
from jobs.states import State
from jobs.store import JobRow, JobStore, NewArtifact
from storage.base import Storage, StorageUnavailable
from workers import settings
from workers.context import JobContext
from workers.lease import Lease, Stop

T = TypeVar("T")


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
        self._storage = storage
        self._worker_id = worker_id
        self._queues = tuple(queues)
        self._catalogue = catalogue
        self._engines: dict[str, Engine] = {}
        #: Set when the process is to end: claim nothing more, give back what runs.
        self.draining = threading.Event()
        #: What the fleet page shows.
        self.job_ids: tuple[str, ...] = ()
        self.models: tuple[str, ...] = ()
        self.device: str | None = None

    def work(self) -> int:
        """Run what waits in this worker's queues, in turn, until all are empty. Returns how many jobs ran."""
        count = 0
        while not self.draining.is_set():
            before = count
            for queue in self._queues:
                if self.draining.is_set():
                    break
                for job in self._claim(queue):
                    self.run(job)
                    count += 1
            if count == before:
                break
        return count

    def _claim(self, queue: str) -> list[JobRow]:
        try:
            return self._store.claim(
                self._worker_id,
                queue,
                engines=self._catalogue.names(),
                weights=installed(),
                lease_seconds=settings.LEASE_SECONDS,
            )
        except Unavailable as error:
            _log.warning("claim_failed", error=error.detail)  # the sweeper rings again
            return []

    def run(self, job: JobRow) -> None:
        """Carry one claimed job to the end of this attempt."""
        self.job_ids = (job.id,)
        try:
            with structlog.contextvars.bound_contextvars(
                job_id=job.id, request_id=job.request_id, attempt=job.attempt, engine=job.engine
            ):
                began = time.monotonic()
                _log.info("job_started")
                outcome = self._attempt(job)
                _log.info("job_ended", outcome=outcome, seconds=round(time.monotonic() - began, 3))
        finally:
            self.job_ids = ()

    def _attempt(self, job: JobRow) -> str:
        with (
            Lease(self._store, job.id, job.attempt, draining=self.draining) as lease,
            closing(self._context(job, lease)) as context,
        ):
            finish = self._make(job, context, lease)
            lease.engine_ended()
            return self._ended(finish)

    def _ended(self, finish: Callable[[], str]) -> str:
        try:
            return finish()
        except LeaseLost:
            return "lease_lost"
        except Unavailable:
            return "not_recorded"  # the database stayed away: the lease runs out, another attempt follows

    def _context(self, job: JobRow, lease: Lease) -> JobContext:
        return JobContext(job, lease, store=self._store, files=self._files, storage=self._storage)

    def _make(self, job: JobRow, context: JobContext, lease: Lease) -> Callable[[], str]:
        """Run the engine and store what it makes; what is returned records the outcome."""
        self.device = None
        try:
            spec = self._catalogue.spec(job.engine)
            lease.limit(spec.time_limit)
            engine = self._engine(job.engine)
            params = spec.params.model_validate(dict(job.params) | {"seed": job.seed})
            artifacts = self._keep(engine.run(params, context), context, lease)
        except Interrupted:
            return lambda: self._interrupted(job, lease)
        except ValidationError as error:
            wrong = f"This worker does not take these parameters: {error}"
            return lambda: self._fail(job, "invalid_params", wrong)
        except (Transient, StorageUnavailable, Unavailable) as error:
            if lease.stop is not None:
                return lambda: self._interrupted(job, lease)
            code, detail = getattr(error, "code", "storage_unavailable"), str(error)
            return lambda: self._retry(job, code, detail)
        except EngineError as error:
            code, detail = error.code, str(error)
            return lambda: self._fail(job, code, detail)
        except MemoryError:
            return lambda: self._fail(
                job, OutOfMemory.code, "The job did not fit into memory; try a smaller size."
            )
        except Exception as error:  # noqa: BLE001  # the one place: whatever an engine raises ends its job, not its worker
            _log.exception("engine_crashed")
            detail = f"The engine broke down ({type(error).__name__})."
            return lambda: self._fail(job, "engine_crashed", detail)
        return lambda: self._succeed(job, artifacts, engine.device, leftovers=context.stored_more)

    def _succeed(self, job: JobRow, artifacts: Sequence[NewArtifact], device: str, *, leftovers: bool) -> str:
        try:
            patiently(
                lambda: self._store.succeed(
                    job.id, job.attempt, artifacts, device=device, leftovers=leftovers
                ),
                Unavailable,
            )
        except SQLAlchemyError:  # the database refuses what the engine says of its result
            _log.exception("result_refused")
            return self._fail(job, "result_not_recorded", "The result could not be recorded.")
        return "succeeded"

    def _engine(self, name: str) -> Engine:
        if name not in self._engines:
            began = time.monotonic()
            self._engines[name] = self._catalogue.load(name)
            _log.info("engine_loaded", seconds=round(time.monotonic() - began, 3))
        engine = self._engines[name]
        self.device = engine.device
        return engine

    def _keep(self, outputs: Iterable[Output], context: JobContext, lease: Lease) -> list[NewArtifact]:
        """Store each output as it comes."""
        kept: dict[str, NewArtifact] = {}
        for output in outputs:
            name = re.sub(r"[^A-Za-z0-9._-]", "_", output.name).strip(".")[-200:] or "output"
            if name in kept:
                raise EngineError(f"The engine made two outputs named {name}.")
            try:
                json.dumps(dict(output.meta), allow_nan=False)
            except (TypeError, ValueError) as error:
                raise EngineError(f"What the engine says of {name} is not JSON: {error}") from error
            kept[name] = patiently(
                lambda output=output, name=name: self._put(output, name, context.key(f"out/{name}")),  # type: ignore[misc]
                StorageUnavailable,
                until=lambda: lease.stop is not None,
            )
        return list(kept.values())

    def _put(self, output: Output, name: str, key: str) -> NewArtifact:
        with _open(output) as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            width, height = _picture_size(stream) if output.media_type.startswith("image/") else (None, None)
            stream.seek(0)
            info = self._storage.put(key, stream, media_type=output.media_type)
        return NewArtifact(
            name=name,
            key=key,
            media_type=output.media_type,
            size=info.size,
            sha256=digest,
            width=width,
            height=height,
            meta=output.meta,
        )

    def _interrupted(self, job: JobRow, lease: Lease) -> str:
        match lease.stop:
            case Stop.CANCELED:
                patiently(lambda: self._store.end_canceled(job.id, job.attempt), Unavailable)
                return "canceled"
            case Stop.RELEASED:
                row = patiently(lambda: self._store.release(job.id, job.attempt), Unavailable)
                return "released" if row.state == State.QUEUED else str(row.state)
            case Stop.TIMED_OUT:
                return self._fail(job, "timeout", "The job ran for too long.")
            case _:
                return "lease_lost"

    def _fail(self, job: JobRow, code: str, detail: str) -> str:
        patiently(
            lambda: self._store.fail(job.id, job.attempt, code=code, detail=detail, device=self.device),
            Unavailable,
        )
        return f"failed: {code}"

    def _retry(self, job: JobRow, code: str, detail: str) -> str:
        # Full jitter on the upper half, so that a fleet does not come back in step.
        delay = min(settings.RETRY_CAP_SECONDS, settings.RETRY_BASE_SECONDS * 2**job.failures)
        delay *= random.uniform(0.5, 1.0)
        patiently(
            lambda: self._store.retry_later(
                job.id, job.attempt, code=code, detail=detail, delay_seconds=delay
            ),
            Unavailable,
        )
        _log.warning("job_retried", code=code, detail=detail, delay=round(delay, 1))
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


def _open(output: Output) -> io.BytesIO | io.BufferedReader:
    return io.BytesIO(output.data) if isinstance(output.data, bytes) else output.data.open("rb")


def _picture_size(stream: BinaryIO) -> tuple[int, int]:
    stream.seek(0)
    with Image.open(stream) as picture:  # reads the header only
        return picture.size
