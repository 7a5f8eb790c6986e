"""When a job will start and end, from what such jobs took lately, what is in front of it and who is alive.

The live workers are taken to go on with what they run, to take the line's jobs in their order, and nobody
else to come. All of that changes, so the answer is a forecast and is told as one; when there is nothing to
measure by, it is null and not a guess.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import engines
from api.forecasting.speed import Speed
from api.schemas.jobs import Forecast
from engines import providers, secrets
from fleet.store import FleetStore
from jobs.rows import WorkerRow
from jobs.states import State
from jobs.store import JobRow, JobStore
from jobs.store.figures import UnderWay

V = TypeVar("V")

#: Seconds that an answer of the database serves.
FRESH = 5.0
#: Jobs in front that are looked at one by one; those behind them are taken to be like them.
FRONT = 256
#: Running jobs that are looked at.
_UNDER_WAY = 1000
#: From this progress on a job's own pace says more than other jobs.
_TELLING = 0.1


@dataclass(frozen=True)
class _Starts:
    """When the jobs of a line start."""

    #: Seconds, of the first, the second, ...
    times: Sequence[float]
    #: From one start to the next, behind those.
    each: float

    def of(self, position: int) -> float:
        """Of the job at this place, from 1."""
        beyond = max(position - len(self.times), 0)
        return self.times[position - 1 - beyond] + beyond * self.each


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
        if row.state == State.RUNNING and row.started_at is not None and row.lease_owner is not None:
            ran = max((datetime.now(UTC) - row.started_at).total_seconds(), 0.0)
            job = UnderWay(row.lease_owner, row.engine, row.cost, row.progress, ran)
            left = self._left(job, self.speed(row.engine))
            return Forecast(servable=True, starts_in=0.0, ends_in=_rounded(left))
        if row.state != State.QUEUED:
            return None
        return self.of_waiting(row.engine, row.queue, row.needs, row.cost, position, held=held)

    def of_waiting(
        self, engine: str, queue: str, needs: str, cost: float, position: int | None, *, held: bool = False
    ) -> Forecast:
        """Of a job that waits, or would wait, at this place in its queue's line."""
        alive = self._alive()
        able = [worker for worker in alive if takes(worker, engine, queue, needs)]
        if not able:
            return Forecast(servable=False, reason=_why(alive, engine, queue, needs))
        if held or position is None:
            return Forecast(servable=True)
        if position <= sum(not worker.job_ids for worker in able):
            starts = 0.0
        else:
            line = self._fresh(("starts", engine, queue, needs), lambda: self._starts(queue, able))
            if line is None:
                return Forecast(servable=True)
            starts = line.of(position)
        own = self.speed(engine)
        ends = starts + own.run_seconds(cost, _devices(able)) if own is not None else None
        return Forecast(servable=True, starts_in=_rounded(starts), ends_in=_rounded(ends))

    def device_seconds(self, engine: str, queue: str, needs: str, cost: float, jobs: int = 1) -> float | None:
        """What so many jobs that cost so much together take of a device; None before the first one."""
        speed = self.speed(engine)
        if speed is None:
            return None
        able = [worker for worker in self._alive() if takes(worker, engine, queue, needs)]
        return speed.device_seconds(cost, _devices(able), jobs)

    def speed(self, engine: str) -> Speed | None:
        """What this engine's jobs took lately; None before the first one, and no longer."""
        what = ("speed", engine)
        found: Speed | None = self._fresh(what, lambda: self._speed(engine))
        if found is None:
            with self._lock:
                self._kept.pop(what, None)
        return found

    def _speed(self, engine: str) -> Speed | None:
        ran = self._jobs.ran(engine)
        return Speed(ran) if ran else None

    def _alive(self) -> list[WorkerRow]:
        return self._fresh("workers", self._fleet.alive)

    def _starts(self, queue: str, able: Sequence[WorkerRow]) -> _Starts | None:
        """When these workers will start the jobs of a line; None when nothing tells."""
        devices = _devices(able)
        line = self._fresh(("front", queue), lambda: self._jobs.front(queue, FRONT))
        speeds = self._speeds(engine for engine, _ in line)
        front: list[float | None] = []
        for engine, cost in line:
            speed = speeds[engine]
            front.append(speed.device_seconds(cost, devices) if speed is not None else None)
        known = [seconds for seconds in front if seconds is not None]
        lately = self._usual(queue, devices)
        usual = sum(known) / len(known) if known else lately
        if usual is None or lately is None:
            return None
        free = self._free(queue, able, lately)
        heapq.heapify(free)
        times = [free[0]]
        for seconds in front:
            heapq.heapreplace(free, free[0] + (usual if seconds is None else seconds))
            times.append(free[0])
        return _Starts(times, usual / len(able))

    def _free(self, queue: str, able: Sequence[WorkerRow], lately: float) -> list[float]:
        """Seconds until each of these workers is free: half a usual job where nothing tells."""
        left: dict[str, float] = {}
        running = self._fresh(("under way", queue), lambda: self._jobs.under_way(queue, _UNDER_WAY))
        speeds = self._speeds(job.engine for job in running)
        for job in running:
            seconds = self._left(job, speeds[job.engine])
            if seconds is not None:
                left[job.worker] = max(left.get(job.worker, 0.0), seconds)
        return [left.get(worker.id, lately / 2) if worker.job_ids else 0.0 for worker in able]

    def _speeds(self, engines: Iterable[str]) -> dict[str, Speed | None]:
        """Of each of these engines, looked up once: one that was never measured is not remembered."""
        return {engine: self.speed(engine) for engine in set(engines)}

    def _left(self, job: UnderWay, speed: Speed | None) -> float | None:
        """Seconds a running job still needs: by its own progress where that says more than other jobs."""
        if job.progress > _TELLING:
            return job.ran * (1 - job.progress) / job.progress
        if speed is None:
            return None
        own = [worker for worker in self._alive() if worker.id == job.worker]
        return max(speed.run_seconds(job.cost, _devices(own)) - job.ran, 0.0)

    def _usual(self, queue: str, devices: Sequence[str | None]) -> float | None:
        """Device seconds of a job of this queue, averaged over its engines; None before the first one."""
        of_queue = [self.speed(name) for name in engines.names() if engines.spec(name).queue == queue]
        known = [speed.usual_seconds(devices) for speed in of_queue if speed is not None]
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


