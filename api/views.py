"""Rows as wire models."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from flask import Response
from pydantic import BaseModel

from accept.options import priority_name
from accept.wire import WebhookRequest
from accounts.limits import Limits
from api.schemas.engines import EngineView
from api.schemas.files import ArtifactView
from api.schemas.jobs import Forecast, Held, JobUsage, JobView, StageView, Timings
from api.schemas.problems import Failure
from api.services import Services, services
from engines import weights, words
from engines.base import EngineSpec
from jobs.rows import ArtifactRow, FactsRow, StageRow
from jobs.states import FINAL, Hold, State
from jobs.store import JobRow, expires_at
from schedules.keys import schedule_of


def respond(model: BaseModel, status: int = 200, **headers: str) -> Response:
    """A model as a JSON response; `headers` are written with underscores."""
    response = Response(model.model_dump_json(), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return response


def content_url(file_id: str) -> str:
    """A URL that reads a file without a key."""
    found = services()
    return found.settings.public_url + found.signer.sign(f"/v1/files/{file_id}/content")


def preview_url(row: FactsRow, found: Services | None = None) -> str | None:
    """A URL of the newest preview; `v` changes with it, so that no cache shows an older one."""
    if row.preview_key is None or row.state in FINAL:
        return None
    found = found or services()  # given by event streams, which outlive their request's context
    return found.settings.public_url + found.signer.sign(f"/v1/jobs/{row.id}/preview", v=str(row.version))


def artifact_view(row: ArtifactRow) -> ArtifactView:
    """One file."""
    return ArtifactView(
        id=row.id,
        name=row.name,
        media_type=row.media_type,
        size=row.size,
        sha256=row.sha256,
        width=row.width,
        height=row.height,
        seconds=row.seconds,
        text=row.text,
        job_id=row.job_id,
        meta=row.meta,
        created_at=row.created_at,
        url=content_url(row.id),
    )


def job_view(
    row: JobRow,
    artifacts: Sequence[ArtifactRow] = (),
    position: int | None = None,
    forecast: Forecast | None = None,
    stages: Sequence[StageRow] = (),
) -> JobView:
    """One job, from rows that were read already."""
    return JobView(
        id=row.id,
        engine=row.engine,
        state=State(row.state),
        queue=row.queue,
        progress=row.progress,
        message=row.message,
        preview_url=preview_url(row),
        queue_position=position,
        priority=priority_name(row.priority),
        held=_held(row),
        forecast=forecast,
        start_by=row.start_by,
        timeout=row.timeout_seconds,
        webhook=WebhookRequest.model_validate(row.webhook) if row.webhook else None,
        tags=row.tags or [],
        metadata=row.meta or {},
        schedule_id=schedule_of(row.idempotency_key),
        attempt=row.attempt,
        cancel_requested=row.cancel_requested,
        params=row.params,
        seed=row.seed,
        device=row.device,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        timings=_timings(row),
        usage=JobUsage(
            queue_seconds=row.queue_seconds,
            run_seconds=row.run_seconds,
            device_seconds=row.device_seconds,
            peak_memory=row.peak_memory,
            batch_size=row.batch_size,
        ),
        stages=[stage_view(stage) for stage in stages],
        part_of=row.part_of or None,
        retry_of=row.retry_of,
        artifacts=[artifact_view(a) for a in artifacts],
        expires_at=expires_at(row, _limits(row).keep_days) if row.finished_at else None,
        data_removed=row.data_removed,
        error=Failure(code=row.error_code, detail=row.error_detail or "") if row.error_code else None,
        version=row.version,
    )


def whole_job(row: JobRow, *, new: bool = False) -> JobView:
    """One job with its results, or with its place in the queue: at most one more statement, or two for one
    that is made of jobs.

    `new`: it was accepted just now.
    """
    jobs = services().jobs
    stages = jobs.stages([row.id])[row.id] if row.parts else ()
    if row.state == State.SUCCEEDED:
        return job_view(row, jobs.artifacts([row.id])[row.id], stages=stages)
    where = services().depths if new else jobs
    position = where.position(row) if row.state == State.QUEUED else None
    forecast = services().forecaster.of(row, position, held=_held(row) is not None)
    return job_view(row, position=position, forecast=forecast, stages=stages)


def stage_view(row: StageRow) -> StageView:
    """The parts of one stage, together."""
    if row.failed or row.canceled:
        state = State.FAILED if row.failed else State.CANCELED
    elif row.succeeded == row.jobs:
        state = State.SUCCEEDED
    else:
        state = State.RUNNING if row.running or row.succeeded else State.QUEUED
    return StageView(
        name=row.stage,
        state=state,
        progress=row.progress / row.jobs,
        jobs=row.jobs,
        succeeded=row.succeeded,
        artifacts=row.artifacts,
        attempts=row.attempts,
        seconds=row.run_seconds,
    )


def _limits(row: JobRow) -> Limits:
    return services().quota.limits(row.owner_id)


def _held(row: JobRow) -> Held | None:
    if row.hold == Hold.OWNER:
        return Held(reason="owner", detail="It waits until you release it.")
    if row.hold == Hold.PARTS:
        return Held(reason="parts", detail="It goes on when the jobs that it asked for have succeeded.")
    cap = _limits(row).max_running if row.hold == Hold.BEHIND else 0
    if not cap:
        return None  # behind the line, where its turn comes as it would in the line
    return Held(
        reason="running_cap",
        detail=f"{cap} of your jobs may run at once in the queue {row.queue}; it moves up as one ends.",
    )


def _timings(row: JobRow) -> Timings:
    now = datetime.now(UTC)
    began = row.started_at or row.finished_at or now
    run = None
    # A job that waits for its next attempt has no record of when the last one ended.
    if row.started_at is not None and row.state != State.QUEUED:
        run = max(0.0, ((row.finished_at or now) - row.started_at).total_seconds())
    return Timings(queued=max(0.0, (began - row.created_at).total_seconds()), run=run)


def engine_view(spec: EngineSpec, language: str) -> EngineView:
    """One engine in this language, with what it needs that may not be installed."""
    shown = words.shown(spec, language)
    needed = dict.fromkeys(name for needs in spec.needs for name in sorted(needs))
    names = [name for name in needed if name in weights.WEIGHTS]
    reported = {name for worker in services().fleet.alive() for name in worker.weights} if names else set()
    return EngineView(
        name=spec.name,
        title=shown.title,
        description=shown.description,
        queue=spec.queue,
        params_schema=shown.params_schema,
        files={f.name: {"accept": list(f.accept), "multiple": f.multiple} for f in spec.file_params.values()},
        produces=list(spec.produces),
        example=dict(spec.example),
        labels=shown.labels,
        deterministic=spec.deterministic,
        needs_weights={name: name in reported or weights.present(name) for name in names},
    )
