"""What Prometheus is told of jobs, queues, workers and webhooks, as the database has them.

Whoever steers a fleet by these numbers wants to know what workers could do now: the depth of a queue and the
age of its oldest job are of what is in line and due. What is held is told apart.

Counts that take long at a million rows are asked for aside, and are as old as they are expensive.
"""

from __future__ import annotations

import threading
import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from api.forecasting.forecast import Forecaster, takes
from api.telemetry.aside import FRESH, Aside
from fleet.store import FleetStore
from jobs.errors import Unavailable
from jobs.rows import WorkerRow
from jobs.states import FINAL, Hold, State
from jobs.store import JobStore
from jobs.store.figures import InLine, Kept
from queue_config import QUEUES
from webhooks.deliveries import DeliveryStore

#: What `hold` says of jobs in line that pause before their next attempt.
PAUSE = "pause"
_WORKER_STATES = ("idle", "busy", "draining", "quarantined")

#: The values of some labels -> a number.
Values = Mapping[tuple[str, ...], float]


class JobsCollector(Collector):
    """Jobs, queues, workers and webhooks."""

    def __init__(
        self, jobs: JobStore, fleet: FleetStore, deliveries: DeliveryStore, forecaster: Forecaster
    ) -> None:
        self._jobs = jobs
        self._fleet = fleet
        self._deliveries = deliveries
        self._forecaster = forecaster
        self._line = Aside(jobs.in_line)
        self._held = Aside(jobs.not_in_line)
        self._kept = Aside(jobs.kept)
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._found: list[Metric] = []

    def collect(self) -> Iterator[Metric]:
        """The families, kept for some seconds; none of them while the database is away."""
        with self._lock:
            if time.monotonic() - self._read_at > FRESH:
                try:
                    self._found = list(self._read())
                except Unavailable:
                    self._found = [_up(0)]
                self._read_at = time.monotonic()
            found = self._found
        yield from found

    def _read(self) -> Iterator[Metric]:
        workers = self._fleet.alive()
        for slow in (self._line, self._held, self._kept):
            slow.ask()  # side by side
        yield _up(1)
        yield from _workers(workers)
        pending, late = self._deliveries.backlog()
        yield GaugeMetricFamily(
            "atelier_webhooks_pending", "Messages to be sent, now or later.", value=pending
        )
        yield GaugeMetricFamily(
            "atelier_webhooks_oldest_due_seconds", "For how long the first of them has been due.", value=late
        )
        line, held, kept = self._line.get(), self._held.get(), self._kept.get()
        if line is not None and held is not None:
            yield from self._queues(line)
            yield _gauge(
                "atelier_queue_held",
                "Queued jobs that no worker may take now: held by their owner, behind the line, in a pause "
                "before the next attempt.",
                ["queue", "hold"],
                _held(line, held),
            )
            yield _gauge(
                "atelier_unservable_jobs",
                "Jobs in line that no live worker can take.",
                ["queue", "engine"],
                _unservable(line, workers),
            )
        if kept is not None:
            yield from _history(kept, self._jobs.running())

    def _queues(self, line: Sequence[InLine]) -> Iterator[Metric]:
        """Each queue is told of with nothing in it, too: an alert compares numbers, and absence is none."""
        depth = _each_queue(0.0)
        oldest = _each_queue(0.0)
        seconds: dict[tuple[str, ...], float] = {}
        for part in line:
            if not part.due:
                continue
            depth[part.queue,] = depth.get((part.queue,), 0.0) + part.jobs
            oldest[part.queue,] = max(oldest.get((part.queue,), 0.0), part.oldest)
            takes_all = self._forecaster.device_seconds(
                part.engine, part.queue, part.needs, part.cost, part.jobs
            )
            if takes_all is not None:
                key = (part.queue, part.engine)
                seconds[key] = seconds.get(key, 0.0) + takes_all
        yield _gauge("atelier_queue_depth", "Jobs in line that a worker may take now.", ["queue"], depth)
        yield _gauge(
            "atelier_oldest_queued_seconds",
            "For how long the oldest job has waited that a worker may take now: since it was accepted, "
            "released, let in under its owner's cap, or began to wait for its next attempt.",
            ["queue"],
            oldest,
        )
        yield _gauge(
            "atelier_queue_device_seconds",
            "What the jobs in line will take, by what such jobs took lately.",
            ["queue", "engine"],
            seconds,
        )


