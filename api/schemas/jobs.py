"""A job as its owner sees it, and what is said of one that would be."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from accept.wire import WebhookRequest, Wire
from api.schemas.files import ArtifactView
from api.schemas.problems import Failure
from jobs.documents import JSONObject
from jobs.states import State


class Timings(Wire):
    """Seconds. Measured on the database's clock."""

    queued: float = Field(description="From acceptance to the start of the present or last attempt.")
    run: float | None = Field(description="Of the present or last attempt; null before the first.")


class JobUsage(Wire):
    """What a job has used so far, all its ended attempts together."""

    queue_seconds: float = Field(description="In line and on hold.")
    run_seconds: float
    device_seconds: float = Field(description="The same, divided among the jobs that ran together.")
    peak_memory: int | None = Field(
        description="Bytes, in the last attempt: of the device if it has its own memory, else of the process."
    )
    batch_size: int = Field(description="How many jobs ran together in the present or last attempt.")


class Held(Wire):
    """Why a queued job is not in line."""

    reason: Literal["owner", "running_cap", "parts"] = Field(
        description="`owner`: until you release it. `running_cap`: as many of your jobs are in line or "
        "running as may run at once; it moves up as they end. `parts`: it has asked for other jobs, and goes "
        "on when all of them have succeeded."
    )
    detail: str


class Forecast(Wire):
    """What can be said of a job that waits or runs. Measured, not promised."""

    servable: bool = Field(description="Whether some live worker can take it.")
    reason: str | None = Field(default=None, description="Why not.")
    starts_in: float | None = Field(default=None, description="Seconds; null when nobody can tell.")
    ends_in: float | None = Field(default=None, description="Seconds; null when nobody can tell.")


class StageView(Wire):
    """The jobs that a job asked for under one name, together."""

    name: str
    state: State = Field(description="`failed` or `canceled` if one of them is.")
    progress: float = Field(description="0 to 1, of all of them together.")
    jobs: int
    succeeded: int = Field(description="How many of them have.")
    artifacts: int = Field(description="How many results they have made.")
    attempts: int = Field(description="Of all of them together.")
    seconds: float = Field(description="That they ran, all together.")


class JobView(Wire):
    """One job as its owner sees it."""

    id: str
    engine: str
    state: State
    queue: str
    progress: float = Field(description="0 to 1, of the present attempt.")
    message: str = Field(description="What it is doing.")
    preview_url: str | None = Field(default=None, description="A picture of the work in progress.")
    queue_position: int | None = Field(
        default=None,
        description="1 is next; null when not queued, or on hold. Counted up to 1,000. Others' later jobs "
        "may go first: owners take turns.",
    )
    priority: Literal["low", "normal", "high"]
    held: Held | None = None
    forecast: Forecast | None = Field(
        default=None,
        description="Of a queued or running job; told by GET /v1/jobs/{job_id} and "
        "where jobs are asked for by `id`.",
    )
    start_by: datetime | None = None
    timeout: float | None = None
    webhook: WebhookRequest | None = None
    tags: list[str]
    metadata: JSONObject
    schedule_id: str | None = Field(default=None, description="The schedule that made it.")
    attempt: int = Field(description="0 before the first worker took it.")
    cancel_requested: bool
    params: JSONObject
    seed: int
    device: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    timings: Timings
    usage: JobUsage
    stages: list[StageView] = Field(
        default=[],
        description="Of a job that is made of jobs, in the order in which it asked for them; "
        "GET /v1/jobs/{job_id}/parts lists these.",
    )
    part_of: str | None = Field(default=None, description="The job that asked for this one.")
    retry_of: str | None = Field(default=None, description="The job of which it is another try.")
    artifacts: list[ArtifactView] = Field(description="Its results; empty until it succeeded.")
    expires_at: datetime | None = Field(
        default=None, description="When its results will be deleted; null: never, or not finished."
    )
    data_removed: bool = Field(description="Its results have expired and were deleted.")
    error: Failure | None = None
    version: int = Field(description="Grows with every change; the id of the job's events.")


class JobPage(Wire):
    """Newest first."""

    jobs: list[JobView]
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")


class PartView(Wire):
    """A job that another one asked for."""

    name: str = Field(description="Its name in that job.")
    stage: str
    job: JobView


class PartPage(Wire):
    """In the order in which they were asked for."""

    parts: list[PartView]
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")


class DryRun(Wire):
    """What would become of a request. Nothing was stored or accepted."""

    engine: str
    queue: str
    params: JSONObject = Field(
        description="As the engine would get them; a file that came along is named by its SHA-256."
    )
    device_seconds: float | None = Field(
        description="What it would use, from what such jobs took lately; null before the first one."
    )
    queue_position: int | None = Field(description="Its place in line if it were accepted now.")
    forecast: Forecast


class JobEventView(Wire):
    """The data of one server-sent event. `event:` is `state`, `progress` or `done`; `id:` is `version`."""

    job_id: str
    version: int
    state: State
    attempt: int
    progress: float
    message: str
    preview_url: str | None = None
    reason: str | None = None
    at: datetime
