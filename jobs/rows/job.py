"""Jobs, and what happened to them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from jobs.documents import JSONObject


class JobRow(Protocol):
    """One of `jobs.models.Job`."""

    id: str
    owner_id: str
    engine: str
    queue: str
    state: str
    priority: int
    hold: str | None
    turn: int | None
    place: float
    model: str
    passed_at: datetime | None
    batch: str | None
    batch_most: int
    batch_size: int
    start_by: datetime | None
    timeout_seconds: float | None
    cost: float
    params: JSONObject
    seed: int
    needs: str
    request_id: str | None
    created_at: datetime
    run_after: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    failures: int
    lease_owner: str | None
    lease_until: datetime | None
    cancel_requested: bool
    died_on: str | None
    version: int
    progress: float
    message: str
    preview_key: str | None
    checkpoint_key: str | None
    error_code: str | None
    error_detail: str | None
    device: str | None
    queue_seconds: float
    run_seconds: float
    device_seconds: float
    peak_memory: int | None
    data_removed: bool
    notify: bool
    converts: str | None
    webhook: JSONObject | None
    tags: list[str] | None
    meta: JSONObject | None
    search: str | None
    part_of: str | None
    retry_of: str | None
    parts: int
    idempotency_key: str | None
    idempotency_hash: str | None


class ClaimedRow(JobRow, Protocol):
    """One that was claimed just now."""

    #: The clock of its queue; None: nothing was ever claimed from it.
    clock: int | None
    #: Whether others of its owner wait behind the line, and half of the owner's line is gone.
    line_short: bool
    #: Of those that the worker could have taken, the id of the one that was next.
    head_id: str


class EndedRow(JobRow, Protocol):
    """One whose attempt ended just now."""

    #: Whether that makes room under its owner's cap.
    capped: bool


class VersionRow(Protocol):
    """How far a job has come."""

    id: str
    version: int


class FactsRow(VersionRow, Protocol):
    """What watchers are told of a job: without its params, which may be large and never change."""

    state: str
    attempt: int
    progress: float
    message: str
    preview_key: str | None
    error_code: str | None
    finished_at: datetime | None
    parts: int


class MetRow(Protocol):
    """What a new job of some owner, queue and priority meets there."""

    #: The largest turn that was claimed from the queue; None: nothing ever was.
    clock: int | None
    #: The last turn that was given to this owner at this priority, if any was.
    given: int | None
    step: int
    in_line: int
    #: Whether others wait behind the line.
    behind: bool
    max_running: int | None
    #: Whether the owner has webhooks.
    heard: bool


class EventRow(Protocol):
    """One of `jobs.models.JobEvent`."""

    job_id: str
    version: int
    state: str
    attempt: int
    reason: str | None
    at: datetime


class PartRow(Protocol):
    """One of `jobs.models.JobPart`, and the job that it is."""

    job_id: str
    name: str
    stage: str
    number: int
    share: float
    digest: str
    part_id: str
    state: str


class StageRow(Protocol):
    """The parts of one stage of a job, together."""

    job_id: str
    stage: str
    jobs: int
    queued: int
    running: int
    succeeded: int
    failed: int
    canceled: int
    #: The sum of its jobs', each 0 to 1.
    progress: float
    #: Of all its jobs together.
    attempts: int
    run_seconds: float
    #: How many results they have.
    artifacts: int


class UsageRow(Protocol):
    """Sums of `jobs.models.PastUsage` and of the jobs that are still there."""

    owner_id: str
    day: str
    engine: str
    device: str
    state: str
    jobs: int
    queue_seconds: float
    run_seconds: float
    device_seconds: float