def _held(line: Iterable[InLine], not_in_line: Mapping[tuple[str, str], int]) -> Values:
    found: dict[tuple[str, ...], float] = {
        (queue, hold): 0.0 for queue in QUEUES for hold in (*(h.value for h in Hold), PAUSE)
    }
    for (queue, hold), count in not_in_line.items():
        found[queue, hold] = count
    for part in line:
        if not part.due:
            found[part.queue, PAUSE] = found.get((part.queue, PAUSE), 0.0) + part.jobs
    return found


def _workers(workers: Sequence[WorkerRow]) -> Iterator[Metric]:
    serving, quarantined = _each_queue(0.0), _each_queue(0.0)
    states: dict[tuple[str, ...], float] = {(q, state): 0.0 for q in QUEUES for state in _WORKER_STATES}
    for worker in workers:
        state = _state(worker)
        for queue in worker.queues:
            serving[queue,] = serving.get((queue,), 0.0) + 1
            states[queue, state] = states.get((queue, state), 0.0) + 1
            quarantined[queue,] = quarantined.get((queue,), 0.0) + (state == "quarantined")
    yield _gauge("atelier_workers", "Live worker processes.", ["queue"], serving)
    yield _gauge("atelier_workers_by_state", "What they are at.", ["queue", "state"], states)
    yield _gauge(
        "atelier_workers_quarantined",
        "Live workers that trust themselves no more.",
        ["queue"],
        quarantined,
    )


def _state(worker: WorkerRow) -> str:
    if worker.quarantined_at is not None:
        return "quarantined"
    if worker.draining:
        return "draining"
    return "busy" if worker.job_ids else "idle"


def _unservable(line: Iterable[InLine], workers: Sequence[WorkerRow]) -> Values:
    found: Tally[tuple[str, ...]] = Tally()
    for part in line:
        able = any(takes(worker, part.engine, part.queue, part.needs) for worker in workers)
        found[part.queue, part.engine] += 0 if able else part.jobs
    return {key: float(count) for key, count in found.items()}


def _history(kept: Iterable[Kept], running: Iterable[tuple[str, str, int]]) -> Iterator[Metric]:
    """What there are rows of; minutes old where there are millions, but for what runs."""
    jobs: dict[tuple[str, ...], float] = {
        (engine, queue, State.RUNNING.value): count for engine, queue, count in running
    }
    attempts: Tally[tuple[str, ...]] = Tally()
    failures: Tally[tuple[str, ...]] = Tally()
    ran: Tally[tuple[str, str]] = Tally()
    seconds: dict[tuple[str, str], float] = {}
    for part in kept:
        attempts[part.engine, part.queue] += part.attempts
        failures[part.engine, part.queue] += part.failures
        if part.state != State.RUNNING:
            jobs[part.engine, part.queue, part.state] = part.jobs
        if part.state in FINAL and part.ran:
            key = (part.engine, part.state)
            ran[key] += part.ran
            seconds[key] = seconds.get(key, 0.0) + part.run_seconds
    yield _gauge("atelier_jobs", "Jobs kept.", ["engine", "queue", "state"], jobs)
    runs = SummaryMetricFamily(
        "atelier_run_seconds", "All attempts of the finished jobs kept.", labels=["engine", "state"]
    )
    for (engine, state), count in ran.items():
        runs.add_metric([engine, state], count_value=count, sum_value=seconds[engine, state])
    yield runs
    labels = ["engine", "queue"]
    yield _gauge("atelier_attempts", "Attempts of the jobs kept.", labels, attempts)
    yield _gauge(
        "atelier_attempts_failed",
        "Those that ended in a transient error or with their worker.",
        labels,
        failures,
    )


def _each_queue(value: float) -> dict[tuple[str, ...], float]:
    return {(queue,): value for queue in QUEUES}


def _gauge(name: str, says: str, labels: list[str], found: Values) -> Metric:
    made = GaugeMetricFamily(name, says, labels=labels)
    for key, value in found.items():
        made.add_metric(key, value)
    return made


def _up(value: int) -> Metric:
    return GaugeMetricFamily("atelier_database_up", "1 while the database answers.", value=value)
