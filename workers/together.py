"""Jobs that one call of their engine makes: each keeps its own result, its own failure and its own stop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, cast

import structlog

from engines.base import BatchEngine, EngineError, Interrupted, Output, Part
from workers.attempt import Attempt
from workers.ending import Ending
from workers.loaded import Loaded, caught
from workers.memory import PeakMemory

_log = structlog.get_logger(__name__)


class Together:
    """One batch, to be run once."""

    def __init__(self, attempts: Sequence[Attempt], loaded: Loaded, ending: Ending) -> None:
        self._attempts = attempts
        self._loaded = loaded
        self._ending = ending
        self._began = time.monotonic()
        self._engine: BatchEngine | None = None
        #: What the engine gets, in this order.
        self._ready: list[tuple[Attempt, Any]] = []
        #: What stands in the way of each that did not come out well, by its job.
        self._wrong: dict[str, Exception] = {}
        #: Jobs whose end has been written.
        self._ended: set[str] = set()

    def run(self) -> list[Attempt]:
        """Let the engine make all of them, and end each.

        Returns those that are to be run alone, because the batch broke down; they have not ended.
        """
        _log.info(
            "batch_started", engine=self._attempts[0].job.engine, jobs=[a.job.id for a in self._attempts]
        )
        for attempt in self._attempts:
            self._judge(attempt, caught(partial(self._prepare, attempt)))
        broke = self._make()
        well = [attempt for attempt in self._attempts if attempt.job.id not in self._wrong]
        for attempt in well if broke else ():
            attempt.lease.engine_ended()  # until its own turn comes
        whole = [] if broke else well
        self._ending.succeed_together(whole, self._began)
        for attempt in self._attempts:
            if attempt.job.id in self._wrong:
                self._end(attempt, self._wrong[attempt.job.id])
        _log.info("batch_ended", succeeded=len(whole), seconds=round(time.monotonic() - self._began, 3))
        return well if broke else []

    def _prepare(self, attempt: Attempt) -> None:
        engine, params = self._loaded.prepare(attempt)
        self._engine = cast(BatchEngine, engine)
        self._ready.append((attempt, params))

    def _make(self) -> Exception | None:
        """Let the engine make what is ready; what broke all of that down, or None."""
        with ExitStack() as stack:
            for attempt, _ in self._ready:
                stack.enter_context(attempt.context.watched(self._goes_on))
            peak = stack.enter_context(PeakMemory())
            broke = caught(self._call_engine)
        if broke is not None:
            _log.warning("batch_broke", error=repr(broke))
        for attempt, _ in self._ready:
            attempt.peak_memory = peak.bytes
            if attempt.context.interrupted:
                self._wrong[attempt.job.id] = Interrupted()
        return broke

    def _call_engine(self) -> None:
        if self._engine is None:
            return  # none of them is ready
        for index, output in self._engine.run_batch([(params, a.context) for a, params in self._ready]):
            self._goes_on()
            attempt, _ = self._ready[index]
            if attempt.job.id not in self._wrong and attempt.job.id not in self._ended:
                self._judge(attempt, caught(partial(_keep, attempt, output)))

    def _goes_on(self) -> None:
        """The engine shows by any job's progress that it goes on with all."""
        for attempt in self._attempts:
            attempt.lease.engine_lives()
            if attempt.context.interrupted:
                # At once: whoever canceled one job need not wait for the others.
                self._end(attempt, Interrupted())

    def _judge(self, attempt: Attempt, error: Exception | None) -> None:
        if error is not None:
            self._wrong[attempt.job.id] = error

    def _end(self, attempt: Attempt, error: Exception) -> None:
        if attempt.job.id not in self._ended:
            self._ended.add(attempt.job.id)
            with attempt.named():
                self._ending.end(attempt, error, self._began)


def _keep(attempt: Attempt, output: Output | EngineError | Part) -> None:
    if isinstance(output, EngineError):
        raise output
    if isinstance(output, Part):
        raise EngineError("The engine asked for parts in a batch.")
    attempt.keep(output)
