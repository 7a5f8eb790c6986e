"""/healthz, /readyz and /metrics, for the machines that watch this one. No key: do not publish them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

from flask import Blueprint, Response, current_app
from kombu.exceptions import OperationalError
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field

from accept.wire import Wire
from api.contract.operations import operation
from api.services import Services, services
from api.telemetry.metrics import exposition
from api.telemetry.system_metrics import JobsCollector
from api.views import respond
from jobs.errors import AtelierError
from storage.base import StorageUnavailable

#: Seconds an answer serves: a probe writes to the object store, and anybody can send one.
_FRESH = 2.0


class Alive(Wire):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(Wire):
    """The parts this server depends on: "ok", or what is wrong."""

    status: Literal["ok", "degraded", "unavailable"]
    database: str
    storage: str
    broker: str = Field(description="Its loss delays jobs and loses none, so it does not make us unready.")


class Readiness:
    """The three checks, remembered for a moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._found: Ready | None = None

    def ask(self, found: Services) -> Ready:
        """The present state of the parts; takes seconds when one of them hangs."""
        with self._lock:
            if self._found is None or time.monotonic() - self._read_at > _FRESH:
                self._found = _check(found)
                self._read_at = time.monotonic()
            return self._found


def blueprint(found: Services) -> Blueprint:
    """The routes of one app, with what they remember between requests."""
    routes = Blueprint("health", __name__)
    readiness = Readiness()
    collector = JobsCollector(found.jobs, found.fleet, found.deliveries, found.forecaster)

    @routes.get("/healthz")
    @operation("Whether this process lives", "health", {200: Alive}, access="none")
    def healthz() -> Response:
        return respond(Alive())

    @routes.get("/readyz")
    @operation("Whether it can accept jobs", "health", {200: Ready, 503: Ready}, access="none")
    def readyz() -> Response:
        ready = readiness.ask(services())
        return respond(ready, 503 if ready.status == "unavailable" else 200)

    @routes.get("/metrics")
    @operation("Prometheus metrics", "health", {200: "text/plain"}, access="none")
    def metrics() -> Response:
        return Response(exposition(collector), content_type=CONTENT_TYPE_LATEST)

    return routes


def _check(found: Services) -> Ready:
    database = _tried(found.jobs.database.check)
    storage = _tried(found.storage.check)
    broker = _tried(found.doorbell.check)
    status: Literal["ok", "degraded", "unavailable"] = "ok" if broker == "ok" else "degraded"
    if (database, storage) != ("ok", "ok"):
        status = "unavailable"
        current_app.logger.warning("not ready: database %s, storage %s", database, storage)
    return Ready(status=status, database=database, storage=storage, broker=broker)


def _tried(check: Callable[[], None]) -> str:
    try:
        check()
    except AtelierError as error:
        return error.detail
    except StorageUnavailable:
        return "The object store cannot be used."
    except (OperationalError, OSError) as error:
        return f"It cannot be reached ({type(error).__name__})."
    return "ok"
