"""What Prometheus reads: requests from every process of this server; `system_metrics` has the rest.

With several processes the request metrics live in files that all of them can read (`share`).
"""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

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


def exposition(jobs: Collector) -> bytes:
    """The whole page, in Prometheus's text format."""
    requests = _requests
    if os.environ.get(_FOLDER):
        requests = CollectorRegistry()
        MultiProcessCollector(requests)  # type: ignore[no-untyped-call]
    own = CollectorRegistry()
    own.register(jobs)
    return generate_latest(requests) + generate_latest(own)
