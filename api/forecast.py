"""When a job will start and end, from what such jobs took lately and which workers are alive.

The jobs in front are taken to be like the queue's own engine mix lately, the live workers to share them
evenly, and nobody else to come. All of that changes, so the answer is a forecast and is told as one; when
there is nothing to measure by, it is null and not a guess.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from sqlalchemy import Row

import engines
from jobs.fleet import FleetStore
from jobs.schemas import Forecast
from jobs.states import State
from jobs.store import JobRow, JobStore, Speed

V = TypeVar("V")

#: Seconds that an answer of the database serves.
FRESH = 5.0


class Forecaster:
    """Shared by the threads of one process. What it asks the database serves for FRESH seconds."""

    def __init__(
        self, jobs: JobStore, fleet: FleetStore, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._jobs = jobs
        self._fleet = fleet
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Any, tuple[float, Any]] = {}

    def of(self, row: JobRow, position: int | None, *, held: bool) -> Forecast | None:
        """Of a queued or running job; None for a finished one.

        `held`: by its owner, or by their cap: then its place in line does not tell when it starts.
        """
        if row.state == State.RUNNING:
            speed = self.speed(row.engine)
            return Forecast(servable=True, starts_in=0.0, ends_in=_left(row, speed))
        if row.state != State.QUEUED:
            return None
        return self.of_waiting(row.engine, row.queue, row.needs, row.cost, position, held=held)

    def of_waiting(
        self, engine: str, queue: str, needs: str, cost: float, position: int | None, *, held: bool = False
    ) -> Forecast:
        """Of a job that waits, or would wait, at this place in its queue's line."""
        alive = self._fresh("workers", self._fleet.alive)
        able = [worker for worker in alive if takes(worker, engine, queue, needs)]
        if not able:
            return Forecast(servable=False, reason=_why(alive, engine, queue, needs))
        if held or position is None:
            return Forecast(servable=True)
        own = self.speed(engine)
        mix = self._mix(queue)
        idle = sum(1 for worker in able if not worker.job_ids)
        if position <= idle:
            starts = 0.0
        elif mix is None:
            return Forecast(servable=True)
        else:
            # Those before it that no idle worker takes, and half of what is running now.
            starts = (position - idle - 0.5) * mix / len(able)
        ends = starts + own.run_seconds * cost if own is not None else None
        return Forecast(servable=True, starts_in=round(starts, 1), ends_in=ends and round(ends, 1))

    def speed(self, engine: str) -> Speed | None:
        """What this engine's jobs took lately; None before the first one."""
        found: Speed | None = self._fresh(("speed", engine), lambda: self._jobs.speed(engine))
        return found

    def _mix(self, queue: str) -> float | None:
        """Device seconds of a job of this queue, averaged over its engines; None before the first one."""
        of_queue = [self.speed(name) for name in engines.names() if engines.spec(name).queue == queue]
        known = [speed.job_seconds for speed in of_queue if speed is not None]
        return sum(known) / len(known) if known else None

    def _fresh(self, what: Any, ask: Callable[[], V]) -> V:
        with self._lock:
            until, found = self._kept.get(what, (float("-inf"), None))
            if until > self._clock():
                return cast(V, found)  # the key says which type was kept
        found = ask()
        with self._lock:
            self._kept[what] = (self._clock() + FRESH, found)
        return found


def _left(row: JobRow, speed: Speed | None) -> float | None:
    """Seconds a running job still needs: by its own progress where that says more than the average."""
    ran: float = max((datetime.now(UTC) - row.started_at).total_seconds(), 0.0)
    progress: float = row.progress
    cost: float = row.cost
    if progress > 0.1:
        return round(ran * (1 - progress) / progress, 1)
    if speed is None:
        return None
    return round(max(speed.run_seconds * cost - ran, 0.0), 1)


def takes(worker: Row[Any], engine: str, queue: str, needs: str) -> bool:
    """Whether a live worker would claim a job of this engine and queue that needs these weights."""
    return (
        not worker.draining
        and worker.quarantined_at is None
        and queue in worker.queues
        and engine in worker.engines
        and _wanted(needs) <= set(worker.weights)
    )


def _wanted(needs: str) -> set[str]:
    return set(needs.split(",")) - {""}


def _why(alive: Iterable[Row[Any]], engine: str, queue: str, needs: str) -> str:
    """The first thing that is missing, in words for the job's owner."""
    alive = list(alive)
    tests: Mapping[str, Callable[[Row[Any]], bool]] = {
        f"No worker serves the queue {queue} at the moment.": lambda w: queue in w.queues,
        f"No worker of the queue {queue} has the engine {engine}.": lambda w: engine in w.engines,
        f"No worker has the weights {needs.replace(',', ', ')}.": lambda w: _wanted(needs) <= set(w.weights),
        "All workers that could take it are in quarantine.": lambda w: w.quarantined_at is None,
        "All workers that could take it are being drained.": lambda w: not w.draining,
    }
    for words, passes in tests.items():
        alive = [worker for worker in alive if passes(worker)]
        if not alive:
            return words
    return "No live worker can take it."
