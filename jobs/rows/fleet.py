"""Workers."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class WorkerRow(Protocol):
    """One of `jobs.models.Worker`."""

    id: str
    hostname: str
    pid: int
    queues: list[str]
    engines: list[str]
    weights: list[str]
    device: str | None
    models: list[str]
    job_ids: list[str]
    started_at: datetime
    heartbeat_at: datetime
    draining: bool
    releasing: bool
    suspected: list[str]
    quarantined_at: datetime | None


class SeenWorkerRow(WorkerRow, Protocol):
    """One with what its silence says."""

    #: Whether it reported lately.
    alive: bool


class OrdersRow(Protocol):
    """What a worker is told of itself."""

    draining: bool
    releasing: bool
    suspected: list[str]
    quarantined_at: datetime | None