def _devices(workers: Iterable[WorkerRow]) -> list[str | None]:
    return [worker.device for worker in workers]


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def takes(worker: WorkerRow, engine: str, queue: str, needs: str) -> bool:
    """Whether a live worker would claim a job of this engine and queue that needs this."""
    return (
        not worker.draining
        and worker.quarantined_at is None
        and queue in worker.queues
        and engine in worker.engines
        and _wanted(needs) <= set(worker.weights)
    )


def _wanted(needs: str) -> set[str]:
    return set(needs.split(",")) - {""}


def _why(alive: Iterable[WorkerRow], engine: str, queue: str, needs: str) -> str:
    """The first thing that is missing, in words for the job's owner."""
    alive = list(alive)
    tests: Mapping[str, Callable[[WorkerRow], bool]] = {
        f"No worker serves the queue {queue} at the moment.": lambda w: queue in w.queues,
        f"No worker of the queue {queue} has the engine {engine}.": lambda w: engine in w.engines,
        **{_without(need): _having(need) for need in sorted(_wanted(needs))},
        "All workers that could take it are in quarantine.": lambda w: w.quarantined_at is None,
        "All workers that could take it are being drained.": lambda w: not w.draining,
    }
    for words, passes in tests.items():
        alive = [worker for worker in alive if passes(worker)]
        if not alive:
            return words
    return "No live worker can take it."


def _without(need: str) -> str:
    if need.startswith(secrets.PREFIX):
        name = need.removeprefix(secrets.PREFIX)
        return f"No worker has the secret {name}: whoever runs this studio has to set it."
    if need.startswith(providers.PREFIX):
        name = need.removeprefix(providers.PREFIX)
        return f"No worker can ask the service {name} now: it is not set up, or did not answer lately."
    return f"No worker has the weights {need}."


def _having(need: str) -> Callable[[WorkerRow], bool]:
    return lambda worker: need in worker.weights
