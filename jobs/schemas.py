"""The wire models: what crosses HTTP, and nothing else. `snake_case`, opaque ids, RFC 3339 UTC times."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from jobs.states import State


class Wire(BaseModel):
    """Base of every wire model."""

    model_config = ConfigDict(extra="forbid")


class JobRequest(Wire):
    """What `POST /v1/jobs` takes as JSON.

    A file field of `params` is a file id, a data: URI or an https: URL.
    """

    engine: str = Field(description="A name from GET /v1/engines.", max_length=64, examples=["neural_style"])
    params: dict[str, Any] = Field(
        default_factory=dict, description="The engine's parameters, as its JSON Schema describes them."
    )


class ArtifactView(Wire):
    """One stored file."""

    id: str
    name: str
    media_type: str
    size: int = Field(description="Bytes.")
    sha256: str
    width: int | None = Field(default=None, description="Pixels, upright.")
    height: int | None = Field(default=None, description="Pixels, upright.")
    job_id: str | None = Field(default=None, description="The job that made it; null for an upload.")
    meta: dict[str, Any] = Field(default_factory=dict, description="What the engine says of it.")
    created_at: datetime
    url: str = Field(
        description="Reads the content for an hour without a key (signed), so that a page can show it."
    )


class Failure(Wire):
    """Why a job failed."""

    code: str = Field(description="Stable and machine-readable.")
    detail: str


class Timings(Wire):
    """Seconds. Measured on the database's clock."""

    queued: float = Field(description="From acceptance to the start of the present or last attempt.")
    run: float | None = Field(description="Of the present or last attempt; null before the first.")


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
        default=None, description="1 is next; null when not queued. Counted up to 1,000."
    )
    attempt: int = Field(description="0 before the first worker took it.")
    cancel_requested: bool
    params: dict[str, Any]
    seed: int
    device: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    timings: Timings
    artifacts: list[ArtifactView] = Field(description="Its results; empty until it succeeded.")
    error: Failure | None = None
    version: int = Field(description="Grows with every change; the id of the job's events.")


class JobPage(Wire):
    """Newest first."""

    jobs: list[JobView]
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")


class EngineView(Wire):
    """One engine: everything a form, a bot or a command line needs to offer it."""

    name: str
    title: str
    description: str
    queue: str
    params_schema: dict[str, Any] = Field(description="JSON Schema (2020-12) of `params`.")
    files: dict[str, Any] = Field(
        description="The params that are files: name -> {accept: [media types], multiple: bool}."
    )
    produces: list[str] = Field(description="Media types of the results.")
    example: dict[str, Any]
    needs_weights: dict[str, bool] = Field(
        default_factory=dict, description="Optional weights files it knows -> whether one is installed."
    )


class EngineList(Wire):
    engines: list[EngineView]


class Problem(BaseModel):
    """An RFC 9457 problem document. `code` is stable; `detail` is for people."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A URI reference that names the kind of problem.")
    title: str
    status: int
    detail: str
    code: str
    instance: str | None = Field(default=None, description="The request's id, as in the logs.")


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
