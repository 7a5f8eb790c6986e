"""/v1/schedules: jobs that are made again and again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from flask import Blueprint, Response
from pydantic import BaseModel, Field

from accept import check_scheduled, make_scheduled
from accept.wire import JobOptions
from api.access.auth import caller, owner_scope
from api.contract.operations import idempotency, operation
from api.requests.reading import body, idempotency_key, query
from api.schemas.job_requests import JobRequest
from api.schemas.jobs import JobView
from api.schemas.problems import Failure
from api.schemas.schedules import (
    ScheduleChange,
    ScheduledJob,
    SchedulePage,
    ScheduleRequest,
    ScheduleView,
    Upcoming,
)
from api.services import services
from api.telemetry.tracing import request_id
from api.views import respond, whole_job
from jobs.errors import BadSchedule
from jobs.rows import ScheduleRow
from schedules.keys import of_order
from schedules.store import Misses, Wanted
from schedules.times import Times, times

routes = Blueprint("schedules", __name__)

#: Times that are told ahead.
_AHEAD = 5
_OPTIONS = set(JobOptions.model_fields)


class NewQuery(BaseModel):
    """Whether to make it."""

    dry_run: bool = Field(default=False, description="`true`: only look at it, and say when it would be due.")


class PageQuery(BaseModel):
    """Which page of schedules."""

    cursor: str | None = Field(
        default=None, pattern=r"^sch_[0-9a-f]{32}$", description="`next_cursor` of the page before."
    )
    limit: int = Field(default=50, ge=1, le=100)


@routes.post("/schedules")
@operation(
    "Make a schedule",
    "schedules",
    {201: ScheduleView, 200: Upcoming},
    query=NewQuery,
    bodies={"application/json": ScheduleRequest},
    problems=(400, 404, 409, 413, 415, 422),
    answer_headers={"Location": "The schedule's URL."},
)
def post_schedule() -> Response:
    """Its job is looked at as a submission is, now and each time it is due.

    One that is refused then is told as `last_error`, and the schedule goes on; after ten in a row it pauses.
    You can have 100 of them.
    """
    dry = query(NewQuery).dry_run
    sent = body(ScheduleRequest)
    when = times(sent.cron, sent.zone)
    wanted = _wanted(name=sent.name, when=when, misses=sent.misses, job=sent.job, inputs=_checked(sent.job))
    if dry:
        return respond(Upcoming(upcoming=when.upcoming(_now(), _AHEAD)))
    row = services().schedules.create(caller().user_id, wanted, when.after(_now()))
    return respond(_view(row), 201, Location=f"/v1/schedules/{row.id}")


@routes.get("/schedules")
@operation("Your schedules", "schedules", {200: SchedulePage}, query=PageQuery, problems=(400,))
def list_schedules() -> Response:
    """Newest first."""
    wanted = query(PageQuery)
    rows = services().schedules.page(caller().user_id, before=wanted.cursor, limit=wanted.limit + 1)
    shown = rows[: wanted.limit]
    more = shown[-1].id if len(rows) > wanted.limit else None
    return respond(SchedulePage(schedules=[_view(row) for row in shown], next_cursor=more))


@routes.get('/schedules/<id("sch"):schedule_id>')
@operation("One schedule", "schedules", {200: ScheduleView}, problems=(404,))
def get_schedule(schedule_id: str) -> Response:
    """With its next five times, and what became of the one before."""
    return respond(_view(services().schedules.get(schedule_id, owner_scope())))


@routes.patch('/schedules/<id("sch"):schedule_id>')
@operation(
    "Change a schedule",
    "schedules",
    {200: ScheduleView},
    bodies={"application/json": ScheduleChange},
    problems=(400, 404, 413, 415, 422),
)
def patch_schedule(schedule_id: str) -> Response:
    """Another name, other times, another job. What was refused before is forgotten."""
    sent = body(ScheduleChange)
    row = services().schedules.get(schedule_id, caller().user_id)
    # Looked at only where it is changed: another name must not fail on weights that are away.
    when = times(sent.cron or row.cron, sent.zone or row.zone)
    job = sent.job or JobRequest(engine=row.engine, params=row.params, **row.options)
    wanted = _wanted(
        name=sent.name or row.name,
        when=when,
        misses=sent.misses or _misses(row),
        job=job,
        inputs=_checked(job) if sent.job is not None else None,
    )
    # A time that is due at this moment stays due, unless it is no time of this schedule's any more.
    retimed = (when.cron, when.zone.key) != (row.cron, row.zone)
    following = when.after(_now()) if retimed else None
    return respond(_view(services().schedules.change(row.id, row.owner_id, wanted, following)))


@routes.delete('/schedules/<id("sch"):schedule_id>')
@operation("Delete a schedule", "schedules", {204: None}, problems=(404,))
def delete_schedule(schedule_id: str) -> Response:
    """The jobs that it made stay; the files that it read may go."""
    services().schedules.delete(schedule_id, owner_scope())
    return Response(status=204)


@routes.post('/schedules/<id("sch"):schedule_id>/pause')
@operation("Pause a schedule", "schedules", {200: ScheduleView}, problems=(404,))
def pause_schedule(schedule_id: str) -> Response:
    """Until it is resumed it makes nothing, but by `run`. What would be due meanwhile is not missed."""
    return respond(_view(services().schedules.pause(schedule_id, owner_scope())))


@routes.post('/schedules/<id("sch"):schedule_id>/resume')
@operation("Resume a schedule", "schedules", {200: ScheduleView}, problems=(404, 422))
def resume_schedule(schedule_id: str) -> Response:
    """From the next of its times on."""
    row = services().schedules.get(schedule_id, caller().user_id)
    following = times(row.cron, row.zone).after(_now())
    return respond(_view(services().schedules.resume(row.id, row.owner_id, following)))


@routes.post('/schedules/<id("sch"):schedule_id>/run')
@operation(
    "Run a schedule now",
    "schedules",
    {202: JobView},
    headers=idempotency("job"),
    problems=(400, 404, 409, 422),
    answer_headers={
        "Location": "The job's URL.",
        "Idempotency-Replayed": "`true`: the job was there already.",
    },
)
def run_schedule(schedule_id: str) -> Response:
    """One job besides those that are due, whether it is paused or not."""
    found = services()
    row = found.schedules.get(schedule_id, caller().user_id)
    key = of_order(row.id, idempotency_key())
    job, made = make_scheduled(found.means, row, key, request_id=request_id())
    replayed = {} if made else {"Idempotency_Replayed": "true"}
    if made:
        found.doorbell.wake(job.queue)
        found.schedules.ordered(row.id, job.id)
    return respond(whole_job(job, new=made), 202, Location=f"/v1/jobs/{job.id}", **replayed)


def _checked(job: JobRequest) -> list[str]:
    """The stored files that such a job reads; nothing speaks against it."""
    return check_scheduled(services().means, caller().user_id, job.engine, job.params, job)


def _wanted(
    *, name: str, when: Times, misses: Misses, job: JobRequest, inputs: Sequence[str] | None
) -> Wanted:
    return Wanted(
        name=name,
        cron=when.cron,
        zone=when.zone.key,
        misses=misses,
        engine=job.engine,
        params=job.params,
        options=job.model_dump(mode="json", exclude_defaults=True, include=_OPTIONS),
        inputs=inputs,
    )


def _view(row: ScheduleRow) -> ScheduleView:
    paused = row.paused_at is not None
    return ScheduleView(
        id=row.id,
        name=row.name,
        cron=row.cron,
        zone=row.zone,
        misses=_misses(row),
        job=ScheduledJob(engine=row.engine, params=row.params, **row.options),
        upcoming=_upcoming(row),
        paused_at=row.paused_at,
        paused_because=("refused" if row.refusals else "owner") if paused else None,
        last_at=row.last_at,
        last_job_id=row.last_job_id,
        last_error=Failure(code=row.error_code, detail=row.error_detail or "") if row.error_code else None,
        refusals=row.refusals,
        created_at=row.created_at,
    )


def _upcoming(row: ScheduleRow) -> list[datetime]:
    if row.next_at is None:
        return []
    with suppress(BadSchedule):  # its zone was removed since; the sweeper will say so
        return [row.next_at, *times(row.cron, row.zone).upcoming(row.next_at, _AHEAD - 1)]
    return [row.next_at]


def _misses(row: ScheduleRow) -> Misses:
    return "once" if row.misses == "once" else "skip"


def _now() -> datetime:
    return datetime.now(UTC)
