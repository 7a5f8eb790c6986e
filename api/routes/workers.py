"""/v1/workers: the machines at work, and what an operator may tell them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from flask import Blueprint, Response
from pydantic import Field

from accept.wire import Wire
from api.contract.operations import operation
from api.requests.reading import body, has_body
from api.services import services
from api.views import respond
from jobs.rows import SeenWorkerRow

routes = Blueprint("workers", __name__)


class WorkerState(StrEnum):
    """What a worker is at; the first that holds."""

    #: It has not reported lately: it is dead or cut off.
    SILENT = "silent"
    #: It takes no jobs, since those of several owners failed on it one after the other.
    QUARANTINED = "quarantined"
    #: It takes no more jobs, because somebody asked for that; it may still run one.
    DRAINING = "draining"
    BUSY = "busy"
    IDLE = "idle"


class WorkerView(Wire):
    """One worker process, as it last reported itself."""

    id: str
    state: WorkerState
    hostname: str
    pid: int
    queues: list[str] = Field(description="Whose jobs it takes.")
    engines: list[str]
    weights: list[str] = Field(
        description="What it has of what jobs can need: weights files, secrets by name, services that answer."
    )
    device: str | None = Field(description="What its last engine ran on; null before the first job.")
    models: list[str] = Field(description="What it has loaded: jobs that need it come first.")
    job_ids: list[str] = Field(description="What it runs; several when jobs run together.")
    draining: bool
    releasing: bool = Field(description="It was also asked to give back what it ran.")
    suspected: list[str] = Field(
        description="Owners whose jobs failed on it since its last success, in ways that may be its fault."
    )
    quarantined_at: datetime | None
    started_at: datetime
    heartbeat_at: datetime


class WorkerList(Wire):
    """The longest there first."""

    workers: list[WorkerView]


class DrainRequest(Wire):
    """How to drain. Without a body: let the running job go on to its end."""

    release: bool = Field(
        default=False,
        description="Give the running job back now; another worker goes on from its checkpoint.",
    )


@routes.get("/workers")
@operation("All workers", "workers", {200: WorkerList}, access="admin")
def list_workers() -> Response:
    """The living ones, and for an hour those that fell silent without saying good-bye."""
    return respond(WorkerList(workers=[_view(row) for row in services().fleet.workers()]))


@routes.get('/workers/<id("wrk"):worker_id>')
@operation("One worker", "workers", {200: WorkerView}, access="admin", problems=(404,))
def get_worker(worker_id: str) -> Response:
    """As it last reported itself."""
    return respond(_view(services().fleet.worker(worker_id)))


@routes.post('/workers/<id("wrk"):worker_id>/drain')
@operation(
    "Drain a worker",
    "workers",
    {200: WorkerView},
    access="admin",
    bodies={"application/json": DrainRequest},
    body_required=False,
    problems=(400, 404, 413, 415, 422),
)
def drain_worker(worker_id: str) -> Response:
    """It learns of it within about five seconds, takes no more jobs, and stays alive and visible.

    What it runs goes on to its end, or is given back now with a checkpoint. To end it, send it SIGTERM.
    """
    wanted = body(DrainRequest) if has_body() else DrainRequest()
    services().fleet.drain(worker_id, release=wanted.release)
    return respond(_view(services().fleet.worker(worker_id)))


@routes.post('/workers/<id("wrk"):worker_id>/resume')
@operation("Let a worker take jobs again", "workers", {200: WorkerView}, access="admin", problems=(404,))
def resume_worker(worker_id: str) -> Response:
    """Lifts a drain and a quarantine."""
    services().fleet.resume(worker_id)
    return respond(_view(services().fleet.worker(worker_id)))


def _state(row: SeenWorkerRow) -> WorkerState:
    if not row.alive:
        return WorkerState.SILENT
    if row.quarantined_at is not None:
        return WorkerState.QUARANTINED
    if row.draining:
        return WorkerState.DRAINING
    return WorkerState.BUSY if row.job_ids else WorkerState.IDLE


def _view(row: SeenWorkerRow) -> WorkerView:
    return WorkerView(
        id=row.id,
        state=_state(row),
        hostname=row.hostname,
        pid=row.pid,
        queues=row.queues,
        engines=row.engines,
        weights=row.weights,
        device=row.device,
        models=row.models,
        job_ids=row.job_ids,
        draining=row.draining,
        releasing=row.releasing,
        suspected=row.suspected,
        quarantined_at=row.quarantined_at,
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
    )
