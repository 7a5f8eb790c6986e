"""What Prometheus reads: requests from every process of this server, jobs and workers from the database.

With several processes the request metrics live in files that all of them can read (`share`). The rest is
asked of SQL at a scrape.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import Row

from jobs.errors import Unavailable
from jobs.fleet import FleetStore
from jobs.store import JobStore
from queue_config import QUEUES

#: Seconds a database answer serves, however often it is scraped.
_FRESH = 5.0
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_METHODS = {"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"}

_requests = CollectorRegistry()
_count = Counter(
    "atelier_http_requests", "Requests answered.", ["method", "route", "status"], registry=_requests
)
_seconds = Histogram(
    "atelier_http_request_seconds",
    "Seconds until the answer began.",
    ["route"],
    registry=_requests,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)


def share(folder: str) -> None:
    """Count in files in this folder, for all processes that are forked from this one.

    Called before the first request is counted. prometheus_client would decide this when it is imported,
    which in gunicorn's master is before any configuration is read.
    """
    os.environ[_FOLDER] = folder
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count one request; `route` is the rule, never the path, so that the labels stay few."""
    _count.labels(method if method in _METHODS else "other", route, str(status)).inc()
    _seconds.labels(route).observe(seconds)


class JobsCollector(Collector):
    """Jobs, queues and workers, as the database has them."""

    def __init__(self, jobs: JobStore, fleet: FleetStore) -> None:
        self._jobs = jobs
        self._fleet = fleet
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._found: list[Metric] = []

    def collect(self) -> Iterator[Metric]:
        """The families, at most `_FRESH` seconds old; none of them while the database is away."""
        with self._lock:
            if time.monotonic() - self._read_at > _FRESH:
                try:
                    self._found = list(self._read())
                except Unavailable:
                    self._found = [_up(0)]
                self._read_at = time.monotonic()
            found = self._found
        yield from found

    def _read(self) -> Iterator[Metric]:
        yield _up(1)
        jobs = GaugeMetricFamily("atelier_jobs", "Jobs kept.", labels=["engine", "queue", "state"])
        # A queue without jobs or workers is told as 0: an alert compares numbers, and absence is none.
        depth: Tally[str] = Tally(dict.fromkeys(QUEUES, 0))
        for engine, queue, state, count in self._jobs.counts():
            jobs.add_metric([engine, queue, state], count)
            depth[queue] += count if state == "queued" else 0
        yield jobs
        waiting = GaugeMetricFamily("atelier_queue_depth", "Jobs waiting.", labels=["queue"])
        for queue, count in depth.items():
            waiting.add_metric([queue], count)
        yield waiting
        age = GaugeMetricFamily(
            "atelier_oldest_queued_seconds", "Age of the oldest waiting job.", labels=["queue"]
        )
        ages = dict.fromkeys(QUEUES, 0.0)
        for queue, at in self._jobs.oldest_queued().items():
            ages[queue] = max(0.0, (datetime.now(UTC) - at).total_seconds())
        for queue, seconds in ages.items():
            age.add_metric([queue], seconds)
        yield age
        runs = SummaryMetricFamily(
            "atelier_run_seconds", "Last attempts of the finished jobs kept.", labels=["engine", "state"]
        )
        for engine, state, count, total in self._jobs.run_seconds():
            runs.add_metric([engine, state], count_value=count, sum_value=total)
        yield runs
        workers = GaugeMetricFamily("atelier_workers", "Live worker processes.", labels=["queue"])
        alive = self._fleet.alive()
        for queue, number in _by_queue(alive).items():
            workers.add_metric([queue], number)
        yield workers
        resting = GaugeMetricFamily(
            "atelier_workers_quarantined", "Live workers that trust themselves no more.", labels=["queue"]
        )
        for queue, number in _by_queue([w for w in alive if w.quarantined_at is not None]).items():
            resting.add_metric([queue], number)
        yield resting


def _by_queue(workers: Sequence[Row[Any]]) -> Tally[str]:
    """How many serve each queue."""
    serving: Tally[str] = Tally(dict.fromkeys(QUEUES, 0))
    serving.update(queue for worker in workers for queue in worker.queues)
    return serving


def exposition(jobs: JobsCollector) -> bytes:
    """The whole page, in Prometheus's text format."""
    requests = _requests
    if os.environ.get(_FOLDER):
        requests = CollectorRegistry()
        MultiProcessCollector(requests)  # type: ignore[no-untyped-call]
    own = CollectorRegistry()
    own.register(jobs)
    return generate_latest(requests) + generate_latest(own)


def _up(value: int) -> Metric:
    return GaugeMetricFamily("atelier_database_up", "1 while the database answers.", value=value)
