"""One attempt at a job: its lease, its context, and what it has made so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TypedDict, TypeVar

import structlog

from engines.base import EngineError, Output, Part
from jobs.store import JobRow, NewArtifact, NewPart, Success
from storage.base import StorageUnavailable
from workers import settings
from workers.asking import asked_parts
from workers.context import JobContext
from workers.house import House
from workers.lease import Lease
from workers.outputs import require_json, safe_name, store_output

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Ran(TypedDict):
    """Where an attempt ran, as the store's ends of one take it."""

    device: str | None
    peak_memory: int | None


class Attempt:
    """One claimed job, while it is entered. How it ends is for `workers.ending` to write."""

    def __init__(self, job: JobRow, lease: Lease, house: House) -> None:
        self.job = job
        self.lease = lease
        self.context = JobContext(job, lease, house)
        #: What it ran on, and the bytes that took; for the job's record.
        self.device: str | None = None
        self.peak_memory: int | None = None
        self._house = house
        self._kept: dict[str, NewArtifact] = {}
        self._asked: list[Part] = []
        #: The jobs that it needs first; it is put aside for them.
        self.parts: Sequence[NewPart] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.context.close()

    def named(self) -> AbstractContextManager[Any]:
        """Log lines meanwhile carry the job's and the request's id."""
        return named(self.job)

    def take(self, given: Output | Part) -> None:
        """What `Engine.run` yields: an output is stored. Raises EngineError, StorageUnavailable."""
        if isinstance(given, Part):
            self._asked.append(given)
        else:
            self.keep(given)

    def finish(self) -> None:
        """The engine has yielded all of it. Raises EngineError and Unavailable."""
        if not self._asked:
            return
        if self._kept:
            raise EngineError("The engine made outputs and asked for parts.")
        spec = self.context.spec
        assert spec is not None, "an engine ran without its spec"
        self.parts = asked_parts(self._house.means, spec, self.job, self._asked)

    def keep(self, output: Output) -> None:
        """Store one output. Raises EngineError, StorageUnavailable."""
        name = safe_name(output.name)
        require_json(output.meta, name)
        if name in self._kept:
            raise EngineError(f"The engine made two outputs named {name}.")
        self._kept[name] = patiently(
            lambda: store_output(self._house.storage, output, name, self.context.key(f"out/{name}")),
            StorageUnavailable,
            until=lambda: self.lease.stop is not None,
        )

    def forget(self) -> None:
        """What was kept so far is made again."""
        self._kept.clear()
        self._asked.clear()
        self.parts = ()

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
    def ran(self) -> Ran:
        """Where it ran, for the store."""
        return {"device": self.device, "peak_memory": self.peak_memory}


def named(job: JobRow) -> AbstractContextManager[Any]:
    """Log lines meanwhile carry the job's and the request's id."""
    return structlog.contextvars.bound_contextvars(
        job_id=job.id, request_id=job.request_id, attempt=job.attempt, engine=job.engine
    )


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
